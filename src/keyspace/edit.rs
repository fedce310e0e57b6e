//! [`Edit`]: one key, looked up for a write. Everything that changes a key goes through here,
//! so that versions, revisions, tombstones, the deadline index and a running snapshot can
//! never be forgotten.

use super::partition::{Entry, Item, partition_of};
use super::{Blob, EventClass, Keyspace, Value};

/// A key that is about to be written.
#[derive(Debug)]
pub struct Edit<'a, 'k> {
    keyspace: &'a mut Keyspace,
    key: &'k [u8],
    hash: u64,
    partition: usize,
    position: Option<usize>, // in the partition's table
}

impl<'a, 'k> Edit<'a, 'k> {
    pub(super) fn new(keyspace: &'a mut Keyspace, key: &'k [u8], hash: u64, now_ms: u64) -> Self {
        let partition = partition_of(hash);
        if let Some(snapshot) = &mut keyspace.snapshot {
            snapshot.before_write(partition, &keyspace.partitions[partition]);
        }
        if !keyspace.discarded.is_empty() {
            keyspace.discarded.release_some();
        }
        let position = keyspace.partitions[partition].position(hash, key);
        let mut edit = Self { keyspace, key, hash, partition, position };
        if edit.item().is_some_and(|item| item.has_expired(now_ms)) {
            edit.remove();
            edit.keyspace.events.named(EventClass::Expired, "expired", 0, key);
        }
        edit
    }

    /// The key as it is now.
    pub fn item(&self) -> Option<&Item> {
        let entry = self.keyspace.partitions[self.partition].table.get_bucket(self.position?)?;
        Some(&entry.item)
    }

    /// Creates the key, or replaces its value and deadline (0: none). Returns the new version.
    pub fn set(&mut self, value: Value, deadline_ms: u64) -> u64 {
        if self.position.is_some() {
            self.set_deadline_row(deadline_ms);
            let version = self.change(|old| *old = value);
            return version.expect("a position is that of an entry");
        }
        let keyspace = &mut *self.keyspace;
        keyspace.revision += 1;
        keyspace.len += 1;
        keyspace.deadlines.add(deadline_ms, self.hash);
        keyspace.occupied.set(self.partition, true);
        keyspace.events.touched(0, self.key);
        keyspace.events.named(EventClass::New, "new", 0, self.key);
        let item = Item { value, version: 1, revision: keyspace.revision, deadline_ms };
        let partition = &mut keyspace.partitions[self.partition];
        self.position = Some(partition.insert(Entry { hash: self.hash, key: Blob::new(self.key), item }));
        1
    }

    /// Changes the value in place. Returns the new version; nothing happens to a missing key.
    pub fn change(&mut self, f: impl FnOnce(&mut Value)) -> Option<u64> {
        let keyspace = &mut *self.keyspace;
        let partition = &mut keyspace.partitions[self.partition];
        let item = &mut partition.table.get_bucket_mut(self.position?)?.item;
        keyspace.revision += 1;
        item.revision = keyspace.revision;
        item.version += 1;
        f(&mut item.value);
        partition.newest = item.revision;
        keyspace.events.touched(0, self.key);
        Some(item.version)
    }

    /// Changes the deadline (0: none). Nothing happens to a missing key.
    pub fn set_deadline(&mut self, deadline_ms: u64) {
        self.set_deadline_row(deadline_ms);
        self.change(|_| ());
    }

    /// Removes the key. Whether it was there.
    pub fn remove(&mut self) -> bool {
        self.take().is_some()
    }

    /// Removes the key, and gives what it was.
    pub fn take(&mut self) -> Option<Item> {
        let deadline_ms = self.item()?.deadline_ms;
        self.set_deadline_row(0);
        let position = self.position.take()?;
        let keyspace = &mut *self.keyspace;
        let partition = &mut keyspace.partitions[self.partition];
        let entry = partition.remove(position)?;
        keyspace.revision += 1;
        keyspace.len -= 1;
        if partition.table.is_empty() {
            keyspace.occupied.set(self.partition, false);
        }
        keyspace.events.touched(0, self.key);
        Some(Item { deadline_ms, ..entry.item })
    }

    fn set_deadline_row(&mut self, deadline_ms: u64) {
        let keyspace = &mut *self.keyspace;
        let partition = &mut keyspace.partitions[self.partition];
        let Some(entry) = self.position.and_then(|position| partition.table.get_bucket_mut(position)) else {
            return;
        };
        let old = std::mem::replace(&mut entry.item.deadline_ms, deadline_ms);
        if old != deadline_ms {
            let shared =
                old != 0 && partition.with_hash(self.hash).any(|entry| entry.item.deadline_ms == old);
            keyspace.deadlines.remove(old, self.hash, shared);
            keyspace.deadlines.add(deadline_ms, self.hash);
        }
    }
}
