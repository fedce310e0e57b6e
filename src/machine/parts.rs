//! Bodies that came in parts and are not whole yet: part of the state, on every replica the same.
//! What is in them must never matter here, and nothing of one may be applied before its last part.

use super::Machine;
use super::snapshot::SnapshotError;
use crate::limits::MAX_JOINED_BYTES;
use crate::wire::entry::put_len_field;
use crate::wire::proto::snapshot as proto;
use crate::wire::units::{Part, Units, part_of};
use crate::wire::{NodeId, WireError};
use bytes::Bytes;
use protobuf::Message as _;
use std::collections::BTreeMap;

/// What the body of an accepted batch is.
#[derive(Debug, PartialEq, Eq)]
pub enum Joined {
    /// A body.
    Alone,
    /// A part of one; others are missing.
    Waits,
    /// The last part: this is the body.
    Whole(Bytes),
    /// A part of one of which others were given up.
    Lost,
}

#[derive(Debug, Default)]
struct Unfinished {
    bytes: Vec<u8>,
    total: usize,
}

/// What a snapshot under way has still to tell of a body that was unfinished when it began.
#[derive(Debug)]
struct Walk {
    origin: NodeId,
    total: usize,
    at: usize,
    /// How much of it there was. It only grows, so it is not copied.
    end: usize,
    /// It is no longer unfinished: this is what was there.
    kept: Option<Bytes>,
}

/// See the module's text. An origin has one at a time.
#[derive(Debug, Default)]
pub(super) struct Parts {
    unfinished: BTreeMap<NodeId, Unfinished>,
    walks: Vec<Walk>,
}

impl Parts {
    fn join(&mut self, origin: NodeId, part: &Part<'_>) -> Joined {
        let (Ok(offset), Ok(total)) = (usize::try_from(part.offset), usize::try_from(part.total)) else {
            return Joined::Lost;
        };
        if offset == 0 {
            self.take(origin);
            if total == 0 {
                return Joined::Waits;
            }
            if total <= MAX_JOINED_BYTES {
                self.unfinished.insert(origin, Unfinished { bytes: Vec::with_capacity(total), total });
            }
        }
        let fits = |it: &&mut Unfinished| {
            it.total == total && it.bytes.len() == offset && part.bytes.len() <= total - offset
        };
        let Some(unfinished) = self.unfinished.get_mut(&origin).filter(fits) else {
            self.take(origin);
            return Joined::Lost;
        };
        unfinished.bytes.extend_from_slice(part.bytes);
        if unfinished.bytes.len() < total {
            return Joined::Waits;
        }
        let body = self.take(origin);
        // Each of its parts could be read: that says nothing of what they make together.
        if Units::new(&body).any(|unit| unit.is_err()) { Joined::Lost } else { Joined::Whole(body) }
    }

    /// Lets go of an origin's; a snapshot under way may still need it.
    fn take(&mut self, origin: NodeId) -> Bytes {
        let Some(unfinished) = self.unfinished.remove(&origin) else { return Bytes::new() };
        let bytes = Bytes::from(unfinished.bytes);
        if let Some(walk) = self.walks.iter_mut().find(|walk| walk.origin == origin && walk.kept.is_none()) {
            walk.kept = Some(bytes.clone());
        }
        bytes
    }

    pub(super) fn forget(&mut self, origin: NodeId) {
        self.take(origin);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(NodeId) -> bool) {
        let gone: Vec<NodeId> = self.unfinished.keys().copied().filter(|&origin| !keep(origin)).collect();
        gone.into_iter().for_each(|origin| self.forget(origin));
    }

    /// How many bytes there are of all.
    pub(super) fn len_bytes(&self) -> u64 {
        self.unfinished.values().map(|it| it.bytes.len() as u64).sum()
    }

    /// Appends what tells this state from others.
    pub(super) fn put_hashed(&self, out: &mut Vec<u8>) {
        for (origin, it) in &self.unfinished {
            let crc = crc32c::crc32c(&it.bytes);
            out.extend_from_slice(format!("{origin} {} of {}: {crc}", it.bytes.len(), it.total).as_bytes());
        }
    }

    pub(super) fn snapshot_begin(&mut self) {
        let walk = |(&origin, it): (&NodeId, &Unfinished)| {
            let (total, end) = (it.total, it.bytes.len());
            Walk { origin, total, at: 0, end, kept: None }
        };
        self.walks = self.unfinished.iter().map(walk).collect();
    }

    pub(super) fn snapshot_abort(&mut self) {
        self.walks.clear();
    }

    /// The next piece, a `snapshot.Unfinished` of at most `target_bytes`.
    pub(super) fn snapshot_next(&mut self, target_bytes: usize) -> Option<Vec<u8>> {
        let walk = self.walks.last_mut()?;
        let bytes = match &walk.kept {
            Some(kept) => &kept[..],
            None => self.unfinished.get(&walk.origin).map_or(&[][..], |it| &it.bytes),
        };
        let end = walk.end.min(walk.at + target_bytes.max(1));
        let piece = &bytes[walk.at..end];
        let (origin, total) = (walk.origin, walk.total as u64);
        let mut out = proto::Unfinished { origin, total, ..Default::default() }
            .write_to_bytes()
            .expect("writing a message without required fields to memory cannot fail");
        put_len_field(&mut out, 3, piece.len());
        out.extend_from_slice(piece);
        walk.at = end;
        if walk.at == walk.end {
            self.walks.pop();
        }
        Some(out)
    }

    /// Adds a piece of a snapshot.
    pub(super) fn restore(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        let read =
            proto::Unfinished::parse_from_bytes(bytes).map_err(|_| WireError::new("part of a body"))?;
        let total = usize::try_from(read.get_total()).ok().filter(|&total| total <= MAX_JOINED_BYTES);
        let total = total.ok_or(WireError::new("part of a body"))?;
        let it = self.unfinished.entry(read.get_origin()).or_default();
        it.total = total;
        it.bytes.extend_from_slice(read.get_bytes());
        if it.bytes.len() >= total {
            return Err(SnapshotError::Incoherent("a body that is whole"));
        }
        Ok(())
    }
}

impl Machine {
    /// Puts a body that comes in parts together: of each batch that is to be applied.
    pub fn join(&mut self, origin: NodeId, body: &[u8]) -> Joined {
        match part_of(body) {
            None => Joined::Alone,
            Some(part) => self.parts.join(origin, &part),
        }
    }
}
