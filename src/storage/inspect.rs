//! `bowline inspect`: a data directory as JSON lines, so that its files stay as easy to look
//! into as text. It must never change anything in the directory, or wait for who uses it: a
//! log that is being written may seem to end early.
//!
//! One object a line: `identity`, then per group `snapshot`, `hard_state`, `base` and each
//! `entry`. What cannot be read ends the output with an error.

use super::data_dir::{self, StorageKind, hex};
use super::disk::RealDisk;
use super::snapshot_file::{SNAPSHOT_DIRECTORY, SnapshotFiles};
use super::{LoadedLog, SnapshotStore as _, StoreError, file, sled};
use crate::wire::entry;
use crate::wire::proto::record::Identity;
use crate::wire::units::{Unit, Units};
use crate::wire::{GroupId, NodeId};
use raft::eraftpb::{Entry, EntryType};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// How often a log that changes while it is read is read again.
const LIVE_ATTEMPTS: usize = 3;

/// Prints what the data directory `path` holds.
pub fn inspect(path: &Path, out: &mut dyn Write) -> Result<(), StoreError> {
    let Some(identity) = data_dir::read_identity(path)? else {
        return Err(StoreError::refused(path, "it has no identity: this is no data directory of bowline"));
    };
    line(path, out, &identity_line(path, &identity))?;
    data_dir::check_format(path, &identity)?;
    snapshots(path, out)?;
    let mut read = read_log(path, &identity);
    for _ in 0..LIVE_ATTEMPTS {
        // Segments may have changed their names meanwhile.
        if read.is_ok() || !data_dir::is_in_use(path) {
            break;
        }
        read = read_log(path, &identity);
    }
    for (group, log) in &read? {
        print_log(path, out, *group, log)?;
    }
    Ok(())
}

fn line(path: &Path, out: &mut dyn Write, text: &str) -> Result<(), StoreError> {
    writeln!(out, "{text}").map_err(|source| StoreError::io("print what is in", path, source))
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => drop(write!(out, "\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn identity_line(path: &Path, identity: &Identity) -> String {
    let member = |member: &crate::wire::proto::record::FirstMember| {
        let (client, peer) = (quoted(member.get_client_addr()), quoted(member.get_peer_addr()));
        format!(r#"{{"node":{},"client_addr":{client},"peer_addr":{peer}}}"#, member.get_node())
    };
    let members: Vec<String> = identity.get_first_members().iter().map(member).collect();
    format!(
        r#"{{"identity":{{"format":{},"node":{},"incarnation":"{}","cluster_id":"{}","boot":{},"storage":{},"first_members":[{}],"first_voters":{:?},"in_use":{}}}}}"#,
        identity.get_format(),
        identity.get_node(),
        hex(identity.get_incarnation()),
        hex(identity.get_cluster_id()),
        identity.get_boot(),
        quoted(identity.get_storage()),
        members.join(","),
        identity.get_first_voters(),
        data_dir::is_in_use(path),
    )
}

fn snapshots(path: &Path, out: &mut dyn Write) -> Result<(), StoreError> {
    let directory = path.join(SNAPSHOT_DIRECTORY);
    if !directory.is_dir() {
        return Ok(());
    }
    let store = SnapshotFiles::read_only(Arc::new(RealDisk::new(directory)))?;
    for group in store.groups() {
        let Some(mut reader) = store.open_latest(group)? else { continue };
        let mut sizes = Vec::new();
        while let Some(chunk) = reader.next_chunk()? {
            sizes.push(chunk.len());
        }
        let meta = reader.meta();
        let text = format!(
            r#"{{"snapshot":{{"group":{group},"index":{},"term":{},"voters":{:?},"learners":{:?},"voters_outgoing":{:?},"learners_next":{:?},"auto_leave":{},"size_bytes":{},"chunk_bytes":{sizes:?}}}}}"#,
            meta.get_index(),
            meta.get_term(),
            meta.get_voters(),
            meta.get_learners(),
            meta.get_voters_outgoing(),
            meta.get_learners_next(),
            meta.get_auto_leave(),
            sizes.iter().sum::<usize>(),
        );
        line(path, out, &text)?;
    }
    Ok(())
}

fn read_log(path: &Path, identity: &Identity) -> Result<BTreeMap<GroupId, LoadedLog>, StoreError> {
    match identity.get_storage().parse() {
        Ok(StorageKind::File) => {
            let salt = data_dir::incarnation_of(path, identity)?;
            file::read_only(&RealDisk::new(path.join(file::LOG_DIRECTORY)), &salt)
        }
        Ok(StorageKind::Sled) => read_sled(path, identity.get_node()),
        Ok(StorageKind::Memory) => Ok(BTreeMap::new()),
        Err(why) => Err(StoreError::refused(path, why)),
    }
}

/// sled cannot open a database without changing it: it gets a copy.
fn read_sled(path: &Path, node: NodeId) -> Result<BTreeMap<GroupId, LoadedLog>, StoreError> {
    let mut name = [0; 8];
    getrandom::fill(&mut name)
        .map_err(|error| StoreError::io("name a copy of", path, std::io::Error::other(error.to_string())))?;
    let copy = std::env::temp_dir().join(format!("bowline-inspect-{}", hex(&name)));
    let read = copy_directory(&path.join(sled::DIRECTORY), &copy.join(sled::DIRECTORY))
        .and_then(|()| fs::copy(path.join(sled::SENTINEL), copy.join(sled::SENTINEL)))
        .map_err(|source| StoreError::io("copy", path, source))
        .and_then(|_| sled::read_copy(&copy, node));
    let removed = fs::remove_dir_all(&copy).map_err(|source| StoreError::io("remove", &copy, source));
    let log = read?;
    removed?;
    Ok(log)
}

pub(super) fn copy_directory(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn print_log(path: &Path, out: &mut dyn Write, group: GroupId, log: &LoadedLog) -> Result<(), StoreError> {
    if let Some(hard_state) = &log.hard_state {
        let text = format!(
            r#"{{"hard_state":{{"group":{group},"term":{},"vote":{},"commit":{}}}}}"#,
            hard_state.term, hard_state.vote, hard_state.commit
        );
        line(path, out, &text)?;
    }
    let text =
        format!(r#"{{"base":{{"group":{group},"index":{},"term":{}}}}}"#, log.base.index, log.base.term);
    line(path, out, &text)?;
    log.entries.iter().try_for_each(|entry| line(path, out, &entry_line(group, entry)))
}

fn entry_line(group: GroupId, entry: &Entry) -> String {
    let kind = match entry.entry_type {
        EntryType::EntryNormal => "normal",
        EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => "membership",
    };
    let mut text = format!(
        r#"{{"entry":{{"group":{group},"index":{},"term":{},"kind":"{kind}","size_bytes":{}"#,
        entry.index,
        entry.term,
        entry.data.len()
    );
    if entry.entry_type == EntryType::EntryNormal && !entry.data.is_empty() {
        text += &batches(&entry.data);
    }
    text + "}}"
}

fn batches(data: &[u8]) -> String {
    let Ok((now_ms, batches)) = entry::decode(data) else { return r#","error":"malformed entry""#.into() };
    let mut all = Vec::new();
    for batch in batches {
        let Ok(batch) = batch else {
            all.push(r#"{"error":"malformed batch"}"#.to_owned());
            continue;
        };
        let units: Vec<String> = Units::new(batch.body)
            .map(|unit| quoted(&unit.map_or("malformed unit".into(), |it| name(&it))))
            .collect();
        let (origin, boot, seq) = (batch.origin, batch.boot, batch.seq);
        all.push(format!(r#"{{"origin":{origin},"boot":{boot},"seq":{seq},"units":[{}]}}"#, units.join(",")));
    }
    format!(r#","now_ms":{now_ms},"batches":[{}]"#, all.join(","))
}

fn name(unit: &Unit<'_>) -> String {
    let command =
        |args: &[&[u8]]| String::from_utf8_lossy(args.first().copied().unwrap_or_default()).to_uppercase();
    match unit {
        Unit::Command(it) => command(&it.args),
        Unit::Transaction(it) => {
            let commands: Vec<String> = it.commands.iter().map(|it| command(&it.args)).collect();
            format!("MULTI {} EXEC", commands.join(" "))
        }
        Unit::Register(it) => format!("register node {}", it.node),
        Unit::Membership(it) => format!("{:?} node {}", it.change, it.node).to_lowercase(),
        Unit::Bootstrap { .. } => "bootstrap".into(),
        Unit::Settings(pairs) => {
            let names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
            format!("set {}", names.join(" "))
        }
        Unit::Part(it) => format!("{} bytes at {} of {}", it.bytes.len(), it.offset, it.total),
        Unit::Evict(victims) => format!("evict {} keys", victims.len()),
        Unit::Upstream(it) => format!("upstream {:?}", it.step).to_lowercase(),
    }
}
