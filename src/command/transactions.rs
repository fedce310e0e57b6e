//! Rows of the commands around transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH. The
//! server queues, the machine carries out.

use super::row::{Arg, Category, Command, ConnectionCommand as Do, Flags, Handler, KeySpec};

const ANYTIME: Flags = Flags::LOADING.and(Flags::STALE).and(Flags::NOSCRIPT);
const FLAGS: Flags = ANYTIME.and(Flags::FAST).and(Flags::ALLOW_BUSY);

const fn row(name: &'static str, arity: i32, flags: Flags, what: Do) -> Command {
    Command {
        categories: &[Category::Transaction],
        group: "transactions",
        ..Command::new(name, arity, flags, Handler::Connection(what))
    }
}

pub(super) static MULTI: Command = Command {
    since: "1.2.0",
    summary: "Begins a transaction: commands are queued from here on",
    ..row("multi", 1, FLAGS, Do::Multi)
};

pub(super) static EXEC: Command = Command {
    since: "1.2.0",
    summary: "Carries out what was queued, all of it at one place in the log, unless a watched key has changed",
    complexity: "Depends on commands in the transaction",
    ..row("exec", 1, ANYTIME.and(Flags::SKIP_SLOWLOG), Do::Exec)
};

pub(super) static DISCARD: Command = Command {
    since: "2.0.0",
    summary: "Forgets what was queued",
    complexity: "O(N) of the number of queued commands",
    ..row("discard", 1, FLAGS, Do::Discard)
};

pub(super) static WATCH: Command = Command {
    keys: &[KeySpec::every(1, &["RO"])],
    since: "2.2.0",
    summary: "The next transaction takes place only if these keys do not change before it",
    complexity: "O(1) for every key.",
    arguments: &[Arg::KEY.multiple()],
    ..row("watch", -2, FLAGS, Do::Watch)
};

pub(super) static UNWATCH: Command =
    Command { since: "2.2.0", summary: "Forgets the watched keys", ..row("unwatch", 1, FLAGS, Do::Unwatch) };
