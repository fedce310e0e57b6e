//! `cjson`: its settings and `encode`; the results and errors are those of lua-cjson 2.1.0. Settings hold for
//! the script that makes them.

mod decode;
mod encode;

use super::super::arguments::function;
use super::super::number;
use super::{bad_argument, kind, number as number_arg};
use crate::command::conversion::signed;
use mlua::{Lua, Result, Table, Value};
use std::cell::Cell;
use std::rc::Rc;

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
pub(in crate::command::scripts) type Shared = Rc<Cell<Settings>>;

/// What was changed before an error stays.
fn change<R>(shared: &Shared, f: impl FnOnce(&mut Settings) -> R) -> R {
    let mut settings = shared.get();
    let outcome = f(&mut settings);
    shared.set(settings);
    outcome
}

/// Settings are those of a new script again.
pub(in crate::command::scripts) fn reset(shared: &Shared) {
    shared.set(Settings::default());
}

pub(super) fn library(lua: &Lua, settings: &Shared) -> Result<Table> {
    let cjson = lua.create_table()?;
    let shared = Rc::clone(settings);
    let encode = move |lua: &Lua, args: &[Value]| {
        if args.len() != 1 {
            return bad_argument(lua, 1, "encode", "expected 1 argument");
        }
        let settings = shared.get();
        let text = encode::encode(lua, &settings, &args[0])?;
        super::pay(lua, text.as_bytes().len())?;
        Ok(text)
    };
    cjson.raw_set("encode", function(lua, encode)?)?;
    let shared = Rc::clone(settings);
    let decode = move |lua: &Lua, args: &[Value]| {
        if args.len() != 1 {
            return bad_argument(lua, 1, "decode", "expected 1 argument");
        }
        let text = super::string(lua, args, 0, "decode")?;
        let settings = shared.get();
        super::pay(lua, text.as_bytes().len())?;
        decode::decode(lua, &settings, &text.as_bytes())
    };
    cjson.raw_set("decode", function(lua, decode)?)?;
    add_settings(lua, &cjson, settings)?;
    let new = |lua: &Lua, _: &[Value]| library(lua, &Shared::default());
    cjson.raw_set("new", function(lua, new)?)?;
    cjson.raw_set("null", Value::NULL)?;
    cjson.raw_set("_NAME", "cjson")?;
    cjson.raw_set("_VERSION", "2.1.0")?;
    Ok(cjson)
}

fn add_settings(lua: &Lua, cjson: &Table, settings: &Shared) -> Result<()> {
    let number_setting = |name: &'static str, least: i32, most: i32, of: fn(&mut Settings) -> &mut i32| {
        let shared = Rc::clone(settings);
        let set = move |lua: &Lua, args: &[Value]| {
            few(lua, args, 1, name)?;
            change(&shared, |settings| integer(lua, args, 0, name, (least, most), of(settings)))
        };
        cjson.raw_set(name, function(lua, set)?)
    };
    number_setting("encode_max_depth", 1, i32::MAX, |it| &mut it.encode_depth)?;
    number_setting("decode_max_depth", 1, i32::MAX, |it| &mut it.decode_depth)?;
    number_setting("encode_number_precision", 1, 14, |it| &mut it.precision)?;
    let bool_setting = |name: &'static str, of: fn(&mut Settings) -> &mut bool| {
        let shared = Rc::clone(settings);
        let set = move |lua: &Lua, args: &[Value]| {
            few(lua, args, 1, name)?;
            change(&shared, |settings| truth(lua, args, name, of(settings)))
        };
        cjson.raw_set(name, function(lua, set)?)
    };
    bool_setting("encode_keep_buffer", |it| &mut it.keeps_buffer)?;
    bool_setting("decode_invalid_numbers", |it| &mut it.invalid_decoded)?;
    let shared = Rc::clone(settings);
    let sparse = move |lua: &Lua, args: &[Value]| {
        let name = "encode_sparse_array";
        few(lua, args, 3, name)?;
        change(&shared, |settings| {
            let converts = truth(lua, args, name, &mut settings.sparse_converts)?;
            let ratio = integer(lua, args, 1, name, (0, i32::MAX), &mut settings.sparse_ratio)?;
            Ok((converts, ratio, integer(lua, args, 2, name, (0, i32::MAX), &mut settings.sparse_safe)?))
        })
    };
    cjson.raw_set("encode_sparse_array", function(lua, sparse)?)?;
    let shared = Rc::clone(settings);
    let invalid = move |lua: &Lua, args: &[Value]| {
        let name = "encode_invalid_numbers";
        few(lua, args, 1, name)?;
        let mut settings = shared.get();
        match args.first() {
            None | Some(Value::Nil) => {}
            Some(Value::Boolean(on)) => settings.invalid_encoded = u8::from(*on),
            _ => settings.invalid_encoded = option(lua, args, name, &["off", "on", "null"])?,
        }
        shared.set(settings);
        Ok(match settings.invalid_encoded {
            2 => Value::String(lua.create_string("null")?),
            on => Value::Boolean(on == 1),
        })
    };
    cjson.raw_set("encode_invalid_numbers", function(lua, invalid)?)
}

fn few(lua: &Lua, args: &[Value], most: usize, name: &str) -> Result<()> {
    if args.len() > most { bad_argument(lua, most + 1, name, "found too many arguments") } else { Ok(()) }
}

fn integer(
    lua: &Lua,
    args: &[Value],
    at: usize,
    name: &str,
    (least, most): (i32, i32),
    setting: &mut i32,
) -> Result<Value> {
    if !matches!(args.get(at), None | Some(Value::Nil)) {
        let value = signed(number_arg(lua, args, at, name)?);
        match i32::try_from(value).ok().filter(|value| (least..=most).contains(value)) {
            Some(value) => *setting = value,
            None => {
                return bad_argument(lua, 1, name, &format!("expected integer between {least} and {most}"));
            }
        }
    }
    Ok(Value::Number(f64::from(*setting)))
}

fn truth(lua: &Lua, args: &[Value], name: &str, setting: &mut bool) -> Result<Value> {
    match args.first() {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(on)) => *setting = *on,
        _ => *setting = option(lua, args, name, &["off", "on"])? == 1,
    }
    Ok(Value::Boolean(*setting))
}

fn option(lua: &Lua, args: &[Value], name: &str, options: &[&str]) -> Result<u8> {
    let Some(Value::String(text)) = args.first() else {
        return bad_argument(lua, 1, name, &format!("string expected, got {}", kind(args.first())));
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
