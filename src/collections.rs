//! What the values of keys are made of. Nothing here knows of keys, commands or a clock; whatever can be
//! seen of a collection follows from the changes that were made to it, in their order.

mod allocated;
mod blob;
mod decimal;
mod seq;

pub use allocated::allocated;
pub use blob::Blob;
pub use decimal::{IntBytes, format_int, parse_i64};
pub use seq::{Iter as SeqIter, Seq, Weigh};
