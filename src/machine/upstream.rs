//! What comes from the Redis that is followed: units of the leader's link. Each carries the link's
//! token and what the state has to stand at, so that nothing is applied twice, nothing is left out, and
//! nothing of a link that is over counts, whichever node has led meanwhile. This module must never
//! call a copy complete before all of it is there.
//!
//! An upstream decides alone what has expired, as the master of any Redis replica does: it sends a
//! `DEL` for it. Until then a key is hidden from clients once its deadline has passed, and is there
//! for what the upstream says (its clock may be behind ours, and it may still count the key up).

mod pieces;

use super::{Machine, mix};
use crate::command::Upstream as State;
use crate::command::{self, Handler, Reply, Source, Stage, WriteContext};
use crate::keyspace::rdb::{self, PayloadError};
use crate::wire::WireError;
use crate::wire::proto::snapshot as proto;
use crate::wire::units::{Args, Command, LoadedKey, Step, Upstream};

const NOT_THIS_LINK: Reply = Reply::error("NOLINK Another link follows the upstream, or none does");
const OUT_OF_PLACE: Reply = Reply::error("NOLINK The state does not stand where the link believes");

impl Machine {
    /// One step of a link.
    pub(super) fn follow(&mut self, unit: &Upstream<'_>) -> Reply {
        let upstream = &mut self.state.upstream;
        let Some(source) = upstream.source.as_mut().filter(|source| source.session == unit.session) else {
            return NOT_THIS_LINK;
        };
        let reply = match unit.step {
            Step::TAKE => {
                return upstream
                    .take_over(unit.session)
                    .map_or(NOT_THIS_LINK, |token| Reply::Int(token as i64));
            }
            Step::DOWN => {
                source.is_up = false;
                unit.text.clone_into(&mut source.error);
                if source.stage == Stage::Loading {
                    self.forget_copy();
                }
                Reply::Ok
            }
            Step::CONTINUE if source.stage == Stage::Following && !source.replid.is_empty() => {
                unit.text.clone_into(&mut source.replid);
                went_up(source);
                Reply::Ok
            }
            Step::LOAD => {
                (source.stage, source.is_up) = (Stage::Loading, false);
                source.replid.clear();
                self.forget_copy();
                Reply::Ok
            }
            Step::KEYS if source.stage == Stage::Loading && source.loaded == unit.from => {
                source.loaded += (unit.keys.len() + unit.commands.len()) as u64;
                let failed = unit.commands.iter().find_map(|library| self.obey_one(library).err());
                failed.unwrap_or_else(|| self.load(&unit.keys))
            }
            Step::LOADED if source.stage == Stage::Loading && source.loaded == unit.from => {
                source.stage = Stage::Following;
                unit.text.clone_into(&mut source.replid);
                (source.offset, source.db) = (unit.to, unit.db);
                went_up(source);
                Reply::Ok
            }
            Step::COMMANDS if is_next(source, unit) => {
                (source.offset, source.db) = (unit.to, unit.db);
                return self.obey(&unit.commands);
            }
            Step::CONTINUE | Step::KEYS | Step::LOADED | Step::COMMANDS => return OUT_OF_PLACE,
        };
        self.state.tell_refusals();
        reply
    }

    fn forget_copy(&mut self) {
        if let Some(source) = &mut self.state.upstream.source {
            source.loaded = 0;
        }
        self.state.keyspace.flush_all();
        self.state.keyspace.propagate(0, &[b"FLUSHALL"]);
        if self.state.scripts.forget_libraries() {
            self.state.keyspace.propagate(0, &[b"FUNCTION", b"FLUSH"]);
        }
    }

    fn load(&mut self, keys: &[LoadedKey<'_>]) -> Reply {
        // A key whose time has come meanwhile is there for the rest of its value.
        self.state.keyspace.keep_expired(true);
        let all = keys.iter().try_for_each(|loaded| self.load_one(loaded));
        self.state.keyspace.keep_expired(false);
        match all {
            Ok(()) => Reply::Ok,
            Err(_) => Reply::error("UPSTREAM a value of the copy is malformed"),
        }
    }

    fn load_one(&mut self, loaded: &LoadedKey<'_>) -> Result<(), PayloadError> {
        let (now_ms, db) = (self.clock_ms, loaded.db as usize);
        let keyspace = &mut self.state.keyspace;
        let forms = keyspace.forms();
        if loaded.continues {
            let mut edit = keyspace.edit(db, loaded.key, now_ms);
            edit.update(|value| rdb::extend(value, loaded.value, &forms)).ok_or(PayloadError::Other)??;
            if keyspace.propagates() {
                pieces::propagate(keyspace, loaded);
            }
            return Ok(());
        }
        let value = rdb::value_of(loaded.value, &forms)?;
        if keyspace.propagates() {
            let (payload, deadline) = (rdb::dump(&value), loaded.deadline_ms.to_string());
            let call = [&b"RESTORE"[..], loaded.key, deadline.as_bytes(), &payload, b"REPLACE", b"ABSTTL"];
            keyspace.propagate(db, &call);
        }
        keyspace.edit(db, loaded.key, now_ms).set(value, loaded.deadline_ms);
        Ok(())
    }

    /// Carries out what the upstream has done. After an error the keys are not the upstream's any
    /// more: only a new copy helps.
    fn obey(&mut self, commands: &[Command<'_>]) -> Reply {
        self.state.keyspace.keep_expired(true);
        let failed = commands.iter().find_map(|command| self.obey_one(command).err());
        self.state.keyspace.keep_expired(false);
        let Some(error) = failed else { return Reply::Ok };
        if let Some(source) = &mut self.state.upstream.source {
            source.replid.clear();
        }
        error
    }

    fn obey_one(&mut self, command: &Command<'_>) -> Result<(), Reply> {
        let refused = |why: &str| Reply::error_owned(format!("UPSTREAM {why}"));
        let row = command::followed(&command.args).map_err(|why| refused(&why))?;
        let Handler::Write(write) = row.handler else { return Ok(()) }; // it only read
        self.commands_run += 1;
        let (now_ms, seed) = (self.clock_ms, mix(self.index, self.commands_run));
        let (state, db) = (&mut self.state, command.db as usize);
        state.keyspace.begin_command();
        let reply =
            write(&mut WriteContext { state, db, now_ms, seed, caller: Default::default() }, &command.args);
        self.state.keyspace.end_command(db, &command.args);
        match reply {
            Reply::Error(text) => {
                let name = row.full_name.to_ascii_uppercase();
                Err(refused(&format!("a {name} of the upstream fails here: {text}")))
            }
            _ => Ok(()),
        }
    }

    /// Why a command of a client is refused, where it stands in the log.
    pub(super) fn refuses(&self, command: &Command<'_>) -> Option<Reply> {
        if !self.state.upstream.is_followed() {
            return None;
        }
        let row = command::resolve(&command.args).ok()?;
        self.state.refusals().of(std::iter::once(row))
    }

    /// Why a transaction is refused as a whole, before anything of it.
    pub fn refuses_exec<'a>(&self, calls: impl Iterator<Item = Args<'a>>) -> Option<Reply> {
        if !self.state.upstream.is_followed() {
            return None;
        }
        let rows: Vec<_> = calls.filter_map(|args| command::resolve(&args).ok()).collect();
        self.state.refusals().of_exec(rows.iter().copied())
    }

    /// Whether entries remove what is due.
    pub(super) fn removes_due(&self) -> bool {
        self.state.settings.active_expire && !self.state.upstream.is_followed()
    }
}

fn went_up(source: &mut Source) {
    source.is_up = true;
    source.error.clear();
}

fn is_next(source: &Source, unit: &Upstream<'_>) -> bool {
    let stands = source.stage == Stage::Following && !source.replid.is_empty();
    stands && source.offset == unit.from && unit.from <= unit.to
}

/// As it stands in snapshots.
pub(super) fn to_snapshot(upstream: &State) -> proto::Upstream {
    let mut out = proto::Upstream { sessions: upstream.sessions, ..Default::default() };
    let Some(source) = &upstream.source else { return out };
    out.set_host(source.host.clone());
    out.set_port(u32::from(source.port));
    out.set_session(source.session);
    out.set_stage(match source.stage {
        Stage::Waiting => proto::Stage::WAITING,
        Stage::Loading => proto::Stage::LOADING,
        Stage::Following => proto::Stage::FOLLOWING,
    });
    out.set_is_up(source.is_up);
    out.set_error(source.error.clone());
    out.set_replid(source.replid.clone());
    out.set_offset(source.offset);
    out.set_db(source.db);
    out.set_loaded(source.loaded);
    out
}

/// The same, back.
pub(super) fn from_snapshot(read: &proto::Upstream) -> Result<State, WireError> {
    let port = u16::try_from(read.get_port()).map_err(|_| WireError::new("upstream"))?;
    let source = Source {
        host: read.get_host().to_owned(),
        port,
        session: read.get_session(),
        stage: match read.get_stage() {
            proto::Stage::WAITING => Stage::Waiting,
            proto::Stage::LOADING => Stage::Loading,
            proto::Stage::FOLLOWING => Stage::Following,
        },
        is_up: read.get_is_up(),
        error: read.get_error().to_owned(),
        replid: read.get_replid().to_owned(),
        offset: read.get_offset(),
        db: read.get_db(),
        loaded: read.get_loaded(),
    };
    Ok(State { sessions: read.get_sessions(), source: Some(source).filter(|it| !it.host.is_empty()) })
}
