//! Rows of CLIENT. The server carries it out: what it is about are connections, of which
//! this module must never know more than the names of the subcommands.

use super::introspect::help_row;
use super::row::{Arg, ArgKind, Category, Command, ConnectionCommand as Do, Flags, Handler};

/// A subcommand of CLIENT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCommand {
    Caching,
    Consistency,
    GetName,
    GetRedir,
    Id,
    Info,
    Kill,
    List,
    NoEvict,
    NoTouch,
    Pause,
    Reply,
    SetInfo,
    SetName,
    Tracking,
    TrackingInfo,
    Unblock,
    Unpause,
}

use ClientCommand as Sub;

const CATEGORIES: &[Category] = &[Category::Connection];
const FLAGS: Flags = Flags::LOADING.and(Flags::STALE).and(Flags::NOSCRIPT);
const ADMIN: Flags = FLAGS.and(Flags::ADMIN);
const ON_OR_OFF: &[Arg] = &[Arg::word("on", "ON"), Arg::word("off", "OFF")];
const TYPES: &[Arg] = &[
    Arg::word("normal", "NORMAL"),
    Arg::word("master", "MASTER"),
    Arg::word("replica", "REPLICA"),
    Arg::word("pubsub", "PUBSUB"),
];

const fn row(name: &'static str, arity: i32, flags: Flags, what: Sub) -> Command {
    Command {
        categories: CATEGORIES,
        group: "connection",
        ..Command::new(name, arity, flags, Handler::Connection(Do::Client(what)))
    }
}

/// The container has no category of its own, as in Redis.
pub(super) static CLIENT: Command = Command {
    since: "2.4.0",
    group: "connection",
    summary: "Commands about connections",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Command::new("client", -2, Flags::NONE, Handler::Connection(Do::Introspect))
};

const SUBCOMMANDS: &[Command] = &[
    Command {
        full_name: "client|caching",
        since: "6.0.0",
        summary: "Says whether the keys of the next command are tracked, with OPTIN or OPTOUT",
        arguments: &[Arg::one_of("mode", &[Arg::word("yes", "YES"), Arg::word("no", "NO")])],
        ..row("caching", 3, FLAGS, Sub::Caching)
    },
    Command {
        full_name: "client|consistency",
        since: "0.1.0",
        summary: "Tells or chooses how new the reads of the connection are; stale may be bounded in milliseconds",
        arguments: &[Arg::one_of(
            "mode",
            &[
                Arg::word("linearizable", "LINEARIZABLE"),
                Arg::word("lease", "LEASE"),
                Arg::block(
                    "bounded",
                    &[Arg::word("stale", "STALE"), Arg::new("max-ms", ArgKind::Integer).optional()],
                ),
            ],
        )
        .optional()],
        ..row("consistency", -2, FLAGS, Sub::Consistency)
    },
    Command {
        full_name: "client|getname",
        since: "2.6.9",
        summary: "Name of the connection",
        ..row("getname", 2, FLAGS, Sub::GetName)
    },
    Command {
        full_name: "client|getredir",
        since: "6.0.0",
        summary: "Number of the connection that invalidations go to: 0 this one, -1 without tracking",
        ..row("getredir", 2, FLAGS, Sub::GetRedir)
    },
    help_row("client|help", "5.0.0", "connection", CATEGORIES),
    Command {
        full_name: "client|id",
        since: "5.0.0",
        summary: "Number of the connection",
        ..row("id", 2, FLAGS, Sub::Id)
    },
    Command {
        full_name: "client|info",
        since: "6.2.0",
        tips: &["nondeterministic_output"],
        summary: "What is known of the connection",
        ..row("info", 2, FLAGS, Sub::Info)
    },
    Command {
        full_name: "client|kill",
        since: "2.4.0",
        summary: "Closes connections of this node",
        complexity: "O(N) where N is the number of client connections",
        arguments: &[Arg::one_of(
            "filter",
            &[
                Arg::new("ip:port", ArgKind::String),
                Arg::one_of(
                    "new-format",
                    &[
                        Arg::new("client-id", ArgKind::Integer).after("ID").optional(),
                        Arg::one_of("type", TYPES).after("TYPE").optional(),
                        Arg::new("username", ArgKind::String).after("USER").optional(),
                        Arg::new("ip:port", ArgKind::String).after("ADDR").optional(),
                        Arg::new("ip:port", ArgKind::String).after("LADDR").optional(),
                        Arg::new("yes/no", ArgKind::String).after("SKIPME").optional(),
                    ],
                )
                .multiple(),
            ],
        )],
        ..row("kill", -3, ADMIN, Sub::Kill)
    },
    Command {
        full_name: "client|list",
        since: "2.4.0",
        tips: &["nondeterministic_output"],
        summary: "What is known of all connections of this node",
        complexity: "O(N) where N is the number of client connections",
        arguments: &[
            Arg::one_of("client-type", TYPES).after("TYPE").optional(),
            Arg::new("client-id", ArgKind::Integer).after("ID").optional().multiple(),
        ],
        ..row("list", -2, ADMIN, Sub::List)
    },
    Command {
        full_name: "client|no-evict",
        since: "7.0.0",
        summary: "Accepted for compatibility: no connection is closed to save memory",
        arguments: &[Arg::one_of("enabled", ON_OR_OFF)],
        ..row("no-evict", 3, ADMIN, Sub::NoEvict)
    },
    Command {
        full_name: "client|no-touch",
        since: "7.2.0",
        summary: "Turns off or on that a key which the connection only reads counts as used, for OBJECT IDLETIME on this node",
        arguments: &[Arg::one_of("enabled", ON_OR_OFF)],
        ..row("no-touch", 3, FLAGS, Sub::NoTouch)
    },
    Command {
        full_name: "client|pause",
        since: "2.9.50",
        summary: "Lets the connections of this node wait, those that write or all",
        arguments: &[
            Arg::new("timeout", ArgKind::Integer),
            Arg::one_of("mode", &[Arg::word("write", "WRITE"), Arg::word("all", "ALL")]).optional(),
        ],
        ..row("pause", -3, ADMIN, Sub::Pause)
    },
    Command {
        full_name: "client|reply",
        since: "3.2.0",
        summary: "Turns replies on or off, or leaves out the next one",
        arguments: &[Arg::one_of(
            "on_off_skip",
            &[Arg::word("on", "ON"), Arg::word("off", "OFF"), Arg::word("skip", "SKIP")],
        )],
        ..row("reply", 3, FLAGS, Sub::Reply)
    },
    Command {
        full_name: "client|setinfo",
        since: "7.2.0",
        summary: "Says which client library, in which version, uses the connection",
        arguments: &[Arg::one_of(
            "attr",
            &[
                Arg::new("libname", ArgKind::String).after("LIB-NAME"),
                Arg::new("libver", ArgKind::String).after("LIB-VER"),
            ],
        )],
        ..row("setinfo", 4, FLAGS, Sub::SetInfo)
    },
    Command {
        full_name: "client|setname",
        since: "2.6.9",
        summary: "Names the connection",
        arguments: &[Arg::new("connection-name", ArgKind::String)],
        ..row("setname", 3, FLAGS, Sub::SetName)
    },
    Command {
        full_name: "client|tracking",
        since: "6.0.0",
        summary: "Turns invalidations of what the client has read, or of all keys with a prefix, on or off",
        complexity: "O(1). Some options may introduce additional complexity.",
        arguments: &[
            Arg::one_of("status", ON_OR_OFF),
            Arg::new("client-id", ArgKind::Integer).after("REDIRECT").optional(),
            Arg::new("prefix", ArgKind::String).after("PREFIX").optional().repeated(),
            Arg::word("BCAST", "BCAST").optional(),
            Arg::word("OPTIN", "OPTIN").optional(),
            Arg::word("OPTOUT", "OPTOUT").optional(),
            Arg::word("NOLOOP", "NOLOOP").optional(),
        ],
        ..row("tracking", -3, FLAGS, Sub::Tracking)
    },
    Command {
        full_name: "client|trackinginfo",
        since: "6.2.0",
        summary: "How the connection tracks keys",
        ..row("trackinginfo", 2, FLAGS, Sub::TrackingInfo)
    },
    Command {
        full_name: "client|unblock",
        since: "5.0.0",
        summary: "Ends the wait of another connection of this node",
        complexity: "O(log N) where N is the number of client connections",
        arguments: &[
            Arg::new("client-id", ArgKind::Integer),
            Arg::one_of("timeout_error", &[Arg::word("timeout", "TIMEOUT"), Arg::word("error", "ERROR")])
                .optional(),
        ],
        ..row("unblock", -3, ADMIN, Sub::Unblock)
    },
    Command {
        full_name: "client|unpause",
        since: "6.2.0",
        summary: "Ends CLIENT PAUSE",
        complexity: "O(N) Where N is the number of paused clients",
        ..row("unpause", 2, ADMIN, Sub::Unpause)
    },
];
