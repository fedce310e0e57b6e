//! `COMMAND GETKEYS` and `GETKEYSANDFLAGS`: which arguments of a call are keys. It must
//! never carry the call out.

use crate::command::Reply;
use crate::command::lookup;
use crate::command::parse::is;
use crate::command::row::{Command, KeySpec};
use crate::wire::units::Args;

/// The keys of `call`, a whole command.
pub(super) fn of(call: &[&[u8]], with_flags: bool) -> Reply {
    let args: Args<'_> = call.into();
    let Some(command) = find(call) else { return Reply::error("ERR Invalid command specified") };
    let Some(spec) = &command.keys else {
        return Reply::error("ERR The command has no key arguments");
    };
    if command.check_arity(&args).is_err() {
        return Reply::error("ERR Invalid number of arguments specified for command");
    }
    let flags = flags(spec, call);
    let keys = spec.positions(call.len()).map(|i| {
        let key = Reply::bulk(call[i]);
        if !with_flags {
            return key;
        }
        Reply::Array(vec![key, Reply::Set(flags.iter().copied().map(Reply::simple).collect())])
    });
    Reply::Array(keys.collect())
}

fn find(call: &[&[u8]]) -> Option<&'static Command> {
    let command = lookup(call.first()?)?;
    match call.get(1) {
        Some(name) if !command.subcommands.is_empty() => command.subcommand(name),
        _ => Some(command),
    }
}

fn flags(spec: &KeySpec, call: &[&[u8]]) -> &'static [&'static str] {
    let Some(without_get) = spec.flags_unless_get else { return spec.flags };
    let gets = call.iter().skip(3).any(|arg| is(arg, "GET"));
    if gets { &["RW", "access", "update"] } else { without_get }
}
