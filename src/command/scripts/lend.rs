//! How the functions of a machine reach the commands of the script at hand. They are made once, with the machine: to
//! make them for each script costs more than most scripts do. So the commands are lent to the thread for as long
//! as a script runs. Nothing may be found here outside of that.

use super::arguments::function;
use super::host::Host;
use super::raised::raise;
use super::vm::Meter;
use mlua::{Lua, Result, Table, Value};
use scoped_tls_hkt::scoped_thread_local;
use std::cell::RefCell;
use std::rc::Rc;

/// What a script may ask for.
trait Commands {
    fn call(&self, lua: &Lua, meter: &Meter, args: &[Value], raises: bool) -> Result<Value>;
    fn may(&self, args: &[Value]) -> Result<bool>;
}

impl Commands for RefCell<Host<'_, '_>> {
    fn call(&self, lua: &Lua, meter: &Meter, args: &[Value], raises: bool) -> Result<Value> {
        match self.try_borrow_mut() {
            Ok(mut host) => host.call(lua, meter, args, raises),
            Err(_) => Err(raise(lua, "a command within a command")),
        }
    }

    fn may(&self, args: &[Value]) -> Result<bool> {
        self.borrow().may(args)
    }
}

scoped_thread_local!(static LENT: for<'a> &'a (dyn Commands + 'a));

/// Runs `f`, which runs a script; its commands are those of `host`.
pub(super) fn lend<R>(host: &RefCell<Host<'_, '_>>, f: impl FnOnce() -> R) -> R {
    LENT.set(host, f)
}

fn lent<R>(lua: &Lua, f: impl FnOnce(&dyn Commands) -> Result<R>) -> Result<R> {
    match LENT.is_set() {
        true => LENT.with(f),
        false => Err(raise(lua, "commands can only be called inside a script invocation")),
    }
}

/// Adds `call`, `pcall` and `acl_check_cmd`.
pub(super) fn functions(lua: &Lua, meter: &Rc<Meter>, redis: &Table) -> Result<()> {
    for (name, raises) in [("call", true), ("pcall", false)] {
        let meter = Rc::clone(meter);
        let call = move |lua: &Lua, args: &[Value]| {
            lent(lua, |commands| meter.unlimited(lua, || commands.call(lua, &meter, args, raises)))
        };
        redis.raw_set(name, function(lua, call)?)?;
    }
    let may = |lua: &Lua, args: &[Value]| lent(lua, |commands| commands.may(args));
    redis.raw_set("acl_check_cmd", function(lua, may)?)
}
