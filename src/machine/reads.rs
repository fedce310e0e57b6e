//! What a replica answers from its state without changing it. Nothing here may leave a trace in the
//! state, whatever is asked.

use super::{Machine, Seen};
use crate::command::{self, Handler, ReadContext, Reply, Request};
use crate::wire::units::{Args, Caller, Watch};

/// Database, the node's own clock, seed, and whether what is read counts as used.
type How = (u32, u64, u64, bool);

impl Machine {
    /// Answers a command that changes nothing. `wall_ms` is the node's own clock: the second
    /// part of the answer is whether a key was met whose deadline lies between the two clocks,
    /// so that the log's clock has to move before this answer may be given. `seed` is for
    /// what is to look random.
    pub fn read(&self, args: &Args<'_>, db: u32, wall_ms: u64, seed: u64) -> (Reply, bool) {
        self.read_seen(args, db, wall_ms, seed, true, &mut |_, _, _| {})
    }

    /// The same, with somebody who looks on; `touches`: keys that are read count as used.
    pub fn read_seen(
        &self,
        args: &Args<'_>,
        db: u32,
        wall_ms: u64,
        seed: u64,
        touches: bool,
        seen: &mut Seen<'_>,
    ) -> (Reply, bool) {
        match command::resolve(args) {
            Ok(command) => self.read_resolved(command, args, (db, wall_ms, seed, touches), None, seen),
            Err(error) => (error, false),
        }
    }

    /// The same of a request, for which nothing is looked for that is known.
    pub fn read_request(
        &self,
        request: &Request,
        wall_ms: u64,
        seed: u64,
        seen: &mut Seen<'_>,
    ) -> (Reply, bool) {
        let (args, how) = (request.args(), (request.db, wall_ms, seed, !request.no_touch));
        match request.row.map_or_else(|| command::resolve(&args), Ok) {
            Ok(command) => self.read_resolved(command, &args, how, request.caller(), seen),
            Err(error) => (error, false),
        }
    }

    fn read_resolved(
        &self,
        command: &'static command::Command,
        args: &Args<'_>,
        how: How,
        caller: Option<Caller<'_>>,
        seen: &mut Seen<'_>,
    ) -> (Reply, bool) {
        let refused = || self.state.refusals().of(std::iter::once(command));
        if self.state.upstream.is_followed()
            && let Some(error) = refused()
        {
            return (error, false);
        }
        self.read_as(command, args, how, caller, seen)
    }

    /// The same of a command that nothing refuses.
    pub(super) fn read_as(
        &self,
        command: &'static command::Command,
        args: &Args<'_>,
        (db, wall_ms, seed, touches): How,
        caller: Option<Caller<'_>>,
        seen: &mut Seen<'_>,
    ) -> (Reply, bool) {
        let Handler::Read(read) = &command.handler else {
            return (Reply::error("ERR not a command that reads"), false);
        };
        let mut context = ReadContext::new(&self.state, db as usize, self.clock_ms, wall_ms, seed);
        context.touches = touches;
        context.caller = caller.unwrap_or_default();
        let reply = read(&mut context, args);
        let (hits, misses) = self.lookups.get();
        self.lookups.set((hits + context.lookups.0, misses + context.lookups.1));
        seen(command, args, &reply);
        (reply, context.saw_expiring)
    }

    /// What `WATCH` keeps of each key: its revision (0: not there) and the group's, flat. For
    /// `wall_ms` and the second part of the answer see [`Machine::read`].
    pub fn watch(&self, db: u32, keys: &[&[u8]], wall_ms: u64) -> (Reply, bool) {
        let mut pairs = Vec::with_capacity(2 * keys.len());
        let mut saw_expiring = false;
        for key in keys {
            let item = self.state.keyspace.get(db as usize, key, self.clock_ms);
            saw_expiring |= item.is_some_and(|item| item.has_expired(wall_ms));
            let (revision, seen_at) = self.state.keyspace.watch(db as usize, key, self.clock_ms);
            pairs.push(Reply::Int(revision as i64));
            pairs.push(Reply::Int(seen_at as i64));
        }
        (Reply::Array(pairs), saw_expiring)
    }

    /// Whether nothing that was watched has changed.
    pub fn watches_hold(&self, watches: &[Watch<'_>]) -> bool {
        watches.iter().all(|watch| self.state.keyspace.watch_holds(watch, self.clock_ms))
    }

    /// The commands of these likely keys will be carried out next: only their speed depends on it.
    pub fn look_ahead<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        self.state.keyspace.look_ahead(keys);
    }

    /// How many keys reads have found, and how many they have not; not part of the state.
    pub fn lookups(&self) -> (u64, u64) {
        self.lookups.get()
    }
}
