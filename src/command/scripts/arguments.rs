//! The arguments that a script gives to a function of ours, and how such functions are made. mlua keeps what Rust is
//! given in slots, of which a machine has some 8,000, and panics when there is none left: on all replicas at
//! once, for the script is the same. So nothing else may take a `MultiValue` from Lua: here is looked
//! whether there is room before more than a few are taken.

use super::raised::raise;
use crate::limits::SCRIPT_ARGUMENTS;
use mlua::{FromLua, Function, IntoLuaMulti, Lua, MultiValue, Result, Value, Variadic};
use smallvec::SmallVec;

/// What there is nearly always room for.
const FEW: usize = 4;

/// Free places on Lua's stack that are asked for before more arguments are taken: a machine's stack ends at 8,000 too,
/// so that no call has too many where these are free, whatever else Rust holds.
const PROBED: usize = 60;

/// A machine's slots, nearly: one has room for 8,000, and mlua and the machine itself hold a few.
const SLOTS: usize = 7960;

/// All of a call.
type Arguments = SmallVec<[Value; FEW + 1]>;

type First = Place<false>;
type More = Place<true>;
/// As mlua takes them from the stack: one after the other.
type Given = (First, First, First, First, More, MultiValue);

/// An argument in its place, if it was given; with `MORE` that of the first of many.
struct Place<const MORE: bool>(Option<Value>);

impl<const MORE: bool> FromLua for Place<MORE> {
    fn from_lua(value: Value, lua: &Lua) -> Result<Self> {
        if MORE {
            has_room(lua)?;
        }
        Ok(Self(Some(value)))
    }

    // What mlua asks for an argument that was not given, and only for that: nil and nothing are not the same.
    fn from_lua_arg(_: Value, _: usize, _: Option<&str>, _: &Lua) -> Result<Self> {
        Ok(Self(None))
    }
}

/// What needs many places on the stack, and does nothing.
struct Probe(Function);

/// Makes a machine ready for functions that are made here.
pub(super) fn prepare(lua: &Lua) -> Result<()> {
    lua.set_app_data(Probe(lua.create_function(|_, ()| Ok(()))?));
    // Slots are made as they are needed, and who makes one while a script has used up its memory ends the process.
    let held: Result<Vec<_>> = (0..SLOTS).map(|_| lua.create_string("")).collect();
    held.map(drop)
}

fn has_room(lua: &Lua) -> Result<()> {
    let Some(probe) = lua.app_data_ref::<Probe>() else { return Err(too_many(lua)) };
    let limit = lua.set_memory_limit(0)?;
    let places = vec![Value::Nil; PROBED];
    let outcome = probe.0.call::<()>(Variadic::from(places));
    lua.set_memory_limit(limit)?;
    outcome.map_err(|_| too_many(lua))
}

fn too_many(lua: &Lua) -> mlua::Error {
    raise(lua, "too many arguments")
}

fn gather(lua: &Lua, given: Given, all: &mut Arguments) -> Result<()> {
    let (a, b, c, d, more, rest) = given;
    let mut put = |place: Option<Value>| place.map(|value| all.push(value)).is_some();
    if !(put(a.0) && put(b.0) && put(c.0) && put(d.0) && put(more.0)) {
        return Ok(());
    }
    // Exactly the same for all replicas, while the probe depends on what else is on the stack.
    if all.len() + rest.len() > SCRIPT_ARGUMENTS {
        return Err(too_many(lua));
    }
    all.extend(rest);
    Ok(())
}

/// A function of ours.
pub(super) fn function<R: IntoLuaMulti>(
    lua: &Lua,
    f: impl Fn(&Lua, &[Value]) -> Result<R> + 'static,
) -> Result<Function> {
    lua.create_function(move |lua, given: Given| {
        let mut all = Arguments::new();
        gather(lua, given, &mut all)?;
        f(lua, &all)
    })
}
