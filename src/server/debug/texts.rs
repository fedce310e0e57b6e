//! What `DEBUG` answers in words. This module must never look at a key for a client's sake: none
//! of this counts as a use.

use super::NO_SUCH_KEY;
use super::values::nodes;
use crate::command::Reply;
use crate::keyspace::rdb::dump;
use crate::keyspace::{List, StringValue, Typed};
use crate::machine::Machine;
use crate::wire::units::Args;
use std::fmt::Write;

/// Of a payload: the type before the value, version and checksum behind it.
const FRAME_BYTES: usize = 11;
/// Redis counts the uses of an object in 24 bits of seconds.
const LRU_CLOCK_SECONDS: u64 = 1 << 24;

const HELP: [(&str, &str); 20] = [
    ("DIGEST", "A digest of all keys, the same that Redis has of the same keys."),
    ("DIGEST-VALUE key [key ...]", "Digests of the values of keys."),
    ("ERROR string", "An error with this text."),
    ("HTSTATS dbid", "Sizes of the tables of a database."),
    ("LISTPACK key", "Writes to the log of the node how long the listpack of a value is."),
    ("LOADAOF", "The same as RELOAD: the log and the snapshots are one state."),
    ("LOG message", "Writes the message to the log of the node."),
    ("OBJECT key", "How the value is kept."),
    ("PAUSE-CRON 0|1", "Accepted: nothing that clients see is done by a timer of the server."),
    ("POPULATE count [prefix [size]]", "Makes keys <prefix>:<number> that are not there."),
    ("PROTOCOL type", "A reply of that type."),
    ("QUICKLIST key [0|1]", "The same of a list, with the number of its nodes."),
    ("QUICKLIST-PACKED-THRESHOLD size", "Accepted: all nodes of lists are listpacks here."),
    ("RELOAD [MERGE] [NOFLUSH] [NOSAVE]", "Makes this node's state anew from a snapshot of it, in memory."),
    ("SDSLEN key", "Lengths of a key and of its value."),
    ("SET-ACTIVE-EXPIRE 0|1", "Whether keys are removed when they are due, in the whole cluster."),
    (
        "SET-DISABLE-DENY-SCRIPTS 0|1",
        "Whether scripts may call DEBUG PROTOCOL and SLEEP, in the whole cluster.",
    ),
    ("SLEEP seconds", "Lets this connection wait; the node and other connections go on."),
    ("STRINGMATCH-LEN pattern string", "Whether the pattern matches."),
    ("HELP", "Prints this help."),
];

/// Subcommands of Redis that would have nothing to work on.
const WITHOUT_USE: &[&[u8]] = &[
    b"AOF-FLUSH-SLEEP",
    b"ASSERT",
    b"CHANGE-REPL-ID",
    b"CLIENT-EVICTION",
    b"CONFIG-REWRITE-FORCE-ALL",
    b"CRASH-AND-RECOVER",
    b"DROP-CLUSTER-PACKET-FILTER",
    b"HTSTATS-KEY",
    b"LEAK",
    b"MALLCTL",
    b"MALLCTL-STR",
    b"OOM",
    b"PANIC",
    b"REPLICATE",
    b"REPLYBUFFER",
    b"RESTART",
    b"SEGFAULT",
    b"SET-SKIP-CHECKSUM-VALIDATION",
    b"STRINGMATCH-TEST",
    b"STRUCTSIZE",
];

/// `DEBUG HELP`.
pub fn help() -> Reply {
    let first = "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:".to_owned();
    let rows = HELP.iter().flat_map(|(call, what)| [(*call).to_owned(), format!("    {what}")]);
    Reply::Array(std::iter::once(first).chain(rows).map(|line| Reply::Simple(line.into())).collect())
}

/// Any other subcommand; `name` in upper case.
pub fn unknown(name: &[u8], args: &Args<'_>) -> Reply {
    if WITHOUT_USE.contains(&name) {
        let name = String::from_utf8_lossy(name);
        return Reply::error_owned(format!("ERR DEBUG {name}: bowline has nothing that it would concern"));
    }
    let end = args[1].iter().position(|byte| *byte == 0).unwrap_or(args[1].len()).min(128);
    let shown = String::from_utf8_lossy(&args[1][..end]);
    Reply::error_owned(format!(
        "ERR unknown subcommand or wrong number of arguments for '{shown}'. Try DEBUG HELP."
    ))
}

/// `DEBUG OBJECT`. The address is that of what is kept of the key: it stays while values change.
pub fn object(machine: &Machine, db: usize, key: &[u8]) -> Reply {
    let keyspace = machine.keyspace();
    let Some(item) = keyspace.get(db, key, 0) else { return NO_SUCH_KEY };
    let now_ms = machine.clock_ms();
    let idle_s = keyspace.idle_s(db, key, now_ms).unwrap_or(0);
    let used_s = (now_ms / 1000).saturating_sub(idle_s);
    // The same 24 bits hold minutes and a counter under the policies that count.
    let used = match machine.settings().eviction.counts_uses() {
        true => {
            let frequency = keyspace.frequency(db, key, now_ms).unwrap_or(0);
            ((used_s / 60) << 8 | u64::from(frequency)) % LRU_CLOCK_SECONDS
        }
        false => used_s % LRU_CLOCK_SECONDS,
    };
    let length = dump(&item.value).len() - FRAME_BYTES;
    let (encoding, references) = (item.encoding(), item.references());
    let nodes = List::of(&item.value).map(nodes).unwrap_or_default();
    Reply::Simple(
        format!(
            "Value at:{item:p} refcount:{references} encoding:{encoding} serializedlength:{length} lru:{used} \
             lru_seconds_idle:{idle_s}{nodes}"
        )
        .into(),
    )
}

const NO_SDS: Reply = Reply::error("ERR Not an sds encoded string.");

/// `DEBUG SDSLEN`.
pub fn lengths(machine: &Machine, db: usize, key: &[u8]) -> Reply {
    let Some(item) = machine.keyspace().get(db, key, 0) else { return NO_SUCH_KEY };
    let Some(value) = item.value.as_string() else { return NO_SDS };
    let spare = match value {
        StringValue::Int(_) => return NO_SDS,
        StringValue::Blob(_) => 0,
        StringValue::Growing(bytes) => bytes.capacity() - bytes.len(),
    };
    let (key_len, len) = (key.len(), value.len());
    Reply::Simple(
        format!(
            "key_sds_len:{key_len}, key_sds_avail:0, key_zmalloc: {key_len}, val_sds_len:{len}, \
             val_sds_avail:{spare}, val_zmalloc: {}",
            len + spare
        )
        .into(),
    )
}

/// `DEBUG HTSTATS`.
pub fn tables(machine: &Machine, db: usize) -> Reply {
    let keyspace = machine.keyspace();
    let mut text = String::new();
    let mut table = |name: &str, size: usize, len: usize| {
        write!(text, "[{name} HT]\nHash table 0 stats (main hash table):\n").expect("a String grows");
        match len {
            0 => writeln!(text, "No stats available for empty dictionaries"),
            _ => writeln!(text, " table size: {size}\n number of elements: {len}"),
        }
        .expect("a String grows");
    };
    table("Dictionary", keyspace.table_size(db), keyspace.len(db));
    let with_deadline = keyspace.len_with_deadline(db);
    table("Expires", with_deadline, with_deadline);
    Reply::Verbatim(text.into())
}
