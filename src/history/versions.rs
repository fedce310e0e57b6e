//! The exact and fast check of a key that is only set, to values that are unique, and read: by
//! `SET`, `CAS`, `GET` and `GETV`. A value tells who wrote it; the reply to a `CAS` and to a
//! `GETV` tells its place among the writes; `chain.rs` does the rest. A `CAS` may be repeated
//! with the same version and value: one of them at most can have taken place.

use super::chain::{self, Chain, Maybe, Zone};
use super::explain::{Violation, Wrong, quote, show, violation};
use super::partition::Part;
use super::{Action, Operation, Outcome, Value, What};
use std::collections::BTreeMap;

/// A value: who wrote it, and who saw it.
#[derive(Debug, Default)]
struct Written {
    /// What the `CAS` expected that writes it.
    expected: Option<u64>,
    /// The write that was acknowledged.
    done: Option<u32>,
    /// The first that may have taken place.
    maybe: Option<u32>,
    /// Its version, and who told.
    told: Option<(u64, u32)>,
    seen: Zone,
    is_seen: bool,
}

/// What a reply to `GETV` says beside the value.
pub(super) struct Versioned<'a> {
    pub(super) value: &'a str,
    pub(super) version: u64,
    revision: i64,
}

impl<'a> Versioned<'a> {
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        let Value::Array(parts) = value else { return None };
        let [Value::Text(value), Value::Int(version), Value::Int(revision)] = parts.as_slice() else {
            return None;
        };
        Some(Self { value, version: u64::try_from(*version).ok()?, revision: *revision })
    }
}

/// Revisions by version: they grow with it.
#[derive(Debug, Default)]
pub(super) struct Revisions(BTreeMap<u64, (i64, u32)>);

impl Revisions {
    pub(super) fn note(&mut self, number: u32, seen: &Versioned<'_>) {
        self.0.entry(seen.version).or_insert((seen.revision, number));
    }

    /// Whether all of what was told agrees.
    pub(super) fn check(&self, number: u32, seen: &Versioned<'_>) -> Result<(), Wrong> {
        let is_same = self.0.get(&seen.version).is_some_and(|(revision, _)| *revision == seen.revision);
        let below = self.0.range(..seen.version).next_back().map_or(0, |(_, (revision, _))| *revision);
        if is_same && seen.revision > below {
            return Ok(());
        }
        Err((
            number,
            format!("a revision above {below} would be right, the same for all who see the version"),
        ))
    }
}

/// None when the operations are not of this kind, or when it cannot tell.
pub(super) fn check(history: &[Operation], part: &Part) -> Option<Result<(), Violation>> {
    let mut values = writes(history, part)?;
    let chain = observe(history, part, &mut values)?.and_then(|pinned| place(history, pinned, values));
    let verdict = match chain {
        Ok(chain) => chain::check(history, chain)?,
        Err(wrong) => Err(wrong),
    };
    Some(verdict.map_err(|wrong| violation(history, part, wrong)))
}

/// All values that anybody may have written.
fn writes<'a>(history: &'a [Operation], part: &Part) -> Option<BTreeMap<&'a str, Written>> {
    let mut values: BTreeMap<&str, Written> = BTreeMap::new();
    for number in &part.operations {
        let operation = &history[*number as usize];
        let Action::One(call) = &operation.action else { return None };
        let (value, expected) = match &call.what {
            What::Get | What::GetV => continue,
            What::Set(value) => (value, None),
            What::Cas { version, value } => (value, Some(*version)),
            _ => return None,
        };
        let is_new = !values.contains_key(&**value);
        let written = values.entry(value).or_default();
        if !is_new && (expected.is_none() || written.expected != expected) {
            return None;
        }
        written.expected = expected;
        match &operation.outcome {
            Outcome::Ok(Value::Ok | Value::Int(_)) if written.done.is_some() => return None,
            Outcome::Ok(Value::Ok) if expected.is_none() => written.done = Some(*number),
            Outcome::Ok(Value::Int(_)) if expected.is_some() => written.done = Some(*number),
            Outcome::Ok(Value::Error(_)) if expected.is_some() => {}
            Outcome::Unknown => {
                let start_ns = |number: u32| history[number as usize].start_ns;
                let is_earlier = written.maybe.is_none_or(|other| start_ns(other) > operation.start_ns);
                if is_earlier {
                    written.maybe = Some(*number);
                }
            }
            _ => return None,
        }
    }
    Some(values)
}

/// Version 0, and those that somebody was told of without the value.
type Pinned = BTreeMap<u64, Zone>;

/// None: a reply that another judge has to look at.
fn observe(
    history: &[Operation],
    part: &Part,
    values: &mut BTreeMap<&str, Written>,
) -> Option<Result<Pinned, Wrong>> {
    let mut pinned = Pinned::new();
    let mut revisions = Revisions::default();
    let mut versions = Vec::new();
    for &number in &part.operations {
        let operation = &history[number as usize];
        let (Action::One(call), Outcome::Ok(reply)) = (&operation.action, &operation.outcome) else {
            continue;
        };
        let (value, version) = match (&call.what, reply) {
            (What::Get | What::GetV, Value::Nil) => {
                pinned.entry(0).or_default().see(number, operation);
                continue;
            }
            (What::Get, Value::Text(value)) => (&**value, None),
            (What::GetV, _) => {
                let seen = Versioned::of(reply)?;
                revisions.note(number, &seen);
                let (value, version) = (seen.value, seen.version);
                versions.push((number, seen));
                (value, Some(version))
            }
            (What::Cas { version, .. }, Value::Error(text)) => {
                let found = super::compile::conflict(text)?;
                if found == *version {
                    return Some(Err((number, "it was at this version".to_owned())));
                }
                pinned.entry(found).or_default().see(number, operation);
                continue;
            }
            (What::Cas { version, value }, Value::Int(made)) => {
                if u64::try_from(*made) != Ok(version + 1) {
                    return Some(Err((number, format!("the reply would be {}", version + 1))));
                }
                (&**value, None)
            }
            (What::Set(_), _) => continue,
            _ => return None,
        };
        let Some(written) = values.get_mut(value) else {
            return Some(Err((number, format!("nobody wrote {}", quote(value)))));
        };
        if !matches!(call.what, What::Cas { .. }) {
            written.seen.see(number, operation);
            written.is_seen = true;
        }
        let version = version.or(written.expected.map(|expected| expected + 1));
        if let Some(version) = version {
            let (told, _) = *written.told.get_or_insert((version, number));
            let is_right = told == version && written.expected.is_none_or(|expected| expected + 1 == version);
            if !is_right || version == 0 {
                return Some(Err((number, "its version was another".to_owned())));
            }
        }
    }
    let wrong = versions.iter().find_map(|(number, seen)| revisions.check(*number, seen).err());
    Some(wrong.map_or(Ok(pinned), Err))
}

fn place(history: &[Operation], pinned: Pinned, values: BTreeMap<&str, Written>) -> Result<Chain, Wrong> {
    let mut chain = Chain { pinned, ..Chain::default() };
    for (value, written) in values {
        let at = written.expected.map(|expected| expected + 1).or(written.told.map(|told| told.0));
        let maker = written.done.or(written.maybe);
        if written.done.is_none() && !written.is_seen {
            chain.maybe.extend(maker.map(|number| Maybe::new(number, &history[number as usize], at)));
            continue;
        }
        let mut zone = written.seen;
        let Some(maker) = maker else {
            return Err((zone.seer(), format!("nobody wrote {}: it was refused", quote(value))));
        };
        zone.make(maker, &history[maker as usize]).expect("nobody made it yet");
        let Some(at) = at else {
            chain.free.push(zone);
            continue;
        };
        if let Err(other) = chain.pinned.entry(at).or_default().join(&zone) {
            let other = show(&history[other as usize], 0);
            return Err((maker, format!("another write made version {at}: {other}")));
        }
    }
    Ok(chain)
}
