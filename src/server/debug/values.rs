//! `DEBUG` on how values with elements are kept. This module must never change a value, nor count a use of it.

use super::NO_SUCH_KEY;
use crate::command::Reply;
use crate::keyspace::{Collection, List, Typed};
use crate::machine::Machine;
use crate::server::parameters::parse_memory;
use crate::wire::units::Args;

const NO_LISTPACK: Reply = Reply::error("ERR Not a listpack encoded object.");
const NO_QUICKLIST: Reply = Reply::error("ERR Not a quicklist encoded object.");
/// The largest threshold that Redis takes.
const MAX_THRESHOLD_BYTES: u64 = (1 << 32) - (1 << 20);

/// What `DEBUG OBJECT` adds for a list.
pub(super) fn nodes(list: &List) -> String {
    let (nodes, elements) = (list.packs().len(), list.len());
    let size_bytes: usize = list.packs().map(|pack| pack.size_bytes()).sum();
    format!(
        " ql_nodes:{nodes} ql_avg_node:{:.2} ql_listpack_max:{} ql_compressed:0 ql_uncompressed_size:{size_bytes}",
        elements as f64 / nodes.max(1) as f64,
        list.max_listpack_size(),
    )
}

/// `DEBUG LISTPACK` and `DEBUG QUICKLIST`: what there is goes to the log of the node.
pub(super) fn printed(machine: &Machine, db: usize, key: &[u8], encoding: &str, log: &slog::Logger) -> Reply {
    let Some(item) = machine.keyspace().get(db, key, machine.clock_ms()) else { return NO_SUCH_KEY };
    let Some(collection) = item.value.collection().filter(|it| it.encoding() == encoding) else {
        return if encoding == "listpack" { NO_LISTPACK } else { NO_QUICKLIST };
    };
    let mut bytes = Vec::new();
    collection.put(&mut bytes);
    let nodes = List::of(&item.value).map_or(1, |list| list.packs().len());
    slog::info!(log, "DEBUG"; "key" => %key.escape_ascii(), "encoding" => encoding, "nodes" => nodes,
        "elements" => collection.len(), "size_bytes" => bytes.len());
    Reply::Simple(match encoding {
        "listpack" => "Listpack structure printed on stdout".into(),
        _ => "Quicklist structure printed on stdout".into(),
    })
}

/// `DEBUG QUICKLIST-PACKED-THRESHOLD`: from how many bytes on an element has a node that is no listpack. Here no node
/// is anything else, as with Redis's own threshold, which is longer than any element may be.
pub(super) fn threshold(args: &Args<'_>) -> Reply {
    let bytes = std::str::from_utf8(args[2]).ok().and_then(parse_memory);
    match bytes.filter(|bytes| *bytes <= MAX_THRESHOLD_BYTES) {
        Some(_) => Reply::Ok,
        None => Reply::error("ERR argument must be a memory value bigger than 1 and smaller than 4gb"),
    }
}
