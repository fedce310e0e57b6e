//! `--redirect moved`: a node that does not lead sends commands with keys to the one that does,
//! as a Redis Cluster would, instead of serving them. This module must never refuse what the
//! configuration lets every node serve.

use super::admin_commands::host_and_port;
use super::cluster_commands::reached_leader;
use super::connection::Connection;
use crate::command::{Command, Reply, Request};
use crate::config::Redirect;
use crate::group::Consistency;
use crate::keyspace::slot;

const CLUSTER_DOWN: Reply = Reply::error("CLUSTERDOWN The cluster is down");

impl Connection {
    /// Where the client has to go with `request` instead, if it has to. An `EXEC` is carried
    /// out here even if this node has stopped to lead since its commands were queued: it is as
    /// good here as there, and was accepted. To a leader that this node has lost nobody is sent:
    /// most likely it is dead, and who leads instead is known soon.
    pub(super) fn redirected(&self, request: &Request, row: &Command) -> Option<Reply> {
        if self.shared.config.redirect == Redirect::None || self.shared.backend.leads() {
            return None;
        }
        let key = row.keys.as_ref()?.positions(request.len()).next().and_then(|at| request.arg(at))?;
        if !row.is_write() && self.reads_stale() {
            return None;
        }
        let status = self.shared.backend.status();
        let Some(leader) = reached_leader(&status) else { return Some(CLUSTER_DOWN) };
        let (host, port) = host_and_port(&leader.client_addr);
        Some(Reply::error_owned(format!("MOVED {} {host}:{port}", slot(key))))
    }

    /// `READONLY`, or what amounts to it.
    fn reads_stale(&self) -> bool {
        let consistency = self.session.consistency.unwrap_or(self.shared.read_mode.get());
        matches!(consistency, Consistency::Stale { .. })
    }
}
