//! What all collections have in common, so that snapshots, sizes, freeing and descriptions need not know
//! the types. There is one place where a kind becomes a type: [`Kind::grow`]; the other way it is
//! [`Value::collection`].

use super::{Forms, Hash, List, Set, SortedSet, Stream};
use crate::keyspace::Value;
use crate::wire::WireError;
use std::fmt::Debug;

/// The types, as snapshots number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Hash = 1,
    List = 2,
    Set = 3,
    SortedSet = 4,
    Stream = 5,
}

impl Kind {
    /// The kind of that number.
    pub fn from_number(number: u64) -> Option<Self> {
        let all = [Self::Hash, Self::List, Self::Set, Self::SortedSet, Self::Stream];
        all.into_iter().find(|kind| *kind as u64 == number)
    }

    /// As `TYPE` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Stream => "stream",
        }
    }

    /// An empty one, to be restored.
    pub fn grow(self, forms: &Forms) -> Box<dyn Growing> {
        match self {
            Self::Hash => Hash::grow(forms),
            Self::List => List::grow(),
            Self::Set => Set::grow(forms),
            Self::SortedSet => SortedSet::grow(forms),
            Self::Stream => Stream::grow(),
        }
    }
}

/// A value that has elements.
pub trait Collection {
    /// Which type it is.
    fn kind(&self) -> Kind;

    /// As `OBJECT ENCODING` names it.
    fn encoding(&self) -> &'static str;

    /// Elements, as clients count them.
    fn len(&self) -> usize;

    /// Whether it has none, as only a new one does: no key holds it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it has to free, as [`Collection::release`] counts it.
    fn elements(&self) -> usize {
        self.len()
    }

    /// Memory that it takes, without what is in a [`Value`] itself.
    fn heap_bytes(&self) -> usize;

    /// What it is now, for a snapshot: takes no longer than a look at each thousandth of it.
    fn freeze(&self) -> Box<dyn Frozen>;

    /// Frees about so many elements of one that nobody needs any more. Whether nothing is left.
    fn release(&mut self, elements: usize) -> bool;

    /// Appends all of it, in its order, as one piece that [`Growing::take`] takes.
    fn put(&self, out: &mut Vec<u8>);
}

/// What a collection was at a moment.
pub trait Frozen: Debug + Send {
    /// Appends the next piece, of about `target_bytes`. Whether it was the last.
    fn put_next(&mut self, out: &mut Vec<u8>, target_bytes: usize) -> bool;

    /// As [`Collection::release`].
    fn release(&mut self, elements: usize) -> bool;
}

/// A collection that is being restored. What it takes comes from anywhere: it must never panic.
pub trait Growing: Debug + Send {
    /// Takes the next piece.
    fn take(&mut self, piece: &[u8]) -> Result<(), WireError>;

    /// The whole, after the last piece.
    fn finish(self: Box<Self>) -> Result<Value, WireError>;
}

/// A type of collection, to be found in a value.
pub trait Typed: Collection + Sized {
    /// It, if the value is of this type.
    fn of(value: &Value) -> Option<&Self>;

    /// The same, to be changed.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
}
