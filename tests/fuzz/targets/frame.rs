//! Frames of peers: what was read can be written, shared or not, and is read as the same.

use crate::source::{Source, pieces};
use bowline::wire::frame::Frame;
use bytes::BytesMut;

/// Above what any input here makes.
const MAX_BYTES: usize = 1 << 20;

/// All frames of a stream, and whether it ended with an error.
fn take<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, bool) {
    let mut input = BytesMut::new();
    let mut frames = Vec::new();
    for read in reads {
        input.extend_from_slice(read);
        loop {
            match Frame::take(&mut input, MAX_BYTES) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}

/// A frame with any kind and payload, whose length and checksum are right.
fn put_frame(out: &mut Vec<u8>, kind_and_payload: &[u8]) {
    out.extend_from_slice(&(kind_and_payload.len() as u32 + 4).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(kind_and_payload).to_le_bytes());
    out.extend_from_slice(kind_and_payload);
}

/// Fields that the schema does not know are not compared: they need not survive.
fn assert_same(taken: &(Vec<Frame>, bool), frame: &Frame, how: &str) {
    let expected = (vec![frame.clone()], false);
    assert!(*taken == expected || format!("{taken:?}") == format!("{expected:?}"), "{how}: {taken:?}");
}

pub fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let (how, seed) = (source.byte(), source.byte());
    let mut bytes = Vec::new();
    match how % 3 {
        0 => bytes.extend_from_slice(source.rest()),
        1 => put_frame(&mut bytes, source.rest()),
        _ => {
            while !source.is_empty() {
                put_frame(&mut bytes, source.some_bytes());
            }
        }
    }
    let whole = take([&bytes[..]]);
    assert_eq!(whole, take(bytes.chunks(1)), "byte by byte");
    assert_eq!(whole, take(pieces(&bytes, seed)), "in pieces");
    for frame in whole.0 {
        let mut copied = Vec::new();
        frame.put(&mut copied);
        assert_same(&take([&copied[..]]), &frame, "written again");
        let mut shared = Vec::new();
        let tail = frame.clone().put_sharing(&mut shared);
        assert_same(&take([&shared[..], &tail[..]]), &frame, "written and shared");
    }
}
