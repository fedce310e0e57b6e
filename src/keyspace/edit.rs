//! [`Edit`]: one key, looked up for a write. Everything that changes a key goes through here,
//! so that versions, revisions, tombstones, the deadline index and a running snapshot can
//! never be forgotten.

use super::hash::KeyHash;
use super::partition::{Entry, Item};
use super::{Blob, EventClass, Forms, Keyspace, Value};

/// A key that is about to be written.
#[derive(Debug)]
pub struct Edit<'a, 'k> {
    keyspace: &'a mut Keyspace,
    db: usize,
    key: &'k [u8],
    hash: KeyHash,
    partition: usize,
    now_ms: u64,
    position: Option<usize>, // in the partition's table
}

impl<'a, 'k> Edit<'a, 'k> {
    pub(super) fn new(
        keyspace: &'a mut Keyspace,
        db: usize,
        key: &'k [u8],
        hash: KeyHash,
        now_ms: u64,
    ) -> Self {
        let partition = hash.partition();
        let database = &keyspace.databases[db];
        if !keyspace.discarded.is_empty() {
            keyspace.discarded.release_some();
        }
        let position = database.partitions.get(partition).and_then(|found| found.position(hash, key));
        let mut edit = Self { keyspace, db, key, hash, partition, now_ms, position };
        if let Some(entry) = edit.entry() {
            edit.keyspace.counting.note(&entry.usage, now_ms);
            if entry.item.has_expired(now_ms) && !edit.keyspace.keeps_expired {
                edit.remove();
                edit.keyspace.events.named(EventClass::Expired, "expired", db, key);
                edit.keyspace.propagation.expired(db, key);
            }
        }
        edit
    }

    fn entry(&self) -> Option<&Entry> {
        let partition = self.keyspace.databases[self.db].partitions.get(self.partition)?;
        partition.table.get_bucket(self.position?).map(|entry| &**entry)
    }

    /// The key as it is now.
    pub fn item(&self) -> Option<&Item> {
        Some(&self.entry()?.item)
    }

    /// How collections are kept.
    pub fn forms(&self) -> Forms {
        self.keyspace.forms
    }

    /// Lets the key count as last used so many seconds ago: not part of the state.
    pub fn set_idle(&self, idle_s: u64) {
        if let Some(entry) = self.entry() {
            entry.usage.set_idle(self.now_ms, idle_s);
        }
    }

    /// Lets the key count as used that often: not part of the state.
    pub fn set_frequency(&self, frequency: u8) {
        if let Some(entry) = self.entry() {
            entry.usage.set_frequency(self.now_ms, frequency);
        }
    }

    /// What a string is as `SET` leaves it: see [`Value::string`]. Shared with the buffer of the
    /// command, if it is nearly all of that.
    pub fn string(&self, bytes: &[u8]) -> Value {
        match &self.keyspace.lent {
            None => Value::string(bytes),
            Some(buffer) => Value::string_of(bytes, buffer),
        }
    }

    /// Creates the key, or replaces its value and deadline (0: none). Returns the new version.
    pub fn set(&mut self, value: Value, deadline_ms: u64) -> u64 {
        if self.position.is_some() {
            self.before_change();
            self.set_deadline_row(deadline_ms);
            let applied = self.apply(|old| std::mem::replace(old, value));
            let (version, old) = applied.expect("a position is that of an entry");
            self.keyspace.discarded.add_value(old);
            return version;
        }
        let keyspace = &mut *self.keyspace;
        keyspace.revision += 1;
        keyspace.events.touched(self.db, self.key);
        keyspace.events.named(EventClass::New, "new", self.db, self.key);
        let item = Item { value, version: 1, revision: keyspace.revision, deadline_ms };
        let entry = Entry::new(self.hash, Blob::new(self.key), item, self.now_ms);
        let database = &mut keyspace.databases[self.db];
        database.allocate();
        database.len += 1;
        database.deadlines.add(deadline_ms, self.hash);
        database.occupied.set(self.partition, true);
        self.position = Some(database.partitions[self.partition].insert(entry));
        1
    }

    /// Changes the value in place. Returns the new version; nothing happens to a missing key.
    pub fn change(&mut self, f: impl FnOnce(&mut Value)) -> Option<u64> {
        self.before_change();
        self.apply(f).map(|(version, ())| version)
    }

    /// The same. Returns what `f` does.
    pub fn update<R>(&mut self, f: impl FnOnce(&mut Value) -> R) -> Option<R> {
        self.before_change();
        self.apply(f).map(|(_, result)| result)
    }

    fn apply<R>(&mut self, f: impl FnOnce(&mut Value) -> R) -> Option<(u64, R)> {
        let position = self.position?;
        let keyspace = &mut *self.keyspace;
        let partition = &mut keyspace.databases[self.db].partitions[self.partition];
        let item = &mut partition.table.get_bucket_mut(position)?.item;
        keyspace.revision += 1;
        item.revision = keyspace.revision;
        item.version += 1;
        let result = f(&mut item.value);
        let version = item.version;
        partition.newest = item.revision;
        keyspace.events.touched(self.db, self.key);
        Some((version, result))
    }

    /// Changes the deadline (0: none). Nothing happens to a missing key.
    pub fn set_deadline(&mut self, deadline_ms: u64) {
        self.before_change();
        self.set_deadline_row(deadline_ms);
        self.apply(|_| ());
    }

    /// Gives a running snapshot the key as it is. Once a change: its revision then tells that it has it.
    fn before_change(&mut self) {
        let Some(snapshot) = &mut self.keyspace.snapshot else { return };
        let database = &self.keyspace.databases[self.db];
        let Some(position) = self.position else { return };
        if let Some(entry) = database.partitions[self.partition].table.get_bucket(position) {
            snapshot.before_change(database.walked_as, self.partition, entry);
        }
    }

    /// Frees what a change has taken out of a value, later if it is large.
    pub fn discard(&mut self, taken: impl Into<Value>) {
        self.keyspace.discarded.add_value(taken.into());
    }

    /// Removes the key. Whether it was there.
    pub fn remove(&mut self) -> bool {
        let Some(item) = self.take() else { return false };
        self.keyspace.discarded.add_value(item.value);
        true
    }

    /// Removes the key, and gives what it was.
    pub fn take(&mut self) -> Option<Item> {
        let position = self.position.take()?;
        let keyspace = &mut *self.keyspace;
        let database = &mut keyspace.databases[self.db];
        let partition = &mut database.partitions[self.partition];
        if let (Some(snapshot), Some(entry)) = (&mut keyspace.snapshot, partition.table.get_bucket(position))
        {
            snapshot.before_removal(database.walked_as, self.partition, entry, partition.tombstone);
        }
        let entry = partition.remove(position, &keyspace.swaps[self.db])?;
        let deadline_ms = entry.item.deadline_ms;
        let shared = deadline_ms != 0 && partition.has_deadline(self.hash, deadline_ms);
        database.deadlines.remove(deadline_ms, self.hash, shared);
        keyspace.revision += 1;
        database.len -= 1;
        if partition.table.is_empty() {
            database.occupied.set(self.partition, false);
        }
        keyspace.events.touched(self.db, self.key);
        Some(entry.item)
    }

    fn set_deadline_row(&mut self, deadline_ms: u64) {
        let Some(position) = self.position else { return };
        let database = &mut self.keyspace.databases[self.db];
        let partition = &mut database.partitions[self.partition];
        let Some(entry) = partition.table.get_bucket_mut(position) else { return };
        let old = std::mem::replace(&mut entry.item.deadline_ms, deadline_ms);
        if old != deadline_ms {
            let shared = old != 0 && partition.has_deadline(self.hash, old);
            database.deadlines.remove(old, self.hash, shared);
            database.deadlines.add(deadline_ms, self.hash);
        }
    }
}
