//! What clients work on: a key, or a few that belong together, for as many operations as a
//! checker can decide; then another takes its place.

use bowline::history::{Operation, Typed, What};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

/// Writes of unknown outcome after which an object is let go of. Each client can add one more.
const MOST_UNKNOWN: usize = 4;

/// Which commands an object gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SET, SET NX, SET IFEQ, DEL, DELIFEQ, GET, GETV.
    Register,
    /// INCRBY, GET, GETV.
    Counter,
    /// APPEND of tokens of one length, GET.
    List,
    /// CAS, CAD, GETV.
    Versions,
    /// A counter that WATCH, GETV, MULTI, SET, EXEC increments.
    Watched,
    /// Three keys, in transactions and MGET.
    Transfer,
    /// SET PX, GET, GETV.
    Expiring,
    /// A counter that is incremented by ONCE, repeated on any node until the outcome is known.
    Once,
    /// Three lists that only grow, in transactions.
    Lists,
    /// Two lists: what comes into the first is moved into the second and taken from it, also by who waits.
    Queue,
    /// SADD, SPOP, SMEMBERS.
    Set,
    /// ZADD, ZPOPMIN, BZPOPMIN, ZRANGE.
    Scores,
    /// Two fields of a hash, counters.
    Fields,
    /// A stream with a consumer group.
    Stream,
}

impl Kind {
    pub const ALL: [Kind; 14] = [
        Kind::Register,
        Kind::Counter,
        Kind::List,
        Kind::Versions,
        Kind::Watched,
        Kind::Transfer,
        Kind::Expiring,
        Kind::Once,
        Kind::Lists,
        Kind::Queue,
        Kind::Set,
        Kind::Scores,
        Kind::Fields,
        Kind::Stream,
    ];

    fn name(self) -> &'static str {
        match self {
            Kind::Register => "register",
            Kind::Counter => "counter",
            Kind::List => "list",
            Kind::Versions => "versions",
            Kind::Watched => "watched",
            Kind::Transfer => "transfer",
            Kind::Expiring => "expiring",
            Kind::Once => "once",
            Kind::Lists => "lists",
            Kind::Queue => "queue",
            Kind::Set => "set",
            Kind::Scores => "scores",
            Kind::Fields => "fields",
            Kind::Stream => "stream",
        }
    }

    /// Whether its judge can do with any number of operations of unknown outcome.
    pub fn is_typed(self) -> bool {
        matches!(self, Kind::Lists | Kind::Queue | Kind::Set | Kind::Scores | Kind::Stream)
    }

    /// What shows, of a key, all that there is.
    pub fn looks(self) -> Vec<What> {
        match self {
            Kind::Lists | Kind::Queue => vec![What::Typed(Typed::Range)],
            Kind::Set => vec![What::Typed(Typed::Members)],
            Kind::Scores => vec![What::Typed(Typed::Ranked)],
            Kind::Stream => vec![What::Typed(Typed::Logged), What::Typed(Typed::Pending)],
            Kind::Fields => vec![What::Get],
            _ => vec![What::GetV],
        }
    }

    /// Operations on one object, about.
    fn most_operations(self) -> usize {
        match self {
            Kind::List => 300, // each read is as long as all that was appended
            kind if kind.is_typed() => 400,
            Kind::Expiring => 40, // each deadline may pass at any time, for all a checker knows
            _ => 900,
        }
    }
}

/// Keys that are judged together.
pub struct Object {
    pub kind: Kind,
    pub keys: Vec<Arc<str>>,
    /// The version that somebody saw last: what a CAS may succeed with.
    pub version: AtomicU64,
    /// Entries of a stream that somebody was handed out, to be acknowledged.
    pub handed_out: Mutex<Vec<Box<str>>>,
    begun: AtomicUsize,
    unknown: AtomicUsize,
    history: Mutex<Vec<Operation>>,
}

impl Object {
    fn new(kind: Kind, number: usize) -> Self {
        let name = format!("{}:{number}", kind.name());
        let keys = match kind {
            Kind::Transfer | Kind::Lists => {
                ["a", "b", "c"].map(|part| format!("{name}:{part}").into()).into()
            }
            Kind::Queue => ["a", "b"].map(|part| format!("{name}:{part}").into()).into(),
            Kind::Fields => ["a", "b"].map(|part| format!("{name}/{part}").into()).into(),
            _ => vec![name.into()],
        };
        Self {
            kind,
            keys,
            version: AtomicU64::new(0),
            handed_out: Mutex::default(),
            begun: AtomicUsize::new(0),
            unknown: AtomicUsize::new(0),
            history: Mutex::default(),
        }
    }

    /// The key of an object that has one.
    pub fn key(&self) -> &Arc<str> {
        &self.keys[0]
    }

    pub fn record(&self, operation: Operation, is_unknown_write: bool) {
        self.unknown.fetch_add(usize::from(is_unknown_write), Ordering::Relaxed);
        self.history.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
    }

    /// Counts an operation that begins.
    pub fn begin(&self) -> usize {
        self.begun.fetch_add(1, Ordering::Relaxed)
    }

    fn is_used_up(&self) -> bool {
        self.begun.load(Ordering::Relaxed) >= self.kind.most_operations()
            || (!self.kind.is_typed() && self.unknown.load(Ordering::Relaxed) >= MOST_UNKNOWN)
    }

    pub fn into_history(self) -> Vec<Operation> {
        self.history.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The objects of a band of clients that share them, one of each kind.
pub struct Band {
    objects: Vec<Mutex<Arc<Object>>>,
    numbers: Arc<AtomicUsize>,
    retired: Sender<Arc<Object>>,
}

impl Band {
    pub fn new(kinds: &[Kind], numbers: Arc<AtomicUsize>, retired: Sender<Arc<Object>>) -> Self {
        let number = || numbers.fetch_add(1, Ordering::Relaxed);
        let fresh = |kind: &Kind| Mutex::new(Arc::new(Object::new(*kind, number())));
        Self { objects: kinds.iter().map(fresh).collect(), numbers, retired }
    }

    /// How many objects there are at a time.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// The object at a place, of always the same kind; a new one when the last is used up.
    pub fn object(&self, place: usize) -> Arc<Object> {
        let mut object = self.objects[place].lock().unwrap_or_else(PoisonError::into_inner);
        if object.is_used_up() {
            let fresh = Object::new(object.kind, self.numbers.fetch_add(1, Ordering::Relaxed));
            let old = std::mem::replace(&mut *object, Arc::new(fresh));
            let _ = self.retired.send(old); // without a judge the run is over
        }
        object.clone()
    }

    /// Hands over what is left.
    pub fn retire(self) {
        for object in self.objects {
            let _ = self.retired.send(object.into_inner().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
