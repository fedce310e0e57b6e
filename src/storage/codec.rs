//! `record.LogBatch` by hand: the log's hot path. What is written is protobuf, and the tests
//! hold it against the generated code. Large data is not copied, only pointed to. This module
//! must never trust a length, and never do IO.

use super::{LogBase, LogBatch};
use crate::wire::entry::{Value, next_field, put_len_field, put_varint_field, varint_len};
use crate::wire::{GroupId, WireError};
use bytes::Bytes;
use protobuf::ProtobufEnum;
use raft::eraftpb::{Entry, EntryType, HardState};

/// Data from this size on is written from where it lies, and read without a copy.
const SHARED_BYTES: usize = 64 << 10;

/// Bytes to be written one after the other: small things copied into one buffer, large data
/// by reference between them.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    buffer: Vec<u8>,
    /// Data, and how much of the buffer comes before it.
    large: Vec<(usize, Bytes)>,
    large_bytes: usize,
}

impl Pieces {
    /// Empties it, with `reserved` zero bytes for the caller's header.
    pub(super) fn reset(&mut self, reserved: usize) {
        self.buffer.clear();
        self.buffer.resize(reserved, 0);
        self.large.clear();
        self.large_bytes = 0;
    }

    pub(super) fn len(&self) -> usize {
        self.buffer.len() + self.large_bytes
    }

    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    fn put_data(&mut self, field: u32, data: &Bytes) {
        if data.is_empty() {
            return;
        }
        put_len_field(&mut self.buffer, field, data.len());
        if data.len() < SHARED_BYTES {
            self.buffer.extend_from_slice(data);
        } else {
            self.large.push((self.buffer.len(), data.clone()));
            self.large_bytes += data.len();
        }
    }

    /// The slices to write, in order; none is empty.
    pub(super) fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.large.iter().map(|(at, _)| *at));
        let ends = self.large.iter().map(|(at, _)| *at).chain(std::iter::once(self.buffer.len()));
        let large = self.large.iter().map(|(_, data)| &data[..]).chain(std::iter::once(&[][..]));
        let slices = starts.zip(ends).zip(large);
        slices.flat_map(|((from, to), data)| [&self.buffer[from..to], data]).filter(|slice| !slice.is_empty())
    }

    /// Appends a batch as `field` of an enclosing message.
    pub(super) fn put_batch(&mut self, field: u32, group: GroupId, batch: &LogBatch) {
        put_len_field(&mut self.buffer, field, batch_len(group, batch));
        self.put_batch_body(group, batch);
    }

    /// Appends a `record.LogBatch`.
    pub(super) fn put_batch_body(&mut self, group: GroupId, batch: &LogBatch) {
        put_number(&mut self.buffer, 1, group);
        if let Some(hard_state) = &batch.hard_state {
            put_len_field(&mut self.buffer, 2, hard_state_len(hard_state));
            put_number(&mut self.buffer, 1, hard_state.term);
            put_number(&mut self.buffer, 2, hard_state.vote);
            put_number(&mut self.buffer, 3, hard_state.commit);
        }
        if let Some(base) = batch.reset {
            put_len_field(&mut self.buffer, 3, number_len(base.index) + number_len(base.term));
            put_number(&mut self.buffer, 1, base.index);
            put_number(&mut self.buffer, 2, base.term);
        }
        for entry in &batch.entries {
            self.put_entry(entry);
        }
    }

    /// Appends an entry as the field of its batch.
    pub(super) fn put_entry(&mut self, entry: &Entry) {
        put_len_field(&mut self.buffer, 4, entry_len(entry));
        put_number(&mut self.buffer, 1, entry.index);
        put_number(&mut self.buffer, 2, entry.term);
        put_number(&mut self.buffer, 3, entry.entry_type.value() as u64);
        self.put_data(4, &entry.data);
        self.put_data(5, &entry.context);
    }
}

/// How many bytes an entry takes in its batch, about; never less.
pub(super) fn entry_size(entry: &Entry) -> usize {
    entry_len(entry) + 11
}

fn put_number(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        put_varint_field(out, field, value);
    }
}

fn number_len(value: u64) -> usize {
    if value == 0 { 0 } else { 1 + varint_len(value) }
}

fn data_len(len: usize) -> usize {
    if len == 0 { 0 } else { field_len(len) }
}

fn field_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

fn hard_state_len(hard_state: &HardState) -> usize {
    number_len(hard_state.term) + number_len(hard_state.vote) + number_len(hard_state.commit)
}

fn entry_len(entry: &Entry) -> usize {
    let numbers = [entry.index, entry.term, entry.entry_type.value() as u64];
    let numbers: usize = numbers.iter().map(|&number| number_len(number)).sum();
    numbers + data_len(entry.data.len()) + data_len(entry.context.len())
}

fn batch_len(group: GroupId, batch: &LogBatch) -> usize {
    let hard_state = batch.hard_state.as_ref().map_or(0, |it| field_len(hard_state_len(it)));
    let reset = batch.reset.map_or(0, |base| field_len(number_len(base.index) + number_len(base.term)));
    let entries: usize = batch.entries.iter().map(|entry| field_len(entry_len(entry))).sum();
    number_len(group) + hard_state + reset + entries
}

/// Reads a `record.LogBatch` that lies in `whole`.
pub(super) fn read_batch(whole: &Bytes, mut bytes: &[u8]) -> Result<(GroupId, LogBatch), WireError> {
    let mut group = 0;
    let mut batch = LogBatch::default();
    while !bytes.is_empty() {
        match next_field(&mut bytes, "log batch")? {
            (1, value) => group = value.varint("group")?,
            (2, value) => batch.hard_state = Some(read_hard_state(value.bytes("hard state")?)?),
            (3, value) => {
                let [index, term, _] = read_numbers(value.bytes("log base")?, "log base")?;
                batch.reset = Some(LogBase { index, term });
            }
            (4, value) => batch.entries.push(read_entry(whole, value.bytes("log entry")?)?),
            _ => return Err(WireError::new("log batch")),
        }
    }
    Ok((group, batch))
}

fn read_numbers(mut bytes: &[u8], what: &'static str) -> Result<[u64; 3], WireError> {
    let mut numbers = [0; 3];
    while !bytes.is_empty() {
        let (field, value) = next_field(&mut bytes, what)?;
        let slot = numbers.get_mut((field as usize).wrapping_sub(1)).ok_or(WireError::new(what))?;
        *slot = value.varint(what)?;
    }
    Ok(numbers)
}

fn read_hard_state(bytes: &[u8]) -> Result<HardState, WireError> {
    let [term, vote, commit] = read_numbers(bytes, "hard state")?;
    Ok(HardState { term, vote, commit, ..HardState::default() })
}

fn read_entry(whole: &Bytes, mut bytes: &[u8]) -> Result<Entry, WireError> {
    let what = "log entry";
    let mut entry = Entry::default();
    while !bytes.is_empty() {
        match next_field(&mut bytes, what)? {
            (1, value) => entry.index = value.varint(what)?,
            (2, value) => entry.term = value.varint(what)?,
            (3, value) => {
                let kind = i32::try_from(value.varint(what)?).ok().and_then(EntryType::from_i32);
                entry.entry_type = kind.ok_or(WireError::new("kind of log entry"))?;
            }
            (4, value) => entry.data = read_data(whole, value)?,
            (5, value) => entry.context = read_data(whole, value)?,
            _ => return Err(WireError::new(what)),
        }
    }
    Ok(entry)
}

/// Small data is copied, so that one entry of a few bytes does not pin a whole segment.
fn read_data(whole: &Bytes, value: Value<'_>) -> Result<Bytes, WireError> {
    let data = value.bytes("log entry's data")?;
    if data.len() < SHARED_BYTES { Ok(Bytes::copy_from_slice(data)) } else { Ok(whole.slice_ref(data)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::proto::record as generated;
    use protobuf::Message;

    #[test]
    fn a_batch_is_what_the_generated_code_reads_and_comes_back_the_same() {
        let entry = |index, size: usize, kind| Entry {
            index,
            term: 7,
            entry_type: kind,
            data: Bytes::from(vec![index as u8; size]),
            context: Bytes::from_static(b"ctx"),
            ..Entry::default()
        };
        let batch = LogBatch {
            hard_state: Some(HardState { term: 7, vote: 2, commit: 0, ..HardState::default() }),
            reset: Some(LogBase { index: 300, term: 6 }),
            entries: vec![
                entry(301, 0, EntryType::EntryNormal),
                entry(302, SHARED_BYTES, EntryType::EntryConfChangeV2),
                entry(303, 5, EntryType::EntryConfChange),
                entry(304, SHARED_BYTES + 1, EntryType::EntryNormal),
            ],
        };
        let mut pieces = Pieces::default();
        pieces.reset(3);
        pieces.put_batch_body(900, &batch);
        assert_eq!(pieces.slices().count(), 5);
        let bytes: Vec<u8> = pieces.slices().collect::<Vec<_>>().concat();
        assert_eq!(bytes.len(), pieces.len());
        assert_eq!(bytes.len() - 3, batch_len(900, &batch));
        let parsed: generated::LogBatch = Message::parse_from_bytes(&bytes[3..]).unwrap();
        assert_eq!(parsed.get_entries()[1].get_data(), &batch.entries[1].data);
        assert_eq!(parsed.get_entries()[1].get_kind(), 2);
        assert_eq!(parsed.get_reset().get_index(), 300);
        assert_eq!(parsed.write_to_bytes().unwrap(), &bytes[3..]);
        let bytes = Bytes::from(bytes);
        assert_eq!(read_batch(&bytes, &bytes[3..]).unwrap(), (900, batch));
    }

    #[test]
    fn an_empty_hard_state_is_still_a_hard_state() {
        let batch = LogBatch { hard_state: Some(HardState::default()), ..LogBatch::default() };
        let mut pieces = Pieces::default();
        pieces.put_batch_body(1, &batch);
        let bytes = Bytes::copy_from_slice(pieces.slices().next().unwrap());
        assert_eq!(read_batch(&bytes, &bytes).unwrap(), (1, batch));
    }
}
