//! FUNCTION and FCALL. A library's code runs each time before one of its functions does: what a function leaves in
//! the library's variables would not be there on a replica that has started again, so it is nowhere.

use super::api::{Registered, Registry};
use super::eval::{self, Arguments, Name, Run, broken, keys_and_args, with_machine};
use super::host::Target;
use super::library::{Libraries, Library, LibraryFunction};
use super::raised::Raised;
use super::shebang::{self, ScriptFlags};
use super::vm::{Code, Ended, Meter, Returned, Vm};
use crate::collections::Blob;
use crate::command::context::{Outcome, ReadContext, WriteContext};
use crate::command::glob;
use crate::command::parse::is;
use crate::command::{Reply, State};
use crate::limits::{LIBRARIES_BYTES, SCRIPT_INSTRUCTIONS_PER_MS};
use crate::wire::units::Args;
use mlua::Value;

/// `FUNCTION LOAD`'s own limit of time in Redis.
const LOAD_TIME_LIMIT_MS: u64 = 500;

const NOT_FOUND: Reply = Reply::error("ERR Function not found");

/// The name of the subcommand as it was given.
fn wrong_number(args: &Args<'_>) -> Reply {
    let name = super::super::shown(args[1]);
    error(format!("unknown subcommand or wrong number of arguments for '{name}'. Try FUNCTION HELP."))
}

fn error(text: impl std::fmt::Display) -> Reply {
    Reply::error_owned(format!("ERR {text}"))
}

/// Runs the code of a library; what it has registered, or the value that it raised.
fn register(vm: &Vm, code: Code) -> mlua::Result<Result<Registry, Value>> {
    let registry = Registry { functions: Vec::new(), callbacks: vm.lua().create_table()? };
    vm.meter.registered.replace(Some(registry));
    let outcome = vm.load(code);
    let registry = vm.meter.registered.take();
    let (ok, value) = outcome?;
    Ok(match registry {
        Some(registry) if ok => Ok(registry),
        _ => Err(value),
    })
}

/// Runs a function of the library that this is the code of.
pub(super) fn run(
    vm: &Vm,
    code: Code,
    name: &[u8],
    keys: &[&[u8]],
    args: &[&[u8]],
) -> mlua::Result<Returned> {
    let (keys, args) = vm.tables(keys, args)?;
    let registry = match register(vm, code)? {
        Ok(registry) => registry,
        Err(value) => return Ok((false, value, false)),
    };
    let name = vm.meter.unlimited(vm.lua(), || vm.lua().create_string(name))?;
    match registry.callbacks.raw_get(name)? {
        Value::Function(callback) => vm.run_function(&callback, keys, args),
        _ => Err(Raised::Text("the function was not registered again".into()).into()),
    }
}

fn compiled(vm: &mut Vm, text: &[u8]) -> Result<Code, String> {
    let sha = vm.sha_of(text);
    if let Some(known) = vm.known(&sha) {
        return Ok(known);
    }
    let (_, start) = shebang::of_library(text)?;
    vm.compile(&sha, &text[start..], "@user_function")
        .map_err(|error| format!("Error compiling function: {error}"))
}

/// The library of a text: its name and what it registers. Nothing is changed by it.
pub(super) fn made(text: &[u8]) -> Result<(String, Library), Reply> {
    let (name, _) = shebang::of_library(text).map_err(error)?;
    let functions = with_machine(|vm| made_in(vm, text))?.into_iter().map(|function| {
        let flags = function
            .flags
            .iter()
            .try_fold(ScriptFlags::default(), |flags, name| flags.with(&name.to_ascii_lowercase()));
        let description = function.description.map(|text| Blob::new(&text));
        let name = String::from_utf8_lossy(&function.name).into_owned();
        (name, LibraryFunction { description, flags: flags.unwrap_or_default() })
    });
    let functions: std::collections::BTreeMap<_, _> = functions.collect();
    if functions.is_empty() {
        return Err(error("No functions registered"));
    }
    Ok((name, Library { text: Blob::new(text), functions }))
}

fn made_in(vm: &mut Box<Vm>, text: &[u8]) -> Result<Vec<Registered>, Reply> {
    let budget = LOAD_TIME_LIMIT_MS * SCRIPT_INSTRUCTIONS_PER_MS;
    for is_own in [false, true] {
        let mut own = if is_own { Some(Vm::new(true).map_err(broken)?) } else { None };
        let vm = own.as_mut().unwrap_or(vm);
        let code = compiled(vm, text).map_err(error)?;
        vm.begin(budget, 0, None).map_err(broken)?; // it is over soon
        let outcome = register(vm, code);
        vm.end();
        let value = match (vm.meter.ended(), outcome) {
            (Some(Ended::Budget), _) => {
                return Err(error("Error registering functions: ERR FUNCTION LOAD timeout"));
            }
            (Some(Ended::Memory), _) => continue,
            (None, Ok(Ok(registry))) => return Ok(registry.functions),
            (None, Ok(Err(value))) => value,
            (None, Err(error)) => Value::Error(Box::new(error)),
        };
        if !Meter::is_out_of_memory(&value) {
            return Err(error(format!("Error registering functions: {}", shown(&value))));
        }
    }
    Err(error("Error registering functions: ERR not enough memory"))
}

/// An error that ended the code of a library.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("ERR {}", text.to_string_lossy()),
        Value::Table(table) => match table.raw_get::<Value>("err") {
            Ok(Value::String(text)) => text.to_string_lossy(),
            _ => "(null)".into(),
        },
        Value::Error(error) => match super::raised::of(error) {
            Some(Raised::Reply(text)) => text.clone(),
            Some(other) => format!("ERR {other}"),
            None => format!("ERR {error}"),
        },
        other => format!("ERR {}", other.type_name()),
    }
}

pub(super) fn load(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (text, options) = args[2..].split_last().ok_or(error("Function code is missing"))?;
    if let Some(unknown) = options.iter().find(|option| !is(option, "REPLACE")) {
        return Err(error(format!("Unknown option given: {}", super::super::shown(unknown))));
    }
    let replace = !options.is_empty();
    let libraries = &context.state.scripts.libraries;
    let (name, _) = shebang::of_library(text).map_err(error)?;
    if !replace && libraries.get(&name).is_some() {
        return Err(error(format!("Library '{name}' already exists")));
    }
    if libraries.size_bytes() + text.len() > LIBRARIES_BYTES {
        return Err(error("there is too much code in libraries"));
    }
    let (name, library) = made(text)?;
    let libraries = &mut context.state.scripts.libraries;
    let own = libraries.get(&name);
    let is_own = |function: &str| own.is_some_and(|old| old.functions.contains_key(function));
    if let Some(taken) = library.functions.keys().find(|it| libraries.has_function(it) && !is_own(it)) {
        return Err(error(format!("Function {taken} already exists")));
    }
    libraries.put(name.clone(), library);
    context.state.keyspace.propagates_always();
    Ok(Reply::bulk(name))
}

pub(super) fn delete(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let name = String::from_utf8_lossy(args[2]);
    if !context.state.scripts.libraries.remove(&name) {
        return Err(error("Library not found"));
    }
    context.state.keyspace.propagates_always();
    Ok(Reply::Ok)
}

pub(super) fn flush(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    match args.get(2..).unwrap_or_default() {
        [] => {}
        [how] if is(how, "SYNC") || is(how, "ASYNC") => {}
        [_] => return Err(error("FUNCTION FLUSH only supports SYNC|ASYNC option")),
        _ => {
            return Err(wrong_number(args));
        }
    }
    context.state.scripts.libraries.clear();
    context.state.keyspace.propagates_always();
    Ok(Reply::Ok)
}

pub(super) fn list(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let (mut with_code, mut pattern) = (false, None);
    let mut rest = args[2..].iter();
    while let Some(option) = rest.next() {
        if !with_code && is(option, "WITHCODE") {
            with_code = true;
        } else if pattern.is_none() && is(option, "LIBRARYNAME") {
            let name = rest.next().ok_or(error("library name argument was not given"))?;
            pattern = Some(name.to_ascii_lowercase());
        } else {
            return Err(error(format!("Unknown argument {}", super::super::shown(option))));
        }
    }
    let wanted = |name: &str| {
        pattern.as_ref().is_none_or(|pattern| glob::matches(pattern, name.to_ascii_lowercase().as_bytes()))
    };
    let all = context.state.scripts.libraries.iter().filter(|(name, _)| wanted(name));
    Ok(Reply::Array(all.map(|(name, library)| listed(name, library, with_code)).collect()))
}

fn listed(name: &str, library: &Library, with_code: bool) -> Reply {
    let functions = library.functions.iter().map(|(name, function)| {
        Reply::Map(vec![
            (Reply::bulk("name"), Reply::bulk(name)),
            (Reply::bulk("description"), function.description.clone().map_or(Reply::Nil, Reply::Bulk)),
            (Reply::bulk("flags"), Reply::Set(function.flags.names().map(Reply::simple).collect())),
        ])
    });
    let mut fields = vec![
        (Reply::bulk("library_name"), Reply::bulk(name)),
        (Reply::bulk("engine"), Reply::bulk("LUA")),
        (Reply::bulk("functions"), Reply::Array(functions.collect())),
    ];
    if with_code {
        fields.push((Reply::bulk("library_code"), Reply::Bulk(library.text.clone())));
    }
    Reply::Map(fields)
}

pub(super) fn stats(context: &mut ReadContext<'_>) -> Reply {
    let libraries = &context.state.scripts.libraries;
    let int = |number: usize| Reply::Int(number as i64);
    let lua = Reply::Map(vec![
        (Reply::bulk("libraries_count"), int(libraries.len())),
        (Reply::bulk("functions_count"), int(libraries.functions_len())),
    ]);
    Reply::Map(vec![
        (Reply::bulk("running_script"), Reply::Nil),
        (Reply::bulk("engines"), Reply::Map(vec![(Reply::bulk("LUA"), lua)])),
    ])
}

/// All libraries of a payload take their places at once, or none.
pub(super) fn restore(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let policy = match args.get(3..).unwrap_or_default() {
        [] => "APPEND",
        [policy] => *["APPEND", "REPLACE", "FLUSH"]
            .iter()
            .find(|known| is(policy, known))
            .ok_or(error("Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."))?,
        _ => {
            return Err(wrong_number(args));
        }
    };
    let texts = super::dump::read(args[2])?;
    let mut new = Libraries::default();
    for text in texts {
        let (name, library) = made(&text)?;
        if new.get(&name).is_some() {
            return Err(error(format!("Library '{name}' already exists")));
        }
        if let Some(taken) = library.functions.keys().find(|function| new.has_function(function)) {
            return Err(error(format!("Function {taken} already exists")));
        }
        new.put(name, library);
    }
    let libraries = &mut context.state.scripts.libraries;
    let mut joined = if policy == "FLUSH" { Libraries::default() } else { libraries.clone() };
    for (name, _) in new.iter() {
        if joined.remove(name) && policy == "APPEND" {
            return Err(error(format!("Library {name} already exists")));
        }
    }
    for (name, library) in new.iter() {
        if let Some(taken) = library.functions.keys().find(|function| joined.has_function(function)) {
            return Err(error(format!("Function {taken} already exists")));
        }
        joined.put(name.clone(), library.clone());
    }
    if joined.size_bytes() > LIBRARIES_BYTES {
        return Err(error("there is too much code in libraries"));
    }
    *libraries = joined;
    context.state.keyspace.propagates_always();
    Ok(Reply::Ok)
}

pub(super) fn dump(context: &mut ReadContext<'_>) -> Reply {
    Reply::bulk(super::dump::written(
        context.state.scripts.libraries.iter().map(|(_, library)| &library.text[..]),
    ))
}

/// The call's function, whatever the case of its name, and what is to be run. Clones, for the state is lent to the script.
fn found(state: &State, name: &[u8]) -> Result<(Blob, ScriptFlags, String), Reply> {
    let (library, function, name) = state.scripts.libraries.function(name).ok_or(NOT_FOUND)?;
    Ok((library.text.clone(), function.flags, name.to_owned()))
}

fn keys(args: &Args<'_>) -> Result<(), Reply> {
    crate::command::parse_i64(args[2]).map(|_| ()).ok_or(error("Bad number of keys provided"))
}

pub(super) fn fcall(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (text, flags, name) = found(context.state, args[1])?;
    keys(args)?;
    let arguments = keys_and_args(args)?;
    with_machine(|vm| {
        let outcome = run_in(vm, Target::Write(context), (&text, flags, &name), arguments, false);
        context.state.keyspace.told_by_parts();
        outcome
    })
}

pub(super) fn fcall_ro(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let (text, flags, name) = found(context.state, args[1])?;
    keys(args)?;
    let arguments = keys_and_args(args)?;
    with_machine(|vm| run_in(vm, Target::Read(context), (&text, flags, &name), arguments, true))
}

fn run_in(
    vm: &mut Box<Vm>,
    target: Target<'_, '_>,
    (text, flags, name): (&[u8], ScriptFlags, &str),
    arguments: Arguments<'_>,
    only_reads: bool,
) -> Outcome {
    let compile = |vm: &mut Vm| compiled(vm, text).map_err(error);
    let code = compile(vm)?;
    let run = Run { name: Name::Function(name), flags, only_reads, arguments, function: Some(name) };
    eval::run(vm, target, run, code, &compile)
}
