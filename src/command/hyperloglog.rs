//! PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST. A sketch is a string in Redis's own layout, so
//! that it moves to and from Redis with GET and SET. The estimate of a sketch must never become
//! part of the state: it is computed with floating point, at each read.

mod estimate;
mod murmur;
mod selftest;
mod sketch;
mod sparse;

#[cfg(test)]
mod tests;

use super::context::{Outcome, reply};
use super::parse::{c_string, is};
use super::row::{Arg, ArgKind, Category, Command, ConnectionCommand, Flags, Handler, KeySpec};
use super::typed::{string, string_of};
use super::{ReadContext, Reply, WriteContext};
use crate::keyspace::{EventClass, Item, StringValue, Value};
use crate::wire::units::Args;
pub use selftest::selftest;
use sketch::{Encoding, REGISTERS};

const CATEGORIES: &[Category] = &[Category::HyperLogLog];
const WRITES: Flags = Flags::WRITE.and(Flags::DENYOOM);

const fn row(name: &'static str, arity: i32, flags: Flags, handler: Handler) -> Command {
    Command {
        categories: CATEGORIES,
        since: "2.8.9",
        group: "hyperloglog",
        ..Command::new(name, arity, flags, handler)
    }
}

pub(super) static PFADD: Command = Command {
    keys: &[KeySpec::one(&["RW", "insert"])],
    summary: "Counts elements into a HyperLogLog; 1 if its estimate may have changed",
    complexity: "O(N) of the number of elements",
    arguments: &[Arg::KEY, Arg::new("element", ArgKind::String).optional().multiple()],
    ..row("pfadd", -2, WRITES.and(Flags::FAST), Handler::Write(|context, args| reply(pfadd(context, args))))
};

pub(super) static PFCOUNT: Command = Command {
    keys: &[KeySpec {
        notes: "RW because it may change the internal representation of the key, and propagate to replicas",
        ..KeySpec::every(1, &["RW", "access"])
    }],
    summary: "Estimates how many different elements there are in HyperLogLogs together",
    complexity: "O(N) of the number of keys; changes nothing, unlike Redis's",
    arguments: &[Arg::KEY.multiple()],
    ..row("pfcount", -2, Flags::READONLY, Handler::Read(|context, args| reply(pfcount(context, args))))
};

pub(super) static PFMERGE: Command = Command {
    keys: &[
        KeySpec::one(&["RW", "access", "insert"]),
        KeySpec { first: 2, ..KeySpec::every(1, &["RO", "access"]) },
    ],
    summary: "Makes a HyperLogLog the union of itself and others",
    complexity: "O(N) of the number of keys",
    arguments: &[
        Arg::new("destkey", ArgKind::Key),
        Arg::new("sourcekey", ArgKind::Key).of_spec(1).multiple(),
    ],
    ..row("pfmerge", -2, WRITES, Handler::Write(|context, args| reply(pfmerge(context, args))))
};

pub(super) static PFDEBUG: Command = Command {
    is_internal: true,
    keys: &[KeySpec { first: 2, ..KeySpec::one(&["RW", "access"]) }],
    summary: "Shows how a HyperLogLog is kept: ENCODING, DECODE, GETREG; TODENSE converts it",
    complexity: "O(1), with a large constant",
    arguments: &[Arg::new("subcommand", ArgKind::String), Arg::KEY],
    ..row(
        "pfdebug",
        3,
        WRITES.and(Flags::ADMIN),
        Handler::Write(|context, args| reply(pfdebug(context, args))),
    )
};

pub(super) static PFSELFTEST: Command = Command {
    is_internal: true,
    summary: "Checks the implementation of HyperLogLog",
    complexity: "O(1), with a large constant",
    ..row("pfselftest", 1, Flags::ADMIN, Handler::Connection(ConnectionCommand::PfSelfTest))
};

/// A sparse sketch does not describe all registers, or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Corrupted;

impl From<Corrupted> for Reply {
    fn from(_: Corrupted) -> Self {
        Self::error("INVALIDOBJ Corrupted HLL object detected")
    }
}

/// A sketch in its string; another string is an error.
fn with_sketch<T>(item: &Item, f: impl FnOnce(&[u8], Encoding) -> Result<T, Corrupted>) -> Result<T, Reply> {
    let mut room = Default::default();
    let bytes = string(&item.value)?.bytes(&mut room);
    match sketch::encoding(bytes) {
        Some(encoding) => Ok(f(bytes, encoding)?),
        None => Err(Reply::error("WRONGTYPE Key is not a valid HyperLogLog string value.")),
    }
}

/// Dense ones change in place; of sparse ones, which are short, Redis says the same.
fn stored(sketch: Vec<u8>) -> Value {
    Value::grown(sketch)
}

fn add_all(sketch: &mut Vec<u8>, elements: &[&[u8]]) -> Result<bool, Corrupted> {
    let mut changed = false;
    for element in elements {
        let (index, count) = murmur::place(element);
        changed |= sketch::raise(sketch, index, count)?;
    }
    Ok(changed)
}

fn pfadd(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, elements) = (args[1], &args[2..]);
    let mut edit = context.edit(key);
    match edit.item() {
        None => {
            let mut sketch = sketch::empty();
            add_all(&mut sketch, elements)?;
            sketch::invalidate(&mut sketch);
            edit.set(stored(sketch), 0);
        }
        Some(item) => {
            // A dense one is copied only if it has to change.
            let changed = with_sketch(item, |bytes, encoding| {
                if encoding == Encoding::Dense {
                    let raises = |&(index, count): &(usize, u8)| sketch::dense_get(bytes, index) < count;
                    return Ok(elements
                        .iter()
                        .map(|element| murmur::place(element))
                        .any(|at| raises(&at))
                        .then_some(None));
                }
                let mut sketch = bytes.to_vec();
                Ok(add_all(&mut sketch, elements)?.then_some(Some(sketch)))
            })?;
            let Some(sparse) = changed else { return Ok(Reply::Int(0)) };
            edit.change(|value| match sparse {
                Some(mut sketch) => {
                    sketch::invalidate(&mut sketch);
                    *value = stored(sketch);
                }
                None => change_dense(value, |sketch| {
                    add_all(sketch, elements).expect("only sparse ones are corrupted");
                    sketch::invalidate(sketch);
                }),
            });
        }
    }
    context.notify(EventClass::String, "pfadd", key);
    Ok(Reply::Int(1))
}

/// In place, if it has been changed before.
fn change_dense(value: &mut Value, f: impl FnOnce(&mut Vec<u8>)) {
    match value {
        Value::String(StringValue::Growing(bytes)) => f(bytes),
        Value::String(other) => {
            let mut bytes = other.to_blob().to_vec();
            f(&mut bytes);
            *value = stored(bytes);
        }
        _ => unreachable!("it was found to hold a sketch"),
    }
}

fn pfcount(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let count = match args[1..] {
        [key] => match context.get(key) {
            Some(item) => with_sketch(item, |bytes, _| match sketch::cached(bytes) {
                Some(count) => Ok(count),
                None => Ok(estimate::cardinality(&sketch::histogram(bytes)?)),
            })?,
            None => 0,
        },
        _ => {
            let mut union = [0; REGISTERS];
            for key in &args[1..] {
                if let Some(item) = context.get(key) {
                    with_sketch(item, |bytes, _| sketch::merge_into(&mut union, bytes))?;
                }
            }
            estimate::cardinality(&sketch::histogram_of(&union))
        }
    };
    Ok(Reply::Int(count as i64))
}

fn pfmerge(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let mut union = [0; REGISTERS];
    let mut any_dense = false;
    for key in &args[1..] {
        if let Some(item) = context.get(key) {
            with_sketch(item, |bytes, encoding| {
                any_dense |= encoding == Encoding::Dense;
                sketch::merge_into(&mut union, bytes)
            })?;
        } else {
            context.notify(EventClass::KeyMiss, "keymiss", key);
        }
    }
    let mut edit = context.edit(args[1]);
    let mut room = Default::default();
    let mut merged = match string_of(edit.item())? {
        Some(value) => value.bytes(&mut room).to_vec(),
        None => sketch::empty(),
    };
    if any_dense {
        sketch::to_dense(&mut merged)?;
    }
    for (index, &count) in union.iter().enumerate().filter(|&(_, &count)| count > 0) {
        sketch::raise(&mut merged, index, count)?;
    }
    sketch::invalidate(&mut merged);
    if edit.item().is_some() {
        edit.change(|value| *value = stored(merged));
    } else {
        edit.set(stored(merged), 0);
    }
    context.notify(EventClass::String, "pfadd", args[1]);
    Ok(Reply::Ok)
}

fn pfdebug(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let name = args[1];
    let mut edit = context.edit(args[2]);
    let Some(item) = edit.item() else { return Err(Reply::error("ERR The specified key does not exist")) };
    let (encoding, mut sketch) = with_sketch(item, |bytes, encoding| Ok((encoding, bytes.to_vec())))?;
    if is(name, "ENCODING") {
        return Ok(Reply::simple(if encoding == Encoding::Dense { "dense" } else { "sparse" }));
    }
    if is(name, "DECODE") {
        return match encoding {
            Encoding::Sparse => Ok(Reply::bulk(sparse::describe(&sketch))),
            Encoding::Dense => Err(Reply::error("ERR HLL encoding is not sparse")),
        };
    }
    let registers = is(name, "GETREG");
    if !registers && !is(name, "TODENSE") {
        let name = String::from_utf8_lossy(c_string(name, usize::MAX));
        return Err(Reply::error_owned(format!("ERR Unknown PFDEBUG subcommand '{name}'")));
    }
    let converted = encoding == Encoding::Sparse;
    sketch::to_dense(&mut sketch)?;
    let reply = match registers {
        true => Reply::Array(
            (0..REGISTERS).map(|i| Reply::Int(i64::from(sketch::dense_get(&sketch, i)))).collect(),
        ),
        false => Reply::Int(i64::from(converted)),
    };
    if converted {
        edit.change(|value| *value = stored(sketch));
    }
    Ok(reply)
}
