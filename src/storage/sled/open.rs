//! Opening sled's database, and syncing what it made. It must never repair: what sled cannot
//! open in one piece is refused.

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

/// Syncs every file and directory of sled's: it syncs none when it makes them.
pub(super) fn sync_tree(path: &Path) -> Result<(), StoreError> {
    let entries = fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    for entry in entries.map_err(|source| StoreError::io("list", path, source))? {
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
