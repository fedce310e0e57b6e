//! Peer frames: `u32 LE` length of what follows, `u32 LE` CRC32C of the rest, `u8` kind,
//! payload. Raft's own messages and forwarded batches are not wrapped a second time.

use super::WireError;
use super::entry::Batch;
use super::proto::peer;
use super::replication::{self, Plain};
use bytes::{Buf, Bytes, BytesMut};
use raft::eraftpb;

/// Length and checksum.
pub const HEADER_BYTES: usize = 8;
/// From here on, what ends a frame is shared instead of copied.
const SHARED_BYTES: usize = 64 << 10;

/// Which of a peer's connections a message takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Heartbeats, votes, read index: never behind data.
    Control,
    /// Appends and forwarded batches.
    Data,
    /// One snapshot.
    Snapshot,
}

/// What one group says to the same group on another node.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerMessage {
    /// raft-rs's own. Never of type `MsgSnapshot`: those go through the snapshot stream.
    Raft(eraftpb::Message),
    /// A batch for the leader to propose.
    Forward(Batch),
    /// The receiver of a forwarded batch does not lead.
    ForwardRefused(peer::ForwardRefused),
    /// Asks the leader for a read index.
    ReadIndexRequest(peer::ReadIndexRequest),
    /// The leader's answer.
    ReadIndexResponse(peer::ReadIndexResponse),
    /// Asks a follower whether the sender still leads.
    ReadRound(peer::ReadRound),
    /// It does.
    ReadRoundAck(peer::ReadRoundAck),
    /// Asks the leader to hand leadership to a node.
    TransferLeader(peer::TransferLeader),
}

/// Everything that may stand in a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// The acceptor's first frame.
    Challenge(peer::Challenge),
    /// The dialler's answer to it.
    Hello(peer::Hello),
    /// The answer to that.
    Welcome(peer::Welcome),
    /// A message for the group.
    Message(PeerMessage),
    /// The start of a snapshot stream.
    SnapshotHeader(eraftpb::Message),
    /// A chunk: a `snapshot.Chunk`.
    SnapshotChunk(Bytes),
    /// The end of the stream.
    SnapshotEnd(peer::SnapshotEnd),
    /// What became of it.
    SnapshotResult(peer::SnapshotResult),
}

mod kind {
    pub const HELLO: u8 = 1;
    pub const WELCOME: u8 = 2;
    pub const RAFT: u8 = 3;
    pub const FORWARD: u8 = 4;
    pub const FORWARD_REFUSED: u8 = 5;
    pub const READ_INDEX_REQUEST: u8 = 6;
    pub const READ_INDEX_RESPONSE: u8 = 7;
    pub const READ_ROUND: u8 = 8;
    pub const READ_ROUND_ACK: u8 = 9;
    pub const SNAPSHOT_HEADER: u8 = 10;
    pub const SNAPSHOT_CHUNK: u8 = 11;
    pub const SNAPSHOT_END: u8 = 12;
    pub const SNAPSHOT_RESULT: u8 = 13;
    pub const CHALLENGE: u8 = 14;
    pub const TRANSFER_LEADER: u8 = 15;
    pub const APPEND: u8 = 16;
    pub const APPEND_ACCEPTED: u8 = 17;
}

impl PeerMessage {
    /// The connection this message belongs on. Everything that Raft's liveness rests on is
    /// small and takes the control lane; what carries entries keeps its order on the data lane.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Raft(message) => match message.get_msg_type() {
                eraftpb::MessageType::MsgAppend | eraftpb::MessageType::MsgAppendResponse => Lane::Data,
                _ => Lane::Control,
            },
            Self::Forward(_) | Self::ForwardRefused(_) => Lane::Data,
            _ => Lane::Control,
        }
    }

    /// Bytes at the end of the message's frame that [`Frame::put_sharing`] does not copy.
    pub fn shared_len(&self) -> usize {
        let len = match self {
            Self::Raft(message) => message.entries.last().map_or(0, |entry| entry.data.len()),
            Self::Forward(batch) => batch.body.len(),
            _ => 0,
        };
        let is_plain = |message| replication::plain(message) == Some(Plain::Append);
        match self {
            _ if len < SHARED_BYTES => 0,
            Self::Raft(message) if !is_plain(message) => 0,
            _ => len,
        }
    }
}

impl Frame {
    /// So that a frame of every entry is written without growing its buffer again.
    fn len_hint(&self) -> usize {
        match self {
            Self::Message(PeerMessage::Raft(message)) => HEADER_BYTES + 1 + replication::append_len(message),
            _ => 0,
        }
    }

    /// Appends the frame, header and all.
    pub fn put(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.reserve(self.len_hint());
        out.extend_from_slice(&[0; HEADER_BYTES]);
        match self {
            Self::Challenge(m) => put_message(out, kind::CHALLENGE, m),
            Self::Hello(m) => put_message(out, kind::HELLO, m),
            Self::Welcome(m) => put_message(out, kind::WELCOME, m),
            Self::Message(PeerMessage::Raft(m)) => {
                let data = put_raft(out, m);
                out.extend_from_slice(&data);
            }
            Self::Message(PeerMessage::Forward(batch)) => {
                out.push(kind::FORWARD);
                batch.put(out);
            }
            Self::Message(PeerMessage::ForwardRefused(m)) => put_message(out, kind::FORWARD_REFUSED, m),
            Self::Message(PeerMessage::ReadIndexRequest(m)) => put_message(out, kind::READ_INDEX_REQUEST, m),
            Self::Message(PeerMessage::ReadIndexResponse(m)) => {
                put_message(out, kind::READ_INDEX_RESPONSE, m)
            }
            Self::Message(PeerMessage::ReadRound(m)) => {
                out.push(kind::READ_ROUND);
                replication::put_numbers(out, [m.term, m.round]);
            }
            Self::Message(PeerMessage::ReadRoundAck(m)) => {
                out.push(kind::READ_ROUND_ACK);
                replication::put_numbers(out, [m.term, m.round, m.promise_us]);
            }
            Self::Message(PeerMessage::TransferLeader(m)) => put_message(out, kind::TRANSFER_LEADER, m),
            Self::SnapshotHeader(m) => put_message(out, kind::SNAPSHOT_HEADER, m),
            Self::SnapshotChunk(chunk) => {
                out.push(kind::SNAPSHOT_CHUNK);
                out.extend_from_slice(chunk);
            }
            Self::SnapshotEnd(m) => put_message(out, kind::SNAPSHOT_END, m),
            Self::SnapshotResult(m) => put_message(out, kind::SNAPSHOT_RESULT, m),
        }
        put_header(out, start, &[]);
    }

    /// Appends the frame but for its end, which comes back and belongs right behind: a long
    /// value is not copied for each peer that it goes to. Empty: the frame is whole.
    pub fn put_sharing(self, out: &mut Vec<u8>) -> Bytes {
        let start = out.len();
        let tail = match self {
            Self::Message(message) if message.shared_len() == 0 => {
                Self::Message(message).put(out);
                return Bytes::new();
            }
            Self::Message(PeerMessage::Forward(batch)) => {
                out.extend_from_slice(&[0; HEADER_BYTES]);
                out.push(kind::FORWARD);
                batch.put_head(out);
                batch.body
            }
            Self::Message(PeerMessage::Raft(message)) => {
                out.extend_from_slice(&[0; HEADER_BYTES]);
                put_raft(out, &message)
            }
            frame => {
                frame.put(out);
                return Bytes::new();
            }
        };
        put_header(out, start, &tail);
        tail
    }

    /// Takes the next whole frame off `input`; `None` when more bytes are needed.
    /// `max_len` bounds the length that a peer may announce.
    pub fn take(input: &mut BytesMut, max_len: usize) -> Result<Option<Self>, WireError> {
        let Some((head, _)) = input.split_first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_le_bytes(*head) as usize;
        if len < 5 || len > max_len {
            return Err(WireError::new("frame length"));
        }
        if input.len() < 4 + len {
            input.reserve(4 + len - input.len());
            return Ok(None);
        }
        let mut frame = input.split_to(4 + len).freeze();
        frame.advance(4);
        let checksum = frame.get_u32_le();
        if crc32c::crc32c(&frame) != checksum {
            return Err(WireError::new("frame checksum"));
        }
        let kind = frame.get_u8();
        Self::read(kind, &frame).map(Some)
    }

    fn read(kind: u8, payload: &Bytes) -> Result<Self, WireError> {
        Ok(match kind {
            kind::CHALLENGE => Self::Challenge(read_message(payload)?),
            kind::HELLO => Self::Hello(read_message(payload)?),
            kind::WELCOME => Self::Welcome(read_message(payload)?),
            kind::RAFT => Self::Message(PeerMessage::Raft(read_message(payload)?)),
            kind::APPEND => Self::Message(PeerMessage::Raft(replication::read_append(payload)?)),
            kind::APPEND_ACCEPTED => Self::Message(PeerMessage::Raft(replication::read_accepted(payload)?)),
            kind::FORWARD => Self::Message(PeerMessage::Forward(Batch::read(payload)?)),
            kind::FORWARD_REFUSED => Self::Message(PeerMessage::ForwardRefused(read_message(payload)?)),
            kind::READ_INDEX_REQUEST => Self::Message(PeerMessage::ReadIndexRequest(read_message(payload)?)),
            kind::READ_INDEX_RESPONSE => {
                Self::Message(PeerMessage::ReadIndexResponse(read_message(payload)?))
            }
            kind::READ_ROUND => {
                let [term, round] = replication::read_numbers(payload)?;
                let asked = peer::ReadRound { term, round, ..Default::default() };
                Self::Message(PeerMessage::ReadRound(asked))
            }
            kind::READ_ROUND_ACK => {
                let [term, round, promise_us] = replication::read_numbers(payload)?;
                let ack = peer::ReadRoundAck { term, round, promise_us, ..Default::default() };
                Self::Message(PeerMessage::ReadRoundAck(ack))
            }
            kind::TRANSFER_LEADER => Self::Message(PeerMessage::TransferLeader(read_message(payload)?)),
            kind::SNAPSHOT_HEADER => Self::SnapshotHeader(read_message(payload)?),
            kind::SNAPSHOT_CHUNK => Self::SnapshotChunk(payload.clone()),
            kind::SNAPSHOT_END => Self::SnapshotEnd(read_message(payload)?),
            kind::SNAPSHOT_RESULT => Self::SnapshotResult(read_message(payload)?),
            _ => return Err(WireError::new("kind of frame")),
        })
    }
}

/// Fills in the header of the frame that begins at `start` and goes on with `tail`.
fn put_header(out: &mut [u8], start: usize, tail: &[u8]) {
    let mut checksum = crc32c::crc32c(&out[start + HEADER_BYTES..]);
    if !tail.is_empty() {
        checksum = crc32c::crc32c_append(checksum, tail);
    }
    let len = (out.len() + tail.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    out[start + 4..start + HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
}

/// Appends the message but for the data of its last entry, which comes back and is to follow.
fn put_raft(out: &mut Vec<u8>, message: &eraftpb::Message) -> Bytes {
    match replication::plain(message) {
        Some(Plain::Append) => {
            out.push(kind::APPEND);
            replication::put_append(out, message);
            return message.entries.last().map_or_else(Bytes::new, |last| last.data.clone());
        }
        Some(Plain::Accepted) => {
            out.push(kind::APPEND_ACCEPTED);
            replication::put_accepted(out, message);
        }
        None => put_message(out, kind::RAFT, message),
    }
    Bytes::new()
}

fn put_message(out: &mut Vec<u8>, kind: u8, message: &impl protobuf::Message) {
    out.push(kind);
    message.write_to_vec(out).expect("writing a message without required fields to memory cannot fail");
}

/// Parses so that byte fields of the `Bytes` type share the frame's buffer.
fn read_message<M: protobuf::Message>(payload: &Bytes) -> Result<M, WireError> {
    let mut input = protobuf::CodedInputStream::from_carllerche_bytes(payload);
    let mut message = M::new();
    message.merge_from(&mut input).map_err(|_| WireError::new("frame"))?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Frame> {
        let mut append = eraftpb::Message::default();
        append.set_msg_type(eraftpb::MessageType::MsgAppend);
        append.term = 7;
        let entry = eraftpb::Entry { index: 3, data: Bytes::from_static(b"data"), ..Default::default() };
        append.entries = vec![entry].into();
        let batch = Batch { origin: 1, boot: 2, seq: 3, body: Bytes::from_static(b"body") };
        vec![
            Frame::Hello(peer::Hello { from: 1, to: 2, ..Default::default() }),
            Frame::Message(PeerMessage::Raft(append)),
            Frame::Message(PeerMessage::Forward(batch)),
            Frame::SnapshotChunk(Bytes::from_static(b"chunk")),
            Frame::Message(PeerMessage::ReadRound(peer::ReadRound {
                term: 7,
                round: 9,
                ..Default::default()
            })),
            Frame::Message(PeerMessage::ReadRoundAck(peer::ReadRoundAck {
                term: 7,
                round: 9,
                promise_us: 180_000,
                ..Default::default()
            })),
        ]
    }

    #[test]
    fn frames_come_back_the_same_in_any_pieces() {
        let mut bytes = Vec::new();
        samples().iter().for_each(|frame| frame.put(&mut bytes));
        let mut input = BytesMut::new();
        let mut read = Vec::new();
        for byte in bytes {
            input.extend_from_slice(&[byte]);
            while let Some(frame) = Frame::take(&mut input, 1 << 20).unwrap() {
                read.push(frame);
            }
        }
        assert_eq!(read, samples());
    }

    #[test]
    fn long_ends_are_shared_and_read_the_same() {
        let long = Bytes::from(vec![5; SHARED_BYTES]);
        let entry =
            |index, data: &Bytes| eraftpb::Entry { index, term: 3, data: data.clone(), ..Default::default() };
        let append = |entries: Vec<eraftpb::Entry>| {
            let mut append = eraftpb::Message { term: 7, commit: 8, ..Default::default() };
            append.set_msg_type(eraftpb::MessageType::MsgAppend);
            append.entries = entries.into();
            Frame::Message(PeerMessage::Raft(append))
        };
        let short = Bytes::from_static(b"short");
        let batch = Batch { origin: 1, boot: 2, seq: 3, body: long.clone() };
        let with_context = eraftpb::Entry { context: Bytes::from_static(b"context"), ..entry(1, &long) };
        let shared = [
            append(vec![entry(1, &long)]),
            append(vec![entry(1, &long), entry(2, &short), entry(3, &long)]),
            Frame::Message(PeerMessage::Forward(batch)),
        ];
        let copied =
            [append(vec![entry(1, &long), entry(2, &short)]), append(vec![]), append(vec![with_context])];
        for (frames, tail) in [(&shared[..], &long), (&copied[..], &Bytes::new())] {
            for frame in frames {
                let mut bytes = vec![0xee; 3]; // of a frame before it
                let shared = frame.clone().put_sharing(&mut bytes);
                assert_eq!(&shared, tail);
                let Frame::Message(message) = frame else { panic!("all of these are messages") };
                assert_eq!(message.shared_len(), tail.len());
                bytes.extend_from_slice(&shared);
                let mut input = BytesMut::from(&bytes[3..]);
                assert_eq!(Frame::take(&mut input, 1 << 20).unwrap().as_ref(), Some(frame));
                assert!(input.is_empty());
            }
        }
    }

    #[test]
    fn a_flipped_bit_or_a_huge_length_is_an_error() {
        let mut bytes = Vec::new();
        samples()[1].put(&mut bytes);
        for i in 4..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[i] ^= 1;
            assert!(Frame::take(&mut BytesMut::from(&flipped[..]), 1 << 20).is_err(), "byte {i}");
        }
        assert!(Frame::take(&mut BytesMut::from(&[0xff, 0xff, 0xff, 0xff][..]), 1 << 20).is_err());
    }
}
