//! `MIGRATE`: keys move to another server while this one goes on. A key is read here, restored there,
//! and then removed through the log if it is still what was sent; what was changed meanwhile is sent
//! again, in the place of what is there by then, and what was deleted meanwhile is deleted there. This
//! module must never remove a key that the other server does not have as it is.

mod sockets;
mod transfer;

use super::connection::{Capture, Connection};
use super::dispatch::Flow;
use super::wait::Goal;
use crate::command::{Command, Migration, Removal, Reply, Request, removal_call, removals};
use crate::group::{Job, Step};
use crate::keyspace::rdb;
use crate::limits;
use crate::wire::units::put_command_unit;
pub use sockets::Sockets;
use sockets::{Place, Target};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;
use transfer::{Batch, Outcome, put_command};

/// Each step on the way has a limit of its own.
const NO_LIMIT: Duration = Duration::from_secs(u32::MAX as u64);
const TOO_MANY: Reply =
    Reply::error("TRYAGAIN too many MIGRATE are under way on this node, nothing was done");
const NO_KEY: Reply = Reply::simple("NOKEY");
const TOO_FAST: Reply = Reply::error(
    "ERR a key is written faster than it can be sent: it is here as it is, and there as it was a moment ago",
);

/// A key that is still to be sent.
struct Pending {
    key: Vec<u8>,
    /// How often it was sent, and changed meanwhile.
    sent: u32,
}

/// A key that was sent, and its revision; None: it was to be deleted there.
type Sent = (Pending, Option<u64>);

/// A `MIGRATE` under way.
pub struct Moving {
    row: &'static Command,
    request: Request,
    began_ns: u64,
    asked: Migration,
    target: Target,
    pending: VecDeque<Pending>,
    sent: Vec<Sent>,
    found_any: bool,
    /// The first thing that went wrong.
    error: Option<Reply>,
    /// There is no use in sending more.
    is_final: bool,
    _place: Place,
}

/// A batch on its way.
pub struct Transfer {
    moving: Box<Moving>,
    outcome: Rc<RefCell<Option<Outcome>>>,
    _task: Task,
}

impl Transfer {
    /// Whether there is an answer.
    pub fn is_over(&self) -> bool {
        self.outcome.borrow().is_some()
    }
}

/// Ends with whoever has it.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Moving {
    /// A batch of commands for the keys as they are now. Keys that are not here are left out, but for
    /// those that are there because of us.
    fn next_batch(&mut self, connection: &Connection) -> Batch {
        let wall_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let restore: &[u8] =
            if super::info::is_cluster(&connection.shared) { b"RESTORE-ASKING" } else { b"RESTORE" };
        let mut commands = Vec::new();
        connection.shared.backend.look(&mut |machine| {
            while commands.len() < limits::MIGRATE_BATCH_BYTES
                && self.sent.len() < limits::MIGRATE_BATCH_KEYS
                && let Some(pending) = self.pending.pop_front()
            {
                let item = machine.look_up(self.request.db, &pending.key, wall_ms);
                self.found_any |= item.is_some();
                match item.filter(|item| !item.has_expired(wall_ms)) {
                    Some(item) => {
                        let ttl_ms = match item.deadline_ms {
                            0 => 0,
                            deadline_ms => deadline_ms.saturating_sub(wall_ms).max(1),
                        };
                        let (ttl, payload) = (ttl_ms.to_string(), rdb::dump(&item.value));
                        let mut words = vec![restore, &pending.key, ttl.as_bytes(), &payload];
                        if self.asked.replace || pending.sent > 0 {
                            words.push(b"REPLACE");
                        }
                        put_command(&mut commands, &words);
                        self.sent.push((pending, Some(item.revision)));
                    }
                    None if pending.sent > 0 => {
                        put_command(&mut commands, &[b"DEL", &pending.key]);
                        self.sent.push((pending, None));
                    }
                    None => {}
                }
            }
        });
        let (target, db, patience) = (self.target.clone(), self.asked.db, self.asked.timeout);
        Batch { target, db, patience, commands, replies: self.sent.len() }
    }

    /// The other server has answered. What is to be removed here now.
    fn answered(&mut self, outcome: Outcome) -> Vec<(Vec<u8>, u64)> {
        self.error = self.error.take().or(outcome.error);
        self.is_final |= outcome.is_final;
        let taken = outcome.taken.into_iter().chain(std::iter::repeat(false));
        let mut there: Vec<Sent> =
            self.sent.drain(..).zip(taken).filter(|pair| pair.1).map(|pair| pair.0).collect();
        if self.asked.copy {
            there.clear();
        }
        there.retain(|(_, revision)| revision.is_some());
        let call = there.iter().filter_map(|(pending, revision)| Some((pending.key.clone(), (*revision)?)));
        let call = call.collect();
        self.sent = there;
        call
    }

    /// The log has removed what it could; the rest has to be sent again.
    fn removed(&mut self, found: Vec<Removal>) {
        for ((mut pending, _), removal) in self.sent.drain(..).zip(found) {
            if removal == Removal::Removed {
                continue;
            }
            pending.sent += 1;
            if pending.sent < limits::MIGRATE_ATTEMPTS {
                self.pending.push_back(pending);
            } else {
                self.error.get_or_insert(TOO_FAST);
            }
        }
    }
}

/// The log did not take a removal, or nobody knows.
fn not_removed(error: &str) -> Reply {
    let (code, why) = error.split_once(' ').unwrap_or(("ERR", error));
    Reply::error_owned(format!("{code} the target instance has keys that were not removed here: {why}"))
}

impl Connection {
    /// `MIGRATE`.
    pub(super) fn start_migrate(
        &mut self,
        row: &'static Command,
        request: &Request,
        began_ns: u64,
        job: &mut Job,
    ) -> Flow {
        match self.migrate(row, request, began_ns) {
            Ok(read) => {
                job.steps.push(read);
                Flow::Submit
            }
            Err(error) => {
                self.observed(began_ns, row, &request.args(), Some(&error));
                self.answer(error, job);
                Flow::Next
            }
        }
    }

    /// The read that comes first. Err: the reply, and nothing has to be done.
    fn migrate(&mut self, row: &'static Command, request: &Request, began_ns: u64) -> Result<Step, Reply> {
        let args = request.args();
        let asked = Migration::read(&args)?;
        let keys: Vec<&[u8]> = args[asked.keys.clone()].to_vec();
        let place = self.shared.migrations.enter().ok_or(TOO_MANY)?;
        let target = Target { host: args[1].to_vec(), port: args[2].to_vec(), login: asked.login.clone() };
        // What comes next rests on this read: everything acknowledged before is seen. It has no name,
        // for it is no command of the client's.
        let mut watch = Request::from_args(&[&[&b""[..]], keys.as_slice()].concat());
        watch.db = request.db;
        let pending = keys.iter().map(|key| Pending { key: key.to_vec(), sent: 0 }).collect();
        self.capture = Some(Capture::Migrate(Box::new(Moving {
            row,
            request: request.clone(),
            began_ns,
            asked,
            target,
            pending,
            sent: Vec::new(),
            found_any: false,
            error: None,
            is_final: false,
            _place: place,
        })));
        Ok(Step::Watch(watch))
    }

    /// The group has answered: to the read at the beginning, or to a removal. The reply, if this was all.
    pub(super) fn migrate_on(&mut self, mut moving: Box<Moving>, reply: Reply) -> Option<Reply> {
        if let Reply::Error(text) = &reply {
            let error = if moving.sent.is_empty() { reply } else { not_removed(text) };
            moving.error.get_or_insert(error);
            return Some(self.migrated(*moving));
        }
        if !moving.sent.is_empty() {
            moving.removed(removals(&reply).unwrap_or_default());
        }
        self.send_batch(moving)
    }

    fn send_batch(&mut self, mut moving: Box<Moving>) -> Option<Reply> {
        if moving.is_final {
            return Some(self.migrated(*moving));
        }
        let batch = moving.next_batch(self);
        if moving.sent.is_empty() {
            return Some(self.migrated(*moving));
        }
        let outcome = Rc::new(RefCell::new(None));
        let (told, client) = (Rc::clone(&outcome), Rc::clone(&self.client));
        let sending = transfer::send(Rc::clone(&self.shared.migrations), batch);
        let task = tokio::task::spawn_local(async move {
            *told.borrow_mut() = Some(sending.await);
            client.wake();
        });
        self.wait_for(Goal::Migrate(Transfer { moving, outcome, _task: Task(task) }), NO_LIMIT);
        None
    }

    /// A batch was answered, or its connection is not to wait any longer: `reply` is for that case.
    pub(super) fn transferred(&mut self, transfer: Transfer, reply: Reply) -> Option<Reply> {
        let mut moving = transfer.moving;
        let Some(outcome) = transfer.outcome.take() else {
            moving.error.get_or_insert(reply);
            return Some(self.migrated(*moving));
        };
        let to_remove = moving.answered(outcome);
        if to_remove.is_empty() {
            return self.send_batch(moving);
        }
        let mut job = Job { ticket: self.client.id, ..Job::default() };
        let call = removal_call(&to_remove);
        put_command_unit(
            &mut job.body,
            &call.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            moving.request.db,
        );
        job.steps.push(Step::Write);
        self.capture = Some(Capture::Migrate(moving));
        self.submit(job);
        None
    }

    /// The reply.
    fn migrated(&self, moving: Moving) -> Reply {
        let reply = match moving.error {
            Some(error) => error,
            None if moving.found_any => Reply::Ok,
            None => NO_KEY,
        };
        self.observed(moving.began_ns, moving.row, &moving.request.args(), Some(&reply));
        reply
    }
}
