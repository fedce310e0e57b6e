//! A whole RDB file, as a redis-server loads it, written piece by piece from the pieces of a
//! snapshot. It must never hold more than the piece at hand, or one long value.

use super::functions::put_function;
use super::{VERSION, crc64, opcode, put_value, strings, type_of};
use crate::keyspace::Forms;
use crate::keyspace::codec::{self, Pieces, Row};
use crate::wire::WireError;

/// Writes a file; see the module. Each call appends to what it is given.
#[derive(Debug, Default)]
pub struct FileWriter {
    /// Of all that was written.
    checksum: u64,
    /// The database that was named last.
    selected: Option<usize>,
    /// Of a long value whose key has not come yet.
    pieces: Pieces,
    forms: Forms,
}

impl FileWriter {
    /// The beginning of a file, with fields about it; `forms` are those of what will come.
    pub fn begin(fields: &[(&str, &str)], forms: Forms, out: &mut Vec<u8>) -> Self {
        let mut writer = Self { forms, ..Self::default() };
        writer.sum(out, |out, _| {
            out.extend_from_slice(opcode::MAGIC);
            out.extend_from_slice(format!("{VERSION:04}").as_bytes());
            for (name, value) in fields {
                out.push(opcode::AUX);
                strings::put(out, name.as_bytes());
                strings::put(out, value.as_bytes());
            }
        });
        writer
    }

    /// A library of functions.
    pub fn function(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.sum(out, |out, _| put_function(out, text));
    }

    /// The keys of a `snapshot.Keys`; how many there were.
    pub fn keys(&mut self, mut keys: &[u8], out: &mut Vec<u8>) -> Result<u64, WireError> {
        let (mut pieces, forms) = (std::mem::take(&mut self.pieces), self.forms);
        let count = self.sum(out, |out, selected| {
            let (mut db, mut count) = (0, 0);
            while let Some(row) = codec::next_row(&mut keys, &mut pieces, &forms)? {
                match row {
                    Row::Database(number) => db = number,
                    Row::Tombstone { .. } => {}
                    Row::Key(key, item) => {
                        count += 1;
                        if *selected != Some(db) {
                            *selected = Some(db);
                            out.push(opcode::SELECTDB);
                            strings::put_len(out, db);
                        }
                        if item.deadline_ms != 0 {
                            out.push(opcode::EXPIRETIME_MS);
                            out.extend_from_slice(&item.deadline_ms.to_le_bytes());
                        }
                        out.push(type_of(&item.value));
                        strings::put(out, &key);
                        put_value(out, &item.value);
                    }
                }
            }
            Ok(count)
        });
        self.pieces = pieces;
        count
    }

    /// The end of the file.
    pub fn end(mut self, out: &mut Vec<u8>) {
        self.sum(out, |out, _| out.push(opcode::EOF));
        out.extend_from_slice(&self.checksum.to_le_bytes());
    }

    /// What `write` appends counts for the checksum.
    fn sum<R>(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>, &mut Option<usize>) -> R) -> R {
        let start = out.len();
        let result = write(out, &mut self.selected);
        self.checksum = crc64::update(self.checksum, &out[start..]);
        result
    }
}
