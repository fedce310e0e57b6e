//! `cmsgpack`: MessagePack (<https://msgpack.org>), with the choices and errors of lua-cmsgpack 0.4.0.

use super::super::arguments::function;
use super::super::raised::raise;
use super::{bad_argument, number, pay, string, too_much};
use crate::command::conversion::signed;
use crate::limits::{SCRIPT_ARGUMENTS, SCRIPT_MEMORY_BYTES};
use mlua::{Lua, MultiValue, Result, Table, Value};

/// Tables within tables that are written; deeper ones are nil.
const MOST_NESTING: usize = 16;
/// The same of what is read: deeper is an error.
const MOST_READ_NESTING: usize = 2000;
/// A table, and a key and a value of it.
const HELD_BY_TABLE: usize = 3;

pub(super) fn library(lua: &Lua) -> Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("pack", function(lua, pack)?)?;
    library.raw_set("unpack", function(lua, |lua, args| unpack(lua, args, "unpack", None))?)?;
    let one = |lua: &Lua, args: &[Value]| {
        let offset = optional(lua, args, 1, "unpack_one")?;
        unpack(lua, args, "unpack_one", Some((1, offset)))
    };
    library.raw_set("unpack_one", function(lua, one)?)?;
    let limit = |lua: &Lua, args: &[Value]| {
        let limit = signed(number(lua, args, 1, "unpack_limit")?);
        let offset = optional(lua, args, 2, "unpack_limit")?;
        unpack(lua, args, "unpack_limit", Some((limit, offset)))
    };
    library.raw_set("unpack_limit", function(lua, limit)?)?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    library.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(library)
}

fn optional(lua: &Lua, args: &[Value], at: usize, function: &str) -> Result<i64> {
    match args.get(at) {
        None | Some(Value::Nil) => Ok(0),
        Some(_) => Ok(signed(number(lua, args, at, function)?)),
    }
}

fn pack(lua: &Lua, args: &[Value]) -> Result<mlua::String> {
    if args.is_empty() {
        return bad_argument(lua, 0, "pack", "MessagePack pack needs input.");
    }
    let mut out = Vec::new();
    for value in args {
        put(lua, &mut out, value, 0)?;
    }
    pay(lua, out.len())?;
    lua.create_string(out)
}

fn put(lua: &Lua, out: &mut Vec<u8>, value: &Value, level: usize) -> Result<()> {
    if out.len() > SCRIPT_MEMORY_BYTES {
        return Err(too_much());
    }
    match value {
        Value::String(text) => put_string(out, &text.as_bytes()),
        Value::Boolean(truth) => out.push(if *truth { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => put_integer(out, *number),
        Value::Number(number) => put_number(out, *number),
        Value::Table(table) if level < MOST_NESTING => put_table(lua, out, table, level)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

fn put_len(out: &mut Vec<u8>, len: usize, kinds: [Option<u8>; 3]) {
    match (len, kinds) {
        (0..=0xff, [Some(kind), ..]) => out.extend_from_slice(&[kind, len as u8]),
        (0..=0xffff, [_, Some(kind), _]) => {
            out.push(kind);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        (_, [.., kind]) => {
            out.push(kind.unwrap_or(0));
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        len @ 0..32 => out.push(0xa0 | len as u8),
        len => put_len(out, len, [Some(0xd9), Some(0xda), Some(0xdb)]),
    }
    out.extend_from_slice(text);
}

fn put_number(out: &mut Vec<u8>, number: f64) {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if number == number.trunc() && (-END..END).contains(&number) {
        return put_integer(out, number as i64);
    }
    let short = number as f32;
    if f64::from(short) == number {
        out.push(0xca);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn put_integer(out: &mut Vec<u8>, number: i64) {
    match number {
        0..=0x7f => out.push(number as u8),
        -32..=-1 => out.push(number as i8 as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, number as u8]),
        -0x80..-32 => out.extend_from_slice(&[0xd0, number as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&(number as u16).to_be_bytes());
        }
        -0x8000..-0x80 => {
            out.push(0xd1);
            out.extend_from_slice(&(number as i16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&(number as u32).to_be_bytes());
        }
        -0x8000_0000..-0x8000 => {
            out.push(0xd2);
            out.extend_from_slice(&(number as i32).to_be_bytes());
        }
        _ => {
            out.push(if number < 0 { 0xd3 } else { 0xcf });
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

fn put_table(lua: &Lua, out: &mut Vec<u8>, table: &Table, level: usize) -> Result<()> {
    let index = |key: &Value| match key {
        Value::Integer(index) if *index > 0 => Some(*index as usize),
        _ => None,
    };
    // Twice, and never all at once: Lua's machine has room for some thousand values in the hands of Rust.
    let (mut count, mut most) = (0, Some(0));
    for pair in table.pairs::<Value, Value>() {
        let key = pair?.0;
        count += 1;
        most = most.and_then(|most| index(&key).map(|index| index.max(most)));
    }
    if most == Some(count) {
        match count {
            len @ 0..=15 => out.push(0x90 | len as u8),
            len => put_len(out, len, [None, Some(0xdc), Some(0xdd)]),
        }
        for at in 1..=count {
            put(lua, out, &table.raw_get(at)?, level + 1)?;
        }
        return Ok(());
    }
    match count {
        len @ 0..=15 => out.push(0x80 | len as u8),
        len => put_len(out, len, [None, Some(0xde), Some(0xdf)]),
    }
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        if matches!(key, Value::Table(_) | Value::Function(_) | Value::Thread(_)) {
            let text = format!("a table with a {} as key has no order", key.type_name());
            return Err(raise(lua, text));
        }
        put(lua, out, &key, level + 1)?;
        put(lua, out, &value, level + 1)?;
    }
    Ok(())
}

const TOO_MANY_VALUES: &str =
    "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)";

enum Wrong {
    Missing,
    Format,
    Deep,
    Lua(mlua::Error),
}

impl From<mlua::Error> for Wrong {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    depth: usize,
    /// Values that may still be held.
    room: usize,
}

fn unpack(lua: &Lua, args: &[Value], function: &str, part: Option<(i64, i64)>) -> Result<MultiValue> {
    let text = string(lua, args, 0, function)?;
    let text = text.as_bytes();
    pay(lua, text.len())?;
    let part = part.filter(|part| *part != (0, 0));
    let (limit, offset) = part.unwrap_or((i64::MAX, 0));
    if limit < 0 || offset < 0 {
        // Both are told as C's `int`.
        let (offset, len) = (offset as i32, text.len());
        return Err(raise(
            lua,
            format!("Invalid request to unpack with offset of {offset} and limit of {len}."),
        ));
    }
    let Some(rest) = text.get(offset as usize..) else {
        let (offset, len) = (offset as i32, text.len());
        return Err(raise(lua, format!("Start offset {offset} greater than input length {len}.")));
    };
    let mut reader = Reader { lua, rest, depth: 0, room: SCRIPT_ARGUMENTS - args.len() };
    let mut values = Vec::new();
    while !reader.rest.is_empty() && (values.len() as i64) < limit {
        let overflow = || raise(lua, TOO_MANY_VALUES);
        reader.room = reader.room.checked_sub(1).ok_or_else(overflow)?;
        values.push(reader.value().map_err(|wrong| match wrong {
            Wrong::Missing => raise(lua, "Missing bytes in input."),
            Wrong::Format => raise(lua, "Bad data format in input."),
            Wrong::Deep => raise(lua, "too many nested values"),
            Wrong::Lua(error) => error,
        })?);
    }
    if part.is_some() {
        let next = if reader.rest.is_empty() { -1.0 } else { (text.len() - reader.rest.len()) as f64 };
        values.insert(0, Value::Number(next));
    }
    Ok(MultiValue::from_vec(values))
}

impl Reader<'_> {
    fn take(&mut self, len: usize) -> std::result::Result<&[u8], Wrong> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Wrong::Missing)?;
        self.rest = rest;
        Ok(taken)
    }

    fn integer(&mut self, len: usize) -> std::result::Result<u64, Wrong> {
        Ok(self.take(len)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn value(&mut self) -> std::result::Result<Value, Wrong> {
        let number = |number: f64| Ok(Value::Number(number));
        let first = self.take(1)?[0];
        match first {
            0..=0x7f => number(f64::from(first)),
            0xe0..=0xff => number(f64::from(first as i8)),
            0xa0..=0xbf => self.string(usize::from(first & 0x1f)),
            0x90..=0x9f => self.array(u64::from(first & 0xf)),
            0x80..=0x8f => self.map(u64::from(first & 0xf)),
            0xc0 => Ok(Value::Nil),
            0xc2 | 0xc3 => Ok(Value::Boolean(first == 0xc3)),
            0xcc => number(self.integer(1)? as f64),
            0xcd => number(self.integer(2)? as f64),
            0xce => number(self.integer(4)? as f64),
            0xcf => number(self.integer(8)? as f64),
            0xd0 => number(f64::from(self.integer(1)? as i8)),
            0xd1 => number(f64::from(self.integer(2)? as i16)),
            0xd2 => number(f64::from(self.integer(4)? as i32)),
            0xd3 => number(self.integer(8)? as i64 as f64),
            0xca => number(f64::from(f32::from_bits(self.integer(4)? as u32))),
            0xcb => number(f64::from_bits(self.integer(8)?)),
            0xd9..=0xdb => {
                let len = self.integer(1 << (first - 0xd9))?;
                self.string(len as usize)
            }
            0xdc | 0xdd => {
                let len = self.integer(2 << (first - 0xdc))?;
                self.array(len)
            }
            0xde | 0xdf => {
                let len = self.integer(2 << (first - 0xde))?;
                self.map(len)
            }
            _ => Err(Wrong::Format),
        }
    }

    fn string(&mut self, len: usize) -> std::result::Result<Value, Wrong> {
        let lua = self.lua;
        Ok(Value::String(lua.create_string(self.take(len)?)?))
    }

    fn descend(&mut self) -> std::result::Result<Table, Wrong> {
        self.depth += 1;
        if self.depth > MOST_READ_NESTING.min(self.room / HELD_BY_TABLE) {
            return Err(Wrong::Deep);
        }
        Ok(self.lua.create_table()?)
    }

    fn array(&mut self, len: u64) -> std::result::Result<Value, Wrong> {
        let table = self.descend()?;
        for at in 1..=len {
            let value = self.value()?;
            table.raw_set(at, value)?;
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: u64) -> std::result::Result<Value, Wrong> {
        let table = self.descend()?;
        for _ in 0..len {
            let key = self.value()?;
            let value = self.value()?;
            if matches!(key, Value::Nil) {
                return Err(Wrong::Lua(raise(self.lua, "table index is nil")));
            }
            table.raw_set(key, value)?;
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }
}
