//! A disk in memory, on which nothing ever fails. This module must never do IO.

use bowline::storage::{Disk, DiskFile};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

type Bytes = Arc<Mutex<Vec<u8>>>;

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    files: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl MemoryDisk {
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        self.files.lock().expect("no panic").insert(name.to_owned(), Arc::new(Mutex::new(bytes)));
    }

    /// Changes a file; none when it is not there.
    pub fn change<T>(&self, name: &str, change: impl FnOnce(&mut Vec<u8>) -> T) -> Option<T> {
        let file = self.files.lock().expect("no panic").get(name).cloned()?;
        let mut bytes = file.lock().expect("no panic");
        Some(change(&mut bytes))
    }
}

impl Disk for MemoryDisk {
    fn path(&self) -> &Path {
        Path::new("memory")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.lock().expect("no panic").keys().cloned().collect())
    }

    fn open(&self, name: &str, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let mut files = self.files.lock().expect("no panic");
        match (files.get(name), create) {
            (Some(_), true) => Err(io::ErrorKind::AlreadyExists.into()),
            (None, false) => Err(io::ErrorKind::NotFound.into()),
            (Some(file), false) => Ok(Box::new(MemoryFile(Arc::clone(file)))),
            (None, true) => {
                let file = Bytes::default();
                files.insert(name.to_owned(), Arc::clone(&file));
                Ok(Box::new(MemoryFile(file)))
            }
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.files.lock().expect("no panic");
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.files.lock().expect("no panic").remove(name);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }
}

struct MemoryFile(Bytes);

impl DiskFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().expect("no panic").len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self.0.lock().expect("no panic");
        let from = bytes.get(offset as usize..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, written: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.0.lock().expect("no panic");
        let (from, to) = (offset as usize, offset as usize + written.len());
        if bytes.len() < to {
            bytes.resize(to, 0);
        }
        bytes[from..to].copy_from_slice(written);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}
