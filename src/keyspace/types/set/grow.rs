//! Sets as pieces of bytes, and back: a byte for the form, then the bytes of an intset or a pack, or members with
//! their lengths. The bytes may be cut anywhere, a member stands in one piece. Nothing that is read may be believed.

use super::{Repr, Set};
use crate::collections::{self, Blob, Dict, HashSeed, Ints, Pack};
use crate::keyspace::Value;
use crate::keyspace::types::{Frozen, Growing};
use crate::mutant::{self, Mutant};
use crate::wire::WireError;
use crate::wire::entry::{put_varint, take_varint};

pub(super) const INTS: u8 = 0;
pub(super) const PACK: u8 = 1;
const TABLE: u8 = 2;
const WRONG: WireError = WireError::new("a set");

pub(super) fn put_bytes(out: &mut Vec<u8>, form: u8, bytes: &[u8]) {
    out.push(form);
    out.extend_from_slice(bytes);
}

pub(super) fn put_table<'a>(out: &mut Vec<u8>, members: impl Iterator<Item = &'a Blob>) {
    out.push(TABLE);
    members.for_each(|member| put_member(out, member));
}

fn put_member(out: &mut Vec<u8>, member: &[u8]) {
    put_varint(out, member.len() as u64);
    out.extend_from_slice(member);
}

/// An intset or a pack at a moment: a copy.
#[derive(Debug)]
pub(super) struct FrozenBytes {
    form: u8,
    bytes: Vec<u8>,
    written: usize,
}

impl FrozenBytes {
    pub(super) fn new(form: u8, bytes: &[u8]) -> Self {
        Self { form, bytes: bytes.to_vec(), written: 0 }
    }
}

impl Frozen for FrozenBytes {
    fn put_next(&mut self, out: &mut Vec<u8>, target_bytes: usize) -> bool {
        let end = self.bytes.len().min(self.written + target_bytes);
        put_bytes(out, self.form, &self.bytes[self.written..end]);
        self.written = end;
        end == self.bytes.len()
    }

    fn release(&mut self, _: usize) -> bool {
        true // in one piece
    }
}

#[derive(Debug)]
pub(super) struct FrozenTable(pub(super) collections::Frozen<()>);

impl Frozen for FrozenTable {
    fn put_next(&mut self, out: &mut Vec<u8>, target_bytes: usize) -> bool {
        let start = out.len();
        out.push(TABLE);
        while out.len() - start < target_bytes {
            let Some((member, ())) = self.0.next_entry() else { break };
            put_member(out, member);
        }
        self.0.is_empty()
    }

    fn release(&mut self, elements: usize) -> bool {
        self.0.release(elements)
    }
}

#[derive(Debug)]
pub(super) struct GrowingSet {
    seed: HashSeed,
    so_far: SoFar,
}

#[derive(Debug)]
enum SoFar {
    Nothing,
    Bytes(u8, Vec<u8>),
    Table(Dict<()>),
}

impl GrowingSet {
    pub(super) fn new(seed: HashSeed) -> Self {
        Self { seed, so_far: SoFar::Nothing }
    }
}

impl Growing for GrowingSet {
    fn take(&mut self, piece: &[u8]) -> Result<(), WireError> {
        let (&form, mut piece) = piece.split_first().ok_or(WRONG)?;
        if let SoFar::Nothing = self.so_far {
            self.so_far = match form {
                INTS | PACK => SoFar::Bytes(form, Vec::new()),
                TABLE => SoFar::Table(Dict::new(self.seed)),
                _ => return Err(WRONG),
            };
        }
        match &mut self.so_far {
            SoFar::Bytes(before, bytes) if *before == form => bytes.extend_from_slice(piece),
            SoFar::Table(table) if form == TABLE => {
                if mutant::is(Mutant::OrderLost)
                    && let Some((first, ())) = table.remove_at(0)
                {
                    table.insert(first, ());
                }
                while !piece.is_empty() {
                    if table.insert(take_member(&mut piece)?, ()).is_some() {
                        return Err(WireError::new("a member of a set twice"));
                    }
                }
            }
            _ => return Err(WRONG),
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Value, WireError> {
        let repr = match self.so_far {
            SoFar::Bytes(INTS, bytes) => Repr::Ints(Ints::from_bytes(bytes).ok_or(WRONG)?),
            SoFar::Bytes(_, bytes) => {
                let pack = Pack::from_bytes(bytes).filter(|pack| !pack.is_empty());
                Repr::Pack(pack.ok_or(WRONG)?)
            }
            SoFar::Table(table) if !table.is_empty() => Repr::Table(Box::new(table)),
            SoFar::Table(_) | SoFar::Nothing => return Err(WRONG),
        };
        Ok(Set(repr).into())
    }
}

fn take_member<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], WireError> {
    let len = take_varint(bytes).and_then(|len| usize::try_from(len).ok()).ok_or(WRONG)?;
    let (taken, rest) = bytes.split_at_checked(len).ok_or(WRONG)?;
    *bytes = rest;
    Ok(taken)
}
