//! The unit by which the link to an upstream Redis (`REPLICAOF`) changes the state: `entry.Upstream`.
//! It must never be taken for a client's: each carries the token of the link that made it.

use super::calls::{command_len, put_command, read_command};
use super::{Command, database, put_len_field, put_varint_field, put_wrapped, sized, varint_len};
use crate::wire::WireError;
use crate::wire::entry::next_field;

pub use crate::wire::proto::entry::Step;

/// What a link tells the state: see `entry.Upstream`. What a step does not need is left empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream<'a> {
    /// What has happened.
    pub step: Step,
    /// The link's token; with [`Step::TAKE`], the one that it takes over from.
    pub session: u64,
    /// A replication id, or why the link is down.
    pub text: &'a str,
    /// What the state has to stand at: an offset, or with [`Step::KEYS`] a number of keys.
    pub from: u64,
    /// What it stands at afterwards.
    pub to: u64,
    /// The database that the stream works in afterwards.
    pub db: u32,
    /// With [`Step::COMMANDS`]; with [`Step::KEYS`] what brings the libraries of functions.
    pub commands: Vec<Command<'a>>,
    /// With [`Step::KEYS`].
    pub keys: Vec<LoadedKey<'a>>,
}

/// A key of an RDB file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadedKey<'a> {
    /// Its name.
    pub key: &'a [u8],
    /// Its type's byte and its value, as the file has them.
    pub value: &'a [u8],
    /// Unix time; 0: none.
    pub deadline_ms: u64,
    /// Its database.
    pub db: u32,
    /// The value is a piece: what it holds comes to what the key has.
    pub continues: bool,
}

const UPSTREAM: u32 = 10; // Unit.upstream

const SESSION: u32 = 1; // Upstream.session, and so on
const STEP: u32 = 2;
const TEXT: u32 = 3;
const FROM: u32 = 4;
const TO: u32 = 5;
const DB: u32 = 6;
const COMMANDS: u32 = 7;
const KEYS: u32 = 8;

const WHAT: &str = "upstream";

impl<'a> Upstream<'a> {
    /// A step that needs nothing else yet.
    pub fn new(session: u64, step: Step) -> Self {
        let (commands, keys) = (Vec::new(), Vec::new());
        Self { step, session, text: "", from: 0, to: 0, db: 0, commands, keys }
    }

    pub(super) const FIELD: u32 = UPSTREAM;

    pub(super) fn read(mut bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut read = Self::new(0, Step::TAKE);
        while !bytes.is_empty() {
            match next_field(&mut bytes, WHAT)? {
                (SESSION, value) => read.session = value.varint(WHAT)?,
                (STEP, value) => {
                    let number = i32::try_from(value.varint(WHAT)?).ok();
                    let step = number.and_then(protobuf::ProtobufEnum::from_i32);
                    read.step = step.ok_or(WireError::new(WHAT))?;
                }
                (TEXT, value) => {
                    let text = std::str::from_utf8(value.bytes(WHAT)?);
                    read.text = text.map_err(|_| WireError::new(WHAT))?;
                }
                (FROM, value) => read.from = value.varint(WHAT)?,
                (TO, value) => read.to = value.varint(WHAT)?,
                (DB, value) => read.db = database(value.varint(WHAT)?)?,
                (COMMANDS, value) => read.commands.push(read_command(value.bytes(WHAT)?)?),
                (KEYS, value) => read.keys.push(LoadedKey::read(value.bytes(WHAT)?)?),
                _ => return Err(WireError::new(WHAT)),
            }
        }
        Ok(read)
    }
}

impl<'a> LoadedKey<'a> {
    fn len(&self) -> usize {
        let number = |number: u64| if number == 0 { 0 } else { 1 + varint_len(number) };
        sized(self.key.len())
            + sized(self.value.len())
            + number(self.deadline_ms)
            + number(u64::from(self.db))
            + number(u64::from(self.continues))
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_len_field(out, KEYS, self.len());
        for (field, bytes) in [(1, self.key), (2, self.value)] {
            put_len_field(out, field, bytes.len());
            out.extend_from_slice(bytes);
        }
        put_numbers(out, &[(3, self.deadline_ms), (4, u64::from(self.db)), (5, u64::from(self.continues))]);
    }

    fn read(mut bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut read = Self { key: &[], value: &[], deadline_ms: 0, db: 0, continues: false };
        while !bytes.is_empty() {
            match next_field(&mut bytes, WHAT)? {
                (1, value) => read.key = value.bytes(WHAT)?,
                (2, value) => read.value = value.bytes(WHAT)?,
                (3, value) => read.deadline_ms = value.varint(WHAT)?,
                (4, value) => read.db = database(value.varint(WHAT)?)?,
                (5, value) => read.continues = value.varint(WHAT)? != 0,
                _ => return Err(WireError::new(WHAT)),
            }
        }
        Ok(read)
    }
}

fn put_numbers(out: &mut Vec<u8>, numbers: &[(u32, u64)]) {
    for &(field, number) in numbers.iter().filter(|(_, number)| *number != 0) {
        put_varint_field(out, field, number);
    }
}

/// Appends what a link tells to a body.
pub fn put_upstream_unit(out: &mut Vec<u8>, unit: &Upstream<'_>) {
    let mut inner = Vec::new();
    put_numbers(&mut inner, &[(SESSION, unit.session), (STEP, unit.step as u64)]);
    if !unit.text.is_empty() {
        put_len_field(&mut inner, TEXT, unit.text.len());
        inner.extend_from_slice(unit.text.as_bytes());
    }
    put_numbers(&mut inner, &[(FROM, unit.from), (TO, unit.to), (DB, u64::from(unit.db))]);
    for command in &unit.commands {
        put_len_field(
            &mut inner,
            COMMANDS,
            command_len(command.args.iter().map(|arg| arg.len()), command.db),
        );
        put_command(&mut inner, command.args.iter().copied(), command.db);
    }
    unit.keys.iter().for_each(|key| key.put(&mut inner));
    put_wrapped(out, UPSTREAM, &[&inner]);
}
