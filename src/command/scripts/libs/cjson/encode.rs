//! Values to JSON. The members of an object stand in the order of Lua's own walk, which rests on the keys'
//! bytes; keys that have no such order are refused.

use super::super::super::raised::raise;
use super::super::{kind, too_much};
use super::{MOST_DEPTH, Settings, put_number};
use crate::limits::SCRIPT_MEMORY_BYTES;
use mlua::{Lua, Result, Table, Value};

pub(super) fn encode(lua: &Lua, settings: &Settings, value: &Value) -> Result<mlua::String> {
    let mut encoder = Encoder { lua, settings, out: Vec::new() };
    encoder.value(value, 0)?;
    lua.create_string(encoder.out)
}

struct Encoder<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    out: Vec<u8>,
}

impl Encoder<'_> {
    fn refused<T>(&self, value: &Value, why: &str) -> Result<T> {
        Err(raise(self.lua, format!("Cannot serialise {}: {why}", kind(Some(value)))))
    }

    fn value(&mut self, value: &Value, depth: i32) -> Result<()> {
        if self.out.len() > SCRIPT_MEMORY_BYTES {
            return Err(too_much());
        }
        match value {
            Value::String(text) => put_string(&mut self.out, &text.as_bytes()),
            Value::Integer(number) => self.number(value, *number as f64)?,
            Value::Number(number) => self.number(value, *number)?,
            Value::Boolean(truth) => self.out.extend_from_slice(if *truth { b"true" } else { b"false" }),
            Value::Table(table) => self.table(value, table, depth + 1)?,
            Value::Nil => self.out.extend_from_slice(b"null"),
            null if *null == Value::NULL => self.out.extend_from_slice(b"null"),
            other => return self.refused(other, "type not supported"),
        }
        Ok(())
    }

    fn number(&mut self, value: &Value, number: f64) -> Result<()> {
        match (number.is_finite(), self.settings.invalid_encoded) {
            (true, _) => put_number(&mut self.out, number, self.settings),
            (false, 0) => return self.refused(value, "must not be NaN or Inf"),
            (false, 1) if number.is_nan() => self.out.extend_from_slice(b"nan"),
            (false, 1) => put_number(&mut self.out, number, self.settings),
            (false, _) => self.out.extend_from_slice(b"null"),
        }
        Ok(())
    }

    fn table(&mut self, value: &Value, table: &Table, depth: i32) -> Result<()> {
        if depth > self.settings.encode_depth.min(MOST_DEPTH) {
            return Err(raise(self.lua, format!("Cannot serialise, excessive nesting ({depth})")));
        }
        match self.array_len(value, table)? {
            Some(len) if len > 0 => self.array(table, len, depth),
            _ => self.object(table, depth),
        }
    }

    /// None: it has a key that is no index, or is to be an object.
    fn array_len(&self, value: &Value, table: &Table) -> Result<Option<i64>> {
        let (mut most, mut count) = (0i64, 0i64);
        for pair in table.pairs::<Value, Value>() {
            let index = match pair?.0 {
                Value::Integer(index) => index,
                Value::Number(index) if index.floor() == index && index >= 1.0 => index as i64,
                _ => return Ok(None),
            };
            if index < 1 {
                return Ok(None);
            }
            most = most.max(index);
            count += 1;
        }
        let (ratio, safe) = (i64::from(self.settings.sparse_ratio), i64::from(self.settings.sparse_safe));
        if ratio > 0 && most > count.saturating_mul(ratio) && most > safe {
            if !self.settings.sparse_converts {
                return self.refused(value, "excessively sparse array");
            }
            return Ok(None);
        }
        Ok(Some(most))
    }

    fn array(&mut self, table: &Table, len: i64, depth: i32) -> Result<()> {
        self.out.push(b'[');
        for at in 1..=len {
            if at > 1 {
                self.out.push(b',');
            }
            self.value(&table.raw_get(at)?, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: i32) -> Result<()> {
        self.out.push(b'{');
        let mut is_first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            if !std::mem::take(&mut is_first) {
                self.out.push(b',');
            }
            match &key {
                Value::String(text) => put_string(&mut self.out, &text.as_bytes()),
                Value::Integer(_) | Value::Number(_) => {
                    self.out.push(b'"');
                    self.number(&key, key.as_f64().or(key.as_i64().map(|n| n as f64)).unwrap_or(0.0))?;
                    self.out.push(b'"');
                }
                other => return self.refused(other, "table key must be a number or string"),
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'/' => out.extend_from_slice(b"\\/"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..0x20 | 0x7f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            byte => out.push(byte),
        }
    }
    out.push(b'"');
}
