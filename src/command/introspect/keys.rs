//! `COMMAND GETKEYS` and `GETKEYSANDFLAGS`: which arguments of a call are keys. It must
//! never carry the call out.

use crate::command::Reply;
use crate::command::lookup;
use crate::command::parse::is;
use crate::command::row::{Finder, Flags, KeySpec};

/// The keys of `call`, a whole command; of one that runs another, the other's.
pub(super) fn of(call: &[&[u8]], with_flags: bool) -> Reply {
    let Some(command) = call.first().and_then(|name| lookup(name)?.row_of(call)) else {
        return Reply::error("ERR Invalid command specified");
    };
    if command.wraps != 0 {
        return of(call.get(command.wraps..).unwrap_or_default(), with_flags);
    }
    if !command.keys.iter().any(KeySpec::is_key) {
        return Reply::error("ERR The command has no key arguments");
    }
    if command.check_arity(call).is_err() {
        return Reply::error("ERR Invalid number of arguments specified for command");
    }
    let is_malformed = match command.finder {
        Finder::All(_) => command.keys_of(call).next().is_none(),
        Finder::Behind(find) => find(call).is_empty(),
        Finder::None | Finder::Last(_) => false,
    };
    if is_malformed && command.flags.has(Flags::NO_MANDATORY_KEYS) {
        return Reply::Array(Vec::new());
    }
    if is_malformed {
        return Reply::error("ERR Invalid arguments specified for command");
    }
    let keys = command.keys_of(call).filter(|(_, spec)| spec.is_key()).map(|(i, spec)| {
        let key = Reply::bulk(call[i]);
        if !with_flags {
            return key;
        }
        let flags = flags(spec, call);
        Reply::Array(vec![key, Reply::Set(flags.iter().copied().map(Reply::simple).collect())])
    });
    Reply::Array(keys.collect())
}

/// What a call does to a key.
pub(in crate::command) fn flags(spec: &KeySpec, call: &[&[u8]]) -> &'static [&'static str] {
    if is(call[0], "BITFIELD") && only_gets(&call[2..]) {
        return &["RO", "access"];
    }
    let Some(without_get) = spec.flags_unless_get else { return spec.flags };
    let gets = call.iter().skip(3).any(|arg| is(arg, "GET"));
    if gets { &["RW", "access", "update"] } else { without_get }
}

/// Whether operations of `BITFIELD` change nothing.
fn only_gets(operations: &[&[u8]]) -> bool {
    match operations {
        [] => true,
        [get, _, _, rest @ ..] if is(get, "GET") => only_gets(rest),
        [overflow, _, rest @ ..] if is(overflow, "OVERFLOW") => only_gets(rest),
        _ => false,
    }
}
