//! [`Connection`]: the task of one connection. It reads and parses all that has arrived,
//! submits it as one job, and parses on when the job has been answered. Replies do not
//! pass through it (see `client`). This module must never hold more input than its bounds.

mod link;

use super::blocked;
use super::client::Client;
use super::config_command::Changes;
use super::control::Unblock;
use super::dispatch::Flow;
use super::migrate::Moving;
use super::reader::Reader;
use super::replicas::{Replicas, Wishes};
use super::session::{Queued, Session};
use super::tracking::{StepKeys, Tracking};
use super::wait::{MemberGoal, WAIT_POLL, Wait};
use super::{Shared, TRY_AGAIN};
use crate::command::{Command, ConnectionCommand, Reply, Request};
use crate::group::{Job, Step};
use crate::limits;
use crate::resp::{Limits, ProtocolError};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A connection silent for this long gives its buffers back.
pub const SHRINK_AFTER: Duration = Duration::from_secs(2);

const UNBLOCKED: Reply = Reply::error("UNBLOCKED client unblocked via CLIENT UNBLOCK");

/// Steps of a connection's first job, when nothing is known of its replies.
const FIRST_JOB_STEPS: usize = 512;
/// Steps for which a job of more than one has room at first.
const PIPELINED_STEPS: usize = 15;
/// Of a write, the most for which it is taken that those behind it are as long.
const PIPELINED_UNIT_BYTES: usize = 128;
/// Steps of a job whose replies are expected to be very long.
const MIN_JOB_STEPS: usize = 4;

/// A job whose only reply is for the connection, which then answers the client.
pub enum Capture {
    /// The keys of a `WATCH`.
    Watch(Vec<Vec<u8>>),
    /// The commands of an `EXEC` that the connection carries out, each with its place.
    Exec(Vec<(usize, Queued)>),
    /// A script's reply, which waits for as long as the script was to sleep.
    Script,
    /// The rules of an `ACL SETUSER` that removes passwords, as they went to the log and as given.
    Removals(Vec<(String, String)>),
    /// What is answered once this node has applied what was committed when it came: a login that it
    /// would refuse, a look at the parameters of the cluster.
    News(ConnectionCommand, &'static Command, Request),
    /// A wish about a member, whose effect is then waited for.
    Member(MemberGoal),
    /// Parameters of the whole cluster.
    Settings(Changes),
    /// A replica's beginning, once this node has applied what was committed when it asked.
    Sync(Wishes),
    /// Keys on their way to another server.
    Migrate(Box<Moving>),
}

/// See the module.
pub struct Connection {
    pub(super) client: Rc<Client>,
    pub(super) shared: Rc<Shared>,
    pub(super) session: Session,
    pub(super) capture: Option<Capture>,
    pub(super) wait: Option<Wait>,
    /// What the job at hand will bring to keys that somebody waits for.
    pub(super) brought: Vec<(blocked::Key, usize)>,
    /// A command waits until then for the users of the cluster to be known.
    pub(super) users_by: Option<Instant>,
    /// A command waits since then for memory.
    pub(super) awaits_room_since: Option<Instant>,
    /// Where in the log the last write is, at most; None: it wrote since somebody asked.
    pub(super) wrote_until: Cell<Option<u64>>,
    /// Keys that the steps of the job at hand read, if the client tracks.
    pub(super) step_keys: Vec<(usize, StepKeys)>,
    /// Nothing more is parsed; the connection ends when all is sent.
    pub(super) quitting: bool,
    reader: Reader,
    /// Steps of the next job, at most: fewer while replies are long, because a job's
    /// replies come all at once, however slowly the client reads.
    max_steps: usize,
    last_steps: usize,
    held: Option<Request>,
    failed: Option<ProtocolError>,
    eof: bool,
}

impl Connection {
    pub fn new(client: Rc<Client>, shared: Rc<Shared>, reader: Reader) -> Self {
        let mut connection = Self {
            client,
            shared,
            session: Session::default(),
            capture: None,
            wait: None,
            brought: Vec::new(),
            users_by: None,
            awaits_room_since: None,
            wrote_until: Cell::new(Some(0)),
            step_keys: Vec::new(),
            quitting: false,
            reader,
            max_steps: FIRST_JOB_STEPS,
            last_steps: 0,
            held: None,
            failed: None,
            eof: false,
        };
        connection.refresh_access();
        connection
    }

    /// For what comes next.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.reader.set_limits(limits);
    }

    /// Serves the connection to its end.
    pub async fn run(mut self) {
        let client = Rc::clone(&self.client);
        loop {
            self.eof |= self.reader.is_at_end();
            self.advance();
            if client.replicates.get() {
                return self.serve_replica().await;
            }
            let held_back = !self.may_parse();
            self.shared.clients.flush_monitors();
            let unsent = client.flush();
            client.writing.set(unsent);
            client.watch(self.is_ending());
            let pause = self.wait.as_ref().filter(|_| client.awaiting() == 0).map(Wait::pause);
            let pause = if self.waits_for_users() { Some(WAIT_POLL) } else { pause };
            if (held_back || self.reader.has_more()) && self.may_parse() {
                continue; // what held it back is over, and nothing else would tell
            }
            if self.finished() {
                break;
            }
            self.reader.make_room(&client);
            let reads = self.reads();
            if !reads {
                client.resume.set(true); // it reads on when the job under way is answered
            }
            tokio::select! {
                biased;
                () = client.woken() => {}
                result = self.reader.read(), if reads => {
                    if !self.received(result) {
                        break;
                    }
                }
                result = client.writable(), if unsent => {
                    if result.is_err() {
                        break;
                    }
                    tokio::task::yield_now().await; // the socket may take more again and again
                }
                () = poll_pause(pause), if pause.is_some() => {}
            }
        }
    }

    /// Does all that can be done without waiting.
    fn advance(&mut self) {
        if self.client.awaiting() > 0 {
            self.client.resume.set(true); // what it was woken for has to wait
            return;
        }
        self.check_doubts();
        if let Some(reply) = self.client.take_captured() {
            match self.capture.take() {
                Some(capture) => self.settle(capture, reply),
                None => self.tried(&reply),
            }
        }
        self.try_again();
        if self.client.awaiting() > 0 {
            return;
        }
        self.check_wait();
        if let Some(mean_bytes) = self.client.job_output().checked_div(std::mem::take(&mut self.last_steps)) {
            let steps = limits::JOB_OUTPUT_BYTES / mean_bytes.max(1);
            self.max_steps = steps.clamp(MIN_JOB_STEPS, limits::MAX_PIPELINE_COMMANDS);
        }
        self.client.resume.set(false);
        while self.may_parse() {
            let mut job = Job { ticket: self.client.id, ..Job::default() };
            let more = self.fill(&mut job);
            if job.steps.is_empty() {
                if !more {
                    break;
                }
                continue;
            }
            self.client.resume.set(more || self.eof);
            // What changes it is a barrier: one value holds for the job.
            job.consistency = self.consistency();
            self.submit(job);
        }
    }

    fn may_parse(&self) -> bool {
        self.client.awaiting() == 0
            && !self.quitting
            && !self.client.replicates.get()
            && self.wait.is_none()
            && !self.is_paused()
            && !self.client.control.awaits_room.get()
            && !self.waits_for_users()
            && self.client.closing().is_none()
            && self.client.unsent() < limits::OUTPUT_HIGH_WATER_BYTES
            && (self.held.is_some() || !self.shared.clients.shutting_down())
    }

    /// Parses into `job` until it is full or there is no whole request. Whether there may
    /// be more to do once it has been answered.
    fn fill(&mut self, job: &mut Job) -> bool {
        let mut size_bytes = 0;
        while job.steps.len() < self.max_steps && size_bytes < limits::MAX_PIPELINE_BYTES {
            if !self.may_parse() {
                return !job.steps.is_empty(); // what was not parsed has to be taken up again
            }
            let request = match self.next_request(!job.steps.is_empty()) {
                Ok(Some(request)) => request,
                Ok(None) => return self.failed.is_some(),
                Err(error) => {
                    self.client.write_with(|out| error.encode(out));
                    self.quitting = true;
                    return false;
                }
            };
            size_bytes += request.size_bytes();
            if job.steps.len() == 1 {
                job.steps.reserve(PIPELINED_STEPS); // a pipeline: the second is not the last
                job.body.reserve(PIPELINED_STEPS * job.body.len().min(PIPELINED_UNIT_BYTES));
            }
            let is_alone = self.client.control.begin_command();
            match self.dispatch(request, job) {
                Flow::Next if !is_alone => self.count_command(),
                Flow::Next | Flow::Submit => {
                    self.count_command();
                    return true;
                }
                Flow::Hold(request) => {
                    self.client.control.put_back();
                    self.held = Some(request);
                    return true;
                }
            }
        }
        true
    }

    /// An error waits its turn behind what is `pending`.
    fn next_request(&mut self, pending: bool) -> Result<Option<Request>, ProtocolError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if let Some(request) = self.held.take() {
            return Ok(Some(request));
        }
        match self.reader.next() {
            Err(error) if pending => {
                self.failed = Some(error);
                Ok(None)
            }
            decoded => decoded,
        }
    }

    fn count_command(&self) {
        let stats = self.shared.clients.stats();
        stats.add(&stats.commands_processed, 1);
        self.client.control.db.set(self.session.db);
        if self.client.tracker.is_on() {
            self.end_caching();
        }
    }

    pub(super) fn submit(&mut self, job: Job) {
        self.last_steps = job.steps.len();
        if job.writes() {
            self.wrote_until.set(None);
        }
        self.client.expect(job.steps.len(), self.capture.is_some());
        if self.client.tracker.is_on() {
            self.client.tracker.expect(self.step_keys.drain(..));
        }
        let Err(job) = self.shared.backend.submit(job) else {
            if !self.brought.is_empty() {
                self.shared.clients.blocked.expect(std::mem::take(&mut self.brought));
            }
            return;
        };
        self.brought.clear();
        self.client.expect(0, false);
        self.capture = None;
        for step in job.steps {
            match step {
                Step::Ready(reply) => self.client.send(&reply),
                _ => self.client.send(&TRY_AGAIN),
            }
        }
    }

    fn check_wait(&mut self) {
        if self.waits_for_the_end() {
            return;
        }
        let Some(wait) = &self.wait else { return };
        let status = self.shared.backend.status();
        let unblocked = self.client.control.unblock.take();
        let left = self.eof && !wait.goal.outlives_client();
        let over = left || Instant::now() >= wait.deadline;
        let given_up = || match unblocked {
            Some(Unblock::Error) => Some(UNBLOCKED),
            Some(Unblock::Timeout) => Some(wait.goal.given_up(&status)),
            // Even if its time is over as well: nobody has tried for a last time.
            None if self.shared.clients.shutting_down() => Some(wait.goal.cut_short(&status)),
            None => over.then(|| wait.goal.given_up(&status)),
        };
        if let Some(reply) = wait.goal.reached(&status).or_else(given_up) {
            let wait = self.wait.take();
            self.client.blocked.set(false);
            if let Some(reply) = self.woke(wait, reply) {
                self.deliver(&reply);
            }
        }
    }

    /// Whether nobody is there to have what would be done.
    pub(super) fn has_left(&self) -> bool {
        self.eof || self.client.closing().is_some() || self.shared.clients.shutting_down()
    }

    /// Whether to read on. A job under way does not stop it, so that a client that leaves
    /// is noticed; a full buffer does.
    fn reads(&self) -> bool {
        let waits = self.client.awaiting() > 0
            || self.wait.is_some()
            || self.is_paused()
            || self.client.control.awaits_room.get()
            || self.waits_for_users()
            || self.client.unsent() >= limits::OUTPUT_HIGH_WATER_BYTES;
        !self.eof && !self.quitting && (!waits || !self.reader.is_full())
    }

    /// Whether the connection still stands.
    fn received(&mut self, result: io::Result<usize>) -> bool {
        let stats = self.shared.clients.stats();
        match result {
            Ok(0) => self.eof = true,
            Ok(received) => {
                stats.add(&stats.net_input_bytes, received as u64);
                self.client.active.set(Instant::now());
                self.reader.grow();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
        true
    }

    /// Whether it ends when all is answered and sent.
    fn is_ending(&self) -> bool {
        self.eof || self.quitting || self.shared.clients.shutting_down()
    }

    fn finished(&self) -> bool {
        if self.client.closing().is_some() {
            return true;
        }
        let idle = self.client.awaiting() == 0
            && self.held.is_none()
            && self.failed.is_none()
            && self.wait.is_none()
            && self.client.unsent() == 0;
        self.is_ending() && idle || self.eof && self.is_paused()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.clients.remove(&self.client);
        Tracking::settle(&self.shared);
        Replicas::settle(&self.shared);
    }
}

/// A timer that exists only when it is waited for.
async fn poll_pause(pause: Option<Duration>) {
    tokio::time::sleep(pause.unwrap_or_default()).await;
}
