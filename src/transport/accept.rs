//! The receiving side: takes connections, greets, reads messages. A stranger gets one frame
//! of bounded length and a bounded time; every way to end a connection leaves a log line
//! with the address. This module must never send on an accepted connection after the
//! handshake, but for a snapshot's verdict.

use super::socket::{FrameReader, finish, set_options, write_frame};
use super::{ConnectionError, Received, Refusal, Shared, handshake, snapshot};
use crate::limits::{MAX_FRAME_BYTES, MAX_HANDSHAKE_FRAME_BYTES, MAX_UNGREETED_PEERS};
use crate::wire::NodeId;
use crate::wire::frame::{Frame, Lane, PeerMessage};
use crate::wire::proto::peer;
use raft::eraftpb::MessageType;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// Refusals remembered, so that a peer that keeps trying is in the log once.
const REMEMBERED_REFUSALS: usize = 64;
/// A host name, colon and port.
const MAX_ADDRESS_BYTES: usize = 260;
/// After a failed accept, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The connections accepted.
#[derive(Default)]
pub(super) struct Accepted {
    last_id: u64,
    /// In order of arrival.
    ungreeted: BTreeMap<u64, AbortHandle>,
    greeted: BTreeMap<(NodeId, u8), (u64, AbortHandle)>,
    refusals: VecDeque<(IpAddr, String)>,
}

impl Accepted {
    /// Connections of `peer`.
    pub fn count(&self, peer: NodeId) -> usize {
        self.greeted.range((peer, 0)..=(peer, u8::MAX)).count()
    }

    /// Closes the connections of `peer`.
    pub fn close(&mut self, peer: NodeId) {
        self.greeted.retain(|(id, _), (_, task)| {
            if *id == peer {
                task.abort();
            }
            *id != peer
        });
    }

    #[cfg(test)]
    pub fn ungreeted_count(&self) -> usize {
        self.ungreeted.len()
    }

    /// A connection has said who it is. An older one of the same peer and lane is dead, even
    /// if nobody has told this end: two at once could mix up the order of messages.
    fn greet(&mut self, id: u64, peer: NodeId, lane: Lane) {
        let Some(task) = self.ungreeted.remove(&id) else { return };
        if let Some((_, older)) = self.greeted.insert((peer, lane as u8), (id, task)) {
            older.abort();
        }
    }

    fn forget(&mut self, id: u64) {
        self.ungreeted.remove(&id);
        self.greeted.retain(|_, (greeted, _)| *greeted != id);
    }

    /// True: not seen of late.
    fn note_refusal(&mut self, ip: IpAddr, reason: &str) -> bool {
        let known = self.refusals.iter().any(|(of, why)| *of == ip && why == reason);
        if !known {
            self.refusals.push_back((ip, reason.to_string()));
            if self.refusals.len() > REMEMBERED_REFUSALS {
                self.refusals.pop_front();
            }
        }
        !known
    }
}

pub(super) async fn listen(shared: Rc<Shared>, listener: TcpListener) {
    let mut is_failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                is_failing = false;
                admit(&shared, stream, address);
            }
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    slog::error!(shared.log, "cannot accept peers"; "error" => %error);
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(shared: &Rc<Shared>, stream: TcpStream, address: SocketAddr) {
    let mut accepted = shared.accepted.borrow_mut();
    accepted.last_id += 1;
    let id = accepted.last_id;
    let Some(task) = shared.spawn(serve(shared.clone(), stream, address, id)) else { return };
    accepted.ungreeted.insert(id, task);
    if accepted.ungreeted.len() > MAX_UNGREETED_PEERS
        && let Some((_, oldest)) = accepted.ungreeted.pop_first()
    {
        oldest.abort();
        slog::debug!(shared.log, "too many connections without a handshake, closed the oldest");
    }
}

/// One connection, from accept to end.
async fn serve(shared: Rc<Shared>, mut stream: TcpStream, address: SocketAddr, id: u64) {
    let _forget = Forget { shared: &shared, id };
    let mut reader = FrameReader::new(MAX_HANDSHAKE_FRAME_BYTES);
    let patience = shared.config.timing.handshake;
    let greeted = timeout(patience, greet(&shared, &mut stream, &mut reader)).await;
    let hello = match greeted.unwrap_or(Err(ConnectionError::TimedOut("handshake"))) {
        Ok(hello) => hello,
        Err(error) => return turn_away(&shared, stream, address, error).await,
    };
    let lane = handshake::lane(&hello);
    shared.accepted.borrow_mut().greet(id, hello.from, lane);
    if hello.peer_addr.len() <= MAX_ADDRESS_BYTES {
        shared.said.borrow_mut().insert(hello.from, hello.peer_addr.clone());
    }
    shared.retry_now(hello.from);
    let log = shared.log.new(slog::o!(
        "peer" => hello.from, "address" => address, "lane" => format!("{lane:?}")
    ));
    slog::info!(log, "accepted peer"; "boot" => hello.boot);
    reader.set_max_frame(MAX_FRAME_BYTES);
    let ended = match lane {
        Lane::Snapshot => snapshot::receive(&shared, hello.from, stream, reader).await,
        Lane::Control | Lane::Data => receive(&shared, hello.from, &mut stream, reader).await,
    };
    match ended {
        Ok(()) | Err(ConnectionError::Closed) => slog::info!(log, "peer closed its connection"),
        Err(error) => slog::warn!(log, "closed a peer's connection"; "error" => %error),
    }
}

/// Takes a connection off the books, also when its task is aborted.
struct Forget<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        // Borrowed: by who aborted this very connection, and has struck it off already.
        if let Ok(mut accepted) = self.shared.accepted.try_borrow_mut() {
            accepted.forget(self.id);
        }
    }
}

async fn greet(
    shared: &Shared,
    stream: &mut TcpStream,
    reader: &mut FrameReader,
) -> Result<peer::Hello, ConnectionError> {
    set_options(stream, shared.config.timing.idle)?;
    let challenge = handshake::nonce().map_err(ConnectionError::Protocol)?;
    let frame = peer::Challenge { nonce: challenge.clone(), ..Default::default() };
    write_frame(stream, &Frame::Challenge(frame)).await?;
    let Frame::Hello(hello) = reader.frame(stream).await? else {
        return Err(ConnectionError::Protocol("the first frame is not a hello".to_string()));
    };
    let authentic = handshake::authenticate(&shared.config, &challenge, &hello);
    let is_authentic = authentic.is_ok();
    let judged = authentic
        .and_then(|()| handshake::check_address(&shared.config, &hello))
        .and_then(|()| shared.inbound.greet(&hello));
    let cluster_id = shared.inbound.identity().cluster_id.filter(|_| is_authentic);
    let refusal = judged.as_ref().err();
    let welcome = handshake::welcome(&shared.config, cluster_id, &challenge, &hello, refusal, is_authentic);
    write_frame(stream, &Frame::Welcome(welcome)).await?;
    match judged {
        Ok(()) => Ok(hello),
        Err(Refusal { reason, is_final }) => Err(ConnectionError::Refused { reason, is_final }),
    }
}

async fn turn_away(shared: &Shared, mut stream: TcpStream, address: SocketAddr, error: ConnectionError) {
    let reason = error.to_string();
    if shared.accepted.borrow_mut().note_refusal(address.ip(), &reason) {
        slog::warn!(shared.log, "turned a connection away"; "address" => address, "reason" => &reason);
    } else {
        slog::debug!(shared.log, "turned a connection away"; "address" => address, "reason" => &reason);
    }
    let patience = shared.config.timing.handshake;
    let has_answer = match error {
        ConnectionError::Refused { .. } => true,
        ConnectionError::Wire(_) | ConnectionError::Protocol(_) => {
            let refusal = Frame::Welcome(peer::Welcome { refusal: reason, ..Default::default() });
            matches!(timeout(patience, write_frame(&mut stream, &refusal)).await, Ok(Ok(())))
        }
        _ => false,
    };
    if has_answer {
        finish(stream, patience).await;
    }
}

/// Reads messages until the connection ends.
async fn receive(
    shared: &Shared,
    from: NodeId,
    stream: &mut TcpStream,
    mut reader: FrameReader,
) -> Result<(), ConnectionError> {
    let received = received_of(shared, from);
    loop {
        let mut count = 0;
        let ended = loop {
            match reader.take() {
                Ok(Some(frame)) => match message_of(shared, from, frame) {
                    Ok(message) => shared.inbound.message(from, message),
                    Err(error) => break Err(error),
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
            count += 1;
        };
        if count > 0 {
            received.messages.set(received.messages.get() + count);
            shared.inbound.messages_end();
        }
        ended?;
        let read_bytes = reader.read(stream).await?;
        received.bytes.set(received.bytes.get() + read_bytes as u64);
    }
}

pub(super) fn received_of(shared: &Shared, from: NodeId) -> Rc<Received> {
    shared.received.borrow_mut().entry(from).or_default().clone()
}

/// What a greeted peer may send here: messages of its own, to this node.
fn message_of(shared: &Shared, from: NodeId, frame: Frame) -> Result<PeerMessage, ConnectionError> {
    let problem = match frame {
        Frame::Message(PeerMessage::Raft(message)) => {
            if message.from != from || message.to != shared.config.node_id {
                format!("a Raft message from node {} to node {}", message.from, message.to)
            } else if message.get_msg_type() == MessageType::MsgSnapshot {
                "a snapshot among the messages".to_string()
            } else {
                return Ok(PeerMessage::Raft(message));
            }
        }
        Frame::Message(message) => return Ok(message),
        _ => "a frame that is not a message".to_string(),
    };
    Err(ConnectionError::Protocol(problem))
}
