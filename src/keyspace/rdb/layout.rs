//! [`Layout`]: where a value ends that consists of lists of lists, for a reader that has only the beginning of it yet.
//! As [`extent`](super::extent): nothing here may copy, or believe a length before there are bytes for it.

use super::extent::{Extent, len, string};

/// A part of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item {
    Len,
    String,
    Bytes(usize),
    /// A count, and so many times all of these.
    Many(&'static [Item]),
}

/// What is still to come, and how often.
#[derive(Debug, Clone, Copy)]
struct Rest {
    items: &'static [Item],
    /// The next of them.
    next: usize,
    times: u64,
}

/// See the module: how far a value was looked at.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The innermost list last. None: nothing was looked at.
    lists: Option<Vec<Rest>>,
}

impl Layout {
    /// Goes on from `at`, as far as there are bytes. Whether the value ends there.
    pub(super) fn go_on(&mut self, items: &'static [Item], bytes: &[u8], at: &mut usize) -> Extent<()> {
        let lists = self.lists.get_or_insert_with(|| vec![Rest { items, next: 0, times: 1 }]);
        while let Some(list) = lists.last_mut() {
            let Some(item) = list.items.get(list.next).filter(|_| list.times > 0) else {
                list.times = list.times.saturating_sub(1);
                list.next = 0;
                if list.times == 0 {
                    lists.pop();
                }
                continue;
            };
            let rest = bytes.get(*at..).unwrap_or_default();
            let size = match item {
                Item::Len | Item::Many(_) => len(rest)?.map(|(_, size)| size),
                Item::String => string(rest)?,
                Item::Bytes(count) => Some(*count),
            };
            let Some(size) = size.filter(|size| *size <= rest.len()) else { return Ok(None) };
            *at += size;
            list.next += 1;
            if let Item::Many(items) = item {
                let times = len(rest)?.map_or(0, |(times, _)| times);
                lists.push(Rest { items, next: 0, times });
            }
        }
        Ok(Some(()))
    }
}
