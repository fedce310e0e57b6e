//! What clients do with values that have elements: lists in transactions, queues from which elements are taken
//! and moved, sets, sorted sets, hashes of counters; some of each of them large. Every element is added once.

use super::history::{self, Action};
use bowline::command::{Reply, Request};
use bowline::group::{ReadTransaction, Step};
use bowline::history::{Action as Deed, By, Call, Typed, What};
use bowline::wire::units::{self, Args, Command};
use rand::Rng;
use rand::rngs::SmallRng;
use std::collections::VecDeque;
use std::sync::Arc;

/// Keys change when so many elements were added.
const ELEMENTS_AN_EPOCH: u64 = 800;
const DATABASES: u32 = 3;
/// Fields of a large hash.
const FIELDS: u32 = 300;

/// Entries that are remembered until somebody acknowledges them.
const MOST_HANDED_OUT: usize = 200;

/// What all clients know of what they add and take.
#[derive(Default)]
pub struct Elements {
    added: u64,
    /// Entries of streams that somebody was handed out, with the key.
    handed_out: VecDeque<(Arc<str>, Box<str>)>,
}

impl Elements {
    /// A new one.
    fn next(&mut self) -> Box<str> {
        self.added += 1;
        format!("e{}", self.added).into()
    }

    fn some(&mut self, rng: &mut SmallRng, most: usize) -> Vec<Box<str>> {
        (0..rng.random_range(1..=most)).map(|_| self.next()).collect()
    }

    /// A deed was answered.
    pub fn learn(&mut self, deed: &Deed, reply: &Reply) {
        let Deed::One(Call { key, what: What::Typed(typed) }) = deed else { return };
        let entries = match (reply, typed) {
            (Reply::Array(parts), Typed::Claim { .. }) => parts.get(1),
            (Reply::Streams(keys), Typed::Deliver { .. }) => keys.first().map(|(_, entries)| entries),
            _ => None,
        };
        let Some(Reply::Array(entries)) = entries else { return };
        for entry in entries {
            if let Reply::Array(parts) = entry
                && let Some(Reply::Bulk(id)) = parts.first()
            {
                self.handed_out.push_back((key.clone(), String::from_utf8_lossy(id).into()));
            }
        }
        let too_many = self.handed_out.len().saturating_sub(MOST_HANDED_OUT);
        self.handed_out.drain(..too_many);
    }
}

fn call(key: &str, typed: Typed) -> Call {
    Call { key: key.into(), what: What::Typed(typed) }
}

/// By a command that takes, by one that would wait, or by a script.
fn by(rng: &mut SmallRng) -> By {
    [By::Try, By::Try, By::Wait, By::Script][rng.random_range(0..4)]
}

/// What a client does next.
pub fn action(rng: &mut SmallRng, elements: &mut Elements) -> Vec<Action> {
    let epoch = elements.added / ELEMENTS_AN_EPOCH;
    let db = rng.random_range(0..DATABASES);
    let key = |name: &str, part: &str| format!("{name}.{epoch}@{db}{part}");
    let deed = match rng.random_range(0..100) {
        0..16 => return stream(rng, elements, key("x", "").into()),
        16..34 => lists(rng, elements, [key("a", "x"), key("a", "y"), key("a", "z")]),
        34..52 => queues(rng, elements, &key("q", "x"), &key("q", "y")),
        52..62 => Deed::One(sets(rng, elements, &key("s", ""), 3)),
        62..72 => scores(rng, elements, &key("z", ""), 1),
        72..78 => return vec![counter(rng, "", 4, db)],
        78..84 => return vec![counter(rng, "f", FIELDS, db)],
        84..88 => Deed::One(large_list(rng, elements, &format!("b.l@{db}"))),
        88..95 => Deed::One(sets(rng, elements, &format!("b.s@{db}"), 60)),
        95..99 => scores(rng, elements, &format!("b.z@{db}"), 12),
        _ => return vec![forms(rng)],
    };
    vec![Action::Typed(Box::new(deed))]
}

/// Lists that only grow, alone or several in a transaction.
fn lists(rng: &mut SmallRng, elements: &mut Elements, keys: [String; 3]) -> Deed {
    let one = |rng: &mut SmallRng, elements: &mut Elements| {
        let pushes = rng.random_bool(0.6);
        let typed = if pushes { Typed::Push(elements.some(rng, 2)) } else { Typed::Range };
        call(&keys[rng.random_range(0..3)], typed)
    };
    if rng.random_bool(0.6) {
        return Deed::One(one(rng, elements));
    }
    let mut calls = vec![call(&keys[0], Typed::Push(elements.some(rng, 1)))];
    calls.extend((0..rng.random_range(1..4)).map(|_| one(rng, elements)));
    if rng.random_bool(0.3) {
        calls = keys.iter().map(|key| call(key, Typed::Range)).collect();
    }
    Deed::Transaction(calls)
}

/// Two lists: what comes into the first is moved to the second or taken, and taken from the second.
fn queues(rng: &mut SmallRng, elements: &mut Elements, first: &str, second: &str) -> Deed {
    Deed::One(match rng.random_range(0..12) {
        0..4 => call(first, Typed::Push(elements.some(rng, 3))),
        4..7 => call(first, Typed::Move { to: second.into(), by: by(rng) }),
        7..9 => call(second, Typed::Pop(by(rng))),
        9 => call(first, Typed::Pop(by(rng))),
        10 => call(if rng.random() { first } else { second }, Typed::Range),
        _ => return Deed::Transaction([first, second].map(|key| call(key, Typed::Range)).into()),
    })
}

fn sets(rng: &mut SmallRng, elements: &mut Elements, key: &str, most: usize) -> Call {
    call(
        key,
        match rng.random_range(0..10) {
            0..5 => Typed::Add(elements.some(rng, most)),
            5..9 => Typed::Draw,
            _ => Typed::Members,
        },
    )
}

fn scores(rng: &mut SmallRng, elements: &mut Elements, key: &str, most: usize) -> Deed {
    Deed::One(match rng.random_range(0..10) {
        0..5 => {
            let rank = |element| Typed::Rank { score: rng.random_range(-50..50), element };
            let elements: Vec<_> = (0..most).map(|_| elements.next()).collect();
            return Deed::Transaction(elements.into_iter().map(rank).map(|typed| call(key, typed)).collect());
        }
        5..9 => call(key, Typed::PopLeast(by(rng))),
        _ => call(key, Typed::Ranked),
    })
}

fn large_list(rng: &mut SmallRng, elements: &mut Elements, key: &str) -> Call {
    call(
        key,
        match rng.random_range(0..10) {
            0..5 => Typed::Push(elements.some(rng, 60)),
            5..9 => Typed::Pop(by(rng)),
            _ => Typed::Range,
        },
    )
}

/// A stream with a group, which somebody has to make before it is read.
fn stream(rng: &mut SmallRng, elements: &mut Elements, key: Arc<str>) -> Vec<Action> {
    let consumer = rng.random_range(1..4);
    let (key, typed) = match rng.random_range(0..20) {
        0..7 => (key, Typed::Log(elements.next())),
        7..12 => (key, Typed::Deliver { consumer, count: rng.random_range(1..5), by: By::Try }),
        12..16 => match elements.handed_out.pop_front() {
            Some((key, id)) => (key, Typed::Ack(id)),
            None => (key, Typed::Claim { consumer, count: 3 }),
        },
        16..18 => (key, Typed::Claim { consumer, count: 3 }),
        18 => (key, Typed::Logged),
        _ => (key, Typed::Pending),
    };
    let deed = Action::Typed(Box::new(Deed::One(Call { key: key.clone(), what: What::Typed(typed) })));
    if rng.random_bool(0.2) { vec![Action::MakeGroup { key: key.to_string() }, deed] } else { vec![deed] }
}

/// A field of a hash.
fn counter(rng: &mut SmallRng, name: &str, fields: u32, db: u32) -> Action {
    let key = format!("h/{name}{}@{db}", rng.random_range(0..fields));
    if rng.random_bool(0.7) { Action::Incr { key } } else { Action::Get { key } }
}

/// Up to where collections are kept compactly: so that what is large is so with few elements.
fn forms(rng: &mut SmallRng) -> Action {
    let most = [4, 16, 128][rng.random_range(0..3)];
    let sizes = [
        ("hash-max-listpack-entries", most),
        ("zset-max-listpack-entries", most),
        ("set-max-intset-entries", most),
        ("list-max-listpack-size", most),
        ("stream-node-max-entries", most),
    ];
    Action::Forms { sizes: sizes.into() }
}

/// The requests of a deed, with the database that they are for.
fn requests(deed: &Deed) -> Vec<(u32, Vec<String>)> {
    let calls: &[Call] = match deed {
        Deed::One(call) => std::slice::from_ref(call),
        Deed::Transaction(calls) => calls,
        Deed::MGet(_) => &[],
    };
    let request = |call: &Call| {
        let What::Typed(typed) = &call.what else { return (0, Vec::new()) };
        let (db, key) = history::place(&call.key);
        (db, typed.request(&key, |other| history::place(other).1))
    };
    calls.iter().map(request).collect()
}

/// Whether a deed has to stand in the log.
pub fn writes(deed: &Deed) -> bool {
    let writes = |call: &Call| matches!(&call.what, What::Typed(typed) if typed.is_write());
    match deed {
        Deed::One(call) => writes(call),
        Deed::Transaction(calls) => calls.iter().any(writes),
        Deed::MGet(_) => false,
    }
}

/// A deed that only reads, as a step of a job.
pub fn read(deed: &Deed) -> Step {
    let mut requests: Vec<Request> = requests(deed).iter().map(|(db, args)| asked(*db, args)).collect();
    match deed {
        Deed::Transaction(_) => {
            Step::ReadTransaction(Box::new(ReadTransaction { watches: Vec::new(), commands: requests }))
        }
        _ => Step::Read(requests.swap_remove(0)),
    }
}

/// A request for a database.
pub fn asked(db: u32, args: &[String]) -> Request {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut request = Request::from_args(&args);
    request.db = db;
    request
}

/// What one request asks for.
pub fn request(deed: &Deed) -> (u32, Vec<String>) {
    requests(deed).swap_remove(0)
}

/// A deed as a unit of a body.
pub fn put_unit(body: &mut Vec<u8>, deed: &Deed) {
    let requests = requests(deed);
    fn args(request: &[String]) -> Args<'_> {
        request.iter().map(|arg| arg.as_bytes()).collect()
    }
    let command = |(db, request): &'_ (u32, Vec<String>)| -> Vec<u8> {
        let mut unit = Vec::new();
        units::put_command_unit(&mut unit, &args(request), *db);
        unit
    };
    match deed {
        Deed::Transaction(_) => {
            let commands: Vec<Command<'_>> = requests
                .iter()
                .map(|(db, request)| Command { args: args(request), db: *db, caller: None })
                .collect();
            units::put_transaction_unit(body, &[], &commands);
        }
        _ => requests.iter().for_each(|request| body.extend(command(request))),
    }
}
