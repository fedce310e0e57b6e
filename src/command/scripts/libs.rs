//! The libraries that Redis adds to Lua's own: bit, cjson, cmsgpack, struct. They are the same for all scripts, and
//! what one changes in their settings is gone with it.

mod bit;
pub(super) mod cjson;
mod cmsgpack;
mod patterns;
mod strings;
mod structs;

use mlua::{Lua, Result, Table, Value};

use super::api::bad_argument;
use super::vm::Meter;
use crate::limits::SCRIPT_MEMORY_BYTES;
use std::rc::Rc;

/// The functions that take the place of Lua's own, for the prelude.
pub(super) fn strings(lua: &Lua, meter: &Rc<Meter>) -> Result<Table> {
    strings::functions(lua, meter)
}

/// All of them, by name.
pub(super) fn all(lua: &Lua, json: &cjson::Shared) -> Result<Table> {
    let libraries = lua.create_table()?;
    libraries.raw_set("bit", bit::library(lua)?)?;
    libraries.raw_set("cjson", cjson::library(lua, json)?)?;
    libraries.raw_set("cmsgpack", cmsgpack::library(lua)?)?;
    libraries.raw_set("struct", structs::library(lua)?)?;
    Ok(libraries)
}

/// What a function has made of its arguments, or read of them, is the script's to pay; an error if it is more than one
/// may hold.
pub(super) fn pay(lua: &Lua, bytes: usize) -> Result<()> {
    if bytes > SCRIPT_MEMORY_BYTES {
        return Err(too_much());
    }
    if let Some(meter) = lua.app_data_ref::<Rc<Meter>>() {
        meter.charge_bytes(bytes.saturating_mul(COST_OF_A_BYTE));
    }
    Ok(())
}

/// As against a byte that is copied.
const COST_OF_A_BYTE: usize = 8;

/// More than a script may hold.
fn too_much() -> mlua::Error {
    mlua::Error::MemoryError("not enough memory".into())
}

/// What C's functions call a value of this kind.
pub(super) fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "no value",
        Some(Value::Nil) => "nil",
        Some(Value::Integer(_) | Value::Number(_)) => "number",
        Some(Value::LightUserData(_) | Value::UserData(_) | Value::Error(_)) => "userdata",
        Some(value) => value.type_name(),
    }
}

/// An argument that is a number, or reads as one.
pub(super) fn number(lua: &Lua, args: &[Value], at: usize, function: &str) -> Result<f64> {
    let value = args.get(at);
    let number = value.and_then(|value| match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        other => lua.coerce_number(other.clone()).ok().flatten(),
    });
    match number {
        Some(number) => Ok(number),
        None => bad_argument(lua, at + 1, function, &format!("number expected, got {}", kind(value))),
    }
}

/// An argument that is a string, or a number.
pub(super) fn string(lua: &Lua, args: &[Value], at: usize, function: &str) -> Result<mlua::String> {
    let value = args.get(at);
    let text = value.and_then(|value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(_) | Value::Number(_) => lua.coerce_string(value.clone()).ok().flatten(),
        _ => None,
    });
    match text {
        Some(text) => Ok(text),
        None => bad_argument(lua, at + 1, function, &format!("string expected, got {}", kind(value))),
    }
}
