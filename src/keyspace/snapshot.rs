//! A consistent snapshot while writes go on, without a copy of the data: partitions are
//! serialized one after another, and a key that is about to change before its turn is
//! serialized first. What has changed since the begin tells so by its revision. A snapshot must
//! never hold anything later than its begin, and a write must never pay for more than its key.

mod long;

use super::codec::{self, Row};
use super::database::Database;
use super::discard::Discarded;
use super::hash::KeyHash;
use super::partition::{Entry, Occupied, PARTITIONS, Partition, Table};
use super::value::StringValue;
use super::{Keyspace, Value};
use crate::limits::{DATABASES, SNAPSHOT_CHUNK_BYTES};
use crate::mutant::{self, Mutant};
use crate::wire::WireError;
use long::Long;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::hint::black_box;

/// Entries that are looked up together.
const TOGETHER: usize = 32;

/// A snapshot under way. Databases go by the numbers that they had when it began.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The databases below it are done.
    db: usize,
    walks: [Walk; DATABASES],
    /// The keyspace's revision at the begin.
    revision: u64,
    /// Values of this length come in pieces.
    long_bytes: usize,
    /// Bytes of what has changed before its turn.
    pending: VecDeque<Chunk>,
    /// Keys with long values that had their turn: they come in pieces.
    long: VecDeque<Long>,
    /// What was not yet walked when everything was flushed, with database and number.
    kept: Vec<(usize, usize, Partition)>,
    /// What was walked of that, to be freed.
    spent: Vec<Table>,
}

/// How far one database is.
#[derive(Debug, Default)]
struct Walk {
    /// The partitions below it are done.
    next: usize,
    /// Those at or above `next` whose tombstone is no longer that of the begin: it is written.
    buried: Occupied,
}

/// Rows of one database. Those of several such pieces put together are one piece.
#[derive(Debug, Default)]
struct Chunk {
    db: usize,
    rows: Vec<u8>,
}

impl Chunk {
    /// Whether rows of this database can be added.
    fn takes(&mut self, db: usize) -> bool {
        if self.rows.is_empty() {
            self.db = db;
        }
        self.db == db
    }
}

impl Snapshot {
    fn new(databases: &mut [Database; DATABASES], revision: u64, long_bytes: usize) -> Self {
        for (db, database) in databases.iter_mut().enumerate() {
            database.walked_as = db;
        }
        // A database that holds nothing now has nothing to tell, whatever comes into it.
        let walk = |database: &mut Database| match database.partitions.is_empty() {
            true => Walk { next: PARTITIONS, buried: Occupied::default() },
            false => Walk { next: 0, buried: Occupied::new() },
        };
        let walks = databases.each_mut().map(walk);
        Self {
            db: 0,
            walks,
            revision,
            long_bytes,
            pending: VecDeque::new(),
            long: VecDeque::new(),
            kept: Vec::new(),
            spent: Vec::new(),
        }
    }

    /// Whether a string that begins there is to be written.
    #[cfg(test)]
    pub(super) fn shares(&self, begin: *const u8) -> bool {
        self.long.iter().any(|long| long.begins_at(begin))
    }

    /// To be called before an entry of this partition changes.
    pub(super) fn before_change(&mut self, db: usize, number: usize, entry: &Entry) {
        if number >= self.walks[db].next && entry.item.revision <= self.revision {
            match Long::of(db, entry, self.long_bytes) {
                Some(_) if mutant::is(Mutant::LongNotFrozen) => {}
                Some(long) => self.long.push_back(long),
                None => codec::put_key(self.pending_of(db), entry),
            }
        }
    }

    /// To be called before an entry goes away. Its own revision is what the tombstone may become: that
    /// does not tell when.
    pub(super) fn before_removal(&mut self, db: usize, number: usize, entry: &Entry, tombstone: u64) {
        self.before_change(db, number, entry);
        let walk = &mut self.walks[db];
        if number >= walk.next && !walk.buried.contains(number) {
            walk.buried.set(number, true);
            if tombstone != 0 {
                codec::put_tombstone(self.pending_of(db), number, tombstone);
            }
        }
    }

    /// Where rows of a database go that cannot wait for their turn.
    fn pending_of(&mut self, db: usize) -> &mut Vec<u8> {
        let joins = |chunk: &mut Chunk| chunk.rows.len() < SNAPSHOT_CHUNK_BYTES && chunk.takes(db);
        if !self.pending.back_mut().is_some_and(joins) {
            self.pending.push_back(Chunk { db, rows: Vec::new() });
        }
        &mut self.pending.back_mut().expect("one was added if there was none").rows
    }

    /// Before a flush: takes the tables that are not yet walked, as they are, and flushes them.
    pub(super) fn keep_unwalked(&mut self, database: &mut Database, swapped: u64) {
        let db = database.walked_as;
        let walk = &mut self.walks[db];
        for (number, partition) in database.partitions.iter_mut().enumerate().skip(walk.next) {
            let tombstone = if walk.buried.contains(number) { 0 } else { partition.tombstone };
            if partition.table.is_empty() && tombstone == 0 {
                continue;
            }
            let table = partition.flush(swapped);
            self.kept.push((db, number, Partition { table, tombstone, newest: 0 }));
        }
        walk.next = PARTITIONS;
    }

    /// Lets go what it holds, bit by bit.
    fn give_up(self, discarded: &mut Discarded) {
        self.long.into_iter().for_each(|long| long.give_up(discarded));
        let kept = self.kept.into_iter().map(|(.., partition)| partition.table);
        kept.chain(self.spent).for_each(|table| discarded.add_table(table));
    }

    fn next_chunk(&mut self, target_bytes: usize, databases: &[Database]) -> Option<Chunk> {
        // Most partitions of a large keyspace fit in without growing it.
        let mut chunk = Chunk { db: 0, rows: Vec::with_capacity(target_bytes * 2) };
        while chunk.rows.len() < target_bytes {
            if let Some(long) = self.long.front_mut() {
                if !chunk.takes(long.db) {
                    break;
                }
                if long.put_next(&mut chunk.rows, target_bytes) {
                    self.long.pop_front();
                }
            } else if let Some(pending) = self.pending.front() {
                if !chunk.takes(pending.db) {
                    break;
                }
                chunk.rows.extend_from_slice(&pending.rows);
                self.pending.pop_front();
            } else if let Some((db, number, partition)) = self.kept.pop_if(|(db, ..)| chunk.takes(*db)) {
                put_unchanged(
                    &mut chunk.rows,
                    db,
                    &partition,
                    (self.revision, self.long_bytes),
                    &mut self.long,
                );
                put_buried(&mut chunk.rows, number, partition.tombstone);
                debug_assert_eq!(chunk.db, db);
                self.spent.push(partition.table);
            } else if !self.kept.is_empty() || !self.walk_on(&mut chunk, databases) {
                break;
            }
        }
        (!chunk.rows.is_empty()).then_some(chunk)
    }

    /// Walks one partition. False: there is none left, or none that belongs into this chunk.
    fn walk_on(&mut self, chunk: &mut Chunk, databases: &[Database]) -> bool {
        while self.walks.get(self.db).is_some_and(|walk| walk.next == PARTITIONS) {
            self.db += 1;
        }
        let Some(walk) = self.walks.get_mut(self.db) else { return false };
        if !chunk.takes(self.db) {
            return false;
        }
        let database = databases
            .iter()
            .find(|database| database.walked_as == self.db)
            .expect("a snapshot gives each database its number");
        let partition = &database.partitions[walk.next];
        let bounds = (self.revision, self.long_bytes);
        put_unchanged(&mut chunk.rows, self.db, partition, bounds, &mut self.long);
        if !walk.buried.contains(walk.next) {
            put_buried(&mut chunk.rows, walk.next, partition.tombstone);
        }
        walk.next += 1;
        true
    }
}

/// Appends the keys that are as they were at `revision`: what has changed since was written then.
/// Those with values of `long_bytes` wait for their own turn.
fn put_unchanged(
    out: &mut Vec<u8>,
    db: usize,
    partition: &Partition,
    (revision, long_bytes): (u64, usize),
    waiting: &mut VecDeque<Long>,
) {
    let mut entries = partition.table.iter();
    loop {
        let block: SmallVec<[&Entry; TOGETHER]> = entries.by_ref().take(TOGETHER).map(|it| &**it).collect();
        if block.is_empty() {
            return;
        }
        fetch(&block);
        let was_there = |entry: &&Entry| {
            entry.item.revision <= revision
                || (mutant::is(Mutant::LongNotFrozen) && Long::of(db, entry, long_bytes).is_some())
        };
        for entry in block.into_iter().filter(was_there) {
            match Long::of(db, entry, long_bytes) {
                Some(long) => waiting.push_back(long),
                None => codec::put_key(out, entry),
            }
        }
    }
}

/// Each entry and its bytes lie somewhere else in memory, and a walk waits for most of them. Asked for with
/// nothing in between, many come at a time.
fn fetch(entries: &[&Entry]) {
    black_box(entries.iter().fold(0, |sum, entry| sum ^ entry.item.revision));
    let first = |bytes: &[u8]| bytes.first().copied().unwrap_or(0);
    black_box(entries.iter().fold(0, |sum, entry| {
        let value = match &entry.item.value {
            Value::String(StringValue::Blob(value)) => first(value),
            _ => 0,
        };
        sum ^ first(&entry.key) ^ value
    }));
}

fn put_buried(out: &mut Vec<u8>, number: usize, tombstone: u64) {
    if tombstone != 0 {
        codec::put_tombstone(out, number, tombstone);
    }
}

impl Keyspace {
    /// Starts a snapshot of what there is now; one that was under way is given up.
    pub fn snapshot_begin(&mut self) {
        self.snapshot_abort();
        self.snapshot = Some(Box::new(Snapshot::new(&mut self.databases, self.revision, self.long_bytes)));
    }

    /// From now on values of this length are written in pieces, in place of
    /// [`crate::limits::SNAPSHOT_LONG_BYTES`].
    pub fn set_long_values(&mut self, least_bytes: usize) {
        self.long_bytes = least_bytes;
    }

    /// The next piece, a `snapshot.Keys` of about `target_bytes` (more if a partition is
    /// larger, or was written meanwhile); `None` when the snapshot is complete, or there is none.
    pub fn snapshot_next(&mut self, target_bytes: usize) -> Option<Vec<u8>> {
        let snapshot = self.snapshot.as_mut()?;
        let chunk = snapshot.next_chunk(target_bytes.max(1), &self.databases);
        snapshot.spent.drain(..).for_each(|table| self.discarded.add_table(table));
        let Some(chunk) = chunk else {
            self.snapshot = None;
            return None;
        };
        Some(codec::keys(chunk.db, chunk.rows))
    }

    /// Gives the snapshot up, if one is under way.
    pub fn snapshot_abort(&mut self) {
        if let Some(snapshot) = self.snapshot.take() {
            snapshot.give_up(&mut self.discarded);
        }
    }

    /// Memory that a snapshot under way takes for what has changed before its turn.
    pub fn snapshot_bytes(&self) -> usize {
        let pending = self.snapshot.iter().flat_map(|snapshot| &snapshot.pending);
        let long = self.snapshot.iter().flat_map(|snapshot| &snapshot.long);
        pending.map(|chunk| chunk.rows.capacity()).sum::<usize>() + long.map(Long::heap_bytes).sum::<usize>()
    }

    /// Adds the keys and tombstones of one piece of a snapshot to a keyspace that holds
    /// nothing but earlier pieces of it; `now_ms` is when the keys count as used. After an error
    /// the keyspace is of no use.
    pub fn restore(&mut self, mut keys: &[u8], now_ms: u64) -> Result<(), WireError> {
        let mut db = 0;
        while let Some(row) = codec::next_row(&mut keys, &mut self.pieces, &self.forms)? {
            let database = &mut self.databases[db];
            match row {
                Row::Database(number) => db = number,
                Row::Tombstone { partition, revision } => {
                    database.allocate();
                    let partition = &mut database.partitions[partition];
                    partition.tombstone = partition.tombstone.max(revision);
                    partition.newest = partition.newest.max(revision);
                }
                Row::Key(key, item) => {
                    let hash = KeyHash::new(self.hasher.hash(&key));
                    database.allocate();
                    if database.find(hash, &key).is_some() {
                        return Err(WireError::new("snapshot: a key twice"));
                    }
                    database.deadlines.add(item.deadline_ms, hash);
                    database.occupied.set(hash.partition(), true);
                    database.partitions[hash.partition()].insert(Entry::new(hash, key, item, now_ms));
                    database.len += 1;
                }
            }
        }
        Ok(())
    }
}
