//! BITOP: strings put together bit by bit. The shorter ones count as followed by zeros.

use super::{CATEGORIES, with_bytes};
use crate::command::context::{Outcome, reply};
use crate::command::parse::{SYNTAX, is};
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::{Reply, WriteContext};
use crate::keyspace::{EventClass, StringValue, Value};
use crate::wire::units::Args;

pub(in crate::command) static BITOP: Command = Command {
    categories: CATEGORIES,
    keys: &[
        KeySpec { first: 2, ..KeySpec::one(&["OW", "update"]) },
        KeySpec { first: 3, ..KeySpec::every(1, &["RO", "access"]) },
    ],
    since: "2.6.0",
    group: "bitmap",
    summary: "Stores the AND, OR or XOR of strings, or NOT of one, and returns the length of the result",
    complexity: "O(N) of the number of bytes of all strings",
    arguments: &[
        Arg::new("operation", ArgKind::String),
        Arg::new("destkey", ArgKind::Key),
        Arg::KEY.of_spec(1).multiple(),
    ],
    ..Command::new(
        "bitop",
        -4,
        Flags::WRITE.and(Flags::DENYOOM),
        Handler::Write(|context, args| reply(bitop(context, args))),
    )
};

fn bitop(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (operation, target, sources) = (args[1], args[2], &args[3..]);
    let result = if is(operation, "AND") {
        combine(context, sources, |a, b| a & b)?
    } else if is(operation, "OR") {
        combine(context, sources, |a, b| a | b)?
    } else if is(operation, "XOR") {
        combine(context, sources, |a, b| a ^ b)?
    } else if is(operation, "NOT") {
        let [source] = sources else {
            return Err(Reply::error("ERR BITOP NOT must be called with a single source key."));
        };
        let mut bytes = combine(context, &[source], |a, _| a)?;
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
        bytes
    } else {
        return Err(SYNTAX);
    };
    let len = result.len() as i64;
    if len > 0 {
        context.edit(target).set(Value::String(StringValue::Growing(Box::new(result))), 0);
        context.notify(EventClass::String, "set", target);
    } else if context.edit(target).remove() {
        context.notify(EventClass::Generic, "del", target);
    }
    Ok(Reply::Int(len))
}

/// The sources, one after another put into the first. It is as long as the longest of them.
fn combine(
    context: &mut WriteContext<'_>,
    sources: &[&[u8]],
    f: impl Fn(u8, u8) -> u8,
) -> Result<Vec<u8>, Reply> {
    let mut result: Vec<u8> = Vec::new();
    for (i, key) in sources.iter().enumerate() {
        let item = context.get(key);
        let is_missing = item.is_none();
        with_bytes(item, |bytes| {
            if i == 0 {
                result.extend_from_slice(bytes);
                return;
            }
            if result.len() < bytes.len() {
                result.resize(bytes.len(), 0);
            }
            let (common, rest) = result.split_at_mut(bytes.len());
            common.iter_mut().zip(bytes).for_each(|(a, b)| *a = f(*a, *b));
            rest.iter_mut().for_each(|a| *a = f(*a, 0));
        })?;
        if is_missing {
            context.notify(EventClass::KeyMiss, "keymiss", key);
        }
    }
    Ok(result)
}
