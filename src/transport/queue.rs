//! What waits to be sent on one lane: encoded frames in segments, so that memory goes back
//! piece by piece while a backlog drains and no byte is moved twice; the long end of a frame
//! is not even copied, and shared with the queues of the other peers and the log. It must never hold
//! more than its bound, except for one frame that is larger than the bound on its own.

use crate::limits::PEER_BUFFER_BYTES;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{self, IoSlice};

/// A segment takes no further frame once it is this long.
const SEGMENT_BYTES: usize = PEER_BUFFER_BYTES;
/// An empty segment with more capacity than this is given back.
const KEEP_BYTES: usize = 4 * SEGMENT_BYTES;
/// Bytes offered to one system call, so that it does not keep the thread for long.
const MAX_WRITE_BYTES: usize = 1 << 20;
const MAX_SLICES: usize = 16;

/// A piece of the queue.
#[derive(Debug)]
enum Segment {
    /// Frames encoded here.
    Own(Vec<u8>),
    /// The long end of a frame, which others hold too.
    Shared(Bytes),
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// Frames of one lane, in order.
#[derive(Debug)]
pub(super) struct OutQueue {
    segments: VecDeque<Segment>,
    /// Of the first segment: bytes already written.
    written: usize,
    len_bytes: usize,
    max_bytes: usize,
}

impl OutQueue {
    pub fn new(max_bytes: usize) -> Self {
        Self { segments: VecDeque::new(), written: 0, len_bytes: 0, max_bytes }
    }

    pub fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    pub fn is_empty(&self) -> bool {
        self.len_bytes == 0
    }

    /// Queues what `encode` appends and returns, about `size_hint` bytes; `own_hint` of them it
    /// appends. False: full, nothing was queued.
    pub fn push(
        &mut self,
        size_hint: usize,
        own_hint: usize,
        encode: impl FnOnce(&mut Vec<u8>) -> Bytes,
    ) -> bool {
        if self.len_bytes > 0 && self.len_bytes + size_hint > self.max_bytes {
            return false;
        }
        let has_room = match self.segments.back() {
            Some(Segment::Own(last)) => last.is_empty() || last.len() + own_hint <= SEGMENT_BYTES,
            _ => false,
        };
        if !has_room {
            self.segments.push_back(Segment::Own(Vec::new()));
        }
        let Some(Segment::Own(last)) = self.segments.back_mut() else { return false };
        let start = last.len();
        // Exactly: doubling would hold twice a large frame's bytes.
        if own_hint > SEGMENT_BYTES {
            last.reserve_exact(own_hint);
        }
        let shared = encode(last);
        let added = last.len() - start + shared.len();
        if self.len_bytes > 0 && self.len_bytes + added > self.max_bytes {
            last.truncate(start);
            if start == 0 {
                self.segments.pop_back();
            }
            return false;
        }
        if !shared.is_empty() {
            self.segments.push_back(Segment::Shared(shared));
        }
        self.len_bytes += added;
        true
    }

    /// One call of `write` with what is queued, as far as one call should take it; forgets
    /// what it took. `Ok(0)` when nothing is queued.
    pub fn write_with(
        &mut self,
        write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.is_empty() {
            return Ok(0);
        }
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let (mut count, mut budget, mut skip) = (0, MAX_WRITE_BYTES, self.written);
        for (slice, segment) in slices.iter_mut().zip(&self.segments) {
            let segment = segment.bytes();
            let offered = &segment[skip..segment.len().min(skip + budget)];
            *slice = IoSlice::new(offered);
            (count, budget, skip) = (count + 1, budget - offered.len(), 0);
            if budget == 0 {
                break;
            }
        }
        let taken = write(&slices[..count])?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.forget(taken);
        Ok(taken)
    }

    fn forget(&mut self, mut count: usize) {
        self.len_bytes -= count;
        let mut segments_left = self.segments.len();
        while let Some(first) = self.segments.front_mut() {
            let left = first.bytes().len() - self.written;
            if count < left {
                self.written += count;
                return;
            }
            count -= left;
            self.written = 0;
            if let Segment::Own(last) = first
                && segments_left == 1
                && last.capacity() <= KEEP_BYTES
            {
                last.clear();
                return;
            }
            self.segments.pop_front();
            segments_left -= 1;
        }
    }

    /// Forgets everything and gives the memory back; how many bytes were lost.
    pub fn clear(&mut self) -> usize {
        let lost = self.len_bytes;
        *self = Self::new(self.max_bytes);
        lost
    }

    #[cfg(test)]
    fn capacity(&self) -> usize {
        let own = |segment: &Segment| match segment {
            Segment::Own(bytes) => bytes.capacity(),
            Segment::Shared(_) => 0,
        };
        self.segments.iter().map(own).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut OutQueue, per_call: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !queue.is_empty() {
            let write = |slices: &[IoSlice<'_>]| {
                let before = out.len();
                out.extend(slices.iter().flat_map(|slice| slice.iter()).take(per_call));
                Ok(out.len() - before)
            };
            queue.write_with(write).unwrap();
        }
        out
    }

    fn own(out: &mut Vec<u8>, bytes: &[u8]) -> Bytes {
        out.extend_from_slice(bytes);
        Bytes::new()
    }

    #[test]
    fn shared_ends_come_out_in_their_places_and_count() {
        let long = Bytes::from(vec![7; 3 << 20]);
        for per_call in [4096, 100_000, usize::MAX] {
            let mut queue = OutQueue::new(10 << 20);
            let mut expected = Vec::new();
            for i in 0..3 {
                assert!(queue.push(3 << 20, 10, |out| {
                    out.extend_from_slice(&[i; 10]);
                    long.clone()
                }));
                assert!(queue.push(5, 5, |out| own(out, &[i; 5])));
                expected.extend_from_slice(&[&[i; 10][..], &long, &[i; 5]].concat());
            }
            assert_eq!(queue.len_bytes(), expected.len());
            assert!(queue.capacity() < 1 << 10, "the long ends are not copied");
            assert!(!queue.push(4 << 20, 10, |_| panic!("full")));
            assert!(!queue.push(10, 10, |_| long.clone()), "a hint too small");
            assert_eq!(queue.len_bytes(), expected.len());
            assert_eq!(drain(&mut queue, per_call), expected);
        }
    }

    #[test]
    fn bytes_come_out_in_order_whatever_a_write_takes() {
        for per_call in [1, 7, 4096, 100_000, usize::MAX] {
            let mut queue = OutQueue::new(1 << 20);
            let mut expected = Vec::new();
            for i in 0..300_usize {
                let frame = vec![i as u8; 1 + (i * i) % 2000];
                assert!(queue.push(frame.len() / 2, frame.len() / 2, |out| own(out, &frame)));
                expected.extend_from_slice(&frame);
            }
            assert_eq!(queue.len_bytes(), expected.len());
            assert_eq!(drain(&mut queue, per_call), expected);
            assert!(queue.capacity() <= KEEP_BYTES);
        }
    }

    #[test]
    fn full_means_refused_but_one_large_frame_passes() {
        let mut queue = OutQueue::new(1000);
        assert!(queue.push(0, 0, |out| own(out, &[1; 900])));
        assert!(!queue.push(200, 200, |_| panic!("the hint says enough")));
        assert!(!queue.push(0, 0, |out| own(out, &[2; 200])), "a hint too small");
        assert!(queue.push(0, 0, |out| own(out, &[3; 100])));
        assert_eq!(drain(&mut queue, 64), [vec![1; 900], vec![3; 100]].concat());
        assert!(queue.push(5 << 20, 5 << 20, |out| own(out, &vec![4; 5 << 20])));
        assert!(!queue.push(1, 1, |out| own(out, &[5])));
        assert_eq!(drain(&mut queue, 1 << 19).len(), 5 << 20);
        assert_eq!(queue.capacity(), 0, "what grew is given back");
    }
}
