//! A row as `COMMAND INFO` shows it. It must never show more than the row holds.

use crate::command::Reply;
use crate::command::row::{Command, KeySpec};

/// The array of ten of Redis 7.
pub(super) fn of(command: &Command) -> Reply {
    let (first, last, step) = range(command.keys);
    let int = |n: i32| Reply::Int(i64::from(n));
    Reply::Array(vec![
        Reply::bulk(command.full_name),
        int(command.arity),
        Reply::Set(command.flags.names().map(Reply::simple).collect()),
        int(first),
        int(last),
        int(step),
        Reply::Set(command.acl_categories().iter().map(|category| Reply::simple(category.name())).collect()),
        Reply::Set(command.tips.iter().map(Reply::bulk).collect()),
        Reply::Set(command.keys.iter().map(key_spec).collect()),
        Reply::Set(command.subcommands.iter().map(of).collect()),
    ])
}

/// The keys as one range, as far as they are one: first, last and step of Redis before 7.
fn range(specs: &[KeySpec]) -> (i32, i32, i32) {
    let [one, rest @ ..] = specs else { return (0, 0, 0) };
    if one.counted || one.first == 0 {
        return (0, 0, 0);
    }
    let mut last = one.last_key();
    for spec in rest.iter().filter(|_| one.step == 1) {
        if spec.step == 1 && last > 0 && spec.first == last + 1 && !spec.counted {
            last = spec.last_key();
        }
    }
    (one.first, last, one.step)
}

fn key_spec(spec: &KeySpec) -> Reply {
    let int = |n: i32| Reply::Int(i64::from(n));
    let kind = |name: &'static str, fields: Vec<(&'static str, Reply)>| {
        map([("type", Reply::bulk(name)), ("spec", map(fields))])
    };
    let range = || {
        kind(
            "range",
            vec![("lastkey", int(spec.last)), ("keystep", int(spec.step)), ("limit", int(spec.limit))],
        )
    };
    let (begin, find) = match (spec.first, spec.keyword) {
        (0, ("", _)) => (kind("unknown", vec![]), kind("unknown", vec![])),
        (0, (word, from)) => {
            (kind("keyword", vec![("keyword", Reply::bulk(word)), ("startfrom", int(from))]), range())
        }
        (first, _) if spec.counted => (
            kind("index", vec![("index", int(first))]),
            kind("keynum", vec![("keynumidx", int(0)), ("firstkey", int(1)), ("keystep", int(1))]),
        ),
        (first, _) => (kind("index", vec![("index", int(first))]), range()),
    };
    let notes = (!spec.notes.is_empty()).then(|| ("notes", Reply::bulk(spec.notes)));
    map(notes.into_iter().chain([
        ("flags", Reply::Set(spec.flags.iter().copied().map(Reply::simple).collect())),
        ("begin_search", begin),
        ("find_keys", find),
    ]))
}

/// A map with these names.
pub(super) fn map(fields: impl IntoIterator<Item = (&'static str, Reply)>) -> Reply {
    Reply::Map(fields.into_iter().map(|(name, value)| (Reply::bulk(name), value)).collect())
}
