//! `--redirect moved`: a node that does not lead sends commands with keys to the one that does,
//! as a Redis Cluster would, instead of serving them. This module must never refuse what the
//! configuration lets every node serve.

use super::admin_commands::host_and_port;
use super::cluster_commands::owner;
use super::connection::Connection;
use super::databases;
use crate::command::{self, Command, Flags, Reply, Request};
use crate::config::Redirect;
use crate::group::Consistency;
use crate::keyspace::slot;

const CLUSTER_DOWN: Reply = Reply::error("CLUSTERDOWN The cluster is down");

impl Connection {
    /// Where the client has to go with `request` instead, if it has to. An `EXEC` is carried
    /// out here even if this node has stopped to lead since its commands were queued: it is as
    /// good here as there, and was accepted. During an election this node takes commands, as
    /// `CLUSTER SLOTS` says: redis-py gives up after four `-CLUSTERDOWN` within a second.
    pub(super) fn redirected(&self, request: &Request, row: &Command) -> Option<Reply> {
        if self.shared.config.redirect == Redirect::None {
            return None;
        }
        if let Some(error) = databases::refused(row) {
            return Some(error);
        }
        if self.shared.backend.leads() {
            return None;
        }
        if row.flags.has(Flags::ASKING) {
            return None; // whoever sends it has chosen this node
        }
        let args = request.args();
        let key = command::first_key(row, &args)?;
        if !row.changes_keys() && self.reads_stale() {
            return None;
        }
        let status = self.shared.backend.status();
        let Some(owner) = owner(&status) else { return Some(CLUSTER_DOWN) };
        if owner.id == status.node_id {
            return None;
        }
        let (host, port) = host_and_port(&owner.client_addr);
        Some(Reply::error_owned(format!("MOVED {} {host}:{port}", slot(key))))
    }

    /// `READONLY`, or what amounts to it.
    fn reads_stale(&self) -> bool {
        let consistency = self.session.consistency.unwrap_or(self.shared.parameters.read_mode.get());
        matches!(consistency, Consistency::Stale { .. })
    }
}
