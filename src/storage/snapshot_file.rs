//! Snapshots as flat files, for the durable backends. Everything little-endian:
//!
//! ```text
//! "bowline snap 1\n\0"
//! u32 length, u32 CRC32C, a snapshot.Meta
//! u32 length, u32 CRC32C, a snapshot.Chunk     and so on; a length is never 0
//! u32 0, u32 CRC32C of the rest, u64 chunks, u64 bytes of chunks: the footer, at the very end
//! ```
//!
//! Each CRC starts from the one before: chunks cannot change places or come from another
//! snapshot. Written as `*.tmp`, synced, renamed, the directory synced; only then is the one
//! before removed. This module must never show a snapshot without its footer, and never an
//! older one in place of a damaged one.

use super::disk::{Disk, DiskFile, Remains};
use super::{SnapshotReader, SnapshotStore, SnapshotWriter, StoreError};
use crate::limits::MAX_SNAPSHOT_CHUNK_BYTES;
use crate::wire::GroupId;
use crate::wire::proto::snapshot::Meta;
use protobuf::Message as _;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Where the snapshots lie in a data directory.
pub(super) const SNAPSHOT_DIRECTORY: &str = "snapshots";
const MAGIC: &[u8; 16] = b"bowline snap 1\n\0";
const FRAME_BYTES: usize = 8;
const FOOTER_BYTES: u64 = 24;
/// Dirty bytes before they are synced: at the end, the log's syncs would wait for all of them.
const SYNC_EVERY_BYTES: u64 = 8 << 20;

/// The snapshots of one directory.
pub(super) struct SnapshotFiles {
    disk: Arc<dyn Disk>,
    /// Makes temporary names, which nobody else may hold at the same time.
    next_number: AtomicU64,
    /// Finishing and choosing the latest exclude each other.
    latest: Arc<Mutex<BTreeMap<GroupId, Found>>>,
}

/// A finished snapshot's place in time, and its file.
type Found = ((u64, u64), Arc<Finished>);

struct Finished {
    name: String,
    /// Another has taken its place. Who still reads it holds the whole.
    remains: OnceLock<Remains>,
}

impl Finished {
    fn new(name: String) -> Arc<Self> {
        Arc::new(Self { name, remains: OnceLock::new() })
    }
}

fn name_of(meta: &Meta) -> String {
    format!("{:016x}-{:016x}-{:016x}.snapshot", meta.get_group(), meta.get_index(), meta.get_term())
}

fn parse_name(name: &str) -> Option<(GroupId, (u64, u64))> {
    let mut parts = name.strip_suffix(".snapshot")?.split('-').map(|part| u64::from_str_radix(part, 16).ok());
    Some((parts.next()??, (parts.next()??, parts.next()??)))
}

impl SnapshotFiles {
    /// Opens the directory and removes what earlier processes did not finish.
    pub(super) fn open(disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let store = Self::read_only(disk)?;
        let disk = &store.disk;
        let failed = |source| StoreError::io("clean up", disk.path(), source);
        let latest = store.latest.lock().unwrap_or_else(PoisonError::into_inner);
        for name in disk.list().map_err(failed)? {
            let replaced = parse_name(&name)
                .and_then(|(group, _)| latest.get(&group))
                .is_some_and(|it| it.1.name != name);
            if replaced || name.ends_with(".tmp") {
                disk.remove(&name).map_err(failed)?;
            }
        }
        disk.sync_directory().map_err(failed)?;
        drop(latest);
        Ok(store)
    }

    /// Only for reading: changes nothing.
    pub(super) fn read_only(disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let names = disk.list().map_err(|source| StoreError::io("list", disk.path(), source))?;
        let mut latest: BTreeMap<GroupId, Found> = BTreeMap::new();
        for name in names {
            let Some((group, place)) = parse_name(&name) else { continue };
            if latest.get(&group).is_none_or(|(known, _)| *known < place) {
                latest.insert(group, (place, Finished::new(name)));
            }
        }
        Ok(Self { disk, next_number: AtomicU64::new(0), latest: Arc::new(Mutex::new(latest)) })
    }

    /// The groups that have a snapshot.
    pub(super) fn groups(&self) -> Vec<GroupId> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }
}

impl SnapshotStore for SnapshotFiles {
    fn begin(&self, meta: &Meta) -> Result<Box<dyn SnapshotWriter>, StoreError> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let temporary = format!("{number}.tmp");
        let path = self.disk.path().join(&temporary);
        let file =
            self.disk.open(&temporary, true).map_err(|source| StoreError::io("make", &path, source))?;
        let mut writer = FileWriter {
            disk: Arc::clone(&self.disk),
            latest: Arc::clone(&self.latest),
            meta: meta.clone(),
            temporary,
            path,
            file,
            offset: MAGIC.len() as u64,
            unsynced_bytes: 0,
            crc: 0,
            chunks: 0,
            chunk_bytes: 0,
            poison: None,
            is_finished: false,
        };
        writer.guarded(|writer| writer.write(MAGIC, 0))?;
        let meta = meta.write_to_bytes().expect("a snapshot's meta has no required fields to miss");
        writer.guarded(|writer| writer.put_frame(&meta))?;
        Ok(Box::new(writer))
    }

    fn open_latest(&self, group: GroupId) -> Result<Option<Box<dyn SnapshotReader>>, StoreError> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((place, finished)) = latest.get(&group).cloned() else { return Ok(None) };
        let path = self.disk.path().join(&finished.name);
        // Under the lock: once open, the file can be replaced and is still read to its end.
        let file =
            self.disk.open(&finished.name, false).map_err(|source| StoreError::io("open", &path, source))?;
        drop(latest);
        let reader = FileReader::open(file, path, finished)?;
        let found = (reader.meta.get_index(), reader.meta.get_term());
        if reader.meta.get_group() != group || found != place {
            return Err(reader.corrupt("the snapshot inside is not the one that the name announces"));
        }
        Ok(Some(Box::new(reader)))
    }
}

struct FileWriter {
    disk: Arc<dyn Disk>,
    latest: Arc<Mutex<BTreeMap<GroupId, Found>>>,
    meta: Meta,
    temporary: String,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    offset: u64,
    unsynced_bytes: u64,
    crc: u32,
    chunks: u64,
    chunk_bytes: u64,
    poison: Option<StoreError>,
    is_finished: bool,
}

impl FileWriter {
    fn guarded(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if let Some(first) = &self.poison {
            return Err(first.clone());
        }
        change(self).inspect_err(|error| self.poison = Some(error.clone()))
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), StoreError> {
        self.file.write_at(bytes, offset).map_err(|source| StoreError::io("write", &self.path, source))
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.unsynced_bytes = 0;
        self.file.sync_data().map_err(|source| StoreError::io("sync", &self.path, source))
    }

    fn put_frame(&mut self, payload: &[u8]) -> Result<(), StoreError> {
        if payload.is_empty() || payload.len() > MAX_SNAPSHOT_CHUNK_BYTES {
            let what = format!("a snapshot chunk of {} bytes", payload.len());
            return Err(StoreError::Impossible { group: self.meta.get_group(), what });
        }
        self.crc = crc32c::crc32c_append(self.crc, payload);
        let mut frame = [0; FRAME_BYTES];
        frame[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        frame[4..].copy_from_slice(&self.crc.to_le_bytes());
        self.write(&frame, self.offset)?;
        self.write(payload, self.offset + FRAME_BYTES as u64)?;
        let len = (FRAME_BYTES + payload.len()) as u64;
        self.offset += len;
        self.unsynced_bytes += len;
        if self.unsynced_bytes >= SYNC_EVERY_BYTES { self.sync() } else { Ok(()) }
    }

    fn put_footer(&mut self) -> Result<(), StoreError> {
        let mut footer = [0; FOOTER_BYTES as usize];
        footer[8..16].copy_from_slice(&self.chunks.to_le_bytes());
        footer[16..].copy_from_slice(&self.chunk_bytes.to_le_bytes());
        let crc = crc32c::crc32c_append(self.crc, &footer[8..]);
        footer[4..8].copy_from_slice(&crc.to_le_bytes());
        self.write(&footer, self.offset)?;
        self.sync()
    }

    fn publish(&mut self) -> Result<(), StoreError> {
        self.put_footer()?;
        let name = name_of(&self.meta);
        let place = (self.meta.get_index(), self.meta.get_term());
        let failed = |source| StoreError::io("finish", &self.path, source);
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let group = self.meta.get_group();
        if latest.get(&group).is_some_and(|(known, _)| *known > place) {
            // A later one was finished meanwhile: this one is of no use any more.
            return Ok(());
        }
        self.disk.rename(&self.temporary, &name).map_err(failed)?;
        self.is_finished = true;
        self.disk.sync_directory().map_err(failed)?;
        let before = latest.insert(group, (place, Finished::new(name.clone())));
        if let Some((_, before)) = before.filter(|(_, before)| before.name != name) {
            let remains = self.disk.remove_large(&before.name).map_err(failed)?;
            self.disk.sync_directory().map_err(failed)?;
            remains.into_iter().for_each(|remains| drop(before.remains.set(remains)));
        }
        Ok(())
    }
}

impl SnapshotWriter for FileWriter {
    fn append(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        self.guarded(|writer| {
            writer.put_frame(chunk)?;
            writer.chunks += 1;
            writer.chunk_bytes += chunk.len() as u64;
            Ok(())
        })
    }

    fn finish(mut self: Box<Self>) -> Result<(), StoreError> {
        self.guarded(Self::publish)
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            // What stays is removed at the next start.
            let _ = self.disk.remove_large(&self.temporary);
        }
    }
}

struct FileReader {
    file: Box<dyn DiskFile>,
    /// It keeps its bytes until here.
    _finished: Arc<Finished>,
    path: PathBuf,
    meta: Meta,
    offset: u64,
    crc: u32,
    /// Where the footer begins.
    end: u64,
    footer: [u8; FOOTER_BYTES as usize],
    chunks: u64,
    chunk_bytes: u64,
}

impl FileReader {
    fn open(file: Box<dyn DiskFile>, path: PathBuf, finished: Arc<Finished>) -> Result<Self, StoreError> {
        let len = file.len().map_err(|source| StoreError::io("read", &path, source))?;
        let offset = MAGIC.len() as u64;
        let end = len.saturating_sub(FOOTER_BYTES);
        let mut reader = Self {
            file,
            _finished: finished,
            path,
            meta: Meta::default(),
            offset,
            crc: 0,
            end,
            footer: [0; FOOTER_BYTES as usize],
            chunks: 0,
            chunk_bytes: 0,
        };
        if end < offset {
            return Err(reader.corrupt("the snapshot is cut off"));
        }
        let mut magic = [0; MAGIC.len()];
        reader.read(&mut magic, 0)?;
        if magic != *MAGIC {
            return Err(reader.corrupt("it does not begin as a snapshot does"));
        }
        let mut footer = reader.footer;
        reader.read(&mut footer, end)?;
        reader.footer = footer;
        if footer[..4] != [0; 4] {
            return Err(reader.corrupt("the snapshot has no footer"));
        }
        let meta = reader.next_frame()?.ok_or_else(|| reader.corrupt("the snapshot has no header"))?;
        let meta = Meta::parse_from_bytes(&meta);
        reader.meta = meta.map_err(|_| reader.corrupt("the snapshot's header is malformed"))?;
        Ok(reader)
    }

    fn corrupt(&self, what: &str) -> StoreError {
        StoreError::corrupt(&self.path, self.offset, what)
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), StoreError> {
        self.file.read_at(buffer, offset).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => self.corrupt("the snapshot is cut off"),
            _ => StoreError::io("read", &self.path, source),
        })
    }

    fn next_frame(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        if self.offset == self.end {
            return Ok(None);
        }
        let mut frame = [0; FRAME_BYTES];
        self.read(&mut frame, self.offset)?;
        let word = |at: usize| u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]);
        let start = self.offset + FRAME_BYTES as u64;
        let next = start + u64::from(word(0));
        if word(0) == 0 || word(0) as usize > MAX_SNAPSHOT_CHUNK_BYTES || next > self.end {
            return Err(self.corrupt("a chunk's length is wrong"));
        }
        let mut payload = vec![0; word(0) as usize];
        self.read(&mut payload, start)?;
        let crc = crc32c::crc32c_append(self.crc, &payload);
        if crc != word(4) {
            return Err(self.corrupt("a chunk fails its checksum"));
        }
        self.crc = crc;
        self.offset = next;
        Ok(Some(payload))
    }

    fn check_footer(&self) -> Result<(), StoreError> {
        let crc = crc32c::crc32c_append(self.crc, &self.footer[8..]);
        let is_whole = self.footer[4..8] == crc.to_le_bytes()
            && self.footer[8..16] == self.chunks.to_le_bytes()
            && self.footer[16..] == self.chunk_bytes.to_le_bytes();
        if is_whole { Ok(()) } else { Err(self.corrupt("the footer does not fit the chunks")) }
    }
}

impl SnapshotReader for FileReader {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(chunk) = self.next_frame()? else {
            self.check_footer()?;
            return Ok(None);
        };
        self.chunks += 1;
        self.chunk_bytes += chunk.len() as u64;
        Ok(Some(chunk))
    }
}

#[cfg(test)]
mod tests;
