//! How clients find out where to send: rows of CLUSTER, ASKING and SENTINEL, which the server
//! answers from its node's status, and the two commands on the keys of a slot. The partitions
//! of the keyspace are not slots: nothing here may find the keys of a slot but by looking at
//! all keys.

use super::context::{Outcome, reply};
use super::introspect::help_row;
use super::parse::integer;
use super::row::{Arg, ArgKind, Category, Command, ConnectionCommand as Do, Flags, Handler};
use super::{ReadContext, Reply};
use crate::keyspace::{SLOTS, slot};
use crate::wire::units::Args;

/// What of `CLUSTER` the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterCommand {
    Info,
    KeySlot,
    MyId,
    Nodes,
    Replicas,
    Shards,
    Slots,
}

/// What of `SENTINEL` the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentinelCommand {
    CkQuorum,
    GetMasterAddr,
    Master,
    Masters,
    MyId,
    Replicas,
    Sentinels,
}

const UNSTEADY: &[&str] = &["nondeterministic_output"];
const SLOT: Arg = Arg::new("slot", ArgKind::Integer);
const NODE_ID: &[Arg] = &[Arg::new("node-id", ArgKind::String)];
const MASTER_NAME: &[Arg] = &[Arg::new("master-name", ArgKind::String)];
const OF_MEMBERS: &str = "O(N) of the number of members";

/// Keys that a walk looks at before it asks itself whether it has enough.
const WALK_STEP: usize = 1024;

const fn cluster_row(
    name: &'static str,
    full_name: &'static str,
    arity: i32,
    what: ClusterCommand,
) -> Command {
    Command {
        full_name,
        since: "3.0.0",
        group: "cluster",
        ..Command::new(name, arity, Flags::STALE, Handler::Connection(Do::Cluster(what)))
    }
}

pub(super) static ASKING: Command = Command {
    categories: &[Category::Connection],
    since: "3.0.0",
    group: "cluster",
    summary: "Accepted for compatibility: no slot is ever on its way from one node to another",
    ..Command::new("asking", 1, Flags::FAST, Handler::Connection(Do::Asking))
};

pub(super) static CLUSTER: Command = Command {
    since: "3.0.0",
    group: "cluster",
    summary: "What a client of Redis Cluster asks: the leader owns all slots, the others are its replicas",
    complexity: "Depends on subcommand.",
    subcommands: CLUSTER_SUBCOMMANDS,
    ..Command::new("cluster", -2, Flags::NONE, Handler::Connection(Do::Introspect))
};

const CLUSTER_SUBCOMMANDS: &[Command] = &[
    Command {
        summary: "Counts the keys of a slot",
        complexity: "O(N) of the number of keys there are: no index by slot is kept",
        arguments: &[SLOT],
        handler: Handler::Read(|context, args| reply(count_keys(context, args))),
        flags: Flags::STALE,
        ..cluster_row("countkeysinslot", "cluster|countkeysinslot", 3, ClusterCommand::Info)
    },
    Command {
        tips: UNSTEADY,
        summary: "Keys of a slot, at most so many",
        complexity: "O(N) of the number of keys there are: no index by slot is kept",
        arguments: &[SLOT, Arg::new("count", ArgKind::Integer)],
        handler: Handler::Read(|context, args| reply(keys_of_slot(context, args))),
        flags: Flags::STALE,
        ..cluster_row("getkeysinslot", "cluster|getkeysinslot", 4, ClusterCommand::Info)
    },
    Command {
        tips: UNSTEADY,
        summary: "State of the cluster as this node sees it; without a leader it is `fail`",
        ..cluster_row("info", "cluster|info", 2, ClusterCommand::Info)
    },
    Command {
        summary: "Slot of a key",
        complexity: "O(N) of the number of bytes in the key",
        arguments: &[Arg::new("key", ArgKind::String)],
        ..cluster_row("keyslot", "cluster|keyslot", 3, ClusterCommand::KeySlot)
    },
    Command {
        summary: "Name of this node: 40 hexadecimal digits, of its id and the cluster's",
        ..cluster_row("myid", "cluster|myid", 2, ClusterCommand::MyId)
    },
    Command {
        tips: UNSTEADY,
        summary: "The members, a line each",
        complexity: OF_MEMBERS,
        ..cluster_row("nodes", "cluster|nodes", 2, ClusterCommand::Nodes)
    },
    Command {
        tips: UNSTEADY,
        since: "5.0.0",
        summary: "Lines of the replicas of a node, which are all others if it leads",
        complexity: OF_MEMBERS,
        arguments: NODE_ID,
        flags: Flags::ADMIN.and(Flags::STALE),
        ..cluster_row("replicas", "cluster|replicas", 3, ClusterCommand::Replicas)
    },
    Command {
        tips: UNSTEADY,
        since: "7.0.0",
        summary: "The one shard: all slots, and the members",
        complexity: OF_MEMBERS,
        ..cluster_row("shards", "cluster|shards", 2, ClusterCommand::Shards)
    },
    Command {
        tips: UNSTEADY,
        summary: "As REPLICAS, under its old name",
        complexity: OF_MEMBERS,
        arguments: NODE_ID,
        flags: Flags::ADMIN.and(Flags::STALE),
        replaced: Some(("5.0.0", "`CLUSTER REPLICAS`")),
        ..cluster_row("slaves", "cluster|slaves", 3, ClusterCommand::Replicas)
    },
    Command {
        tips: UNSTEADY,
        summary: "All slots, their owner and the replicas that can be reached; nothing without a majority",
        complexity: OF_MEMBERS,
        replaced: Some(("7.0.0", "`CLUSTER SHARDS`")),
        ..cluster_row("slots", "cluster|slots", 2, ClusterCommand::Slots)
    },
    help_row("cluster|help", "5.0.0", "cluster", &[]),
];

const fn sentinel_row(
    name: &'static str,
    full_name: &'static str,
    arity: i32,
    what: SentinelCommand,
) -> Command {
    Command {
        full_name,
        since: "2.8.4",
        group: "sentinel",
        ..Command::new(name, arity, Flags::ADMIN, Handler::Connection(Do::Sentinel(what)))
    }
}

pub(super) static SENTINEL: Command = Command {
    since: "2.8.4",
    group: "sentinel",
    summary: "What a client of Redis Sentinel asks, on each node's ordinary port: the leader is the master",
    complexity: "Depends on subcommand.",
    subcommands: SENTINEL_SUBCOMMANDS,
    ..Command::new("sentinel", -2, Flags::ADMIN, Handler::Connection(Do::Introspect))
};

const SENTINEL_SUBCOMMANDS: &[Command] = &[
    Command {
        summary: "Whether this node is connected to a majority of the voters",
        complexity: OF_MEMBERS,
        arguments: MASTER_NAME,
        ..sentinel_row("ckquorum", "sentinel|ckquorum", 3, SentinelCommand::CkQuorum)
    },
    Command {
        summary: "Host and port of the leader; nil without one, and for a name that is not --sentinel-name",
        arguments: MASTER_NAME,
        ..sentinel_row(
            "get-master-addr-by-name",
            "sentinel|get-master-addr-by-name",
            3,
            SentinelCommand::GetMasterAddr,
        )
    },
    Command {
        summary: "What is known of the leader",
        arguments: MASTER_NAME,
        ..sentinel_row("master", "sentinel|master", 3, SentinelCommand::Master)
    },
    Command {
        summary: "The one master: the leader",
        ..sentinel_row("masters", "sentinel|masters", 2, SentinelCommand::Masters)
    },
    Command {
        since: "6.2.0",
        summary: "Name of this node, as CLUSTER MYID",
        ..sentinel_row("myid", "sentinel|myid", 2, SentinelCommand::MyId)
    },
    Command {
        since: "5.0.0",
        summary: "What is known of the other members, which are the leader's replicas",
        complexity: OF_MEMBERS,
        arguments: MASTER_NAME,
        ..sentinel_row("replicas", "sentinel|replicas", 3, SentinelCommand::Replicas)
    },
    Command {
        summary: "The other members, for each answers SENTINEL",
        complexity: OF_MEMBERS,
        arguments: MASTER_NAME,
        ..sentinel_row("sentinels", "sentinel|sentinels", 3, SentinelCommand::Sentinels)
    },
    Command {
        since: "2.8.0",
        summary: "As REPLICAS, under its old name",
        complexity: OF_MEMBERS,
        arguments: MASTER_NAME,
        ..sentinel_row("slaves", "sentinel|slaves", 3, SentinelCommand::Replicas)
    },
    help_row("sentinel|help", "6.2.0", "sentinel", &[]),
];

fn slot_number(arg: i64) -> Option<u16> {
    u16::try_from(arg).ok().filter(|&slot| slot < SLOTS)
}

fn count_keys(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let wanted = slot_number(integer(args[2])?).ok_or(Reply::error("ERR Invalid slot"))?;
    let mut count = 0;
    walk(context, wanted, |_| {
        count += 1;
        true
    });
    Ok(Reply::Int(count))
}

fn keys_of_slot(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    const INVALID: Reply = Reply::error("ERR Invalid slot or number of keys");
    let (wanted, most) = (integer(args[2])?, integer(args[3])?);
    let wanted = slot_number(wanted).ok_or(INVALID)?;
    let most = usize::try_from(most).map_err(|_| INVALID)?;
    let mut keys = Vec::new();
    walk(context, wanted, |key| {
        if keys.len() < most {
            keys.push(Reply::bulk(key));
        }
        keys.len() < most
    });
    Ok(Reply::Array(keys))
}

/// Passes the keys of a slot to `visit`, until a while after it has answered false.
fn walk(context: &mut ReadContext<'_>, wanted: u16, mut visit: impl FnMut(&[u8]) -> bool) {
    let (now_ms, wall_ms) = (context.now_ms, context.wall_ms);
    let mut cursor = 0;
    let mut more = true;
    while more {
        let mut saw_expiring = false;
        let scanned = context.state.keyspace.scan(0, cursor, WALK_STEP, |key, item| {
            if slot(key) == wanted && !item.has_expired(now_ms) {
                saw_expiring |= item.has_expired(wall_ms);
                more &= visit(key);
            }
        });
        context.saw_expiring |= saw_expiring;
        cursor = scanned.cursor;
        more &= cursor != 0;
    }
}
