//! What waits to be sent on one lane: encoded frames in segments, so that memory goes back
//! piece by piece while a backlog drains and no byte is moved twice. It must never hold
//! more than its bound, except for one frame that is larger than the bound on its own.

use crate::limits::PEER_BUFFER_BYTES;
use std::collections::VecDeque;
use std::io::{self, IoSlice};

/// A segment takes no further frame once it is this long.
const SEGMENT_BYTES: usize = PEER_BUFFER_BYTES;
/// An empty segment with more capacity than this is given back.
const KEEP_BYTES: usize = 4 * SEGMENT_BYTES;
/// Bytes offered to one system call, so that it does not keep the thread for long.
const MAX_WRITE_BYTES: usize = 1 << 20;
const MAX_SLICES: usize = 16;

/// Frames of one lane, in order.
#[derive(Debug)]
pub(super) struct OutQueue {
    segments: VecDeque<Vec<u8>>,
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

    /// Queues what `encode` appends, about `size_hint` bytes. False: full, nothing was queued.
    pub fn push(&mut self, size_hint: usize, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.len_bytes > 0 && self.len_bytes + size_hint > self.max_bytes {
            return false;
        }
        if self.segments.back().is_none_or(|last| last.len() + size_hint > SEGMENT_BYTES && !last.is_empty())
        {
            self.segments.push_back(Vec::new());
        }
        let last = self.segments.back_mut().expect("pushed above when there was none");
        let start = last.len();
        // Exactly: doubling would hold twice a large frame's bytes.
        if size_hint > SEGMENT_BYTES {
            last.reserve_exact(size_hint);
        }
        encode(last);
        let added = last.len() - start;
        if self.len_bytes > 0 && self.len_bytes + added > self.max_bytes {
            last.truncate(start);
            if start == 0 {
                self.segments.pop_back();
            }
            return false;
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
            let left = first.len() - self.written;
            if count < left {
                self.written += count;
                return;
            }
            count -= left;
            self.written = 0;
            if segments_left == 1 && first.capacity() <= KEEP_BYTES {
                first.clear();
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
        self.segments.iter().map(Vec::capacity).sum()
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

    #[test]
    fn bytes_come_out_in_order_whatever_a_write_takes() {
        for per_call in [1, 7, 4096, 100_000, usize::MAX] {
            let mut queue = OutQueue::new(1 << 20);
            let mut expected = Vec::new();
            for i in 0..300_usize {
                let frame = vec![i as u8; 1 + (i * i) % 2000];
                assert!(queue.push(frame.len() / 2, |out| out.extend_from_slice(&frame)));
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
        assert!(queue.push(0, |out| out.extend_from_slice(&[1; 900])));
        assert!(!queue.push(200, |_| panic!("the hint says enough")));
        assert!(!queue.push(0, |out| out.extend_from_slice(&[2; 200])), "a hint too small");
        assert!(queue.push(0, |out| out.extend_from_slice(&[3; 100])));
        assert_eq!(drain(&mut queue, 64), [vec![1; 900], vec![3; 100]].concat());
        assert!(queue.push(5 << 20, |out| out.resize(5 << 20, 4)));
        assert!(!queue.push(1, |out| out.push(5)));
        assert_eq!(drain(&mut queue, 1 << 19).len(), 5 << 20);
        assert_eq!(queue.capacity(), 0, "what grew is given back");
    }
}
