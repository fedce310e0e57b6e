//! How entries lie in sled: packed, because a key and a value each would cost ten times as
//! much. A key is big-endian, so that sled's order is the log's:
//!
//! ```text
//! u64 group, u8 0                               a record.LogBatch with hard state and base
//! u64 group, u8 1, u64 first index, u32 part    a pack: u8 whether another part follows, then
//!                                               fields `entries` of a record.LogBatch
//! ```
//!
//! A pack holds as many entries as fit; one that is too large for it alone is split into
//! parts. No value may be large: sled puts large ones into files of their own, which it never
//! syncs. This module must never touch sled itself.

use super::super::LogBatch;
use super::super::codec::{Pieces, entry_size};
use super::super::shape::Shape;
use crate::wire::GroupId;
use raft::eraftpb::Entry;
use std::collections::BTreeMap;

/// Longest value.
pub(super) const VALUE_BYTES: usize = 60 << 10;
const KEY_BYTES: usize = 21;

/// Where a pack lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pack {
    pub(super) last_index: u64,
    pub(super) parts: u32,
}

pub(super) fn state_key(group: GroupId) -> [u8; 9] {
    let mut key = [0; 9];
    key[..8].copy_from_slice(&group.to_be_bytes());
    key
}

pub(super) fn entries_prefix(group: GroupId) -> [u8; 9] {
    let mut key = state_key(group);
    key[8] = 1;
    key
}

pub(super) fn pack_key(group: GroupId, first_index: u64, part: u32) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    key[..9].copy_from_slice(&entries_prefix(group));
    key[9..17].copy_from_slice(&first_index.to_be_bytes());
    key[17..].copy_from_slice(&part.to_be_bytes());
    key
}

/// The first index and the part of a pack's key.
pub(super) fn parse_pack_key(key: &[u8]) -> Option<(u64, u32)> {
    let (index, part) = key.get(9..)?.split_first_chunk()?;
    Some((u64::from_be_bytes(*index), u32::from_be_bytes(part.try_into().ok()?)))
}

/// Cuts entries into packs: for each, its first index, itself, and its values part by part.
pub(super) fn pack(entries: &[Entry]) -> Vec<(u64, Pack, Vec<Vec<u8>>)> {
    let mut packs = Vec::new();
    let mut rest = entries;
    let mut pieces = Pieces::default();
    while let Some(first) = rest.first() {
        let mut bytes = 1;
        let fits = rest.iter().take_while(|entry| {
            bytes += entry_size(entry);
            bytes <= VALUE_BYTES
        });
        let (packed, later) = rest.split_at(fits.count().max(1));
        rest = later;
        pieces.reset(0);
        packed.iter().for_each(|entry| pieces.put_entry(entry));
        let bytes = pieces.slices().collect::<Vec<_>>().concat();
        let parts = bytes.chunks(VALUE_BYTES - 1);
        let last = parts.len() - 1;
        let values: Vec<Vec<u8>> =
            parts.enumerate().map(|(i, part)| [&[u8::from(i < last)], part].concat()).collect();
        let last_index = first.index + packed.len() as u64 - 1;
        packs.push((first.index, Pack { last_index, parts: values.len() as u32 }, values));
    }
    packs
}

/// The keys that one write sets (`Some`) and removes. Later changes of a key replace earlier ones.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) puts: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Changes {
    pub(super) fn put_state(&mut self, group: GroupId, shape: &Shape) {
        let state =
            LogBatch { hard_state: shape.hard_state.clone(), reset: Some(shape.base), entries: Vec::new() };
        let mut pieces = Pieces::default();
        pieces.put_batch_body(group, &state);
        let value = pieces.slices().collect::<Vec<_>>().concat();
        self.puts.insert(state_key(group).to_vec(), Some(value));
    }

    pub(super) fn insert_pack(&mut self, group: GroupId, first: u64, values: Vec<Vec<u8>>) {
        for (part, value) in (0..).zip(values) {
            self.puts.insert(pack_key(group, first, part).to_vec(), Some(value));
        }
    }

    pub(super) fn remove_pack(&mut self, group: GroupId, first: u64, pack: Pack) {
        for part in 0..pack.parts {
            self.puts.insert(pack_key(group, first, part).to_vec(), None);
        }
    }
}
