//! From a peer's address to a connection that it has welcomed. This module must never try
//! an address twice: when to dial again is the caller's affair.

use super::socket::{FrameReader, set_options, write_frame};
use super::{ConnectionError, Peer, Shared, handshake};
use crate::limits::MAX_HANDSHAKE_FRAME_BYTES;
use crate::wire::NodeId;
use crate::wire::frame::{Frame, Lane};
use std::io;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// A connection to `peer` for `lane`, within the time for a handshake for each of its addresses: those
/// that it was given with, and where it says itself that it is.
pub(super) async fn dial(
    shared: &Shared,
    peer: &Peer,
    lane: Lane,
) -> Result<(TcpStream, FrameReader), ConnectionError> {
    let mut first = None;
    // An empty one is of a peer that has not said where it is.
    let said = shared.said.borrow().get(&peer.id).cloned().filter(|said| !said.is_empty());
    let said = said.as_deref().filter(|said| !peer.address.split(',').any(|known| known == *said));
    for address in peer.address.split(',').chain(said) {
        let attempt = async {
            let mut stream = connect(address).await?;
            set_options(&stream, shared.config.timing.idle)?;
            let reader = greet(shared, &mut stream, peer.id, lane).await?;
            Ok((stream, reader))
        };
        let outcome = timeout(shared.config.timing.handshake, attempt).await;
        match outcome.unwrap_or(Err(ConnectionError::TimedOut("answer"))) {
            Ok(connected) => return Ok(connected),
            Err(error @ ConnectionError::Refused { is_final: true, .. }) => return Err(error),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or(ConnectionError::Protocol("the peer has no address".to_string())))
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host(address).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn greet(
    shared: &Shared,
    stream: &mut TcpStream,
    to: NodeId,
    lane: Lane,
) -> Result<FrameReader, ConnectionError> {
    let unexpected = || ConnectionError::Protocol("the handshake is not a peer's".to_string());
    let mut reader = FrameReader::new(MAX_HANDSHAKE_FRAME_BYTES);
    let Frame::Challenge(challenge) = reader.frame(stream).await? else { return Err(unexpected()) };
    let cluster_id = shared.inbound.identity().cluster_id;
    let hello = handshake::hello(&shared.config, cluster_id, to, lane, &challenge)
        .map_err(ConnectionError::Protocol)?;
    write_frame(stream, &Frame::Hello(hello.clone())).await?;
    let Frame::Welcome(welcome) = reader.frame(stream).await? else { return Err(unexpected()) };
    let welcome = handshake::check_welcome(&shared.config, cluster_id, &challenge.nonce, &hello, welcome)
        .map_err(ConnectionError::Protocol)?;
    shared.inbound.welcomed(&welcome);
    if welcome.refusal.is_empty() {
        return Ok(reader);
    }
    // A sentence for a log: not more of a stranger's text than that.
    let reason = welcome.refusal.chars().filter(|c| !c.is_control()).take(200).collect();
    Err(ConnectionError::Refused { reason, is_final: welcome.field_final })
}
