//! raft-rs's asynchronous `Ready`, turned into effects. A leader's appends leave before its
//! own disk write ends; whatever promises something (votes, acknowledgements) leaves only
//! after the write that it promises (Raft thesis, section 10.2.1).

use super::{Event, Group, LogPoint, LogWrite, Persist, SnapshotPoint};
use crate::mutant::{self, Mutant};
use crate::wire::NodeId;
use crate::wire::frame::PeerMessage;
use raft::eraftpb::{Entry, EntryType, Message, MessageType, Snapshot};

fn changes_membership(entry: &Entry) -> bool {
    entry.get_entry_type() != EntryType::EntryNormal
}

impl Group {
    pub(super) fn drain_ready(&mut self) {
        let mut ready = self.raft.ready();
        if ready.snapshot().get_metadata().index != 0 {
            self.apply_committed(); // before the state that they belong to is another
        }
        for message in ready.take_messages() {
            self.send_now(message);
        }
        let mut log = LogWrite::default();
        if ready.snapshot().get_metadata().index != 0 {
            log.reset = Some(self.install(ready.snapshot()));
        }
        log.entries = ready.take_entries();
        self.raft.mut_store().append(&log.entries);
        self.snapshots.log_grew(&log.entries);
        let (mut is_new_term, mut is_news) = (false, false);
        if let Some(hard_state) = ready.hs() {
            let before = self.raft.store().hard_state();
            is_new_term = (before.term, before.vote) != (hard_state.term, hard_state.vote);
            // It gets its vote once it says to have heard of its registration, and must then not forget it.
            is_news = !self.settled;
            self.raft.mut_store().set_hard_state(hard_state.clone());
        }
        let mut committed = ready.take_committed_entries();
        // The commit index alone is not worth a write: it goes along with the next one. But a
        // node that forgets a change of the membership may wait for ever for a vote of one that
        // was removed and is gone.
        if ready.must_sync() || log.reset.is_some() || is_news || committed.iter().any(changes_membership) {
            let mut hard_state = self.raft.store().hard_state().clone();
            hard_state.vote *= u64::from(!mutant::is(Mutant::VoteNotPersisted));
            log.hard_state = Some(hard_state);
        }
        let waits = !log.is_empty() || !self.own_disk.is_idle();
        let send_after = self.promises(ready.take_persisted_messages(), waits && !is_new_term);
        let number = ready.number();
        self.raft.advance_append_async(ready);
        let can_wait =
            !is_new_term && log.reset.is_none() && send_after.is_empty() && self.own_write_can_wait();
        self.persist(Persist { number, can_wait, log, send_after }, is_new_term);
        self.committed.append(&mut committed);
    }

    /// Applying can wait for what others wait for: the writes and messages of the same moment.
    pub(super) fn apply_committed(&mut self) {
        let committed = std::mem::take(&mut self.committed);
        let Some(last) = committed.last().map(|entry| entry.index) else { return };
        self.is_stirred = true;
        let entries = committed.len();
        for entry in committed {
            if !self.halted {
                self.apply(entry);
            }
        }
        if !self.halted {
            self.raft.advance_apply_to(last);
            self.entries_applied(entries);
        }
    }

    fn persist(&mut self, mut persist: Persist, is_new_term: bool) {
        if persist.log.is_empty() && self.own_disk.is_idle() {
            // Everything before it is on disk already.
            self.raft.on_persist_ready(persist.number);
            self.effects.send_now.extend(persist.send_after);
            return;
        }
        if persist.log.is_empty() && persist.send_after.is_empty() {
            return; // what is told of a later one holds for it as well
        }
        if mutant::is(Mutant::AcknowledgeBeforeSync) {
            self.raft.on_persist_ready(persist.number);
            self.effects.send_now.append(&mut persist.send_after);
        }
        if mutant::is(Mutant::AheadIsCounted) && self.is_leader() {
            self.raft.on_persist_ready(persist.number);
        }
        self.own_disk.asked(&persist, is_new_term);
        self.effects.persists.push(persist);
    }

    pub(super) fn persisted(&mut self, number: u64) {
        self.own_disk.written(number);
        self.raft.on_persist_ready(number);
        self.count_own_disk();
        // An installed snapshot counts as applied from here on: raft-rs leaves that to us.
        let installed = self.snapshots.stored_index();
        let persisted = self.raft.raft.raft_log.persisted;
        if self.applied() < installed && persisted >= installed {
            self.raft.advance_apply_to(installed);
        }
    }

    fn send_now(&mut self, message: Message) {
        if mutant::is(Mutant::AcknowledgeBeforeCommit) && !message.entries.is_empty() && self.ticks % 16 >= 4
        {
            return;
        }
        self.commits.note(&message);
        if message.get_msg_type() == MessageType::MsgSnapshot {
            self.effects.send_snapshots.push((message.to, message));
        } else {
            self.effects.send_now.push((message.to, PeerMessage::Raft(message)));
        }
    }

    /// What must not leave before the write of its moment, nor before earlier ones. raft-rs holds back
    /// whatever a follower says; but the answer to a heartbeat promises nothing once its term is
    /// durable, and a leader that misses it because entries are long on their way to a disk steps down.
    /// `may_overtake`: there is a write to wait for, and no new term in it.
    fn promises(&mut self, messages: Vec<Message>, may_overtake: bool) -> Vec<(NodeId, PeerMessage)> {
        let overtakes = may_overtake && !self.own_disk.awaits_new_term();
        let mut promises = Vec::with_capacity(messages.len());
        for mut message in messages {
            if overtakes && message.get_msg_type() == MessageType::MsgHeartbeatResponse {
                message.commit = 0; // that it would promise: a leader gives votes to those who have heard of theirs
                self.send_now(message);
            } else {
                promises.push((message.to, PeerMessage::Raft(message)));
            }
        }
        promises
    }

    /// Raft has taken a leader's snapshot: its state, restored before, takes our state's place.
    fn install(&mut self, snapshot: &Snapshot) -> LogPoint {
        let metadata = snapshot.get_metadata();
        let point = LogPoint { index: metadata.index, term: metadata.term };
        let conf_state = metadata.get_conf_state().clone();
        let (machine, size_bytes) = self
            .snapshots
            .take_fetched(point.index)
            .expect("Raft only takes a snapshot while the message that brought its state is being stepped");
        if self.snapshots.is_walking() {
            self.effects.abort_snapshot = true;
        }
        let before = std::mem::replace(&mut self.machine, machine);
        self.machine.inherit(&before);
        self.effects.retired.push(before);
        self.machine.set_touches(self.touches_wanted);
        self.machine.set_propagates(self.propagates_wanted);
        self.machine.touch_all();
        self.note_events(0);
        self.snapshots.installed(point.index, self.machine.keyspace().revision(), size_bytes);
        self.raft.mut_store().install(SnapshotPoint { point, conf_state });
        let seen = self.machine.applied_seq(self.config.node_id, self.config.boot);
        let jobs = self.stream.take_applied_unseen(seen);
        self.lose_replies(jobs);
        self.effects.events.push(Event::SnapshotInstalled { index: point.index });
        self.effects.members_changed = true;
        self.notice_removal();
        self.last_progress_us = self.now.mono_us;
        point
    }
}
