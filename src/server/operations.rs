//! `MONITOR`, `SHUTDOWN`, `SAVE` and its like, `WAITAOF`: what operators ask of a node, in Redis's
//! words. This module must never say that something was saved which is not on disk.

use super::admin_commands::{self, holders};
use super::connection::Connection;
use super::dispatch::Flow;
use super::wait::Goal;
use crate::command::{NodeCommand, Reply, parse_i64};
use crate::limits;
use crate::node::NodeStatus;
use crate::wire::units::Args;
use std::time::Duration;

const SAVING: Reply = Reply::error("ERR Background save already in progress");
const REWRITING: Reply = Reply::error("ERR Background append only file rewriting already in progress");
const SYNTAX: Reply = Reply::error("ERR syntax error");

/// Whether everything before it has to be answered first.
pub fn is_barrier(what: NodeCommand) -> bool {
    what != NodeCommand::LastSave
}

/// Inside `EXEC`, where nothing waits.
pub fn run_in_exec(connection: &Connection, what: NodeCommand, args: &Args<'_>) -> Reply {
    match what {
        NodeCommand::Monitor => Reply::error("ERR MONITOR isn't allowed for DENY BLOCKING client"),
        NodeCommand::LastSave => last_save(connection),
        NodeCommand::BgSave => bgsave(connection, args, "Background saving scheduled"),
        NodeCommand::BgRewriteAof => rewrite(connection, "Background append only file rewriting scheduled"),
        NodeCommand::WaitAof => match Waited::read(args, connection.last_write()) {
            Ok((waited, _)) => waited.found(&connection.shared.backend.status()),
            Err(error) => error,
        },
        NodeCommand::Save | NodeCommand::Shutdown => {
            Reply::error("ERR Command not allowed inside a transaction")
        }
    }
}

fn last_save(connection: &Connection) -> Reply {
    Reply::Int(connection.shared.backend.status().last_snapshot_s as i64)
}

fn bgsave(connection: &Connection, args: &Args<'_>, reply: &'static str) -> Reply {
    match args[1..] {
        [] => {}
        [option] if option.eq_ignore_ascii_case(b"SCHEDULE") => {}
        _ => return SYNTAX,
    }
    if connection.shared.backend.status().snapshot_in_progress {
        return SAVING;
    }
    connection.shared.backend.take_snapshot();
    Reply::simple(reply)
}

fn rewrite(connection: &Connection, reply: &'static str) -> Reply {
    if connection.shared.backend.status().snapshot_in_progress {
        return REWRITING;
    }
    connection.shared.backend.take_snapshot();
    Reply::simple(reply)
}

/// `WAITAOF`: on how many disks everything up to an index is to be.
pub struct Waited {
    local: i64,
    others: i64,
    index: u64,
}

impl Waited {
    fn read(args: &Args<'_>, index: u64) -> Result<(Self, Duration), Reply> {
        let not_an_integer = Reply::error("ERR value is not an integer or out of range");
        let number = |arg: &[u8]| parse_i64(arg).ok_or(not_an_integer.clone());
        let local = number(args[1])?;
        if !(0..=1).contains(&local) {
            return Err(Reply::error("ERR value is out of range, value must between 0 and 1"));
        }
        let others = number(args[2])?;
        if others < 0 {
            return Err(Reply::error("ERR value is out of range, must be positive"));
        }
        Ok((Self { local, others, index }, admin_commands::parse_timeout(args[3])?))
    }

    fn counts(&self, status: &NodeStatus) -> (i64, i64) {
        // In memory, nothing is on a disk, here or anywhere.
        if status.storage == "memory" {
            return (0, 0);
        }
        let written = status.persisted_index.max(status.snapshot_index);
        (i64::from(written >= self.index), holders(status, self.index))
    }

    pub fn reached(&self, status: &NodeStatus) -> Option<Reply> {
        let (local, others) = self.counts(status);
        (local >= self.local && others >= self.others).then(|| self.found(status))
    }

    pub fn found(&self, status: &NodeStatus) -> Reply {
        let (local, others) = self.counts(status);
        Reply::Array(vec![Reply::Int(local), Reply::Int(others)])
    }
}

impl Connection {
    /// Where in the log the connection's last write is, at most: looked up when it is asked for
    /// the first time after the write was answered.
    pub(super) fn last_write(&self) -> u64 {
        let until = self.wrote_until.get();
        let index = until.unwrap_or_else(|| self.shared.backend.status().applied_index);
        self.wrote_until.set(Some(index));
        index
    }

    /// Begins one of these commands. Err: the reply.
    pub(super) fn start_node_command(&mut self, what: NodeCommand, args: &Args<'_>) -> Result<Flow, Reply> {
        match what {
            NodeCommand::Monitor => {
                let begins = self.shared.clients.start_monitor(&self.client);
                if begins { Err(Reply::Ok) } else { Ok(Flow::Next) }
            }
            NodeCommand::Shutdown => self.start_shutdown(args),
            NodeCommand::Save => {
                let status = self.shared.backend.status();
                if status.snapshot_in_progress {
                    return Err(SAVING);
                }
                if status.snapshot_index < status.applied_index {
                    self.shared.backend.take_snapshot();
                }
                let patience = Duration::from_millis(limits::SNAPSHOT_WAIT_MS);
                self.wait_for(Goal::snapshot(&status), patience);
                Ok(Flow::Submit)
            }
            NodeCommand::WaitAof => {
                let (waited, timeout) = Waited::read(args, self.last_write())?;
                if waited.local == 1 && self.shared.backend.status().storage == "memory" {
                    return Err(Reply::error(
                        "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
                    ));
                }
                self.wait_for(Goal::Disks(waited), timeout);
                Ok(Flow::Submit)
            }
            NodeCommand::BgSave => Err(bgsave(self, args, "Background saving started")),
            NodeCommand::BgRewriteAof => Err(rewrite(self, "Background append only file rewriting started")),
            NodeCommand::LastSave => Err(last_save(self)),
        }
    }
}
