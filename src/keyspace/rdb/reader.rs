//! [`RdbReader`]: takes the keys out of an RDB file that arrives in pieces. It holds nothing but the
//! item under way, believes no length before there are bytes for it, and never panics: the file
//! comes from another server, or from somebody who says that he is one. It must never hand out a
//! key that could not be restored, nor wait for all of a long collection.

use super::extent::{self, whole_string};
use super::{crc64, opcode, strings};
use crate::limits::{DATABASES, MAX_BULK_BYTES};
use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// The newest version that is read: what is new since 10 are types and opcodes, which are known
/// here or are refused.
const NEWEST: u16 = 12;
/// Versions before it have no checksum.
const FIRST_WITH_CHECKSUM: u16 = 5;
const HEADER_BYTES: usize = opcode::MAGIC.len() + 4;
/// Of a key, in an error.
const SHOWN_BYTES: usize = 64;

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RdbError {
    /// It does not say what it should.
    #[error("the RDB file is malformed: {0}")]
    Malformed(&'static str),
    /// It is of no version that is known here.
    #[error("the RDB file is of version {0}, and {NEWEST} is the newest that can be read")]
    Version(u16),
    /// It was changed on its way.
    #[error("the RDB file has a wrong checksum")]
    Checksum,
    /// There is no such thing here.
    #[error("the upstream holds {0}, which bowline lacks")]
    Lacking(&'static str),
    /// The same of a certain key.
    #[error("the upstream holds {what}, which bowline lacks: the key '{key}' of database {db}")]
    LackingKey { what: &'static str, key: String, db: u32 },
    /// It has more databases.
    #[error("the upstream has a database {0}, and bowline has {DATABASES}")]
    Database(u64),
    /// A string is longer than any may be.
    #[error("the upstream holds a string of {0} bytes, of at most {MAX_BULK_BYTES}")]
    TooLong(u64),
    /// An element, or a stream, is longer than one entry of the log may be.
    #[error(
        "the upstream holds more than {MAX_BULK_BYTES} bytes that cannot be taken up in pieces: the key '{key}' of database {db}"
    )]
    TooLongKey { key: String, db: u32 },
}

/// An item of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RdbItem {
    /// A key; of its value the type's byte and what follows, which [`super::value_of`] reads. A value that is long
    /// comes in pieces, each of which looks like a value: those that continue the one before, of the same key, are
    /// for [`super::extend`].
    Key { db: u32, key: Bytes, value: Bytes, deadline_ms: u64, continues: bool },
    /// The text of a library of functions.
    Function(Bytes),
    /// Something about the file.
    Aux { name: Bytes, value: Bytes },
    /// The file is complete, and as it was written.
    End,
}

/// See the module.
#[derive(Debug, Default)]
pub struct RdbReader {
    /// None: the header has not come.
    version: Option<u16>,
    db: u32,
    /// Of the next key.
    deadline_ms: u64,
    crc: u64,
    read_bytes: u64,
    is_over: bool,
    /// The key under way, if pieces of it were given.
    open: Option<Open>,
    /// How far the value under way was looked at.
    progress: extent::Progress,
}

#[derive(Debug)]
struct Open {
    kind: u8,
    key: Bytes,
}

/// What was taken off the input.
enum Taken {
    Item(RdbItem),
    /// Nothing that anybody has to know of.
    Step,
    /// More bytes are needed.
    Nothing,
}

impl RdbReader {
    /// Bytes of the file that were taken.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Takes the next item off the front of `input`. None: more bytes are needed. After the end
    /// nothing is taken, whatever follows.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<RdbItem>, RdbError> {
        while !self.is_over {
            let taken = if self.version.is_none() { self.header(input)? } else { self.item(input)? };
            match taken {
                Taken::Item(item) => return Ok(Some(item)),
                Taken::Step => {}
                Taken::Nothing => break,
            }
        }
        Ok(None)
    }

    fn take(&mut self, input: &mut BytesMut, len: usize) -> Bytes {
        let taken = input.split_to(len).freeze();
        self.crc = crc64::update(self.crc, &taken);
        self.read_bytes += len as u64;
        taken
    }

    fn header(&mut self, input: &mut BytesMut) -> Result<Taken, RdbError> {
        let known = input.len().min(opcode::MAGIC.len());
        if input[..known] != opcode::MAGIC[..known] {
            return Err(RdbError::Malformed("its beginning"));
        }
        if input.len() < HEADER_BYTES {
            return Ok(Taken::Nothing);
        }
        let header = self.take(input, HEADER_BYTES);
        let digits = std::str::from_utf8(&header[opcode::MAGIC.len()..]).ok();
        let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let version = digits.and_then(|text| text.parse().ok()).ok_or(RdbError::Malformed("its version"))?;
        if !(1..=NEWEST).contains(&version) {
            return Err(RdbError::Version(version));
        }
        self.version = Some(version);
        Ok(Taken::Step)
    }

    fn item(&mut self, input: &mut BytesMut) -> Result<Taken, RdbError> {
        if let Some(open) = &self.open {
            return self.value(input, open.kind, 0);
        }
        let Some(&kind) = input.first() else { return Ok(Taken::Nothing) };
        let rest = &input[1..];
        let taken_bytes = match kind {
            opcode::EOF => return self.end(input),
            opcode::AUX => return self.aux(input),
            opcode::EXPIRETIME_MS => {
                let Some(time) = rest.first_chunk() else { return Ok(Taken::Nothing) };
                self.deadline_ms = deadline(i64::from_le_bytes(*time));
                1 + time.len()
            }
            opcode::EXPIRETIME => {
                let Some(time) = rest.first_chunk() else { return Ok(Taken::Nothing) };
                self.deadline_ms = deadline(i64::from(i32::from_le_bytes(*time)).saturating_mul(1000));
                1 + time.len()
            }
            opcode::SELECTDB => {
                let Some((db, size)) = extent::len(rest)? else { return Ok(Taken::Nothing) };
                let known = u32::try_from(db).ok().filter(|&db| (db as usize) < DATABASES);
                self.db = known.ok_or(RdbError::Database(db))?;
                1 + size
            }
            opcode::RESIZEDB => {
                let Some((_, size)) = extent::len(rest)? else { return Ok(Taken::Nothing) };
                let Some((_, more)) = extent::len(&rest[size..])? else { return Ok(Taken::Nothing) };
                1 + size + more
            }
            opcode::IDLE => match extent::len(rest)? {
                Some((_, size)) => 1 + size,
                None => return Ok(Taken::Nothing),
            },
            opcode::FREQ if rest.is_empty() => return Ok(Taken::Nothing),
            opcode::FREQ => 2,
            opcode::FUNCTION => return self.function(input),
            opcode::FUNCTION_EARLY => return Err(RdbError::Lacking("functions of an early form")),
            opcode::MODULE_AUX => return Err(RdbError::Lacking("what a module has stored")),
            _ => return self.key(input, kind),
        };
        self.take(input, taken_bytes);
        Ok(Taken::Step)
    }

    fn aux(&mut self, input: &mut BytesMut) -> Result<Taken, RdbError> {
        let Some(name_bytes) = whole_string(&input[1..])? else { return Ok(Taken::Nothing) };
        let Some(value_bytes) = whole_string(&input[1 + name_bytes..])? else { return Ok(Taken::Nothing) };
        let taken = self.take(input, 1 + name_bytes + value_bytes);
        let (name, value) = (&taken[1..1 + name_bytes], &taken[1 + name_bytes..]);
        Ok(Taken::Item(RdbItem::Aux { name: string_of(name)?, value: string_of(value)? }))
    }

    fn function(&mut self, input: &mut BytesMut) -> Result<Taken, RdbError> {
        let Some(bytes) = whole_string(&input[1..])? else { return Ok(Taken::Nothing) };
        let taken = self.take(input, 1 + bytes);
        Ok(Taken::Item(RdbItem::Function(string_of(&taken[1..])?)))
    }

    fn key(&mut self, input: &mut BytesMut, kind: u8) -> Result<Taken, RdbError> {
        let Some(key_bytes) = whole_string(&input[1..])? else { return Ok(Taken::Nothing) };
        self.value(input, kind, 1 + key_bytes)
    }

    /// A value, or the next piece of one. Before it lie so many bytes of its type and its key, but if there was a
    /// piece before.
    fn value(&mut self, input: &mut BytesMut, kind: u8, head_bytes: usize) -> Result<Taken, RdbError> {
        let key = match &self.open {
            Some(open) => open.key.clone(),
            None => string_of(&input[1..head_bytes])?,
        };
        let shown = || key[..key.len().min(SHOWN_BYTES)].escape_ascii().to_string();
        let value_bytes = match extent::value(kind, &input[head_bytes..], &mut self.progress) {
            Err(RdbError::Lacking(what)) => {
                return Err(RdbError::LackingKey { what, key: shown(), db: self.db });
            }
            extent => extent?.filter(|size| *size <= input.len() - head_bytes),
        };
        if self.progress.bytes() > MAX_BULK_BYTES {
            return Err(RdbError::TooLongKey { key: shown(), db: self.db });
        }
        let known = match value_bytes {
            Some(size) => self.progress.rest().unwrap_or((0, 0..size)),
            None => match self.progress.cut() {
                Some(known) => known,
                None => return Ok(Taken::Nothing),
            },
        };
        let (elements, place) = known;
        let taken = self.take(input, head_bytes + place.end);
        let mut value = vec![kind];
        let continues = match (&self.open, value_bytes) {
            (None, Some(_)) => {
                value.extend_from_slice(&taken[head_bytes..]);
                false
            }
            (open, _) => {
                strings::put_len(&mut value, elements as usize);
                value.extend_from_slice(&taken[head_bytes + place.start..]);
                open.is_some()
            }
        };
        let is_sound = if continues { super::is_piece(&value) } else { super::is_value(&value) };
        if !is_sound {
            return Err(RdbError::Malformed("a value"));
        }
        let deadline_ms = std::mem::take(&mut self.deadline_ms);
        self.open = match value_bytes {
            Some(_) => {
                self.progress = extent::Progress::default();
                None
            }
            None => Some(Open { kind, key: key.clone() }),
        };
        Ok(Taken::Item(RdbItem::Key { db: self.db, key, value: value.into(), deadline_ms, continues }))
    }

    fn end(&mut self, input: &mut BytesMut) -> Result<Taken, RdbError> {
        let has_checksum = self.version >= Some(FIRST_WITH_CHECKSUM);
        if has_checksum && input.len() < 1 + size_of::<u64>() {
            return Ok(Taken::Nothing);
        }
        self.take(input, 1);
        if has_checksum {
            let crc = self.crc;
            let expected = self.take(input, size_of::<u64>()).get_u64_le();
            // Whoever writes none writes 0 (`rdbchecksum no`).
            if expected != 0 && expected != crc {
                return Err(RdbError::Checksum);
            }
        }
        self.is_over = true;
        Ok(Taken::Item(RdbItem::End))
    }
}

/// What a key without one has is 0, and no deadline was ever before 1970: it has passed anyway.
fn deadline(at_ms: i64) -> u64 {
    u64::try_from(at_ms).unwrap_or(1).max(1)
}

fn string_of(bytes: &[u8]) -> Result<Bytes, RdbError> {
    let string = super::strings::Reader::new(bytes).string();
    string.map(|string| Bytes::from(string.into_owned())).ok_or(RdbError::Malformed("a string"))
}
