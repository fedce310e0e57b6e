//! [`RdbReader`]: takes the keys out of an RDB file that arrives in pieces. It holds nothing but the
//! item under way, believes no length before there are bytes for it, and never panics: the file
//! comes from another server, or from somebody who says that he is one. It must never hand out a
//! key that could not be restored.

use super::{Forms, crc64, extent, opcode};
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
    /// A value is longer than one entry of the log may be.
    #[error(
        "the upstream holds a value of more than {MAX_BULK_BYTES} bytes: the key '{key}' of database {db}"
    )]
    TooLongKey { key: String, db: u32 },
}

/// An item of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RdbItem {
    /// A key; of its value the type's byte and what follows, which [`super::value_of`] reads.
    Key { db: u32, key: Bytes, value: Bytes, deadline_ms: u64 },
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
    /// How far the value under way was looked at.
    progress: extent::Progress,
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
            opcode::FUNCTION | opcode::FUNCTION_EARLY => return Err(RdbError::Lacking("functions")),
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

    fn key(&mut self, input: &mut BytesMut, kind: u8) -> Result<Taken, RdbError> {
        let Some(key_bytes) = whole_string(&input[1..])? else { return Ok(Taken::Nothing) };
        let key = || string_of(&input[1..1 + key_bytes]);
        let shown = || key().map(|key| key[..key.len().min(SHOWN_BYTES)].escape_ascii().to_string());
        let value_bytes = match extent::value(kind, &input[1 + key_bytes..], &mut self.progress) {
            Err(RdbError::Lacking(what)) => {
                return Err(RdbError::LackingKey { what, key: shown()?, db: self.db });
            }
            extent => extent?,
        };
        if self.progress.bytes() > MAX_BULK_BYTES {
            return Err(RdbError::TooLongKey { key: shown()?, db: self.db });
        }
        let Some(value_bytes) = value_bytes else { return Ok(Taken::Nothing) };
        let whole_bytes = 1 + key_bytes + value_bytes;
        if input.len() < whole_bytes {
            return Ok(Taken::Nothing);
        }
        let key = key()?;
        self.progress = extent::Progress::default();
        let taken = self.take(input, whole_bytes);
        let mut value = Vec::with_capacity(1 + value_bytes);
        value.push(kind);
        value.extend_from_slice(&taken[1 + key_bytes..]);
        super::value_of(&value, &Forms::default()).map_err(|_| RdbError::Malformed("a value"))?;
        let deadline_ms = std::mem::take(&mut self.deadline_ms);
        Ok(Taken::Item(RdbItem::Key { db: self.db, key, value: value.into(), deadline_ms }))
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

/// The bytes of a string that is there as a whole.
fn whole_string(bytes: &[u8]) -> Result<Option<usize>, RdbError> {
    Ok(extent::string(bytes)?.filter(|&size| size <= bytes.len()))
}

fn string_of(bytes: &[u8]) -> Result<Bytes, RdbError> {
    let string = super::strings::Reader::new(bytes).string();
    string.map(|string| Bytes::from(string.into_owned())).ok_or(RdbError::Malformed("a string"))
}
