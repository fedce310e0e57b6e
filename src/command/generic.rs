//! Commands on keys of any type: DEL, UNLINK, EXISTS, TOUCH, TYPE, RANDOMKEY, DBSIZE, FLUSHALL,
//! FLUSHDB. Nothing here may look into a value.

use super::parse::{SYNTAX, is};
use super::row::{Arg, Category, Command, Flags, Handler, KeySpec};
use super::scan;
use super::{ReadContext, Reply, WriteContext};
use crate::keyspace::EventClass;
use crate::wire::units::Args;

const CATEGORIES: &[Category] = &[Category::Keyspace];
const SUM: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

pub(super) static DEL: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::every(1, &["RM", "delete"])],
    tips: SUM,
    summary: "Deletes keys and returns how many there were",
    complexity: "O(N) of the number of keys",
    arguments: &[Arg::KEY.multiple()],
    ..Command::new("del", -2, Flags::WRITE, Handler::Write(del))
};

pub(super) static UNLINK: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::every(1, &["RM", "delete"])],
    tips: SUM,
    since: "4.0.0",
    summary: "Deletes keys and returns how many there were",
    complexity: "O(N) of the number of keys",
    arguments: &[Arg::KEY.multiple()],
    ..Command::new("unlink", -2, Flags::WRITE.and(Flags::FAST), Handler::Write(del))
};

pub(super) static EXISTS: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::every(1, &["RO"])],
    tips: SUM,
    summary: "Counts how many of the keys exist; one that is named twice counts twice",
    complexity: "O(N) of the number of keys",
    arguments: &[Arg::KEY.multiple()],
    ..Command::new("exists", -2, Flags::READONLY.and(Flags::FAST), Handler::Read(exists))
};

pub(super) static TOUCH: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::every(1, &["RO"])],
    tips: SUM,
    since: "3.2.1",
    summary: "Counts how many of the keys exist, as a look at each of them",
    complexity: "O(N) of the number of keys",
    arguments: &[Arg::KEY.multiple()],
    ..Command::new("touch", -2, Flags::READONLY.and(Flags::FAST), Handler::Read(touch))
};

pub(super) static RANDOMKEY: Command = Command {
    categories: CATEGORIES,
    tips: &["request_policy:all_shards", "nondeterministic_output"],
    summary: "A key of the database, any",
    ..Command::new("randomkey", 1, Flags::READONLY, Handler::Read(randomkey))
};

pub(super) static TYPE: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RO"])],
    summary: "Type of the value of a key, `none` if the key is missing",
    arguments: &[Arg::KEY],
    ..Command::new("type", 2, Flags::READONLY.and(Flags::FAST), Handler::Read(type_of))
};

pub(super) static DBSIZE: Command = Command {
    categories: CATEGORIES,
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    group: "server",
    summary: "How many keys the database has, those included that have expired and were not yet removed",
    ..Command::new("dbsize", 1, Flags::READONLY.and(Flags::FAST), Handler::Read(dbsize))
};

pub(super) static FLUSHALL: Command = Command {
    summary: "Deletes every key of all databases",
    ..flush_row(
        "flushall",
        Handler::Write(|context, args| flush(args, || context.state.keyspace.flush_all())),
    )
};

pub(super) static FLUSHDB: Command = Command {
    summary: "Deletes every key of the database",
    ..flush_row(
        "flushdb",
        Handler::Write(|context, args| flush(args, || context.state.keyspace.flush(context.db))),
    )
};

const FLUSH_MODE: &[Arg] =
    &[Arg::one_of("async", &[Arg::word("async", "ASYNC"), Arg::word("sync", "SYNC")]).optional()];

const fn flush_row(name: &'static str, handler: Handler) -> Command {
    Command {
        categories: &[Category::Keyspace, Category::Dangerous],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        group: "server",
        complexity: "O(1): memory is given back bit by bit afterwards, with ASYNC or SYNC",
        arguments: FLUSH_MODE,
        ..Command::new(name, -1, Flags::WRITE, handler)
    }
}

fn del(context: &mut WriteContext<'_>, args: &Args<'_>) -> Reply {
    let mut removed = 0;
    for key in &args[1..] {
        if context.edit(key).remove() {
            removed += 1;
            context.notify(EventClass::Generic, "del", key);
        }
    }
    Reply::Int(removed)
}

fn exists(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    let found = args[1..].iter().filter(|key| context.peek(key).is_some()).count();
    Reply::Int(found as i64)
}

fn touch(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    context.touches = true; // this is what it is for
    let found = args[1..].iter().filter(|key| context.get(key).is_some()).count();
    Reply::Int(found as i64)
}

fn randomkey(context: &mut ReadContext<'_>, _: &Args<'_>) -> Reply {
    let Some((key, item)) = context.state.keyspace.random(context.db, context.seed, context.now_ms) else {
        if !context.state.settings.active_expire {
            // All that there may be has expired, and nothing else tells of it.
            scan::tell_expired(context);
        }
        return Reply::Nil;
    };
    context.saw_expiring |= item.has_expired(context.wall_ms);
    Reply::bulk(key)
}

fn type_of(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    Reply::simple(context.peek(args[1]).map_or("none", |item| item.value.type_name()))
}

fn dbsize(context: &mut ReadContext<'_>, _: &Args<'_>) -> Reply {
    Reply::Int(context.state.keyspace.len(context.db) as i64)
}

fn flush(args: &Args<'_>, flush: impl FnOnce()) -> Reply {
    match &args[1..] {
        [] => {}
        [mode] if is(mode, "ASYNC") || is(mode, "SYNC") => {}
        _ => return SYNTAX,
    }
    flush();
    Reply::Ok
}
