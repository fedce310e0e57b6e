//! [`Command`]: a row of the table of commands, and what it consists of. Names and meanings
//! of flags, categories and key specifications are those of Redis's `COMMAND INFO` and
//! `COMMAND DOCS`; this module must never hold a row itself.

mod flags;
mod keys;

pub use flags::{Category, Flags};
pub use keys::{Finder, KeySpec, counted_keys};

use super::Reply;
use super::acl::AclCommand;
use super::blocking::Blocks;
use super::client::ClientCommand;
use super::context::{ReadContext, WriteContext};
use super::discovery::{ClusterCommand, SentinelCommand};
use super::memory::MemoryCommand;
use super::observe::{LatencyCommand, SlowlogCommand};
use super::operations::NodeCommand;
use super::pubsub::PubSubCommand;
use super::replication::ReplicaCommand;
use crate::wire::units::Args;

/// What is known of a command.
#[derive(Debug)]
pub struct Command {
    /// In lower case; of a subcommand, its own name only.
    pub name: &'static str,
    /// `container|subcommand`; of a command, its name.
    pub full_name: &'static str,
    /// How many arguments, the name included (and the container's); negative: at least so many.
    pub arity: i32,
    /// What it does to data and where it may run.
    pub flags: Flags,
    /// ACL categories beyond those that follow from the flags.
    pub categories: &'static [Category],
    /// Where its keys are; none: it has no keys.
    pub keys: &'static [KeySpec],
    /// Finds keys whose place depends on the call.
    pub finder: Finder,
    /// Hints for cluster-aware clients.
    pub tips: &'static [&'static str],
    /// The version of Redis that it came with; of our own commands, ours.
    pub since: &'static str,
    /// The group that its documentation is found in.
    pub group: &'static str,
    /// One line.
    pub summary: &'static str,
    /// In O notation.
    pub complexity: &'static str,
    /// For completion and documentation.
    pub arguments: &'static [Arg],
    /// Not empty: a container, which is never carried out itself unless it wraps a call.
    pub subcommands: &'static [Command],
    /// The argument that names the command that this one runs, which the rest is for; 0: none.
    pub wraps: usize,
    /// What it waits for if it finds nothing; see [`super::Awaited`].
    pub blocks: Option<Blocks>,
    /// Since when, and by what: kept for those who know it.
    pub replaced: Option<(&'static str, &'static str)>,
    /// For whoever works on the server itself.
    pub is_internal: bool,
    /// Who carries it out.
    pub handler: Handler,
}

/// Who carries a command out.
#[derive(Debug, Clone, Copy)]
pub enum Handler {
    /// A function of the state.
    Read(fn(&mut ReadContext<'_>, &Args<'_>) -> Reply),
    /// A change of the state.
    Write(fn(&mut WriteContext<'_>, &Args<'_>) -> Reply),
    /// The server: the command concerns the connection or the node.
    Connection(ConnectionCommand),
}

/// What the server carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionCommand {
    Ping,
    PfSelfTest,
    Memory(MemoryCommand),
    Migrate,
    Echo,
    Select,
    Hello,
    Auth,
    Reset,
    Quit,
    Client(ClientCommand),
    /// `HELP` of a container, `COMMAND` and all of its subcommands: [`super::introspect`] answers.
    Introspect,
    ConfigGet,
    ConfigResetStat,
    ConfigRewrite,
    ConfigSet,
    Info,
    Debug,
    Slowlog(SlowlogCommand),
    Latency(LatencyCommand),
    Time,
    Role,
    Wait,
    Readonly,
    Readwrite,
    RaftStatus,
    RaftAdd,
    RaftRemove,
    RaftPromote,
    RaftDemote,
    RaftReplace,
    RaftTransfer,
    RaftSnapshot,
    Multi,
    Exec,
    Discard,
    Watch,
    Unwatch,
    Asking,
    Acl(AclCommand),
    Cluster(ClusterCommand),
    PubSub(PubSubCommand),
    Sentinel(SentinelCommand),
    Node(NodeCommand),
    Replica(ReplicaCommand),
}

/// An argument as `COMMAND DOCS` describes it.
#[derive(Debug, Clone, Copy)]
pub struct Arg {
    /// Its name; of a token, the token in lower case.
    pub name: &'static str,
    /// What it is.
    pub kind: ArgKind,
    /// The word before it, or that it consists of.
    pub token: &'static str,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// Repeated together with its token.
    pub token_again: bool,
    /// Of a block or a choice.
    pub parts: &'static [Arg],
    /// Which of the row's key specifications is for it.
    pub key_spec: u8,
}

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgKind {
    Key,
    String,
    Integer,
    Double,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

impl ArgKind {
    /// As Redis names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf => "oneof",
            Self::Block => "block",
        }
    }
}

impl Arg {
    /// An argument that must be given.
    pub const fn new(name: &'static str, kind: ArgKind) -> Self {
        Self {
            name,
            kind,
            token: "",
            optional: false,
            multiple: false,
            token_again: false,
            parts: &[],
            key_spec: 0,
        }
    }

    /// The key, by its usual name.
    pub const KEY: Self = Self::new("key", ArgKind::Key);

    /// A word that stands for itself.
    pub const fn word(name: &'static str, token: &'static str) -> Self {
        Self::new(name, ArgKind::PureToken).after(token)
    }

    /// One of several.
    pub const fn one_of(name: &'static str, parts: &'static [Arg]) -> Self {
        Self { parts, ..Self::new(name, ArgKind::OneOf) }
    }

    /// Several in a row.
    pub const fn block(name: &'static str, parts: &'static [Arg]) -> Self {
        Self { parts, ..Self::new(name, ArgKind::Block) }
    }

    /// Preceded by `token`.
    pub const fn after(self, token: &'static str) -> Self {
        Self { token, ..self }
    }

    /// Keys of another specification than the first.
    pub const fn of_spec(self, key_spec: u8) -> Self {
        Self { key_spec, ..self }
    }

    /// May be left out.
    pub const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// May be repeated.
    pub const fn multiple(self) -> Self {
        Self { multiple: true, ..self }
    }

    /// May be repeated, its token with it.
    pub const fn repeated(self) -> Self {
        Self { multiple: true, token_again: true, ..self }
    }
}

impl Command {
    /// What most rows have in common; to be completed with `..`.
    pub const fn new(name: &'static str, arity: i32, flags: Flags, handler: Handler) -> Self {
        Self {
            name,
            full_name: name,
            arity,
            flags,
            categories: &[],
            keys: &[],
            finder: Finder::None,
            tips: &[],
            since: "1.0.0",
            group: "generic",
            summary: "",
            complexity: "O(1)",
            arguments: &[],
            subcommands: &[],
            wraps: 0,
            blocks: None,
            replaced: None,
            is_internal: false,
            handler,
        }
    }

    /// Whether it changes the state.
    pub fn is_write(&self) -> bool {
        matches!(self.handler, Handler::Write(_))
    }

    /// The subcommand of that name, in any case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Command> {
        self.subcommands.iter().find(|sub| sub.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The row of a call of this command: a subcommand's if the call names one, as one of a
    /// container has to. What this command runs may stand behind a word that happens to be a
    /// subcommand's name: then the number of arguments tells.
    pub fn row_of(&'static self, call: &[&[u8]]) -> Option<&'static Command> {
        let Some(name) = call.get(1).filter(|_| !self.subcommands.is_empty()) else { return Some(self) };
        let subcommand = self.subcommand(name);
        if self.wraps == 0 {
            return subcommand;
        }
        Some(subcommand.filter(|row| row.check_arity(call).is_ok()).unwrap_or(self))
    }

    pub(super) fn check_arity(&self, args: &[&[u8]]) -> Result<(), Reply> {
        if self.takes(args.len()) { Ok(()) } else { Err(self.wrong_arity()) }
    }

    /// Whether a call may have so many arguments, the name included.
    pub(super) fn takes(&self, len: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        len == wanted || (self.arity < 0 && len > wanted)
    }

    /// `ERR wrong number of arguments for '...' command`. Of `EXEC` it ends the transaction, and says so.
    pub fn wrong_arity(&self) -> Reply {
        let what = match self.handler {
            Handler::Connection(ConnectionCommand::Exec) => "EXECABORT Transaction discarded because of:",
            _ => "ERR",
        };
        Reply::error_owned(format!("{what} wrong number of arguments for '{}' command", self.full_name))
    }

    /// All ACL categories, those included that follow from the flags.
    pub fn acl_categories(&self) -> Vec<Category> {
        let mut all = self.categories.to_vec();
        for (flag, category) in [
            (Flags::WRITE, Category::Write),
            (Flags::READONLY, Category::Read),
            (Flags::ADMIN, Category::Admin),
            (Flags::ADMIN, Category::Dangerous),
            (Flags::PUBSUB, Category::PubSub),
            (Flags::BLOCKING, Category::Blocking),
            (Flags::FAST, Category::Fast),
        ] {
            // What only reads because a script only reads counts as a script.
            let is_scripts = flag == Flags::READONLY && all.contains(&Category::Scripting);
            if self.flags.has(flag) && !is_scripts {
                all.push(category);
            }
        }
        if !self.flags.has(Flags::FAST) {
            all.push(Category::Slow);
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}
