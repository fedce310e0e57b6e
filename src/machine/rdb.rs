//! A snapshot as an RDB file, chunk by chunk, for whoever speaks Redis's replication protocol. It
//! must never need a machine, nor more memory than a chunk takes twice.

use super::snapshot::{END, KEYS, SCRIPTS, STATE, SnapshotError};
use crate::keyspace::Forms;
use crate::keyspace::rdb::FileWriter;
use crate::wire::WireError;
use crate::wire::entry::next_field;
use crate::wire::proto::snapshot as proto;
use protobuf::Message as _;

/// Takes the chunks of a snapshot, and gives the bytes of a file.
#[derive(Debug)]
pub struct RdbWriter {
    /// Whoever asked wants to know about the keys.
    with_keys: bool,
    with_functions: bool,
    file: Option<FileWriter>,
    keys: u64,
    ended: bool,
}

impl RdbWriter {
    /// Nothing yet. Without keys and functions the file is that of an empty server.
    pub fn new(with_keys: bool, with_functions: bool) -> Self {
        Self { with_keys, with_functions, file: None, keys: 0, ended: false }
    }

    /// Appends what the next chunk has to say.
    pub fn chunk(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), SnapshotError> {
        let (field, value) = next_field(&mut bytes, "snapshot chunk")?;
        let inner = value.bytes("snapshot chunk")?;
        match (field, &mut self.file) {
            (STATE, None) => {
                let state =
                    proto::State::parse_from_bytes(inner).map_err(|_| WireError::new("snapshot state"))?;
                let created_s = (state.get_clock_ms() / 1000).to_string();
                let version = crate::command::REDIS_VERSION;
                let fields = [("redis-ver", version), ("redis-bits", "64"), ("ctime", &created_s)];
                let seed = state.get_hash_key().try_into().unwrap_or_default();
                self.file = Some(FileWriter::begin(&fields, Forms { seed, ..Forms::default() }, out));
            }
            (KEYS, Some(file)) if self.with_keys => self.keys += file.keys(inner, out)?,
            (SCRIPTS, Some(file)) if self.with_functions => {
                let scripts = proto::Scripts::parse_from_bytes(inner)
                    .map_err(|_| WireError::new("snapshot scripts"))?;
                scripts.get_libraries().iter().for_each(|library| file.function(library.get_text(), out));
            }
            (END, Some(_)) => {
                let end =
                    proto::End::parse_from_bytes(inner).map_err(|_| WireError::new("end of snapshot"))?;
                if self.with_keys && end.get_keys() != self.keys {
                    return Err(SnapshotError::Incoherent("it lacks keys, or has too many"));
                }
                self.ended = true;
            }
            (STATE, Some(_)) | (_, None) => return Err(SnapshotError::Incoherent("a chunk out of order")),
            _ => {}
        }
        Ok(())
    }

    /// Appends the end of the file, once the last chunk was taken.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), SnapshotError> {
        let file = self.file.filter(|_| self.ended).ok_or(SnapshotError::Incoherent("it ends early"))?;
        file.end(out);
        Ok(())
    }
}
