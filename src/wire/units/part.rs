//! [`Unit::Part`], written and read. What the pieces make together must never matter here.

use super::{PART, UNIT, Unit, put_wrapped};
use crate::wire::WireError;
use crate::wire::entry::{next_field, put_len_field, put_varint_field, take_varint};

/// A piece of a body that is too long for one entry: see `entry.Part`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Part<'a> {
    /// Where it begins in the body.
    pub offset: u64,
    /// Bytes of the whole body; 0: what came before is given up.
    pub total: u64,
    /// The piece.
    pub bytes: &'a [u8],
}

/// Appends a part to a body, which holds nothing else.
pub fn put_part_unit(out: &mut Vec<u8>, part: &Part<'_>) {
    let mut head = Vec::with_capacity(32);
    for (field, value) in [(1, part.offset), (2, part.total)] {
        if value != 0 {
            put_varint_field(&mut head, field, value);
        }
    }
    if !part.bytes.is_empty() {
        put_len_field(&mut head, 3, part.bytes.len());
    }
    out.reserve_exact(head.len() + part.bytes.len() + 16);
    put_wrapped(out, PART, &[&head, part.bytes]);
}

/// The part that a body is, if it is one. Every batch is asked.
pub fn part_of(body: &[u8]) -> Option<Part<'_>> {
    let mut rest = body.strip_prefix(&[(UNIT << 3) as u8 | 2])?;
    let len = take_varint(&mut rest)?;
    if rest.first() != Some(&((PART << 3) as u8 | 2)) || len != rest.len() as u64 {
        return None;
    }
    let (_, value) = next_field(&mut rest, "part").ok()?;
    read_part(value.bytes("part").ok()?).ok()
}

pub(super) fn read_part_unit(bytes: &[u8]) -> Result<Unit<'_>, WireError> {
    read_part(bytes).map(Unit::Part)
}

fn read_part(mut bytes: &[u8]) -> Result<Part<'_>, WireError> {
    let mut part = Part::default();
    while !bytes.is_empty() {
        match next_field(&mut bytes, "part")? {
            (1, value) => part.offset = value.varint("part")?,
            (2, value) => part.total = value.varint("part")?,
            (3, value) => part.bytes = value.bytes("part")?,
            _ => return Err(WireError::new("part")),
        }
    }
    Ok(part)
}
