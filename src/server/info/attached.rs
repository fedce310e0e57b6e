//! What `INFO` tells of replicas that have attached to this node in Redis's protocol. They are not
//! among its slaves: those are the members of the cluster.

use super::Text;
use crate::server::Shared;
use crate::server::replicas::Stage;

pub fn attached(text: &mut Text, shared: &Shared) {
    let replicas = &shared.clients.replicas;
    let all = replicas.all();
    text.field("attached_replicas", all.len());
    for (i, replica) in all.iter().enumerate() {
        let (wishes, addr) = (&replica.wishes, replica.client.addr);
        let host = if wishes.address.is_empty() { addr.ip().to_string() } else { wishes.address.clone() };
        let state = match replica.stage.get() {
            Stage::Online => "online",
            Stage::Sending | Stage::Sent => "send_bulk",
            Stage::Waiting | Stage::Begun(_) | Stage::Stored(_) => "wait_bgsave",
        };
        let (port, offset) = (wishes.port, replica.acknowledged.get());
        let lag_s = replica.heard.get().elapsed().as_secs();
        text.field(
            &format!("attached{i}"),
            format_args!("ip={host},port={port},state={state},offset={offset},lag={lag_s}"),
        );
    }
    text.field("attached_stream_offset", replicas.offset());
}
