//! Where a process writes: one sector after the other, each on the disk before the next.

use super::streams::put_number;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const SECTOR_BYTES: usize = 512;
/// Written in a circle.
const FILE_BYTES: u64 = 16 << 20;
const ZEROS_BYTES: u64 = 1 << 20;

/// A sector, where direct I/O wants it in memory.
#[repr(align(4096))]
struct Sector([u8; SECTOR_BYTES]);

/// A file whose blocks are there before they are written, so that a sync concerns nothing but data.
pub struct Log {
    file: File,
    sector: Box<Sector>,
    offset: u64,
}

impl Log {
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut zeroed = File::create(path)?;
        for _ in 0..FILE_BYTES / ZEROS_BYTES {
            zeroed.write_all(&[0; ZEROS_BYTES as usize])?;
        }
        zeroed.sync_all()?;
        let file = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(path)?;
        Ok(Self { file, sector: Box::new(Sector([0; SECTOR_BYTES])), offset: 0 })
    }

    /// On the disk when it returns.
    pub fn append(&mut self, number: u64) -> io::Result<()> {
        put_number(&mut self.sector.0, number);
        self.file.write_all_at(&self.sector.0, self.offset)?;
        self.offset = (self.offset + SECTOR_BYTES as u64) % FILE_BYTES;
        self.file.sync_data()
    }
}
