//! What clients work on: a key, or a few that belong together, for as many operations as a
//! checker can decide; then another takes its place.

use bowline::history::Operation;
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
}

impl Kind {
    pub const ALL: [Kind; 8] = [
        Kind::Register,
        Kind::Counter,
        Kind::List,
        Kind::Versions,
        Kind::Watched,
        Kind::Transfer,
        Kind::Expiring,
        Kind::Once,
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
        }
    }

    /// Operations on one object, about.
    fn most_operations(self) -> usize {
        match self {
            Kind::List => 300,    // each read is as long as all that was appended
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
    begun: AtomicUsize,
    unknown: AtomicUsize,
    history: Mutex<Vec<Operation>>,
}

impl Object {
    fn new(kind: Kind, number: usize) -> Self {
        let name = format!("{}:{number}", kind.name());
        let keys = match kind {
            Kind::Transfer => ["a", "b", "c"].map(|part| format!("{name}:{part}").into()).into(),
            _ => vec![name.into()],
        };
        Self {
            kind,
            keys,
            version: AtomicU64::new(0),
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
            || self.unknown.load(Ordering::Relaxed) >= MOST_UNKNOWN
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
