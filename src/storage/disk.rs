//! The little of a file system that the stores need: one flat directory. Everything written
//! through it can be run on a simulated disk that loses what was not synced. It must never
//! retry a sync, and never sync by itself: the callers know what has to be durable, and when.

#[cfg(test)]
pub(super) mod sim;

use super::StoreError;
use crate::limits;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// What a disk writes as a whole, at least.
pub(super) const SECTOR_BYTES: u64 = 512;

/// A directory. Its entries are durable after `sync_directory`.
pub trait Disk: Send + Sync {
    /// For messages.
    fn path(&self) -> &Path;
    /// The names of all files, sorted.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens a file; with `create`, one that must not exist yet.
    fn open(&self, name: &str, create: bool) -> io::Result<Box<dyn DiskFile>>;
    /// Renames a file over what was there.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; who has it open can go on reading it.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// The same with a file that may be large: its bytes are freed once what is returned is dropped, when nobody may
    /// read it any more, and without holding others' syncs up.
    fn remove_large(&self, name: &str) -> io::Result<Option<Remains>> {
        self.remove(name).map(|()| None)
    }
    /// Makes all creations, renames and removals durable.
    fn sync_directory(&self) -> io::Result<()>;
}

/// An open file. Its bytes and its length are durable after `sync_data`.
#[expect(clippy::len_without_is_empty, reason = "a call that may fail, and nobody asks for it")]
pub trait DiskFile: Send {
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Fills `buffer` from `offset` on, or fails.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes`, or fails.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// fdatasync.
    fn sync_data(&self) -> io::Result<()>;
}

/// All of a file.
pub(super) fn read_all(file: &dyn DiskFile) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// A real directory.
#[derive(Debug)]
pub(super) struct RealDisk {
    path: PathBuf,
}

impl RealDisk {
    /// The directory as it is.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Disk for RealDisk {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // A name that is not UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let path = self.path.join(name);
        let file = if create {
            OpenOptions::new().read(true).write(true).create_new(true).open(&path)?
        } else {
            // Without the right to write, reading is still possible: `inspect`.
            OpenOptions::new().read(true).write(true).open(&path).or_else(|_| File::open(&path))?
        };
        // Not every file system has it, and without the right to write nobody needs it.
        let direct = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(&path).ok();
        Ok(Box::new(RealFile { file, direct, is_refused: AtomicBool::new(false) }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn remove_large(&self, name: &str) -> io::Result<Option<Remains>> {
        let path = self.path.join(name);
        let file = OpenOptions::new().write(true).open(&path).ok();
        // Not before: what keeps its name keeps its bytes.
        fs::remove_file(path)?;
        Ok(file.map(|file| Remains(Some(file))))
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// A file that has no name any more. Dropping it frees its bytes, a few at a time: to free a large file at once (and
/// to tell the disk so, where it is mounted with `discard`) holds up every sync of the file system, for a
/// millisecond per megabyte.
#[derive(Debug)]
pub struct Remains(Option<File>);

impl Drop for Remains {
    fn drop(&mut self) {
        let Some(file) = self.0.take() else { return };
        let len = file.metadata().map_or(0, |metadata| metadata.len());
        if len > limits::FREED_AT_ONCE_BYTES {
            // Without a thread it is freed here and now.
            let _ = thread::Builder::new().name("free".to_owned()).spawn(move || free_in_steps(&file, len));
        }
    }
}

/// An error leaves the rest to the end of the file, which has nothing that anybody needs.
fn free_in_steps(file: &File, mut len: u64) {
    while len > 0 {
        len = len.saturating_sub(limits::FREED_AT_ONCE_BYTES);
        let began = Instant::now();
        // Or else the steps would wait in the file system's journal for each other.
        if file.set_len(len).and_then(|()| file.sync_all()).is_err() {
            return;
        }
        thread::sleep(limits::FREEING_RESTS * began.elapsed());
    }
}

/// Whole sectors go past the page cache: half of the processor time that a short synced write
/// costs is the kernel's work on pages that nobody reads again.
struct RealFile {
    file: File,
    direct: Option<File>,
    /// The disk wants a larger alignment than ours.
    is_refused: AtomicBool,
}

impl RealFile {
    /// Where these bytes may go past the page cache.
    fn direct(&self, bytes: &[u8], offset: u64) -> Option<&File> {
        let is_whole = |number: u64| number.is_multiple_of(SECTOR_BYTES);
        let fits = is_whole(offset) && is_whole(bytes.len() as u64) && is_whole(bytes.as_ptr().addr() as u64);
        self.direct.as_ref().filter(|_| fits && !self.is_refused.load(Ordering::Relaxed))
    }
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Some(direct) = self.direct(bytes, offset) {
            match direct.write_all_at(bytes, offset) {
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    self.is_refused.store(true, Ordering::Relaxed);
                }
                outcome => return outcome,
            }
        }
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Makes a directory with its parents, readable by the owner alone, and syncs every parent
/// that got a new entry.
pub(super) fn make_directory(path: &Path) -> Result<(), StoreError> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|it| !it.as_os_str().is_empty() && !it.is_dir()).collect();
    let failed = |source| StoreError::io("make the directory", path, source);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    for directory in missing {
        let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_directory(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

/// Makes a directory's entries durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|source| StoreError::io("sync the directory", path, source))
}

/// Replaces a file as a whole: after a crash it has the old bytes or the new ones. `name`.tmp
/// is written, synced, renamed; then the directory is synced.
pub(super) fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let path = disk.path().join(name);
    let beside = format!("{name}.tmp");
    let replaced = (|| {
        match disk.remove(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = disk.open(&beside, true)?;
        file.write_at(bytes, 0)?;
        file.sync_data()?;
        disk.rename(&beside, name)?;
        disk.sync_directory()
    })();
    replaced.map_err(|source| StoreError::io("replace", &path, source))
}
