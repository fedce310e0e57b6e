//! The model once more, with maps and strings; and a judge that tries every order. It shares
//! nothing with what it is to test but the types of a history.

use super::super::{Action, Call, Operation, Outcome, Value, What};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
struct Item {
    value: String,
    version: u64,
    revision: u64,
    expires: bool,
}

/// As Redis reads numbers: no other form than its own.
fn number(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|number| number.to_string() == text)
}

/// All keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Store {
    items: BTreeMap<String, Item>,
    revision: u64,
}

impl Store {
    fn put(&mut self, key: &str, value: String, expires: bool) -> Value {
        self.revision += 1;
        let version = self.items.get(key).map_or(0, |item| item.version) + 1;
        self.items.insert(key.to_owned(), Item { value, version, revision: self.revision, expires });
        Value::Ok
    }

    fn remove(&mut self, key: &str) -> Value {
        self.revision += 1;
        Value::Int(i64::from(self.items.remove(key).is_some()))
    }

    /// Keys that may disappear now.
    pub(super) fn expiring(&self) -> Vec<String> {
        self.items.iter().filter(|(_, item)| item.expires).map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn expire(&mut self, key: &str) {
        self.remove(key);
    }

    fn call(&mut self, Call { key, what }: &Call) -> Value {
        let old = self.items.get(&**key).cloned();
        let is = |text: &str| old.as_ref().is_some_and(|item| item.value == *text);
        let version = old.as_ref().map_or(0, |item| item.version);
        match what {
            What::Get => old.map_or(Value::Nil, |item| Value::Text(item.value.into())),
            What::GetV => old.map_or(Value::Nil, |item| {
                let numbers = [item.version, item.revision].map(|number| Value::Int(number as i64));
                Value::Array([Value::Text(item.value.into())].into_iter().chain(numbers).collect())
            }),
            What::Exists => Value::Int(i64::from(old.is_some())),
            What::Set(value) => self.put(key, value.to_string(), false),
            What::SetPx { value, .. } => self.put(key, value.to_string(), true),
            What::SetNx(value) if old.is_none() => self.put(key, value.to_string(), false),
            What::SetIfEq { value, old } if is(old) => self.put(key, value.to_string(), false),
            What::SetNx(_) | What::SetIfEq { .. } => Value::Nil,
            What::DelIfEq(text) if !is(text) => Value::Int(0),
            What::Del if old.is_none() => Value::Int(0),
            What::Del | What::DelIfEq(_) => self.remove(key),
            What::Append(tail) => {
                let (head, expires) = old.map_or((String::new(), false), |item| (item.value, item.expires));
                let value = head + tail;
                let len = value.len();
                self.put(key, value, expires);
                Value::Int(len as i64)
            }
            What::IncrBy(n) => {
                let number = old.as_ref().map_or(Some(0), |item| number(&item.value));
                let Some(number) = number else {
                    return Value::Error("ERR value is not an integer or out of range".into());
                };
                self.put(key, (number + n).to_string(), old.is_some_and(|item| item.expires));
                Value::Int(number + n)
            }
            What::Cas { version: expected, .. } | What::Cad(expected) if *expected != version => {
                Value::Error(match expected {
                    0 => format!("KEYEXISTS key exists with version {version}").into(),
                    _ => format!("VERSIONMISMATCH expected {expected} found {version}").into(),
                })
            }
            What::Cas { value, .. } => {
                self.put(key, value.to_string(), false);
                Value::Int(version as i64 + 1)
            }
            What::Cad(_) => self.remove(key),
            What::Watch(expected) => {
                if *expected == version {
                    Value::Ok
                } else {
                    Value::Nil
                }
            }
            What::Typed(_) => unreachable!("it judges strings"),
        }
    }

    /// The version of a key, 0 if it is missing.
    pub(super) fn version(&self, key: &str) -> u64 {
        self.items.get(key).map_or(0, |item| item.version)
    }

    pub(super) fn run(&mut self, action: &Action) -> Value {
        match action {
            Action::One(call) => self.call(call),
            Action::MGet(keys) => {
                let calls = keys.iter().map(|key| Call { key: key.clone(), what: What::Get });
                Value::Array(calls.map(|call| self.call(&call)).collect())
            }
            Action::Transaction(calls) => {
                let (watches, calls): (Vec<_>, Vec<_>) =
                    calls.iter().partition(|call| matches!(call.what, What::Watch(_)));
                if watches.iter().any(|watch| self.call(watch) == Value::Nil) {
                    return Value::Nil;
                }
                Value::Array(calls.iter().map(|call| self.call(call)).collect())
            }
        }
    }
}

fn is_watched(action: &Action) -> bool {
    let Action::Transaction(calls) = action else { return false };
    calls.iter().any(|call| matches!(call.what, What::Watch(_)))
}

/// Revisions as this model counts them, and as clients saw them, of one key.
type Revisions = Vec<(String, i64, i64)>;

/// Whether the replies agree, apart from revisions, which are noted.
fn agree(action: &Action, told: &Value, seen: &Value, revisions: &mut Revisions) -> bool {
    let mut getv = |call: &Call, told: &Value, seen: &Value| match (told, seen) {
        (Value::Array(told), Value::Array(seen)) if seen.len() == 3 => {
            let (Value::Int(a), Value::Int(b)) = (&told[2], &seen[2]) else { return false };
            revisions.push((call.key.to_string(), *a, *b));
            told[..2] == seen[..2]
        }
        _ => told == seen,
    };
    match (action, told, seen) {
        (Action::One(call), ..) if call.what == What::GetV => getv(call, told, seen),
        (Action::Transaction(calls), Value::Array(told), Value::Array(seen)) => {
            let calls = calls.iter().filter(|call| !matches!(call.what, What::Watch(_)));
            told.len() == seen.len()
                && calls.zip(told.iter().zip(seen)).all(|(call, (told, seen))| match call.what {
                    What::GetV => getv(call, told, seen),
                    _ => told == seen,
                })
        }
        _ => told == seen,
    }
}

fn revisions_fit(revisions: &Revisions) -> bool {
    let pairs = revisions.iter().enumerate().flat_map(|(i, a)| revisions[..i].iter().map(move |b| (a, b)));
    let is_first_above_0 = revisions.iter().all(|seen| seen.2 > 0);
    is_first_above_0 && pairs.filter(|(a, b)| a.0 == b.0).all(|(a, b)| a.1.cmp(&b.1) == a.2.cmp(&b.2))
}

/// Whether some order explains the history: all of them are tried.
pub(super) fn explains(history: &[Operation]) -> bool {
    let left: Vec<&Operation> = history.iter().filter(|it| it.outcome != Outcome::Fail).collect();
    go_on(&Store::default(), &left, &Vec::new())
}

fn go_on(store: &Store, left: &[&Operation], revisions: &Revisions) -> bool {
    let known = || left.iter().filter(|it| it.outcome != Outcome::Unknown);
    let Some(first_end_ns) = known().map(|it| it.end_ns).min() else { return true };
    for (at, operation) in left.iter().enumerate().filter(|(_, it)| it.start_ns <= first_end_ns) {
        let mut store = store.clone();
        let mut revisions = revisions.clone();
        if let Outcome::Ok(seen) = &operation.outcome {
            // A watched transaction may always be refused, and then does nothing.
            let aborted = *seen == Value::Nil && is_watched(&operation.action);
            let told = if aborted { Value::Nil } else { store.run(&operation.action) };
            if !agree(&operation.action, &told, seen, &mut revisions) || !revisions_fit(&revisions) {
                continue;
            }
        } else {
            store.run(&operation.action);
        }
        let mut left = left.to_vec();
        left.remove(at);
        if go_on(&store, &left, &revisions) {
            return true;
        }
    }
    store.expiring().iter().any(|key| {
        let mut store = store.clone();
        store.expire(key);
        go_on(&store, left, revisions)
    })
}
