//! `REPLCONF`, `SYNC` and `PSYNC`: how a connection becomes a replica. This module must never answer
//! for one that is.

use super::Replicas;
use crate::command::{ReplicaCommand, Reply, Request, parse_i64, shown};
use crate::group::{Job, Step};
use crate::server::connection::{Capture, Connection};
use crate::server::dispatch::Flow;
use crate::wire::units::Args;
use slog::info;

const SYNTAX: Reply = Reply::error("ERR syntax error");
const NOT_AN_INTEGER: Reply = Reply::error("ERR value is not an integer or out of range");

/// As of a replica that has lost its master: whoever asked tries again later.
const NO_LEADER: Reply = Reply::error("NOMASTERLINK Can't SYNC while not connected with my master");

/// An address that is longer is none.
const MAX_ADDRESS_BYTES: usize = 256;

/// What a connection has said of itself as a replica.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// It finds the end of a file by a mark.
    pub eof: bool,
    /// It began with `PSYNC`, and acknowledges.
    pub psync: bool,
    /// It wants no stream after the file.
    pub rdb_only: bool,
    /// It wants no keys in the file.
    pub without_keys: bool,
    /// Nor libraries of functions.
    pub without_functions: bool,
    /// Where it listens itself.
    pub port: i64,
    pub address: String,
}

/// Nothing, not even an empty reply.
fn silence() -> Reply {
    Reply::Several(Vec::new())
}

impl Wishes {
    /// `REPLCONF option value ...`; what comes before a mistake holds, as in Redis.
    fn configure(&mut self, args: &Args<'_>) -> Result<Reply, Reply> {
        if args.len().is_multiple_of(2) {
            return Err(SYNTAX);
        }
        for pair in args[1..].chunks_exact(2) {
            let (option, value) = (pair[0].to_ascii_lowercase(), pair[1]);
            match option.as_slice() {
                b"listening-port" => self.port = parse_i64(value).ok_or(NOT_AN_INTEGER)?,
                b"ip-address" if value.len() < MAX_ADDRESS_BYTES => {
                    self.address = String::from_utf8_lossy(value).into_owned();
                }
                b"ip-address" => {
                    return Err(Reply::error_owned(format!(
                        "ERR REPLCONF ip-address provided by replica instance is too long: {} bytes",
                        value.len()
                    )));
                }
                b"capa" => self.eof |= value.eq_ignore_ascii_case(b"eof"),
                b"ack" | b"getack" => return Ok(silence()),
                b"rdb-only" => {
                    self.rdb_only = match parse_i64(value) {
                        Some(number @ 0..=1) => number == 1,
                        Some(_) => {
                            return Err(Reply::error(
                                "ERR value is out of range, value must between 0 and 1",
                            ));
                        }
                        None => return Err(NOT_AN_INTEGER),
                    };
                }
                b"rdb-filter-only" => {
                    self.without_keys = true;
                    let mut wanted = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                    self.without_functions = wanted.clone().next().is_none();
                    if let Some(other) = wanted.find(|word| !word.eq_ignore_ascii_case(b"functions")) {
                        let other = shown(other);
                        return Err(Reply::error_owned(format!(
                            "ERR Unsupported rdb-filter-only option: {other}"
                        )));
                    }
                }
                _ => {
                    let option = shown(pair[0]);
                    return Err(Reply::error_owned(format!("ERR Unrecognized REPLCONF option: {option}")));
                }
            }
        }
        Ok(Reply::Ok)
    }
}

/// Inside `EXEC`, where nobody becomes a replica.
pub fn run_in_exec(connection: &mut Connection, what: ReplicaCommand, args: &Args<'_>) -> Reply {
    match what {
        ReplicaCommand::Replconf => connection.session.replica.configure(args).unwrap_or_else(|error| error),
        ReplicaCommand::Sync | ReplicaCommand::Psync => {
            Reply::error("ERR Command not allowed inside a transaction")
        }
    }
}

impl Connection {
    /// Carries one of them out. Err: the reply.
    pub(in crate::server) fn start_replica_command(
        &mut self,
        what: ReplicaCommand,
        args: &Args<'_>,
        job: &mut Job,
    ) -> Result<Flow, Reply> {
        if what == ReplicaCommand::Replconf {
            return Err(self.session.replica.configure(args).unwrap_or_else(|error| error));
        }
        if self.client.monitors.get() {
            return Ok(Flow::Next); // it is another kind of replica already, and gets no answer
        }
        if args.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"failover")) {
            return Err(Reply::error("ERR PSYNC FAILOVER can't be sent to a master."));
        }
        let mut wishes = self.session.replica.clone();
        if wishes.without_keys && !wishes.eof {
            return Err(Reply::error("ERR Filtered replica requires EOF capability"));
        }
        if what == ReplicaCommand::Psync {
            parse_i64(args[2]).ok_or(NOT_AN_INTEGER)?;
            wishes.psync = true;
        }
        // A read of nothing: what was acknowledged before, by any node, is to be in the file.
        self.capture = Some(Capture::Sync(wishes));
        job.steps.push(Step::Watch(Request::from_args(&["WATCH"])));
        Ok(Flow::Submit)
    }

    /// The node is as new as it has to be, unless it said otherwise.
    pub(in crate::server) fn become_replica(&mut self, wishes: Wishes, answer: &Reply) -> Result<(), Reply> {
        if answer.is_error() {
            return Err(NO_LEADER);
        }
        if self.client.flush() {
            return Err(Reply::error("ERR SYNC and PSYNC are invalid with pending output"));
        }
        let shared = &self.shared;
        // Nothing that it has asked for before may come between.
        shared.clients.pubsub().forget(&self.client);
        shared.clients.untrack(&self.client);
        let replica = shared.clients.replicas.attach(&self.client, wishes, &shared.config.run_id)?;
        info!(shared.logger, "a replica asks for synchronization"; "client" => %replica.client.addr);
        Replicas::settle(shared);
        shared.backend.take_snapshot();
        Ok(())
    }
}
