//! The table of commands: every row once, and finding one by name. A name must never be
//! looked up in any other way.

use super::row::Command;
use super::{
    acl, bits, client, connection, counters, databases, debug, discovery, dump, expiry, floats, generic,
    getex, hyperloglog, introspect, lcs, lolwut, memory, migrate, object, observe, once, operations, pubsub,
    ranges, rename, replication, scan, server, set, sort, strings, transactions, upstream, versions,
};

static COMMANDS: &[&Command] = &[
    &acl::ACL,
    &strings::APPEND,
    &discovery::ASKING,
    &connection::AUTH,
    &operations::BGREWRITEAOF,
    &operations::BGSAVE,
    &bits::count::BITCOUNT,
    &bits::bitfield::BITFIELD,
    &bits::bitfield::BITFIELD_RO,
    &bits::bitop::BITOP,
    &bits::count::BITPOS,
    &versions::CAD,
    &versions::CAS,
    &client::CLIENT,
    &discovery::CLUSTER,
    &introspect::COMMAND,
    &server::CONFIG,
    &rename::COPY,
    &generic::DBSIZE,
    &debug::DEBUG,
    &counters::DECR,
    &counters::DECRBY,
    &generic::DEL,
    &versions::DELIFEQ,
    &transactions::DISCARD,
    &dump::DUMP,
    &connection::ECHO,
    &transactions::EXEC,
    &generic::EXISTS,
    &expiry::EXPIRE,
    &expiry::EXPIREAT,
    &expiry::EXPIRETIME,
    &generic::FLUSHALL,
    &generic::FLUSHDB,
    &strings::GET,
    &bits::GETBIT,
    &getex::GETDEL,
    &getex::GETEX,
    &ranges::GETRANGE,
    &set::GETSET,
    &versions::GETV,
    &connection::HELLO,
    &counters::INCR,
    &counters::INCRBY,
    &floats::INCRBYFLOAT,
    &server::INFO,
    &scan::KEYS,
    &operations::LASTSAVE,
    &observe::LATENCY,
    &lcs::LCS,
    &lolwut::LOLWUT,
    &memory::MEMORY,
    &strings::MGET,
    &migrate::MIGRATE,
    &operations::MONITOR,
    &databases::MOVE,
    &strings::MSET,
    &strings::MSETNX,
    &transactions::MULTI,
    &object::OBJECT,
    &once::ONCE,
    &expiry::PERSIST,
    &expiry::PEXPIRE,
    &expiry::PEXPIREAT,
    &expiry::PEXPIRETIME,
    &hyperloglog::PFADD,
    &hyperloglog::PFCOUNT,
    &hyperloglog::PFDEBUG,
    &hyperloglog::PFMERGE,
    &hyperloglog::PFSELFTEST,
    &connection::PING,
    &set::PSETEX,
    &pubsub::PSUBSCRIBE,
    &replication::PSYNC,
    &expiry::PTTL,
    &pubsub::PUBLISH,
    &pubsub::PUBSUB,
    &pubsub::PUNSUBSCRIBE,
    &connection::QUIT,
    &server::RAFT,
    &generic::RANDOMKEY,
    &connection::READONLY,
    &connection::READWRITE,
    &rename::RENAME,
    &rename::RENAMENX,
    &replication::REPLCONF,
    &upstream::REPLICAOF,
    &connection::RESET,
    &dump::RESTORE,
    &migrate::RESTORE_ASKING,
    &server::ROLE,
    &operations::SAVE,
    &scan::SCAN,
    &connection::SELECT,
    &discovery::SENTINEL,
    &set::SET,
    &bits::SETBIT,
    &set::SETEX,
    &set::SETNX,
    &ranges::SETRANGE,
    &operations::SHUTDOWN,
    &upstream::SLAVEOF,
    &observe::SLOWLOG,
    &sort::SORT,
    &sort::SORT_RO,
    &pubsub::SPUBLISH,
    &pubsub::SSUBSCRIBE,
    &strings::STRLEN,
    &pubsub::SUBSCRIBE,
    &ranges::SUBSTR,
    &pubsub::SUNSUBSCRIBE,
    &databases::SWAPDB,
    &replication::SYNC,
    &server::TIME,
    &generic::TOUCH,
    &expiry::TTL,
    &generic::TYPE,
    &generic::UNLINK,
    &pubsub::UNSUBSCRIBE,
    &transactions::UNWATCH,
    &server::WAIT,
    &operations::WAITAOF,
    &transactions::WATCH,
];

/// The longest name, for which there is room.
const NAME_BYTES: usize = 16;

/// Names as numbers, so that a look-up compares once; open addressing.
const BUCKETS: usize = 512;
static INDEX: [(u128, u16); BUCKETS] = index();

/// A name's letters, in lower case, as a number: 0 if it is empty or longer than any.
const fn pack(name: &[u8]) -> u128 {
    if name.len() > NAME_BYTES {
        return 0;
    }
    let mut packed = 0;
    let mut i = 0;
    while i < name.len() {
        packed = packed << 8 | name[i].to_ascii_lowercase() as u128;
        i += 1;
    }
    packed
}

const fn bucket(packed: u128) -> usize {
    let folded = packed as u64 ^ (packed >> 64) as u64;
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize % BUCKETS
}

const fn index() -> [(u128, u16); BUCKETS] {
    let mut index = [(0, 0); BUCKETS];
    let mut i = 0;
    while i < COMMANDS.len() {
        let name = COMMANDS[i].name.as_bytes();
        assert!(!name.is_empty() && name.len() <= NAME_BYTES, "raise NAME_BYTES");
        let packed = pack(name);
        let mut at = bucket(packed);
        while index[at].0 != 0 {
            assert!(index[at].0 != packed, "two commands of one name");
            at = (at + 1) % BUCKETS;
        }
        index[at] = (packed, i as u16);
        i += 1;
    }
    index
}

/// The command of that name, in any case.
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    let packed = pack(name);
    let mut at = bucket(packed);
    loop {
        match INDEX[at] {
            (0, _) => return None,
            // A NUL in front packs to the same number: only then do lengths differ.
            (found, i) if found == packed => {
                return Some(COMMANDS[usize::from(i)]).filter(|command| command.name.len() == name.len());
            }
            _ => at = (at + 1) % BUCKETS,
        }
    }
}

/// All commands by name, without the subcommands.
pub fn commands() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().copied()
}

/// All rows: commands, each followed by its subcommands.
pub fn all() -> impl Iterator<Item = &'static Command> {
    commands().flat_map(|command| std::iter::once(command).chain(command.subcommands))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_in_any_case_and_nothing_else_is() {
        assert!(commands().map(|command| command.name).is_sorted());
        for command in commands() {
            let upper = command.name.to_ascii_uppercase();
            let mixed = upper[..1].to_string() + &command.name[1..];
            for name in [command.name, &upper, &mixed] {
                assert!(std::ptr::eq(lookup(name.as_bytes()).unwrap(), command), "{name}");
            }
            for wrong in
                [format!("{upper}x"), format!("\0{upper}"), upper[1..].to_string(), format!("{upper} ")]
            {
                assert!(
                    lookup(wrong.as_bytes()).is_none_or(|found| found.name == wrong.to_ascii_lowercase())
                );
            }
        }
        for name in [&b""[..], b"\0", b"nosuch", &[b'g'; 1000], &[0xff; 16]] {
            assert!(lookup(name).is_none());
        }
    }

    #[test]
    fn rows_are_complete_and_sound() {
        for command in all() {
            let name = command.full_name;
            assert!(!command.summary.is_empty() && !command.complexity.is_empty(), "{name}");
            assert_ne!(command.arity, 0, "{name}");
            assert_eq!(command.name, name.rsplit('|').next().unwrap(), "{name}");
            assert_eq!(command.name, command.name.to_ascii_lowercase());
            let is_write = matches!(command.handler, super::super::Handler::Write(_));
            // What is published goes through the log, but changes no key; what administrators do, too.
            let is_admins = command.flags.has(super::super::Flags::ADMIN);
            let changes_no_key = is_write && (command.group == "pubsub" || is_admins);
            // The server moves keys, by writes of its own.
            let writes = is_write || name == "migrate";
            assert_eq!(writes, command.flags.has(super::super::Flags::WRITE) || changes_no_key, "{name}");
            let is_read = matches!(command.handler, super::super::Handler::Read(_));
            let is_marked = !["acl|", "cluster|"].iter().any(|container| name.starts_with(container));
            assert_eq!(is_read && is_marked, command.flags.has(super::super::Flags::READONLY), "{name}");
            for subcommand in command.subcommands {
                assert!(subcommand.full_name.starts_with(&format!("{name}|")), "{}", subcommand.full_name);
            }
        }
    }
}
