//! [`Link`]: one connection to an upstream, from the handshake to its end, in the words of Redis's
//! replication protocol. What it reads comes from another server: every answer, line and wait is
//! bounded. This module must never tell the upstream of a byte that the cluster has not applied.

use super::super::Shared;
use super::feed::Feed;
use crate::command::{Reply, Source};
use crate::group::{Job, Step as JobStep};
use crate::limits;
use crate::wire::units::{Step, Upstream, put_upstream_unit};
use bytes::BytesMut;
use slog::info;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// A host that does not answer at all is given up on after this.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// `repl-timeout`: silence after which the link is down. The upstream sends something every 10 s.
const SILENCE: Duration = Duration::from_secs(60);
const ACKNOWLEDGE: Duration = Duration::from_secs(1);
/// How long one read waits at most, before it is looked whether the link is to go on.
const MOMENT: Duration = Duration::from_millis(100);
const REPLID_BYTES: usize = 40;
/// In the place of a client's: no client has this number.
const TICKET: u64 = u64::MAX - 1;

/// Why a link has ended.
#[derive(Debug)]
pub enum Failure {
    /// This node does not lead any more, or something else is to be followed.
    Over,
    /// It may come back as it was.
    Connection(String),
    /// What was sent cannot be taken.
    Copy(String),
}

/// See the module.
pub struct Link {
    pub(super) shared: Rc<Shared>,
    pub(super) session: u64,
    pub(super) input: BytesMut,
    stream: Option<TcpStream>,
    following: bool,
    heard: Instant,
    acknowledged: Instant,
}

/// How the upstream goes on.
enum Answer {
    Continue { replid: String },
    Full { replid: String, offset: u64 },
}

/// Hands a unit to the group, and waits for its reply.
async fn submit(shared: &Rc<Shared>, unit: &Upstream<'_>) -> Result<Reply, Failure> {
    let mut job = Job { ticket: TICKET, ..Job::default() };
    put_upstream_unit(&mut job.body, unit);
    if job.body.len() > limits::MAX_WRITE_BYTES {
        return Err(Failure::Copy("a key or a transaction of the upstream is too long for an entry".into()));
    }
    job.steps.push(JobStep::Write);
    let reply = shared.clients.upstream.expect(TICKET);
    shared.backend.submit(job).map_err(|_| Failure::Over)?;
    match reply.await {
        Ok(Reply::Error(text)) => match text.strip_prefix("UPSTREAM ") {
            Some(reason) => Err(Failure::Copy(reason.to_owned())),
            // Whether it will be applied is not known: the next link looks at what was.
            None => Err(Failure::Over),
        },
        Ok(reply) => Ok(reply),
        Err(_) => Err(Failure::Over),
    }
}

/// Asks for a token: from then on, nothing of the links before counts.
pub async fn take_over(shared: &Rc<Shared>, session: u64) -> Result<u64, Failure> {
    match submit(shared, &Upstream::new(session, Step::TAKE)).await? {
        Reply::Int(token) => Ok(token as u64),
        _ => Err(Failure::Over),
    }
}

/// Writes down that the link is down.
pub async fn go_down(shared: &Rc<Shared>, session: u64, reason: &str) -> Result<(), Failure> {
    let unit = Upstream { text: reason, ..Upstream::new(session, Step::DOWN) };
    submit(shared, &unit).await.map(|_| ())
}

/// Whether a link with this token has no right to go on.
pub fn is_over(shared: &Shared, session: u64) -> bool {
    let is_mine = super::source(shared).is_some_and(|source| source.session == session);
    !is_mine || !shared.backend.leads() || shared.clients.shutting_down()
}

fn broken(error: &io::Error) -> Failure {
    Failure::Connection(format!("the connection failed: {error}"))
}

fn unexpected(what: &str, line: &str) -> Failure {
    Failure::Connection(format!("the upstream answered {what} with: {line}"))
}

impl Link {
    pub fn new(shared: &Rc<Shared>, session: u64) -> Self {
        Self {
            shared: Rc::clone(shared),
            session,
            input: BytesMut::new(),
            stream: None,
            following: false,
            heard: Instant::now(),
            acknowledged: Instant::now(),
        }
    }

    /// Whether it has come so far that the cluster follows.
    pub fn is_following(&self) -> bool {
        self.following
    }

    /// From the connection to its end, which is always a failure.
    pub async fn run(&mut self) -> Failure {
        match self.try_run().await {
            Err(failure) => failure,
            Ok(never) => match never {},
        }
    }

    async fn try_run(&mut self) -> Result<std::convert::Infallible, Failure> {
        let source = self.source()?;
        self.connect(&source).await?;
        self.greet().await?;
        match self.ask_for_stream(&source).await? {
            Answer::Continue { replid } => {
                info!(self.shared.logger, "the upstream continues"; "offset" => source.offset);
                let unit = Upstream { text: &replid, ..Upstream::new(self.session, Step::CONTINUE) };
                self.submit(&unit).await?;
            }
            Answer::Full { replid, offset } => {
                info!(self.shared.logger, "the upstream sends a copy"; "offset" => offset);
                self.copy(&replid, offset).await?;
                info!(self.shared.logger, "the copy of the upstream is complete"; "offset" => offset);
            }
        }
        self.following = true;
        self.stream_on().await
    }

    pub(super) fn source(&self) -> Result<Source, Failure> {
        super::source(&self.shared).filter(|source| source.session == self.session).ok_or(Failure::Over)
    }

    pub(super) async fn submit(&self, unit: &Upstream<'_>) -> Result<Reply, Failure> {
        submit(&self.shared, unit).await
    }

    async fn connect(&mut self, source: &Source) -> Result<(), Failure> {
        let connecting = TcpStream::connect((source.host.as_str(), source.port));
        let stream = match timeout(CONNECT_PATIENCE, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Failure::Connection(format!("cannot connect: {error}"))),
            Err(_) => return Err(Failure::Connection("cannot connect: it does not answer".to_owned())),
        };
        stream.set_nodelay(true).map_err(|error| broken(&error))?;
        self.stream = Some(stream);
        Ok(())
    }

    async fn greet(&mut self) -> Result<(), Failure> {
        let pong = self.ask(&["PING"]).await?;
        // It may want a password first.
        if !["+", "-NOAUTH", "-NOPERM", "-ERR operation not permitted"].iter().any(|ok| pong.starts_with(ok))
        {
            return Err(unexpected("PING", &pong));
        }
        let (mut user, mut password) = (String::new(), String::new());
        self.shared.backend.look(&mut |machine| {
            user.clone_from(&machine.settings().master_user);
            password.clone_from(&machine.settings().master_password);
        });
        if !password.is_empty() {
            let asked = match user.is_empty() {
                true => self.ask(&["AUTH", &password]).await?,
                false => self.ask(&["AUTH", &user, &password]).await?,
            };
            if asked.starts_with('-') {
                return Err(unexpected("AUTH", &asked));
            }
        }
        // An upstream that does not know these goes on without.
        let port = self.shared.addr.port().to_string();
        self.ask(&["REPLCONF", "listening-port", &port]).await?;
        self.ask(&["REPLCONF", "capa", "eof", "capa", "psync2"]).await?;
        Ok(())
    }

    /// A cluster that follows itself would lose everything to an empty copy. Each of its nodes names
    /// it in `INFO`; an upstream that does not let itself be asked is believed to be another.
    async fn refuse_own(&mut self) -> Result<(), Failure> {
        let asked = self.ask(&["INFO", "replication"]).await?;
        let Some(len) = asked.strip_prefix('$').and_then(|len| len.parse::<usize>().ok()) else {
            return Ok(());
        };
        if len > limits::MAX_UPSTREAM_LINE_BYTES {
            return Err(Failure::Connection("the upstream's INFO is too long".to_owned()));
        }
        while self.input.len() < len + 2 {
            self.read().await?;
        }
        let text = self.input.split_to(len + 2);
        let id = self.shared.backend.status().cluster_id.map_or(0, u128::from_be_bytes);
        match String::from_utf8_lossy(&text).contains(&format!("master_replid:{id:040x}")) {
            true => Err(Failure::Copy("the upstream is this cluster itself".to_owned())),
            false => Ok(()),
        }
    }

    async fn ask_for_stream(&mut self, source: &Source) -> Result<Answer, Failure> {
        let next = source.offset.saturating_add(1).to_string();
        if source.replid.is_empty() {
            self.refuse_own().await?;
        }
        let answer = match source.replid.as_str() {
            "" => self.ask(&["PSYNC", "?", "-1"]).await?,
            replid => self.ask(&["PSYNC", replid, &next]).await?,
        };
        let words: Vec<&str> = answer.split(' ').collect();
        match words[..] {
            ["+CONTINUE"] if !source.replid.is_empty() => {
                Ok(Answer::Continue { replid: source.replid.clone() })
            }
            ["+CONTINUE", replid] if is_replid(replid) && !source.replid.is_empty() => {
                Ok(Answer::Continue { replid: replid.to_owned() })
            }
            ["+FULLRESYNC", replid, offset] if is_replid(replid) => match offset.parse() {
                Ok(offset) => Ok(Answer::Full { replid: replid.to_owned(), offset }),
                Err(_) => Err(unexpected("PSYNC", &answer)),
            },
            _ => Err(unexpected("PSYNC", &answer)),
        }
    }

    async fn stream_on(&mut self) -> Result<std::convert::Infallible, Failure> {
        let source = self.source()?;
        let mut feed = Feed::new(source.offset, source.db);
        self.acknowledge(source.offset).await?; // what follows a copy is sent once its end was found
        loop {
            while let Some(batch) = feed.next(&mut self.input).map_err(Failure::Copy)? {
                let commands = batch.commands();
                let (from, to, db) = (batch.from, batch.to, batch.db);
                let unit = Upstream { from, to, db, commands, ..Upstream::new(self.session, Step::COMMANDS) };
                self.submit(&unit).await?;
                if batch.wants_ack {
                    self.acknowledge(to).await?;
                }
            }
            self.acknowledge_now_and_then(feed.given()).await?;
            self.read().await?;
        }
    }

    async fn acknowledge_now_and_then(&mut self, offset: u64) -> Result<(), Failure> {
        if self.acknowledged.elapsed() >= ACKNOWLEDGE {
            self.acknowledge(offset).await?;
        }
        Ok(())
    }

    async fn acknowledge(&mut self, offset: u64) -> Result<(), Failure> {
        self.acknowledged = Instant::now();
        self.send(&["REPLCONF", "ACK", &offset.to_string()]).await
    }

    /// Reads what arrives within a moment. Ends with the link's right, and after too long a silence.
    pub(super) async fn read(&mut self) -> Result<(), Failure> {
        if is_over(&self.shared, self.session) {
            return Err(Failure::Over);
        }
        let Some(stream) = &mut self.stream else { return Err(Failure::Over) };
        self.input.reserve(limits::MAX_READ_BYTES);
        match timeout(MOMENT, stream.read_buf(&mut self.input)).await {
            Ok(Ok(0)) => Err(Failure::Connection("the upstream closed the connection".to_owned())),
            Ok(Ok(_)) => {
                self.heard = Instant::now();
                Ok(())
            }
            Ok(Err(error)) => Err(broken(&error)),
            Err(_) if self.heard.elapsed() >= SILENCE => {
                Err(Failure::Connection("the upstream is silent".to_owned()))
            }
            Err(_) => Ok(()),
        }
    }

    /// The next line that is not empty: an upstream that is busy sends empty ones.
    pub(super) async fn line(&mut self) -> Result<String, Failure> {
        loop {
            while let Some(end) = self.input.iter().position(|&byte| byte == b'\n') {
                let line = self.input.split_to(end + 1);
                let line = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
                if !line.is_empty() {
                    return Ok(line);
                }
            }
            if self.input.len() > limits::MAX_UPSTREAM_LINE_BYTES {
                return Err(Failure::Connection("the upstream sent a line without an end".to_owned()));
            }
            self.read().await?;
        }
    }

    async fn ask(&mut self, words: &[&str]) -> Result<String, Failure> {
        self.send(words).await?;
        self.line().await
    }

    async fn send(&mut self, words: &[&str]) -> Result<(), Failure> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        let Some(stream) = &mut self.stream else { return Err(Failure::Over) };
        match timeout(SILENCE, stream.write_all(request.as_bytes())).await {
            Ok(sent) => sent.map_err(|error| broken(&error)),
            Err(_) => Err(Failure::Connection("the upstream does not read".to_owned())),
        }
    }
}

fn is_replid(word: &str) -> bool {
    word.len() == REPLID_BYTES && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
