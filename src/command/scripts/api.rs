//! What scripts find in `redis`, but for what needs the state (`host.rs` adds it for each script), and what the
//! prelude is made with. Nothing here may answer by anything but its arguments and the script's own past.

use super::arguments::function;
use super::raised::{self, Raised, answer_table, error_table, error_text, raise};
use super::random::Random;
use super::vm::{Ended, Meter};
use crate::command::REDIS_VERSION;
use crate::command::conversion::signed;
use mlua::{Debug, Function, Lua, Result, Table, Value};
use sha1::{Digest, Sha1};
use std::rc::Rc;

/// What a library registers.
pub(super) struct Registry {
    pub(super) functions: Vec<Registered>,
    /// What is to be called, by the functions' names. It stands in Lua: Rust has room for some thousand values at a time.
    pub(super) callbacks: Table,
}

/// A function of a library.
pub(super) struct Registered {
    pub(super) name: Vec<u8>,
    pub(super) description: Option<Vec<u8>>,
    pub(super) flags: Vec<Vec<u8>>,
}

/// As 0x00MMmmpp.
const VERSION_NUM: u32 = 0x0007_000f;

/// `redis`, as far as it is the same for all scripts.
pub(super) fn redis(lua: &Lua, meter: &Rc<Meter>) -> Result<Table> {
    let redis = lua.create_table()?;
    let levels = [("DEBUG", 0), ("VERBOSE", 1), ("NOTICE", 2), ("WARNING", 3)];
    for (name, level) in levels {
        redis.raw_set(format!("LOG_{name}"), level)?;
    }
    for (name, bits) in [("NONE", 0), ("AOF", 1), ("SLAVE", 2), ("REPLICA", 2), ("ALL", 3)] {
        redis.raw_set(format!("REPL_{name}"), bits)?;
    }
    redis.raw_set("REDIS_VERSION", REDIS_VERSION)?;
    redis.raw_set("REDIS_VERSION_NUM", VERSION_NUM)?;
    redis.raw_set("sha1hex", function(lua, sha1hex)?)?;
    redis.raw_set("error_reply", function(lua, error_reply)?)?;
    redis.raw_set("status_reply", function(lua, status_reply)?)?;
    redis.raw_set("log", function(lua, log)?)?;
    redis.raw_set("breakpoint", lua.create_function(|_, ()| Ok(false))?)?;
    redis.raw_set("debug", lua.create_function(|_, ()| Ok(()))?)?;
    redis.raw_set("replicate_commands", lua.create_function(|_, ()| Ok(true))?)?;
    let of_script = Rc::clone(meter);
    redis.raw_set("setresp", function(lua, move |lua, args| setresp(lua, &of_script, args))?)?;
    let of_script = Rc::clone(meter);
    redis.raw_set("set_repl", function(lua, move |lua, args| set_repl(lua, &of_script, args))?)?;
    Ok(redis)
}

/// What the prelude needs besides.
pub(super) fn functions(lua: &Lua, meter: &Rc<Meter>, host: &Table) -> Result<()> {
    let of_script = Rc::clone(meter);
    host.raw_set("caught", lua.create_function(move |lua, error| caught(lua, &of_script, error))?)?;
    let of_script = Rc::clone(meter);
    let charge = move |_: &Lua, instructions: f64| {
        of_script.charge(instructions as u64);
        match of_script.left() {
            0 => Err(of_script.end(Ended::Budget)),
            _ => Ok(()),
        }
    };
    host.raw_set("charge", lua.create_function(charge)?)?;
    let of_script = Rc::clone(meter);
    let random = move |_: &Lua, ()| {
        if !of_script.runs.get() {
            return Err(
                Raised::Text("math.random can only be called inside a script invocation".into()).into()
            );
        }
        Ok(of_script.random.borrow_mut().fraction())
    };
    host.raw_set("random", lua.create_function(random)?)?;
    let of_script = Rc::clone(meter);
    let seed = move |_: &Lua, seed: f64| {
        let seed = seed as i64 as i32;
        of_script.random.replace(Random::new(seed));
        Ok(())
    };
    host.raw_set("randomseed", lua.create_function(seed)?)?;
    let of_script = Rc::clone(meter);
    host.raw_set("handler", lua.create_function(move |lua, error| handler(lua, &of_script, error))?)?;
    let of_script = Rc::clone(meter);
    let register = move |lua: &Lua, args: &[Value]| register_function(lua, &of_script, args);
    host.raw_set("register_function", function(lua, register)?)
}

fn reply_error<T>(text: &str) -> Result<T> {
    Err(Raised::Reply(error_text(text)).into())
}

fn sha1hex(lua: &Lua, args: &[Value]) -> Result<Value> {
    if args.len() != 1 {
        return reply_error("wrong number of arguments");
    }
    let text = lua.coerce_string(args[0].clone())?;
    super::libs::pay(lua, text.as_ref().map_or(0, |text| text.as_bytes().len()))?;
    let digest = match &text {
        Some(text) => Sha1::digest(text.as_bytes()),
        None => Sha1::digest(b""),
    };
    Ok(Value::String(lua.create_string(super::hex(&digest.into()))?))
}

fn error_reply(lua: &Lua, args: &[Value]) -> Result<Value> {
    let (1, Some(Value::String(text))) = (args.len(), args.first()) else {
        return error_table(lua, &error_text("wrong number or type of arguments"));
    };
    let text = text.to_string_lossy();
    let text = if text.starts_with('-') { text } else { format!("-{text}") };
    error_table(lua, &error_text(&text))
}

fn status_reply(lua: &Lua, args: &[Value]) -> Result<Value> {
    if args.len() != 1 || !matches!(args[0], Value::String(_)) {
        return error_table(lua, &error_text("wrong number or type of arguments"));
    }
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set("ok", &args[0])?;
    Ok(Value::Table(table))
}

/// What a script has to say goes nowhere: it would be said by every replica, and again when the log is read back.
fn log(lua: &Lua, args: &[Value]) -> Result<()> {
    if args.len() < 2 {
        return reply_error("redis.log() requires two arguments or more.");
    }
    let Some(level) = lua.coerce_number(args[0].clone())? else {
        return reply_error("First argument must be a number (log level).");
    };
    if !(0..=3).contains(&signed(level)) {
        return reply_error("Invalid debug level.");
    }
    Ok(())
}

fn setresp(lua: &Lua, meter: &Meter, args: &[Value]) -> Result<()> {
    if !meter.runs.get() {
        return reply_error("redis.setresp can only be called inside a script invocation");
    }
    if args.len() != 1 {
        return reply_error("redis.setresp() requires one argument.");
    }
    match lua.coerce_number(args[0].clone())?.map(signed) {
        Some(2) => meter.resp3.set(false),
        Some(3) => meter.resp3.set(true),
        _ => return reply_error("RESP version must be 2 or 3."),
    }
    Ok(())
}

/// Accepted and without effect: replicas carry the script out themselves.
fn set_repl(lua: &Lua, meter: &Meter, args: &[Value]) -> Result<()> {
    if !meter.runs.get() {
        return reply_error("redis.set_repl can only be called inside a script invocation");
    }
    if args.len() != 1 {
        return reply_error("redis.set_repl() requires two arguments.");
    }
    let flags = lua.coerce_number(args[0].clone())?.unwrap_or(0.0);
    if signed(flags) & !3 != 0 {
        return reply_error("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
    }
    Ok(())
}

/// What a script that catches an error gets; an error again if the script has to end.
fn caught(lua: &Lua, meter: &Meter, error: Value) -> Result<Value> {
    if Meter::is_out_of_memory(&error) {
        return Err(meter.end(Ended::Memory));
    }
    if meter.ended().is_some() {
        return Err(Raised::End.into());
    }
    if let Value::String(text) = &error {
        let text = &text.as_bytes()[..];
        let own = raised::without_prelude(text);
        return if own.len() == text.len() { Ok(error) } else { Ok(Value::String(lua.create_string(own)?)) };
    }
    let Value::Error(error) = &error else { return Ok(error) };
    match raised::of(error) {
        Some(Raised::Answer(text)) => answer_table(lua, text),
        Some(Raised::Reply(text)) => error_table(lua, text),
        Some(Raised::Text(text)) => Ok(Value::String(lua.create_string(text)?)),
        Some(Raised::End) => Err(Raised::End.into()),
        None => Ok(Value::String(lua.create_string(error.to_string())?)),
    }
}

/// Makes of an error that nobody catches a table, with the place in the script.
fn handler(lua: &Lua, meter: &Meter, error: Value) -> Result<Value> {
    let error = caught(lua, meter, error)?;
    let table = match error {
        Value::Table(table) => table,
        other => {
            let text = match &other {
                Value::String(text) => text.to_string_lossy(),
                Value::Nil => "nil".to_owned(),
                Value::Boolean(truth) => truth.to_string(),
                other => match lua.coerce_string(other.clone())? {
                    Some(text) => text.to_string_lossy(),
                    None => other.type_name().to_owned(),
                },
            };
            let table = lua.create_table_with_capacity(0, 3)?;
            table.raw_set("err", format!("ERR {text}"))?;
            table
        }
    };
    if let Some((source, line)) = raised::place(lua) {
        table.raw_set("source", source)?;
        table.raw_set("line", line)?;
    }
    Ok(Value::Table(table))
}

fn register_function(lua: &Lua, meter: &Meter, args: &[Value]) -> Result<()> {
    let mut registry = meter.registered.borrow_mut();
    let Some(registry) = registry.as_mut().filter(|_| !meter.runs.get()) else {
        return reply_error("redis.register_function can only be called on FUNCTION LOAD command");
    };
    let registered = match args.len() {
        1 => named(lua, &args[0]),
        2 => positional(lua, &args[0], &args[1]),
        _ => Err("wrong number of arguments to redis.register_function"),
    };
    let (registered, callback) = registered.or_else(reply_error)?;
    if let Err(error) = super::library::check_function(registry, &registered) {
        return reply_error(error);
    }
    registry.callbacks.raw_set(lua.create_string(&registered.name)?, callback)?;
    registry.functions.push(registered);
    Ok(())
}

fn text_of(lua: &Lua, value: &Value) -> Option<Vec<u8>> {
    Some(lua.coerce_string(value.clone()).ok()??.as_bytes().to_vec())
}

/// And what is to be called.
type Outcome = std::result::Result<(Registered, Function), &'static str>;

fn positional(lua: &Lua, name: &Value, callback: &Value) -> Outcome {
    let name = text_of(lua, name).ok_or("first argument to redis.register_function must be a string")?;
    let callback =
        callback.as_function().ok_or("second argument to redis.register_function must be a function")?;
    Ok((Registered { name, description: None, flags: Vec::new() }, callback.clone()))
}

fn named(lua: &Lua, args: &Value) -> Outcome {
    let table = args.as_table().ok_or(
        "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
    )?;
    let (mut name, mut description, mut callback, mut flags) = (None, None, None, Vec::new());
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|_| "not enough memory")?;
        let key = text_of(lua, &key)
            .ok_or("named argument key given to redis.register_function is not a string")?;
        match &key.to_ascii_lowercase()[..] {
            b"function_name" => {
                let text = text_of(lua, &value);
                name = Some(
                    text.ok_or("function_name argument given to redis.register_function must be a string")?,
                );
            }
            b"description" => {
                let text = text_of(lua, &value);
                description = Some(
                    text.ok_or("description argument given to redis.register_function must be a string")?,
                );
            }
            b"callback" => {
                let function = value.as_function().cloned();
                callback = Some(
                    function
                        .ok_or("callback argument given to redis.register_function must be a function")?,
                );
            }
            b"flags" => {
                let list = value.as_table().ok_or(
                    "flags argument to redis.register_function must be a table representing function flags",
                )?;
                flags.clear();
                for at in 1.. {
                    match list.raw_get::<Value>(at).map_err(|_| "not enough memory")? {
                        Value::Nil => break,
                        flag => flags.push(text_of(lua, &flag).ok_or("unknown flag given")?),
                    }
                }
                if !flags.iter().all(|flag| super::shebang::is_flag(&flag.to_ascii_lowercase())) {
                    return Err("unknown flag given");
                }
            }
            _ => return Err("unknown argument given to redis.register_function"),
        }
    }
    let name = name.ok_or("redis.register_function must get a function name argument")?;
    let callback = callback.ok_or("redis.register_function must get a callback argument")?;
    Ok((Registered { name, description, flags }, callback))
}

/// An error as a C function of Lua's own libraries raises it; `function`, unless the script calls it by another name.
pub(super) fn bad_argument<T>(lua: &Lua, at: usize, function: &str, what: &str) -> Result<T> {
    // A function of the prelude has called it for the script, which has called that one.
    let is_inner = |debug: &Debug<'_>| debug.source().source.as_deref() == Some(super::vm::PRELUDE_NAME);
    let level = usize::from(lua.inspect_stack(1, is_inner) == Some(true));
    let names_at = |level| {
        lua.inspect_stack(level, |debug: &Debug<'_>| {
            let names = debug.names();
            (names.name.map(|name| name.into_owned()), names.name_what == Some("method"))
        })
    };
    let called = names_at(level).filter(|(name, _)| level == 0 || name.is_some()).or_else(|| names_at(0));
    let (name, is_method) = called.unwrap_or((Some(function.to_owned()), false));
    let name = name.as_deref().unwrap_or("?"); // as C's functions: it was called by `pcall`
    match at.checked_sub(usize::from(is_method)) {
        Some(0) if is_method => Err(raise(lua, format!("calling '{name}' on bad self ({what})"))),
        at => Err(raise(lua, format!("bad argument #{} to '{name}' ({what})", at.unwrap_or(0)))),
    }
}
