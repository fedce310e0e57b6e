//! One snapshot, one connection: header, chunks, end; then the receiver's verdict. Chunks
//! come from and go to helper threads through bounded channels, so disk IO never runs here
//! and memory stays bounded by the channels and one chunk. Either side may vanish at any
//! step: the other ends with an error, and a sink that has seen no end was abandoned.

use super::accept::received_of;
use super::socket::{FrameReader, finish, write_frame};
use super::{ConnectionError, Shared, dial};
use crate::limits::PEER_BUFFER_BYTES;
use crate::wire::NodeId;
use crate::wire::frame::{Frame, Lane};
use crate::wire::proto::peer;
use bytes::Bytes;
use raft::eraftpb::{self, MessageType};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// A step of a snapshot stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotPart {
    /// A `snapshot.Chunk`.
    Chunk(Bytes),
    /// That was all. A channel closed without it means that the other side gave up.
    End,
}

/// Where a snapshot's chunks come from; the channel's bound bounds the memory.
pub type ChunkSource = mpsc::Receiver<Result<SnapshotPart, String>>;

/// Where a snapshot's chunks go.
#[derive(Debug)]
pub struct ChunkSink {
    /// Dropped without [`SnapshotPart::End`]: the snapshot will never be whole.
    pub parts: mpsc::Sender<SnapshotPart>,
    /// The verdict, after the end or as soon as something failed.
    pub result: oneshot::Receiver<Result<(), String>>,
}

/// Why a snapshot was not stored by its receiver, as far as the sender knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Not among the peers.
    #[error("node {0} is not a peer")]
    UnknownPeer(NodeId),
    /// No connection came about.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection ended too early.
    #[error("the connection ended: {0}")]
    Lost(String),
    /// The chunks ended too early.
    #[error("the snapshot cannot be read: {0}")]
    Source(String),
    /// The receiver could not store it, or did not want it.
    #[error("the peer did not take the snapshot: {0}")]
    Refused(String),
    /// A step took too long.
    #[error("no {0} in time")]
    TimedOut(&'static str),
    /// This transport was shut down.
    #[error("shut down")]
    ShutDown,
}

impl From<ConnectionError> for TransportError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::TimedOut(what) => Self::TimedOut(what),
            error => Self::Lost(error.to_string()),
        }
    }
}

async fn in_time<T, E: Into<ConnectionError>>(
    limit: Duration,
    what: &'static str,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, ConnectionError> {
    match timeout(limit, step).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(ConnectionError::TimedOut(what)),
    }
}

pub(super) async fn send(
    shared: Rc<Shared>,
    to: NodeId,
    message: eraftpb::Message,
    source: ChunkSource,
) -> Result<(), TransportError> {
    tokio::select! {
        biased;
        () = shared.closed() => Err(TransportError::ShutDown),
        result = send_to(&shared, to, message, source) => result,
    }
}

async fn send_to(
    shared: &Shared,
    to: NodeId,
    message: eraftpb::Message,
    source: ChunkSource,
) -> Result<(), TransportError> {
    let peer = shared.peers.borrow().iter().find(|peer| peer.id == to).cloned();
    let peer = peer.ok_or(TransportError::UnknownPeer(to))?;
    let dialled = dial::dial(shared, &peer, Lane::Snapshot).await;
    let (mut stream, mut reader) = dialled.map_err(|error| TransportError::Connect(error.to_string()))?;
    let (mut read, mut write) = stream.split();
    let timing = &shared.config.timing;
    let verdict = reader.frame(&mut read);
    let sending = send_parts(&mut write, message, source, timing.snapshot_stall);
    tokio::pin!(verdict);
    let verdict = tokio::select! {
        biased;
        early = &mut verdict => early?,
        sent = sending => {
            // A receiver that has refused is a better reason than the broken pipe after it.
            let limit = match sent {
                Ok(()) => timing.snapshot_result,
                Err(TransportError::Lost(_)) => timing.handshake,
                Err(error) => return Err(error),
            };
            match in_time(limit, "verdict on a snapshot", verdict).await {
                Ok(frame) => frame,
                Err(error) => return Err(sent.err().unwrap_or_else(|| error.into())),
            }
        }
    };
    match verdict {
        Frame::SnapshotResult(result) if result.accepted => Ok(()),
        Frame::SnapshotResult(result) => Err(TransportError::Refused(result.error)),
        _ => Err(TransportError::Lost("the answer is not a verdict".to_string())),
    }
}

async fn send_parts(
    stream: &mut (impl AsyncWrite + Unpin),
    message: eraftpb::Message,
    mut source: ChunkSource,
    stall: Duration,
) -> Result<(), TransportError> {
    const TAKES: &str = "progress of the receiver";
    let mut out = Vec::new();
    Frame::SnapshotHeader(message).put(&mut out);
    let (mut chunks, mut bytes) = (0, 0);
    loop {
        in_time(stall, TAKES, stream.write_all(&out)).await?;
        if out.capacity() > 8 * PEER_BUFFER_BYTES {
            out = Vec::new();
        }
        out.clear();
        match timeout(stall, source.recv()).await {
            Err(_) => return Err(TransportError::TimedOut("chunk of a snapshot")),
            Ok(None) => return Err(TransportError::Source("given up".to_string())),
            Ok(Some(Err(error))) => return Err(TransportError::Source(error)),
            Ok(Some(Ok(SnapshotPart::End))) => break,
            Ok(Some(Ok(SnapshotPart::Chunk(chunk)))) => {
                (chunks, bytes) = (chunks + 1, bytes + chunk.len() as u64);
                Frame::SnapshotChunk(chunk).put(&mut out);
                tokio::task::yield_now().await;
            }
        }
    }
    let end = peer::SnapshotEnd { chunks, bytes, ..Default::default() };
    in_time(stall, TAKES, write_frame(stream, &Frame::SnapshotEnd(end))).await?;
    Ok(())
}

/// The accepting side of a snapshot connection.
pub(super) async fn receive(
    shared: &Shared,
    from: NodeId,
    mut stream: TcpStream,
    mut reader: FrameReader,
) -> Result<(), ConnectionError> {
    let timing = &shared.config.timing;
    let header = in_time(timing.snapshot_stall, "header of a snapshot", reader.frame(&mut stream)).await?;
    let message = match header {
        Frame::SnapshotHeader(message)
            if message.get_msg_type() == MessageType::MsgSnapshot
                && message.from == from
                && message.to == shared.config.node_id =>
        {
            message
        }
        _ => return Err(ConnectionError::Protocol("not the header of a snapshot to here".to_string())),
    };
    let verdict = match shared.inbound.snapshot(from, message) {
        Ok(sink) => store(shared, from, &mut stream, &mut reader, sink).await?,
        Err(reason) => Err(reason),
    };
    if let Err(error) = &verdict {
        slog::warn!(shared.log, "did not take a snapshot"; "peer" => from, "error" => error);
    }
    let accepted = verdict.is_ok();
    let result =
        peer::SnapshotResult { accepted, error: verdict.err().unwrap_or_default(), ..Default::default() };
    let answer = Frame::SnapshotResult(result);
    in_time(timing.handshake, "acknowledgement", write_frame(&mut stream, &answer)).await?;
    finish(stream, timing.handshake).await;
    Ok(())
}

/// Hands the chunks on. The inner error is the verdict of this side's storage.
async fn store(
    shared: &Shared,
    from: NodeId,
    stream: &mut TcpStream,
    reader: &mut FrameReader,
    sink: ChunkSink,
) -> Result<Result<(), String>, ConnectionError> {
    let timing = &shared.config.timing;
    let received = received_of(shared, from);
    let ChunkSink { parts, result } = sink;
    let (mut chunks, mut bytes) = (0, 0);
    loop {
        let frame = in_time(timing.snapshot_stall, "chunk of a snapshot", reader.frame(stream)).await?;
        let part = match frame {
            Frame::SnapshotChunk(chunk) => {
                (chunks, bytes) = (chunks + 1, bytes + chunk.len() as u64);
                received.bytes.set(received.bytes.get() + chunk.len() as u64);
                SnapshotPart::Chunk(chunk)
            }
            Frame::SnapshotEnd(end) if (end.chunks, end.bytes) == (chunks, bytes) => SnapshotPart::End,
            Frame::SnapshotEnd(_) => {
                return Err(ConnectionError::Protocol("a snapshot with chunks missing".to_string()));
            }
            _ => return Err(ConnectionError::Protocol("a frame that is no part of a snapshot".to_string())),
        };
        let is_end = part == SnapshotPart::End;
        match timeout(timing.snapshot_stall, parts.send(part)).await {
            Err(_) => return Ok(Err("the storage takes too long for a chunk".to_string())),
            // The sink gave up, and its result says why.
            Ok(Err(_)) => break,
            Ok(Ok(())) if is_end => break,
            Ok(Ok(())) => {}
        }
    }
    drop(parts);
    Ok(match timeout(timing.snapshot_result, result).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(_)) => Err("the storage gave up".to_string()),
        Err(_) => Err("the storage takes too long".to_string()),
    })
}
