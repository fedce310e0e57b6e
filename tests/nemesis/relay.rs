//! The network between the nodes: every node is reached by its peers through a relay, which
//! learns from the first frame of a connection who dialled it. Nodes send only on connections
//! that they dialled, so a link has a direction, and can be cut, held up or slowed down alone.
//! The relay must never change, drop or reorder bytes of a connection that it keeps open.

use crate::harness::own_address;
use bowline::limits::MAX_HANDSHAKE_FRAME_BYTES;
use bowline::wire::frame::Frame;
use bytes::BytesMut;
use std::collections::BTreeMap;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

/// What a link does to what is sent over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Everything arrives later by so much, and less of it.
    Slow(Duration),
    /// Nothing arrives, and nobody is told; what was sent arrives when the link is open again.
    Stalled,
    /// Connections are closed.
    Cut,
}

/// Links that are not open, from whom to whom.
type Links = BTreeMap<(u64, u64), Link>;

/// All relays of a cluster.
pub struct Relays {
    links: watch::Sender<Links>,
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Relays {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        });
        Self { links: watch::Sender::new(Links::new()), handle, stop: Some(stop), thread: Some(thread) }
    }

    /// A relay at a node's address for peers: where the node itself has to listen, on the same
    /// port of another address, as it insists on.
    pub fn behind(&self, peer_addr: &str) -> String {
        let port = peer_addr.rsplit_once(':').expect("an address").1;
        let behind = format!("{}:{port}", own_address());
        self.add(peer_addr, &behind);
        behind
    }

    /// Takes connections at `listen`, and hands them on to `target`.
    fn add(&self, listen: &str, target: &str) {
        let listener = std::net::TcpListener::bind(listen).expect("the relay's address is free");
        listener.set_nonblocking(true).expect("a socket of ours");
        let (target, links) = (target.to_owned(), self.links.subscribe());
        self.handle.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a socket of ours");
            while let Ok((dialler, _)) = listener.accept().await {
                let (target, links) = (target.clone(), links.clone());
                tokio::spawn(async move {
                    let _ = relay(dialler, &target, links).await;
                });
            }
        });
    }

    /// Changes one link.
    pub fn set(&self, from: u64, to: u64, link: Link) {
        self.links.send_modify(|links| {
            links.insert((from, to), link);
        });
    }

    /// Opens one link.
    pub fn open(&self, from: u64, to: u64) {
        self.links.send_modify(|links| {
            links.remove(&(from, to));
        });
    }
}

impl Drop for Relays {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Until one side ends the connection, or the link is cut.
async fn relay(dialler: TcpStream, target: &str, mut links: watch::Receiver<Links>) -> io::Result<()> {
    let target = TcpStream::connect(target).await?;
    dialler.set_nodelay(true)?;
    target.set_nodelay(true)?;
    let (mut from_dialler, mut to_dialler) = dialler.into_split();
    let (mut from_target, mut to_target) = target.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_target, &mut to_dialler).await });
    let outcome = async {
        let (pair, hello) = hello(&mut from_dialler).await?;
        pass(&hello, pair, &mut to_target, &mut links).await?;
        forward(&mut from_dialler, &mut to_target, pair, &mut links).await
    }
    .await;
    back.abort();
    outcome
}

/// The first frame of a connection: who dialled it, and whom it meant; and its bytes.
async fn hello(dialler: &mut OwnedReadHalf) -> io::Result<((u64, u64), Vec<u8>)> {
    let mut bytes = BytesMut::new();
    loop {
        if dialler.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match Frame::take(&mut bytes.clone(), MAX_HANDSHAKE_FRAME_BYTES) {
            Ok(None) => {}
            Ok(Some(Frame::Hello(hello))) => return Ok(((hello.from, hello.to), bytes.to_vec())),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

async fn forward(
    dialler: &mut OwnedReadHalf,
    target: &mut OwnedWriteHalf,
    pair: (u64, u64),
    links: &mut watch::Receiver<Links>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        tokio::select! {
            read = dialler.read(&mut buffer) => match read? {
                0 => return Ok(()),
                len => pass(&buffer[..len], pair, target, links).await?,
            },
            changed = links.changed() => {
                changed.map_err(io::Error::other)?;
                if links.borrow().get(&pair) == Some(&Link::Cut) {
                    return Ok(());
                }
            }
        }
    }
}

/// Hands on some bytes when the link lets them pass.
async fn pass(
    bytes: &[u8],
    pair: (u64, u64),
    target: &mut OwnedWriteHalf,
    links: &mut watch::Receiver<Links>,
) -> io::Result<()> {
    loop {
        let link = links.borrow_and_update().get(&pair).copied();
        match link {
            None => break,
            Some(Link::Slow(by)) => {
                tokio::time::sleep(by).await;
                break;
            }
            Some(Link::Cut) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(Link::Stalled) => links.changed().await.map_err(io::Error::other)?,
        }
    }
    target.write_all(bytes).await
}
