//! Histories as JSON lines, one operation each, so that other checkers can judge them too:
//!
//! ```json
//! {"client":3,"op":"incrby","key":"k1","args":[1],"outcome":"ok","value":7,"start_ns":10,"end_ns":25}
//! {"client":4,"op":"cas","key":"k2","args":[3,"x"],"outcome":"unknown","start_ns":11,"end_ns":9000}
//! {"client":3,"op":"exec","key":["a","b"],"args":[["incrby","a",1],["get","b"]],"outcome":"ok","value":[1,null],"start_ns":30,"end_ns":41}
//! ```
//!
//! Operations: `get`, `getv`, `exists`, `set v`, `setnx v`, `setifeq v old`, `setpx v ms`, `del`,
//! `delifeq old`, `append tail`, `incrby n`, `cas version v`, `cad version`, `mget`, and `exec`
//! with a list of commands, among which `watch version`. On values that have elements, by strings: `rpush e ...`,
//! `lrange`, `lpop`, `lmove to`, `sadd e ...`, `spop`, `smembers`, `zadd score e`, `zpopmin`, `zrange`, `xadd e`, `xrange`,
//! `xreadgroup consumer count`, `xack id`, `xautoclaim consumer count`, `xpending`; `blpop`, `blmove`, `bzpopmin`,
//! `xreadgroup-block` wait, `lpop-eval`, `lmove-eval`, `zpopmin-eval` are scripts. Values: null is nil, true is `OK`,
//! `{"error":"..."}` an error of the command; there is one if the outcome is `ok`.

use super::{Action, Call, Operation, Outcome, Typed, Value, What};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Why a line is no operation.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is not even JSON.
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A field is missing or wrong.
    #[error("{0:?} is missing, or is not what it should be")]
    Field(&'static str),
    /// No such operation, or with other arguments.
    #[error("no operation is called {0:?}, or its arguments are others")]
    Operation(String),
}

/// An operation as a line, without its end.
pub fn write_line(operation: &Operation) -> String {
    let (op, key, args) = match &operation.action {
        Action::One(call) => {
            let (name, args) = call_parts(&call.what);
            (name, json!(*call.key), Json::Array(args))
        }
        Action::MGet(keys) => ("mget", keys.iter().map(|key| json!(**key)).collect(), json!([])),
        Action::Transaction(calls) => {
            let mut keys: Vec<&str> = calls.iter().map(|call| &*call.key).collect();
            keys.sort_unstable();
            keys.dedup();
            ("exec", json!(keys), calls.iter().map(call_line).collect())
        }
    };
    let (outcome, value) = match &operation.outcome {
        Outcome::Ok(value) => ("ok", Some(value_line(value))),
        Outcome::Fail => ("fail", None),
        Outcome::Unknown => ("unknown", None),
    };
    // By hand, for the order of the fields.
    let value = value.map_or_else(String::new, |value| format!(r#","value":{value}"#));
    format!(
        r#"{{"client":{},"op":"{op}","key":{key},"args":{args},"outcome":"{outcome}"{value},"start_ns":{},"end_ns":{}}}"#,
        operation.client, operation.start_ns, operation.end_ns
    )
}

fn call_parts(what: &What) -> (&'static str, Vec<Json>) {
    match what {
        What::Get => ("get", vec![]),
        What::GetV => ("getv", vec![]),
        What::Exists => ("exists", vec![]),
        What::Set(value) => ("set", vec![json!(**value)]),
        What::SetNx(value) => ("setnx", vec![json!(**value)]),
        What::SetIfEq { value, old } => ("setifeq", vec![json!(**value), json!(**old)]),
        What::SetPx { value, ms } => ("setpx", vec![json!(**value), json!(ms)]),
        What::Del => ("del", vec![]),
        What::DelIfEq(old) => ("delifeq", vec![json!(**old)]),
        What::Append(tail) => ("append", vec![json!(**tail)]),
        What::IncrBy(n) => ("incrby", vec![json!(n)]),
        What::Cas { version, value } => ("cas", vec![json!(version), json!(**value)]),
        What::Cad(version) => ("cad", vec![json!(version)]),
        What::Watch(version) => ("watch", vec![json!(version)]),
        What::Typed(typed) => {
            let (name, words) = typed.words();
            (name, words.into_iter().map(Json::from).collect())
        }
    }
}

fn call_line(call: &Call) -> Json {
    let (name, args) = call_parts(&call.what);
    [json!(name), json!(*call.key)].into_iter().chain(args).collect()
}

fn value_line(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Ok => Json::Bool(true),
        Value::Int(number) => json!(number),
        Value::Text(text) => json!(**text),
        Value::Error(text) => json!({ "error": **text }),
        Value::Array(values) => values.iter().map(value_line).collect(),
    }
}

/// An operation from its line.
pub fn read_line(line: &str) -> Result<Operation, LineError> {
    let json: Json = serde_json::from_str(line)?;
    let number = |name: &'static str| json[name].as_u64().ok_or(LineError::Field(name));
    let op = json["op"].as_str().ok_or(LineError::Field("op"))?;
    let args = match &json["args"] {
        Json::Array(args) => args.as_slice(),
        Json::Null => &[],
        _ => return Err(LineError::Field("args")),
    };
    let action = match op {
        "exec" => Action::Transaction(args.iter().map(read_call).collect::<Result<_, _>>()?),
        "mget" => Action::MGet(
            json["key"]
                .as_array()
                .and_then(|keys| keys.iter().map(key).collect())
                .ok_or(LineError::Field("key"))?,
        ),
        _ => Action::One(Call {
            key: key(&json["key"]).ok_or(LineError::Field("key"))?,
            what: read_what(op, args)?,
        }),
    };
    let outcome = match json["outcome"].as_str() {
        Some("ok") => Outcome::Ok(read_value(&json["value"]).ok_or(LineError::Field("value"))?),
        Some("fail") => Outcome::Fail,
        Some("unknown") => Outcome::Unknown,
        _ => return Err(LineError::Field("outcome")),
    };
    let start_ns = number("start_ns")?;
    let end_ns = match (&outcome, number("end_ns")) {
        (Outcome::Unknown, Err(_)) => start_ns, // it has no end
        (_, end_ns) => end_ns?,
    };
    Ok(Operation { client: number("client")?, action, outcome, start_ns, end_ns })
}

fn key(json: &Json) -> Option<Arc<str>> {
    json.as_str().map(Arc::from)
}

fn read_call(json: &Json) -> Result<Call, LineError> {
    let [name, of, args @ ..] = json.as_array().map_or(&[] as &[Json], Vec::as_slice) else {
        return Err(LineError::Field("args"));
    };
    let (name, key) = (name.as_str(), key(of));
    let (Some(name), Some(key)) = (name, key) else { return Err(LineError::Field("args")) };
    Ok(Call { key, what: read_what(name, args)? })
}

fn read_what(name: &str, args: &[Json]) -> Result<What, LineError> {
    let text = |at: usize| args.get(at).and_then(Json::as_str).map(Box::<str>::from);
    let count = |at: usize| args.get(at).and_then(Json::as_u64);
    let what = match (name, args.len()) {
        ("get", 0) => Some(What::Get),
        ("getv", 0) => Some(What::GetV),
        ("exists", 0) => Some(What::Exists),
        ("set", 1) => text(0).map(What::Set),
        ("setnx", 1) => text(0).map(What::SetNx),
        ("setifeq", 2) => text(0).zip(text(1)).map(|(value, old)| What::SetIfEq { value, old }),
        ("setpx", 2) => text(0).zip(count(1)).map(|(value, ms)| What::SetPx { value, ms }),
        ("del", 0) => Some(What::Del),
        ("delifeq", 1) => text(0).map(What::DelIfEq),
        ("append", 1) => text(0).map(What::Append),
        ("incrby", 1) => args[0].as_i64().map(What::IncrBy),
        ("cas", 2) => count(0).zip(text(1)).map(|(version, value)| What::Cas { version, value }),
        ("cad", 1) => count(0).map(What::Cad),
        ("watch", 1) => count(0).map(What::Watch),
        _ => {
            let words: Option<Vec<Box<str>>> = args.iter().map(|word| word.as_str().map(Box::from)).collect();
            words.and_then(|words| Typed::of_words(name, &words)).map(What::Typed)
        }
    };
    what.ok_or_else(|| LineError::Operation(name.to_owned()))
}

fn read_value(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Nil,
        Json::Bool(true) => Value::Ok,
        Json::Bool(false) => return None,
        Json::Number(number) => Value::Int(number.as_i64()?),
        Json::String(text) => Value::Text(text.as_str().into()),
        Json::Object(fields) => Value::Error(fields.get("error")?.as_str()?.into()),
        Json::Array(values) => Value::Array(values.iter().map(read_value).collect::<Option<_>>()?),
    })
}
