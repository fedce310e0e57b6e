//! EVAL, EVALSHA and their forms that only read; and a script's run from its text to its reply.

use super::convert::to_reply;
use super::host::{Host, Target};
use super::raised::raise;
use super::shebang::{self, ScriptFlags};
use super::vm::{Ended, Sha, Vm};
use super::{Caller, hex, sha_of, unhex};
use crate::command::context::{Outcome, ReadContext, WriteContext};
use crate::command::parse::integer;
use crate::command::{Reply, State};
use crate::wire::units::Args;
use mlua::{Function, MultiValue, Table, Value};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

const NO_SCRIPT: Reply = Reply::error("NOSCRIPT No matching script. Please use EVAL.");
const ONLY_READS: Reply = Reply::error("ERR Can not execute a script with write flag using *_ro command.");
pub(super) const NO_MEMORY: Reply = Reply::error(
    "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
);

/// How a script is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) by_sha: bool,
    pub(super) only_reads: bool,
}

/// The keys and the other arguments of a call.
pub(super) type Arguments<'a> = (&'a [&'a [u8]], &'a [&'a [u8]]);

/// Those of this call.
pub(super) fn keys_and_args<'a>(args: &'a [&'a [u8]]) -> Result<Arguments<'a>, Reply> {
    let count = integer(args[2])?;
    let rest = &args[3..];
    if count > rest.len() as i64 {
        return Err(Reply::error("ERR Number of keys can't be greater than number of args"));
    }
    let count = usize::try_from(count).map_err(|_| Reply::error("ERR Number of keys can't be negative"))?;
    Ok(rest.split_at(count))
}

pub(super) fn write(
    context: &mut WriteContext<'_>,
    args: &Args<'_>,
    form: Form,
    caller: &Caller<'_>,
) -> Outcome {
    let (keys, values) = keys_and_args(args)?;
    let (sha, known) = find(context.state, args[1], form.by_sha)?;
    let (text, flags) = match known {
        Some(script) => script,
        None => parse(args[1])?,
    };
    let mut vm = take(context.state)?;
    let script = compiled(&mut vm, &sha, &text);
    if known_is_new(context.state, &sha) && script.is_ok() {
        context.state.scripts.cache.put(sha, &text, flags, false);
    }
    let outcome = script.and_then(|_| {
        let target = Target::Write(context);
        run_script(&mut vm, target, &sha, &text, flags, (keys, values), form, caller)
    });
    give_back(context.state, vm);
    // Its commands have told themselves what they have done.
    context.state.keyspace.told_by_parts();
    outcome
}

fn known_is_new(state: &State, sha: &Sha) -> bool {
    state.scripts.cache.get(sha).is_none()
}

pub(super) fn read(
    context: &mut ReadContext<'_>,
    args: &Args<'_>,
    form: Form,
    caller: &Caller<'_>,
) -> Outcome {
    let (keys, values) = keys_and_args(args)?;
    let (sha, known) = find(context.state, args[1], form.by_sha)?;
    let (text, flags) = match known {
        Some(script) => script,
        None => parse(args[1])?,
    };
    let state = context.state;
    let mut vm = take(state)?;
    let outcome = compiled(&mut vm, &sha, &text).and_then(|_| {
        run_script(&mut vm, Target::Read(context), &sha, &text, flags, (keys, values), form, caller)
    });
    give_back(state, vm);
    outcome
}

type Known = Option<(Vec<u8>, ScriptFlags)>;

fn find(state: &State, name: &[u8], by_sha: bool) -> Result<(Sha, Known), Reply> {
    let sha = if by_sha { unhex(name).ok_or(NO_SCRIPT)? } else { sha_of(name) };
    let known = state.scripts.cache.get(&sha).map(|script| (script.text.to_vec(), script.flags));
    if by_sha && known.is_none() {
        return Err(NO_SCRIPT);
    }
    Ok((sha, known))
}

fn parse(text: &[u8]) -> Result<(Vec<u8>, ScriptFlags), Reply> {
    let (flags, _) = shebang::of_script(text).map_err(|error| Reply::error_owned(format!("ERR {error}")))?;
    Ok((text.to_vec(), flags))
}

/// The code of a text. An error says where it is wrong.
pub(super) fn compiled(vm: &mut Vm, sha: &Sha, text: &[u8]) -> Result<Function, Reply> {
    let (_, start) = shebang::of_script(text).unwrap_or_default();
    vm.compiled(sha, &text[start..], "@user_script")
        .map_err(|error| Reply::error_owned(format!("ERR Error compiling script (new function): {error}")))
}

/// This replica's machine, which nobody else has meanwhile.
pub(super) fn take(state: &State) -> Result<Box<Vm>, Reply> {
    match state.scripts.vm.take().filter(|vm| !vm.is_worn()) {
        Some(vm) => Ok(vm),
        None => Vm::new(false).map(Box::new).map_err(broken),
    }
}

pub(super) fn give_back(state: &State, vm: Box<Vm>) {
    state.scripts.vm.replace(Some(vm));
}

/// What no script can bring about.
pub(super) fn broken(error: mlua::Error) -> Reply {
    Reply::error_owned(format!("ERR Lua's machine is broken: {error}"))
}

#[allow(clippy::too_many_arguments)]
fn run_script(
    vm: &mut Box<Vm>,
    target: Target<'_, '_>,
    sha: &Sha,
    text: &[u8],
    flags: ScriptFlags,
    arguments: Arguments<'_>,
    form: Form,
    caller: &Caller<'_>,
) -> Outcome {
    let code = |vm: &mut Vm| compiled(vm, sha, text);
    run(
        vm,
        target,
        Run { name: &hex(sha), flags, only_reads: form.only_reads, arguments, caller },
        &code,
        None,
    )
}

/// What is to be run.
pub(super) struct Run<'a> {
    pub(super) name: &'a str,
    pub(super) flags: ScriptFlags,
    pub(super) only_reads: bool,
    pub(super) arguments: Arguments<'a>,
    pub(super) caller: &'a Caller<'a>,
}

/// Gives the code, which may have to be compiled again.
pub(super) type Code<'a> = dyn Fn(&mut Vm) -> Result<Function, Reply> + 'a;

/// Runs a script; with `function` the code is a library's, which registers it.
pub(super) fn run(
    vm: &mut Box<Vm>,
    target: Target<'_, '_>,
    run: Run<'_>,
    code: &Code<'_>,
    function: Option<&[u8]>,
) -> Outcome {
    let said = !run.flags.has(ScriptFlags::UNSAID);
    let writes_not = said && run.flags.has(ScriptFlags::NO_WRITES);
    if said && !writes_not && run.only_reads {
        return Err(ONLY_READS);
    }
    let ignores_memory = said && (writes_not || run.flags.has(ScriptFlags::ALLOW_OOM));
    if said && run.caller.lacks_memory && !ignores_memory {
        return Err(NO_MEMORY);
    }
    let budget = match &target {
        Target::Write(context) => context.state.settings.script_instructions(),
        Target::Read(context) => context.state.settings.script_instructions(),
    };
    let mut host = Host::new(target, run.caller);
    host.read_only = run.only_reads || writes_not;
    host.ignores_memory = ignores_memory;
    let host = RefCell::new(host);
    let compiled = code(vm)?;
    if let Some(reply) = attempt(vm, &compiled, &run, &host, budget, function)? {
        return Ok(reply);
    }
    // It takes too much for the shared machine, which it has left as it happened to be.
    **vm = Vm::new(false).map_err(broken)?;
    let mut own = Vm::new(true).map_err(broken)?;
    let compiled = code(&mut own)?;
    host.borrow_mut().again();
    let reply = attempt(&own, &compiled, &run, &host, budget, function)?;
    Ok(reply.unwrap_or(Reply::error("ERR not enough memory")))
}

/// None: it needs a machine of its own.
fn attempt(
    vm: &Vm,
    code: &Function,
    run: &Run<'_>,
    host: &RefCell<Host<'_, '_>>,
    budget: u64,
    function: Option<&[u8]>,
) -> Result<Option<Reply>, Reply> {
    let made = || -> mlua::Result<(Table, Table)> {
        let keys = vm.lua().create_sequence_from(run.arguments.0.iter().map(|key| bytes(vm, key)))?;
        let values = vm.lua().create_sequence_from(run.arguments.1.iter().map(|value| bytes(vm, value)))?;
        Ok((keys, values))
    };
    let (keys, values) = made().map_err(broken)?;
    vm.begin(budget, host.borrow().seed()).map_err(broken)?;
    let outcome = vm.lua().scope(|scope| {
        for (name, raises) in [("call", true), ("pcall", false)] {
            let meter = Arc::clone(&vm.meter);
            let call = scope.create_function(move |lua, args: MultiValue| match host.try_borrow_mut() {
                Ok(mut host) => host.call(lua, &meter, &args, raises),
                Err(_) => Err(raise(lua, "a command within a command")),
            })?;
            vm.redis.raw_set(name, call)?;
        }
        let may = scope.create_function(|_, args: MultiValue| host.borrow().may(&args))?;
        vm.redis.raw_set("acl_check_cmd", may)?;
        match function {
            None => vm.run(code, keys, values),
            Some(name) => super::functions::run(vm, code, name, keys, values),
        }
    });
    vm.end();
    let resp3 = vm.meter.resp3.load(Relaxed);
    match (vm.meter.ended(), outcome) {
        (Some(Ended::Memory), _) => Ok(None),
        (Some(Ended::Budget), _) => Ok(Some(ended(run))),
        (None, Ok((true, value))) => Ok(Some(to_reply(vm, &value, resp3).unwrap_or_else(broken))),
        (None, Ok((false, error))) if vm.meter.wants_own(&error) => Ok(None),
        (None, Ok((false, error))) => Ok(Some(failed(run, &error))),
        (None, Err(error)) if vm.meter.wants_own(&Value::Error(Box::new(error.clone()))) => Ok(None),
        (None, Err(error)) => {
            let error = match error {
                mlua::Error::MemoryError(text) => text,
                error => error.to_string(),
            };
            let text = format!("ERR Error running script {}, {error:.100}", run.name);
            Ok(Some(Reply::error_owned(text)))
        }
    }
}

fn bytes(vm: &Vm, bytes: &[u8]) -> Option<mlua::String> {
    vm.lua().create_string(bytes).ok()
}

fn ended(run: &Run<'_>) -> Reply {
    let name = run.name;
    Reply::error_owned(format!(
        "ERR The script took longer than lua-time-limit allows and was stopped; what it had written stays. \
         script: {name}"
    ))
}

/// The error that nobody has caught.
fn failed(run: &Run<'_>, error: &Value) -> Reply {
    let name = run.name;
    let Value::Table(table) = error else {
        let text = error.as_string().map_or("execution failure".into(), |text| text.to_string_lossy());
        return Reply::error_owned(format!("ERR Error running script {name}, {text:.100}"));
    };
    let text = |field: &str| match table.raw_get::<Value>(field) {
        Ok(Value::String(text)) => Some(text.to_string_lossy()),
        Ok(Value::Integer(number)) => Some(number.to_string()),
        Ok(Value::Number(number)) => Some(super::number::general(number, 14)),
        _ => None,
    };
    let mut message = text("err").unwrap_or_else(|| "(null)".into());
    if let (Some(source), Some(line)) = (text("source"), text("line")) {
        message.push_str(&format!(" script: {name}, on {source}:{line}."));
    }
    Reply::error_owned(message)
}
