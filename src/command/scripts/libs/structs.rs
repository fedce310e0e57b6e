//! `struct`: values to bytes and back by a format, as Roberto Ierusalimschy's library of that name: sizes are those
//! of x86-64, the byte order is little-endian unless the format says otherwise.

use super::super::arguments::function;
use super::super::raised::raise;
use super::{bad_argument, number, pay, string, too_much};
use crate::command::conversion::{signed, unsigned};
use crate::limits::{SCRIPT_ARGUMENTS, SCRIPT_MEMORY_BYTES};
use mlua::{Lua, MultiValue, Result, Table, Value};

const MOST_INTEGER_BYTES: usize = 32;
const MOST_ALIGNMENT: usize = 8;

pub(super) fn library(lua: &Lua) -> Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("pack", function(lua, pack)?)?;
    library.raw_set("unpack", function(lua, unpack)?)?;
    library.raw_set("size", function(lua, size)?)?;
    Ok(library)
}

/// A format, item by item.
struct Format<'a> {
    lua: &'a Lua,
    function: &'static str,
    text: Vec<u8>,
    at: usize,
    is_big: bool,
    align: usize,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, args: &[Value], function: &'static str) -> Result<Self> {
        let text = string(lua, args, 0, function)?.as_bytes().to_vec();
        let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
        Ok(Self { lua, function, text: text[..end].to_vec(), at: 0, is_big: false, align: 1 })
    }

    fn number(&mut self, default: usize) -> Result<usize> {
        let mut value = None;
        while let Some(digit) = self.text.get(self.at).filter(|b| b.is_ascii_digit()) {
            let next = value.unwrap_or(0i64) * 10 + i64::from(digit - b'0');
            if next > i64::from(i32::MAX) {
                return Err(raise(self.lua, "integral size overflow"));
            }
            value = Some(next);
            self.at += 1;
        }
        Ok(value.map_or(default, |value| value as usize))
    }

    /// The next option and its size; None at the end. Options that only say how are carried out.
    fn next(&mut self) -> Result<Option<(u8, usize)>> {
        let Some(&option) = self.text.get(self.at) else { return Ok(None) };
        self.at += 1;
        let size = match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > MOST_INTEGER_BYTES {
                    let text = format!("integral size {size} is larger than limit of {MOST_INTEGER_BYTES}");
                    return Err(raise(self.lua, text));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((option, size)))
    }

    fn control(&mut self, option: u8) -> Result<()> {
        match option {
            b' ' => {}
            b'>' => self.is_big = true,
            b'<' => self.is_big = false,
            b'!' => {
                let align = self.number(MOST_ALIGNMENT)?;
                if !align.is_power_of_two() {
                    return Err(raise(self.lua, format!("alignment {align} is not a power of 2")));
                }
                self.align = align;
            }
            other => {
                let text = format!("invalid format option '{}'", char::from(other));
                return bad_argument(self.lua, 1, self.function, &text);
            }
        }
        Ok(())
    }

    fn padding(&self, at: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        size.wrapping_sub(at & (size - 1)) & (size - 1)
    }
}

fn is_integer(option: u8) -> bool {
    matches!(option, b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I')
}

fn pack(lua: &Lua, args: &[Value]) -> Result<mlua::String> {
    const NAME: &str = "pack";
    let mut format = Format::new(lua, args, NAME)?;
    let mut args = args.to_vec();
    args.push(Value::Nil); // what is missing is nil, as errors say it
    let args = &args;
    let (mut out, mut arg) = (Vec::new(), 1);
    let mut total = 0;
    while let Some((option, mut size)) = format.next()? {
        if out.len() > SCRIPT_MEMORY_BYTES {
            return Err(too_much());
        }
        let padding = format.padding(total, option, size);
        total += padding;
        out.resize(out.len() + padding, 0);
        match option {
            _ if is_integer(option) => {
                let value = unsigned(number(lua, args, arg, NAME)?);
                arg += 1;
                let byte = |at: usize| if at < 8 { (value >> (8 * at)) as u8 } else { 0 };
                match format.is_big {
                    true => out.extend((0..size).rev().map(byte)),
                    false => out.extend((0..size).map(byte)),
                }
            }
            b'x' => out.push(0),
            b'f' | b'd' => {
                let value = number(lua, args, arg, NAME)?;
                arg += 1;
                let mut bytes = match option {
                    b'f' => (value as f32).to_le_bytes().to_vec(),
                    _ => value.to_le_bytes().to_vec(),
                };
                if format.is_big {
                    bytes.reverse();
                }
                out.extend_from_slice(&bytes);
            }
            b'c' | b's' => {
                let text = string(lua, args, arg, NAME)?;
                arg += 1;
                let text = text.as_bytes();
                if size == 0 {
                    size = text.len();
                }
                if text.len() < size {
                    return bad_argument(lua, arg + 1, NAME, "string too short");
                }
                out.extend_from_slice(&text[..size]);
                if option == b's' {
                    out.push(0);
                    size += 1;
                }
            }
            other => format.control(other)?,
        }
        total += size;
    }
    pay(lua, out.len())?;
    lua.create_string(out)
}

fn signed_or_not(bytes: &[u8], is_big: bool, is_signed: bool) -> f64 {
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    let value = if is_big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) };
    if !is_signed {
        return value as f64;
    }
    let bits = 8 * bytes.len().min(8) as u32;
    let shift = 64 - bits.max(1);
    ((value << shift) as i64 >> shift) as f64
}

fn unpack(lua: &Lua, args: &[Value]) -> Result<MultiValue> {
    const NAME: &str = "unpack";
    let mut format = Format::new(lua, args, NAME)?;
    let data = string(lua, args, 1, NAME)?;
    let data = data.as_bytes();
    pay(lua, format.text.len())?;
    let mut at = match args.get(2) {
        None | Some(Value::Nil) => 1,
        Some(_) => signed(number(lua, args, 2, NAME)?),
    } as u64 as usize;
    if at == 0 {
        return bad_argument(lua, 3, NAME, "offset must be 1 or greater");
    }
    at -= 1;
    let mut results: Vec<Value> = Vec::new();
    let check = |size: usize, at: usize| match size <= data.len() && at <= data.len() - size {
        true => Ok(()),
        false => bad_argument(lua, 2, NAME, "data string too short"),
    };
    while let Some((option, mut size)) = format.next()? {
        if args.len() + results.len() >= SCRIPT_ARGUMENTS {
            return Err(raise(lua, "stack overflow (too many results)"));
        }
        at = at.wrapping_add(format.padding(at, option, size));
        check(size, at)?;
        match option {
            _ if is_integer(option) => {
                let is_signed = option.is_ascii_lowercase();
                results.push(Value::Number(signed_or_not(&data[at..at + size], format.is_big, is_signed)));
            }
            b'x' => {}
            b'f' | b'd' => {
                let mut bytes = data[at..at + size].to_vec();
                if format.is_big {
                    bytes.reverse();
                }
                let four = <[u8; 4]>::try_from(&bytes[..]).map(|bytes| f64::from(f32::from_le_bytes(bytes)));
                let eight = <[u8; 8]>::try_from(&bytes[..]).map(f64::from_le_bytes);
                results.push(Value::Number(four.or(eight).unwrap_or(0.0)));
            }
            b'c' => {
                if size == 0 {
                    let last = results.pop().and_then(|last| last.as_f64());
                    let Some(last) = last else {
                        return Err(raise(lua, "format 'c0' needs a previous size"));
                    };
                    size = unsigned(last) as usize;
                    check(size, at)?;
                }
                results.push(Value::String(lua.create_string(&data[at..at + size])?));
            }
            b's' => {
                let Some(len) = data[at..].iter().position(|&b| b == 0) else {
                    return Err(raise(lua, "unfinished string in data"));
                };
                results.push(Value::String(lua.create_string(&data[at..at + len])?));
                size = len + 1;
            }
            other => format.control(other)?,
        }
        at += size;
    }
    results.push(Value::Number((at + 1) as f64));
    Ok(MultiValue::from_vec(results))
}

fn size(lua: &Lua, args: &[Value]) -> Result<f64> {
    const NAME: &str = "size";
    let mut format = Format::new(lua, args, NAME)?;
    let mut at = 0usize;
    while let Some((option, size)) = format.next()? {
        at += format.padding(at, option, size);
        if option == b's' {
            return bad_argument(lua, 1, NAME, "option 's' has no fixed size");
        }
        if option == b'c' && size == 0 {
            return bad_argument(lua, 1, NAME, "option 'c0' has no fixed size");
        }
        if !option.is_ascii_alphanumeric() {
            format.control(option)?;
        }
        at = at.saturating_add(size);
    }
    Ok(at as f64)
}
