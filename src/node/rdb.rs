//! This node's newest snapshot as an RDB file, for a replica of Redis's protocol: read and
//! converted on a helper thread, a chunk at a time. Whoever wants the length first has the file
//! spooled in a directory, under no name. The node's thread must never read a snapshot.

use crate::limits;
use crate::machine::RdbWriter;
use crate::storage::SnapshotStore;
use crate::wire::GroupId;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Which file is wanted.
#[derive(Debug, Clone, Copy)]
pub struct RdbRequest {
    /// The last entry of the snapshot that it has to be of.
    pub index: u64,
    /// Otherwise that of a server without keys.
    pub with_keys: bool,
    /// The libraries of functions, too.
    pub with_functions: bool,
    /// The length comes first.
    pub sized: bool,
}

/// A piece of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum RdbPart {
    /// How long it is: first, if at all.
    SizeBytes(u64),
    /// What comes next.
    Bytes(Vec<u8>),
    /// There is no more.
    End,
}

/// The pieces, or why there are no more.
pub type RdbParts = mpsc::Receiver<Result<RdbPart, String>>;

/// Begins to read. The thread waits for whoever takes the pieces, and ends when nobody does.
pub fn start(
    store: Arc<dyn SnapshotStore>,
    group: GroupId,
    directory: PathBuf,
    request: RdbRequest,
) -> RdbParts {
    let (parts, receiver) = mpsc::channel(limits::RDB_PARTS_IN_FLIGHT);
    tokio::task::spawn_blocking(move || {
        let mut take =
            |part| parts.blocking_send(Ok(part)).map_err(|_| "nobody takes it any more".to_owned());
        let outcome = match request.sized {
            true => spool(&*store, group, &directory, request).and_then(|file| send_spooled(file, &mut take)),
            false => convert(&*store, group, request, &mut |bytes| take(RdbPart::Bytes(bytes))),
        };
        let _ = parts.blocking_send(outcome.map(|()| RdbPart::End));
    });
    receiver
}

fn convert(
    store: &dyn SnapshotStore,
    group: GroupId,
    request: RdbRequest,
    take: &mut dyn FnMut(Vec<u8>) -> Result<(), String>,
) -> Result<(), String> {
    let reader = store.open_latest(group).map_err(|error| error.to_string())?;
    let mut reader = reader.filter(|reader| reader.meta().get_index() == request.index).ok_or_else(|| {
        let index = request.index;
        format!("the snapshot of entry {index} has given way to another")
    })?;
    let mut writer = RdbWriter::new(request.with_keys, request.with_functions);
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.next_chunk().map_err(|error| error.to_string())? {
        writer.chunk(&chunk, &mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() >= limits::SNAPSHOT_CHUNK_BYTES {
            take(std::mem::take(&mut bytes))?;
        }
    }
    writer.finish(&mut bytes).map_err(|error| error.to_string())?;
    take(bytes)
}

fn spool(
    store: &dyn SnapshotStore,
    group: GroupId,
    directory: &Path,
    request: RdbRequest,
) -> Result<File, String> {
    let cannot = |error: std::io::Error| format!("cannot spool it: {error}");
    let name = getrandom::u64().map_err(|error| format!("no random bytes: {error}"))?;
    let path = directory.join(format!("sync-{name:016x}.rdb"));
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).map_err(cannot)?;
    fs::remove_file(&path).map_err(cannot)?; // it is gone with the last who has it open
    convert(store, group, request, &mut |bytes| file.write_all(&bytes).map_err(cannot))?;
    Ok(file)
}

fn send_spooled(mut file: File, take: &mut dyn FnMut(RdbPart) -> Result<(), String>) -> Result<(), String> {
    let cannot = |error: std::io::Error| format!("cannot read what was spooled: {error}");
    take(RdbPart::SizeBytes(file.stream_position().map_err(cannot)?))?;
    file.seek(SeekFrom::Start(0)).map_err(cannot)?;
    loop {
        let mut bytes = Vec::with_capacity(limits::SNAPSHOT_CHUNK_BYTES);
        let read = (&mut file).take(limits::SNAPSHOT_CHUNK_BYTES as u64).read_to_end(&mut bytes);
        if read.map_err(cannot)? == 0 {
            return Ok(());
        }
        take(RdbPart::Bytes(bytes))?;
    }
}
