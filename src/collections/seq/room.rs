//! How the entries of a node are kept: room is what the allocator gives anyway, so that nodes that are not
//! full take little more than what they hold.

use crate::collections::allocated;

/// The most that a node holds: elements of a leaf, branches of an inner node.
pub(super) const NODE_ENTRIES: usize = 64;

/// What a node takes room for that is to hold so many: what the allocator gives anyway.
fn capacity_for<V>(entries: usize) -> usize {
    let entries = entries.min(NODE_ENTRIES);
    let fitting = allocated(entries * size_of::<V>()) / size_of::<V>().max(1);
    fitting.clamp(entries, NODE_ENTRIES)
}

pub(super) fn copy_with_room<V: Clone>(entries: &[V]) -> Vec<V> {
    let mut copy = Vec::with_capacity(capacity_for::<V>(entries.len() + 1));
    copy.extend_from_slice(entries);
    copy
}

/// Room for so many more; with them it is one node's.
pub(super) fn make_room<V>(entries: &mut Vec<V>, more: usize) {
    let wanted = entries.len() + more;
    if wanted > entries.capacity() {
        entries.reserve_exact(capacity_for::<V>(wanted) - entries.len());
    }
}

/// Gives back what stands empty, once that is worth a copy.
pub(super) fn give_back<V>(entries: &mut Vec<V>) {
    let len = entries.len();
    if entries.capacity() > len + len / 4 + 4 {
        entries.shrink_to(capacity_for::<V>(len + 1));
    }
}

/// Puts `entry` at `at`. Of a node that is full the later part is returned.
pub(super) fn insert_or_divide<V>(entries: &mut Vec<V>, at: usize, entry: V) -> Option<Vec<V>> {
    if entries.len() < NODE_ENTRIES {
        make_room(entries, 1);
        entries.insert(at, entry);
        return None;
    }
    if at == entries.len() {
        return Some(vec![entry]);
    }
    if at == 0 {
        return Some(std::mem::replace(entries, vec![entry]));
    }
    let half = NODE_ENTRIES / 2;
    let mut later = entries.split_off(half);
    entries.shrink_to(capacity_for::<V>(half + 1));
    match at.checked_sub(half).filter(|&rest| rest > 0) {
        Some(rest) => {
            make_room(&mut later, 1);
            later.insert(rest, entry);
        }
        None => entries.insert(at, entry),
    }
    Some(later)
}
