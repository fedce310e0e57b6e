//! What scripts print of a cluster.

use super::Cluster;
use crate::command::Reply;
use crate::group::Notice;
use crate::keyspace::Event;
use crate::wire::frame::PeerMessage;
use std::fmt::Write as _;

impl Cluster {
    pub(super) fn pending(&self, out: &mut String) {
        for (from, to, message) in &self.under_way {
            let what = match message {
                PeerMessage::Raft(message) => format!("{:?}", message.get_msg_type()),
                PeerMessage::Forward(batch) => format!("Forward {}.{}", batch.boot, batch.seq),
                PeerMessage::ForwardRefused(refused) => format!("ForwardRefused, from {}", refused.seq),
                PeerMessage::ReadIndexRequest(asked) if asked.lease => {
                    "ReadIndexRequest, by lease".to_owned()
                }
                PeerMessage::ReadIndexRequest(_) => "ReadIndexRequest".to_owned(),
                PeerMessage::ReadIndexResponse(response) => format!("ReadIndexResponse {}", response.index),
                PeerMessage::ReadRound(round) => format!("ReadRound {}", round.round),
                PeerMessage::TransferLeader(asked) => format!("TransferLeader {}", asked.to),
                PeerMessage::ReadRoundAck(ack) => format!("ReadRoundAck {}", ack.round),
            };
            let _ = writeln!(out, "{from} -> {to}: {what}");
        }
    }

    /// What a disk that is off has not written.
    pub(super) fn writes(&self, node: u64, out: &mut String) {
        for persist in &self.nodes[&node].persists {
            let indexes: Vec<u64> = persist.log.entries.iter().map(|entry| entry.index).collect();
            let haste = if persist.can_wait { "can wait" } else { "now" };
            let _ = writeln!(out, "{node}: entries {indexes:?}, {haste}");
        }
    }

    /// Calls by command on each node, and failures.
    pub(super) fn costs(&self, out: &mut String) {
        for (id, node) in &self.nodes {
            let Some(group) = &node.group else { continue };
            let rows = group.observer().rows();
            let shown = rows
                .map(|(row, stats)| format!(" {} {}/{}", row.name, stats.calls.get(), stats.failed.get()));
            let _ = writeln!(out, "{id}:{}", shown.collect::<String>());
            for (code, count) in group.observer().errors() {
                let _ = writeln!(out, "{id}: {count} times {code} within EXEC");
            }
        }
    }

    pub(super) fn status(&self, out: &mut String) {
        for (id, node) in &self.nodes {
            let Some(group) = &node.group else {
                let _ = writeln!(out, "{id}: down");
                continue;
            };
            let status = group.status();
            let _ = writeln!(
                out,
                "{id}: {} of {} in term {}, commit {}, applied {}, log {}..{}, snapshot {}, unsaved {}, keys {}{}{}",
                status.role,
                status.leader,
                status.term,
                status.commit_index,
                status.applied_index,
                status.first_index,
                status.last_index,
                status.snapshot_index,
                status.unsaved_changes,
                group.machine().keyspace().total_len(),
                if node.disk.settled { "" } else { ", not settled" },
                if status.persisted_index < status.applied_index {
                    format!(", on disk {}", status.persisted_index)
                } else {
                    String::new()
                },
            );
        }
    }
}

/// Replies, with what listeners hear before each.
pub fn show_answers(id: u64, replies: Vec<(u64, Reply)>, notices: Vec<Notice>, out: &mut String) {
    let mut notices = notices.into_iter().peekable();
    for (i, (ticket, reply)) in replies.into_iter().enumerate() {
        while let Some(notice) = notices.next_if(|notice| notice.before <= i) {
            show_notice(id, &notice, out);
        }
        let _ = writeln!(out, "{id}: #{ticket} {}", show(&reply));
    }
    notices.for_each(|notice| show_notice(id, &notice, out));
}

fn show_notice(id: u64, notice: &Notice, out: &mut String) {
    let what = match &notice.event {
        Event::Named { name, db, key, .. } => format!("{name} {key:?} in {db}"),
        Event::Message { channel, message, sharded } => {
            format!("{} {channel:?} {message:?}", if *sharded { "smessage" } else { "message" })
        }
        _ => return, // for the server itself
    };
    let _ = writeln!(out, "{id}: hears {what}, of #{}", notice.ticket);
}

pub fn show(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        Reply::Error(text) => format!("-{}", text.split(':').next().unwrap_or_default()),
        Reply::Array(replies) => format!("[{}]", replies.iter().map(show).collect::<Vec<_>>().join(", ")),
        Reply::Int(n) => n.to_string(),
        other => format!("{other:?}"),
    }
}
