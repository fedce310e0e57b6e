//! Rows of the commands on the connection itself: PING, ECHO, SELECT, HELLO, AUTH, RESET, QUIT,
//! READONLY, READWRITE. The server carries them out.

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
