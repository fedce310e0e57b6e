//! Frames off a socket, and a socket's options. Buffers that a large frame has grown are
//! given back; this module must never let an announced length past the given bound.

use super::ConnectionError;
use crate::limits::{LOOPBACK_CONGESTION, PEER_BUFFER_BYTES};
use crate::wire::frame::Frame;
use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// A read with less room than this between frames gets a new buffer.
const MIN_READ_BYTES: usize = 4 << 10;
/// A buffer that was made longer than this for a frame is given back after it.
const LARGE_FRAME_BYTES: usize = 4 * PEER_BUFFER_BYTES;
/// After this much the other tasks get a turn.
const YIELD_BYTES: usize = 256 << 10;

/// Frames are slices of the buffer: nothing is copied.
pub(super) struct FrameReader {
    buf: BytesMut,
    max_frame_bytes: usize,
    has_grown: bool,
    since_yield_bytes: usize,
}

impl FrameReader {
    pub fn new(max_frame_bytes: usize) -> Self {
        let buf = BytesMut::with_capacity(MIN_READ_BYTES);
        Self { buf, max_frame_bytes, has_grown: false, since_yield_bytes: 0 }
    }

    /// Of the frames to come: the peer is trusted with more now.
    pub fn set_max_frame(&mut self, max_frame_bytes: usize) {
        self.max_frame_bytes = max_frame_bytes;
    }

    /// The next whole frame of what was read.
    pub fn take(&mut self) -> Result<Option<Frame>, ConnectionError> {
        let frame = Frame::take(&mut self.buf, self.max_frame_bytes)?;
        if frame.is_none() {
            self.has_grown |= self.buf.capacity() > LARGE_FRAME_BYTES;
        } else if self.has_grown && self.buf.len() <= PEER_BUFFER_BYTES {
            let mut fresh = BytesMut::with_capacity(PEER_BUFFER_BYTES);
            fresh.extend_from_slice(&self.buf);
            self.buf = fresh;
            self.has_grown = false;
        }
        Ok(frame)
    }

    /// Waits for bytes; after [`FrameReader::take`] had no more.
    pub async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<usize, ConnectionError> {
        if self.since_yield_bytes >= YIELD_BYTES {
            self.since_yield_bytes = 0;
            tokio::task::yield_now().await;
        }
        // Within a frame there is room for all of it: `Frame::take` has seen to that.
        if self.buf.len() < 4 && self.buf.capacity() - self.buf.len() < MIN_READ_BYTES {
            self.buf.reserve(PEER_BUFFER_BYTES);
        }
        match stream.read_buf(&mut self.buf).await? {
            0 => Err(ConnectionError::Closed),
            count => {
                self.since_yield_bytes += count;
                Ok(count)
            }
        }
    }

    /// The next frame, however many reads that takes.
    pub async fn frame(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Frame, ConnectionError> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(frame);
            }
            self.read(stream).await?;
        }
    }
}

/// Sends one frame.
pub(super) async fn write_frame(
    stream: &mut (impl AsyncWrite + Unpin),
    frame: &Frame,
) -> Result<(), ConnectionError> {
    let mut out = Vec::new();
    frame.put(&mut out);
    Ok(stream.write_all(&out).await?)
}

/// No delay for small frames, and an end to connections whose other side has vanished.
pub(super) fn set_options(stream: &TcpStream, idle: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    if stream.peer_addr()?.ip().is_loopback() {
        // Nothing to control there. Refused: as it was.
        let _ = socket.set_tcp_congestion(LOOPBACK_CONGESTION);
    }
    let third = (idle / 3).max(Duration::from_secs(1));
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(third).with_interval(third).with_retries(2))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(idle))?;
    Ok(())
}

/// Ends a connection so that the last frame sent arrives: closing with bytes unread would
/// make the kernel throw it away.
pub(super) async fn finish(mut stream: TcpStream, patience: Duration) {
    let drained = async {
        stream.shutdown().await?;
        let mut ignored = [0; 4096];
        while stream.read(&mut ignored).await? > 0 {}
        io::Result::Ok(())
    };
    // Best effort: the connection is over either way.
    let _ = tokio::time::timeout(patience, drained).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_buffer_grows_once_for_a_large_frame_and_is_given_back() {
        let large = Frame::SnapshotChunk(Bytes::from(vec![1; 5 << 20]));
        let small = Frame::SnapshotChunk(Bytes::from_static(b"small"));
        let mut bytes = Vec::new();
        [&small, &large, &small, &large, &small].iter().for_each(|frame| frame.put(&mut bytes));
        let mut input = &bytes[..];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut reader = FrameReader::new(6 << 20);
            for expected in [&small, &large, &small, &large, &small] {
                assert_eq!(&reader.frame(&mut input).await.unwrap(), expected);
                assert!(reader.buf.capacity() <= LARGE_FRAME_BYTES, "{}", reader.buf.capacity());
                assert!(!reader.has_grown);
            }
            assert!(matches!(reader.frame(&mut input).await, Err(ConnectionError::Closed)));
            let mut bounded = FrameReader::new(1 << 20);
            assert_eq!(bounded.frame(&mut &bytes[..]).await.unwrap(), small);
            assert!(matches!(bounded.frame(&mut &bytes[14..]).await, Err(ConnectionError::Wire(_))));
            assert!(bounded.buf.capacity() <= LARGE_FRAME_BYTES);
        });
    }
}
