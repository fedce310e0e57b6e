//! From actions to requests, and from replies to outcomes.

use crate::harness::Value as Reply;
use bowline::history::{Action, Call, Outcome, Value, What};

/// The error of a stream that has no group yet.
pub const NO_GROUP: &str = "NOGROUP";

/// The requests that carry an action out: one, or those of a transaction. What it watches has
/// been watched before.
pub fn requests(action: &Action) -> Vec<Vec<String>> {
    match action {
        Action::One(call) => vec![request(call)],
        Action::MGet(keys) => {
            let keys = keys.iter().map(|key| key.to_string());
            vec![["MGET".to_owned()].into_iter().chain(keys).collect()]
        }
        Action::Transaction(calls) => {
            let queued = calls.iter().filter(|call| !matches!(call.what, What::Watch(_)));
            let begin = vec!["MULTI".to_owned()];
            let end = vec!["EXEC".to_owned()];
            [begin].into_iter().chain(queued.map(request)).chain([end]).collect()
        }
    }
}

fn request(call: &Call) -> Vec<String> {
    // A counter may be a field of a hash: `key/field`.
    if let Some((key, field)) = call.key.split_once('/') {
        return match &call.what {
            What::IncrBy(n) => ["HINCRBY", key, field, &n.to_string()].map(str::to_owned).into(),
            _ => ["HGET", key, field].map(str::to_owned).into(),
        };
    }
    if let What::Typed(typed) = &call.what {
        return typed.request(&call.key, str::to_owned);
    }
    let (name, args): (&str, Vec<String>) = match &call.what {
        What::Get => ("GET", vec![]),
        What::GetV => ("GETV", vec![]),
        What::Exists => ("EXISTS", vec![]),
        What::Set(value) => ("SET", vec![value.to_string()]),
        What::SetNx(value) => ("SET", vec![value.to_string(), "NX".into()]),
        What::SetIfEq { value, old } => ("SET", vec![value.to_string(), "IFEQ".into(), old.to_string()]),
        What::SetPx { value, ms } => ("SET", vec![value.to_string(), "PX".into(), ms.to_string()]),
        What::Del => ("DEL", vec![]),
        What::DelIfEq(old) => ("DELIFEQ", vec![old.to_string()]),
        What::Append(tail) => ("APPEND", vec![tail.to_string()]),
        What::IncrBy(n) => ("INCRBY", vec![n.to_string()]),
        What::Cas { version, value } => ("CAS", vec![version.to_string(), value.to_string()]),
        What::Cad(version) => ("CAD", vec![version.to_string()]),
        What::Watch(_) => ("WATCH", vec![]),
        What::Typed(_) => unreachable!("it was seen to above"),
    };
    [name.to_owned(), call.key.to_string()].into_iter().chain(args).collect()
}

/// Whether the action may change something.
pub fn is_write(action: &Action) -> bool {
    let writes = |call: &Call| match &call.what {
        What::Typed(typed) => typed.is_write(),
        what => !matches!(what, What::Get | What::GetV | What::Exists | What::Watch(_)),
    };
    match action {
        Action::One(call) => writes(call),
        Action::MGet(_) => false,
        Action::Transaction(calls) => calls.iter().any(writes),
    }
}

/// What the reply tells. Err: an error that no client should ever get.
pub fn outcome(action: &Action, reply: &Reply) -> Result<Outcome, String> {
    let Some(error) = reply.error() else { return Ok(Outcome::Ok(value(reply))) };
    match error.split(' ').next().unwrap_or_default() {
        "UNKNOWN" if is_write(action) => Ok(Outcome::Unknown),
        "TRYAGAIN" | "CLUSTERDOWN" | "UNBLOCKED" => Ok(Outcome::Fail),
        // Whoever is told so makes one.
        NO_GROUP => Ok(Outcome::Fail),
        "VERSIONMISMATCH" | "KEYEXISTS" => Ok(Outcome::Ok(value(reply))),
        _ => Err(error.to_owned()),
    }
}

fn value(reply: &Reply) -> Value {
    match reply {
        Reply::Simple(text) if text == "OK" => Value::Ok,
        Reply::Simple(text) => Value::Text(text.as_str().into()),
        Reply::Error(text) => Value::Error(text.as_str().into()),
        Reply::Int(number) => Value::Int(*number),
        Reply::Bulk(bytes) => Value::Text(String::from_utf8_lossy(bytes).into()),
        Reply::Nil => Value::Nil,
        Reply::Array(replies) | Reply::Push(replies) => Value::Array(replies.iter().map(value).collect()),
    }
}
