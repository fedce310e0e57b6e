//! The server over real loopback sockets, on a backend that is a map. What it cannot show
//! (elections, logs) is tested where the real node is.

mod backend;
mod blocked;
mod blocked_streams;
mod commands;
mod config;
mod consistency;
mod control;
mod debug;
mod discovery;
mod eviction;
mod limits;
mod migrate;
mod once;
mod operations;
mod pipelines;
mod pubsub;
mod raft;
mod redirect;
mod replicas;
mod scripts;
mod slow;
mod threads;
mod tracking;
mod transactions;
mod upstream;
mod users;
mod waiters;
mod wakes;

use super::{ClientTable, Server, ServerConfig};
use crate::config::{DebugCommand, Redirect};
use crate::group::Consistency;
use backend::FakeBackend;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

struct Harness {
    addr: SocketAddr,
    backend: Rc<FakeBackend>,
    clients: Rc<ClientTable>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

fn config() -> ServerConfig {
    ServerConfig {
        read_mode: Consistency::Linearizable,
        max_clients: 100,
        idle_timeout: None,
        max_memory_bytes: 0,
        tcp_keepalive: Some(Duration::from_secs(300)),
        drain_timeout: Duration::from_secs(5),
        run_id: "0".repeat(40),
        election_timeout: Duration::from_millis(400),
        redirect: Redirect::None,
        enable_debug: DebugCommand::No,
        sentinel_name: "mymaster".to_owned(),
        requirepass: None,
        awaits_users: false,
        directory: "/var/lib/bowline".to_owned(),
    }
}

/// With sockets left to so many threads, all tests are to pass too.
const IO_THREADS: &str = "BOWLINE_TEST_IO_THREADS";

fn io_threads() -> usize {
    std::env::var(IO_THREADS).map_or(0, |count| count.parse().expect("a number"))
}

/// Runs `test` beside a server.
fn serve<F: Future<Output = ()>>(config: ServerConfig, test: impl FnOnce(Harness) -> F) {
    serve_with(io_threads(), config, test);
}

/// The same, with sockets left to so many threads.
fn serve_with<F: Future<Output = ()>>(
    io_threads: usize,
    config: ServerConfig,
    test: impl FnOnce(Harness) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let clients = ClientTable::new(logger.clone());
        clients.start_io_threads(io_threads).unwrap();
        let backend = FakeBackend::start(Rc::clone(&clients));
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let server = Server::run(listener, shutdown, config, backend.clone(), Rc::clone(&clients), logger);
        let server = Some(tokio::task::spawn_local(server));
        let harness = Harness { addr, backend, clients, stop: Some(stop), server };
        timeout(3 * PATIENCE, test(harness)).await.expect("the test ends");
    });
}

impl Harness {
    async fn connect(&self) -> Peer {
        Peer(TcpStream::connect(self.addr).await.unwrap())
    }

    async fn shut_down(&mut self) {
        self.begin_shutdown();
        timeout(PATIENCE, self.server.take().unwrap()).await.expect("it ends").unwrap();
    }

    fn begin_shutdown(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }
}

/// Whether it comes true without anything from outside, and mostly long before housekeeping looks. Threads that sockets
/// are left to may have to wait for a core, which turns of this one do not tell: beside these it only has to come true.
async fn comes_true(condition: impl Fn() -> bool) -> bool {
    let began = std::time::Instant::now();
    let patience = Duration::from_millis(if io_threads() == 0 { 250 } else { 2500 });
    for turn in 0_u64.. {
        if condition() {
            return true;
        }
        if turn > 20_000 && began.elapsed() > patience {
            break;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// The other end of a connection.
struct Peer(TcpStream);

impl Peer {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    async fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let expected = bytes.as_ref();
        let mut got = vec![0; expected.len()];
        let mut len = 0;
        while len < got.len() {
            match timeout(PATIENCE, self.0.read(&mut got[len..])).await {
                Ok(Ok(n)) if n > 0 => len += n,
                end => panic!(
                    "expected {}, got {} and then {end:?}",
                    expected.escape_ascii(),
                    got[..len].escape_ascii()
                ),
            }
            let shown = |bytes: &[u8]| bytes[..bytes.len().min(300)].escape_ascii().to_string();
            assert!(
                got[..len] == expected[..len],
                "expected {}, got {}",
                shown(expected),
                shown(&got[..len])
            );
        }
    }

    /// Reads on to the end of `mark`.
    async fn skip_to(&mut self, mark: &str) {
        let mut read = Vec::new();
        while !read.ends_with(mark.as_bytes()) {
            read.push(timeout(PATIENCE, self.0.read_u8()).await.expect(mark).unwrap());
        }
    }

    async fn ask(&mut self, command: &str, expected: &str) {
        self.send(format!("{command}\r\n")).await;
        self.expect(expected.replace(' ', "\r\n").replace('_', " ")).await;
    }

    async fn expect_end(&mut self) {
        let mut rest = Vec::new();
        match timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("the connection ends") {
            Ok(_) => assert_eq!(rest.escape_ascii().to_string(), ""),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }

    /// An end that takes nothing back of what was sent before.
    async fn expect_orderly_end(&mut self) {
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("the connection ends");
        assert_eq!(end.expect("no reset"), 0);
    }

    /// The next bulk or verbatim string.
    async fn text(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(timeout(PATIENCE, self.0.read_u8()).await.expect("a header").unwrap());
        }
        let header = String::from_utf8(line).unwrap();
        let len: usize = header[1..].trim().parse().unwrap_or_else(|_| panic!("no string: {header}"));
        let mut text = vec![0; len + 2];
        timeout(PATIENCE, self.0.read_exact(&mut text)).await.expect("a string").unwrap();
        text.truncate(len);
        String::from_utf8(text).unwrap()
    }
}
