//! What keys can hold besides strings: a file a type, with how it is kept and what can be done to it.
//! Everything general goes through [`Collection`]. Nothing here may know of keys, commands or replies, and
//! whatever a client can see of a collection must follow from the changes made to it, in their order.

mod collection;
mod compact;
mod hash;
mod list;
mod set;
mod sorted_set;
mod stream;

pub use collection::{Collection, Frozen, Growing, Kind, Typed};
pub use compact::Compact;
pub use hash::{Field, Hash};
pub use list::{End, List};
pub use set::Set;
pub use sorted_set::{Range as SortedRange, SortedSet};
pub use stream::{Consumer, Entries, Entry, Group, Groups, Id, Ids, NewId, Pending, Stream, Trim};

/// What decides how collections are kept: the same on every replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forms {
    /// Up to where they are kept compactly.
    pub compact: Compact,
    /// Of the tables of large ones.
    pub seed: [u8; 16],
}
