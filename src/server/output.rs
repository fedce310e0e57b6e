//! [`Output`]: what a client has still to read. Long strings stand in it as they stand in the keyspace,
//! uncopied, with short replies around them. It must never be written from two places.

use crate::keyspace::Blob;
use crate::limits::KEPT_BUFFER_BYTES;
use bytes::{Buf, BytesMut};
use std::collections::VecDeque;

/// Strings from this length on are shared. Shorter ones leave with what is around them, in one write.
pub const SHARED_BYTES: usize = 64 << 10;

/// What follows the first piece.
#[derive(Debug)]
enum Piece {
    Own(BytesMut),
    /// A string, and how much of it was sent.
    Shared(Blob, usize),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(blob, sent) => &blob[*sent..],
        }
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Output {
    /// What is sent first: all there is, unless long strings are in it.
    first: BytesMut,
    rest: VecDeque<Piece>,
    rest_bytes: usize,
}

impl Output {
    /// Bytes to be sent.
    pub fn len(&self) -> usize {
        self.first.len() + self.rest_bytes
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.rest.is_empty()
    }

    /// Bytes that its buffers take; a shared string counts as if it were its own.
    pub fn capacity(&self) -> usize {
        self.first.capacity() + self.rest_bytes
    }

    /// Lets `write` append.
    pub fn append(&mut self, write: impl FnOnce(&mut BytesMut)) {
        if self.rest.is_empty() {
            return write(&mut self.first);
        }
        if let Some(Piece::Shared(..)) = self.rest.back() {
            self.rest.push_back(Piece::Own(BytesMut::new()));
        }
        if let Some(Piece::Own(last)) = self.rest.back_mut() {
            let before = last.len();
            write(last);
            self.rest_bytes += last.len() - before;
        }
    }

    /// Appends a string without copying it.
    pub fn share(&mut self, blob: Blob) {
        self.rest_bytes += blob.len();
        self.rest.push_back(Piece::Shared(blob, 0));
    }

    /// Appends all of `later`, and leaves it empty.
    pub fn take(&mut self, later: &mut Self) {
        if self.is_empty() {
            self.clear();
            return std::mem::swap(self, later);
        }
        if !later.first.is_empty() {
            self.append(|out| out.extend_from_slice(&later.first));
        }
        self.rest_bytes += later.rest_bytes;
        self.rest.append(&mut later.rest);
        later.clear();
    }

    /// Whether nothing in it is shared, so that [`Output::front`] is all.
    pub fn is_plain(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is to be sent next: empty only if there is nothing.
    pub fn front(&self) -> &[u8] {
        if !self.first.is_empty() {
            return &self.first;
        }
        self.rest.iter().map(Piece::bytes).find(|bytes| !bytes.is_empty()).unwrap_or_default()
    }

    /// So many bytes of [`Output::front`] were sent.
    pub fn advance(&mut self, count: usize) {
        if !self.first.is_empty() {
            return self.first.advance(count);
        }
        self.rest_bytes -= count;
        match self.rest.front_mut() {
            Some(Piece::Own(bytes)) => bytes.advance(count),
            Some(Piece::Shared(_, sent)) => *sent += count,
            None => {}
        }
        while self.rest.front().is_some_and(|piece| piece.bytes().is_empty()) {
            self.rest.pop_front();
        }
    }

    /// Forgets everything, and keeps a buffer of ordinary size.
    pub fn clear(&mut self) {
        self.rest = VecDeque::new();
        self.rest_bytes = 0;
        if self.first.capacity() > KEPT_BUFFER_BYTES {
            self.first = BytesMut::new();
        } else {
            self.first.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_out_in_their_order_and_strings_are_not_copied() {
        let blob = Blob::new(&[7; SHARED_BYTES]);
        for step in [1, 5, 4096, usize::MAX] {
            let mut output = Output::default();
            let mut expected = Vec::new();
            for i in 0..3u8 {
                output.append(|out| out.extend_from_slice(&[i; 9]));
                output.share(blob.clone());
                output.append(|out| out.extend_from_slice(b"\r\n"));
                expected.extend_from_slice(&[&[i; 9][..], &blob, b"\r\n"].concat());
            }
            assert_eq!(output.len(), expected.len());
            let mut sent = Vec::new();
            let mut is_shared = false;
            while !output.is_empty() {
                let front = output.front();
                is_shared |= front.as_ptr() == blob.as_ptr();
                let count = front.len().min(step);
                assert!(count > 0);
                sent.extend_from_slice(&front[..count]);
                output.advance(count);
                assert_eq!(output.len(), expected.len() - sent.len());
            }
            assert!(is_shared);
            assert_eq!(sent, expected);
            output.append(|out| out.extend_from_slice(b"next"));
            assert_eq!(output.front(), b"next");
            let mut later = Output::default();
            later.append(|out| out.extend_from_slice(b"later"));
            later.share(blob.clone());
            output.take(&mut later);
            output.append(|out| out.extend_from_slice(b"last"));
            assert!(later.is_empty());
            assert_eq!(output.front(), b"nextlater");
            output.advance(9);
            assert_eq!((output.front().as_ptr(), output.len()), (blob.as_ptr(), SHARED_BYTES + 4));
        }
    }
}
