//! Who runs a group: drains what arrived, steps, and carries out the effects. This module
//! must never parse a client's bytes.

mod status;

pub use status::{Clients, MemberStatus, NodeStatus, Role};
