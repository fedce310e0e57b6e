//! MIGRATE: its row, its options, and its one change of the state: keys that another server holds now
//! are removed, each only if it is what was sent. Nothing here may know how a key gets there.

use super::context::{Outcome, reply};
use super::dump::restores;
use super::parse::{SYNTAX, integer, is, version};
use super::row::{Arg, ArgKind, Category, Command, ConnectionCommand, Finder, Flags, Handler, KeySpec};
use super::{Reply, WriteContext};
use crate::keyspace::EventClass;
use crate::wire::units::Args;
use std::ops::Range;
use std::time::Duration;

/// The first argument that is an option.
const OPTIONS: usize = 6;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);
const KEYS_AND_KEY: Reply =
    Reply::error("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");

const KEY_OR_EMPTY: &[Arg] = &[Arg::new("key", ArgKind::Key), Arg::word("empty_string", "\"\"")];
const AUTHENTICATION: &[Arg] = &[
    Arg::new("password", ArgKind::String).after("AUTH").optional(),
    Arg::block(
        "username_password",
        &[Arg::new("username", ArgKind::String), Arg::new("password", ArgKind::String)],
    )
    .after("AUTH2")
    .optional(),
];

pub(super) static MIGRATE: Command = Command {
    categories: &[Category::Keyspace, Category::Dangerous],
    keys: &[
        KeySpec { first: 3, ..KeySpec::one(&["RW", "access", "delete"]) },
        KeySpec::behind("KEYS", -2, &["RW", "access", "delete", "incomplete"]),
    ],
    finder: Finder::All(keys),
    tips: &["nondeterministic_output"],
    since: "2.6.0",
    summary: "Moves keys to another server: what it has taken is removed here, unless it was changed \
              meanwhile, and then it is sent again",
    complexity: "O(N) of the size of the values, here, there and on the way",
    arguments: &[
        Arg::new("host", ArgKind::String),
        Arg::new("port", ArgKind::Integer),
        Arg::one_of("key_or_empty_string", KEY_OR_EMPTY),
        Arg::new("destination-db", ArgKind::Integer),
        Arg::new("timeout", ArgKind::Integer),
        Arg::word("copy", "COPY").optional(),
        Arg::word("replace", "REPLACE").optional(),
        Arg::one_of("authentication", AUTHENTICATION).optional(),
        Arg::new("key", ArgKind::Key).after("KEYS").of_spec(1).optional().multiple(),
    ],
    ..Command::new(
        "migrate",
        -6,
        Flags::WRITE.and(Flags::MOVABLEKEYS),
        Handler::Connection(ConnectionCommand::Migrate),
    )
};

pub(super) static RESTORE_ASKING: Command = Command {
    since: "3.0.0",
    group: "server",
    summary: "RESTORE, as the MIGRATE of a Redis Cluster sends it: it is redirected to no other node",
    is_internal: true,
    ..restores("restore-asking", Flags::WRITE.and(Flags::DENYOOM).and(Flags::ASKING))
};

/// What a call asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Migration {
    /// Removes nothing here.
    pub copy: bool,
    /// Takes the place of a key there.
    pub replace: bool,
    /// What `AUTH` is given there: a password, or a user and a password.
    pub login: Vec<Vec<u8>>,
    /// Of the other server.
    pub db: i64,
    /// For each step on the way: connecting, a write, a reply.
    pub timeout: Duration,
    /// Where the keys stand in the call.
    pub keys: Range<usize>,
}

impl Migration {
    /// Reads a call as Redis reads it.
    pub fn read(call: &[&[u8]]) -> Result<Self, Reply> {
        let mut read = Self {
            copy: false,
            replace: false,
            login: Vec::new(),
            db: 0,
            timeout: DEFAULT_TIMEOUT,
            keys: 3..4,
        };
        let mut at = OPTIONS;
        while at < call.len() {
            at = match call[at] {
                option if is(option, "COPY") => {
                    read.copy = true;
                    at + 1
                }
                option if is(option, "REPLACE") => {
                    read.replace = true;
                    at + 1
                }
                option if secrets_behind(option) > 0 => {
                    let end = at + 1 + secrets_behind(option);
                    let login = call.get(at + 1..end).ok_or(SYNTAX)?;
                    read.login = login.iter().map(|word| word.to_vec()).collect();
                    end
                }
                option if is(option, "KEYS") => {
                    if !call[3].is_empty() {
                        return Err(KEYS_AND_KEY);
                    }
                    read.keys = at + 1..call.len();
                    call.len()
                }
                _ => return Err(SYNTAX),
            };
        }
        let timeout_ms = integer(call[5])?;
        read.db = integer(call[4])?;
        if timeout_ms > 0 {
            read.timeout = Duration::from_millis(timeout_ms as u64);
        }
        Ok(read)
    }
}

/// How many words behind an option are secrets.
fn secrets_behind(option: &[u8]) -> usize {
    match () {
        () if is(option, "AUTH") => 1,
        () if is(option, "AUTH2") => 2,
        () => 0,
    }
}

/// Whether argument `i` of a call is a secret; of one that is refused, too.
pub(super) fn is_secret(call: &[&[u8]], i: usize) -> bool {
    let mut at = OPTIONS;
    while at < i && !is(call[at], "KEYS") {
        let end = at + 1 + secrets_behind(call[at]);
        if i < end {
            return true;
        }
        at = end;
    }
    false
}

/// Where the keys stand in a call; none in one that names them twice. As in Redis, a last word is no
/// `KEYS`.
fn keys(call: &[&[u8]]) -> Range<usize> {
    let mut at = OPTIONS;
    while at + 1 < call.len() {
        if is(call[at], "KEYS") {
            return if call[3].is_empty() { at + 1..call.len() } else { 0..0 };
        }
        at += 1 + secrets_behind(call[at]);
    }
    3..4
}

/// What became of a key that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub enum Removal {
    /// It is not there: somebody else has removed it.
    Missing = -1,
    /// It is not what was sent.
    Changed = 0,
    /// It was what was sent.
    Removed = 1,
}

/// The call as it stands in the log: keys, each with the revision that was sent.
pub fn removal_call(sent: &[(Vec<u8>, u64)]) -> Vec<Vec<u8>> {
    let mut call = vec![MIGRATE.name.as_bytes().to_vec()];
    call.resize(OPTIONS, Vec::new());
    call.extend(sent.iter().flat_map(|(key, revision)| [key.clone(), revision.to_string().into_bytes()]));
    call
}

/// What the log said, of each key of [`removal_call`] in turn.
pub fn removals(reply: &Reply) -> Option<Vec<Removal>> {
    let Reply::Array(found) = reply else { return None };
    let read = |found: &Reply| match found {
        Reply::Int(1) => Some(Removal::Removed),
        Reply::Int(0) => Some(Removal::Changed),
        Reply::Int(-1) => Some(Removal::Missing),
        _ => None,
    };
    found.iter().map(read).collect()
}

/// Carries out a call of [`removal_call`].
pub fn remove_migrated(context: &mut WriteContext<'_>, args: &Args<'_>) -> Reply {
    reply(remove(context, args.get(OPTIONS..).unwrap_or_default()))
}

fn remove(context: &mut WriteContext<'_>, pairs: &[&[u8]]) -> Outcome {
    let revisions: Result<Vec<u64>, Reply> = pairs.chunks_exact(2).map(|pair| version(pair[1])).collect();
    let mut found = Vec::with_capacity(pairs.len() / 2);
    let mut told: Vec<&[u8]> = vec![b"DEL"];
    for (pair, revision) in pairs.chunks_exact(2).zip(revisions?) {
        let mut edit = context.edit(pair[0]);
        found.push(match edit.item().map(|item| item.revision) {
            None => Removal::Missing,
            Some(other) if other != revision => Removal::Changed,
            Some(_) => {
                edit.remove();
                context.notify(EventClass::Generic, "del", pair[0]);
                context.propagate_deletion(pair[0]);
                told.push(pair[0]);
                Removal::Removed
            }
        });
    }
    if told.len() > 1 {
        context.propagate(&told);
    }
    Ok(Reply::Array(found.into_iter().map(|removal| Reply::Int(removal as i64)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(words: &str) -> Vec<&[u8]> {
        words.split(' ').map(|word| if word == "-" { &b""[..] } else { word.as_bytes() }).collect()
    }

    #[test]
    fn options_are_read_as_redis_reads_them() {
        let read = |words: &str| Migration::read(&call(words));
        let plain = read("MIGRATE h 1 k 2 0").unwrap();
        assert_eq!((plain.db, plain.timeout, plain.keys), (2, DEFAULT_TIMEOUT, 3..4));
        let all = read("migrate h 1 - 0 7 copy Replace auth a AUTH2 u p keys k KEYS").unwrap();
        assert!(all.copy && all.replace);
        assert_eq!((all.timeout.as_millis(), all.keys), (7, 14..16));
        assert_eq!(all.login, [b"u", b"p"]);
        assert_eq!(read("MIGRATE h 1 - 0 7 KEYS").unwrap().keys, 7..7);
        assert_eq!(read("MIGRATE h 1 k 0 7 KEYS a"), Err(KEYS_AND_KEY));
        for words in ["MIGRATE h 1 k 0 7 x", "MIGRATE h 1 k 0 7 AUTH", "MIGRATE h 1 k 0 7 AUTH2 u"] {
            assert_eq!(read(words), Err(SYNTAX), "{words}");
        }
        assert!(read("MIGRATE h 1 k x 7").is_err() && read("MIGRATE h 1 k 0 x").is_err());
    }

    #[test]
    fn passwords_are_secrets_and_keys_are_keys() {
        for (words, secrets, found) in [
            ("MIGRATE h 1 k 0 7 AUTH p", vec![7], 3..4),
            ("MIGRATE h 1 - 0 7 COPY AUTH2 u p REPLACE KEYS a AUTH b", vec![8, 9], 12..15),
            ("MIGRATE h 1 k 0 7 what AUTH p", vec![8], 3..4),
            ("MIGRATE h 1 - 0 7 AUTH KEYS a", vec![7], 3..4),
            ("MIGRATE h 1 k 0 7 KEYS a", vec![], 0..0),
        ] {
            let call = call(words);
            let hidden: Vec<usize> = (0..call.len()).filter(|&i| is_secret(&call, i)).collect();
            assert_eq!((hidden, keys(&call)), (secrets, found), "{words}");
        }
    }
}
