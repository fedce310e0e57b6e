//! What a key takes in memory: as the allocator hands it out, as far as this program can know.
//! An estimate; no change may rest on it.

use super::partition::{Entry, Item};
use super::types::Collection;
use super::{Blob, StringValue, Value};
use crate::collections::allocated;

/// A pointer and a byte of tag in a table, which is filled to 7/8 at most, and half that after
/// it has grown.
const SLOT_BYTES: usize = 13;
/// A row of the index of deadlines: two numbers, in leaves of a tree that are two thirds full.
const DEADLINE_BYTES: usize = 24;
/// The counters in front of what is shared.
const SHARED_BYTES: usize = 16;

fn heap_bytes(bytes: &[u8]) -> usize {
    if bytes.len() <= Blob::INLINE_BYTES { 0 } else { allocated(bytes.len() + SHARED_BYTES) }
}

impl Item {
    /// Bytes of memory of this key, with all that belongs to it.
    pub fn size_bytes(&self, key: &[u8]) -> usize {
        let value = match &self.value {
            Value::String(StringValue::Int(_)) => 0,
            Value::String(StringValue::Blob(blob)) => heap_bytes(blob),
            Value::String(StringValue::Growing(bytes)) => {
                allocated(size_of::<Vec<u8>>()) + allocated(bytes.capacity())
            }
            other => other.collection().map_or(0, Collection::heap_bytes),
        };
        let deadline = if self.deadline_ms == 0 { 0 } else { DEADLINE_BYTES };
        SLOT_BYTES + allocated(size_of::<Entry>()) + heap_bytes(key) + value + deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_takes_more() {
        let item = |value| Item { value, version: 1, revision: 1, deadline_ms: 0 };
        let short = item(Value::string(b"x")).size_bytes(b"k");
        assert!((80..120).contains(&short), "{short}");
        let long = item(Value::text(&[b'x'; 1000])).size_bytes(b"k");
        assert!((1000..1400).contains(&(long - short)), "{long}");
        assert!(item(Value::grown(vec![0; 1000])).size_bytes(b"k") >= long - 100);
        assert!(item(Value::string(b"x")).size_bytes(&[b'k'; 100]) > short + 100);
        let expiring = Item { deadline_ms: 5, ..item(Value::string(b"x")) };
        assert!(expiring.size_bytes(b"k") > short);
    }
}
