//! Opening sled's database, and syncing what it made. It must never repair: what sled cannot
//! open in one piece is refused. What it may remove is what no acknowledgement rests on.

use super::{CACHE_BYTES, SLED_SEGMENT_BYTES, failed};
use crate::storage::StoreError;
use crate::storage::disk::sync_directory;
use ::sled::Db;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a lock that sled still holds is waited for.
const UNLOCK_PATIENCE: Duration = Duration::from_secs(5);
const UNLOCK_PAUSE: Duration = Duration::from_millis(10);

/// sled panics on some damage that it finds while it opens. On a thread of its own that is an
/// error, and where a panic ends the process, its name tells the operator what to do.
pub(super) fn open_db(path: &Path) -> Result<Db, StoreError> {
    let config = ::sled::Config::new()
        .path(path)
        .segment_size(SLED_SEGMENT_BYTES)
        .flush_every_ms(None)
        .cache_capacity(CACHE_BYTES);
    let advice = "opening sled; if it panics its database is lost: remove the node from the cluster, empty its \
                  data directory, let it join under a new node id";
    let thread = std::thread::Builder::new().name(advice.into()).spawn(move || open_when_free(&config));
    let thread = thread.map_err(|source| StoreError::io("start a thread to open", path, source))?;
    match thread.join() {
        Ok(opened) => opened.map_err(|error| failed(path, "open its database", error)),
        Err(_) => Err(StoreError::forgotten(path, "sled panicked while it opened its database")),
    }
}

/// The directory's own lock says that nobody else uses it, but sled lets go of its file's lock
/// in the background when a database is closed.
fn open_when_free(config: &::sled::Config) -> Result<Db, ::sled::Error> {
    let started = Instant::now();
    loop {
        match config.open() {
            Err(::sled::Error::Io(error))
                if error.to_string().contains("could not acquire lock")
                    && started.elapsed() < UNLOCK_PATIENCE =>
            {
                std::thread::sleep(UNLOCK_PAUSE);
            }
            opened => return opened,
        }
    }
}

/// How sled names a snapshot of its page table that it has not finished.
const UNFINISHED_SUFFIX: &str = ".generating";

/// Makes a database ready to be opened after a crash. sled takes a snapshot of its page table
/// that it never finished for its newest one, and then cannot open; and it writes a snapshot
/// while it opens, syncs that, and relies on pages that it has not synced.
pub(super) fn settle(path: &Path) -> Result<(), StoreError> {
    for entry in list(path)? {
        if entry.file_name().as_encoded_bytes().ends_with(UNFINISHED_SUFFIX.as_bytes()) {
            let path = entry.path();
            fs::remove_file(&path).map_err(|source| StoreError::io("remove", &path, source))?;
        }
    }
    sync_tree(path)
}

/// Removes what a crash left of a database in which nothing was ever acknowledged: sled cannot
/// open every half of one.
pub(super) fn clear(path: &Path) -> Result<(), StoreError> {
    for entry in list(path)? {
        let path = entry.path();
        let removed = if path.is_dir() {
            clear(&path)?;
            fs::remove_dir(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.map_err(|source| StoreError::io("remove", &path, source))?;
    }
    sync_directory(path)
}

fn list(path: &Path) -> Result<Vec<fs::DirEntry>, StoreError> {
    let entries = fs::read_dir(path).and_then(Iterator::collect);
    entries.map_err(|source| StoreError::io("list", path, source))
}

/// Syncs every file and directory of sled's: it syncs none when it makes them.
pub(super) fn sync_tree(path: &Path) -> Result<(), StoreError> {
    for entry in list(path)? {
        let path = entry.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            let synced = File::open(&path).and_then(|file| file.sync_all());
            synced.map_err(|source| StoreError::io("sync", &path, source))?;
        }
    }
    sync_directory(path)
}
