//! SETBIT and GETBIT; and what the commands on bits have in common. Bit 0 is the highest bit of
//! the first byte. What lies behind the end of a string reads as zeros, and a write must never copy
//! a long string as a whole each time.

pub(super) mod bitfield;
mod bitfield_ops;
pub(super) mod bitop;
pub(super) mod count;

use super::context::{Outcome, reply};
use super::parse::{integer, parse_i64};
use super::ranges::change_bytes;
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::typed::string_of;
use super::{ReadContext, Reply, WriteContext};
use crate::keyspace::{EventClass, Item};
use crate::limits::MAX_BULK_BYTES;
use crate::wire::units::Args;

const CATEGORIES: &[Category] = &[Category::Bitmap];
const OFFSET: Arg = Arg::new("offset", ArgKind::Integer);
const BAD_OFFSET: Reply = Reply::error("ERR bit offset is not an integer or out of range");
const BAD_BIT: Reply = Reply::error("ERR bit is not an integer or out of range");

pub(super) static SETBIT: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RW", "access", "update"])],
    since: "2.2.0",
    group: "bitmap",
    summary: "Sets or clears a bit of a string and returns what it was",
    arguments: &[Arg::KEY, OFFSET, Arg::new("value", ArgKind::Integer)],
    ..Command::new(
        "setbit",
        4,
        Flags::WRITE.and(Flags::DENYOOM),
        Handler::Write(|context, args| reply(setbit(context, args))),
    )
};

pub(super) static GETBIT: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RO", "access"])],
    since: "2.2.0",
    group: "bitmap",
    summary: "Reads a bit of a string",
    arguments: &[Arg::KEY, OFFSET],
    ..Command::new(
        "getbit",
        3,
        Flags::READONLY.and(Flags::FAST),
        Handler::Read(|context, args| reply(getbit(context, args))),
    )
};

/// The number of a bit that a string may have. `#n` is the `n`th group of `width` bits.
fn bit_offset(text: &[u8], width: Option<u32>) -> Result<u64, Reply> {
    let offset = match (text, width) {
        ([b'#', digits @ ..], Some(width)) => parse_i64(digits).and_then(|n| n.checked_mul(width.into())),
        _ => parse_i64(text),
    };
    let offset = offset.and_then(|offset| u64::try_from(offset).ok());
    offset.filter(|offset| offset / 8 < MAX_BULK_BYTES as u64).ok_or(BAD_OFFSET)
}

/// `f` of the bytes of a string, of none if there is no key.
fn with_bytes<R>(item: Option<&Item>, f: impl FnOnce(&[u8]) -> R) -> Result<R, Reply> {
    Ok(match string_of(item)? {
        Some(value) => f(value.bytes(&mut Default::default())),
        None => f(&[]),
    })
}

/// The bit, and where it is: its byte, and a mask for it there.
fn bit_of(bytes: &[u8], offset: u64) -> (bool, usize, u8) {
    let (byte, mask) = ((offset / 8) as usize, 0x80 >> (offset % 8));
    (bytes.get(byte).is_some_and(|byte| byte & mask != 0), byte, mask)
}

fn setbit(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let offset = bit_offset(args[2], None)?;
    let on = match integer(args[3]) {
        Ok(0) => false,
        Ok(1) => true,
        _ => return Err(BAD_BIT),
    };
    let mut edit = context.edit(args[1]);
    let (old, at, mask) = with_bytes(edit.item(), |bytes| bit_of(bytes, offset))?;
    // A string that is long enough and has the bit already is not changed.
    if old == on && string_of(edit.item())?.is_some_and(|value| value.len() > at) {
        return Ok(Reply::Int(i64::from(old)));
    }
    change_bytes(&mut edit, at + 1, |bytes| if on { bytes[at] |= mask } else { bytes[at] &= !mask });
    context.notify(EventClass::String, "setbit", args[1]);
    Ok(Reply::Int(i64::from(old)))
}

fn getbit(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let offset = bit_offset(args[2], None)?;
    let (bit, ..) = with_bytes(context.get(args[1]), |bytes| bit_of(bytes, offset))?;
    Ok(Reply::Int(i64::from(bit)))
}
