//! Records end where a sector ends, so that no write touches a sector that holds an earlier
//! record: a power cut in the middle of one can only hurt what was not acknowledged. It also
//! lets the bytes go past the page cache, which takes whole sectors from aligned memory only.
//! This module must never do IO of its own accord.

use super::super::codec::Pieces;
use super::super::disk::{self, DiskFile};
use super::record::PADDING;
use crate::wire::entry::{put_len_field, varint_len};
use std::io;

const SECTOR_BYTES: usize = disk::SECTOR_BYTES as usize;
/// The strictest alignment of memory that a disk may ask for.
const ALIGNMENT: usize = 4096;
/// Longer records are written in pieces of this size.
const MOST_BYTES: usize = 1 << 20;

/// Makes a record that begins at `offset` end with a sector.
pub(super) fn pad(pieces: &mut Pieces, offset: u64) {
    let used = (offset + pieces.len() as u64) % SECTOR_BYTES as u64;
    if used == 0 {
        return;
    }
    let mut gap = SECTOR_BYTES - used as usize;
    let zeroes = loop {
        match padding(gap) {
            Some(zeroes) => break zeroes,
            None => gap += SECTOR_BYTES,
        }
    };
    let buffer = pieces.buffer();
    put_len_field(buffer, PADDING, zeroes);
    buffer.resize(buffer.len() + zeroes, 0);
}

/// How many zeroes make a field of `gap` bytes; `None` for the lengths that no field has.
fn padding(gap: usize) -> Option<usize> {
    let zeroes = (1..=2).map(|len_bytes| (gap.checked_sub(1 + len_bytes), len_bytes));
    zeroes
        .into_iter()
        .find_map(|(zeroes, len_bytes)| zeroes.filter(|&zeroes| varint_len(zeroes as u64) == len_bytes))
}

/// Aligned memory through which records are written; it grows to the longest, within bounds.
#[derive(Default)]
pub(super) struct Sectors {
    memory: Vec<u8>,
}

impl Sectors {
    /// Writes `slices` one after the other from `offset` on. Returns where they end.
    pub(super) fn write<'a>(
        &mut self,
        file: &dyn DiskFile,
        mut offset: u64,
        total_bytes: usize,
        slices: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<u64> {
        let room = total_bytes.next_multiple_of(SECTOR_BYTES).min(MOST_BYTES);
        if self.memory.len() < room + ALIGNMENT {
            self.memory.resize(room.next_power_of_two() + ALIGNMENT, 0);
        }
        let start = self.memory.as_ptr().align_offset(ALIGNMENT);
        let buffer = &mut self.memory[start..start + room];
        let mut filled = 0;
        for mut slice in slices {
            while !slice.is_empty() {
                let (now, later) = slice.split_at(slice.len().min(room - filled));
                buffer[filled..filled + now.len()].copy_from_slice(now);
                filled += now.len();
                slice = later;
                if filled == room {
                    file.write_at(buffer, offset)?;
                    offset += filled as u64;
                    filled = 0;
                }
            }
        }
        if filled > 0 {
            file.write_at(&buffer[..filled], offset)?;
            offset += filled as u64;
        }
        Ok(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::entry::next_field;

    #[test]
    fn every_length_can_be_padded_to_the_end_of_a_sector() {
        for len in 1..2 * SECTOR_BYTES {
            for offset in [0, 8, 504, 512, 1016] {
                let mut pieces = Pieces::default();
                pieces.reset(len);
                pad(&mut pieces, offset);
                assert_eq!((offset as usize + pieces.len()) % SECTOR_BYTES, 0, "{len} bytes at {offset}");
                let padded = pieces.buffer().split_off(len);
                let mut rest = &padded[..];
                while !rest.is_empty() {
                    assert_eq!(next_field(&mut rest, "record").unwrap().0, PADDING);
                }
            }
        }
    }
}
