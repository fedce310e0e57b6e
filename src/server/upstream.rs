//! The link to the Redis that the cluster follows (`REPLICAOF`): who keeps it, and what clients are
//! told of it. Only the node that leads has one; what comes over it goes into the log as units that
//! carry the link's token, so a link that has lost the leadership without knowing it changes nothing.
//! This module must never apply anything itself.

mod copy;
mod feed;
mod link;

use super::Shared;
use super::connection::Connection;
use super::info::Text;
use crate::command::{Command, ConnectionCommand, Handler, Refusals, Reply, Source, Stage};
use link::{Failure, Link};
use slog::{info, warn};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep};

/// How often it is looked whether this node leads, while something is followed.
const LOOK: Duration = Duration::from_millis(100);
/// Between attempts to connect: at first, and at most.
const RECONNECT: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];
/// Between attempts to copy: each is work for the upstream, and fails for the same reason, mostly.
const COPY_AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// What the node's clients and its link have in common.
#[derive(Default)]
pub struct Upstream {
    refusals: Cell<Refusals>,
    changed: Notify,
    /// Who waits for the reply to the link's unit, by its ticket: there is one at a time.
    waiting: RefCell<Option<(u64, oneshot::Sender<Reply>)>>,
}

impl Upstream {
    /// Clients may not do these things from now on.
    pub fn refuse(&self, refusals: Refusals) {
        self.refusals.set(refusals);
        self.changed.notify_one();
    }

    /// A reply to somebody who is no client.
    pub fn answer(&self, ticket: u64, reply: Reply) {
        if let Some((_, waiting)) = self.waiting.borrow_mut().take_if(|(its, _)| *its == ticket) {
            let _ = waiting.send(reply); // whoever asked has given up
        }
    }

    fn expect(&self, ticket: u64) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        *self.waiting.borrow_mut() = Some((ticket, sender));
        receiver
    }

    /// Whether the keys are a copy that is not complete.
    pub fn is_loading(&self) -> bool {
        self.refusals.get().is_loading()
    }
}

impl Connection {
    /// Why a command cannot be taken while a Redis is followed.
    pub(super) fn refused_by_upstream(&self, row: &Command) -> Option<Reply> {
        let refusals = self.shared.clients.upstream.refusals.get();
        if refusals.is_empty() {
            return None;
        }
        match (&row.handler, &self.session.multi) {
            (Handler::Connection(ConnectionCommand::Exec), Some(multi)) if !multi.broken => {
                refusals.of(multi.commands.iter().map(|queued| queued.row))
            }
            _ => refusals.of(std::iter::once(row)),
        }
    }
}

/// Keeps the link as long as there is to be one, and for ever.
pub async fn run(shared: Rc<Shared>) {
    shared.backend.look(&mut |machine| shared.clients.upstream.refuse(machine.refusals()));
    loop {
        match source(&shared) {
            Some(source) => {
                if shared.backend.leads() {
                    follow(&shared, source).await;
                }
                sleep(LOOK).await; // also when the group takes nothing: it must not be asked all the time
            }
            None => shared.clients.upstream.changed.notified().await,
        }
    }
}

/// What is followed, as this node knows.
fn source(shared: &Shared) -> Option<Source> {
    let mut source = None;
    shared.backend.look(&mut |machine| source = machine.upstream().source().cloned());
    source
}

/// From a token to its loss: another upstream, another leader.
async fn follow(shared: &Rc<Shared>, source: Source) {
    let Ok(session) = link::take_over(shared, source.session).await else { return };
    info!(shared.logger, "following an upstream"; "host" => &source.host, "port" => source.port);
    let mut pauses = [RECONNECT[0], COPY_AGAIN[0]];
    loop {
        let begun = Instant::now();
        let mut link = Link::new(shared, session);
        let failure = link.run().await;
        if link.is_following() {
            pauses[0] = RECONNECT[0];
        }
        if begun.elapsed() >= COPY_AGAIN[1] {
            pauses[1] = COPY_AGAIN[0];
        }
        drop(link);
        let (kind, most, reason) = match failure {
            Failure::Over => break,
            Failure::Connection(reason) => (0, RECONNECT[1], reason),
            Failure::Copy(reason) => (1, COPY_AGAIN[1], reason),
        };
        if report(shared, session, &reason).await.is_err() {
            break;
        }
        let pause = pauses[kind];
        pauses[kind] = (2 * pause).min(most);
        if is_over_within(shared, session, pause).await {
            break;
        }
    }
    info!(shared.logger, "no longer following an upstream from here"; "host" => &source.host, "port" => source.port);
}

/// Writes down that the link is down and why, unless it is known.
async fn report(shared: &Rc<Shared>, session: u64, reason: &str) -> Result<(), Failure> {
    let Some(source) = source(shared) else { return Err(Failure::Over) };
    if source.is_up || source.error != reason || source.loaded != 0 {
        warn!(shared.logger, "the link to the upstream is down"; "reason" => reason);
        link::go_down(shared, session, reason).await?;
    }
    Ok(())
}

/// Waits; whether the link has lost its right meanwhile.
async fn is_over_within(shared: &Shared, session: u64, pause: Duration) -> bool {
    let deadline = Instant::now() + pause;
    while !link::is_over(shared, session) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        sleep(left.min(LOOK)).await;
    }
    true
}

/// `INFO replication`. The fields of Redis tell of the cluster's own leader and followers, on which
/// clients and Sentinels rely; the upstream has fields of its own, on every node the same.
pub(super) fn info(text: &mut Text, shared: &Shared) {
    let Some(source) = source(shared) else { return };
    text.field("upstream_host", &source.host);
    text.field("upstream_port", source.port);
    text.field("upstream_link_status", if source.is_up { "up" } else { "down" });
    text.field("upstream_sync_in_progress", u8::from(source.stage == Stage::Loading));
    text.field("upstream_sync_keys", source.loaded);
    text.field("upstream_sync_error", source.error.replace(['\r', '\n'], " "));
    text.field("upstream_replid", &source.replid);
    text.field("upstream_repl_offset", source.offset);
}

/// `CONFIG GET replicaof`.
pub(super) fn place(shared: &Shared) -> String {
    source(shared).map_or_else(String::new, |source| format!("{} {}", source.host, source.port))
}
