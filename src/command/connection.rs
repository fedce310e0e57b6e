//! Rows of the commands on the connection itself: PING, ECHO, SELECT, HELLO, AUTH, RESET, QUIT,
//! CLIENT, READONLY, READWRITE. The server carries them out.

use super::introspect::help_row;
use super::row::{Arg, ArgKind, Category, Command, ConnectionCommand as Do, Flags, Handler};

const CATEGORIES: &[Category] = &[Category::Connection];
const ANYTIME: Flags = Flags::LOADING.and(Flags::STALE);
const CLIENT_FLAGS: Flags = ANYTIME.and(Flags::NOSCRIPT);
const HANDSHAKE: Flags = CLIENT_FLAGS.and(Flags::FAST).and(Flags::NO_AUTH).and(Flags::ALLOW_BUSY);

const fn row(name: &'static str, arity: i32, flags: Flags, what: Do) -> Command {
    Command {
        categories: CATEGORIES,
        group: "connection",
        ..Command::new(name, arity, flags, Handler::Connection(what))
    }
}

pub(super) static PING: Command = Command {
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    summary: "Answers PONG, or the message",
    arguments: &[Arg::new("message", ArgKind::String).optional()],
    ..row("ping", -1, Flags::FAST, Do::Ping)
};

pub(super) static ECHO: Command = Command {
    summary: "Answers the message",
    arguments: &[Arg::new("message", ArgKind::String)],
    ..row("echo", 2, ANYTIME.and(Flags::FAST), Do::Echo)
};

pub(super) static SELECT: Command = Command {
    summary: "Chooses the database of the connection, 0 to 15",
    arguments: &[Arg::new("index", ArgKind::Integer)],
    ..row("select", 2, ANYTIME.and(Flags::FAST), Do::Select)
};

pub(super) static HELLO: Command = Command {
    since: "6.0.0",
    summary: "Chooses the protocol, authenticates and names the connection; tells about the server",
    arguments: &[Arg::block(
        "arguments",
        &[
            Arg::new("protover", ArgKind::Integer),
            Arg::block(
                "username_password",
                &[Arg::new("username", ArgKind::String), Arg::new("password", ArgKind::String)],
            )
            .after("AUTH")
            .optional(),
            Arg::new("clientname", ArgKind::String).after("SETNAME").optional(),
        ],
    )
    .optional()],
    ..row("hello", -1, HANDSHAKE, Do::Hello)
};

pub(super) static AUTH: Command = Command {
    summary: "Authenticates the connection; the one user, default, has no password",
    complexity: "O(N) of the number of passwords",
    arguments: &[Arg::new("username", ArgKind::String).optional(), Arg::new("password", ArgKind::String)],
    ..row("auth", -2, HANDSHAKE, Do::Auth)
};

pub(super) static RESET: Command = Command {
    since: "6.2.0",
    summary: "Makes the connection as it was when it was opened",
    ..row("reset", 1, HANDSHAKE, Do::Reset)
};

pub(super) static QUIT: Command =
    Command { summary: "Closes the connection", ..row("quit", -1, HANDSHAKE, Do::Quit) };

pub(super) static READONLY: Command = Command {
    since: "3.0.0",
    group: "cluster",
    summary: "Reads of this connection are answered from this node alone, and may be stale",
    ..row("readonly", 1, ANYTIME.and(Flags::FAST), Do::Readonly)
};

pub(super) static READWRITE: Command = Command {
    since: "3.0.0",
    group: "cluster",
    summary: "Reads of this connection are linearizable again",
    ..row("readwrite", 1, ANYTIME.and(Flags::FAST), Do::Readwrite)
};

/// The container has no category of its own, as in Redis.
pub(super) static CLIENT: Command = Command {
    since: "2.4.0",
    summary: "Commands about connections",
    complexity: "Depends on subcommand.",
    subcommands: CLIENT_SUBCOMMANDS,
    categories: &[],
    ..row("client", -2, Flags::NONE, Do::Introspect)
};

const CLIENT_SUBCOMMANDS: &[Command] = &[
    Command {
        full_name: "client|id",
        since: "5.0.0",
        summary: "Number of the connection",
        ..row("id", 2, CLIENT_FLAGS, Do::ClientId)
    },
    Command {
        full_name: "client|setname",
        since: "2.6.9",
        summary: "Names the connection",
        arguments: &[Arg::new("connection-name", ArgKind::String)],
        ..row("setname", 3, CLIENT_FLAGS, Do::ClientSetName)
    },
    Command {
        full_name: "client|getname",
        since: "2.6.9",
        summary: "Name of the connection",
        ..row("getname", 2, CLIENT_FLAGS, Do::ClientGetName)
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
        ..row("setinfo", 4, CLIENT_FLAGS, Do::ClientSetInfo)
    },
    Command {
        full_name: "client|info",
        since: "6.2.0",
        tips: &["nondeterministic_output"],
        summary: "What is known of the connection",
        ..row("info", 2, CLIENT_FLAGS, Do::ClientInfo)
    },
    Command {
        full_name: "client|list",
        since: "2.4.0",
        tips: &["nondeterministic_output"],
        summary: "What is known of all connections of this node",
        complexity: "O(N) of the number of connections",
        arguments: &[
            Arg::one_of(
                "client-type",
                &[
                    Arg::word("normal", "NORMAL"),
                    Arg::word("master", "MASTER"),
                    Arg::word("replica", "REPLICA"),
                    Arg::word("pubsub", "PUBSUB"),
                ],
            )
            .after("TYPE")
            .optional(),
            Arg::new("client-id", ArgKind::Integer).after("ID").optional().multiple(),
        ],
        ..row("list", -2, CLIENT_FLAGS.and(Flags::ADMIN), Do::ClientList)
    },
    Command {
        full_name: "client|no-evict",
        since: "7.0.0",
        summary: "Accepted for compatibility: no connection is closed to save memory",
        arguments: &[Arg::one_of("enabled", &[Arg::word("on", "ON"), Arg::word("off", "OFF")])],
        ..row("no-evict", 3, CLIENT_FLAGS.and(Flags::ADMIN), Do::ClientNoEvict)
    },
    Command {
        full_name: "client|no-touch",
        since: "7.2.0",
        summary: "Accepted for compatibility: no key is evicted by its last access",
        arguments: &[Arg::one_of("enabled", &[Arg::word("on", "ON"), Arg::word("off", "OFF")])],
        ..row("no-touch", 3, CLIENT_FLAGS, Do::ClientNoTouch)
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
        ..row("consistency", -2, CLIENT_FLAGS, Do::ClientConsistency)
    },
    help_row("client|help", "5.0.0", "connection", CATEGORIES),
];
