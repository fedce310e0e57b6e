//! [`Progress`]: what a stream knows of all that was ever added to it, from which follows how far a group has come. Where
//! removed entries leave a gap, it must say that it does not know.

use super::Id;
use crate::keyspace::types::Collection;
use crate::keyspace::types::stream::{Ids, Stream};

/// Of a stream; what it means is Redis's.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Entries that there are.
    len: u64,
    ids: Ids,
}

impl Stream {
    /// What it knows of all that was ever added to it.
    pub fn progress(&self) -> Progress {
        Progress { len: self.len() as u64, ids: self.ids() }
    }
}

impl Progress {
    /// Whether an entry was deleted at an id or behind it, among those that there are.
    fn has_gap_from(&self, id: Id) -> bool {
        self.len > 0
            && self.ids.max_deleted != Id::MIN
            && self.ids.first <= self.ids.max_deleted
            && id <= self.ids.max_deleted
    }

    /// How many entries were added up to this one, if that can be told.
    pub fn entries_until(&self, id: Id) -> Option<i64> {
        let (added, len) = (self.ids.entries_added as i64, self.len as i64);
        if added == 0 || (len == 0 && id <= self.ids.last) || id == self.ids.last {
            return Some(added);
        }
        if id > self.ids.last {
            return None;
        }
        let is_whole = self.ids.max_deleted == Id::MIN || self.ids.max_deleted < self.ids.first;
        match id.cmp(&self.ids.first) {
            std::cmp::Ordering::Less if is_whole => Some(added.wrapping_sub(len)),
            std::cmp::Ordering::Equal if is_whole => Some(added.wrapping_sub(len).wrapping_add(1)),
            _ => None,
        }
    }

    /// What a group's count is after it has read this entry, the next for it.
    pub fn after_reading(&self, entries_read: Option<i64>, id: Id) -> Option<i64> {
        match entries_read {
            Some(read) if !self.has_gap_from(id) => Some(read.saturating_add(1)),
            _ if self.ids.entries_added > 0 => self.entries_until(id),
            _ => entries_read,
        }
    }

    /// How many entries a group has still to read, if that can be told.
    pub fn lag(&self, last_id: Id, entries_read: Option<i64>) -> Option<i64> {
        let read = match entries_read {
            _ if self.ids.entries_added == 0 => return Some(0),
            Some(read) if !self.has_gap_from(last_id) => read,
            _ => self.entries_until(last_id)?,
        };
        Some((self.ids.entries_added as i64).wrapping_sub(read))
    }
}
