//! Rows of the commands of scripts, and SCRIPT's small ones.

use super::eval::{self, Form};
use super::{functions, hex, sha_of, shebang, unhex};
use crate::command::context::{Outcome, reply};
use crate::command::introspect::help_row;
use crate::command::parse::is;
use crate::command::row::{
    Arg, ArgKind, Category, Command, ConnectionCommand, Finder, Flags, Handler, KeySpec, counted_keys,
};
use crate::command::{ReadContext, Reply, WriteContext};
use crate::wire::units::Args;

const CATEGORIES: &[Category] = &[Category::Scripting];
const ASSUMED_WRITE: &str = "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE";
const ASSUMED_READ: &str = "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS";
const RW: &[&str] = &["RW", "access", "update"];
const RO: &[&str] = &["RO", "access"];
const FLAGS: Flags = Flags::NOSCRIPT
    .and(Flags::STALE)
    .and(Flags::SKIP_MONITOR)
    .and(Flags::NO_MANDATORY_KEYS)
    .and(Flags::MOVABLEKEYS);
const RO_FLAGS: Flags = FLAGS.and(Flags::READONLY);

const NUM_KEYS: Arg = Arg::new("numkeys", ArgKind::Integer);
const KEYS: Arg = Arg::KEY.optional().multiple();
const ARGS: Arg = Arg::new("arg", ArgKind::String).optional().multiple();

const fn row(name: &'static str, flags: Flags, keys: &'static [KeySpec], handler: Handler) -> Command {
    Command {
        categories: CATEGORIES,
        keys,
        finder: Finder::All(|call| counted_keys(call, 2)),
        since: "2.6.0",
        group: "scripting",
        complexity: "That of what it does",
        arguments: TEXT_ARGS,
        ..Command::new(name, -3, flags, handler)
    }
}

pub(super) const BY_TEXT: Form = Form { by_sha: false, only_reads: false };
pub(super) const BY_SHA: Form = Form { by_sha: true, only_reads: false };
const BY_TEXT_RO: Form = Form { by_sha: false, only_reads: true };
const BY_SHA_RO: Form = Form { by_sha: true, only_reads: true };

const TEXT_ARGS: &[Arg] = &[Arg::new("script", ArgKind::String), NUM_KEYS, KEYS, ARGS];
const SHA_ARGS: &[Arg] = &[Arg::new("sha1", ArgKind::String), NUM_KEYS, KEYS, ARGS];
const FUNCTION_ARGS: &[Arg] = &[Arg::new("function", ArgKind::String), NUM_KEYS, KEYS, ARGS];

pub(in crate::command) static EVAL: Command = EVAL_ROW;

pub(super) const EVAL_ROW: Command = Command {
    summary: "Runs a Lua script, on every replica",
    ..row(
        "eval",
        FLAGS,
        &[KeySpec { notes: ASSUMED_WRITE, ..KeySpec::counted(2, RW) }],
        Handler::Write(|context, args| reply(eval::write(context, args, BY_TEXT))),
    )
};

pub(in crate::command) static EVALSHA: Command = EVALSHA_ROW;

pub(super) const EVALSHA_ROW: Command = Command {
    summary: "Runs a script that EVAL or SCRIPT LOAD has brought",
    arguments: SHA_ARGS,
    ..row(
        "evalsha",
        FLAGS,
        &[KeySpec::counted(2, RW)],
        Handler::Write(|context, args| reply(eval::write(context, args, BY_SHA))),
    )
};

pub(in crate::command) static EVAL_RO: Command = Command {
    since: "7.0.0",
    summary: "Runs a Lua script that only reads",
    ..row(
        "eval_ro",
        RO_FLAGS,
        &[KeySpec { notes: ASSUMED_READ, ..KeySpec::counted(2, RO) }],
        Handler::Read(|context, args| reply(eval::read(context, args, BY_TEXT_RO))),
    )
};

pub(in crate::command) static EVALSHA_RO: Command = Command {
    since: "7.0.0",
    summary: "Runs a script that only reads, which EVAL or SCRIPT LOAD has brought",
    arguments: SHA_ARGS,
    ..row(
        "evalsha_ro",
        RO_FLAGS,
        &[KeySpec::counted(2, RO)],
        Handler::Read(|context, args| reply(eval::read(context, args, BY_SHA_RO))),
    )
};

pub(in crate::command) static FCALL: Command = Command {
    since: "7.0.0",
    summary: "Runs a function of a library, on every replica",
    arguments: FUNCTION_ARGS,
    ..row(
        "fcall",
        FLAGS,
        &[KeySpec { notes: ASSUMED_WRITE, ..KeySpec::counted(2, RW) }],
        Handler::Write(|context, args| reply(functions::fcall(context, args))),
    )
};

pub(in crate::command) static FCALL_RO: Command = Command {
    since: "7.0.0",
    summary: "Runs a function of a library that only reads",
    arguments: FUNCTION_ARGS,
    ..row(
        "fcall_ro",
        RO_FLAGS,
        &[KeySpec { notes: ASSUMED_READ, ..KeySpec::counted(2, RO) }],
        Handler::Read(|context, args| reply(functions::fcall_ro(context, args))),
    )
};

const ALL_SHARDS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];
const ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const ONE_OF_ALL: &[&str] = &["request_policy:all_shards", "response_policy:one_succeeded"];
const MODE: Arg = Arg::one_of("async", &[Arg::word("async", "ASYNC"), Arg::word("sync", "SYNC")]).optional();
const NOT_BUSY: Reply = Reply::error("NOTBUSY No scripts in execution right now.");

pub(in crate::command) static SCRIPT: Command = Command {
    since: "2.6.0",
    group: "scripting",
    summary: "The texts of scripts that the cluster knows",
    complexity: "Depends on subcommand.",
    subcommands: SCRIPT_SUBCOMMANDS,
    ..Command::new("script", -2, Flags::NONE, Handler::Connection(ConnectionCommand::Introspect))
};

const fn sub(
    name: &'static str,
    full_name: &'static str,
    arity: i32,
    flags: Flags,
    handler: Handler,
) -> Command {
    Command {
        full_name,
        categories: CATEGORIES,
        since: "2.6.0",
        group: "scripting",
        ..Command::new(name, arity, flags, handler)
    }
}

const SCRIPT_SUBCOMMANDS: &[Command] = &[
    Command {
        since: "3.2.0",
        summary: "There is no debugger of scripts: NO is all that can be asked for",
        arguments: &[Arg::one_of(
            "mode",
            &[Arg::word("yes", "YES"), Arg::word("sync", "SYNC"), Arg::word("no", "NO")],
        )],
        ..sub("debug", "script|debug", 3, Flags::NOSCRIPT, Handler::Read(|_, args| debug(args)))
    },
    Command {
        tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
        summary: "Which of these scripts the cluster knows",
        complexity: "O(N log M) of N names and M scripts",
        arguments: &[Arg::new("sha1", ArgKind::String).multiple()],
        ..sub("exists", "script|exists", -3, Flags::NOSCRIPT, Handler::Read(exists))
    },
    Command {
        tips: ALL_NODES,
        summary: "Forgets all scripts",
        complexity: "O(N) of the number of scripts",
        arguments: &[MODE],
        ..sub(
            "flush",
            "script|flush",
            -2,
            Flags::NOSCRIPT,
            Handler::Write(|context, args| reply(flush(context, args))),
        )
    },
    help_row("script|help", "5.0.0", "scripting", CATEGORIES),
    Command {
        tips: ONE_OF_ALL,
        summary: "No script ever runs while another command could come: NOTBUSY",
        ..sub(
            "kill",
            "script|kill",
            2,
            Flags::NOSCRIPT.and(Flags::ALLOW_BUSY),
            Handler::Read(|_, _| NOT_BUSY),
        )
    },
    Command {
        tips: ALL_NODES,
        summary: "Keeps a script, and answers its name",
        complexity: "O(N) of the bytes of the script",
        arguments: &[Arg::new("script", ArgKind::String)],
        ..sub(
            "load",
            "script|load",
            3,
            Flags::NOSCRIPT.and(Flags::STALE),
            Handler::Write(|context, args| reply(load(context, args))),
        )
    },
];

fn debug(args: &Args<'_>) -> Reply {
    match args[2] {
        mode if is(mode, "NO") => Reply::Ok,
        mode if is(mode, "YES") || is(mode, "SYNC") => {
            Reply::error("ERR scripts have no debugger here: every replica runs them")
        }
        _ => Reply::error("ERR Use SCRIPT DEBUG YES/SYNC/NO"),
    }
}

fn exists(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    let known = |name: &&[u8]| {
        let sha = unhex(name);
        Reply::Int(i64::from(sha.is_some_and(|sha| context.state.scripts.cache.get(&sha).is_some())))
    };
    Reply::Array(args[2..].iter().map(known).collect())
}

fn flush(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    match args.get(2..).unwrap_or_default() {
        [] => {}
        [how] if is(how, "SYNC") || is(how, "ASYNC") => {}
        _ => return Err(Reply::error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")),
    }
    context.state.scripts.cache.clear();
    Ok(Reply::Ok)
}

fn load(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (flags, _) =
        shebang::of_script(args[2]).map_err(|error| Reply::error_owned(format!("ERR {error}")))?;
    let sha = sha_of(args[2]);
    eval::with_machine(|vm| eval::compiled(vm, &sha, args[2]))?;
    if !context.state.scripts.cache.put(sha, args[2], flags, true) {
        return Err(Reply::error("ERR there are too many scripts: SCRIPT FLUSH makes room"));
    }
    Ok(Reply::bulk(hex(&sha)))
}

const WRITE: Flags = Flags::WRITE.and(Flags::NOSCRIPT);
const WRITE_OOM: Flags = WRITE.and(Flags::DENYOOM);

const fn function(
    name: &'static str,
    full_name: &'static str,
    arity: i32,
    flags: Flags,
    handler: Handler,
) -> Command {
    Command { since: "7.0.0", ..sub(name, full_name, arity, flags, handler) }
}

pub(in crate::command) static FUNCTION: Command = Command {
    since: "7.0.0",
    group: "scripting",
    summary: "The libraries of functions that the cluster has",
    complexity: "Depends on subcommand.",
    subcommands: FUNCTION_SUBCOMMANDS,
    ..Command::new("function", -2, Flags::NONE, Handler::Connection(ConnectionCommand::Introspect))
};

const FUNCTION_SUBCOMMANDS: &[Command] = &[
    Command {
        tips: ALL_SHARDS,
        summary: "Removes a library",
        complexity: "O(N) of the number of functions",
        arguments: &[Arg::new("library-name", ArgKind::String)],
        ..function(
            "delete",
            "function|delete",
            3,
            WRITE,
            Handler::Write(|context, args| reply(functions::delete(context, args))),
        )
    },
    Command {
        summary: "All libraries as bytes, for FUNCTION RESTORE",
        complexity: "O(N) of the bytes of all code",
        ..function(
            "dump",
            "function|dump",
            2,
            Flags::NOSCRIPT,
            Handler::Read(|context, _| functions::dump(context)),
        )
    },
    Command {
        tips: ALL_SHARDS,
        summary: "Removes all libraries",
        complexity: "O(N) of the number of functions",
        arguments: &[MODE],
        ..function(
            "flush",
            "function|flush",
            -2,
            WRITE,
            Handler::Write(|context, args| reply(functions::flush(context, args))),
        )
    },
    help_row("function|help", "7.0.0", "scripting", CATEGORIES),
    Command {
        tips: ONE_OF_ALL,
        summary: "No function ever runs while another command could come: NOTBUSY",
        ..function(
            "kill",
            "function|kill",
            2,
            Flags::NOSCRIPT.and(Flags::ALLOW_BUSY),
            Handler::Read(|_, _| NOT_BUSY),
        )
    },
    Command {
        tips: &["nondeterministic_output_order"],
        summary: "Libraries, their functions and on demand their code",
        complexity: "O(N) of the number of functions",
        arguments: &[
            Arg::new("library-name-pattern", ArgKind::String).after("LIBRARYNAME").optional(),
            Arg::word("withcode", "WITHCODE").optional(),
        ],
        ..function(
            "list",
            "function|list",
            -2,
            Flags::NOSCRIPT,
            Handler::Read(|context, args| reply(functions::list(context, args))),
        )
    },
    Command {
        tips: ALL_SHARDS,
        summary: "Brings a library of functions",
        complexity: "O(N) of the bytes of the code, and what the code itself does",
        arguments: &[Arg::word("replace", "REPLACE").optional(), Arg::new("function-code", ArgKind::String)],
        ..function(
            "load",
            "function|load",
            -3,
            WRITE_OOM,
            Handler::Write(|context, args| reply(functions::load(context, args))),
        )
    },
    Command {
        tips: ALL_SHARDS,
        summary: "Brings the libraries that FUNCTION DUMP has answered",
        complexity: "O(N) of the number of functions",
        arguments: &[
            Arg::new("serialized-value", ArgKind::String),
            Arg::one_of(
                "policy",
                &[
                    Arg::word("flush", "FLUSH"),
                    Arg::word("append", "APPEND"),
                    Arg::word("replace", "REPLACE"),
                ],
            )
            .optional(),
        ],
        ..function(
            "restore",
            "function|restore",
            -3,
            WRITE_OOM,
            Handler::Write(|context, args| reply(functions::restore(context, args))),
        )
    },
    Command {
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        summary: "How many libraries and functions there are; no function runs meanwhile",
        ..function(
            "stats",
            "function|stats",
            2,
            Flags::NOSCRIPT.and(Flags::ALLOW_BUSY),
            Handler::Read(|context, _| functions::stats(context)),
        )
    },
];
