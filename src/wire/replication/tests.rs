//! Messages drawn at random come back the same, whichever way they are written, and no bytes
//! make the readers do more than say that they are malformed.

use super::*;
use crate::wire::frame::{Frame, PeerMessage};
use bytes::BytesMut;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const ROUNDS: usize = 4000;
const MAX_FRAME_BYTES: usize = 1 << 20;

fn number(rng: &mut SmallRng) -> u64 {
    let shift = rng.random_range(0..64);
    rng.random::<u64>() >> shift
}

fn append(rng: &mut SmallRng) -> Message {
    let index = rng.random_range(0..1 << 40);
    let count = rng.random_range(0..4);
    let entries = (1..=count).map(|i| Entry {
        entry_type: EntryType::from_i32(rng.random_range(0..3)).unwrap(),
        term: number(rng),
        index: index + i,
        data: Bytes::from(vec![i as u8; rng.random_range(0..200)]),
        ..Entry::default()
    });
    let entries: Vec<Entry> = entries.collect();
    Message {
        msg_type: MessageType::MsgAppend,
        log_term: number(rng),
        entries: entries.into(),
        ..accepted(rng, index)
    }
}

fn accepted(rng: &mut SmallRng, index: u64) -> Message {
    Message {
        msg_type: MessageType::MsgAppendResponse,
        from: number(rng),
        to: number(rng),
        term: number(rng),
        commit: number(rng),
        index,
        ..Message::default()
    }
}

/// One field that a plain message does not have, or has otherwise.
fn spoil(rng: &mut SmallRng, message: &mut Message) {
    let last = message.entries.len().checked_sub(1);
    match (rng.random_range(0..12), last) {
        (0, _) => message.reject = true,
        (1, _) => message.reject_hint = 1,
        (2, _) => message.request_snapshot = 1,
        (3, _) => message.commit_term = 1,
        (4, _) => message.priority = -1,
        (5, _) => message.deprecated_priority = 1,
        (6, _) => message.context = Bytes::from_static(b"context"),
        (7, _) => message.msg_type = MessageType::MsgHeartbeat,
        (8, Some(last)) => message.entries[last].index += 1,
        (9, Some(last)) => message.entries[last].context = Bytes::from_static(b"context"),
        (10, Some(last)) => message.entries[last].sync_log = true,
        _ => message.mut_snapshot().mut_metadata().index = 1,
    }
}

fn through_a_frame(message: &Message) -> (u8, Message) {
    let mut bytes = Vec::new();
    Frame::Message(PeerMessage::Raft(message.clone())).put(&mut bytes);
    let kind = bytes[8];
    let read = Frame::take(&mut BytesMut::from(&bytes[..]), MAX_FRAME_BYTES).unwrap();
    let Some(Frame::Message(PeerMessage::Raft(read))) = read else { panic!("not the message: {read:?}") };
    (kind, read)
}

#[test]
fn any_message_comes_back_the_same() {
    let mut rng = SmallRng::seed_from_u64(1);
    let mut kinds = std::collections::BTreeMap::<u8, usize>::new();
    for round in 0..ROUNDS {
        let mut message = if round % 3 == 0 { accepted(&mut rng, 7) } else { append(&mut rng) };
        let is_spoilt = round % 4 == 0;
        if is_spoilt {
            spoil(&mut rng, &mut message);
        }
        assert_eq!(plain(&message).is_none(), is_spoilt, "{message:?}");
        let (kind, read) = through_a_frame(&message);
        assert_eq!(read, message);
        *kinds.entry(kind).or_default() += 1;
    }
    assert!(kinds.len() == 3 && kinds.values().all(|&count| count > ROUNDS / 10), "{kinds:?}");
}

#[test]
fn the_length_is_known_before() {
    let mut rng = SmallRng::seed_from_u64(2);
    for _ in 0..100 {
        let message = append(&mut rng);
        let mut out = Vec::new();
        put_append(&mut out, &message);
        let data = message.entries.last().map_or(0, |last| last.data.len());
        assert_eq!(out.len() + data, append_len(&message));
    }
}

#[test]
fn malformed_bytes_are_an_error() {
    let mut rng = SmallRng::seed_from_u64(3);
    let mut errors = 0;
    for _ in 0..ROUNDS {
        let message = append(&mut rng);
        let mut bytes = Vec::new();
        put_append(&mut bytes, &message);
        bytes.extend_from_slice(message.entries.last().map_or(&[][..], |last| &last.data));
        match rng.random_range(0..3) {
            0 => bytes.truncate(rng.random_range(0..bytes.len())),
            1 => bytes.extend_from_slice(&vec![0xff; rng.random_range(1..40)]),
            _ => {
                let at = rng.random_range(0..bytes.len());
                bytes[at] ^= 1 << rng.random_range(0..8);
            }
        }
        match read_append(&Bytes::from(bytes.clone())) {
            // What was read is what stands there, whatever that is.
            Ok(read) => {
                let mut again = Vec::new();
                put_append(&mut again, &read);
                again.extend_from_slice(read.entries.last().map_or(&[][..], |last| &last.data));
                assert_eq!(again, bytes);
            }
            Err(_) => errors += 1,
        }
        let noise: Vec<u8> = (0..rng.random_range(0..120)).map(|_| rng.random()).collect();
        assert_eq!(read_accepted(&noise).is_ok(), noise.len() == 5 * 8);
        let _ = read_append(&Bytes::from(noise));
    }
    assert!(errors > ROUNDS / 3, "{errors}");
    let mut last = Message { msg_type: MessageType::MsgAppend, index: u64::MAX, ..Message::default() };
    last.entries = vec![Entry::default()].into();
    let mut bytes = Vec::new();
    put_append(&mut bytes, &last);
    assert!(read_append(&Bytes::from(bytes)).is_err(), "there is no entry after the last number");
}
