//! A violation as a reader wants it: what the keys held, what was to happen next, and why none
//! of it fits.

use super::compile::Component;
use super::model::{Act, Answer, Slot};
use super::partition::Part;
use super::search::Stuck;
use super::{Action, Call, Operation, Outcome, Value, What};
use std::fmt;
use std::sync::Arc;

/// Operations that no order explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The keys that they are about.
    pub keys: Vec<Arc<str>>,
    /// The place in the history of the first reply that no order reaches: the history up to its
    /// end is the shortest that is wrong.
    pub operation: usize,
    /// All of it, in lines.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An operation that is wrong, by its place in the history, and why.
pub(super) type Wrong = (u32, String);

/// What a judge that does not search has found.
pub(super) fn violation(history: &[Operation], part: &Part, (operation, why): Wrong) -> Violation {
    let from_ns = history.iter().map(|operation| operation.start_ns).min().unwrap_or(0);
    let operation = operation as usize;
    let shown = show(&history[operation], from_ns);
    let text = format!("not linearizable: {}\n  {shown}\n  {why}", part.keys.join(", "));
    Violation { keys: part.keys.clone(), operation, text }
}

/// Candidates that are shown.
const MOST_CANDIDATES: usize = 30;
/// Characters of a string that are shown.
const MOST_TEXT: usize = 60;

pub(super) fn explain(history: &[Operation], component: &Component, stuck: &Stuck) -> Violation {
    let from_ns = history.iter().map(|operation| operation.start_ns).min().unwrap_or(0);
    let shown = |op: &u32| source(component, *op).map(|at| show(&history[at], from_ns));
    let mut lines = vec![format!("not linearizable: {}", component.keys.join(", "))];
    lines.push(format!("  some order explains {} operations; it ends with", stuck.done));
    lines.extend(
        stuck.last.iter().map(|op| format!("    {}", shown(op).unwrap_or("(a deadline passes)".into()))),
    );
    lines.push("  after which".to_owned());
    for (key, slot) in component.keys.iter().zip(&stuck.slots) {
        lines.push(format!("    {key} {}", show_slot(slot, component)));
    }
    lines.push("  and none of these can come next, the first of which must have happened by now:".to_owned());
    let others = stuck.candidates.iter().filter(|op| **op != stuck.op);
    for op in std::iter::once(&stuck.op).chain(others.clone().take(MOST_CANDIDATES)) {
        let Some(text) = shown(op) else { continue };
        lines.push(format!("    {text}{}", why_not(component, *op, &stuck.slots)));
    }
    if others.count() > MOST_CANDIDATES {
        lines.push("    ...".to_owned());
    }
    let operation = source(component, stuck.op).expect("a deadline has no end to be missed");
    Violation { keys: component.keys.clone(), operation, text: lines.join("\n") }
}

fn source(component: &Component, op: u32) -> Option<usize> {
    component.ops[op as usize].source.map(|at| at as usize)
}

fn why_not(component: &Component, op: u32, slots: &[Slot]) -> String {
    let mut slots = slots.to_vec();
    let mut words = component.words.clone();
    for at in component.steps(op) {
        let step = component.steps[at];
        let (after, answer) = slots[step.key as usize].apply(step.act, step.seen, &mut words);
        slots[step.key as usize] = after;
        if step.seen.is_some_and(|seen| seen != answer) {
            let key = &component.keys[step.key as usize];
            let told = match (answer, step.act) {
                (Answer::Never, Act::Watch(_)) => format!("{key} is at another version"),
                (Answer::Never, _) => format!("a revision above {}", after.revision),
                (Answer::Nil, _) => "nil".to_owned(),
                (Answer::Ok, _) => "OK".to_owned(),
                (Answer::Int(number), _) => number.to_string(),
                (Answer::Text(word), _) => quote(words.text(word)),
                (Answer::Versioned { value, version, revision }, _) => {
                    format!("{} at version {version}, revision {revision}", quote(words.text(value)))
                }
                (Answer::Conflict(found), _) => format!("version {found} found"),
                (Answer::NotANumber, _) => "not a number".to_owned(),
                (Answer::Malformed, _) => "nothing like it".to_owned(),
            };
            return format!("  -- the reply would be {told}");
        }
    }
    "  -- leads no further".to_owned()
}

fn show_slot(slot: &Slot, component: &Component) -> String {
    let revision = match (slot.exact, slot.revision) {
        (true, revision) => format!(", revision {revision}"),
        (false, 0) => String::new(),
        (false, revision) => format!(", revision above {revision}"),
    };
    match slot.value {
        0 => format!("does not exist{revision}"),
        word => format!("= {} at version {}{revision}", quote(component.words.text(word)), slot.version),
    }
}

/// A string in quotes, with its middle left out when it is long.
pub(super) fn quote(text: &str) -> String {
    let chars = text.chars().count();
    if chars <= MOST_TEXT {
        return format!("{text:?}");
    }
    let head: String = text.chars().take(MOST_TEXT / 2).collect();
    let tail: String = text.chars().skip(chars - MOST_TEXT / 2).collect();
    format!("{head:?}..({chars} characters)..{tail:?}")
}

/// An operation in a line: client, command, reply, time.
pub(super) fn show(operation: &Operation, from_ns: u64) -> String {
    let ms = |ns: u64| (ns.saturating_sub(from_ns)) as f64 / 1e6;
    let (reply, end) = match &operation.outcome {
        Outcome::Ok(value) => (show_value(value), format!("{:.3}", ms(operation.end_ns))),
        Outcome::Fail => ("failed".to_owned(), format!("{:.3}", ms(operation.end_ns))),
        Outcome::Unknown => ("unknown".to_owned(), "?".to_owned()),
    };
    let action = match &operation.action {
        Action::One(call) => show_call(call),
        Action::MGet(keys) => format!("MGET {}", keys.join(" ")),
        Action::Transaction(calls) => {
            let calls: Vec<String> = calls.iter().map(show_call).collect();
            format!("MULTI {} EXEC", calls.join("; "))
        }
    };
    format!("client {}: {action} -> {reply}  [{:.3} to {end} ms]", operation.client, ms(operation.start_ns))
}

fn show_call(Call { key, what }: &Call) -> String {
    match what {
        What::Get => format!("GET {key}"),
        What::GetV => format!("GETV {key}"),
        What::Exists => format!("EXISTS {key}"),
        What::Set(value) => format!("SET {key} {}", quote(value)),
        What::SetNx(value) => format!("SET {key} {} NX", quote(value)),
        What::SetIfEq { value, old } => format!("SET {key} {} IFEQ {}", quote(value), quote(old)),
        What::SetPx { value, ms } => format!("SET {key} {} PX {ms}", quote(value)),
        What::Del => format!("DEL {key}"),
        What::DelIfEq(old) => format!("DELIFEQ {key} {}", quote(old)),
        What::Append(tail) => format!("APPEND {key} {}", quote(tail)),
        What::IncrBy(n) => format!("INCRBY {key} {n}"),
        What::Cas { version, value } => format!("CAS {key} {version} {}", quote(value)),
        What::Cad(version) => format!("CAD {key} {version}"),
        What::Watch(version) => format!("WATCH {key} at version {version}"),
        What::Typed(typed) => typed.request(key, str::to_owned).join(" "),
    }
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Nil => "nil".to_owned(),
        Value::Ok => "OK".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => quote(text),
        Value::Error(text) => format!("-{text}"),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(show_value).collect();
            format!("[{}]", values.join(", "))
        }
    }
}
