//! What the values of keys are made of. Nothing here knows of keys, commands or a clock; whatever can be
//! seen of a collection follows from the changes that were made to it, in their order.

mod allocated;
mod blob;
mod decimal;
mod dict;
mod ints;
mod near;
mod pack;
mod room;
mod seq;

#[cfg(test)]
mod recorded_tests;

pub use allocated::{HeapBytes, allocated};
pub use blob::Blob;
pub use decimal::{IntBytes, format_coordinate, format_double, format_int, parse_i64};
pub use dict::{Dict, Frozen, HashSeed, Iter as DictIter};
pub use ints::Ints;
pub use near::Near;
pub use pack::{At, Element, Iter as PackIter, Pack};
pub use seq::{Iter as SeqIter, Seq, Weigh};
