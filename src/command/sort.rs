//! SORT and SORT_RO. What is sorted, and how, is `sort::engine`'s affair; here is where elements
//! come from, where patterns look, and where the outcome goes. The types that have elements plug in
//! at [`elements`], [`text`] and [`store`]; nothing else here may know a type.

mod engine;
mod options;

#[cfg(test)]
mod tests;

use super::context::{Outcome, reply};
use super::parse::WRONG_TYPE;
use super::row::{Arg, ArgKind, Category, Command, Finder, Flags, Handler, KeySpec};
use super::{Reply, WriteContext};
use crate::keyspace::{Blob, End, EventClass, Field, List, Value};
use crate::wire::units::Args;
use engine::{Elements, Order};
use options::Options;

const CATEGORIES: &[Category] = &[Category::Set, Category::SortedSet, Category::List, Category::Dangerous];
const SOURCE: KeySpec = KeySpec::one(&["RO", "access"]);
const PATTERNS: KeySpec = KeySpec::unknown(
    &["RO", "access"],
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
);
const TARGET: KeySpec = KeySpec::unknown(
    &["OW", "update"],
    "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
);

const BY: Arg = Arg::new("pattern", ArgKind::Pattern).after("BY").of_spec(1).optional();
const LIMIT: Arg =
    Arg::block("offset_count", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)])
        .after("LIMIT")
        .optional();
const GET: Arg = Arg::new("pattern", ArgKind::Pattern).after("GET").of_spec(1).optional().repeated();
const ORDER: Arg = Arg::one_of("order", &[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")]).optional();
const SORTING: Arg = Arg::word("sorting", "ALPHA").optional();
const STORE: Arg = Arg::new("destination", ArgKind::Key).after("STORE").of_spec(2).optional();

const COMPLEXITY: &str = "O(N + M log M) of N elements, and M that are returned";

pub(super) static SORT: Command = Command {
    categories: CATEGORIES,
    keys: &[SOURCE, PATTERNS, TARGET],
    finder: Finder::Last(options::target),
    summary: "Sorts the elements of a key, by themselves or by other keys, and returns or stores them",
    complexity: COMPLEXITY,
    arguments: &[Arg::KEY, BY, LIMIT, GET, ORDER, SORTING, STORE],
    ..Command::new(
        "sort",
        -2,
        Flags::WRITE.and(Flags::DENYOOM).and(Flags::MOVABLEKEYS),
        Handler::Write(|context, args| reply(sort(context, args))),
    )
};

pub(super) static SORT_RO: Command = Command {
    categories: CATEGORIES,
    keys: &[SOURCE, PATTERNS],
    since: "7.0.0",
    summary: "Sorts the elements of a key, by themselves or by other keys, and returns them",
    complexity: COMPLEXITY,
    arguments: &[Arg::KEY, BY, LIMIT, GET, ORDER, SORTING],
    ..Command::new(
        "sort_ro",
        -2,
        Flags::READONLY.and(Flags::MOVABLEKEYS),
        Handler::Read(|context, args| {
            let sorted = Options::read(&args[2..], false).and_then(|options| {
                let elements = elements(context.get(args[1]).map(|item| &item.value))?;
                let mut look = |key: &[u8], field: Option<&[u8]>| text(&context.get(key)?.value, field);
                engine::sort(elements, &options, &mut look)
            });
            reply(sorted.map(shown))
        }),
    )
};

fn sort(context: &mut WriteContext<'_>, args: &[&[u8]]) -> Outcome {
    let options = Options::read(&args[2..], true)?;
    let elements = elements(context.read(args[1]).map(|item| &item.value))?;
    let mut look = |key: &[u8], field: Option<&[u8]>| text(&context.read(key)?.value, field);
    let sorted = engine::sort(elements, &options, &mut look)?;
    match options.store {
        Some(key) => Ok(store(context, key, sorted)),
        None => Ok(shown(sorted)),
    }
}

/// What a script's call is carried out as, if it is another: Redis sorts for it the members of a set that it asks
/// for in no order.
pub(super) fn of_script<'a>(
    row: &Command,
    call: &Args<'a>,
    is_set: impl FnOnce(&[u8]) -> bool,
) -> Option<Args<'a>> {
    let is_sort = matches!(row.full_name, "sort" | "sort_ro");
    if is_sort { options::in_order(call).filter(|_| is_set(call[1])) } else { None }
}

fn shown(sorted: Vec<Option<Blob>>) -> Reply {
    Reply::Array(sorted.into_iter().map(|element| element.map_or(Reply::Nil, Reply::Bulk)).collect())
}

/// What a key has to sort; a missing one is an empty list.
fn elements(value: Option<&Value>) -> Result<Elements, Reply> {
    match value {
        None => Ok(Elements { all: Vec::new(), order: Order::List }),
        Some(Value::Set(set)) => {
            Ok(Elements { all: set.iter().map(Field::to_blob).collect(), order: Order::Set })
        }
        Some(Value::List(list)) => {
            let all = list.iter_from(End::Left).map(|element| element.to_blob()).collect();
            Ok(Elements { all, order: Order::List })
        }
        Some(Value::SortedSet(set)) => {
            Ok(Elements { all: set.iter().map(|(member, _)| member.to_blob()).collect(), order: Order::List })
        }
        Some(Value::String(_) | Value::Hash(_) | Value::Stream(_)) => Err(WRONG_TYPE),
    }
}

/// What a pattern finds: a string, or a field of what has fields.
fn text(value: &Value, field: Option<&[u8]>) -> Option<Blob> {
    match (value, field) {
        (Value::String(text), None) => Some(text.to_blob()),
        (Value::Hash(hash), Some(field)) => hash.get(field).map(|value| value.to_blob()),
        _ => None,
    }
}

/// Puts the outcome in the place of a key, as a list: nothing leaves none.
fn store(context: &mut WriteContext<'_>, key: &[u8], sorted: Vec<Option<Blob>>) -> Reply {
    let mut list = List::default();
    for element in sorted.iter().flatten() {
        list.push(End::Right, element);
    }
    let mut edit = context.edit(key);
    if !sorted.is_empty() {
        edit.set(list.into(), 0);
        context.notify(EventClass::List, "sortstore", key);
    } else if edit.remove() {
        context.notify(EventClass::Generic, "del", key);
    }
    Reply::Int(sorted.len() as i64)
}
