//! One client: a connection at a time, to one server after the other, and one request at a time. What it
//! knows of how a request ended is what any client would know: it must not ask the relay.

use super::connection::{Connection, Reply, recorded};
use super::dice::Dice;
use super::plan::ClientPlan;
use super::record::Kind;
use super::recorder::Done;
use super::relay::Relay;
use super::shared::{Phase, Shared};
use super::values;
use crate::history::{Call, Outcome, Value, What};
use redis::{Cmd, cmd};
use std::collections::BTreeMap;
use std::fmt::Arguments;
use std::rc::Rc;
use std::sync::Arc;

/// How long a client waits before it looks for a server again, when none could be reached.
const NO_SERVER_PAUSE_MS: u64 = 20;

/// What a client learns of a request.
pub enum Told {
    /// A reply, or what the server found (`KEYEXISTS`, `VERSIONMISMATCH`: [`Value::Error`]).
    Reply(Value),
    /// It has certainly not taken place: a server said so.
    Refused(String),
    /// Nor has this: no server could be reached.
    Unreached(String),
    /// Nothing: whether it took place is open.
    Lost(String),
    /// The run is over.
    Cancelled,
}

impl Told {
    /// What the history has of it.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Reply(value) => Outcome::Ok(value.clone()),
            Self::Refused(_) | Self::Unreached(_) => Outcome::Fail,
            Self::Lost(_) | Self::Cancelled => Outcome::Unknown,
        }
    }

    /// What comes of it, if nothing more is found out.
    pub fn end(self) -> End {
        match self {
            Self::Reply(value) => End::Done(value),
            Self::Refused(_) | Self::Unreached(_) | Self::Lost(_) => End::Failed,
            Self::Cancelled => End::Cancelled,
        }
    }
}

/// What came of something that a client did.
pub enum End {
    /// It is known what the server says to it.
    Done(Value),
    /// It has not taken place, or nobody knows.
    Failed,
    /// The run is over.
    Cancelled,
}

/// See the module's text.
pub struct Client {
    pub(super) shared: Rc<Shared>,
    /// Its number in the history.
    pub(super) id: u64,
    pub(super) plan: ClientPlan,
    /// Where its keys stand in [`super::keys::Keys`].
    pub(super) places: Vec<usize>,
    pub(super) dice: Dice,
    /// The version that it knows of a key.
    pub(super) versions: BTreeMap<Arc<str>, u64>,
    /// Values that it has made.
    pub(super) number: u64,
    /// Numbers of its session that it has used.
    pub(super) seq: u64,
    relay: Option<Rc<Relay>>,
    connection: Option<Connection>,
    server: usize,
}

impl Client {
    /// The `id`th client.
    pub fn new(shared: Rc<Shared>, id: u64, plan: ClientPlan, seed: u64, relay: Option<Rc<Relay>>) -> Self {
        let places = shared.keys.borrow().places(&plan.keys);
        let server = id as usize % shared.setting.servers.len();
        let dice = Dice::new(seed, 2 * id);
        let versions = BTreeMap::new();
        Self { shared, id, plan, places, dice, versions, number: 0, seq: 0, relay, connection: None, server }
    }

    /// What is asked of a server for `call`.
    fn request(&self, call: &Call, once: Option<u64>) -> Cmd {
        let mut request = match once {
            None => Cmd::new(),
            Some(seq) => {
                let mut request = cmd("ONCE");
                request.arg(format!("{}{}", self.shared.setting.sessions, self.plan.name)).arg(seq);
                request
            }
        };
        let key = &*call.key;
        match &call.what {
            What::GetV => request.arg("GETV").arg(key),
            What::Set(tag) => request.arg("SET").arg(key).arg(values::value(tag)),
            What::Cas { version, value } => {
                request.arg("CAS").arg(key).arg(*version).arg(values::value(value))
            }
            What::Del => request.arg("DEL").arg(key),
            What::Append(token) => request.arg("APPEND").arg(key).arg(&**token),
            What::IncrBy(by) => request.arg("INCRBY").arg(key).arg(*by),
            // Nothing else is ever asked for.
            _ => request.arg("GET").arg(key),
        };
        request
    }

    /// Sends one request, on a new connection if need be. Errors are counted as those of `kind`.
    pub async fn ask(&mut self, kind: Kind, call: &Call, once: Option<u64>) -> Told {
        let shared = self.shared.clone();
        let since_ns = self.now_ns();
        let Some(outcome) = shared.unless(Phase::Cancelled, self.exchange(call, once)).await else {
            self.connection = None;
            return Told::Cancelled;
        };
        let is_heard = outcome.is_ok();
        let told = match outcome {
            Ok(Reply::Of(value)) => Told::Reply(recorded(&value, values::shorten)),
            Ok(Reply::Conflict(text)) => Told::Reply(Value::Error(text.as_str().into())),
            Ok(Reply::Refused(text)) => Told::Refused(text),
            Err(Broken::NotSent(text)) => Told::Unreached(text),
            Ok(Reply::Unknown(text)) | Err(Broken::Lost(text)) => Told::Lost(text),
        };
        let mut recorder = shared.recorder.borrow_mut();
        if let Told::Refused(text) | Told::Unreached(text) | Told::Lost(text) = &told {
            recorder.count_error(self.id, kind, text);
        }
        if is_heard {
            recorder.hear();
        } else {
            recorder.count_silence(since_ns);
        }
        told
    }

    async fn exchange(&mut self, call: &Call, once: Option<u64>) -> Result<Reply, Broken> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let request = self.request(call, once);
        match connection.call(&request).await {
            Ok(reply) => {
                match &reply {
                    // Another one may be able to.
                    Reply::Refused(_) | Reply::Unknown(_) => self.next_server(),
                    Reply::Of(_) | Reply::Conflict(_) => self.connection = Some(connection),
                }
                Ok(reply)
            }
            Err(broken) => {
                if broken.is_late {
                    self.next_server();
                }
                Err(Broken::Lost(broken.text))
            }
        }
    }

    /// To its server, or to the first of the others that can be reached.
    async fn connect(&mut self) -> Result<Connection, Broken> {
        let mut last = String::new();
        for _ in 0..self.shared.setting.servers.len() {
            let setting = &self.shared.setting;
            match Connection::open(&setting.servers[self.server], &setting.dial, self.relay.as_ref()).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
            self.next_server();
        }
        tokio::time::sleep(std::time::Duration::from_millis(NO_SERVER_PAUSE_MS)).await;
        Err(Broken::NotSent(last))
    }

    /// Leaves its server for the next.
    pub fn next_server(&mut self) {
        self.connection = None;
        self.server = (self.server + 1) % self.shared.setting.servers.len();
    }

    /// Reads a key: the reply. A loss is followed by another try, as often as the configuration says; each
    /// try is an operation.
    pub async fn read(&mut self, key: &Arc<str>, what: What) -> End {
        let mut tries = 0;
        loop {
            let text = match self.read_once(key, what.clone(), tries > 0).await {
                Told::Reply(value) => {
                    if tries > 0 {
                        self.log(key, format_args!("RECOVERED after {tries} retries"));
                    }
                    return End::Done(value);
                }
                Told::Cancelled => return End::Cancelled,
                Told::Refused(text) | Told::Unreached(text) | Told::Lost(text) => text,
            };
            if tries == self.shared.setting.max_retries {
                self.log(key, format_args!("NETWORK ERROR {text}; given up after {tries} retries"));
                return End::Failed;
            }
            tries += 1;
            if !self.try_again(Kind::Get, key, &text, tries).await {
                return End::Cancelled;
            }
        }
    }

    /// One try.
    pub async fn read_once(&mut self, key: &Arc<str>, what: What, is_again: bool) -> Told {
        let start_ns = self.now_ns();
        let call = Call { key: key.clone(), what };
        let told = self.ask(Kind::Get, &call, None).await;
        self.record(Kind::Get, call, told.outcome(), start_ns, is_again);
        if matches!(told, Told::Cancelled) {
            self.log(key, format_args!("CANCELLED"));
        }
        told
    }

    /// Logs and counts a loss, and waits for the next try: whether there may be one.
    pub async fn try_again(&mut self, kind: Kind, key: &Arc<str>, text: &str, tries: u32) -> bool {
        let most = self.shared.setting.max_retries;
        self.log(key, format_args!("NETWORK ERROR {text}; retry {tries} of {most}"));
        self.pause_for_retry(kind, key, tries).await
    }

    /// Counts a retry, and waits for it, but for the first: whether there may be one.
    pub async fn pause_for_retry(&mut self, kind: Kind, key: &Arc<str>, tries: u32) -> bool {
        self.shared.count_retry(self.id, kind);
        // The sooner it is asked what happened, the less has happened since.
        let sleep_ms = if tries == 1 { 0 } else { self.plan.error_sleep_ms };
        let may = self.shared.pause(sleep_ms, Phase::Cancelled).await;
        if !may {
            self.log(key, format_args!("CANCELLED"));
        }
        may
    }

    /// How the values of keys are read.
    pub fn read_value(&self) -> What {
        if self.shared.setting.has_versions { What::GetV } else { What::Get }
    }

    /// Since the run began.
    pub fn now_ns(&self) -> u64 {
        self.shared.recorder.borrow().now_ns()
    }

    /// Takes an operation down.
    pub fn record(&self, kind: Kind, call: Call, outcome: Outcome, start_ns: u64, is_recovered: bool) {
        self.shared.record(Done { client: self.id, kind, call, outcome, start_ns, is_recovered });
    }

    /// A line of the log.
    pub fn log(&self, key: &str, what: Arguments<'_>) {
        self.shared.line(&self.plan.name, key, what);
    }
}

/// Why there is no reply.
enum Broken {
    /// Nothing was sent.
    NotSent(String),
    /// Something was.
    Lost(String),
}
