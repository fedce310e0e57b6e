//! Sorted sets as pieces of bytes, and back: a byte for the form, then the bytes of a pack, or members with their
//! lengths and scores in the order of the dictionary. Nothing that is read may be believed.

use super::{Ranked, Repr, SortedSet, Table, score};
use crate::collections::{self, Blob, Pack};
use crate::keyspace::Value;
use crate::keyspace::types::hash::grow::{PACK, TABLE, put_string, take_string};
use crate::keyspace::types::{Forms, Frozen, Growing};
use crate::wire::WireError;

const WRONG: WireError = WireError::new("a sorted set");

pub(super) fn put_table<'a>(out: &mut Vec<u8>, pairs: impl Iterator<Item = (&'a Blob, &'a f64)>) {
    out.push(TABLE);
    pairs.for_each(|(member, score)| put_pair(out, member, *score));
}

fn put_pair(out: &mut Vec<u8>, member: &[u8], score: f64) {
    put_string(out, member);
    out.extend_from_slice(&score.to_le_bytes());
}

#[derive(Debug)]
pub(super) struct FrozenTable(pub(super) collections::Frozen<f64>);

impl Frozen for FrozenTable {
    fn put_next(&mut self, out: &mut Vec<u8>, target_bytes: usize) -> bool {
        let start = out.len();
        out.push(TABLE);
        while out.len() - start < target_bytes {
            let Some((member, score)) = self.0.next_entry() else { break };
            put_pair(out, member, *score);
        }
        self.0.is_empty()
    }

    fn release(&mut self, elements: usize) -> bool {
        self.0.release(elements)
    }
}

#[derive(Debug)]
pub(super) struct GrowingSet {
    forms: Forms,
    so_far: SoFar,
}

#[derive(Debug)]
enum SoFar {
    Nothing,
    Pack(Vec<u8>),
    Table(Table),
}

impl GrowingSet {
    pub(super) fn new(forms: &Forms) -> Self {
        Self { forms: *forms, so_far: SoFar::Nothing }
    }
}

impl Growing for GrowingSet {
    fn take(&mut self, piece: &[u8]) -> Result<(), WireError> {
        let (&form, mut piece) = piece.split_first().ok_or(WRONG)?;
        if let SoFar::Nothing = self.so_far {
            self.so_far = match form {
                PACK => SoFar::Pack(Vec::new()),
                TABLE => SoFar::Table(Table::new(&self.forms)),
                _ => return Err(WRONG),
            };
        }
        match (form, &mut self.so_far) {
            (PACK, SoFar::Pack(bytes)) => bytes.extend_from_slice(piece),
            (TABLE, SoFar::Table(table)) => {
                while !piece.is_empty() {
                    take_pair(table, &mut piece)?;
                }
            }
            _ => return Err(WRONG),
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Value, WireError> {
        let repr = match self.so_far {
            SoFar::Pack(bytes) => Repr::Pack(Pack::from_bytes(bytes).filter(score::is_sound).ok_or(WRONG)?),
            SoFar::Table(table) if !table.scores.is_empty() => Repr::Table(Box::new(table)),
            _ => return Err(WRONG),
        };
        Ok(SortedSet(repr).into())
    }
}

fn take_pair(table: &mut Table, piece: &mut &[u8]) -> Result<(), WireError> {
    let member = Blob::new(take_string(piece)?);
    let (score, rest) = piece.split_first_chunk().ok_or(WRONG)?;
    *piece = rest;
    let score = f64::from_le_bytes(*score);
    if score.is_nan() || table.scores.insert(member.clone(), score).is_some() {
        return Err(WRONG);
    }
    table.order.insert(table.place(score, &member), Ranked { score, member });
    Ok(())
}
