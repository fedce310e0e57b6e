//! `cjson`: its settings and `encode`; the results and errors are those of lua-cjson 2.1.0. Settings hold for
//! the script that makes them.

mod decode;
mod encode;

use super::super::number;
use super::{bad_argument, kind, number as number_arg};
use mlua::{Lua, MultiValue, Result, Table, Value};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What scripts may choose.
#[derive(Debug, Clone, Copy)]
pub(in crate::command::scripts) struct Settings {
    sparse_converts: bool,
    sparse_ratio: i32,
    sparse_safe: i32,
    encode_depth: i32,
    decode_depth: i32,
    keeps_buffer: bool,
    /// 0: refused, 1: written, 2: null.
    invalid_encoded: u8,
    invalid_decoded: bool,
    precision: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sparse_converts: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth: 1000,
            decode_depth: 1000,
            keeps_buffer: true,
            invalid_encoded: 0,
            invalid_decoded: true,
            precision: 14,
        }
    }
}

/// Nesting that no setting allows: Lua's own stack would not either.
const MOST_DEPTH: i32 = 2000;

/// Settings that several functions share.
pub(in crate::command::scripts) type Shared = Arc<Mutex<Settings>>;

fn look(shared: &Shared) -> MutexGuard<'_, Settings> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Settings are those of a new script again.
pub(in crate::command::scripts) fn reset(shared: &Shared) {
    *look(shared) = Settings::default();
}

pub(super) fn library(lua: &Lua, settings: &Shared) -> Result<Table> {
    let cjson = lua.create_table()?;
    let shared = Arc::clone(settings);
    let encode = move |lua: &Lua, args: MultiValue| {
        if args.len() != 1 {
            return bad_argument(lua, 1, "encode", "expected 1 argument");
        }
        let settings = *look(&shared);
        encode::encode(lua, &settings, &args[0])
    };
    cjson.raw_set("encode", lua.create_function(encode)?)?;
    let shared = Arc::clone(settings);
    let decode = move |lua: &Lua, args: MultiValue| {
        if args.len() != 1 {
            return bad_argument(lua, 1, "decode", "expected 1 argument");
        }
        let text = super::string(lua, &args, 0, "decode")?;
        let settings = *look(&shared);
        decode::decode(lua, &settings, &text.as_bytes())
    };
    cjson.raw_set("decode", lua.create_function(decode)?)?;
    add_settings(lua, &cjson, settings)?;
    let new = |lua: &Lua, _: MultiValue| library(lua, &Shared::default());
    cjson.raw_set("new", lua.create_function(new)?)?;
    cjson.raw_set("null", Value::NULL)?;
    cjson.raw_set("_NAME", "cjson")?;
    cjson.raw_set("_VERSION", "2.1.0")?;
    Ok(cjson)
}

fn add_settings(lua: &Lua, cjson: &Table, settings: &Shared) -> Result<()> {
    let number_setting = |name: &'static str, least: i32, most: i32, of: fn(&mut Settings) -> &mut i32| {
        let shared = Arc::clone(settings);
        let set = move |lua: &Lua, args: MultiValue| {
            few(lua, &args, 1, name)?;
            integer(lua, &args, 0, name, (least, most), of(&mut look(&shared)))
        };
        cjson.raw_set(name, lua.create_function(set)?)
    };
    number_setting("encode_max_depth", 1, i32::MAX, |it| &mut it.encode_depth)?;
    number_setting("decode_max_depth", 1, i32::MAX, |it| &mut it.decode_depth)?;
    number_setting("encode_number_precision", 1, 14, |it| &mut it.precision)?;
    let bool_setting = |name: &'static str, of: fn(&mut Settings) -> &mut bool| {
        let shared = Arc::clone(settings);
        let set = move |lua: &Lua, args: MultiValue| {
            few(lua, &args, 1, name)?;
            truth(lua, &args, name, of(&mut look(&shared)))
        };
        cjson.raw_set(name, lua.create_function(set)?)
    };
    bool_setting("encode_keep_buffer", |it| &mut it.keeps_buffer)?;
    bool_setting("decode_invalid_numbers", |it| &mut it.invalid_decoded)?;
    let shared = Arc::clone(settings);
    let sparse = move |lua: &Lua, args: MultiValue| {
        let name = "encode_sparse_array";
        few(lua, &args, 3, name)?;
        let mut settings = look(&shared);
        let converts = truth(lua, &args, name, &mut settings.sparse_converts)?;
        let ratio = integer(lua, &args, 1, name, (0, i32::MAX), &mut settings.sparse_ratio)?;
        Ok((converts, ratio, integer(lua, &args, 2, name, (0, i32::MAX), &mut settings.sparse_safe)?))
    };
    cjson.raw_set("encode_sparse_array", lua.create_function(sparse)?)?;
    let shared = Arc::clone(settings);
    let invalid = move |lua: &Lua, args: MultiValue| {
        let name = "encode_invalid_numbers";
        few(lua, &args, 1, name)?;
        let mut settings = look(&shared);
        match args.front() {
            None | Some(Value::Nil) => {}
            Some(Value::Boolean(on)) => settings.invalid_encoded = u8::from(*on),
            _ => settings.invalid_encoded = option(lua, &args, name, &["off", "on", "null"])?,
        }
        Ok(match settings.invalid_encoded {
            2 => Value::String(lua.create_string("null")?),
            on => Value::Boolean(on == 1),
        })
    };
    cjson.raw_set("encode_invalid_numbers", lua.create_function(invalid)?)
}

fn few(lua: &Lua, args: &MultiValue, most: usize, name: &str) -> Result<()> {
    if args.len() > most { bad_argument(lua, most + 1, name, "found too many arguments") } else { Ok(()) }
}

fn integer(
    lua: &Lua,
    args: &MultiValue,
    at: usize,
    name: &str,
    (least, most): (i32, i32),
    setting: &mut i32,
) -> Result<Value> {
    if !matches!(args.get(at), None | Some(Value::Nil)) {
        let value = number_arg(lua, args, at, name)? as i64;
        match i32::try_from(value).ok().filter(|value| (least..=most).contains(value)) {
            Some(value) => *setting = value,
            None => {
                return bad_argument(lua, 1, name, &format!("expected integer between {least} and {most}"));
            }
        }
    }
    Ok(Value::Number(f64::from(*setting)))
}

fn truth(lua: &Lua, args: &MultiValue, name: &str, setting: &mut bool) -> Result<Value> {
    match args.front() {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(on)) => *setting = *on,
        _ => *setting = option(lua, args, name, &["off", "on"])? == 1,
    }
    Ok(Value::Boolean(*setting))
}

fn option(lua: &Lua, args: &MultiValue, name: &str, options: &[&str]) -> Result<u8> {
    let Some(Value::String(text)) = args.front() else {
        return bad_argument(lua, 1, name, &format!("string expected, got {}", kind(args.front())));
    };
    let text = text.to_string_lossy();
    match options.iter().position(|option| *option == text) {
        Some(place) => Ok(place as u8),
        None => bad_argument(lua, 1, name, &format!("invalid option '{text}'")),
    }
}

/// A number as JSON has it.
fn put_number(out: &mut Vec<u8>, value: f64, settings: &Settings) {
    out.extend_from_slice(number::general(value, settings.precision as usize).as_bytes());
}
