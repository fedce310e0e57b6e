//! Keys that are about to be looked up: brought near the processor together. One after the other
//! each lookup waits for memory three times, and what a command does besides keeps the
//! processor from beginning the next one meanwhile. This module must never change anything, and
//! nothing may depend on it but speed.

use super::{Keyspace, Value};
use crate::collections::Near;
use crate::limits;
use smallvec::SmallVec;
use std::hint::black_box;

impl Keyspace {
    /// Looks up the first of `keys` in database 0, in loops so short that their waits overlap.
    pub fn look_ahead<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let partitions = &self.databases[0].partitions;
        if partitions.is_empty() {
            return;
        }
        let mut keys = keys.take(limits::LOOK_AHEAD);
        let (Some(first), Some(second)) = (keys.next(), keys.next()) else { return };
        let keys = [first, second].into_iter().chain(keys);
        let ahead: SmallVec<[_; limits::LOOK_AHEAD]> = keys.map(|key| (self.hash(key), key)).collect();
        for (hash, _) in &ahead {
            black_box(partitions[hash.partition()].table.capacity());
        }
        let found = ahead.iter().filter_map(|(hash, key)| partitions[hash.partition()].find(*hash, key));
        // Strings are left out at once.
        let mut values: SmallVec<[&Value; limits::LOOK_AHEAD]> =
            found.map(|entry| &entry.item.value).filter(|value| value.bring(0)).collect();
        for pointers in 1..=limits::LOOK_AHEAD_POINTERS {
            if values.is_empty() {
                break;
            }
            values.retain(|value| value.bring(pointers));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::types::{End, Forms, Hash, List, Set, SortedSet};

    /// Pointers until nothing is left to bring.
    fn depth(value: impl Into<Value>) -> usize {
        let value = value.into();
        let depth = (0..99).take_while(|&pointers| value.bring(pointers)).count();
        assert!((depth..99).all(|pointers| !value.bring(pointers)), "{value:?}: a gap");
        depth
    }

    #[test]
    fn values_are_brought_to_their_bytes() {
        let forms = Forms::default();
        assert_eq!(depth(Value::string(b"text")), 0, "it is in its entry");
        let mut hash = Hash::default();
        hash.insert(b"field", b"value", &forms);
        assert_eq!(depth(hash), 2, "the handle, the pack");
        let mut set = Set::default();
        set.insert(&b"member"[..], &forms);
        assert_eq!(depth(set), 3);
        let mut sorted_set = SortedSet::default();
        sorted_set.insert(b"member", 1.0, &forms);
        assert_eq!(depth(sorted_set), 2);
        let mut list = List::default();
        list.push(End::Left, b"element");
        assert_eq!(depth(list), 6, "box, node, its entries, their pack, its bytes");
    }

    #[test]
    fn of_a_long_list_both_ends_are_brought_within_the_bound() {
        let mut list = List::default();
        for _ in 0..1000 {
            list.push(End::Right, &[b'x'; 5000]);
        }
        let depth = depth(list);
        assert!((7..=limits::LOOK_AHEAD_POINTERS + 1).contains(&depth), "{depth}");
    }
}
