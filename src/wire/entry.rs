//! The data of a Raft entry (`entry.Entry`) and the protobuf cursor that reads it in place.

use super::{NodeId, WireError};
use bytes::Bytes;

/// What one node took from its clients in one turn: see `entry.Batch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The node that took it.
    pub origin: NodeId,
    /// How often that node has started.
    pub boot: u64,
    /// Its number within `(origin, boot)`, from 1; 0 for the leader's own, which has no order.
    pub seq: u64,
    /// An `entry.Body`: see [`super::units`].
    pub body: Bytes,
}

/// A batch, read in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchRef<'a> {
    /// The node that took it.
    pub origin: NodeId,
    /// How often that node has started.
    pub boot: u64,
    /// Its number within `(origin, boot)`.
    pub seq: u64,
    /// An `entry.Body`.
    pub body: &'a [u8],
}

impl Batch {
    /// The batch's own encoding, for a frame: an `entry.Batch`.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.reserve(self.encoded_len()); // no more: a full vector would take twice its size
        self.put_head(out);
        out.extend_from_slice(&self.body);
    }

    /// How many bytes [`Batch::put`] writes.
    pub fn encoded_len(&self) -> usize {
        let numbers = [self.origin, self.boot, self.seq];
        let numbers: usize = numbers.iter().map(|&n| 1 + varint_len(n)).sum();
        numbers + 1 + varint_len(self.body.len() as u64) + self.body.len()
    }

    /// All of it but the body, which is to follow.
    pub(super) fn put_head(&self, out: &mut Vec<u8>) {
        put_varint_field(out, 1, self.origin);
        put_varint_field(out, 2, self.boot);
        put_varint_field(out, 3, self.seq);
        put_len_field(out, 4, self.body.len());
    }

    /// Reads an `entry.Batch` that owns its body.
    pub fn read(bytes: &Bytes) -> Result<Self, WireError> {
        let batch = BatchRef::read(bytes)?;
        let body = if batch.body.is_empty() { Bytes::new() } else { bytes.slice_ref(batch.body) };
        Ok(Self { origin: batch.origin, boot: batch.boot, seq: batch.seq, body })
    }
}

impl<'a> BatchRef<'a> {
    fn read(mut bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut batch = Self { origin: 0, boot: 0, seq: 0, body: &[] };
        while !bytes.is_empty() {
            match next_field(&mut bytes, "batch")? {
                (1, value) => batch.origin = value.varint("batch")?,
                (2, value) => batch.boot = value.varint("batch")?,
                (3, value) => batch.seq = value.varint("batch")?,
                (4, value) => batch.body = value.bytes("batch")?,
                _ => return Err(WireError::new("batch")),
            }
        }
        Ok(batch)
    }
}

/// The data of one Raft entry: the leader's stamp and the batches, as an `entry.Entry`.
pub fn encode(now_ms: u64, batches: &[Batch]) -> Vec<u8> {
    let size: usize = batches.iter().map(|batch| batch.encoded_len() + 12).sum();
    let mut out = Vec::with_capacity(size + 12);
    put_varint_field(&mut out, 1, now_ms);
    for batch in batches {
        put_len_field(&mut out, 2, batch.encoded_len());
        batch.put(&mut out);
    }
    out
}

/// Reads an `entry.Entry` in place: the stamp, then the batches one by one.
pub fn decode(mut bytes: &[u8]) -> Result<(u64, Batches<'_>), WireError> {
    let now_ms = field_varint(&mut bytes, 1, "entry")?;
    Ok((now_ms, Batches { rest: bytes }))
}

/// The batches of an entry, in order. Ends after the first error.
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchRef<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let batch = field_bytes(&mut self.rest, 2, "entry").and_then(BatchRef::read);
        if batch.is_err() {
            self.rest = &[];
        }
        Some(batch)
    }
}

/// The value of a protobuf field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(crate) fn bytes(self, what: &'static str) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Varint(_) => Err(WireError::new(what)),
        }
    }

    pub(crate) fn varint(self, what: &'static str) -> Result<u64, WireError> {
        match self {
            Self::Varint(value) => Ok(value),
            Self::Bytes(_) => Err(WireError::new(what)),
        }
    }
}

/// Takes the next field off `bytes`: its number and value. Fixed-width fields do not occur.
pub(crate) fn next_field<'a>(
    bytes: &mut &'a [u8],
    what: &'static str,
) -> Result<(u32, Value<'a>), WireError> {
    let tag = take_varint(bytes).ok_or(WireError::new(what))?;
    let field = u32::try_from(tag >> 3).map_err(|_| WireError::new(what))?;
    let value = take_varint(bytes).ok_or(WireError::new(what))?;
    match tag & 7 {
        0 => Ok((field, Value::Varint(value))),
        2 => {
            let len = usize::try_from(value).map_err(|_| WireError::new(what))?;
            let (head, tail) = bytes.split_at_checked(len).ok_or(WireError::new(what))?;
            *bytes = tail;
            Ok((field, Value::Bytes(head)))
        }
        _ => Err(WireError::new(what)),
    }
}

/// Takes the next field, which must be `field`, of bytes.
pub(crate) fn field_bytes<'a>(
    bytes: &mut &'a [u8],
    field: u32,
    what: &'static str,
) -> Result<&'a [u8], WireError> {
    match next_field(bytes, what)? {
        (found, value) if found == field => value.bytes(what),
        _ => Err(WireError::new(what)),
    }
}

/// Takes the next field, which must be `field`, a number.
pub(crate) fn field_varint(bytes: &mut &[u8], field: u32, what: &'static str) -> Result<u64, WireError> {
    match next_field(bytes, what)? {
        (found, value) if found == field => value.varint(what),
        _ => Err(WireError::new(what)),
    }
}

/// Takes a number off `bytes`; none if there is no whole one.
#[inline]
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    match **bytes {
        [byte @ ..0x80, ref rest @ ..] => {
            *bytes = rest;
            Some(u64::from(byte))
        }
        _ => take_long_varint(bytes),
    }
}

fn take_long_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * i as u32)?;
        if byte < 0x80 {
            *bytes = &bytes[i + 1..];
            return Some(value);
        }
    }
    None
}

#[inline]
pub(crate) fn varint_len(value: u64) -> usize {
    if value < 0x80 {
        return 1; // nearly all; the division takes its time
    }
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field of wire type varint. `field` is below 16 everywhere here, so the tag is a byte.
pub(crate) fn put_varint_field(out: &mut Vec<u8>, field: u32, value: u64) {
    out.push((field << 3) as u8);
    put_varint(out, value);
}

/// The head of a field of `len` bytes, which the caller appends.
pub(crate) fn put_len_field(out: &mut Vec<u8>, field: u32, len: usize) {
    out.push((field << 3) as u8 | 2);
    put_varint(out, len as u64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::proto::entry as generated;
    use protobuf::Message;

    #[test]
    fn an_entry_is_what_the_generated_code_reads_and_comes_back_the_same() {
        let batches = [
            Batch { origin: 1, boot: 3, seq: 900, body: Bytes::from_static(b"") },
            Batch { origin: 300, boot: 1, seq: 1, body: Bytes::from(vec![7; 5000]) },
        ];
        let bytes = encode(1_700_000_000_000, &batches);
        let parsed: generated::Entry = Message::parse_from_bytes(&bytes).unwrap();
        assert_eq!(parsed.get_now_ms(), 1_700_000_000_000);
        assert_eq!(parsed.get_batches()[1].get_body(), &batches[1].body);
        let (now_ms, read) = decode(&bytes).unwrap();
        assert_eq!(now_ms, 1_700_000_000_000);
        let read: Vec<_> = read.map(Result::unwrap).collect();
        assert_eq!(read[0].seq, 900);
        assert_eq!(read[1].body, &batches[1].body);
        let mut alone = Vec::new();
        batches[1].put(&mut alone);
        assert_eq!(alone.len(), batches[1].encoded_len());
        assert_eq!(Batch::read(&Bytes::from(alone)).unwrap(), batches[1]);
    }

    #[test]
    fn varints_of_every_length() {
        for shift in 0..64 {
            let value = 1u64 << shift;
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value));
            assert_eq!(take_varint(&mut out.as_slice()), Some(value));
        }
        assert_eq!(take_varint(&mut [0xff; 11].as_slice()), None);
    }
}
