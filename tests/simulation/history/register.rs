//! Registers: set, deleted, compared and set, by the general checker.

use super::typed::value;
use super::{Action, Check, Operation, Outcome};
use bowline::history::{self, Bounds, Call, What};

/// More work than that is not worth its while: other seeds see the same.
const BOUNDS: Bounds = Bounds { memory_bytes: 32 << 20, steps: 1_000_000 };

/// Whether some order of the operations explains all replies. Histories that would be too
/// much work count as explained.
pub fn register(operations: &[&Operation]) -> Check {
    let judged: Vec<history::Operation> = operations.iter().filter_map(|o| judged(o)).collect();
    match history::check(&judged, BOUNDS).violations.first() {
        Some(violation) => Err(violation.to_string()),
        None => Ok(()),
    }
}

fn judged(operation: &Operation) -> Option<history::Operation> {
    let (key, what) = match &operation.action {
        Action::Get { key } => (key, What::Get),
        Action::GetV { key } => (key, What::GetV),
        Action::Set { key, value } => (key, What::Set(value.as_str().into())),
        Action::Del { key } => (key, What::Del),
        Action::Cas { key, version, value } => {
            (key, What::Cas { version: *version as u64, value: value.to_string().into() })
        }
        _ => return None,
    };
    let is_stale = operation.freshness != super::Freshness::Last;
    let outcome = match &operation.outcome {
        Outcome::Done(_) if is_stale => return None,
        Outcome::Done(reply) => history::Outcome::Ok(value(reply)),
        Outcome::Failed => history::Outcome::Fail,
        Outcome::Unknown | Outcome::Open => history::Outcome::Unknown,
    };
    let action = history::Action::One(Call { key: key.as_str().into(), what });
    let (start_ns, end_ns) = (operation.began_us * 1000, operation.ended_us * 1000);
    Some(history::Operation { client: operation.client as u64, action, outcome, start_ns, end_ns })
}
