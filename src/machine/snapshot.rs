//! A machine as chunks and back. A chunk is a `snapshot.Chunk`; the first holds all but
//! sessions and keys, the last says how many of them there must be. Who stores or carries chunks checks
//! their checksums; this module must still refuse whatever does not fit together.

use super::{Machine, Member, Origin};
use crate::keyspace::Swap;
use crate::limits::{DATABASES, SNAPSHOT_CHUNK_BYTES};
use crate::wire::WireError;
use crate::wire::entry::{next_field, put_varint};
use crate::wire::proto::snapshot as proto;
use protobuf::Message as _;

pub(super) const STATE: u32 = 1; // Chunk.state
pub(super) const KEYS: u32 = 2; // Chunk.keys
pub(super) const END: u32 = 3; // Chunk.end
const SESSIONS: u32 = 4; // Chunk.sessions
const UNFINISHED: u32 = 5; // Chunk.unfinished
pub(super) const SCRIPTS: u32 = 40; // Chunk.scripts

/// Why chunks do not make a machine.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A chunk is malformed.
    #[error("snapshot: {0}")]
    Wire(#[from] WireError),
    /// The chunks do not fit together.
    #[error("snapshot: {0}")]
    Incoherent(&'static str),
}

impl Machine {
    /// Starts a snapshot of the state as it is now, and gives its first chunk.
    /// Sessions and keys follow from [`Machine::snapshot_next`] while entries go on being applied.
    pub fn snapshot_begin(&mut self) -> Vec<u8> {
        if self.walking {
            self.snapshot_abort();
        }
        self.state.keyspace.snapshot_begin();
        self.state.sessions.snapshot_begin();
        self.parts.snapshot_begin();
        self.state.scripts.snapshot_begin();
        self.walking = true;
        let mut state = proto::State::new();
        state.set_clock_ms(self.clock_ms);
        state.set_revision(self.state.keyspace.revision());
        state.set_cluster_id(self.cluster_id.map(Vec::from).unwrap_or_default());
        state.set_hash_key(self.hash_key.to_vec());
        for (&node, origin) in &self.origins {
            let origin = proto::Origin { node, boot: origin.boot, seq: origin.seq, ..Default::default() };
            state.mut_origins().push(origin);
        }
        for (&node, member) in &self.members.all {
            let mut out = proto::Member { node, wanted: member.wanted, ..Default::default() };
            out.set_incarnation(member.incarnation.map(Vec::from).unwrap_or_default());
            out.set_client_addr(member.client_addr.clone());
            out.set_peer_addr(member.peer_addr.clone());
            out.set_replaces(member.replaces.unwrap_or(0));
            state.mut_members().push(out);
        }
        for (name, value) in self.state.settings.pairs_to_keep() {
            state.mut_settings().push(proto::Setting { name: name.to_owned(), value, ..Default::default() });
        }
        state.set_users(self.state.acl.to_snapshot().into());
        state.set_upstream(super::upstream::to_snapshot(&self.state.upstream));
        for (db, swap) in self.state.keyspace.swaps() {
            state.mut_swaps().push(proto::Swap {
                db: db as u32,
                revision: swap.revision,
                before: swap.before,
                with: swap.with,
                at_ms: swap.at_ms,
                ..Default::default()
            });
        }
        state.set_first_voters(self.members.first_voters.clone());
        state.set_removed(self.members.removed.iter().copied().collect());
        let mut end = proto::End::new();
        end.set_keys(self.state.keyspace.total_len() as u64);
        end.set_sessions(self.state.sessions.len() as u64);
        end.set_unfinished_bytes(self.parts.len_bytes());
        end.set_scripts(self.state.scripts.rows_len() as u64);
        self.pending_end = Some(chunk(END, &bytes_of(&end)));
        chunk(STATE, &bytes_of(&state))
    }

    /// From now on snapshots write values of this length in pieces.
    pub fn set_long_values(&mut self, least_bytes: usize) {
        self.state.keyspace.set_long_values(least_bytes);
    }

    /// The next chunk, of about `target_bytes`; none after the last.
    pub fn snapshot_next(&mut self, target_bytes: usize) -> Option<Vec<u8>> {
        if let Some(sessions) = self.state.sessions.snapshot_next(target_bytes) {
            return Some(chunk(SESSIONS, &sessions));
        }
        if let Some(unfinished) = self.parts.snapshot_next(target_bytes) {
            return Some(chunk(UNFINISHED, &unfinished));
        }
        if let Some(scripts) = self.state.scripts.snapshot_next(target_bytes) {
            return Some(chunk(SCRIPTS, &scripts));
        }
        if let Some(keys) = self.state.keyspace.snapshot_next(target_bytes) {
            return Some(chunk(KEYS, &keys));
        }
        self.walking = false;
        self.pending_end.take()
    }

    /// Makes the state anew from what a snapshot holds of it, as a restart does. Takes as much
    /// memory again, and as long as both. After an error it is what it was.
    pub fn reload(&mut self) -> Result<(), String> {
        if self.walking {
            return Err("a snapshot is being taken, try again when it is on disk".to_owned());
        }
        let mut restorer = Restorer::default();
        let mut outcome = restorer.chunk(&self.snapshot_begin());
        while let (Ok(()), Some(chunk)) = (&outcome, self.snapshot_next(SNAPSHOT_CHUNK_BYTES)) {
            outcome = restorer.chunk(&chunk);
        }
        self.snapshot_abort();
        let mut copy =
            outcome.and_then(|()| restorer.finish(self.index)).map_err(|error| error.to_string())?;
        if copy.state_hash() != self.state_hash() {
            return Err("what was restored is not what was saved".to_owned());
        }
        copy.commands_run = self.commands_run;
        copy.inherit(self);
        *self = copy;
        Ok(())
    }

    /// Gives a snapshot up.
    pub fn snapshot_abort(&mut self) {
        self.state.keyspace.snapshot_abort();
        self.state.sessions.snapshot_abort();
        self.parts.snapshot_abort();
        self.state.scripts.snapshot_abort();
        self.walking = false;
        self.pending_end = None;
    }
}

fn bytes_of(message: &impl protobuf::Message) -> Vec<u8> {
    message.write_to_bytes().expect("writing a message without required fields to memory cannot fail")
}

fn chunk(field: u32, inner: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(inner.len() + 8);
    put_varint(&mut out, u64::from(field) << 3 | 2); // wire type: so many bytes
    put_varint(&mut out, inner.len() as u64);
    out.extend_from_slice(inner);
    out
}

/// Builds a machine from chunks, wherever they come from.
#[derive(Default)]
pub struct Restorer {
    machine: Option<Machine>,
    ended: bool,
}

impl Restorer {
    /// Takes the next chunk.
    pub fn chunk(&mut self, mut bytes: &[u8]) -> Result<(), SnapshotError> {
        let (field, value) = next_field(&mut bytes, "snapshot chunk")?;
        let inner = value.bytes("snapshot chunk")?;
        if self.ended {
            return Err(SnapshotError::Incoherent("a chunk after the last"));
        }
        match (field, &mut self.machine) {
            (STATE, machine @ None) => *machine = Some(read_state(inner)?),
            (SESSIONS, Some(machine)) => machine.state.sessions.restore(inner)?,
            (UNFINISHED, Some(machine)) => machine.parts.restore(inner)?,
            (SCRIPTS, Some(machine)) => machine.state.scripts.restore(inner)?,
            (KEYS, Some(machine)) => machine.state.keyspace.restore(inner, machine.clock_ms)?,
            (END, Some(machine)) => {
                let end =
                    proto::End::parse_from_bytes(inner).map_err(|_| WireError::new("end of snapshot"))?;
                if end.get_keys() != machine.state.keyspace.total_len() as u64 {
                    return Err(SnapshotError::Incoherent("it lacks keys, or has too many"));
                }
                if end.get_sessions() != machine.state.sessions.len() as u64 {
                    return Err(SnapshotError::Incoherent("it lacks sessions, or has too many"));
                }
                if end.get_unfinished_bytes() != machine.parts.len_bytes() {
                    return Err(SnapshotError::Incoherent("it lacks parts of commands, or has too many"));
                }
                if end.get_scripts() != machine.state.scripts.rows_len() as u64 {
                    return Err(SnapshotError::Incoherent("it lacks scripts, or has too many"));
                }
                self.ended = true;
            }
            _ => return Err(SnapshotError::Incoherent("a chunk out of order")),
        }
        Ok(())
    }

    /// The machine, once the last chunk was taken. `index` is the snapshot's.
    pub fn finish(self, index: u64) -> Result<Machine, SnapshotError> {
        let mut machine =
            self.machine.filter(|_| self.ended).ok_or(SnapshotError::Incoherent("it ends early"))?;
        machine.index = index;
        Ok(machine)
    }
}

fn read_state(bytes: &[u8]) -> Result<Machine, SnapshotError> {
    let state = proto::State::parse_from_bytes(bytes).map_err(|_| WireError::new("snapshot state"))?;
    let sixteen = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).map_err(|_| WireError::new("snapshot state"));
    let mut machine = Machine::new();
    machine.clock_ms = state.get_clock_ms();
    machine.hash_key = sixteen(state.get_hash_key())?;
    if !state.get_cluster_id().is_empty() {
        machine.cluster_id = Some(sixteen(state.get_cluster_id())?);
    }
    machine.state = crate::command::State::new(machine.hash_key);
    machine.state.keyspace.set_revision(state.get_revision());
    for setting in state.get_settings() {
        let set = machine.state.set(setting.get_name(), setting.get_value().as_bytes());
        set.map_err(|_| SnapshotError::Incoherent("a setting that this version does not know"))?;
    }
    machine.state.acl = crate::command::Acl::from_snapshot(state.get_users());
    machine.state.upstream = super::upstream::from_snapshot(state.get_upstream())?;
    for swap in state.get_swaps() {
        let [db, with] = [swap.get_db() as usize, swap.get_with() as usize];
        if db.max(with) >= DATABASES {
            return Err(WireError::new("database").into());
        }
        let (revision, before) = (swap.get_revision(), swap.get_before());
        let swap = Swap { revision, before, with: with as u32, at_ms: swap.get_at_ms() };
        machine.state.keyspace.restore_swap(db, swap);
    }
    for origin in state.get_origins() {
        machine.origins.insert(origin.get_node(), Origin { boot: origin.get_boot(), seq: origin.get_seq() });
    }
    for member in state.get_members() {
        let client_addr = member.get_client_addr().to_owned();
        let peer_addr = member.get_peer_addr().to_owned();
        let incarnation = match member.get_incarnation() {
            [] => None,
            bytes => Some(sixteen(bytes)?),
        };
        let wanted = member.get_wanted();
        let replaces = Some(member.get_replaces()).filter(|&old| old != 0);
        let read = Member { incarnation, client_addr, peer_addr, wanted, replaces };
        machine.members.all.insert(member.get_node(), read);
    }
    machine.members.first_voters = state.get_first_voters().to_vec();
    machine.members.removed = state.get_removed().iter().copied().collect();
    Ok(machine)
}
