//! [`Failovers`]: tells clients that take this node for a Sentinel when another node leads, on the
//! channel where a Sentinel would: `+switch-master <name> <old ip> <old port> <new ip> <new port>`.
//! This module must never name a leader before this node believes in it.

use super::Shared;
use super::admin_commands::{host_and_port, leader};
use super::cluster_commands::has_address;
use crate::wire::NodeId;

/// Who led when it was last looked.
#[derive(Default)]
pub struct Failovers {
    last: Option<(NodeId, String)>,
}

impl Failovers {
    /// Looks again. An election, which nobody leads, is waited out.
    pub fn look(&mut self, shared: &Shared) {
        let status = shared.backend.status();
        let Some(leader) = leader(&status).filter(|leader| has_address(leader)) else { return };
        if self.last.as_ref().is_some_and(|(id, _)| *id == leader.id) {
            return;
        }
        let Some((_, old)) = self.last.replace((leader.id, leader.client_addr.clone())) else { return };
        let ((old_host, old_port), (host, port)) = (host_and_port(&old), host_and_port(&leader.client_addr));
        let name = &shared.config.sentinel_name;
        let message = format!("{name} {old_host} {old_port} {host} {port}");
        shared.clients.announce("+switch-master", &message);
    }
}
