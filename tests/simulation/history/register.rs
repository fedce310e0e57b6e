//! Registers: set, deleted, compared and set, by the general checker.

use super::{Action, Check, Operation, Outcome};
use bowline::command::Reply;
use bowline::history::{self, Bounds, Call, Value, What};

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

fn value(reply: &Reply) -> Value {
    let text = |bytes: &[u8]| Value::Text(String::from_utf8_lossy(bytes).into());
    match reply {
        Reply::Ok => Value::Ok,
        Reply::Int(number) => Value::Int(*number),
        Reply::Bulk(bytes) => text(bytes),
        Reply::Nil | Reply::NilArray => Value::Nil,
        Reply::Array(parts) => Value::Array(parts.iter().map(value).collect()),
        Reply::Error(error) => Value::Error(error.to_string().into()),
        other => Value::Error(format!("{other:?}").into()),
    }
}
