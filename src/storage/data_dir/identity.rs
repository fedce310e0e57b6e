//! The file `identity` of a data directory: read, written, checked. This module must never
//! replace an identity that it could not read.

use super::super::StoreError;
use super::super::disk::{RealDisk, replace};
use super::{Expectations, IDENTITY};
use crate::wire::proto::record;
use protobuf::Message as _;
use std::fs;
use std::io;
use std::path::Path;

const IDENTITY_MAGIC: &[u8; 8] = b"bowline\n";
const IDENTITY_HEADER_BYTES: usize = 16;
/// The format of everything in the directory. Raised when an older bowline could not read it.
const FORMAT: u32 = 1;

/// The identity; `None` when the directory has none.
pub fn read_identity(path: &Path) -> Result<Option<record::Identity>, StoreError> {
    let name = path.join(IDENTITY);
    let bytes = match fs::read(&name) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::io("read", &name, source)),
    };
    let foreign = || {
        let why =
            "its file `identity` is not bowline's: this is the directory of another program, use another";
        StoreError::refused(path, why)
    };
    let (magic, rest) = bytes.split_at_checked(IDENTITY_MAGIC.len()).ok_or_else(foreign)?;
    if magic != IDENTITY_MAGIC {
        return Err(foreign());
    }
    let damaged = |what: &str| StoreError::corrupt(&name, 0, format!("the node's identity {what}"));
    let word = |at: usize| rest.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes);
    let (Some(len), Some(crc)) = (word(0), word(4)) else { return Err(damaged("is cut off")) };
    let payload = &bytes[IDENTITY_HEADER_BYTES..];
    if payload.len() != len as usize || crc32c::crc32c(payload) != crc {
        return Err(damaged("fails its checksum"));
    }
    record::Identity::parse_from_bytes(payload).map(Some).map_err(|_| damaged("is malformed"))
}

/// Replaces the identity, durably.
pub fn write_identity(path: &Path, identity: &record::Identity) -> Result<(), StoreError> {
    let payload = identity.write_to_bytes().expect("an identity has no required fields to miss");
    let mut bytes = IDENTITY_MAGIC.to_vec();
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&payload).to_le_bytes());
    bytes.extend_from_slice(&payload);
    replace(&RealDisk::new(path.to_path_buf()), IDENTITY, &bytes)
}

/// The identity of a directory that has none yet.
pub fn new_identity(expected: &Expectations) -> Result<record::Identity, StoreError> {
    let mut incarnation = [0; 16];
    getrandom::fill(&mut incarnation).map_err(|error| {
        StoreError::io(
            "read random bytes from",
            Path::new("the operating system"),
            io::Error::other(error.to_string()),
        )
    })?;
    let mut identity = record::Identity::default();
    identity.set_format(FORMAT);
    identity.set_node(expected.node);
    identity.set_incarnation(incarnation.to_vec());
    identity.set_storage(expected.storage.name().into());
    identity.set_first_voters(expected.first_voters.clone());
    identity.set_cluster_id(expected.cluster_id.map_or_else(Vec::new, |id| id.to_vec()));
    for member in &expected.first_members {
        let mut first = record::FirstMember::default();
        first.set_node(member.node);
        first.set_client_addr(member.client_addr.as_str().into());
        first.set_peer_addr(member.peer_addr.as_str().into());
        identity.mut_first_members().push(first);
    }
    Ok(identity)
}

/// What tells this directory from any other of the same node.
pub fn incarnation_of(path: &Path, identity: &record::Identity) -> Result<[u8; 16], StoreError> {
    let incarnation = identity.get_incarnation().try_into();
    incarnation.map_err(|_| StoreError::corrupt(&path.join(IDENTITY), 0, "the incarnation is not 16 bytes"))
}

/// Whether the directory is that of this node, in a format that is known.
pub fn check(path: &Path, identity: &record::Identity, expected: &Expectations) -> Result<(), StoreError> {
    check_format(path, identity)?;
    let (node, storage) = (identity.get_node(), identity.get_storage());
    if node != expected.node {
        let why = format!(
            "it belongs to node {node}, and this node was started as node {}: start it with the right id, or \
             give it another directory",
            expected.node
        );
        return Err(StoreError::refused(path, why));
    }
    if storage != expected.storage.name() {
        let why = format!(
            "it was made for storage {storage}, and this node was started with storage {}: start it with \
             {storage}; to change the storage, remove the node from the cluster and let it join again with an \
             empty directory and a new node id",
            expected.storage
        );
        return Err(StoreError::refused(path, why));
    }
    Ok(())
}

/// Whether the directory has a format that is known.
pub fn check_format(path: &Path, identity: &record::Identity) -> Result<(), StoreError> {
    let format = identity.get_format();
    if format == FORMAT {
        return Ok(());
    }
    let why = format!(
        "it has format {format}, and this bowline reads format {FORMAT}: start it with a bowline of the version \
         that wrote it, or let the node join again with an empty directory and a new node id"
    );
    Err(StoreError::refused(path, why))
}
