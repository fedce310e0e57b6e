//! How new the reads of a connection are: `CLIENT CONSISTENCY`, `READONLY`, `READWRITE`, and the
//! names of it all. A transaction of reads, and what `WATCH` sees, are as new as other reads:
//! watching an old state is sound, because `EXEC` compares revisions where it is applied, and a
//! key that has changed since makes it fail. This module must never answer a read.

use super::connection::{Capture, Connection};
use crate::command::{Reply, parse_i64};
use crate::group::Consistency;

const SYNTAX: Reply = Reply::error("ERR syntax error");
const NOT_A_BOUND: Reply = Reply::error("ERR max-ms is not an integer or out of range");

/// What `READONLY` stands for: what this node has, however old.
const AS_IT_IS: Consistency = Consistency::Stale { max_age_ms: None };

/// `CLIENT CONSISTENCY [mode [max-ms]]`, from its third word on.
pub fn run(connection: &mut Connection, args: &[&[u8]]) -> Reply {
    if args.is_empty() {
        return Reply::bulk(describe(connection.consistency()));
    }
    match parse(args) {
        Ok(chosen) => {
            choose(connection, Some(chosen));
            Reply::Ok
        }
        Err(error) => error,
    }
}

/// `READONLY`: what this node has, however old.
pub fn readonly(connection: &mut Connection) -> Reply {
    choose(connection, Some(AS_IT_IS));
    Reply::Ok
}

/// `READWRITE`: as the node is set.
pub fn readwrite(connection: &mut Connection) -> Reply {
    choose(connection, None);
    Reply::Ok
}

fn choose(connection: &mut Connection, chosen: Option<Consistency>) {
    connection.session.consistency = chosen;
    connection.client.readonly.set(chosen == Some(AS_IT_IS));
}

impl Connection {
    /// Of its next reads.
    pub(super) fn consistency(&self) -> Consistency {
        if matches!(self.capture, Some(Capture::Migrate(_) | Capture::News(..))) {
            return Consistency::Linearizable; // for this, nothing old will do
        }
        self.session.consistency.unwrap_or(self.shared.parameters.read_mode.get())
    }
}

fn parse(args: &[&[u8]]) -> Result<Consistency, Reply> {
    match args {
        [mode] if mode.eq_ignore_ascii_case(b"stale") => Ok(Consistency::Stale { max_age_ms: None }),
        [mode, bound] if mode.eq_ignore_ascii_case(b"stale") => {
            let bound = parse_i64(bound).and_then(|bound| u64::try_from(bound).ok());
            bound.map(|ms| Consistency::Stale { max_age_ms: Some(ms) }).ok_or(NOT_A_BOUND)
        }
        [mode] => read_mode(mode).ok_or(SYNTAX),
        _ => Err(SYNTAX),
    }
}

/// What a node may be set to; None: no such mode.
pub fn read_mode(name: &[u8]) -> Option<Consistency> {
    [Consistency::Linearizable, Consistency::Lease]
        .into_iter()
        .find(|mode| name.eq_ignore_ascii_case(describe(*mode).as_bytes()))
}

/// As it is written.
pub fn describe(consistency: Consistency) -> String {
    match consistency {
        Consistency::Linearizable => "linearizable".to_owned(),
        Consistency::Lease => "lease".to_owned(),
        Consistency::Stale { max_age_ms: None } => "stale".to_owned(),
        Consistency::Stale { max_age_ms: Some(ms) } => format!("stale {ms}"),
    }
}
