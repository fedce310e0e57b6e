//! What travels for each entry and each round of reads, without protobuf, which costs ten times as
//! much: plain numbers, and Raft's `MsgAppend` and the `MsgAppendResponse` that accepts it:
//!
//! ```text
//! append    u64 LE  from, to, term, log_term, index, commit
//!           then for each entry, numbered from index + 1 on:
//!           u64 LE term, u8 kind, u32 LE length, data
//! accepted  u64 LE  from, to, term, index, commit
//! ```
//!
//! A message that says anything else (a rejection, a context) is none of these, and travels as
//! protobuf. This module must never change a message on its way, and never trust a length.

use super::WireError;
use bytes::Bytes;
use protobuf::ProtobufEnum as _;
use raft::eraftpb::{Entry, EntryType, Message, MessageType};

const APPEND_HEAD_BYTES: usize = 6 * 8;
const ENTRY_HEAD_BYTES: usize = 8 + 1 + 4;

/// How a message can be written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// With [`put_append`].
    Append,
    /// With [`put_accepted`].
    Accepted,
}

/// Whether, and how. Looks at every field of the message.
pub(super) fn plain(message: &Message) -> Option<Plain> {
    let is_plain = message.commit_term == 0
        && message.request_snapshot == 0
        && !message.reject
        && message.reject_hint == 0
        && message.deprecated_priority == 0
        && message.priority == 0
        && message.context.is_empty()
        && message.snapshot.is_none();
    match message.msg_type {
        MessageType::MsgAppend if is_plain && follow(message) => Some(Plain::Append),
        MessageType::MsgAppendResponse if is_plain && message.log_term == 0 && message.entries.is_empty() => {
            Some(Plain::Accepted)
        }
        _ => None,
    }
}

/// Whether the entries' numbers, and lengths, can be left to the reader.
fn follow(message: &Message) -> bool {
    let mut index = message.index;
    message.entries.iter().all(|entry| {
        index = index.wrapping_add(1);
        entry.index == index
            && entry.context.is_empty()
            && !entry.sync_log
            && u32::try_from(entry.data.len()).is_ok()
    })
}

/// How many bytes [`put_append`] appends.
pub(super) fn append_len(message: &Message) -> usize {
    let entries = message.entries.iter().map(|entry| ENTRY_HEAD_BYTES + entry.data.len());
    APPEND_HEAD_BYTES + entries.sum::<usize>()
}

/// Appends the message but for the data of its last entry, which is to follow.
pub(super) fn put_append(out: &mut Vec<u8>, message: &Message) {
    let Message { from, to, term, log_term, index, commit, .. } = *message;
    put_numbers(out, [from, to, term, log_term, index, commit]);
    for (i, entry) in message.entries.iter().enumerate() {
        let mut head = [0; ENTRY_HEAD_BYTES];
        head[..8].copy_from_slice(&entry.term.to_le_bytes());
        head[8] = entry.entry_type as u8;
        head[9..].copy_from_slice(&(entry.data.len() as u32).to_le_bytes());
        out.extend_from_slice(&head);
        if i + 1 < message.entries.len() {
            out.extend_from_slice(&entry.data);
        }
    }
}

/// Appends the message.
pub(super) fn put_accepted(out: &mut Vec<u8>, message: &Message) {
    let Message { from, to, term, index, commit, .. } = *message;
    put_numbers(out, [from, to, term, index, commit]);
}

/// Appends numbers of eight bytes.
pub(super) fn put_numbers<const COUNT: usize>(out: &mut Vec<u8>, numbers: [u64; COUNT]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

/// Reads what [`put_numbers`] appended, and nothing besides.
pub(super) fn read_numbers<const COUNT: usize>(bytes: &[u8]) -> Result<[u64; COUNT], WireError> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    let numbers: &[_; COUNT] = numbers.try_into().map_err(|_| WireError::new("numbers"))?;
    if rest.is_empty() { Ok(numbers.map(u64::from_le_bytes)) } else { Err(WireError::new("numbers")) }
}

fn take<const COUNT: usize>(bytes: &mut &[u8]) -> Result<[u8; COUNT], WireError> {
    let (head, rest) = bytes.split_first_chunk().ok_or(WireError::new("append"))?;
    *bytes = rest;
    Ok(*head)
}

fn take_number(bytes: &mut &[u8]) -> Result<u64, WireError> {
    take(bytes).map(u64::from_le_bytes)
}

/// Reads what [`put_append`] and the data behind it are. The entries share the bytes.
pub(super) fn read_append(payload: &Bytes) -> Result<Message, WireError> {
    let rest = &mut &payload[..];
    let mut message = Message {
        msg_type: MessageType::MsgAppend,
        from: take_number(rest)?,
        to: take_number(rest)?,
        term: take_number(rest)?,
        log_term: take_number(rest)?,
        index: take_number(rest)?,
        commit: take_number(rest)?,
        ..Message::default()
    };
    let mut entries = Vec::with_capacity(usize::from(!rest.is_empty()));
    let mut index = message.index;
    while !rest.is_empty() {
        index = index.checked_add(1).ok_or(WireError::new("append"))?;
        let term = take_number(rest)?;
        let [kind] = take(rest)?;
        let kind = EntryType::from_i32(i32::from(kind)).ok_or(WireError::new("kind of entry"))?;
        let len = u32::from_le_bytes(take(rest)?) as usize;
        let (data, behind) = rest.split_at_checked(len).ok_or(WireError::new("append"))?;
        // An empty slice must not hold on to the buffer.
        let data = if data.is_empty() { Bytes::new() } else { payload.slice_ref(data) };
        entries.push(Entry { entry_type: kind, term, index, data, ..Entry::default() });
        *rest = behind;
    }
    message.entries = entries.into();
    Ok(message)
}

/// Reads what [`put_accepted`] appended.
pub(super) fn read_accepted(payload: &[u8]) -> Result<Message, WireError> {
    let [from, to, term, index, commit] = read_numbers(payload)?;
    let msg_type = MessageType::MsgAppendResponse;
    Ok(Message { msg_type, from, to, term, index, commit, ..Message::default() })
}

#[cfg(test)]
mod tests;
