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
use super::recent::Recent;
use super::words::{Word, limit_memory, word};
use super::{Sha, api, arguments, lend, libs};
use crate::limits;
use mlua::{Either, Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, Variadic, VmState};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Why a script was ended although it had more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It has used up what it may.
    Budget,
    /// It needs a machine of its own; in such a one: it takes more than it may.
    Memory,
}

/// What Rust's functions and the hook know of the script at hand.
pub(super) struct Meter {
    /// Instructions so far.
    used: Cell<u64>,
    budget: Cell<u64>,
    ended: Cell<Option<Ended>>,
    /// The machine is the script's own.
    is_own: bool,
    /// In such a one: memory in use that was paid for. It begins where the first garbage is collected: a script that
    /// may come to its end in the shared machine is charged the same in both.
    paid_bytes: Cell<usize>,
    /// In such a one: memory in use from which on garbage is collected.
    collect_at: Cell<usize>,
    /// `redis.setresp(3)`
    pub(super) resp3: Cell<bool>,
    /// Whether a script runs, and not a library that is being loaded.
    pub(super) runs: Cell<bool>,
    pub(super) random: RefCell<Random>,
    /// What is called again and again.
    breath: Cell<Option<fn()>>,
    pub(super) json: libs::cjson::Shared,
    /// What a library has registered so far.
    pub(super) registered: RefCell<Option<api::Registry>>,
}

impl Meter {
    fn new(is_own: bool) -> Self {
        Self {
            used: Cell::new(0),
            budget: Cell::new(u64::MAX),
            ended: Cell::new(None),
            is_own,
            paid_bytes: Cell::new(limits::SCRIPT_GARBAGE_BYTES),
            collect_at: Cell::new(limits::SCRIPT_GARBAGE_BYTES),
            resp3: Cell::new(false),
            runs: Cell::new(false),
            random: RefCell::new(Random::new(0)),
            breath: Cell::new(None),
            json: libs::cjson::Shared::default(),
            registered: RefCell::new(None),
        }
    }

    fn begin(&self, budget: u64, seed: u64, breath: Option<fn()>) {
        self.breath.set(breath);
        libs::cjson::reset(&self.json);
        self.used.set(0);
        self.budget.set(budget);
        self.ended.set(None);
        self.resp3.set(false);
        self.random.replace(Random::new((seed >> 32) as i32));
    }

    /// Ends the script, from wherever it is.
    pub(super) fn end(&self, why: Ended) -> mlua::Error {
        if self.ended().is_none() {
            self.ended.set(Some(why));
        }
        Raised::End.into()
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended.get()
    }

    /// Whether an error says that memory was not enough: the script needs a machine of its own, or has to end.
    pub(super) fn is_out_of_memory(error: &Value) -> bool {
        match error {
            Value::String(text) => text.as_bytes() == b"not enough memory",
            Value::Error(error) => raised::is_out_of_memory(error),
            _ => false,
        }
    }

    /// So many instructions more.
    pub(super) fn charge(&self, instructions: u64) {
        self.used.set(self.used.get().saturating_add(instructions));
    }

    /// The same for what bytes cost that were read or written.
    pub(super) fn charge_bytes(&self, bytes: usize) {
        self.charge(bytes as u64 / limits::SCRIPT_BYTES_PER_INSTRUCTION);
    }

    fn charge_allocated(&self, bytes: usize) {
        self.charge((bytes / limits::SCRIPT_ALLOCATED_PER_INSTRUCTION) as u64);
    }

    /// What is to be called in what takes long, if anything.
    pub(super) fn breath(&self) -> Option<fn()> {
        self.breath.get()
    }

    /// Instructions that are left.
    pub(super) fn left(&self) -> u64 {
        self.budget.get().saturating_sub(self.used.get())
    }

    /// Lets Rust make values without a look at the limit for each of them, which costs more than most are worth;
    /// afterwards they count.
    pub(super) fn unlimited<R>(&self, lua: &Lua, f: impl FnOnce() -> mlua::Result<R>) -> mlua::Result<R> {
        let limit = lua.set_memory_limit(0)?;
        let outcome = f();
        lua.set_memory_limit(limit)?;
        if limit != 0 && lua.used_memory() > limit {
            return Err(mlua::Error::MemoryError("not enough memory".into()));
        }
        outcome
    }

    fn tick(&self, lua: &Lua) -> mlua::Result<VmState> {
        self.charge(u64::from(limits::SCRIPT_TICK));
        if self.is_own {
            let used_bytes = lua.used_memory();
            let before_bytes = self.paid_bytes.get();
            self.paid_bytes.set(before_bytes.max(used_bytes));
            self.charge_allocated(used_bytes.saturating_sub(before_bytes));
        }
        if self.ended().is_some() || self.left() == 0 {
            return Err(self.end(Ended::Budget));
        }
        if self.is_own && lua.used_memory() >= self.collect_at.get() {
            self.charge_allocated(lua.used_memory());
            lua.gc_collect()?;
            lua.gc_stop();
            self.paid_bytes.set(lua.used_memory());
            let next = limits::SCRIPT_GARBAGE_BYTES.max(2 * lua.used_memory());
            self.collect_at.set(next);
        }
        Ok(VmState::Continue)
    }
}

/// Where the code of a text stands in a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(u32);

/// See the module.
pub(super) struct Vm {
    lua: Lua,
    pub(super) meter: Rc<Meter>,
    run: Function,
    run_pair: Function,
    run_tables: Function,
    load: Function,
    run_function: Function,
    pub(super) keys_of: Function,
    /// The code of texts. It stands in Lua: what Rust holds takes of the room for values at a time, and how many a script
    /// may hold must not follow from which scripts there were.
    code: Table,
    places: BTreeMap<Sha, Code>,
    recent: Recent,
    /// Memory in use from which on garbage is collected before a script begins.
    collect_at: Cell<usize>,
}

impl std::fmt::Debug for Vm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vm").field("compiled", &self.places.len()).finish_non_exhaustive()
    }
}

/// What comes of a script: whether it came to its end; what it returned, or the table of its error; and whether it
/// returned the status `OK`, in the place of which there is a nil, as in that of what nobody hears.
pub(super) type Returned = (bool, Value, bool);

type Prelude = (Table, Function, Function, Function, Function, Function);
const PRELUDE: &str = include_str!("prelude.lua");
/// The name of the prelude: its functions are no place that an error is reported at.
pub(super) const PRELUDE_NAME: &str = "=bowline";

impl Vm {
    /// A new machine; `is_own`: for one script.
    pub(super) fn new(is_own: bool) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(true))?;
        lua.gc_stop();
        let meter = Rc::new(Meter::new(is_own));
        lua.set_app_data(Rc::clone(&meter)); // for the libraries
        arguments::prepare(&lua)?;
        let host = lua.create_table()?;
        let redis = api::redis(&lua, &meter)?;
        lend::functions(&lua, &meter, &redis)?;
        let code = lua.create_table()?;
        host.raw_set("redis", &redis)?;
        host.raw_set("code", &code)?;
        host.raw_set("null", Value::NULL)?;
        host.raw_set("libraries", libs::all(&lua, &meter.json)?)?;
        host.raw_set("string", libs::strings(&lua, &meter)?)?;
        api::functions(&lua, &meter, &host)?;
        let prelude = lua.load(PRELUDE).set_name(PRELUDE_NAME);
        let (env, run, run_pair, run_tables, load, run_function): Prelude = prelude.call(&host)?;
        let keys_of = host.raw_get("keys_of")?;
        lua.set_globals(env)?;
        let collect_at = Cell::new(lua.used_memory() + limits::SCRIPT_LEFT_BEHIND_BYTES);
        let (places, recent) = (BTreeMap::new(), Recent::default());
        Ok(Self {
            lua,
            meter,
            run,
            run_pair,
            run_tables,
            load,
            run_function,
            keys_of,
            code,
            places,
            recent,
            collect_at,
        })
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
        self.places.len() >= limits::SCRIPTS_COMPILED
    }

    /// The name of a text.
    pub(super) fn sha_of(&mut self, text: &[u8]) -> Sha {
        self.recent.sha_of(text)
    }

    /// Where the code of a text stands, if it was compiled.
    pub(super) fn known(&self, sha: &Sha) -> Option<Code> {
        self.places.get(sha).copied()
    }

    /// Compiles a text; an error says why it cannot be, and where.
    pub(super) fn compile(&mut self, sha: &Sha, text: &[u8], name: &str) -> Result<Code, String> {
        let short = name.trim_start_matches(['@', '=']);
        if text.first() == Some(&27) {
            return Err(format!("{short}:1: unexpected symbol near 'char(27)'"));
        }
        let function = self.lua.load(text).set_name(name).into_function().map_err(|error| match error {
            mlua::Error::SyntaxError { message, .. } => message,
            error => error.to_string(),
        })?;
        let code = Code(self.places.len() as u32 + 1);
        self.code.raw_set(code.0, function).map_err(|error| error.to_string())?;
        self.places.insert(*sha, code);
        Ok(code)
    }

    /// Before a script, and after it: what it may use up, and what was left behind.
    pub(super) fn begin(&self, budget: u64, seed: u64, breath: Option<fn()>) -> mlua::Result<()> {
        if self.lua.used_memory() > self.collect_at.get() && !self.meter.is_own {
            self.lua.gc_collect()?;
            self.lua.gc_stop();
            let left_bytes = self.lua.used_memory();
            self.collect_at.set(left_bytes + limits::SCRIPT_LEFT_BEHIND_BYTES.max(left_bytes));
        }
        self.meter.begin(budget, seed, breath);
        let meter = Rc::clone(&self.meter);
        let ticks = HookTriggers::new().every_nth_instruction(limits::SCRIPT_TICK);
        self.lua.set_global_hook(ticks, move |lua, _| {
            if let Some(breath) = breath {
                breath();
            }
            meter.tick(lua)
        })
    }

    pub(super) fn end(&self) {
        self.lua.remove_global_hook();
        self.lua.remove_hook();
        // What answers are made of has to be there.
        let _ = self.lua.set_memory_limit(0);
    }

    /// Runs a script. Unless its answer is heard, what it returns when it succeeds is left in Lua.
    pub(super) fn run(
        &self,
        code: Code,
        keys: &[&[u8]],
        args: &[&[u8]],
        is_heard: bool,
    ) -> mlua::Result<Returned> {
        self.meter.runs.set(true);
        let is_own = self.meter.is_own;
        let limit = Word::Limit { is_own };
        let outcome = match (keys, args) {
            ([key], [arg]) => self.run_pair.call((code.0, is_heard, word(key), word(arg), limit)),
            _ if keys.len() + args.len() <= limits::SCRIPT_WORDS_PUSHED => {
                let mut words = Vec::with_capacity(keys.len() + args.len() + 1);
                words.extend(keys.iter().chain(args).map(|bytes| word(bytes)));
                words.push(Either::Right(limit));
                self.run.call((code.0, is_heard, keys.len(), args.len(), Variadic::from(words)))
            }
            _ => self.tables(keys, args).and_then(|(keys, args)| {
                limit_memory(&self.lua, is_own)?;
                self.run_tables.call((code.0, is_heard, keys, args))
            }),
        };
        self.meter.runs.set(false);
        outcome
    }

    /// Lists of words.
    pub(super) fn tables(&self, keys: &[&[u8]], args: &[&[u8]]) -> mlua::Result<(Table, Table)> {
        let table = |words: &[&[u8]]| {
            // Not told how many there are, a table grows as one that Redis fills (see the prelude).
            let words = words.iter().map(|word| self.lua.create_string(word).ok()).filter(|_| true);
            self.lua.create_sequence_from(words)
        };
        Ok((table(keys)?, table(args)?))
    }

    /// Runs the code of a library, which registers its functions.
    pub(super) fn load(&self, code: Code) -> mlua::Result<(bool, Value)> {
        limit_memory(&self.lua, self.meter.is_own)?;
        self.load.call(code.0)
    }

    /// Runs one of them.
    pub(super) fn run_function(&self, f: &Function, keys: Table, args: Table) -> mlua::Result<Returned> {
        self.meter.runs.set(true);
        let outcome = self.run_function.call((f, keys, args));
        self.meter.runs.set(false);
        outcome
    }
}
