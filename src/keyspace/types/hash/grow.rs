//! Hashes as pieces of bytes, and back: a byte for the form, then the bytes of a pack, or pairs of strings with
//! their lengths. A pack may be cut anywhere, pairs stand in one piece. Nothing that is read may be believed.

use super::{Hash, Repr};
use crate::collections::{self, Blob, Dict, HashSeed, Pack};
use crate::keyspace::Value;
use crate::keyspace::types::{Frozen, Growing};
use crate::wire::WireError;
use crate::wire::entry::{put_varint, take_varint};

pub(in crate::keyspace::types) const PACK: u8 = 0;
pub(in crate::keyspace::types) const TABLE: u8 = 1;
const WRONG: WireError = WireError::new("a hash");

pub(in crate::keyspace::types) fn put_pack(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(PACK);
    out.extend_from_slice(bytes);
}

pub(super) fn put_table<'a>(out: &mut Vec<u8>, pairs: impl Iterator<Item = (&'a Blob, &'a Blob)>) {
    out.push(TABLE);
    for (field, value) in pairs {
        put_string(out, field);
        put_string(out, value);
    }
}

pub(in crate::keyspace::types) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A pack at a moment: a copy.
#[derive(Debug)]
pub(in crate::keyspace::types) struct FrozenPack {
    bytes: Vec<u8>,
    written: usize,
}

impl FrozenPack {
    pub(in crate::keyspace::types) fn new(pack: &Pack) -> Self {
        Self { bytes: pack.as_bytes().to_vec(), written: 0 }
    }
}

impl Frozen for FrozenPack {
    fn put_next(&mut self, out: &mut Vec<u8>, target_bytes: usize) -> bool {
        let end = self.bytes.len().min(self.written + target_bytes);
        put_pack(out, &self.bytes[self.written..end]);
        self.written = end;
        end == self.bytes.len()
    }

    fn release(&mut self, _: usize) -> bool {
        true // in one piece
    }
}

#[derive(Debug)]
pub(super) struct FrozenTable(pub(super) collections::Frozen<Blob>);

impl Frozen for FrozenTable {
    fn put_next(&mut self, out: &mut Vec<u8>, target_bytes: usize) -> bool {
        let start = out.len();
        out.push(TABLE);
        while out.len() - start < target_bytes {
            let Some((field, value)) = self.0.next_entry() else { break };
            put_string(out, field);
            put_string(out, value);
        }
        self.0.is_empty()
    }

    fn release(&mut self, elements: usize) -> bool {
        self.0.release(elements)
    }
}

#[derive(Debug)]
pub(super) struct GrowingHash {
    seed: HashSeed,
    so_far: SoFar,
}

#[derive(Debug)]
enum SoFar {
    Nothing,
    Pack(Vec<u8>),
    Table(Dict<Blob>),
}

impl GrowingHash {
    pub(super) fn new(seed: HashSeed) -> Self {
        Self { seed, so_far: SoFar::Nothing }
    }
}

impl Growing for GrowingHash {
    fn take(&mut self, piece: &[u8]) -> Result<(), WireError> {
        let (&form, mut piece) = piece.split_first().ok_or(WRONG)?;
        if let SoFar::Nothing = self.so_far {
            self.so_far = match form {
                PACK => SoFar::Pack(Vec::new()),
                TABLE => SoFar::Table(Dict::new(self.seed)),
                _ => return Err(WRONG),
            };
        }
        match (form, &mut self.so_far) {
            (PACK, SoFar::Pack(bytes)) => bytes.extend_from_slice(piece),
            (TABLE, SoFar::Table(table)) => {
                while !piece.is_empty() {
                    let (field, value) = (take_string(&mut piece)?, take_string(&mut piece)?);
                    if table.insert(field, Blob::new(value)).is_some() {
                        return Err(WireError::new("a field of a hash twice"));
                    }
                }
            }
            _ => return Err(WRONG),
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Value, WireError> {
        let repr = match self.so_far {
            SoFar::Pack(bytes) => {
                let pack = Pack::from_bytes(bytes).ok_or(WRONG)?;
                let is_whole = pack.len().is_multiple_of(2) && !pack.is_empty();
                Repr::Pack(Some(pack).filter(|_| is_whole).ok_or(WRONG)?)
            }
            SoFar::Table(table) if !table.is_empty() => Repr::Table(Box::new(table)),
            _ => return Err(WRONG),
        };
        Ok(Hash(repr).into())
    }
}

pub(in crate::keyspace::types) fn take_string<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], WireError> {
    let len = take_varint(bytes).and_then(|len| usize::try_from(len).ok()).ok_or(WRONG)?;
    let (taken, rest) = bytes.split_at_checked(len).ok_or(WRONG)?;
    *bytes = rest;
    Ok(taken)
}
