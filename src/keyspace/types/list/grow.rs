//! Lists as pieces of bytes, and back. A piece begins with the list's fill; then come packs or parts of one, each with
//! its length, doubled, and one more if the pack goes on. Nothing that is read may be believed.

use super::{Fill, List, Node, release};
use crate::collections::{Pack, Seq};
use crate::keyspace::Value;
use crate::keyspace::types::{Frozen, Growing};
use crate::limits::MAX_PACK_BYTES;
use crate::wire::WireError;
use crate::wire::entry::{put_varint, take_varint};

const WRONG: WireError = WireError::new("a list");

/// A list at a moment.
#[derive(Debug)]
pub(super) struct FrozenList {
    nodes: Seq<Node>,
    fill: Fill,
    /// The next node, and how much of its pack has been written.
    next: usize,
    written: usize,
}

impl FrozenList {
    pub(super) fn new(list: &List) -> Self {
        Self { nodes: list.nodes.clone(), fill: list.fill, next: 0, written: 0 }
    }
}

impl Frozen for FrozenList {
    fn put_next(&mut self, out: &mut Vec<u8>, target_bytes: usize) -> bool {
        let start = out.len();
        out.extend_from_slice(&self.fill.number().to_le_bytes());
        for node in self.nodes.range(self.next..self.nodes.len()) {
            let room = target_bytes.saturating_sub(out.len() - start);
            if room == 0 {
                break;
            }
            let rest = &node.pack().as_bytes()[self.written..];
            let part = &rest[..rest.len().min(room)];
            let goes_on = part.len() < rest.len();
            put_varint(out, (part.len() as u64) << 1 | u64::from(goes_on));
            out.extend_from_slice(part);
            if goes_on {
                self.written += part.len();
                break;
            }
            (self.next, self.written) = (self.next + 1, 0);
        }
        self.next == self.nodes.len()
    }

    fn release(&mut self, elements: usize) -> bool {
        release(&mut self.nodes, elements)
    }
}

#[derive(Debug, Default)]
pub(super) struct GrowingList {
    nodes: Seq<Node>,
    fill: Option<Fill>,
    /// Of a pack that goes on.
    part: Vec<u8>,
}

impl Growing for GrowingList {
    fn take(&mut self, piece: &[u8]) -> Result<(), WireError> {
        let (fill, mut piece) = piece.split_first_chunk().ok_or(WRONG)?;
        let number = i16::from_le_bytes(*fill);
        let fill = Fill::new(number.into());
        if fill.number() != number || *self.fill.get_or_insert(fill) != fill {
            return Err(WRONG);
        }
        while !piece.is_empty() {
            let head = take_varint(&mut piece).ok_or(WRONG)?;
            let len = usize::try_from(head >> 1).map_err(|_| WRONG)?;
            let (part, rest) = piece.split_at_checked(len).ok_or(WRONG)?;
            piece = rest;
            self.part.extend_from_slice(part);
            if self.part.len() > MAX_PACK_BYTES {
                return Err(WRONG);
            }
            if head & 1 == 0 {
                let pack = Pack::from_bytes(std::mem::take(&mut self.part)).filter(|pack| !pack.is_empty());
                self.nodes.push_back(Node::new(pack.ok_or(WRONG)?));
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Value, WireError> {
        let fill = self.fill.filter(|_| self.part.is_empty() && !self.nodes.is_empty()).ok_or(WRONG)?;
        Ok(List { nodes: self.nodes, fill }.into())
    }
}
