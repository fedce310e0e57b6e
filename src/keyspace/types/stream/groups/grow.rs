//! Groups as pieces of bytes, and back: rows of varints, a group's own, those of its consumers in the order of their
//! numbers, those of what is pending in the order of ids. A piece ends between two rows. Nothing that is read may be believed.

use super::{Group, Groups, Id, Pending};
use crate::collections::Blob;
use crate::keyspace::types::hash::grow::{put_string, take_string};
use crate::wire::WireError;
use crate::wire::entry::{put_varint, take_varint};

/// What a row is of.
const GROUP: u64 = 1;
const CONSUMER: u64 = 2;
const PENDING: u64 = 3;

/// What an entry that does not count adds to the length of a piece: looking at it takes time as well.
const PASSED_OVER_BYTES: usize = 4;

const WRONG: WireError = WireError::new("the groups of a stream");

/// Groups at a moment.
#[derive(Debug)]
pub struct FrozenGroups {
    groups: Groups,
    /// How many are written.
    done: usize,
    /// Of the next one: rows of its own, its consumers, its entries.
    head_is_written: bool,
    consumers: usize,
    entries: usize,
}

impl FrozenGroups {
    pub fn new(groups: &Groups) -> Self {
        Self { groups: groups.clone(), done: 0, head_is_written: false, consumers: 0, entries: 0 }
    }

    /// Appends the next piece, of about `target_bytes`: it may be empty. Whether it was the last.
    pub fn put_next(&mut self, out: &mut Vec<u8>, target_bytes: usize) -> bool {
        let mut end = out.len().saturating_add(target_bytes);
        while out.len() < end {
            let Some(named) = self.groups.0.get(self.done) else { return true };
            let group = &*named.group;
            if !self.head_is_written {
                put_group(out, &named.name, group);
                self.head_is_written = true;
            }
            for consumer in group.consumers().starting_at(self.consumers) {
                if out.len() >= end {
                    return false;
                }
                put_varint(out, CONSUMER);
                put_varint(out, consumer.number);
                put_string(out, &consumer.name);
                put_varint(out, consumer.seen_ms as u64);
                self.consumers += 1;
            }
            for entry in group.entries_from_place(self.entries) {
                if out.len() >= end {
                    return false;
                }
                match group.is_tidy() || group.consumers().by_number(entry.consumer).is_some() {
                    true => put_pending(out, entry),
                    false => end = end.saturating_sub(PASSED_OVER_BYTES),
                }
                self.entries += 1;
            }
            (self.done, self.head_is_written, self.consumers, self.entries) = (self.done + 1, false, 0, 0);
        }
        self.done == self.groups.len()
    }

    /// As [`Groups::release`].
    pub fn release(&mut self, elements: usize) -> bool {
        self.groups.release(elements)
    }
}

fn put_id(out: &mut Vec<u8>, id: Id) {
    put_varint(out, id.ms);
    put_varint(out, id.seq);
}

fn put_group(out: &mut Vec<u8>, name: &[u8], group: &Group) {
    put_varint(out, GROUP);
    put_string(out, name);
    put_id(out, group.last_id);
    put_varint(out, u64::from(group.entries_read.is_some()));
    put_varint(out, group.entries_read.unwrap_or(0) as u64);
    put_varint(out, group.consumers().next_number());
}

fn put_pending(out: &mut Vec<u8>, entry: &Pending) {
    put_varint(out, PENDING);
    put_id(out, entry.id);
    put_varint(out, entry.consumer);
    put_varint(out, entry.delivered_ms as u64);
    put_varint(out, entry.deliveries);
}

/// Groups that are being restored.
#[derive(Debug, Default)]
pub struct GrowingGroups {
    groups: Groups,
    /// The last that has begun.
    open: Option<(Blob, Group)>,
}

impl GrowingGroups {
    /// Takes the next piece.
    pub fn take(&mut self, mut piece: &[u8]) -> Result<(), WireError> {
        while !piece.is_empty() {
            self.take_row(&mut piece)?;
        }
        Ok(())
    }

    /// All of them, after the last piece.
    pub fn finish(mut self) -> Result<Groups, WireError> {
        self.close()?;
        Ok(self.groups)
    }

    fn close(&mut self) -> Result<(), WireError> {
        let Some((name, group)) = self.open.take() else { return Ok(()) };
        if self.groups.insert(&name, group) { Ok(()) } else { Err(WRONG) }
    }

    fn take_row(&mut self, piece: &mut &[u8]) -> Result<(), WireError> {
        let kind = number(piece)?;
        if kind == GROUP {
            self.close()?;
            let name = Blob::new(take_string(piece)?);
            let last_id = id(piece)?;
            let (is_known, read) = (number(piece)?, number(piece)?);
            let mut group = Group::new(last_id, (is_known == 1).then_some(read as i64));
            group.consumers_mut().set_next_number(number(piece)?);
            self.open = Some((name, group));
            return Ok(());
        }
        let (_, group) = self.open.as_mut().ok_or(WRONG)?;
        let is_sound = match kind {
            CONSUMER => {
                let (number_of_it, name) = (number(piece)?, take_string(piece)?);
                let seen_ms = number(piece)? as i64;
                let consumers = group.consumers_mut();
                consumers.takes(number_of_it) && consumers.insert_as(number_of_it, name, seen_ms)
            }
            PENDING => {
                let (id, consumer) = (id(piece)?, number(piece)?);
                let (delivered_ms, deliveries) = (number(piece)? as i64, number(piece)?);
                group.push_pending(Pending { id, consumer, delivered_ms, deliveries })
            }
            _ => false,
        };
        if is_sound { Ok(()) } else { Err(WRONG) }
    }
}

fn number(piece: &mut &[u8]) -> Result<u64, WireError> {
    take_varint(piece).ok_or(WRONG)
}

fn id(piece: &mut &[u8]) -> Result<Id, WireError> {
    Ok(Id { ms: number(piece)?, seq: number(piece)? })
}
