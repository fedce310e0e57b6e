//! The transport over loopback sockets: against itself, and against a raw peer that speaks
//! the frames by hand and may misbehave.

mod bench;
mod handshake;
mod lanes;
mod snapshots;

use super::*;
use crate::limits::MAX_FRAME_BYTES;
use crate::wire::entry::Batch;
use crate::wire::frame::Frame;
use bytes::{Bytes, BytesMut};
use raft::eraftpb::{Message, MessageType};
use slog::Drain;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CLUSTER: [u8; 16] = [7; 16];

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// What a node was told.
#[derive(Default)]
struct Recorder {
    messages: RefCell<Vec<(NodeId, PeerMessage)>>,
    ends: Cell<usize>,
    unreachable: RefCell<Vec<NodeId>>,
    welcomes: RefCell<Vec<peer::Welcome>>,
    refusal: RefCell<Option<Refusal>>,
    sinks: RefCell<Vec<Result<ChunkSink, String>>>,
    snapshots: RefCell<Vec<Message>>,
}

impl Inbound for Recorder {
    fn identity(&self) -> Identity {
        Identity { cluster_id: Some(CLUSTER) }
    }
    fn message(&self, from: NodeId, message: PeerMessage) {
        self.messages.borrow_mut().push((from, message));
    }
    fn messages_end(&self) {
        self.ends.set(self.ends.get() + 1);
    }
    fn unreachable(&self, peer: NodeId) {
        self.unreachable.borrow_mut().push(peer);
    }
    fn greet(&self, hello: &peer::Hello) -> Result<(), Refusal> {
        if hello.cluster_id != CLUSTER {
            return Err(Refusal { reason: "another cluster".to_string(), is_final: false });
        }
        self.refusal.borrow().clone().map_or(Ok(()), Err)
    }
    fn welcomed(&self, welcome: &peer::Welcome) {
        self.welcomes.borrow_mut().push(welcome.clone());
    }
    fn snapshot(&self, _: NodeId, message: Message) -> Result<ChunkSink, String> {
        self.snapshots.borrow_mut().push(message);
        self.sinks.borrow_mut().pop().unwrap_or(Err("no snapshot expected".to_string()))
    }
}

impl Recorder {
    fn count(&self) -> usize {
        self.messages.borrow().len()
    }

    fn rounds(&self) -> Vec<u64> {
        let messages = self.messages.borrow();
        let rounds = messages.iter().filter_map(|(_, message)| match message {
            PeerMessage::ReadRound(round) => Some(round.round),
            _ => None,
        });
        rounds.collect()
    }
}

#[derive(Clone, Default)]
struct LogText(Arc<Mutex<Vec<u8>>>);

impl Write for LogText {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut *self.0.lock().unwrap(), bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LogText {
    /// Above the level of debugging.
    fn lines_with(&self, text: &str) -> usize {
        let text_bytes = self.0.lock().unwrap();
        let lines = String::from_utf8_lossy(&text_bytes);
        lines.lines().filter(|line| line.contains(text) && !line.contains(" DEBG ")).count()
    }
}

struct TestNode {
    transport: Transport,
    inbound: Rc<Recorder>,
    address: String,
    log: LogText,
}

fn config(node_id: NodeId) -> TransportConfig {
    let timing = Timing {
        backoff_min: Duration::from_millis(5),
        backoff_max: Duration::from_millis(40),
        ..Timing::default()
    };
    TransportConfig {
        peer_addr: String::new(),
        node_id,
        group: 1,
        incarnation: [node_id as u8; 16],
        boot: 1,
        secret: None,
        timing,
        jitter_seed: node_id,
    }
}

async fn start_at(config: TransportConfig, address: &str) -> TestNode {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (inbound, log) = (Rc::new(Recorder::default()), LogText::default());
    let drain = slog_term::FullFormat::new(slog_term::PlainSyncDecorator::new(log.clone())).build().fuse();
    let logger = Logger::root(drain, slog::o!());
    let transport = Transport::start(config, listener, inbound.clone(), logger);
    TestNode { transport, inbound, address, log }
}

async fn start(config: TransportConfig) -> TestNode {
    start_at(config, "127.0.0.1:0").await
}

/// Nodes 1 and 2, connected both ways.
async fn pair() -> (TestNode, TestNode) {
    let (a, b) = (start(config(1)).await, start(config(2)).await);
    a.transport.set_peers(&[(1, a.address.clone()), (2, b.address.clone())]);
    b.transport.set_peers(&[(1, a.address.clone()), (2, b.address.clone())]);
    a.until_connected().await;
    b.until_connected().await;
    (a, b)
}

impl TestNode {
    fn status(&self) -> PeerStatus {
        self.transport.status().remove(0)
    }

    async fn until_connected(&self) {
        until("connected", || {
            self.transport.status().iter().all(|s| s.control.is_connected && s.data.is_connected)
        })
        .await;
    }

    fn send(&self, to: NodeId, message: PeerMessage) {
        self.transport.send(to, message);
        self.transport.flush();
    }
}

fn round(round: u64) -> PeerMessage {
    PeerMessage::ReadRound(peer::ReadRound { term: 1, round, ..Default::default() })
}

fn forward(seq: u64, size_bytes: usize) -> PeerMessage {
    PeerMessage::Forward(Batch { origin: 1, boot: 1, seq, body: Bytes::from(vec![seq as u8; size_bytes]) })
}

fn heartbeat(from: NodeId, to: NodeId, size_bytes: usize) -> PeerMessage {
    let mut message = Message { from, to, term: 3, ..Default::default() };
    message.set_msg_type(MessageType::MsgHeartbeat);
    message.context = Bytes::from(vec![1; size_bytes]);
    PeerMessage::Raft(message)
}

/// One side of a connection, by hand.
struct Raw {
    stream: TcpStream,
    input: BytesMut,
}

impl Raw {
    fn new(stream: TcpStream) -> Self {
        Self { stream, input: BytesMut::new() }
    }

    async fn connect(address: &str) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }

    /// `None`: the connection is closed.
    async fn frame(&mut self) -> Option<Frame> {
        soon("a frame", async {
            loop {
                if let Some(frame) = Frame::take(&mut self.input, MAX_FRAME_BYTES).unwrap() {
                    return Some(frame);
                }
                if !matches!(self.stream.read_buf(&mut self.input).await, Ok(1..)) {
                    return None;
                }
            }
        })
        .await
    }

    async fn put(&mut self, frame: Frame) {
        let mut out = Vec::new();
        frame.put(&mut out);
        self.stream.write_all(&out).await.unwrap();
    }

    /// Dials as node 2 does node 1, with what `change` makes of the hello; the answer.
    async fn dial(
        address: &str,
        secret: Option<&str>,
        lane: Lane,
        change: impl FnOnce(&mut peer::Hello),
    ) -> (Self, peer::Welcome) {
        let mut raw = Self::connect(address).await;
        let Some(Frame::Challenge(challenge)) = raw.frame().await else { panic!("no challenge") };
        let config = TransportConfig { secret: secret.map(str::to_string), ..config(2) };
        let mut hello = super::handshake::hello(&config, Some(CLUSTER), 1, lane, &challenge).unwrap();
        change(&mut hello);
        raw.put(Frame::Hello(hello)).await;
        let Some(Frame::Welcome(welcome)) = raw.frame().await else { panic!("no welcome") };
        (raw, welcome)
    }

    /// Accepts as node 2.
    async fn accept(listener: &TcpListener) -> (Self, peer::Hello) {
        Self::accept_with(listener, peer::Welcome { from: 2, ..Default::default() }).await
    }

    async fn accept_with(listener: &TcpListener, welcome: peer::Welcome) -> (Self, peer::Hello) {
        let mut raw = Self::new(soon("a dial", listener.accept()).await.unwrap().0);
        raw.put(Frame::Challenge(peer::Challenge { nonce: vec![1; 16], ..Default::default() })).await;
        let Some(Frame::Hello(hello)) = raw.frame().await else { panic!("no hello") };
        raw.put(Frame::Welcome(welcome)).await;
        (raw, hello)
    }

    async fn until_closed(&mut self) {
        while self.frame().await.is_some() {}
    }
}

/// Node 1 and a raw node 2, with its control and data lane.
async fn with_raw_peer() -> (TestNode, TcpListener, Raw, Raw) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = start(config(1)).await;
    node.transport.set_peers(&[(2, listener.local_addr().unwrap().to_string())]);
    let (first, hello) = Raw::accept(&listener).await;
    let (second, _) = Raw::accept(&listener).await;
    node.until_connected().await;
    let is_control = hello.lane == peer::Lane::CONTROL;
    let (control, data) = if is_control { (first, second) } else { (second, first) };
    (node, listener, control, data)
}
