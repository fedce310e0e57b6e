//! What clients can ask for: the table of commands, and the functions that carry them out
//! on a keyspace. This module must never know how requests arrive, how replies leave, or
//! what time it is.

mod reply;
mod request;

pub use reply::Reply;
pub use request::Request;
