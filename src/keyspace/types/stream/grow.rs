//! Streams as pieces of bytes, and back. A piece begins with what the stream knows of its past and with the length of what it has
//! of the log: ids of nodes, each with its pack or a part of one, whose length is doubled, and one more if the pack goes on.
//! What follows are groups. Nothing that is read may be believed.

use super::groups::{FrozenGroups, GrowingGroups};
use super::{Id, Ids, Node, Stream, release};
use crate::collections::{Pack, Seq};
use crate::keyspace::Value;
use crate::keyspace::types::hash::grow::take_string;
use crate::keyspace::types::{Frozen, Growing};
use crate::limits::MAX_PACK_BYTES;
use crate::wire::WireError;
use crate::wire::entry::{put_varint, take_varint};

const WRONG: WireError = WireError::new("a stream");

impl Ids {
    fn put(self, out: &mut Vec<u8>) {
        for id in [self.last, self.first, self.max_deleted] {
            put_id(out, id);
        }
        put_varint(out, self.entries_added);
    }

    fn take(piece: &mut &[u8]) -> Option<Self> {
        let (last, first, max_deleted) = (take_id(piece)?, take_id(piece)?, take_id(piece)?);
        Some(Self { last, first, max_deleted, entries_added: take_varint(piece)? })
    }
}

fn put_id(out: &mut Vec<u8>, id: Id) {
    put_varint(out, id.ms);
    put_varint(out, id.seq);
}

fn take_id(piece: &mut &[u8]) -> Option<Id> {
    Some(Id::new(take_varint(piece)?, take_varint(piece)?))
}

/// A stream at a moment.
#[derive(Debug)]
pub(super) struct FrozenStream {
    log: Seq<Node>,
    ids: Ids,
    groups: FrozenGroups,
    /// The next node, and how much of its pack has been written.
    next: usize,
    written: usize,
}

impl FrozenStream {
    pub(super) fn new(stream: &Stream) -> Self {
        let groups = FrozenGroups::new(&stream.groups);
        Self { log: stream.log.clone(), ids: stream.ids, groups, next: 0, written: 0 }
    }

    /// Appends some nodes. Whether those were the last.
    fn put_nodes(&mut self, out: &mut Vec<u8>, target_bytes: usize) -> bool {
        for node in self.log.range(self.next..self.log.len()) {
            let room = target_bytes.saturating_sub(out.len());
            if room == 0 {
                break;
            }
            let rest = &node.pack().as_bytes()[self.written..];
            let part = &rest[..rest.len().min(room)];
            let goes_on = part.len() < rest.len();
            put_id(out, node.id());
            put_varint(out, (part.len() as u64) << 1 | u64::from(goes_on));
            out.extend_from_slice(part);
            if goes_on {
                self.written += part.len();
                break;
            }
            (self.next, self.written) = (self.next + 1, 0);
        }
        self.next == self.log.len()
    }
}

impl Frozen for FrozenStream {
    fn put_next(&mut self, out: &mut Vec<u8>, target_bytes: usize) -> bool {
        self.ids.put(out);
        let mut nodes = Vec::new();
        let is_last = self.put_nodes(&mut nodes, target_bytes);
        put_varint(out, nodes.len() as u64);
        out.extend_from_slice(&nodes);
        let room = target_bytes.saturating_sub(nodes.len());
        is_last && self.groups.put_next(out, room)
    }

    fn release(&mut self, elements: usize) -> bool {
        release(&mut self.log, elements) && self.groups.release(elements)
    }
}

#[derive(Debug, Default)]
pub(super) struct GrowingStream {
    log: Seq<Node>,
    ids: Option<Ids>,
    /// Of a pack that goes on.
    part: Vec<u8>,
    groups: GrowingGroups,
}

impl GrowingStream {
    fn take_nodes(&mut self, mut nodes: &[u8]) -> Result<(), WireError> {
        while !nodes.is_empty() {
            let id = take_id(&mut nodes).ok_or(WRONG)?;
            let head = take_varint(&mut nodes).ok_or(WRONG)?;
            let len = usize::try_from(head >> 1).map_err(|_| WRONG)?;
            let (part, rest) = nodes.split_at_checked(len).ok_or(WRONG)?;
            nodes = rest;
            self.part.extend_from_slice(part);
            if self.part.len() > MAX_PACK_BYTES {
                return Err(WRONG);
            }
            if head & 1 == 0 {
                let pack = Pack::from_bytes(std::mem::take(&mut self.part)).ok_or(WRONG)?;
                push_node(&mut self.log, id, pack).ok_or(WRONG)?;
            }
        }
        Ok(())
    }
}

/// Adds a node behind all others, if it is sound and belongs there.
fn push_node(log: &mut Seq<Node>, id: Id, pack: Pack) -> Option<()> {
    let node = Node::checked(id, pack)?;
    let last = log.len().checked_sub(1).and_then(|last| log.get(last));
    last.is_none_or(|last| last.id() < id).then(|| log.push_back(node))
}

impl Growing for GrowingStream {
    fn take(&mut self, mut piece: &[u8]) -> Result<(), WireError> {
        let ids = Ids::take(&mut piece).ok_or(WRONG)?;
        if *self.ids.get_or_insert(ids) != ids {
            return Err(WRONG);
        }
        self.take_nodes(take_string(&mut piece)?)?;
        self.groups.take(piece)
    }

    fn finish(self: Box<Self>) -> Result<Value, WireError> {
        let ids = self.ids.filter(|_| self.part.is_empty()).ok_or(WRONG)?;
        Ok(Stream { log: self.log, ids, groups: self.groups.finish()? }.into())
    }
}

impl Stream {
    /// The stream that a file of Redis has. None: it is not sound.
    pub fn of_parts(nodes: Vec<(Id, Pack)>, ids: Ids) -> Option<Self> {
        let mut log = Seq::new();
        for (id, pack) in nodes {
            push_node(&mut log, id, pack)?;
        }
        Some(Self { log, ids, groups: Default::default() })
    }
}
