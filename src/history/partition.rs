//! Splits a history into sets of keys that no operation connects. An operation on keys of one
//! set says nothing of another (linearizability is local), so each is judged alone.

use super::{Action, Call, Operation, Outcome, Typed, What};
use hashbrown::HashTable;
use siphasher::sip::SipHasher13;
use std::sync::Arc;

/// Keys that are connected, and the operations on them by their place in the history.
pub(super) struct Part {
    pub(super) keys: Vec<Arc<str>>,
    pub(super) operations: Vec<u32>,
}

/// The keys in the order of their appearance, and which of them have a common operation.
#[derive(Default)]
struct Keys {
    names: Vec<Arc<str>>,
    by_name: HashTable<u32>,
    parents: Vec<u32>,
}

fn hash(name: &str) -> u64 {
    SipHasher13::new().hash(name.as_bytes())
}

impl Keys {
    fn id(&mut self, name: &Arc<str>) -> u32 {
        let names = &self.names;
        let hashed = hash(name);
        if let Some(id) = self.by_name.find(hashed, |id| names[*id as usize] == *name) {
            return *id;
        }
        let id = self.names.len() as u32;
        self.names.push(name.clone());
        self.parents.push(id);
        let names = &self.names;
        self.by_name.insert_unique(hashed, id, |id| hash(&names[*id as usize]));
        id
    }

    fn root(&mut self, mut id: u32) -> u32 {
        while self.parents[id as usize] != id {
            let grandparent = self.parents[self.parents[id as usize] as usize];
            self.parents[id as usize] = grandparent;
            id = grandparent;
        }
        id
    }

    /// The older root wins, so that the order of the parts follows the history.
    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }
}

/// The keys of an action, in its order.
pub(super) fn keys(action: &Action) -> Vec<&Arc<str>> {
    match action {
        Action::One(call) => keys_of(call),
        Action::Transaction(calls) => calls.iter().flat_map(keys_of).collect(),
        Action::MGet(keys) => keys.iter().collect(),
    }
}

fn keys_of(call: &Call) -> Vec<&Arc<str>> {
    match &call.what {
        What::Typed(Typed::Move { to, .. }) => vec![&call.key, to],
        _ => vec![&call.key],
    }
}

/// What failed is left out: it never happened.
pub(super) fn partition(history: &[Operation]) -> Vec<Part> {
    let mut all = Keys::default();
    let mut first_key = vec![None; history.len()];
    for (operation, first) in history.iter().zip(&mut first_key) {
        if operation.outcome == Outcome::Fail {
            continue;
        }
        for key in keys(&operation.action) {
            let id = all.id(key);
            match *first {
                None => *first = Some(id),
                Some(first) => all.join(first, id),
            }
        }
    }
    let mut place: Vec<Option<usize>> = vec![None; all.names.len()];
    let mut parts: Vec<Part> = Vec::new();
    for id in 0..all.names.len() as u32 {
        let root = all.root(id) as usize;
        let at = *place[root].get_or_insert_with(|| {
            parts.push(Part { keys: Vec::new(), operations: Vec::new() });
            parts.len() - 1
        });
        parts[at].keys.push(all.names[id as usize].clone());
    }
    for (number, first) in (0..).zip(first_key) {
        if let Some(at) = first.and_then(|id| place[all.root(id) as usize]) {
            parts[at].operations.push(number);
        }
    }
    parts
}
