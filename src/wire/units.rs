//! The body of a batch: what clients asked for, as `entry.Body`. Written and read once per
//! command on every node, so both are done by hand, without allocation beyond the
//! caller's buffer. The bytes are protobuf's; the tests hold them against the generated code.

mod calls;
mod evict;
mod part;
mod settings;
mod upstream;

pub use calls::{put_call_unit, put_caller_unit, put_command_unit, put_transaction_unit};
pub use evict::{Victim, put_evict_unit};
pub use part::{Part, part_of, put_part_unit};
pub use settings::put_settings_unit;

use super::WireError;
use super::entry::{field_bytes, field_varint, put_len_field, put_varint_field, varint_len};
use crate::limits::DATABASES;
use calls::{read_command, read_transaction};
use smallvec::SmallVec;

/// The arguments of one command, borrowed from the buffer they arrived in. `args[0]` is the name.
pub type Args<'a> = SmallVec<[&'a [u8]; INLINE_ARGS]>;

/// Arguments that a call may have without an allocation.
pub const INLINE_ARGS: usize = 6;

/// One unit of a body: atomic, and answered by one reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Unit<'a> {
    /// A single command.
    Command(Command<'a>),
    /// `MULTI` ... `EXEC`.
    Transaction(Transaction<'a>),
    /// A node says who it is.
    Register(Register<'a>),
    /// The first entry of a log.
    Bootstrap {
        /// 16 random bytes, for the life of the cluster.
        cluster_id: &'a [u8],
        /// 16 random bytes, the key of the keyspace's hash.
        hash_key: &'a [u8],
        /// The voters of the log's beginning.
        voters: SmallVec<[u64; 5]>,
        /// Of the user `default`, as hexadecimal SHA-256; empty: it needs none.
        password: &'a str,
    },
    /// An operator wants other members.
    Membership(Membership<'a>),
    /// Parameters of the whole cluster take these values.
    Settings(Vec<(&'a str, &'a [u8])>),
    /// A node is short of memory: these keys go, each unless it was changed.
    Evict(Vec<Victim<'a>>),
    /// What comes from the Redis that the cluster follows.
    Upstream(Upstream<'a>),
    /// A piece of a body.
    Part(Part<'a>),
}

/// A command and the database that it works in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command<'a> {
    /// Name and arguments.
    pub args: Args<'a>,
    /// 0 unless `SELECT` said otherwise.
    pub db: u32,
    /// Of what runs a script, unless it may do everything.
    pub caller: Option<Caller<'a>>,
}

/// Who runs a script, as far as it matters for what the script's commands may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caller<'a> {
    /// None: somebody who may do everything.
    pub user: Option<&'a [u8]>,
    /// The node that took the command is short of memory.
    pub lacks_memory: bool,
}

/// Commands that are applied together, or not at all when a watched key has changed.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Transaction<'a> {
    /// What `WATCH` saw.
    pub watches: Vec<Watch<'a>>,
    /// What was queued.
    pub commands: Vec<Command<'a>>,
}

/// What `WATCH` saw of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watch<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its revision; 0 when it did not exist.
    pub revision: u64,
    /// The group's revision at that moment.
    pub seen_at: u64,
    /// The key's database.
    pub db: u32,
}

/// Who a node is: see `entry.Register`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Register<'a> {
    /// The id it claims.
    pub node: u64,
    /// 16 bytes made with its data directory.
    pub incarnation: &'a [u8],
    /// Where clients reach it, `host:port`.
    pub client_addr: &'a str,
    /// Where peers reach it, `host:port`.
    pub peer_addr: &'a str,
}

/// What an operator wants the membership to be: see `entry.Membership`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership<'a> {
    /// What is to happen.
    pub change: Change,
    /// To whom; 0 with [`Change::Add`]: the next id that was never used.
    pub node: u64,
    /// With [`Change::Replace`]: who leaves when `node` has caught up.
    pub old: u64,
    /// With [`Change::Add`] and [`Change::Replace`], `host:port`.
    pub client_addr: &'a str,
    /// The same for peers.
    pub peer_addr: &'a str,
}

pub use super::proto::entry::Change;
pub use upstream::{LoadedKey, Step, Upstream, put_upstream_unit};

const UNIT: u32 = 1; // Body.units
const COMMAND: u32 = 1; // Unit.command
const TRANSACTION: u32 = 2;
const REGISTER: u32 = 3;
const BOOTSTRAP: u32 = 4;
const MEMBERSHIP: u32 = 5;
const SETTINGS: u32 = 6;
const EVICT: u32 = 7;
const PART: u32 = 8;

fn sized(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// Appends a registration to a body.
pub fn put_register_unit(out: &mut Vec<u8>, register: &Register<'_>) {
    let mut inner = Vec::new();
    put_varint_field(&mut inner, 1, register.node);
    for (field, bytes) in
        [(2, register.incarnation), (3, register.client_addr.as_bytes()), (4, register.peer_addr.as_bytes())]
    {
        put_len_field(&mut inner, field, bytes.len());
        inner.extend_from_slice(bytes);
    }
    put_wrapped(out, REGISTER, &[&inner]);
}

/// Appends the bootstrap to a body.
pub fn put_bootstrap_unit(
    out: &mut Vec<u8>,
    cluster_id: &[u8],
    hash_key: &[u8],
    voters: &[u64],
    password: &str,
) {
    let mut inner = Vec::new();
    for (field, bytes) in [(1, cluster_id), (2, hash_key)] {
        put_len_field(&mut inner, field, bytes.len());
        inner.extend_from_slice(bytes);
    }
    for &voter in voters {
        put_varint_field(&mut inner, 3, voter);
    }
    if !password.is_empty() {
        put_len_field(&mut inner, 4, password.len());
        inner.extend_from_slice(password.as_bytes());
    }
    put_wrapped(out, BOOTSTRAP, &[&inner]);
}

/// Appends a wish for other members to a body.
pub fn put_membership_unit(out: &mut Vec<u8>, membership: &Membership<'_>) {
    let mut inner = Vec::new();
    for (field, value) in [(1, membership.change as u64), (2, membership.node), (3, membership.old)] {
        if value != 0 {
            put_varint_field(&mut inner, field, value);
        }
    }
    for (field, text) in [(4, membership.client_addr), (5, membership.peer_addr)] {
        if !text.is_empty() {
            put_len_field(&mut inner, field, text.len());
            inner.extend_from_slice(text.as_bytes());
        }
    }
    put_wrapped(out, MEMBERSHIP, &[&inner]);
}

fn put_wrapped(out: &mut Vec<u8>, kind: u32, inner: &[&[u8]]) {
    let len = inner.iter().map(|piece| piece.len()).sum();
    put_len_field(out, UNIT, sized(len));
    put_len_field(out, kind, len);
    inner.iter().for_each(|piece| out.extend_from_slice(piece));
}

/// The units of a body, in order. Ends after the first error.
pub struct Units<'a> {
    rest: &'a [u8],
}

impl<'a> Units<'a> {
    /// Reads `body`, an `entry.Body`.
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// Of the units that come next what is likely to be a key in database 0: the second argument of
    /// short commands. Ends at whatever else comes.
    pub fn likely_keys(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.rest;
        std::iter::from_fn(move || {
            let (key, behind) = calls::peek_key(rest)?;
            rest = behind;
            Some(key)
        })
    }
}

impl<'a> Iterator for Units<'a> {
    type Item = Result<Unit<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        if let Some((command, rest)) = calls::read_short(self.rest) {
            self.rest = rest;
            return Some(Ok(Unit::Command(command)));
        }
        let unit = field_bytes(&mut self.rest, UNIT, "unit").and_then(read_unit);
        if unit.is_err() {
            self.rest = &[];
        }
        Some(unit)
    }
}

fn read_unit(mut bytes: &[u8]) -> Result<Unit<'_>, WireError> {
    let (field, value) = super::entry::next_field(&mut bytes, "unit")?;
    let inner = value.bytes("unit")?;
    if !bytes.is_empty() {
        return Err(WireError::new("unit"));
    }
    match field {
        COMMAND => Ok(Unit::Command(read_command(inner)?)),
        TRANSACTION => Ok(Unit::Transaction(read_transaction(inner)?)),
        REGISTER => Ok(Unit::Register(read_register(inner)?)),
        BOOTSTRAP => read_bootstrap(inner),
        MEMBERSHIP => Ok(Unit::Membership(read_membership(inner)?)),
        SETTINGS => settings::read_settings(inner),
        EVICT => evict::read_evict(inner),
        PART => part::read_part_unit(inner),
        Upstream::FIELD => Ok(Unit::Upstream(Upstream::read(inner)?)),
        _ => Err(WireError::new("kind of unit")),
    }
}

fn database(number: u64) -> Result<u32, WireError> {
    u32::try_from(number).ok().filter(|&db| db < DATABASES as u32).ok_or(WireError::new("database"))
}

fn read_bootstrap(mut rest: &[u8]) -> Result<Unit<'_>, WireError> {
    let cluster_id = field_bytes(&mut rest, 1, "bootstrap")?;
    let hash_key = field_bytes(&mut rest, 2, "bootstrap")?;
    if cluster_id.len() != 16 || hash_key.len() != 16 {
        return Err(WireError::new("bootstrap"));
    }
    let mut voters = SmallVec::new();
    let mut password = "";
    while !rest.is_empty() {
        match super::entry::next_field(&mut rest, "bootstrap")? {
            (3, value) => voters.push(value.varint("bootstrap")?),
            (4, value) => {
                let text = std::str::from_utf8(value.bytes("bootstrap")?);
                password = text.map_err(|_| WireError::new("bootstrap"))?;
            }
            _ => return Err(WireError::new("bootstrap")),
        }
    }
    Ok(Unit::Bootstrap { cluster_id, hash_key, voters, password })
}

fn read_membership(mut bytes: &[u8]) -> Result<Membership<'_>, WireError> {
    const WHAT: &str = "membership";
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| WireError::new("address"));
    let mut read = Membership { change: Change::ADD, node: 0, old: 0, client_addr: "", peer_addr: "" };
    while !bytes.is_empty() {
        match super::entry::next_field(&mut bytes, WHAT)? {
            (1, value) => {
                let number = i32::try_from(value.varint(WHAT)?).ok();
                read.change = number
                    .and_then(protobuf::ProtobufEnum::from_i32)
                    .ok_or(WireError::new("membership change"))?;
            }
            (2, value) => read.node = value.varint(WHAT)?,
            (3, value) => read.old = value.varint(WHAT)?,
            (4, value) => read.client_addr = text(value.bytes(WHAT)?)?,
            (5, value) => read.peer_addr = text(value.bytes(WHAT)?)?,
            _ => return Err(WireError::new(WHAT)),
        }
    }
    Ok(read)
}

fn read_register(mut rest: &[u8]) -> Result<Register<'_>, WireError> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| WireError::new("address"));
    let node = field_varint(&mut rest, 1, "register")?;
    let incarnation = field_bytes(&mut rest, 2, "register")?;
    if incarnation.len() != 16 {
        return Err(WireError::new("incarnation"));
    }
    Ok(Register {
        node,
        incarnation,
        client_addr: text(field_bytes(&mut rest, 3, "register")?)?,
        peer_addr: text(field_bytes(&mut rest, 4, "register")?)?,
    })
}

#[cfg(test)]
mod tests;
