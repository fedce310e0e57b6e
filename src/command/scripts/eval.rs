//! EVAL, EVALSHA and their forms that only read; and a script's run from its text to its reply.

use super::convert::to_reply;
use super::host::{Host, Target};
use super::lend::lend;
use super::raised::is_answer;
use super::shebang::{self, ScriptFlags};
use super::vm::{Code, Ended, Meter, Vm};
use super::{Sha, hex, kept, unhex};
use crate::collections::Blob;
use crate::command::context::{Outcome, ReadContext, WriteContext};
use crate::command::parse::{self, integer};
use crate::command::{Reply, State};
use crate::wire::units::Args;
use mlua::Value;
use std::cell::RefCell;

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

pub(super) fn write(context: &mut WriteContext<'_>, args: &Args<'_>, form: Form) -> Outcome {
    check_name(args[1], form)?;
    let arguments = keys_and_args(args)?;
    with_machine(|vm| {
        let script = Script::find(vm, context.state, args[1], form)?;
        let code = script.code(vm)?;
        if script.is_new {
            context.state.scripts.cache.put(script.sha, &script.text, script.flags, false);
        }
        let outcome = script.run(vm, code, Target::Write(context), arguments, form);
        // Its commands have told themselves what they have done.
        context.state.keyspace.told_by_parts();
        outcome
    })
}

pub(super) fn read(context: &mut ReadContext<'_>, args: &Args<'_>, form: Form) -> Outcome {
    check_name(args[1], form)?;
    let arguments = keys_and_args(args)?;
    with_machine(|vm| {
        let script = Script::find(vm, context.state, args[1], form)?;
        let code = script.code(vm)?;
        script.run(vm, code, Target::Read(context), arguments, form)
    })
}

/// With this thread's machine.
pub(super) fn with_machine<R>(f: impl FnOnce(&mut Box<Vm>) -> Result<R, Reply>) -> Result<R, Reply> {
    kept::with(|slot| match slot {
        Some(vm) if !vm.is_worn() => f(vm),
        _ => f(slot.insert(Box::new(Vm::new(false).map_err(broken)?))),
    })
}

/// What has not the length of a name is refused before anything else.
fn check_name(text: &[u8], form: Form) -> Result<(), Reply> {
    if form.by_sha && text.len() != 2 * size_of::<Sha>() { Err(NO_SCRIPT) } else { Ok(()) }
}

/// The text of a script and what is known of it.
struct Script<'a> {
    sha: Sha,
    text: Text<'a>,
    flags: ScriptFlags,
    /// The state does not have it.
    is_new: bool,
}

/// As it was given, or as the state has it.
enum Text<'a> {
    Given(&'a [u8]),
    Kept(Blob),
}

impl std::ops::Deref for Text<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Given(text) => text,
            Self::Kept(text) => text,
        }
    }
}

impl<'a> Script<'a> {
    fn find(vm: &mut Vm, state: &State, text: &'a [u8], form: Form) -> Result<Self, Reply> {
        if form.by_sha {
            let sha = unhex(text).ok_or(NO_SCRIPT)?;
            let known = state.scripts.cache.get(&sha).ok_or(NO_SCRIPT)?;
            return Ok(Self { sha, text: Text::Kept(known.text.clone()), flags: known.flags, is_new: false });
        }
        let sha = vm.sha_of(text);
        let known = state.scripts.cache.get(&sha).map(|script| script.flags);
        let flags = match known {
            Some(flags) => flags,
            None => shebang::of_script(text).map_err(|error| Reply::error_owned(format!("ERR {error}")))?.0,
        };
        Ok(Self { sha, text: Text::Given(text), flags, is_new: known.is_none() })
    }

    fn code(&self, vm: &mut Vm) -> Result<Code, Reply> {
        compiled(vm, &self.sha, &self.text)
    }

    fn run(
        &self,
        vm: &mut Box<Vm>,
        code: Code,
        target: Target<'_, '_>,
        arguments: Arguments<'_>,
        form: Form,
    ) -> Outcome {
        let Self { sha, flags, .. } = *self;
        let what =
            Run { name: Name::Sha(&sha), flags, only_reads: form.only_reads, arguments, function: None };
        run(vm, target, what, code, &|vm| self.code(vm))
    }
}

/// The code of a text. An error says where it is wrong.
pub(super) fn compiled(vm: &mut Vm, sha: &Sha, text: &[u8]) -> Result<Code, Reply> {
    if let Some(known) = vm.known(sha) {
        return Ok(known);
    }
    let (_, start) = shebang::of_script(text).unwrap_or_default();
    vm.compile(sha, &text[start..], "@user_script")
        .map_err(|error| Reply::error_owned(format!("ERR Error compiling script (new function): {error}")))
}

/// What no script can bring about.
pub(super) fn broken(error: mlua::Error) -> Reply {
    Reply::error_owned(format!("ERR Lua's machine is broken: {error}"))
}

/// What errors call a script.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name<'a> {
    Sha(&'a Sha),
    Function(&'a str),
}

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sha(sha) => f.write_str(&hex(sha)),
            Self::Function(name) => f.write_str(name),
        }
    }
}

/// What is to be run.
pub(super) struct Run<'a> {
    pub(super) name: Name<'a>,
    pub(super) flags: ScriptFlags,
    pub(super) only_reads: bool,
    pub(super) arguments: Arguments<'a>,
    /// The code is a library's, which registers what is to be run by this name.
    pub(super) function: Option<&'a str>,
}

/// Compiles the code for another machine.
pub(super) type Compile<'a> = dyn Fn(&mut Vm) -> Result<Code, Reply> + 'a;

/// Runs a script whose code this machine has.
pub(super) fn run(
    vm: &mut Box<Vm>,
    target: Target<'_, '_>,
    run: Run<'_>,
    code: Code,
    compile: &Compile<'_>,
) -> Outcome {
    let said = !run.flags.has(ScriptFlags::UNSAID);
    let writes_not = run.flags.writes_not();
    if said && !writes_not && run.only_reads {
        return Err(ONLY_READS);
    }
    let caller = target.caller();
    let ignores_memory = said && (writes_not || run.flags.has(ScriptFlags::ALLOW_OOM));
    if said && caller.lacks_memory && !ignores_memory {
        return Err(NO_MEMORY);
    }
    let budget = target.state().settings.script_instructions();
    let mut host = Host::new(target);
    host.read_only = run.only_reads || writes_not;
    host.ignores_memory = ignores_memory;
    let host = RefCell::new(host);
    let outcome = run_anywhere(vm, &run, &host, budget, code, compile);
    host.into_inner().tell();
    outcome
}

fn run_anywhere(
    vm: &mut Box<Vm>,
    run: &Run<'_>,
    host: &RefCell<Host<'_, '_>>,
    budget: u64,
    code: Code,
    compile: &Compile<'_>,
) -> Outcome {
    if let Some(reply) = attempt(vm, code, run, host, budget)? {
        return Ok(reply);
    }
    // It takes too much for the shared machine, which it has left as it happened to be.
    **vm = Vm::new(false).map_err(broken)?;
    let mut own = Vm::new(true).map_err(broken)?;
    let code = compile(&mut own)?;
    host.borrow_mut().again();
    let reply = attempt(&own, code, run, host, budget)?;
    Ok(reply.unwrap_or_else(|| too_much(run.name)))
}

/// None: it needs a machine of its own.
fn attempt(
    vm: &Vm,
    code: Code,
    run: &Run<'_>,
    host: &RefCell<Host<'_, '_>>,
    budget: u64,
) -> Result<Option<Reply>, Reply> {
    let (seed, breath, is_heard) = {
        let host = host.borrow();
        (host.seed(), host.breath(), host.is_heard())
    };
    vm.begin(budget, seed, breath).map_err(broken)?;
    let (keys, args) = run.arguments;
    let outcome = lend(host, || match run.function {
        None => vm.run(code, keys, args, is_heard),
        Some(name) => super::functions::run(vm, code, name.as_bytes(), keys, args),
    });
    vm.end();
    let resp3 = vm.meter.resp3.get();
    match (vm.meter.ended(), outcome) {
        (Some(Ended::Memory), _) => Ok(None),
        (Some(Ended::Budget), _) => Ok(Some(ended(run))),
        (None, Ok((true, _, is_ok))) if is_ok || !is_heard => Ok(Some(Reply::simple("OK"))),
        (None, Ok((true, value, _))) => {
            let reply = to_reply(vm, &value, resp3).unwrap_or_else(|error| match error {
                mlua::Error::MemoryError(_) => too_much(run.name),
                error => broken(error),
            });
            Ok(Some(noted(host, &value, reply)))
        }
        (None, Ok((false, error, _))) if Meter::is_out_of_memory(&error) => Ok(None),
        (None, Ok((false, error, _))) => Ok(Some(noted(host, &error, failed(run, &error)))),
        (None, Err(error)) if Meter::is_out_of_memory(&Value::Error(Box::new(error.clone()))) => Ok(None),
        (None, Err(error)) => {
            let text = format!("ERR Error running script {}, {error:.100}", run.name);
            Ok(Some(Reply::error_owned(text)))
        }
    }
}

/// The reply, of which is noted whether it is an error that a command has answered before.
fn noted(host: &RefCell<Host<'_, '_>>, value: &Value, reply: Reply) -> Reply {
    if let (Value::Table(table), Reply::Error(text)) = (value, &reply)
        && is_answer(table)
    {
        host.borrow_mut().answers_as(text);
    }
    reply
}

fn too_much(name: Name<'_>) -> Reply {
    Reply::error_owned(format!(
        "ERR Error running script {name}, not enough memory; what it had written stays"
    ))
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
        Ok(Value::String(text)) => Some(c_string(&text)),
        Ok(Value::Integer(number)) => Some(super::number::general(number as f64, 14)),
        Ok(Value::Number(number)) => Some(super::number::general(number, 14)),
        _ => None,
    };
    let mut message = text("err").unwrap_or_else(|| "(null)".into());
    if let (Some(source), Some(line)) = (text("source"), text("line")) {
        message.push_str(&format!(" script: {name}, on {source}:{line}."));
    }
    Reply::error_owned(message)
}

/// Redis makes texts of errors with C's strings, which end at a zero byte.
pub(super) fn c_string(text: &mlua::String) -> String {
    let bytes = text.as_bytes();
    String::from_utf8_lossy(parse::c_string(&bytes, usize::MAX)).into_owned()
}
