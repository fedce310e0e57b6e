//! `bit`: operations on 32 bits, as in Lua BitOp (<https://bitop.luajit.org>): numbers are taken modulo 2^32, and
//! results are signed.

use super::super::arguments::function;
use super::number;
use mlua::{Lua, Result, Table, Value};

pub(super) fn library(lua: &Lua) -> Result<Table> {
    let bit = lua.create_table()?;
    let one = |name: &'static str, f: fn(u32) -> u32| {
        bit.raw_set(name, function(lua, move |lua, args| Ok(signed(f(arg(lua, args, 0, name)?))))?)
    };
    one("tobit", |bits| bits)?;
    one("bnot", |bits| !bits)?;
    one("bswap", u32::swap_bytes)?;
    let all = |name: &'static str, f: fn(u32, u32) -> u32| {
        let function = function(lua, move |lua, args| {
            let mut bits = arg(lua, args, 0, name)?;
            for at in (1..args.len()).rev() {
                bits = f(bits, arg(lua, args, at, name)?);
            }
            Ok(signed(bits))
        })?;
        bit.raw_set(name, function)
    };
    all("band", |a, b| a & b)?;
    all("bor", |a, b| a | b)?;
    all("bxor", |a, b| a ^ b)?;
    let shift = |name: &'static str, f: fn(u32, u32) -> u32| {
        let function = function(lua, move |lua, args| {
            let bits = arg(lua, args, 0, name)?;
            Ok(signed(f(bits, arg(lua, args, 1, name)? & 31)))
        })?;
        bit.raw_set(name, function)
    };
    shift("lshift", |bits, by| bits << by)?;
    shift("rshift", |bits, by| bits >> by)?;
    shift("arshift", |bits, by| (bits as i32 >> by) as u32)?;
    shift("rol", u32::rotate_left)?;
    shift("ror", u32::rotate_right)?;
    bit.raw_set("tohex", function(lua, tohex)?)?;
    Ok(bit)
}

fn signed(bits: u32) -> Value {
    Value::Number(f64::from(bits as i32))
}

/// The low 32 bits of a number that is rounded to the nearest integer, as the addition of 2^52 + 2^51 rounds it.
fn arg(lua: &Lua, args: &[Value], at: usize, name: &str) -> Result<u32> {
    Ok((number(lua, args, at, name)? + 6_755_399_441_055_744.0).to_bits() as u32)
}

fn tohex(lua: &Lua, args: &[Value]) -> Result<mlua::String> {
    let bits = arg(lua, args, 0, "tohex")?;
    let digits = if args.len() < 2 { 8 } else { arg(lua, args, 1, "tohex")? as i32 };
    let shown = if digits < 0 { format!("{bits:08X}") } else { format!("{bits:08x}") };
    let count = digits.unsigned_abs().min(8) as usize;
    lua.create_string(&shown[8 - count..])
}
