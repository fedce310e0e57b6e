//! Values that have elements, by the judges of `bowline::history`.

use super::{Action, Check, Freshness, Operation, Outcome};
use bowline::command::Reply;
use bowline::history::{self, Action as Deed, Bounds, Call, Typed, Value, What};
use std::collections::BTreeSet;

const BOUNDS: Bounds = Bounds { memory_bytes: 32 << 20, steps: 1_000_000 };
/// When everything is looked at once more.
const FINALLY_NS: u64 = u64::MAX / 2;

/// The deeds that show, of each key that anybody touched, what there is in the end.
pub fn last_looks(operations: &[Operation]) -> Vec<Deed> {
    let mut looks = BTreeSet::new();
    for call in operations.iter().filter_map(Operation::deed).flat_map(calls) {
        let What::Typed(typed) = &call.what else { continue };
        if let Typed::Log(_)
        | Typed::Deliver { .. }
        | Typed::Ack(_)
        | Typed::Claim { .. }
        | Typed::Logged
        | Typed::Pending = typed
        {
            looks.extend([(call.key.clone(), 3), (call.key.clone(), 4)]);
            continue;
        }
        let look = match typed {
            Typed::Add(_) | Typed::Draw | Typed::Members => 1,
            Typed::Rank { .. } | Typed::PopLeast(_) | Typed::Ranked => 2,
            Typed::Move { to, .. } => {
                looks.insert((to.clone(), 0));
                0
            }
            _ => 0,
        };
        looks.insert((call.key.clone(), look));
    }
    let deed = |(key, look): (_, usize)| {
        let typed =
            [Typed::Range, Typed::Members, Typed::Ranked, Typed::Logged, Typed::Pending][look].clone();
        Deed::One(Call { key, what: What::Typed(typed) })
    };
    looks.into_iter().map(deed).collect()
}

fn calls(deed: &Deed) -> &[Call] {
    match deed {
        Deed::One(call) => std::slice::from_ref(call),
        Deed::Transaction(calls) => calls,
        Deed::MGet(_) => &[],
    }
}

/// Whether some order explains all replies, and what there is in the end.
pub fn check(operations: &[Operation], finally: Vec<(Deed, Reply)>) -> Check {
    let mut all: Vec<history::Operation> = operations.iter().filter_map(judged).collect();
    // A stream that nobody gave a group has none.
    let has_group =
        |(_, reply): &(Deed, Reply)| !matches!(reply, Reply::Error(text) if text.starts_with("NOGROUP"));
    all.extend(finally.into_iter().filter(has_group).map(|(action, reply)| history::Operation {
        client: 0,
        action,
        outcome: history::Outcome::Ok(value(&reply)),
        start_ns: FINALLY_NS,
        end_ns: FINALLY_NS + 1,
    }));
    let report = history::check(&all, BOUNDS);
    match (report.violations.first(), report.undecided.first()) {
        (Some(violation), _) => Err(violation.to_string()),
        (None, Some(undecided)) => Err(undecided.to_string()),
        (None, None) => Ok(()),
    }
}

fn judged(operation: &Operation) -> Option<history::Operation> {
    let action = operation.deed()?.clone();
    let outcome = match &operation.outcome {
        Outcome::Done(_) if operation.freshness != Freshness::Last => return None,
        Outcome::Done(reply) => history::Outcome::Ok(value(reply)),
        Outcome::Failed => history::Outcome::Fail,
        Outcome::Unknown | Outcome::Open => history::Outcome::Unknown,
    };
    let (start_ns, end_ns) = (operation.began_us * 1000, operation.ended_us * 1000);
    Some(history::Operation { client: operation.client as u64, action, outcome, start_ns, end_ns })
}

impl Operation {
    /// What it does to values that have elements.
    pub fn deed(&self) -> Option<&Deed> {
        if let Action::Typed(deed) = &self.action { Some(deed) } else { None }
    }
}

pub fn value(reply: &Reply) -> Value {
    let text = |bytes: &[u8]| Value::Text(String::from_utf8_lossy(bytes).into());
    let pairs = |pairs: &[(Reply, Reply)]| {
        Value::Array(pairs.iter().flat_map(|(first, second)| [value(first), value(second)]).collect())
    };
    match reply {
        Reply::Ok => Value::Ok,
        Reply::Int(number) => Value::Int(*number),
        Reply::Bulk(bytes) => text(bytes),
        Reply::Double(number) => text(number.to_string().as_bytes()),
        Reply::Nil | Reply::NilArray => Value::Nil,
        Reply::Array(parts) | Reply::Set(parts) => Value::Array(parts.iter().map(value).collect()),
        Reply::Pairs(parts) | Reply::Map(parts) => pairs(parts),
        Reply::Streams(parts) => {
            let one = |(key, entries): &(Reply, Reply)| Value::Array(vec![value(key), value(entries)]);
            Value::Array(parts.iter().map(one).collect())
        }
        Reply::Error(error) => Value::Error(error.to_string().into()),
        other => Value::Error(format!("{other:?}").into()),
    }
}
