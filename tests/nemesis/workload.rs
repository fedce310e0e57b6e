//! The clients: some on every node, in bands that work on the same few objects. All that they
//! do and are told is recorded with the time of one clock.

use super::availability::Availability;
use super::objects::{Band, Kind, Object};
use super::typed;
use super::wire;
use crate::harness::client::{Client, request};
use bowline::history::{Action, Call, Operation, Outcome, Value, What};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a client waits before it asks a node again that does not run.
const RECONNECT: Duration = Duration::from_millis(20);
/// Longer than any node may keep a command.
const REPLY_PATIENCE: Duration = Duration::from_secs(15);
/// How long clients that are ahead of their rate wait; then all are at work at once.
const BREATH: Duration = Duration::from_millis(10);
/// How long the clients of a band favour the same object.
const FOCUS_NS: u64 = 200_000_000;
/// Complaints that are kept.
const MOST_COMPLAINTS: usize = 50;

/// What all clients share.
pub struct Shared {
    started: Instant,
    /// Operations a second, of all clients together.
    rate: u64,
    pub stop: AtomicBool,
    pub ok: AtomicU64,
    pub failed: AtomicU64,
    pub unknown: AtomicU64,
    pub writes: Availability,
    pub typed: typed::Counts,
    pub amid_faults: AtomicBool,
    complaints: Mutex<Vec<String>>,
}

impl Shared {
    pub fn new(rate: u64) -> Self {
        Self {
            started: Instant::now(),
            rate,
            stop: AtomicBool::new(false),
            ok: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            writes: Availability::default(),
            typed: typed::Counts::default(),
            amid_faults: AtomicBool::new(false),
            complaints: Mutex::default(),
        }
    }

    pub fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    pub fn operations(&self) -> u64 {
        [&self.ok, &self.failed, &self.unknown].map(|count| count.load(Ordering::Relaxed)).iter().sum()
    }

    pub fn is_amid_faults(&self) -> bool {
        self.amid_faults.load(Ordering::Relaxed)
    }

    /// Something that must never be seen.
    pub fn complain(&self, what: String) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if complaints.len() < MOST_COMPLAINTS {
            complaints.push(what);
        }
    }

    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A client, on its own thread.
pub struct Worker {
    id: u64,
    node: u64,
    addr: String,
    /// Of all nodes.
    addrs: Vec<String>,
    client: Option<Client>,
    rng: SmallRng,
    band: Arc<Band>,
    shared: Arc<Shared>,
    number: u64,
    last_value: Box<str>,
    /// A stream had no group.
    lacks_group: bool,
    /// Whether it takes what its node has, however old.
    pub stale: bool,
}

impl Worker {
    /// The `id`th client, of one of the nodes at `addrs`, which count from 1.
    pub fn new(
        id: u64,
        node: u64,
        addrs: &[String],
        seed: u64,
        band: Arc<Band>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            id,
            node,
            addr: addrs[node as usize - 1].clone(),
            addrs: addrs.to_vec(),
            client: None,
            rng: SmallRng::seed_from_u64(seed ^ id.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            band,
            shared,
            number: 0,
            last_value: "".into(),
            lacks_group: false,
            stale: false,
        }
    }

    pub fn run(mut self) {
        while !self.shared.stop.load(Ordering::Relaxed) {
            let due = self.shared.now_ns() as u128 * u128::from(self.shared.rate) / 1_000_000_000;
            if u128::from(self.shared.operations()) > due {
                std::thread::sleep(BREATH);
                continue;
            }
            if self.client.is_none() {
                self.client = self.connect(&self.addr).ok();
            }
            if self.client.is_none() {
                std::thread::sleep(RECONNECT);
                continue;
            }
            self.one_operation();
        }
    }

    fn connect(&self, addr: &str) -> io::Result<Client> {
        let mut client = Client::try_connect(addr, REPLY_PATIENCE)?;
        if self.stale {
            client.try_call(&["READONLY"])?;
        }
        Ok(client)
    }

    fn one_operation(&mut self) {
        self.number += 1;
        let focus = (self.shared.now_ns() / FOCUS_NS) as usize % self.band.len();
        let place = if self.rng.random() { focus } else { self.rng.random_range(0..self.band.len()) };
        let object = self.band.object(place);
        let begun = object.begin();
        if object.kind == Kind::Watched && self.rng.random_ratio(2, 3) {
            return self.watched(&object);
        }
        if object.kind == Kind::Once && self.rng.random_ratio(2, 3) {
            return self.once(&object);
        }
        let action = self.action(&object, begun);
        let told = self.perform(&object, action.clone());
        typed::learn(&object, &action, told.as_ref());
        if self.lacks_group {
            self.lacks_group = false;
            let create = typed::make_group(&object);
            // Somebody else may do it at the same time, or it may get lost: then who needs it next does it.
            if self.exchange(&[create]).is_err() {
                self.client = None;
            }
        }
        self.learn(&object, told.as_ref());
    }

    /// Values are never used twice.
    fn fresh(&mut self) -> Box<str> {
        let value: Box<str> = format!("{}-{}", self.id, self.number).into();
        self.last_value = value.clone();
        value
    }

    fn action(&mut self, object: &Object, begun: usize) -> Action {
        let dice = self.rng.random_range(0..12);
        let version = object.version.load(Ordering::Relaxed);
        let what = match (object.kind, dice) {
            (Kind::Register | Kind::Counter | Kind::List, 0..=3) => What::Get,
            (Kind::Register | Kind::Counter, 4) | (Kind::Versions, 0..=3) => What::GetV,
            (Kind::Register, 5..8) => What::Set(self.fresh()),
            (Kind::Register, 8) => What::SetNx(self.fresh()),
            (Kind::Register, 9) => {
                let old = self.last_value.clone();
                What::SetIfEq { value: self.fresh(), old }
            }
            (Kind::Register, 10) => What::Del,
            (Kind::Register, _) => What::DelIfEq(self.last_value.clone()),
            (Kind::Counter, _) => What::IncrBy(self.rng.random_range(1..4)),
            (Kind::List, _) => What::Append(format!("{begun:03};").into()),
            (Kind::Versions, 4) if version > 0 => What::Cad(version),
            (Kind::Versions, _) => What::Cas { version, value: self.fresh() },
            (Kind::Expiring, 0) => What::SetPx { value: self.fresh(), ms: self.rng.random_range(1..1500) },
            (Kind::Expiring, 1..4) => What::GetV,
            (Kind::Watched | Kind::Expiring | Kind::Once, _) => What::Get,
            (Kind::Transfer, _) => return self.transfer(object, dice),
            _ => return typed::action(&mut self.rng, object, begun),
        };
        Action::One(Call { key: object.key().clone(), what })
    }

    /// Moves something from one key to another, or looks at all.
    fn transfer(&mut self, object: &Object, dice: u32) -> Action {
        let (from, to) = (dice as usize % 3, (dice as usize + 1) % 3);
        let call = |key: usize, what| Call { key: object.keys[key].clone(), what };
        match dice {
            0..3 => Action::MGet(object.keys.clone()),
            3 => Action::Transaction((0..3).map(|key| call(key, What::GetV)).collect()),
            4 => Action::One(call(to, What::Get)),
            _ => {
                let amount = self.rng.random_range(1..100);
                let moved = [call(from, What::IncrBy(-amount)), call(to, What::IncrBy(amount))];
                Action::Transaction(moved.into())
            }
        }
    }

    /// WATCH, GETV, MULTI, SET, EXEC.
    fn watched(&mut self, object: &Object) {
        let key = object.key().clone();
        let watch = self.client.as_mut().map(|client| client.try_call(&["WATCH", &*key]));
        match watch {
            Some(Ok(reply)) if reply.error().is_none() => {}
            Some(Ok(_)) | None => return,
            Some(Err(_)) => return self.client = None,
        }
        let getv = Action::One(Call { key: key.clone(), what: What::GetV });
        let (version, number) = match self.perform(object, getv) {
            Some(Value::Nil) => (0, 0),
            Some(Value::Array(parts)) => match parts.as_slice() {
                [Value::Text(text), Value::Int(version), _] => (*version, text.parse::<u64>().unwrap_or(0)),
                _ => return,
            },
            _ => return self.client = None, // which forgets what it watches
        };
        object.begin();
        let calls = [What::Watch(version as u64), What::Set((number + 1).to_string().into())];
        let calls = calls.map(|what| Call { key: key.clone(), what });
        self.perform(object, Action::Transaction(calls.into()));
    }

    fn learn(&self, object: &Object, told: Option<&Value>) {
        let seen = match told {
            Some(Value::Array(parts)) if object.kind == Kind::Versions => parts.get(1).cloned(),
            Some(Value::Int(version)) if object.kind == Kind::Versions => Some(Value::Int(*version)),
            Some(Value::Nil) => Some(Value::Int(0)),
            Some(Value::Error(text)) => {
                text.rsplit(' ').next().and_then(|found| found.parse().ok()).map(Value::Int)
            }
            _ => None,
        };
        if let Some(Value::Int(version)) = seen {
            object.version.store(version as u64, Ordering::Relaxed);
        }
    }

    /// Carries an action out, and records it: the reply, if there is one.
    fn perform(&mut self, object: &Object, action: Action) -> Option<Value> {
        let start_ns = self.shared.now_ns();
        let outcome = self.attempt(&action, &wire::requests(&action));
        self.record(object, action, outcome, start_ns)
    }

    /// ONCE INCRBY, until its outcome is known or the run is over; again at any node.
    fn once(&mut self, object: &Object) {
        let call = Call { key: object.key().clone(), what: What::IncrBy(1) };
        let action = Action::One(call);
        let mut request = vec!["ONCE".to_owned(), format!("client-{}", self.id), self.number.to_string()];
        request.extend(wire::requests(&action).remove(0));
        let start_ns = self.shared.now_ns();
        let mut outcome = self.attempt(&action, std::slice::from_ref(&request));
        let mut may_have_happened = outcome == Outcome::Unknown;
        let mut is_elsewhere = false;
        while !matches!(outcome, Outcome::Ok(_)) && !self.shared.stop.load(Ordering::Relaxed) {
            std::thread::sleep(RECONNECT);
            let addr = self.addrs.choose(&mut self.rng).expect("nodes").clone();
            self.client = self.connect(&addr).ok();
            is_elsewhere = true;
            if self.client.is_some() {
                outcome = self.attempt(&action, std::slice::from_ref(&request));
                may_have_happened |= outcome == Outcome::Unknown;
            }
        }
        if may_have_happened && outcome == Outcome::Fail {
            outcome = Outcome::Unknown;
        }
        if is_elsewhere {
            self.client = None; // back to its own node
        }
        self.record(object, action, outcome, start_ns);
    }

    /// Sends the requests of an action, and tells what the reply to the last one means.
    fn attempt(&mut self, action: &Action, requests: &[Vec<String>]) -> Outcome {
        match self.exchange(requests) {
            Ok(reply) => {
                self.lacks_group |= reply.error().is_some_and(|error| error.starts_with(wire::NO_GROUP));
                wire::outcome(action, &reply).unwrap_or_else(|error| {
                    self.shared.complain(format!("node {}: {action:?}: {error}", self.node));
                    Outcome::Unknown
                })
            }
            Err(error) => {
                self.broke(&error);
                Outcome::Unknown
            }
        }
    }

    fn record(&self, object: &Object, action: Action, outcome: Outcome, start_ns: u64) -> Option<Value> {
        let end_ns = self.shared.now_ns();
        let is_write = wire::is_write(&action);
        let (count, told) = match &outcome {
            Outcome::Ok(value) => (&self.shared.ok, Some(value.clone())),
            Outcome::Fail => (&self.shared.failed, None),
            Outcome::Unknown => (&self.shared.unknown, None),
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.shared.typed.count(object.kind, &action, &outcome, self.shared.is_amid_faults());
        if is_write && told.is_some() {
            self.shared.writes.succeeded(end_ns);
        }
        let is_unknown_write = is_write && outcome == Outcome::Unknown;
        let operation = Operation { client: self.id, action, outcome, start_ns, end_ns };
        object.record(operation, is_unknown_write);
        told
    }

    fn broke(&mut self, error: &io::Error) {
        self.client = None;
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            self.shared.complain(format!("node {}: no reply within {REPLY_PATIENCE:?}", self.node));
        }
    }

    /// The reply to the last of the requests.
    fn exchange(&mut self, requests: &[Vec<String>]) -> io::Result<crate::harness::Value> {
        let bytes: Vec<u8> = requests.iter().flat_map(|args| request(args)).collect();
        let client = self.client.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        client.stream.write_all(&bytes)?;
        let mut reply = client.read()?;
        for _ in 1..requests.len() {
            reply = client.read()?;
        }
        Ok(reply)
    }
}
