//! Replies to values of Lua and back, as Redis turns one into the other. Nothing here may lose the order of a
//! reply, nor depend on the order of a table whose keys have none.

use super::eval::c_string;
use super::number;
use super::raised::{error_table, error_text};
use super::vm::Vm;
use crate::command::Reply;
use crate::command::conversion::signed;
use crate::keyspace::Blob;
use crate::keyspace::format_coordinate;
use crate::limits::{SCRIPT_MEMORY_BYTES, SCRIPT_REPLY_DEPTH};
use mlua::{Lua, Result, Table, Value};
use std::cell::Cell;

fn field(lua: &Lua, name: &str, value: Value) -> Result<Value> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(name, value)?;
    Ok(Value::Table(table))
}

fn status(lua: &Lua, text: &str) -> Result<Value> {
    Ok(Value::Table(lua.create_table_from([("ok", text)])?))
}

/// What a script gets of a reply to one of its commands.
pub(super) fn to_lua(lua: &Lua, reply: &Reply, resp3: bool) -> Result<Value> {
    let string = |bytes: &[u8]| -> Result<Value> { Ok(Value::String(lua.create_string(bytes)?)) };
    Ok(match reply {
        Reply::Ok => status(lua, "OK")?,
        Reply::Simple(text) => status(lua, text)?,
        Reply::Error(text) => error_table(lua, &error_text(&format!("-{text}")))?,
        Reply::Int(number) => Value::Number(*number as f64),
        Reply::Receivers => Value::Number(0.0),
        Reply::Bulk(bytes) => string(bytes)?,
        Reply::Nil | Reply::NilArray if resp3 => Value::Nil,
        Reply::Nil | Reply::NilArray => Value::Boolean(false),
        Reply::Array(items) | Reply::Push(items) | Reply::Several(items) => list(lua, items, resp3)?,
        Reply::Set(items) if !resp3 => list(lua, items, resp3)?,
        Reply::Set(items) => {
            let set = lua.create_table_with_capacity(0, items.len())?;
            for item in items {
                set.raw_set(to_lua(lua, item, resp3)?, true)?;
            }
            field(lua, "set", Value::Table(set))?
        }
        Reply::Pairs(pairs) | Reply::Streams(pairs) if resp3 == matches!(reply, Reply::Pairs(_)) => {
            let list = lua.create_table_with_capacity(pairs.len(), 0)?;
            for (at, (key, value)) in pairs.iter().enumerate() {
                let pair = lua.create_table_with_capacity(2, 0)?;
                pair.raw_set(1, to_lua(lua, key, resp3)?)?;
                pair.raw_set(2, to_lua(lua, value, resp3)?)?;
                list.raw_set(at + 1, pair)?;
            }
            Value::Table(list)
        }
        Reply::Pairs(pairs) | Reply::Map(pairs) if !resp3 => {
            let flat = lua.create_table_with_capacity(2 * pairs.len(), 0)?;
            for (at, item) in pairs.iter().flat_map(|(key, value)| [key, value]).enumerate() {
                flat.raw_set(at + 1, to_lua(lua, item, resp3)?)?;
            }
            Value::Table(flat)
        }
        Reply::Map(pairs) | Reply::Pairs(pairs) | Reply::Streams(pairs) => {
            let map = lua.create_table_with_capacity(0, pairs.len())?;
            for (key, value) in pairs {
                map.raw_set(to_lua(lua, key, resp3)?, to_lua(lua, value, resp3)?)?;
            }
            field(lua, "map", Value::Table(map))?
        }
        Reply::Double(value) if resp3 => field(lua, "double", Value::Number(*value))?,
        Reply::Double(value) => string(number::exact(*value).as_bytes())?,
        Reply::Coordinate(value) if resp3 => field(lua, "double", Value::Number(*value))?,
        Reply::Coordinate(value) => string(format_coordinate(*value).as_bytes())?,
        Reply::Bool(truth) if resp3 => Value::Boolean(*truth),
        Reply::Bool(truth) => Value::Number(f64::from(u8::from(*truth))),
        Reply::Verbatim(bytes) if resp3 => {
            let parts = lua.create_table_with_capacity(0, 2)?;
            parts.raw_set("string", string(bytes)?)?;
            parts.raw_set("format", string(b"txt")?)?;
            field(lua, "verbatim_string", Value::Table(parts))?
        }
        Reply::Verbatim(bytes) | Reply::VerbatimAs(_, bytes) => string(bytes)?,
        Reply::BigNumber(digits) if resp3 => field(lua, "big_number", string(digits.as_bytes())?)?,
        Reply::BigNumber(digits) => string(digits.as_bytes())?,
    })
}

fn list(lua: &Lua, items: &[Reply], resp3: bool) -> Result<Value> {
    let list = lua.create_table_with_capacity(items.len(), 0)?;
    for (at, item) in items.iter().enumerate() {
        list.raw_set(at + 1, to_lua(lua, item, resp3)?)?;
    }
    Ok(Value::Table(list))
}

/// Bytes of a reply, about: what a script pays for it.
pub(super) fn size_bytes(reply: &Reply) -> usize {
    const EACH: usize = 16;
    let all = |items: &[Reply]| items.iter().map(size_bytes).sum::<usize>();
    EACH + match reply {
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) => bytes.len(),
        Reply::Simple(text) | Reply::Error(text) => text.len(),
        Reply::Array(items) | Reply::Push(items) | Reply::Several(items) | Reply::Set(items) => all(items),
        Reply::Map(pairs) | Reply::Pairs(pairs) | Reply::Streams(pairs) => {
            pairs.iter().map(|(key, value)| size_bytes(key) + size_bytes(value)).sum()
        }
        _ => 0,
    }
}

/// The reply that a script has returned.
pub(super) fn to_reply(vm: &Vm, value: &Value, resp3: bool) -> Result<Reply> {
    Returned { vm, resp3, left_bytes: Cell::new(SCRIPT_MEMORY_BYTES) }.reply(value, 0)
}

struct Returned<'a> {
    vm: &'a Vm,
    resp3: bool,
    /// What the reply may still take: a table may hold a value any number of times.
    left_bytes: Cell<usize>,
}

/// What a value takes in a reply besides its text.
const VALUE_BYTES: usize = size_of::<Reply>();

impl Returned<'_> {
    fn reply(&self, value: &Value, depth: usize) -> Result<Reply> {
        if depth >= SCRIPT_REPLY_DEPTH {
            return Ok(Reply::error("ERR reached lua stack limit"));
        }
        let bytes = VALUE_BYTES + value.as_string().map_or(0, |text| text.as_bytes().len());
        let left_bytes = self.left_bytes.get().checked_sub(bytes);
        self.left_bytes.set(left_bytes.ok_or_else(|| mlua::Error::MemoryError(String::new()))?);
        Ok(match value {
            Value::String(text) => Reply::Bulk(Blob::new(&text.as_bytes())),
            Value::Integer(number) => Reply::Int(*number),
            Value::Number(number) => Reply::Int(signed(*number)),
            Value::Boolean(truth) if self.resp3 => Reply::Bool(*truth),
            Value::Boolean(true) => Reply::Int(1),
            Value::Table(table) => self.table(table, depth)?,
            _ => Reply::Nil,
        })
    }

    fn table(&self, table: &Table, depth: usize) -> Result<Reply> {
        if let Value::String(text) = table.raw_get("err")? {
            return Ok(Reply::error_owned(c_string(&text).trim_end_matches(['\r', '\n']).to_owned()));
        }
        if let Value::String(text) = table.raw_get("ok")? {
            return Ok(Reply::Simple(c_string(&text).replace(['\r', '\n'], " ").into()));
        }
        match table.raw_get("double")? {
            Value::Number(number) => return Ok(Reply::Double(number)),
            Value::Integer(number) => return Ok(Reply::Double(number as f64)),
            _ => {}
        }
        if let Value::String(text) = table.raw_get("big_number")? {
            return Ok(Reply::BigNumber(text.to_string_lossy().replace(['\r', '\n'], " ").into()));
        }
        if let Value::Table(parts) = table.raw_get("verbatim_string")?
            && let (Value::String(format), Value::String(text)) =
                (parts.raw_get("format")?, parts.raw_get("string")?)
        {
            return Ok(verbatim(&format.as_bytes(), &text.as_bytes()));
        }
        if let Value::Table(map) = table.raw_get("map")? {
            let keys = self.keys(&map)?;
            let pairs = keys.sequence_values::<Value>().map(|key| {
                let key = key?;
                let value = map.raw_get::<Value>(&key)?;
                Ok((self.reply(&key, depth + 1)?, self.reply(&value, depth + 1)?))
            });
            return Ok(Reply::Map(pairs.collect::<Result<_>>()?));
        }
        if let Value::Table(set) = table.raw_get("set")? {
            let members = self.keys(&set)?;
            let members = members.sequence_values::<Value>().map(|key| self.reply(&key?, depth + 1));
            return Ok(Reply::Set(members.collect::<Result<_>>()?));
        }
        let mut items = Vec::new();
        for at in 1.. {
            match table.raw_get::<Value>(at)? {
                Value::Nil => break,
                item => items.push(self.reply(&item, depth + 1)?),
            }
        }
        Ok(Reply::Array(items))
    }

    /// As a list, to be gone through one by one: a machine has room for some thousand values at a time in Rust.
    fn keys(&self, table: &Table) -> Result<Table> {
        self.vm.keys_of.call(table)
    }
}

/// The three letters of the format are Redis's way.
fn verbatim(format: &[u8], text: &[u8]) -> Reply {
    let mut three = [b' '; 3];
    for (to, from) in three.iter_mut().zip(format) {
        *to = *from;
    }
    match &three {
        b"txt" => Reply::Verbatim(Blob::new(text)),
        _ => Reply::VerbatimAs(three, Blob::new(text)),
    }
}
