//! The loop of a node: waits, takes all that has arrived into one turn, and carries out the
//! turn's effects in their order.

use super::snapshots::{self, SnapshotEvent};
use super::{Node, NodeError, Shared, SnapshotNews};
use crate::group::{Effects, Event, Input, LogWrite};
use crate::limits;
use crate::wire::NodeId;
use crate::wire::frame::PeerMessage;
use raft::eraftpb::Message;
use slog::{error, info, warn};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// What comes to a node from its helper threads.
pub struct Helpers {
    pub written: UnboundedReceiver<super::disk::Written>,
    pub snapshots: UnboundedReceiver<SnapshotEvent>,
}

/// How long a node that stops waits for its successor, and for answers under way.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

impl Node {
    /// Runs until `shutdown` (then hands leadership over and ends in good order) or until
    /// something happened after which a node must not go on.
    pub async fn run(
        &self,
        tick: Duration,
        helpers: Helpers,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), NodeError> {
        let shared = &self.shared;
        // Until this function ends. What they bring wakes the loop: of several things to wait for,
        // each would be looked at in each turn.
        let _feeders = self.feed(tick, helpers);
        let mut shutdown = pin!(shutdown);
        let mut stopping: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                () = shared.wake.notified() => {}
                () = shared.walk.rested(), if shared.walk.is_on() && shared.snapshot_thread.has_room() => {}
                () = &mut shutdown, if stopping.is_none() => {
                    info!(shared.log, "stopping");
                    stopping = Some(Instant::now());
                    self.step_down();
                }
            }
            if shared.walk.goes_on_at_once() {
                // The walk wakes this loop itself: without this the sockets would wait for all of it.
                tokio::task::yield_now().await;
            }
            shared.gather().await;
            shared.turn();
            if let Some(error) = shared.stop.borrow_mut().take() {
                return Err(error);
            }
            if stopping.is_some_and(|since| shared.may_end(since)) {
                break;
            }
        }
        if let Some(transport) = shared.transport.get() {
            transport.shutdown().await;
        }
        shared.disk.borrow_mut().close();
        Ok(())
    }

    /// The tasks that put what comes with the time and from helper threads where the loop finds it.
    fn feed(&self, tick: Duration, helpers: Helpers) -> JoinSet<()> {
        let Helpers { mut written, mut snapshots } = helpers;
        let mut feeders = JoinSet::new();
        let shared = self.shared.clone();
        feeders.spawn_local(async move {
            let mut ticks = interval(tick);
            // A node that was paused must not make up for the ticks: it would campaign at once.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                // What has arrived while this node was held up comes first: it may say that
                // the leader is well. The first look polls the sockets, the second reads them.
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                shared.input(Input::Tick);
                shared.end_if_removed();
            }
        });
        let shared = self.shared.clone();
        feeders.spawn_local(async move {
            while let Some(written) = written.recv().await {
                shared.written(written);
                shared.wake.notify_one();
            }
        });
        let shared = self.shared.clone();
        feeders.spawn_local(async move {
            while let Some(event) = snapshots.recv().await {
                shared.snapshot_event(event);
                shared.wake.notify_one();
            }
        });
        feeders
    }
}

impl Shared {
    /// Everything that has arrived, as one step of the group, and what follows from it.
    fn turn(self: &Rc<Self>) {
        self.take_in();
        let (urgent, leads) = {
            let mut group = self.group.borrow_mut();
            self.before_turn(group.standing());
            (group.take_urgent_effects(), group.is_leader())
        };
        let mut write_now = Vec::new();
        if !urgent.is_empty() {
            self.carry_out(urgent, &mut write_now);
        }
        if !leads {
            // The leader waits for this write; nobody waits for a follower's state as much.
            self.write_now(&mut write_now);
        }
        let effects = self.group.borrow_mut().take_effects();
        self.carry_out(effects, &mut write_now);
        self.write_now(&mut write_now);
        self.follow_up(&mut write_now);
        self.walk_snapshot();
    }

    /// Tells the group of everything that has arrived.
    pub(super) fn take_in(&self) {
        let now = self.clock.now();
        self.jobs_waiting.set(0);
        let mut group = self.group.borrow_mut();
        let mut inbox = self.inbox.borrow_mut();
        let is_work = |input: &Input| matches!(input, Input::Submit(_) | Input::Peer { .. });
        if self.walk.is_on() && inbox.iter().any(is_work) {
            self.walk.note_work();
        }
        inbox.drain(..).for_each(|input| group.step(input, now));
    }

    /// `write_now`: of the log, to be written in this turn (see [`Self::write_now`]).
    pub(super) fn carry_out(self: &Rc<Self>, effects: Effects, write_now: &mut Vec<(u64, LogWrite)>) {
        if effects.settle
            && let Err(error) = self.data_dir.borrow_mut().set_settled()
        {
            return self.stop_with(error.into());
        }
        self.persist(effects.persists, effects.compact, write_now);
        self.send(effects.send_now);
        for (to, message) in effects.send_snapshots {
            self.send_snapshot(to, message);
        }
        self.flush();
        if let Some(clients) = self.clients.get() {
            if effects.events.iter().any(|event| matches!(event, Event::SnapshotInstalled { .. })) {
                clients.snapshot(SnapshotNews::Installed);
            }
            if effects.notices.is_empty() {
                clients.replies(effects.replies);
            } else {
                let mut notices = effects.notices.into_iter().peekable();
                for (i, (ticket, reply)) in effects.replies.into_iter().enumerate() {
                    while let Some(notice) = notices.next_if(|notice| notice.before <= i) {
                        clients.notice(notice);
                    }
                    clients.reply(ticket, reply);
                }
                notices.for_each(|notice| clients.notice(notice));
            }
            if effects.abort_snapshot {
                clients.snapshot(SnapshotNews::Failed);
            }
            if let Some(begun) = &effects.start_snapshot {
                clients.snapshot(SnapshotNews::Begun(begun.point.index));
            }
            clients.flush();
        }
        if effects.look_again {
            self.looks_again.set(true);
            self.wake.notify_one();
        }
        if effects.abort_snapshot {
            self.snapshot_thread.abort();
            self.walk.end();
        }
        if let Some(begun) = effects.start_snapshot {
            info!(self.log, "snapshot begun"; "index" => begun.point.index);
            let meta =
                snapshots::meta_of(self.group_id, begun.point.index, begun.point.term, &begun.conf_state);
            self.snapshot_thread.begin(meta);
            self.walk.begin();
        }
        effects.retired.into_iter().for_each(snapshots::free);
        for event in effects.events {
            self.tell(event);
        }
        if effects.members_changed {
            self.members_changed();
        }
        if self.peers_changed.take()
            && let Some(transport) = self.transport.get()
        {
            transport.set_peers(&self.peers());
        }
    }

    pub(super) fn send(&self, messages: Vec<(NodeId, PeerMessage)>) {
        if messages.is_empty() {
            return;
        }
        if let Some(transport) = self.transport.get() {
            self.has_unsent.set(true);
            for (to, message) in messages {
                transport.send(to, message);
            }
        }
    }

    /// Lets out what [`Self::send`] has queued.
    pub(super) fn flush(&self) {
        if self.has_unsent.take()
            && let Some(transport) = self.transport.get()
        {
            transport.flush();
        }
    }

    /// Hands the snapshot thread a chunk a turn, as long as it has room and the walk does not rest.
    fn walk_snapshot(&self) {
        if !self.walk.is_on() || !self.snapshot_thread.has_room() {
            return;
        }
        let begun = Instant::now();
        if !self.walk.is_due(begun) {
            return;
        }
        let mut group = self.group.borrow_mut();
        match group.snapshot_chunk(limits::SNAPSHOT_CHUNK_BYTES) {
            Some(chunk) => {
                self.snapshot_thread.chunk(chunk);
                self.walk.walked(begun, Instant::now(), group.snapshot_is_late());
                if self.walk.goes_on_at_once() && self.snapshot_thread.has_room() {
                    self.wake.notify_one();
                }
            }
            None => {
                self.walk.end();
                self.snapshot_thread.finish();
            }
        }
    }

    fn snapshot_event(&self, event: SnapshotEvent) {
        let input = match event {
            SnapshotEvent::HasRoom => return,
            SnapshotEvent::Stored { index, size_bytes } => {
                info!(self.log, "snapshot stored"; "index" => index, "bytes" => size_bytes);
                self.last_snapshot_ms.set(self.clock.now().wall_ms);
                self.snapshots_failed.set((self.snapshots_failed.get().0, false));
                self.tell_clients(SnapshotNews::Stored(index));
                Input::SnapshotStored { index, size_bytes }
            }
            SnapshotEvent::Failed(error) => {
                // The log is intact and goes on growing; the next attempt writes a new file.
                error!(self.log, "the snapshot could not be written"; "error" => %error);
                self.walk.end();
                self.snapshots_failed.set((self.snapshots_failed.get().0 + 1, true));
                self.tell_clients(SnapshotNews::Failed);
                Input::SnapshotFailed
            }
            SnapshotEvent::Fetched { message, machine, size_bytes } => {
                Input::SnapshotFetched { message, machine, size_bytes }
            }
        };
        self.inbox.borrow_mut().push(input);
    }

    fn tell_clients(&self, news: SnapshotNews) {
        if let Some(clients) = self.clients.get() {
            clients.snapshot(news);
        }
    }

    fn send_snapshot(self: &Rc<Self>, to: NodeId, message: Message) {
        let Some(transport) = self.transport.get().cloned() else { return };
        let shared = self.clone();
        tokio::task::spawn_local(async move {
            let index = message.get_snapshot().get_metadata().index;
            info!(shared.log, "sending a snapshot"; "to" => to, "index" => index);
            let store = shared.snapshot_store.clone();
            let outcome = snapshots::send(store, shared.group_id, transport, to, message).await;
            match &outcome {
                Ok(()) => info!(shared.log, "snapshot sent"; "to" => to),
                Err(error) => warn!(shared.log, "snapshot not sent"; "to" => to, "error" => error),
            }
            shared.inbox.borrow_mut().push(Input::SnapshotSent { to, ok: outcome.is_ok() });
            shared.wake.notify_one();
        });
    }

    fn tell(&self, event: Event) {
        match event {
            Event::Role { role, term } => info!(self.log, "role"; "role" => role, "term" => term),
            Event::Leader { leader: 0, term } => info!(self.log, "no leader"; "term" => term),
            Event::Leader { leader, term } => info!(self.log, "leader"; "leader" => leader, "term" => term),
            Event::Member { node, client_addr, peer_addr } => {
                info!(self.log, "member"; "node" => node, "clients" => client_addr, "peers" => peer_addr);
            }
            Event::Membership { voters, learners } => {
                info!(self.log, "membership"; "voters" => ?voters, "learners" => ?learners);
            }
            Event::SnapshotInstalled { index } => {
                info!(self.log, "snapshot installed"; "index" => index);
            }
            Event::Removed { node } => {
                self.stop_with(NodeError::Removed(super::inbound::removed(node)));
            }
            Event::Refused { reason } => self.stop_with(NodeError::Refused(reason)),
            Event::Corrupt { index, reason } => self.stop_with(NodeError::Corrupt { index, reason }),
        }
    }

    /// The log has other members, or other addresses of them.
    fn members_changed(&self) {
        let group = self.group.borrow();
        let machine = group.machine();
        let members = machine.members();
        let is_known = |node: &NodeId| members.all().contains_key(node) || members.removed().contains(node);
        self.newcomers.borrow_mut().retain(|node, _| !is_known(node));
        self.peers_changed.set(true);
        if let Some(cluster_id) = machine.cluster_id() {
            let mut data_dir = self.data_dir.borrow_mut();
            if data_dir.cluster_id() != Some(cluster_id)
                && let Err(error) = data_dir.set_cluster_id(cluster_id)
            {
                drop(data_dir);
                self.stop_with(error.into());
            }
        }
    }

    /// A node that stops may end when it does not lead and owes no answer, or has waited
    /// long enough.
    fn may_end(&self, since: Instant) -> bool {
        let group = self.group.borrow();
        let status = group.status();
        let is_alone = status.voters.len() <= 1;
        let is_done = group.is_idle() && (is_alone || status.role != "leader");
        is_done || since.elapsed() > STOP_PATIENCE
    }
}
