//! A segment's records. Each starts at a multiple of 8:
//!
//! ```text
//! u32 LE  length of the payload, never 0
//! u32 LE  CRC32C of the payload
//! u32 LE  1, the format
//! u32 LE  CRC32C of the three before
//! payload: fields of protobuf
//!     1  record.LogBatch, to be applied (a record may hold several)
//!     2  record.LogBatch with hard state and reset: a group as it is; the log starts after
//!        the reset's point, and entries beyond it stay
//!     3  in the first record of a segment: how many bytes of the segment before are used
//!     4  zeroes, up to the end of a sector
//! ```
//!
//! Both CRCs start from a seed of the data directory's incarnation, the segment's id and the
//! record's offset: bytes of another segment, of a segment's earlier life or of a client's
//! value are never taken for a record. This module must never do IO or trust a length.

use super::super::codec::read_batch;
use super::super::{LogBatch, StoreError};
use crate::wire::GroupId;
use crate::wire::entry::next_field;
use bytes::Bytes;
use std::path::Path;

/// Bytes before the payload.
pub(super) const HEADER_BYTES: usize = 16;
/// `record.LogBatch`, to be applied.
pub(super) const BATCH: u32 = 1;
/// A group as it is.
pub(super) const STATE: u32 = 2;
/// Bytes used of the segment before.
pub(super) const BEFORE: u32 = 3;
/// Zeroes.
pub(super) const PADDING: u32 = 4;

const FORMAT: u32 = 1;

/// Where a record lies: what its checksums start from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed(u32);

impl Seed {
    pub(super) fn of_segment(salt: &[u8], segment: u64) -> Self {
        Self(crc32c::crc32c_append(crc32c::crc32c(salt), &segment.to_le_bytes()))
    }

    fn at(self, offset: u64) -> u32 {
        crc32c::crc32c_append(self.0, &offset.to_le_bytes())
    }
}

/// The header of a payload that is about to be written at `offset`.
pub(super) fn header<'a>(
    seed: Seed,
    offset: u64,
    len: u32,
    payload: impl Iterator<Item = &'a [u8]>,
) -> [u8; HEADER_BYTES] {
    let seed = seed.at(offset);
    let crc = payload.fold(seed, crc32c::crc32c_append);
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&len.to_le_bytes());
    header[4..8].copy_from_slice(&crc.to_le_bytes());
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    let crc = crc32c::crc32c_append(seed, &header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// What stands at an offset.
pub(super) enum Found<'a> {
    /// A whole record.
    Payload(&'a [u8]),
    /// A header that was written here, and a payload that is not the one it announces. Ends there.
    TornPayload(usize),
    /// No header.
    Nothing,
}

/// Looks for a record at `offset`.
pub(super) fn read(segment: &[u8], seed: Seed, offset: usize) -> Found<'_> {
    let Some((header, rest)) = segment.get(offset..).and_then(|rest| rest.split_at_checked(HEADER_BYTES))
    else {
        return Found::Nothing;
    };
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let len = word(0) as usize;
    if word(8) != FORMAT || len == 0 {
        return Found::Nothing;
    }
    let seed = seed.at(offset as u64);
    if crc32c::crc32c_append(seed, &header[..12]) != word(12) {
        return Found::Nothing;
    }
    match rest.get(..len) {
        Some(payload) if crc32c::crc32c_append(seed, payload) == word(4) => Found::Payload(payload),
        _ => Found::TornPayload(offset.saturating_add(HEADER_BYTES + len).min(segment.len())),
    }
}

/// The first valid record behind a bad one at `offset`.
pub(super) fn find_behind(segment: &[u8], seed: Seed, offset: usize) -> Option<usize> {
    let from = match read(segment, seed, offset) {
        Found::TornPayload(end) => end,
        _ => offset + 8,
    };
    let mut candidates = (from.next_multiple_of(8)..segment.len()).step_by(8);
    candidates.find(|&at| matches!(read(segment, seed, at), Found::Payload(_)))
}

/// What a record says, in order.
pub(super) enum Item {
    /// [`BATCH`]
    Batch(GroupId, LogBatch),
    /// [`STATE`]
    State(GroupId, LogBatch),
    /// [`BEFORE`]
    Before(u64),
}

/// Reads a payload that lies in `segment`. An error means that we once wrote nonsense.
pub(super) fn items(
    path: &Path,
    offset: usize,
    segment: &Bytes,
    mut payload: &[u8],
) -> Result<Vec<Item>, StoreError> {
    let mut items = Vec::new();
    while !payload.is_empty() {
        let item = next_field(&mut payload, "record").and_then(|(field, value)| match field {
            PADDING => value.bytes("padding").map(|_| None),
            BATCH => read_batch(segment, value.bytes("batch")?)
                .map(|(group, batch)| Some(Item::Batch(group, batch))),
            STATE => read_batch(segment, value.bytes("state")?)
                .map(|(group, batch)| Some(Item::State(group, batch))),
            BEFORE => value.varint("length").map(|used| Some(Item::Before(used))),
            _ => Err(crate::wire::WireError::new("field of a record")),
        });
        items.extend(item.map_err(|error| StoreError::corrupt(path, offset as u64, error.to_string()))?);
    }
    Ok(items)
}
