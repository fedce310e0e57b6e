//! From requests to the steps of a job: what goes to the group, what is answered here and
//! when, and the rules of `MULTI`. Replies keep the order of the requests: what is answered
//! here waits as a `Step::Ready` behind steps that are not answered yet.

use super::connection::{Capture, Connection};
use super::eviction::Room;
use super::exec::{Unfinished, aborted_by};
use super::session::Transaction;
use super::{access, acl_commands, config_command, control_command, databases, debug, local};
use crate::command::{self, ClientCommand, Command, ConnectionCommand as Do, Flags, Handler, Reply, Request};
use crate::group::{Job, Step};
use crate::limits;
use crate::wire::units::Args;

/// What comes after a request.
pub enum Flow {
    /// The next one may join the job.
    Next,
    /// The job is complete as it is.
    Submit,
    /// This request has to wait until the job is answered.
    Hold(Request),
}

pub const NOT_IN_MULTI: Reply = Reply::error("ERR Command not allowed inside a transaction");
const OUT_OF_MEMORY: Reply = Reply::error("OOM command not allowed when used memory > 'maxmemory'.");
pub const TOO_LONG: Reply =
    Reply::error("ERR the command is too long: at most 512 MiB of arguments may be written at once");
const ABORTED: Reply = Reply::error("EXECABORT Transaction discarded because of previous errors.");

impl Connection {
    /// Takes one request into `job`.
    pub(super) fn dispatch(&mut self, mut request: Request, job: &mut Job) -> Flow {
        request.db = self.session.next_db();
        request.no_touch = self.client.no_touch.get();
        let row = match command::resolve_request(&request) {
            Ok(row) => row,
            Err(error) => {
                if let Some(row) = request.arg(0).and_then(command::lookup) {
                    self.shared.observer().reject(row.row_of(&request.args()).unwrap_or(row));
                }
                return self.refuse(&request, error, job);
            }
        };
        request.row = Some(row);
        self.client.last_command.set(row.full_name);
        if self.has_to_wait_for_users(row) {
            return Flow::Hold(request);
        }
        if let Some(error) = self.refusal(&request, row) {
            self.shared.observer().reject(row);
            return self.refuse(&request, error, job);
        }
        let lacks_memory = match self.room_for(row) {
            Room::Enough => false,
            Room::Making => return Flow::Hold(request),
            Room::None if self.is_refused_without_memory(row) => {
                self.shared.observer().reject(row);
                return self.refuse(&request, OUT_OF_MEMORY, job);
            }
            Room::None => true,
        };
        if self.has_to_pause(row, &request) {
            return Flow::Hold(request);
        }
        if lacks_memory || !self.client.access.is_trusted() {
            self.name_caller(row, &mut request, lacks_memory);
        }
        let runs_in_multi = matches!(row.handler, Handler::Connection(what) if local::runs_in_multi(what));
        if self.session.multi.is_some() && !runs_in_multi {
            self.queue(request, row, job);
            return Flow::Next;
        }
        if access::is_admins_write(row) {
            return self.dispatch_admins(request, row, job);
        }
        if let Handler::Connection(what) = row.handler {
            return self.dispatch_local(what, row, request, job);
        }
        if let Some(awaited) = row.blocks.and_then(|blocks| blocks(&request.args())) {
            return self.start_blocking(request, row, awaited, job);
        }
        let may_sleep = self.may_sleep(row);
        if may_sleep && !job.steps.is_empty() {
            return Flow::Hold(request); // its reply comes alone
        }
        self.show(&request);
        let row = self.as_read(row, &mut request);
        match row.handler {
            Handler::Write(_) if request.size_bytes() > limits::MAX_WRITE_BYTES => {
                self.answer(TOO_LONG, job);
            }
            Handler::Write(_) => {
                request.put_unit(&mut job.body);
                if self.client.tracker.is_on() && row.runs_script() {
                    self.track_script(job.steps.len(), row, &request);
                }
                job.steps.push(Step::Write);
                if self.note_brought(row, &request) {
                    return Flow::Submit; // those who wait come before what follows
                }
            }
            _ => {
                if self.client.tracker.is_on() {
                    self.track_read(job.steps.len(), row, &request);
                }
                job.steps.push(Step::Read(request));
            }
        }
        if may_sleep {
            return self.expect_script();
        }
        Flow::Next
    }

    /// Why a command cannot be taken now, by this connection of this node.
    fn refusal(&mut self, request: &Request, row: &'static Command) -> Option<Reply> {
        if matches!(row.handler, Handler::Connection(Do::Debug))
            && let Some(error) = debug::forbidden(self)
        {
            return Some(error);
        }
        if !self.client.access.is_trusted()
            && let Err(error) = self.authorize(row, request)
        {
            return Some(error);
        }
        self.redirected(request, row)
            .or_else(|| self.refused_by_upstream(row))
            .or_else(|| self.refused_while_subscribed(row))
            .or_else(|| self.refused_while_monitoring(row))
    }

    /// An error before anything was carried out; it breaks a transaction.
    fn refuse(&mut self, request: &Request, error: Reply, job: &mut Job) -> Flow {
        let name = request.arg(0).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"POST") || name.eq_ignore_ascii_case(b"HOST:") {
            // A web page makes a browser talk to us; as in Redis, it gets nothing.
            self.client.close("HTTP request, possibly an attack across protocols");
            return Flow::Submit;
        }
        let exec = request.arg(0).is_some_and(|name| name.eq_ignore_ascii_case(b"EXEC"));
        let mut error = error;
        if exec {
            self.end_transaction();
            error = aborted_by(error);
        } else if let Some(multi) = &mut self.session.multi {
            multi.broken = true;
        }
        self.answer(error, job);
        Flow::Next
    }

    fn queue(&mut self, request: Request, row: &'static Command, job: &mut Job) {
        let (request, refused) = access::prepared(row, request);
        let Some(multi) = &mut self.session.multi else { return };
        if let Handler::Connection(Do::Select) = row.handler
            && let Ok(db) = databases::selected(&self.shared, &request.args())
        {
            multi.db = Some(db);
        }
        let waits_elsewhere = matches!(row.handler, Handler::Connection(Do::Migrate));
        let reply = if row.flags.has(Flags::NO_MULTI) || waits_elsewhere {
            self.shared.observer().reject(row);
            multi.broken = true;
            NOT_IN_MULTI
        } else if multi.queue(request, row, refused.err()) {
            Reply::simple("QUEUED")
        } else {
            Reply::error("ERR the transaction is too large")
        };
        self.client.queued.set(Some((multi.commands.len(), multi.size_bytes())));
        self.answer(reply, job);
    }

    fn dispatch_local(&mut self, what: Do, row: &'static Command, request: Request, job: &mut Job) -> Flow {
        if what == Do::Exec {
            self.check_queued();
        }
        let with_local = what == Do::Exec && self.session.multi.as_ref().is_some_and(Transaction::has_local);
        let needs_news =
            self.login_needs_news(what, &request.args()) || config_command::needs_news(what, &request.args());
        if (local::is_barrier(what) || with_local || needs_news) && !job.steps.is_empty() {
            return Flow::Hold(request);
        }
        self.show_local(what, &request);
        if needs_news {
            self.capture = Some(Capture::News(what, row, request));
            job.steps.push(Step::Watch(Request::from_args(&["WATCH"]))); // a read of nothing
            return Flow::Submit;
        }
        let args = request.args();
        let began_ns = self.shared.observer().begin();
        if what == Do::Migrate {
            return self.start_migrate(row, &request, began_ns, job);
        }
        let reply = match what {
            Do::Multi if self.session.multi.is_some() => Reply::error("ERR MULTI calls can not be nested"),
            Do::Multi => {
                self.session.multi = Some(Transaction::default());
                self.client.queued.set(Some((0, 0)));
                Reply::Ok
            }
            Do::Discard if self.session.multi.is_none() => Reply::error("ERR DISCARD without MULTI"),
            Do::Discard => {
                self.end_transaction();
                Reply::Ok
            }
            Do::Exec => match self.exec(job) {
                Ok(flow) => {
                    if self.wait.is_some() {
                        self.observed(began_ns, row, &args, None); // it is not the group's
                    }
                    return flow;
                }
                Err(reply) => reply,
            },
            Do::Watch if self.session.multi.is_some() => {
                Reply::error("ERR WATCH inside MULTI is not allowed")
            }
            Do::Watch => {
                self.capture = Some(Capture::Watch(args[1..].iter().map(|key| key.to_vec()).collect()));
                drop(args);
                job.steps.push(Step::Watch(request));
                return Flow::Submit;
            }
            Do::Quit => {
                self.quitting = true;
                Reply::Ok
            }
            Do::Reset => local::reset(self),
            Do::Client(ClientCommand::Reply) => match control_command::reply(self, &args[2..]) {
                Some(reply) => reply,
                None => return Flow::Next,
            },
            _ => match self.start(what, &args, began_ns, job) {
                Some(Ok(flow)) => {
                    // A sleep has only begun.
                    if what != Do::Debug || self.wait.is_none() {
                        self.observed(began_ns, row, &args, None);
                    }
                    return flow;
                }
                Some(Err(reply)) => reply,
                None => local::run(self, what, &args),
            },
        };
        if matches!(what, Do::Select | Do::Reset) {
            self.show(&request); // as it is then: the database, and who looks
        }
        self.observed(began_ns, row, &args, Some(&reply));
        self.client.watched.set(self.session.watches.len());
        self.answer(reply, job);
        if self.quitting { Flow::Submit } else { Flow::Next }
    }

    /// Begins what is answered later; Err: the reply, now. None: the command is of another kind.
    fn start(
        &mut self,
        what: Do,
        args: &Args<'_>,
        began_ns: u64,
        job: &mut Job,
    ) -> Option<Result<Flow, Reply>> {
        Some(match what {
            Do::Wait => self.start_wait(args).map(|()| Flow::Submit),
            Do::Debug => self.start_debug(args, began_ns, job),
            Do::ConfigSet => self.start_config_set(args, job),
            Do::Node(what) => self.start_node_command(what, args),
            Do::Replica(what) => self.start_replica_command(what, args, job),
            _ if local::asks_the_group(what) => self.start_raft(what, args, job),
            _ => return None,
        })
    }

    /// Err: the reply, and the group has nothing to do.
    fn exec(&mut self, job: &mut Job) -> Result<Flow, Reply> {
        let transaction = self.session.multi.take().ok_or(Reply::error("ERR EXEC without MULTI"))?;
        let watches = std::mem::take(&mut self.session.watches);
        self.end_transaction();
        if transaction.broken {
            return Err(ABORTED);
        }
        let for_group = transaction.commands.iter().any(|queued| !queued.is_local());
        let admins = transaction.commands.iter().any(|queued| access::is_admins_write(queued.row));
        if !for_group && watches.is_empty() {
            let local = transaction.commands.into_iter().enumerate().collect();
            return self.carry_on(Unfinished::new(local, vec![])).map_or(Ok(Flow::Submit), Err);
        }
        if self.client.tracker.is_on() {
            self.track_transaction(job.steps.len(), &transaction.commands);
        }
        let wakes = transaction.commands.iter().fold(false, |wakes, queued| {
            wakes | (queued.row.is_write() && self.note_brought(queued.row, &queued.request))
        });
        let local = transaction.into_step(watches, job);
        if local.is_empty() {
            return Ok(if admins || wakes { Flow::Submit } else { Flow::Next });
        }
        self.capture = Some(Capture::Exec(local));
        Ok(Flow::Submit)
    }

    fn end_transaction(&mut self) {
        self.session.multi = None;
        self.session.unwatch();
        self.client.queued.set(None);
        self.client.watched.set(0);
    }

    /// A command that the connection has carried out itself; without a reply, one that it has begun.
    pub(super) fn observed(
        &self,
        began_ns: u64,
        row: &'static Command,
        args: &Args<'_>,
        reply: Option<&Reply>,
    ) {
        let failed = reply.is_some_and(Reply::is_error);
        self.shared.observer().record_since(began_ns, row, self.client.id, args, failed);
        self.shared.clients.write_journal();
    }

    /// The reply of a job that was for the connection itself.
    pub(super) fn settle(&mut self, capture: Capture, reply: Reply) {
        let reply = match (capture, reply) {
            (Capture::News(what, row, request), _) => {
                let (args, began_ns) = (request.args(), self.shared.observer().begin());
                let reply = local::run(self, what, &args);
                self.observed(began_ns, row, &args, Some(&reply));
                reply
            }
            (Capture::Migrate(moving), reply) => match self.migrate_on(moving, reply) {
                Some(reply) => reply,
                None => return, // keys are on their way
            },
            (Capture::Script, reply) => match self.slept(reply) {
                Some(reply) => reply,
                None => return, // it is answered when the sleep is over
            },
            (Capture::Removals(pairs), reply) => acl_commands::as_given(&pairs, reply),
            (Capture::Member(goal), reply) => match self.wish_taken(goal, reply) {
                Some(reply) => reply,
                None => return, // it is answered when the wish is in effect
            },
            (Capture::Sync(wishes), reply) => match self.become_replica(wishes, &reply) {
                Ok(()) => return, // what it is sent from now on are no replies
                Err(error) => error,
            },
            (Capture::Settings(changes), reply) => self.settings_taken(&changes, reply),
            (Capture::Watch(keys), Reply::Array(pairs)) if pairs.len() == 2 * keys.len() => {
                let numbers = pairs.chunks_exact(2).map(|pair| match pair {
                    [Reply::Int(revision), Reply::Int(seen_at)] => (*revision as u64, *seen_at as u64),
                    _ => (0, 0),
                });
                let watched = keys.into_iter().zip(numbers);
                let db = self.session.db;
                self.session.watch(watched.map(|(key, (revision, seen_at))| (db, key, revision, seen_at)));
                self.client.watched.set(self.session.watches.len());
                Reply::Ok
            }
            (Capture::Exec(local), Reply::Array(replies)) => {
                match self.carry_on(Unfinished::new(local, replies)) {
                    Some(reply) => reply,
                    None => return, // it is answered when a sleep is over
                }
            }
            // An error, or a transaction that did not take place.
            (_, reply) => reply,
        };
        self.deliver(&reply);
    }

    /// Answers what the connection has been about, and then tells what waited for that.
    pub(super) fn deliver(&self, reply: &Reply) {
        self.client.send(reply);
        if self.client.tracker.is_on() {
            self.end_caching();
            self.shared.clients.tell_pending(&self.client);
            self.shared.clients.flush_told();
        }
    }

    /// Answers in turn: now, if nothing comes before.
    pub(super) fn answer(&self, reply: Reply, job: &mut Job) {
        if job.steps.is_empty() {
            self.client.send(&reply);
        } else {
            job.steps.push(Step::Ready(reply));
        }
    }
}
