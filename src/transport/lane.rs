//! One outgoing connection to one peer: its queue, and the task that dials it, notices its
//! end, and writes what a flush left over. It must never keep messages for a peer that is
//! not connected, and never write from two places at once.

use super::queue::OutQueue;
use super::{ConnectionError, LaneStatus, Peer, Shared, dial};
use crate::limits::MAX_FRAME_BYTES;
use crate::wire::frame::{Frame, Lane, PeerMessage};
use slog::Logger;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// The sending side of a lane.
pub(super) struct OutLane {
    lane: Lane,
    state: RefCell<State>,
    /// The socket takes no more, or failed: the task's turn.
    wake: Notify,
    retry: Notify,
}

struct State {
    stream: Option<Rc<TcpStream>>,
    out: OutQueue,
    is_blocked: bool,
    failure: Option<io::Error>,
    /// Since the last good moment something was dropped, and that was reported.
    is_dropping: bool,
    status: LaneStatus,
}

impl OutLane {
    pub fn new(lane: Lane, max_bytes: usize) -> Self {
        let state = State {
            stream: None,
            out: OutQueue::new(max_bytes),
            is_blocked: false,
            failure: None,
            is_dropping: false,
            status: LaneStatus::default(),
        };
        Self { lane, state: RefCell::new(state), wake: Notify::new(), retry: Notify::new() }
    }

    /// Queues, or drops. True: the first one dropped since all was well.
    pub fn push(&self, message: PeerMessage, log: &Logger) -> bool {
        let state = &mut *self.state.borrow_mut();
        let size_hint = size_hint(&message);
        let own_hint = size_hint - message.shared_len();
        if size_hint > MAX_FRAME_BYTES {
            slog::error!(log, "a message is longer than any peer accepts"; "size_bytes" => size_hint);
        } else if state.stream.is_some()
            && state.out.push(size_hint, own_hint, |out| Frame::Message(message).put_sharing(out))
        {
            state.status.sent_messages += 1;
            return false;
        }
        state.status.dropped_messages += 1;
        !std::mem::replace(&mut state.is_dropping, true)
    }

    pub fn flush(&self) {
        let state = &mut *self.state.borrow_mut();
        if state.is_blocked || state.failure.is_some() || state.out.is_empty() {
            return;
        }
        state.write();
        if state.is_blocked || state.failure.is_some() {
            self.wake.notify_one();
        }
    }

    pub fn retry_now(&self) {
        // Not a permit for later: a connected lane has nothing to retry.
        self.retry.notify_waiters();
    }

    /// The peer is none any more: nothing is sent from now on.
    pub fn close(&self) {
        self.state.borrow_mut().disconnect("closed");
    }

    pub fn status(&self) -> LaneStatus {
        let state = self.state.borrow();
        LaneStatus {
            is_connected: state.stream.is_some(),
            queued_bytes: state.out.len_bytes(),
            ..state.status.clone()
        }
    }

    fn connect(&self, stream: Rc<TcpStream>) {
        let state = &mut *self.state.borrow_mut();
        state.stream = Some(stream);
        state.is_dropping = false;
        state.status.connects += 1;
        state.status.last_error = None;
    }

    /// Remembers why the lane is down; true when that is news.
    fn note(&self, error: &str) -> bool {
        let last = &mut self.state.borrow_mut().status.last_error;
        let is_news = last.as_deref() != Some(error);
        *last = Some(error.to_string());
        is_news
    }

    /// Until the connection ends: writes on when the socket takes more. Nothing is ever to
    /// be read here but the end.
    async fn drive(&self, stream: &TcpStream) -> ConnectionError {
        loop {
            if let Some(error) = self.state.borrow_mut().failure.take() {
                return error.into();
            }
            let is_blocked = self.state.borrow().is_blocked;
            tokio::select! {
                () = self.wake.notified() => {}
                ready = stream.readable() => match ready.and_then(|()| stream.try_read(&mut [0])) {
                    Ok(0) => return ConnectionError::Closed,
                    Ok(_) => return ConnectionError::Protocol("the peer answers on a lane".to_string()),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return error.into(),
                },
                ready = stream.writable(), if is_blocked => {
                    match ready {
                        Ok(()) => self.state.borrow_mut().write(),
                        Err(error) => return error.into(),
                    }
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

impl State {
    fn write(&mut self) {
        let Some(stream) = &self.stream else { return };
        let written = self.out.write_with(|slices| match slices {
            [one] => stream.try_write(one),
            several => stream.try_write_vectored(several),
        });
        match written {
            Ok(count) => self.status.sent_bytes += count as u64,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.failure = Some(error),
        }
        self.is_blocked = !self.out.is_empty();
        if self.out.is_empty() {
            self.is_dropping = false;
        }
    }

    fn disconnect(&mut self, error: &str) {
        self.stream = None;
        self.is_blocked = false;
        self.failure = None;
        // What is lost here is reported as the loss of the connection.
        self.is_dropping = true;
        self.status.lost_bytes += self.out.clear() as u64;
        self.status.last_error = Some(error.to_string());
    }
}

/// Exact for nothing, near for what is large: that is what the reservation needs.
fn size_hint(message: &PeerMessage) -> usize {
    match message {
        PeerMessage::Raft(message) => {
            128 + message.context.len()
                + message.entries.iter().map(|e| e.data.len() + e.context.len() + 32).sum::<usize>()
        }
        PeerMessage::Forward(batch) => 64 + batch.body.len(),
        _ => 64,
    }
}

/// Keeps a lane connected, until a final refusal.
pub(super) async fn run(shared: Rc<Shared>, peer: Rc<Peer>, lane: Lane) {
    let out = peer.lane(lane);
    let log = shared.log.new(slog::o!(
        "peer" => peer.id, "address" => peer.address.clone(), "lane" => format!("{:?}", out.lane)
    ));
    let timing = &shared.config.timing;
    let mut pause = timing.backoff_min;
    loop {
        match dial::dial(&shared, &peer, lane).await {
            Ok((stream, _)) => {
                let stream = Rc::new(stream);
                out.connect(stream.clone());
                slog::info!(log, "connected to peer");
                pause = timing.backoff_min;
                let error = out.drive(&stream).await.to_string();
                out.state.borrow_mut().disconnect(&error);
                slog::warn!(log, "lost the connection to peer"; "error" => error);
                shared.report_lost(peer.id);
            }
            Err(ConnectionError::Refused { reason, is_final: true }) => {
                out.note(&reason);
                slog::error!(log, "peer refuses this node for good"; "reason" => reason);
                return;
            }
            Err(error) => {
                let error = error.to_string();
                if out.note(&error) {
                    slog::warn!(log, "cannot connect to peer, trying on"; "error" => error);
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(shared.jittered(pause)) => pause = (pause * 2).min(timing.backoff_max),
            () = out.retry.notified() => {}
        }
    }
}
