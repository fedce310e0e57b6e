//! Changes of a stream's log. Which entries share a node, and what is only marked as removed, is Redis's choice (t_stream.c of
//! 7.0).

use super::node::{DELETED, MASTER_OVERHEAD, Node, OVERHEAD, SAME_FIELDS};
use super::{Id, NewId, Stream};
use crate::collections::{At, Element, Pack};
use crate::keyspace::types::{Collection, Compact};
use crate::limits::MAX_PACK_BYTES;

/// What an element of a pack takes beyond its own bytes, at most.
const ELEMENT_OVERHEAD_BYTES: usize = 10;

/// What of the beginning of a stream is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// What is more than so many entries.
    ToLen(usize),
    /// What is before this id.
    Before(Id),
}

impl Stream {
    /// The id of a new entry; None: it would not be behind all that there ever were.
    pub fn new_id(&self, wanted: NewId, now_ms: u64) -> Option<Id> {
        let last = self.ids.last;
        let id = match wanted {
            NewId::Next if now_ms > last.ms => Id::new(now_ms, 0),
            NewId::Next => last.next()?,
            NewId::NextOf(ms) if ms == last.ms => Id::new(ms, last.seq.checked_add(1)?),
            NewId::NextOf(ms) => Id::new(ms, 0),
            NewId::Exactly(id) => id,
        };
        (id > last).then_some(id)
    }

    /// Whether a node could take an entry, names of fields and values in turn.
    pub fn has_room_for(fields: &[&[u8]]) -> bool {
        Pack::new().has_room_for(most_bytes(fields))
    }

    /// Adds an entry for which there is room, with an id that [`Stream::new_id`] gave.
    pub fn append(&mut self, id: Id, fields: &[&[u8]], compact: &Compact) {
        let last = self.log.len().checked_sub(1);
        match last.filter(|&last| self.log.get(last).is_some_and(|node| takes(node, fields, compact))) {
            Some(last) => {
                self.log.update(last, |node| append(node, id, fields));
            }
            None => self.log.push_back(new_node(id, fields)),
        }
        self.ids.entries_added = self.ids.entries_added.wrapping_add(1);
        self.ids.last = id;
        if self.len() == 1 {
            self.ids.first = id;
        }
    }

    /// Removes the entries of these ids, as far as there are any: how many those were.
    pub fn remove(&mut self, ids: &[Id]) -> usize {
        let (mut removed, mut has_lost_first) = (0, false);
        for &id in ids {
            if self.remove_one(id) {
                removed += 1;
                has_lost_first |= id == self.ids.first;
                self.ids.max_deleted = self.ids.max_deleted.max(id);
            }
        }
        if has_lost_first || (removed > 0 && self.len() == 0) {
            self.find_first();
        }
        removed
    }

    fn remove_one(&mut self, id: Id) -> bool {
        let at = self.node_of(id);
        let Some(node) = self.log.get(at) else { return false };
        let view = node.view();
        let found = view.places(view.first()).find(|place| place.entry.id >= id);
        let Some(place) = found.filter(|place| place.entry.id == id && !place.is_deleted()) else {
            return false;
        };
        let marked = [(place.at, place.flags)];
        if node.live() == 1 {
            self.log.remove(at);
        } else {
            self.log.update(at, |node| mark_deleted(node, &marked));
        }
        true
    }

    /// Removes entries of the beginning. `only_nodes`: as many whole nodes as have to go as a whole, of so many entries
    /// at most (0: any number). What comes back is what was removed with its nodes, which may take long to free; and how
    /// many entries were removed.
    pub fn trim(&mut self, trim: Trim, only_nodes: Option<usize>) -> (Self, usize) {
        let len = self.len();
        let mut whole = match trim {
            Trim::ToLen(most) if len <= most => return (Self::default(), 0),
            Trim::ToLen(most) => self.nodes_within(len - most),
            Trim::Before(id) => {
                let node = self.node_of(id);
                node + usize::from(self.log.get(node).is_some_and(|node| last_id(node) < id))
            }
        };
        if let Some(limit) = only_nodes.filter(|limit| *limit > 0) {
            whole = whole.min(self.nodes_within(limit));
        }
        let freed = Self { log: self.log.take_range(0..whole), ..Self::default() };
        if only_nodes.is_none() {
            self.trim_first_node(trim);
        }
        let removed = len - self.len();
        if removed > 0 {
            self.find_first();
        }
        (freed, removed)
    }

    /// How many nodes of the beginning have so many entries together, or fewer.
    fn nodes_within(&self, entries: usize) -> usize {
        self.log.find(entries).map_or(self.log.len(), |(node, _)| node)
    }

    /// Marks what has to go of the first node, which stays.
    fn trim_first_node(&mut self, trim: Trim) {
        let Some(node) = self.log.get(0) else { return };
        let (view, mut len) = (node.view(), self.len());
        let mut marked = Vec::new();
        for place in view.places(view.first()) {
            let stays = match trim {
                Trim::ToLen(most) => len <= most,
                Trim::Before(id) => place.entry.id >= id,
            };
            if stays {
                break;
            }
            if !place.is_deleted() {
                marked.push((place.at, place.flags));
                len -= 1;
            }
        }
        if !marked.is_empty() {
            self.log.update(0, |node| mark_deleted(node, &marked));
        }
    }

    /// The first entry that nodes have, removed or not; [`Id::MAX`]: there is none.
    pub fn edge(&self) -> Id {
        let view = self.log.get(0).map(Node::view);
        let place = view.and_then(|view| view.place(view.first()?));
        place.map_or(Id::MAX, |place| place.entry.id)
    }

    fn find_first(&mut self) {
        self.ids.first = self.first().map_or(Id::MIN, |entry| entry.id);
    }

    /// Lets the stream know another past.
    pub fn set_ids(&mut self, ids: super::Ids) {
        self.ids = ids;
    }
}

fn size_bytes(fields: &[&[u8]]) -> usize {
    fields.iter().map(|bytes| bytes.len()).sum()
}

/// By how much an entry makes a pack longer, at most, a master entry of its own included.
fn most_bytes(fields: &[&[u8]]) -> usize {
    let elements = 2 * fields.len() + OVERHEAD + MASTER_OVERHEAD;
    elements.saturating_mul(ELEMENT_OVERHEAD_BYTES).saturating_add(size_bytes(fields))
}

/// Whether an entry may be added to the node.
fn takes(node: &Node, fields: &[&[u8]], compact: &Compact) -> bool {
    let most_node_bytes = match compact.stream_node_max_bytes {
        0 => MAX_PACK_BYTES,
        most => most.min(MAX_PACK_BYTES),
    };
    let most_entries = compact.stream_node_max_entries;
    node.pack().size_bytes().saturating_add(size_bytes(fields)) < most_node_bytes
        && (most_entries == 0 || node.entries() < most_entries)
        && node.pack().has_room_for(most_bytes(fields))
}

fn new_node(id: Id, fields: &[&[u8]]) -> Node {
    let names = fields.iter().step_by(2).map(|name| Element::Bytes(name));
    let counts = [1, 0, (fields.len() / 2) as i64].map(Element::Int);
    let mut pack = Pack::new();
    pack.push_all(counts.into_iter().chain(names).chain([Element::Int(0)]));
    let mut node = Node::empty(id, pack);
    node.change(|pack| {
        push_entry(pack, id, id, fields, true);
        1
    });
    node
}

fn append(node: &mut Node, id: Id, fields: &[&[u8]]) {
    let is_same = node.view().has_names(fields.iter().step_by(2));
    let master = node.id();
    node.change(|pack| {
        if let Some(first) = pack.first() {
            let live = pack.get(first).as_int().unwrap_or_default();
            pack.replace_int(first, live + 1);
        }
        push_entry(pack, master, id, fields, is_same);
        1
    });
}

fn push_entry(pack: &mut Pack, master: Id, id: Id, fields: &[&[u8]], is_same: bool) {
    let len = fields.len() / 2;
    let [ms, seq] = id.since(master);
    let head = [if is_same { SAME_FIELDS } else { 0 }, ms, seq];
    let count = (!is_same).then_some(Element::Int(len as i64));
    let (skipped, step) = if is_same { (1, 2) } else { (0, 1) };
    let body = fields.iter().skip(skipped).step_by(step).map(|bytes| Element::Bytes(bytes));
    let elements = head.len() + if is_same { len } else { 2 * len + 1 };
    let end = Element::Int(elements as i64);
    pack.push_all(head.map(Element::Int).into_iter().chain(count).chain(body).chain([end]));
}

/// Marks entries, whose places and flags these are. (A flag takes a byte whatever it is: what comes behind does not move.)
fn mark_deleted(node: &mut Node, marked: &[(At, i64)]) {
    let added = -(marked.len() as i64);
    node.change(|pack| {
        for &(at, flags) in marked {
            pack.replace_int(at, flags | DELETED);
        }
        if let Some(first) = pack.first() {
            add(pack, first, added);
            if let Some(deleted) = pack.next(first) {
                add(pack, deleted, -added);
            }
        }
        added
    });
}

fn add(pack: &mut Pack, at: At, more: i64) {
    let number = pack.get(at).as_int().unwrap_or_default();
    pack.replace_int(at, number.wrapping_add(more));
}

/// The id of its last entry, removed or not.
fn last_id(node: &Node) -> Id {
    let view = node.view();
    view.last().and_then(|at| view.place(at)).map_or(node.id(), |place| place.entry.id)
}
