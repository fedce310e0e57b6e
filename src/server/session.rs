//! [`Session`]: what a connection remembers between commands: `MULTI`, `WATCH`, `READONLY`.
//! This module must never run anything.

use super::replicas::Wishes;
use crate::command::{Command as Row, ConnectionCommand, Flags, Handler, Reply, Request};
use crate::group::{Consistency, Job, ReadTransaction, Step};
use crate::limits;
use crate::wire::units::{Watch, put_transaction_unit};

/// What a queued command costs besides its bytes.
const QUEUED_OVERHEAD_BYTES: usize = 64;

/// A key in its database, its revision and the group's revision when it was watched.
pub type Watched = (u32, Vec<u8>, u64, u64);

/// See the module.
#[derive(Default)]
pub struct Session {
    /// Since `MULTI`.
    pub multi: Option<Transaction>,
    pub watches: Vec<Watched>,
    /// The database that it works in (`SELECT`).
    pub db: u32,
    /// `READONLY`, `CLIENT CONSISTENCY`; None: as the node is set.
    pub consistency: Option<Consistency>,
    /// What it has said of itself as a replica (`REPLCONF`).
    pub replica: Wishes,
}

/// What was queued since `MULTI`.
#[derive(Default)]
pub struct Transaction {
    pub commands: Vec<Queued>,
    /// The database of the commands to come, if a `SELECT` was queued.
    pub db: Option<u32>,
    /// A command was refused: `EXEC` will be too.
    pub broken: bool,
    size_bytes: usize,
}

/// A queued command.
pub struct Queued {
    pub request: Request,
    pub row: &'static Row,
    /// It is not to be carried out: the reply in its place.
    pub refused: Option<Reply>,
}

impl Queued {
    /// Whether the group has nothing to do with it.
    pub fn is_local(&self) -> bool {
        self.refused.is_some() || self.local().is_some()
    }

    /// Of a command that the connection carries out.
    pub fn local(&self) -> Option<ConnectionCommand> {
        match self.row.handler {
            Handler::Connection(what) => Some(what),
            Handler::Read(_) | Handler::Write(_) => None,
        }
    }
}

impl Session {
    /// The database of the next command.
    pub fn next_db(&self) -> u32 {
        self.multi.as_ref().and_then(|multi| multi.db).unwrap_or(self.db)
    }

    /// Adds what `WATCH` answered. A key that is watched already stays as it was first seen.
    pub fn watch(&mut self, watched: impl Iterator<Item = Watched>) {
        for watch in watched {
            if !self.watches.iter().any(|(db, key, ..)| (*db, key) == (watch.0, &watch.1)) {
                self.watches.push(watch);
            }
        }
    }

    /// `UNWATCH`.
    pub fn unwatch(&mut self) {
        self.watches.clear();
    }
}

impl Transaction {
    /// Queues a command. False: there is too much, and the transaction is broken.
    pub fn queue(&mut self, request: Request, row: &'static Row, refused: Option<Reply>) -> bool {
        self.size_bytes += request.size_bytes() + QUEUED_OVERHEAD_BYTES;
        if self.size_bytes > limits::MAX_TRANSACTION_BYTES {
            self.broken = true;
            self.commands.clear();
            return false;
        }
        self.commands.push(Queued { request, row, refused });
        true
    }

    /// Whether all of it is refused when memory is full.
    pub fn is_refused_without_memory(&self) -> bool {
        self.commands.iter().any(|queued| queued.row.flags.has(Flags::DENYOOM))
    }

    /// Whether some of it takes memory.
    pub fn needs_memory(&self) -> bool {
        self.commands.iter().any(|queued| queued.row.needs_memory())
    }

    /// What the queued commands take.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Whether the connection has to carry out some of it.
    pub fn has_local(&self) -> bool {
        self.commands.iter().any(Queued::is_local)
    }

    /// Adds what the group has to do as one step of `job`; what is left for the connection
    /// comes back, each with its place among all.
    pub fn into_step(self, watches: Vec<Watched>, job: &mut Job) -> Vec<(usize, Queued)> {
        let writes = self.commands.iter().any(|queued| queued.row.is_write());
        let (group, local): (Vec<_>, Vec<_>) =
            self.commands.into_iter().enumerate().partition(|(_, queued)| !queued.is_local());
        let commands = group.into_iter().map(|(_, queued)| queued.request);
        if writes {
            let requests: Vec<Request> = commands.collect();
            let commands: Vec<_> = requests.iter().map(Request::command).collect();
            let watches: Vec<_> = watches
                .iter()
                .map(|&(db, ref key, revision, seen_at)| Watch { key, revision, seen_at, db })
                .collect();
            put_transaction_unit(&mut job.body, &watches, &commands);
            job.steps.push(Step::Write);
        } else {
            let transaction = ReadTransaction { watches, commands: commands.collect() };
            job.steps.push(Step::ReadTransaction(Box::new(transaction)));
        }
        local
    }
}
