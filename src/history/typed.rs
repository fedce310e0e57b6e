//! Commands on values that have elements: what they are called in requests and in lines, and
//! which judge decides about the keys that they are about. Every element is added once, so each judge
//! can follow it. This module must never know more of a reply than its form.

mod cycles;
mod groups;
mod lists;
mod stays;
mod takes;

use super::explain::{Violation, Wrong, violation};
use super::partition::Part;
use super::{Action, Call, Operation, Outcome, Value, What};
use std::sync::Arc;

/// The consumer group of all streams.
pub const GROUP: &str = "g";

/// What `EVAL` runs for [`Typed::Move`] with [`By::Script`].
pub const MOVE_SCRIPT: &str =
    "local e = redis.call('LPOP', KEYS[1]) if e then redis.call('RPUSH', KEYS[2], e) end return e";

/// How long who waits waits, in seconds, as requests say it.
const PATIENCE: &str = "0.3";

/// How an element is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By a command that takes what there is.
    Try,
    /// By one that waits: `BLPOP`, `BLMOVE`, `BZPOPMIN`, `XREADGROUP BLOCK`.
    Wait,
    /// By a script.
    Script,
}

/// A command on a value that has elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// `RPUSH key element ...`.
    Push(Vec<Box<str>>),
    /// `LRANGE key 0 -1`.
    Range,
    /// `LPOP key`.
    Pop(By),
    /// `LMOVE key to LEFT RIGHT`.
    Move {
        /// The other list.
        to: Arc<str>,
        /// How.
        by: By,
    },
    /// `SADD key element ...`.
    Add(Vec<Box<str>>),
    /// `SPOP key`.
    Draw,
    /// `SMEMBERS key`.
    Members,
    /// `ZADD key score element`.
    Rank {
        /// Its score.
        score: i64,
        /// The element.
        element: Box<str>,
    },
    /// `ZPOPMIN key`.
    PopLeast(By),
    /// `ZRANGE key 0 -1`.
    Ranked,
    /// `XADD key * e element`.
    Log(Box<str>),
    /// `XRANGE key - +`.
    Logged,
    /// `XREADGROUP GROUP g consumer COUNT count STREAMS key >`.
    Deliver {
        /// To whom.
        consumer: u64,
        /// Entries at most.
        count: u64,
        /// How.
        by: By,
    },
    /// `XACK key g id`.
    Ack(Box<str>),
    /// `XAUTOCLAIM key g consumer 0 0-0 COUNT count`.
    Claim {
        /// To whom.
        consumer: u64,
        /// Entries at most.
        count: u64,
    },
    /// `XPENDING key g - + 100000`.
    Pending,
}

impl Typed {
    /// Whether it may change something.
    pub fn is_write(&self) -> bool {
        !matches!(self, Self::Range | Self::Members | Self::Ranked | Self::Logged | Self::Pending)
    }

    /// How it takes, if it does.
    pub fn by(&self) -> Option<By> {
        match self {
            Self::Pop(by) | Self::Move { by, .. } | Self::PopLeast(by) | Self::Deliver { by, .. } => {
                Some(*by)
            }
            _ => None,
        }
    }

    /// The name in a line, and what follows the key there.
    pub(super) fn words(&self) -> (&'static str, Vec<String>) {
        let all = |elements: &[Box<str>]| elements.iter().map(|element| element.to_string()).collect();
        let by = |by: By, names: [&'static str; 3]| names[by as usize];
        match self {
            Self::Push(elements) => ("rpush", all(elements)),
            Self::Range => ("lrange", vec![]),
            Self::Pop(how) => (by(*how, ["lpop", "blpop", "lpop-eval"]), vec![]),
            Self::Move { to, by: how } => (by(*how, ["lmove", "blmove", "lmove-eval"]), vec![to.to_string()]),
            Self::Add(elements) => ("sadd", all(elements)),
            Self::Draw => ("spop", vec![]),
            Self::Members => ("smembers", vec![]),
            Self::Rank { score, element } => ("zadd", vec![score.to_string(), element.to_string()]),
            Self::PopLeast(how) => (by(*how, ["zpopmin", "bzpopmin", "zpopmin-eval"]), vec![]),
            Self::Ranked => ("zrange", vec![]),
            Self::Log(element) => ("xadd", vec![element.to_string()]),
            Self::Logged => ("xrange", vec![]),
            Self::Deliver { consumer, count, by: how } => {
                let name = by(*how, ["xreadgroup", "xreadgroup-block", "xreadgroup-eval"]);
                (name, vec![consumer.to_string(), count.to_string()])
            }
            Self::Ack(id) => ("xack", vec![id.to_string()]),
            Self::Claim { consumer, count } => ("xautoclaim", vec![consumer.to_string(), count.to_string()]),
            Self::Pending => ("xpending", vec![]),
        }
    }

    /// The command of that name in a line, with what follows the key.
    pub(super) fn of_words(name: &str, args: &[Box<str>]) -> Option<Self> {
        let number = |at: usize| args.get(at)?.parse().ok();
        let one = || if let [element] = args { Some(element.clone()) } else { None };
        let how = match name {
            _ if name.ends_with("-eval") => By::Script,
            _ if name.starts_with('b') || name.ends_with("-block") => By::Wait,
            _ => By::Try,
        };
        Some(match (name, args.len()) {
            ("rpush", 1..) => Self::Push(args.to_vec()),
            ("lrange", 0) => Self::Range,
            ("lpop" | "blpop" | "lpop-eval", 0) => Self::Pop(how),
            ("lmove" | "blmove" | "lmove-eval", 1) => Self::Move { to: Arc::from(&*one()?), by: how },
            ("sadd", 1..) => Self::Add(args.to_vec()),
            ("spop", 0) => Self::Draw,
            ("smembers", 0) => Self::Members,
            ("zadd", 2) => Self::Rank { score: args[0].parse().ok()?, element: args[1].clone() },
            ("zpopmin" | "bzpopmin" | "zpopmin-eval", 0) => Self::PopLeast(how),
            ("zrange", 0) => Self::Ranked,
            ("xadd", 1) => Self::Log(one()?),
            ("xrange", 0) => Self::Logged,
            ("xreadgroup" | "xreadgroup-block" | "xreadgroup-eval", 2) => {
                Self::Deliver { consumer: number(0)?, count: number(1)?, by: how }
            }
            ("xack", 1) => Self::Ack(one()?),
            ("xautoclaim", 2) => Self::Claim { consumer: number(0)?, count: number(1)? },
            ("xpending", 0) => Self::Pending,
            _ => return None,
        })
    }

    /// The request that carries it out, its key called `key`, other keys as `rename` says.
    pub fn request(&self, key: &str, rename: impl Fn(&str) -> String) -> Vec<String> {
        let (_, args) = self.words();
        let count = |count: &u64| count.to_string();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        match self {
            Self::Push(_) => [words(&["RPUSH", key]), args].concat(),
            Self::Range => words(&["LRANGE", key, "0", "-1"]),
            Self::Pop(By::Try) => words(&["LPOP", key]),
            Self::Pop(By::Wait) => words(&["BLPOP", key, PATIENCE]),
            Self::Pop(By::Script) => words(&["EVAL", "return redis.call('LPOP', KEYS[1])", "1", key]),
            Self::Move { to, by: By::Try } => words(&["LMOVE", key, &rename(to), "LEFT", "RIGHT"]),
            Self::Move { to, by: By::Wait } => {
                words(&["BLMOVE", key, &rename(to), "LEFT", "RIGHT", PATIENCE])
            }
            Self::Move { to, by: By::Script } => words(&["EVAL", MOVE_SCRIPT, "2", key, &rename(to)]),
            Self::Add(_) => [words(&["SADD", key]), args].concat(),
            Self::Draw => words(&["SPOP", key]),
            Self::Members => words(&["SMEMBERS", key]),
            Self::Rank { .. } => [words(&["ZADD", key]), args].concat(),
            Self::PopLeast(By::Try) => words(&["ZPOPMIN", key]),
            Self::PopLeast(By::Wait) => words(&["BZPOPMIN", key, PATIENCE]),
            Self::PopLeast(By::Script) => words(&["EVAL", "return redis.call('ZPOPMIN', KEYS[1])", "1", key]),
            Self::Ranked => words(&["ZRANGE", key, "0", "-1"]),
            Self::Log(element) => words(&["XADD", key, "*", "e", element]),
            Self::Logged => words(&["XRANGE", key, "-", "+"]),
            Self::Deliver { consumer, count: most, by } => {
                let head =
                    words(&["XREADGROUP", "GROUP", GROUP, &consumer.to_string(), "COUNT", &count(most)]);
                let wait = if *by == By::Wait { words(&["BLOCK", "300"]) } else { Vec::new() };
                [head, wait, words(&["STREAMS", key, ">"])].concat()
            }
            Self::Ack(id) => words(&["XACK", key, GROUP, id]),
            Self::Claim { consumer, count: most } => {
                words(&["XAUTOCLAIM", key, GROUP, &consumer.to_string(), "0", "0-0", "COUNT", &count(most)])
            }
            Self::Pending => words(&["XPENDING", key, GROUP, "-", "+", "100000"]),
        }
    }
}

/// Commands on connected keys that no judge knows together.
pub(super) struct Mixed;

/// One command of an operation that may have happened.
#[derive(Debug, Clone, Copy)]
struct Step<'a> {
    /// Its operation's place in the history.
    operation: u32,
    key: &'a str,
    what: &'a Typed,
    /// None: nobody knows whether it happened.
    reply: Option<&'a Value>,
    start_ns: u64,
    /// [`u64::MAX`] when nobody knows.
    end_ns: u64,
}

/// None when none of the part's operations is of this kind.
pub(super) fn check(history: &[Operation], part: &Part) -> Option<Result<Result<(), Violation>, Mixed>> {
    let calls = part.operations.iter().flat_map(|number| calls(&history[*number as usize].action));
    let mut kinds: Vec<Option<Judge>> = calls.map(|call| judge_of(&call.what)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.iter().all(Option::is_none) {
        return None;
    }
    let found = match kinds.as_slice() {
        [Some(Judge::Ranges | Judge::Lists)] | [Some(Judge::Ranges), Some(Judge::Lists)] => {
            lists::check(history, part)
        }
        [Some(Judge::Groups)] => {
            steps(history, part).and_then(|steps| groups::check(&steps, &refused(history, part)))
        }
        kinds if !kinds.contains(&None) && !kinds.contains(&Some(Judge::Groups)) => {
            steps(history, part).and_then(|steps| takes::check(&steps, &refused(history, part)))
        }
        _ => return Some(Err(Mixed)),
    };
    Some(Ok(found.map_err(|wrong| violation(history, part, wrong))))
}

/// Who can decide about a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Judge {
    /// Any of those of lists.
    Ranges,
    Lists,
    Takes,
    Groups,
}

fn judge_of(what: &What) -> Option<Judge> {
    let What::Typed(typed) = what else { return None };
    Some(match typed {
        Typed::Range => Judge::Ranges,
        Typed::Push(_) => Judge::Lists,
        Typed::Pop(_) | Typed::Move { .. } | Typed::Add(_) | Typed::Draw | Typed::Members => Judge::Takes,
        Typed::Rank { .. } | Typed::PopLeast(_) | Typed::Ranked => Judge::Takes,
        Typed::Log(_) | Typed::Logged | Typed::Deliver { .. } | Typed::Ack(_) => Judge::Groups,
        Typed::Claim { .. } | Typed::Pending => Judge::Groups,
    })
}

fn calls(action: &Action) -> &[Call] {
    match action {
        Action::One(call) => std::slice::from_ref(call),
        Action::Transaction(calls) => calls,
        Action::MGet(_) => &[],
    }
}

/// The commands of an operation, each with its reply.
fn steps_of(number: u32, operation: &Operation) -> Result<Vec<Step<'_>>, Wrong> {
    let calls = calls(&operation.action);
    let replies: Vec<Option<&Value>> = match (&operation.outcome, &operation.action) {
        (Outcome::Ok(reply), Action::One(_)) => vec![Some(reply)],
        (Outcome::Ok(Value::Array(replies)), _) if replies.len() == calls.len() => {
            replies.iter().map(Some).collect()
        }
        (Outcome::Ok(_), _) => return Err((number, "no transaction is answered so".to_owned())),
        _ => vec![None; calls.len()],
    };
    let end_ns = if matches!(operation.outcome, Outcome::Ok(_)) { operation.end_ns } else { u64::MAX };
    let start_ns = operation.start_ns;
    let steps = calls.iter().zip(replies).filter_map(|(call, reply)| {
        let What::Typed(what) = &call.what else { return None };
        Some(Step { operation: number, key: &call.key, what, reply, start_ns, end_ns })
    });
    Ok(steps.collect())
}

/// All that may have happened.
fn steps<'a>(history: &'a [Operation], part: &Part) -> Result<Vec<Step<'a>>, Wrong> {
    let mut steps = Vec::new();
    for &number in &part.operations {
        steps.extend(steps_of(number, &history[number as usize])?);
    }
    Ok(steps)
}

/// What nobody may ever see: elements that operations were to add that failed.
fn refused<'a>(history: &'a [Operation], part: &Part) -> Vec<&'a str> {
    let failed = history.iter().filter(|operation| operation.outcome == Outcome::Fail);
    let ours = |call: &&Call| part.keys.contains(&call.key);
    let calls = failed.flat_map(|operation| calls(&operation.action)).filter(ours);
    calls.flat_map(|call| added(&call.what)).collect()
}

/// The elements that a command adds.
fn added(what: &What) -> Vec<&str> {
    match what {
        What::Typed(Typed::Push(elements) | Typed::Add(elements)) => {
            elements.iter().map(|element| &**element).collect()
        }
        What::Typed(Typed::Rank { element, .. } | Typed::Log(element)) => vec![element],
        _ => Vec::new(),
    }
}

/// A reply that is a list of strings.
fn texts(reply: &Value) -> Option<Vec<&str>> {
    let Value::Array(values) = reply else { return None };
    values.iter().map(|value| if let Value::Text(text) = value { Some(&**text) } else { None }).collect()
}
