//! A snapshot's file. What was written is read; what was damaged since is never read to its
//! end; and whatever lies there, the snapshot inside is the one that the name announces.

use crate::memory::MemoryDisk;
use crate::source::Source;
use bowline::storage::{Disk as _, SnapshotStore, open_on};
use bowline::wire::FIRST_GROUP;
use bowline::wire::proto::snapshot::Meta;
use protobuf::Message as _;
use std::sync::Arc;

fn open(disk: &MemoryDisk) -> Option<Arc<dyn SnapshotStore>> {
    let log = Box::new(MemoryDisk::default());
    open_on(log, Arc::new(disk.clone()), &[7; 16], 4096).ok().map(|(_, snapshots)| snapshots)
}

/// All chunks of the latest snapshot, if it can be read to its end.
fn read(disk: &MemoryDisk) -> Option<(Meta, Vec<Vec<u8>>)> {
    let mut reader = open(disk)?.open_latest(FIRST_GROUP).ok()??;
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next_chunk().ok()? {
        chunks.push(chunk);
    }
    Some((reader.meta().clone(), chunks))
}

fn meta(source: &mut Source<'_>) -> Meta {
    let mut meta = Meta::parse_from_bytes(source.some_bytes()).unwrap_or_default();
    meta.set_group(FIRST_GROUP);
    meta
}

/// A file that was written, and one that was damaged since.
fn damaged_file(source: &mut Source<'_>) {
    let disk = MemoryDisk::default();
    let meta = meta(source);
    let mut writer = open(&disk).expect("an empty directory").begin(&meta).expect("memory");
    let mut chunks = Vec::new();
    for _ in 0..source.up_to(6) {
        let chunk = [&[1], source.some_bytes()].concat();
        writer.append(&chunk).expect("memory");
        chunks.push(chunk);
    }
    writer.finish().expect("memory");
    assert_eq!(read(&disk), Some((meta, chunks)), "what was written");
    let name = disk.list().expect("memory").pop().expect("the snapshot");
    let (how, at) = (source.byte(), source.number() as usize);
    let is_changed = disk.change(&name, |bytes| {
        let before = bytes.clone();
        let at = at % bytes.len();
        match how % 4 {
            0 => bytes[at] ^= 1 << (how >> 5),
            1 => bytes.truncate(at),
            2 => bytes.extend_from_slice(source.rest()),
            _ => {
                let to = (at + usize::from(how)).min(bytes.len());
                bytes[at..to].fill(0);
            }
        }
        *bytes != before
    });
    if is_changed == Some(true) {
        assert_eq!(read(&disk), None, "it is damaged");
    }
}

/// Frames with any content, whose checksums are right: see `storage/snapshot_file.rs`.
fn strange_file(source: &mut Source<'_>) {
    let mut bytes = b"bowline snap 1\n\0".to_vec();
    let mut crc = 0;
    let mut put = |payload: &[u8], len: u32| {
        crc = crc32c::crc32c_append(crc, payload);
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.extend_from_slice(payload);
    };
    let mut numbers = [0u64; 2];
    let frames = source.up_to(5);
    for i in 0..frames {
        let payload = source.some_bytes();
        put(payload, payload.len() as u32);
        if i > 0 {
            numbers = [numbers[0] + 1, numbers[1] + payload.len() as u64];
        }
    }
    put(numbers.map(u64::to_le_bytes).as_flattened(), 0);
    bytes.extend_from_slice(source.some_bytes());
    let disk = MemoryDisk::default();
    let [index, term] = [source.number(), source.number()];
    disk.put(&format!("{FIRST_GROUP:016x}-{index:016x}-{term:016x}.snapshot"), bytes);
    if let Some((meta, chunks)) = read(&disk) {
        assert_eq!((meta.get_index(), meta.get_term()), (index, term), "the one that the name announces");
        assert_eq!(chunks.len() as u64, numbers[0]);
    }
}

pub fn run(input: &[u8]) {
    let mut source = Source::new(input);
    if source.byte() & 1 == 0 { damaged_file(&mut source) } else { strange_file(&mut source) }
}
