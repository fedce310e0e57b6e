//! [`Prefixes`]: which clients hear of all keys that begin with something, and what has changed
//! since they were told last. This module must never tell anybody.

use crate::keyspace::Blob;
use std::collections::{BTreeMap, BTreeSet};

/// Keys, and who changed each last: a client of this node, or 0.
pub type Changed = BTreeMap<Blob, u64>;

/// Of one prefix.
#[derive(Default)]
struct Audience {
    clients: BTreeSet<u64>,
    changed: Changed,
}

/// See the module.
#[derive(Default)]
pub struct Prefixes {
    all: BTreeMap<Vec<u8>, Audience>,
    is_due: bool,
}

impl Prefixes {
    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn add(&mut self, prefix: &[u8], client: u64) {
        self.all.entry(prefix.to_vec()).or_default().clients.insert(client);
    }

    pub fn remove(&mut self, prefix: &[u8], client: u64) {
        let Some(audience) = self.all.get_mut(prefix) else { return };
        audience.clients.remove(&client);
        if audience.clients.is_empty() {
            self.all.remove(prefix);
        }
    }

    /// The key has changed, by that client of this node, or by nobody of this node (0).
    pub fn touched(&mut self, key: &Blob, by: u64) {
        if self.all.len() <= key.len() {
            for (_, audience) in self.all.iter_mut().filter(|(prefix, _)| key.starts_with(prefix)) {
                audience.changed.insert(key.clone(), by);
                self.is_due = true;
            }
            return;
        }
        for end in 0..=key.len() {
            if let Some(audience) = self.all.get_mut(&key[..end]) {
                audience.changed.insert(key.clone(), by);
                self.is_due = true;
            }
        }
    }

    /// What is to be told to whom, in the order of the prefixes.
    pub fn take_due(&mut self) -> Vec<(BTreeSet<u64>, Changed)> {
        if !std::mem::take(&mut self.is_due) {
            return Vec::new();
        }
        let due = self.all.values_mut().filter(|audience| !audience.changed.is_empty());
        due.map(|audience| (audience.clients.clone(), std::mem::take(&mut audience.changed))).collect()
    }
}
