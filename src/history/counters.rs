//! The exact and fast check of a counter: a key to which clients only add 1, and which they
//! read. The value is the place of whoever added last (and the key's version); `chain.rs` does the rest.

use super::chain::{self, Chain, Maybe};
use super::explain::{Violation, Wrong, show, violation};
use super::partition::Part;
use super::versions::{Revisions, Versioned};
use super::{Action, Operation, Outcome, Value, What};

/// None when the operations are not of this kind.
pub(super) fn check(history: &[Operation], part: &Part) -> Option<Result<(), Violation>> {
    let mut counts = false;
    for number in &part.operations {
        let operation = &history[*number as usize];
        let Action::One(call) = &operation.action else { return None };
        match (&call.what, &operation.outcome) {
            (What::IncrBy(1), Outcome::Unknown | Outcome::Ok(Value::Int(_))) => counts = true,
            (What::Get | What::GetV, _) => {}
            _ => return None,
        }
    }
    if !counts {
        return None;
    }
    let verdict = match chain(history, part) {
        Ok(chain) => chain::check(history, chain)?,
        Err(wrong) => Err(wrong),
    };
    Some(verdict.map_err(|wrong| violation(history, part, wrong)))
}

/// A counter as it is written after at least one was added.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| *number > 0 && number.to_string() == text)
}

fn chain(history: &[Operation], part: &Part) -> Result<Chain, Wrong> {
    let mut chain = Chain::default();
    let mut revisions = Revisions::default();
    let mut versions = Vec::new();
    for &at in &part.operations {
        let operation = &history[at as usize];
        let Action::One(call) = &operation.action else { continue };
        let is_write = matches!(call.what, What::IncrBy(_));
        let Outcome::Ok(reply) = &operation.outcome else {
            if is_write {
                chain.maybe.push(Maybe::new(at, operation, None));
            }
            continue;
        };
        let value = match reply {
            Value::Nil => Some(0),
            Value::Text(text) => number(text),
            Value::Int(value) => u64::try_from(*value).ok().filter(|value| *value > 0),
            _ => Versioned::of(reply).and_then(|seen| {
                let value = number(seen.value).filter(|value| *value == seen.version);
                revisions.note(at, &seen);
                versions.push((at, seen));
                value
            }),
        };
        let Some(value) = value else { return Err((at, "no counter is so".to_owned())) };
        let zone = chain.pinned.entry(value).or_default();
        if !is_write {
            zone.see(at, operation);
        } else if let Err(other) = zone.make(at, operation) {
            let other = show(&history[other as usize], 0);
            return Err((at, format!("another was told the same: {other}")));
        }
    }
    versions.iter().try_for_each(|(at, seen)| revisions.check(*at, seen))?;
    Ok(chain)
}
