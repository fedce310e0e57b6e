//! Rows of ACL, and the functions of those that read or change users. What concerns one node (who is
//! connected, what was denied) the server carries out. No function here must see a connection.

use super::{Acl, check_name};
use crate::command::context::{Outcome, reply};
use crate::command::introspect::help_row;
use crate::command::parse::c_string;
use crate::command::row::{Arg, ArgKind, Category, Command, ConnectionCommand as Do, Flags, Handler};
use crate::command::{ReadContext, Reply, WriteContext, table};
use crate::keyspace::UserChange;
use crate::wire::units::Args;

/// What of `ACL` the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclCommand {
    GenPass,
    Log,
    /// `LOAD` and `SAVE`: there is no file of users.
    NoFile,
    WhoAmI,
}

const ANYTIME: Flags = Flags::LOADING.and(Flags::STALE).and(Flags::NOSCRIPT);
const ADMIN: Flags = ANYTIME.and(Flags::ADMIN);
const USERNAME: Arg = Arg::new("username", ArgKind::String);
const OF_RULES: &str = "O(N) of the number of rules";
const OF_USERS: &str = "O(N) of the number of users";

const fn row(
    name: &'static str,
    full_name: &'static str,
    arity: i32,
    flags: Flags,
    handler: Handler,
) -> Command {
    Command { full_name, since: "6.0.0", group: "server", ..Command::new(name, arity, flags, handler) }
}

const fn local(what: AclCommand) -> Handler {
    Handler::Connection(Do::Acl(what))
}

pub(in crate::command) static ACL: Command = Command {
    summary: "Commands about users and what they may do",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..row("acl", "acl", -2, Flags::NONE, Handler::Connection(Do::Introspect))
};

const SUBCOMMANDS: &[Command] = &[
    Command {
        summary: "The categories of commands, or the commands of one",
        complexity: "O(N) of the number of commands",
        arguments: &[Arg::new("categoryname", ArgKind::String).optional()],
        ..row("cat", "acl|cat", -2, ANYTIME, Handler::Read(cat))
    },
    Command {
        summary: "Removes users and closes their connections, on all nodes",
        arguments: &[USERNAME.multiple()],
        ..row("deluser", "acl|deluser", -3, ADMIN, Handler::Write(deluser))
    },
    Command {
        since: "7.0.0",
        summary: "Whether a user might run a command, without running it",
        arguments: &[
            USERNAME,
            Arg::new("command", ArgKind::String),
            Arg::new("arg", ArgKind::String).optional().multiple(),
        ],
        ..row("dryrun", "acl|dryrun", -4, ADMIN, Handler::Read(dryrun))
    },
    Command {
        summary: "A random password of that many bits, as hexadecimal digits",
        arguments: &[Arg::new("bits", ArgKind::Integer).optional()],
        ..row("genpass", "acl|genpass", -2, ANYTIME, local(AclCommand::GenPass))
    },
    Command {
        summary: "What a user is and may do",
        complexity: OF_RULES,
        arguments: &[USERNAME],
        ..row("getuser", "acl|getuser", 3, ADMIN, Handler::Read(getuser))
    },
    help_row("acl|help", "6.0.0", "server", &[]),
    Command {
        summary: "All users, each as the rules that make it",
        complexity: OF_USERS,
        ..row("list", "acl|list", 2, ADMIN, Handler::Read(list))
    },
    Command {
        summary: "Always an error: users are kept with the data, not in a file",
        ..row("load", "acl|load", 2, ADMIN, local(AclCommand::NoFile))
    },
    Command {
        summary: "What this node has denied of late",
        complexity: "O(N) of the number of entries shown",
        arguments: &[Arg::one_of(
            "operation",
            &[Arg::new("count", ArgKind::Integer), Arg::word("reset", "RESET")],
        )
        .optional()],
        ..row("log", "acl|log", -2, ADMIN, local(AclCommand::Log))
    },
    Command {
        summary: "Always an error: users are kept with the data, not in a file",
        ..row("save", "acl|save", 2, ADMIN, local(AclCommand::NoFile))
    },
    Command {
        summary: "Creates or changes a user, on all nodes",
        complexity: OF_RULES,
        arguments: &[USERNAME, Arg::new("rule", ArgKind::String).optional().multiple()],
        ..row("setuser", "acl|setuser", -3, ADMIN, Handler::Write(setuser))
    },
    Command {
        summary: "The names of all users",
        complexity: OF_USERS,
        ..row("users", "acl|users", 2, ADMIN, Handler::Read(users))
    },
    Command {
        summary: "The name of the user of this connection",
        ..row("whoami", "acl|whoami", 2, ANYTIME, local(AclCommand::WhoAmI))
    },
];

/// A call with more arguments than its subcommand takes.
pub fn too_many(args: &[&[u8]]) -> Reply {
    let name = String::from_utf8_lossy(c_string(args.get(1).copied().unwrap_or_default(), 128));
    Reply::error_owned(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try ACL HELP."
    ))
}

fn cat(_: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    match args.get(2..).unwrap_or_default() {
        [] => {
            let names = Category::ALL.iter().map(|category| Reply::bulk(&category.name()[1..]));
            Reply::Array(names.collect())
        }
        [name] => {
            let Some(category) = Category::named(name) else {
                let name = String::from_utf8_lossy(c_string(name, 128));
                return Reply::error_owned(format!("ERR Unknown category '{name}'"));
            };
            let members = table::all().filter(|row| row.acl_categories().contains(&category));
            Reply::Array(members.map(|row| Reply::bulk(row.full_name)).collect())
        }
        _ => too_many(args),
    }
}

fn setuser(context: &mut WriteContext<'_>, args: &Args<'_>) -> Reply {
    let set = |context: &mut WriteContext<'_>| -> Outcome {
        check_name(args[2])?;
        let all_channels = context.state.settings.acl_pubsub_default;
        let change = context.state.acl.set_user(args[2], &args[3..], all_channels)?;
        context.state.keyspace.tell_user(args[2], change);
        Ok(Reply::Ok)
    };
    reply(set(context))
}

fn deluser(context: &mut WriteContext<'_>, args: &Args<'_>) -> Reply {
    if args[2..].contains(&super::DEFAULT) {
        return Reply::error("ERR The 'default' user cannot be removed");
    }
    let mut deleted = 0;
    for name in &args[2..] {
        if context.state.acl.delete(name) {
            context.state.keyspace.tell_user(name, UserChange::Deleted);
            deleted += 1;
        }
    }
    Reply::Int(deleted)
}

fn getuser(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    context.state.acl.user(args[2]).map_or(Reply::Nil, |user| user.fields())
}

fn list(context: &mut ReadContext<'_>, _: &Args<'_>) -> Reply {
    let line = |user: &super::User| [b"user ", user.name(), b" ", &user.describe()].concat();
    Reply::Array(context.state.acl.users().map(|user| Reply::bulk(line(user))).collect())
}

fn users(context: &mut ReadContext<'_>, _: &Args<'_>) -> Reply {
    Reply::Array(context.state.acl.users().map(|user| Reply::bulk(user.name())).collect())
}

fn dryrun(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    reply(dry(&context.state.acl, args))
}

fn dry(acl: &Acl, args: &Args<'_>) -> Outcome {
    let shown = |text: &[u8]| String::from_utf8_lossy(c_string(text, usize::MAX)).into_owned();
    let user = acl.user(args[2]);
    let user = user.ok_or_else(|| Reply::error_owned(format!("ERR User '{}' not found", shown(args[2]))))?;
    let call = &args[3..];
    let row = table::lookup(call[0]).and_then(|command| command.row_of(call));
    let row = row.ok_or_else(|| Reply::error_owned(format!("ERR Command '{}' not found", shown(call[0]))))?;
    row.check_arity(call)?;
    let denied = match user.check(row, call) {
        Ok(()) => return Ok(Reply::Ok),
        Err(denied) => denied,
    };
    let (to, what) = match denied {
        super::Denied::Command(name) => ("run", format!("'{name}' command")),
        super::Denied::Key(at) => ("access", format!("'{}' key", shown(call[at]))),
        super::Denied::Channel(at) => ("access", format!("'{}' channel", shown(call[at]))),
    };
    Ok(Reply::bulk(format!("This user has no permissions to {to} the {what}")))
}
