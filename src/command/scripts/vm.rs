//! [`Vm`]: Lua's machine, and one script in it. A machine is not part of the state: what it leaves of a script is
//! compiled code. It must never hand out anything that depends on what ran in it before.
//!
//! Nothing that a script can see may rest on when garbage is collected (it decides where a table keeps a key that
//! went away and came back), nor may the limit of memory on what earlier scripts have left. So in the shared
//! machine nothing is collected while a script runs, and a script that takes more than `SCRIPT_SHARED_BYTES`
//! there is given up and carried out from its beginning in a new machine, in which every byte is the script's
//! own: what its commands have done and answered is remembered, and not done again. There garbage is collected
//! at moments that follow from the script alone, the first of them later than the shared machine goes.

use super::raised::{self, Raised};
use super::random::Random;
use super::{api, libs};
use crate::limits;
use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// Of a text.
pub(super) type Sha = [u8; 20];

/// Why a script was ended although it had more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It has used up what it may.
    Budget,
    /// It needs a machine of its own.
    Memory,
}

/// What Rust's functions and the hook know of the script at hand.
pub(super) struct Meter {
    /// Instructions so far.
    used: AtomicU64,
    budget: AtomicU64,
    /// 0, or 1 + an [`Ended`].
    ended: AtomicU8,
    /// The machine is the script's own.
    is_own: bool,
    /// In such a one: memory in use from which on garbage is collected.
    collect_at: AtomicUsize,
    /// `redis.setresp(3)`
    pub(super) resp3: AtomicBool,
    /// Whether a script runs, and not a library that is being loaded.
    pub(super) runs: AtomicBool,
    pub(super) random: Mutex<Random>,
    pub(super) json: libs::cjson::Shared,
    /// What a library has registered so far.
    pub(super) registered: Mutex<Option<api::Registry>>,
}

impl Meter {
    fn new(is_own: bool) -> Self {
        Self {
            used: AtomicU64::new(0),
            budget: AtomicU64::new(u64::MAX),
            ended: AtomicU8::new(0),
            is_own,
            collect_at: AtomicUsize::new(limits::SCRIPT_GARBAGE_BYTES),
            resp3: AtomicBool::new(false),
            runs: AtomicBool::new(false),
            random: Mutex::new(Random::new(0)),
            json: libs::cjson::Shared::default(),
            registered: Mutex::new(None),
        }
    }

    fn begin(&self, budget: u64, seed: u64) {
        libs::cjson::reset(&self.json);
        self.used.store(0, Relaxed);
        self.budget.store(budget, Relaxed);
        self.ended.store(0, Relaxed);
        self.resp3.store(false, Relaxed);
        *self.random.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            Random::new((seed >> 32) as i32);
    }

    /// Ends the script, from wherever it is.
    pub(super) fn end(&self, why: Ended) -> mlua::Error {
        if self.ended().is_none() {
            self.ended.store(1 + why as u8, Relaxed);
        }
        Raised::End.into()
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        match self.ended.load(Relaxed) {
            0 => None,
            1 => Some(Ended::Budget),
            _ => Some(Ended::Memory),
        }
    }

    /// Whether an error says that the script needs a machine of its own.
    pub(super) fn wants_own(&self, error: &Value) -> bool {
        !self.is_own
            && match error {
                Value::String(text) => text.as_bytes() == b"not enough memory",
                Value::Error(error) => raised::is_out_of_memory(error),
                _ => false,
            }
    }

    /// So many instructions more.
    pub(super) fn charge(&self, instructions: u64) {
        self.used.fetch_add(instructions, Relaxed);
    }

    fn tick(&self, lua: &Lua) -> mlua::Result<VmState> {
        self.charge(u64::from(limits::SCRIPT_TICK));
        if self.ended().is_some() || self.used.load(Relaxed) >= self.budget.load(Relaxed) {
            return Err(self.end(Ended::Budget));
        }
        if self.is_own && lua.used_memory() >= self.collect_at.load(Relaxed) {
            lua.gc_collect()?;
            lua.gc_stop();
            let next = limits::SCRIPT_GARBAGE_BYTES.max(2 * lua.used_memory());
            self.collect_at.store(next, Relaxed);
        }
        Ok(VmState::Continue)
    }
}

/// See the module.
pub(super) struct Vm {
    lua: Lua,
    pub(super) meter: Arc<Meter>,
    pub(super) redis: Table,
    run: Function,
    load: Function,
    run_function: Function,
    pub(super) keys_of: Function,
    compiled: BTreeMap<Sha, Function>,
    /// Memory in use when it was new.
    bytes_when_new: usize,
}

impl std::fmt::Debug for Vm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vm").field("compiled", &self.compiled.len()).finish_non_exhaustive()
    }
}

const PRELUDE: &str = include_str!("prelude.lua");
/// The name of the prelude: its functions are no place that an error is reported at.
pub(super) const PRELUDE_NAME: &str = "=bowline";

impl Vm {
    /// A new machine; `is_own`: for one script.
    pub(super) fn new(is_own: bool) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(true))?;
        lua.gc_stop();
        let meter = Arc::new(Meter::new(is_own));
        let host = lua.create_table()?;
        let redis = api::redis(&lua, &meter)?;
        host.raw_set("redis", &redis)?;
        host.raw_set("null", Value::NULL)?;
        host.raw_set("libraries", libs::all(&lua, &meter.json)?)?;
        api::functions(&lua, &meter, &host)?;
        let prelude = lua.load(PRELUDE).set_name(PRELUDE_NAME);
        let (env, run, load, run_function): (Table, Function, Function, Function) = prelude.call(&host)?;
        let keys_of = host.raw_get("keys_of")?;
        lua.set_globals(env)?;
        let bytes_when_new = lua.used_memory();
        let compiled = BTreeMap::new();
        Ok(Self { lua, meter, redis, run, load, run_function, keys_of, compiled, bytes_when_new })
    }

    pub(super) fn lua(&self) -> &Lua {
        &self.lua
    }

    /// Memory that it takes.
    pub(super) fn used_bytes(&self) -> usize {
        self.lua.used_memory()
    }

    /// Whether it is to be made anew before the next script.
    pub(super) fn is_worn(&self) -> bool {
        self.compiled.len() >= limits::SCRIPTS_COMPILED
    }

    /// The code of a text; an error says why there is none, and where.
    pub(super) fn compiled(&mut self, sha: &Sha, text: &[u8], name: &str) -> Result<Function, String> {
        if let Some(known) = self.compiled.get(sha) {
            return Ok(known.clone());
        }
        let short = name.trim_start_matches(['@', '=']);
        if text.first() == Some(&27) {
            return Err(format!("{short}:1: unexpected symbol near 'char(27)'"));
        }
        let function = self.lua.load(text).set_name(name).into_function().map_err(|error| match error {
            mlua::Error::SyntaxError { message, .. } => message,
            error => error.to_string(),
        })?;
        self.compiled.insert(*sha, function.clone());
        Ok(function)
    }

    /// Before a script, and after it: what it may use up, and what was left behind.
    pub(super) fn begin(&self, budget: u64, seed: u64) -> mlua::Result<()> {
        if self.lua.used_memory() > self.bytes_when_new + limits::SCRIPT_LEFT_BEHIND_BYTES
            && !self.meter.is_own
        {
            self.lua.gc_collect()?;
            self.lua.gc_stop();
        }
        self.meter.begin(budget, seed);
        let limit = match self.meter.is_own {
            true => limits::SCRIPT_MEMORY_BYTES,
            false => self.lua.used_memory() + limits::SCRIPT_SHARED_BYTES,
        };
        self.lua.set_memory_limit(limit)?;
        let meter = Arc::clone(&self.meter);
        let ticks = HookTriggers::new().every_nth_instruction(limits::SCRIPT_TICK);
        self.lua.set_global_hook(ticks, move |lua, _| meter.tick(lua))
    }

    pub(super) fn end(&self) {
        self.lua.remove_global_hook();
        self.lua.remove_hook();
        // What answers are made of has to be there.
        let _ = self.lua.set_memory_limit(0);
    }

    /// Runs a script: whether it came to its end, and what it returned, or the table of its error.
    pub(super) fn run(&self, script: &Function, keys: Table, args: Table) -> mlua::Result<(bool, Value)> {
        self.meter.runs.store(true, Relaxed);
        let outcome = self.run.call((script, keys, args));
        self.meter.runs.store(false, Relaxed);
        outcome
    }

    /// Runs the code of a library, which registers its functions.
    pub(super) fn load(&self, code: &Function) -> mlua::Result<(bool, Value)> {
        self.load.call(code)
    }

    /// Runs one of them.
    pub(super) fn run_function(&self, f: &Function, keys: Table, args: Table) -> mlua::Result<(bool, Value)> {
        self.meter.runs.store(true, Relaxed);
        let outcome = self.run_function.call((f, keys, args));
        self.meter.runs.store(false, Relaxed);
        outcome
    }
}
