//! Scripts, as far as connections have to do with them: for whom one is to be judged, and what is told of its
//! commands when it has ended. This module must never run one.

use super::clients::ClientTable;
use super::connection::{Capture, Connection};
use super::dispatch::Flow;
use super::wait::Goal;
use crate::command::{self, Command, ConnectionCommand, Flags, Handler, Reply, Request, RequestCaller};
use crate::keyspace::Scripted;
use crate::limits;
use crate::wire::units::Args;

impl Connection {
    /// Notes for whom the commands of a script are to be judged, if that is not somebody who may do everything, with
    /// enough memory.
    pub(super) fn name_caller(&mut self, row: &Command, request: &mut Request, lacks_memory: bool) {
        if matches!(row.handler, Handler::Connection(ConnectionCommand::Exec)) {
            return self.name_callers(lacks_memory);
        }
        let access = &self.client.access;
        request.caller = None; // what was noted when it was queued is out of date
        if row.may_run_script() && (lacks_memory || !access.is_trusted()) {
            let user = (!access.is_trusted()).then(|| access.name());
            request.caller = Some(Box::new(RequestCaller { user, lacks_memory }));
        }
    }

    /// Whether this is a script that may call `DEBUG SLEEP`.
    pub(super) fn may_sleep(&self, row: &Command) -> bool {
        let mut may = false;
        if row.runs_script() {
            self.shared.backend.look(&mut |machine| may = machine.settings().debug_in_scripts);
        }
        may
    }

    /// Its reply is for this connection, which then looks whether it slept.
    pub(super) fn expect_script(&mut self) -> Flow {
        self.client.slept.take(); // scripts of a transaction count for nothing
        self.capture = Some(Capture::Script);
        Flow::Submit
    }

    /// The reply of a script, unless it was to sleep, and the client has to wait for it.
    pub(super) fn slept(&mut self, reply: Reply) -> Option<Reply> {
        let duration = self.client.slept.take();
        if duration.is_zero() {
            return Some(reply);
        }
        self.wait_for(Goal::Script(reply), duration);
        None
    }

    /// The row by which a command is carried out: a script that says that it writes nothing takes the way of reads.
    pub(super) fn as_read(&self, row: &'static Command, request: &mut Request) -> &'static Command {
        if !row.runs_script() || !matches!(row.handler, Handler::Write(_)) {
            return row;
        }
        let mut reading = None;
        self.shared.backend.look(&mut |machine| {
            reading = machine.scripts().reading(row, &request.args());
        });
        if reading.is_some() {
            request.row = reading;
        }
        reading.unwrap_or(row)
    }

    /// The same for all that is queued, when it is about to be carried out.
    fn name_callers(&mut self, lacks_memory: bool) {
        let Some(mut multi) = self.session.multi.take() else { return };
        for queued in &mut multi.commands {
            self.name_caller(queued.row, &mut queued.request, lacks_memory);
        }
        self.session.multi = Some(multi);
    }
}

impl ClientTable {
    /// A script of this client has ended.
    pub(super) fn scripted(&self, ticket: u64, scripted: &Scripted) {
        let mut has_read = false;
        for (name, counts) in &scripted.counts {
            if let Some(row) = command::named(name.as_bytes()) {
                self.stats().observer.count_scripted(row, *counts);
                has_read |= row.flags.has(Flags::READONLY);
            }
        }
        for (code, count) in &scripted.errors {
            self.stats().observer.count_errors(code, *count);
        }
        if has_read {
            self.script_has_read(ticket);
        }
        if !self.monitors().is_empty() {
            for (db, words) in &scripted.shown {
                let args: Args<'_> = words.iter().map(|word| &word[..]).collect();
                if let Ok(row) = command::resolve(&args) {
                    self.monitors().show_scripted(*db, row, &args, self);
                }
            }
        }
        if let Some(client) = self.get(ticket).filter(|_| !scripted.slept.is_zero()) {
            client.slept.set(scripted.slept.min(limits::MAX_DEBUG_SLEEP));
        }
        if let Some(client) = self.get(ticket).filter(|_| !scripted.denied.is_empty()) {
            let user = client.access.name();
            for (reason, object) in &scripted.denied {
                self.acl_log.add(reason, "lua", object, &user, &client);
            }
        }
    }
}
