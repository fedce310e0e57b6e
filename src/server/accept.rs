//! The accept loop, the once-a-second housekeeping, and the orderly end. This module must
//! never spin: an accept that fails (no descriptors left) waits before it tries again.

use super::Shared;
use super::connection::{Connection, SHRINK_AFTER};
use super::failovers::Failovers;
use super::reader::Reader;
use super::save::keep_saved;
use super::writer::Writer;
use crate::limits;
use slog::{info, warn};
use socket2::{SockRef, TcpKeepalive};
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
const SAMPLING: Duration = Duration::from_millis(100);
const HOUSEKEEPING: Duration = Duration::from_secs(1);

pub async fn run(listener: TcpListener, shutdown: impl Future<Output = ()>, shared: Rc<Shared>) {
    let mut tasks = JoinSet::new();
    let mut sampling = interval(SAMPLING);
    sampling.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut housekeeping = interval(HOUSEKEEPING);
    housekeeping.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut failovers = Failovers::default();
    failovers.look(&shared);
    let mut backoff = false;
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            _ = sampling.tick() => {
                shared.clients.count_io();
                shared.clients.stats().sample(Instant::now());
                if shared.clients.tracking.clients() > 0 {
                    shared.clients.evict();
                    shared.clients.flush_told();
                }
                failovers.look(&shared);
                shared.look_for_room();
            }
            () = shared.clients.eviction.woken() => shared.look_for_room(),
            _ = housekeeping.tick() => keep_house(&shared),
            Some(_) = tasks.join_next() => {}
            () = sleep(ACCEPT_BACKOFF), if backoff => backoff = false,
            accepted = listener.accept(), if !backoff => match accepted {
                Ok((socket, addr)) => welcome(&shared, socket, addr, &mut tasks),
                Err(error) => {
                    warn!(shared.logger, "cannot accept a connection"; "error" => %error);
                    backoff = true;
                }
            },
        }
    }
    drop(listener);
    info!(shared.logger, "no longer accepting connections"; "connected" => shared.clients.len());
    shared.clients.begin_shutdown();
    let drained = timeout(shared.config.drain_timeout, async { while tasks.join_next().await.is_some() {} });
    if drained.await.is_err() {
        warn!(shared.logger, "connections cut off at shutdown"; "connected" => shared.clients.len());
    }
    tasks.shutdown().await;
}

fn welcome(shared: &Rc<Shared>, socket: TcpStream, addr: SocketAddr, tasks: &mut JoinSet<()>) {
    let stats = shared.clients.stats();
    stats.add(&stats.connections_received, 1);
    if shared.clients.len() as i64 >= shared.parameters.max_clients.get() {
        stats.add(&stats.connections_rejected, 1);
        // The socket is new, so its buffer takes this, or the client is gone.
        let _ = socket.try_write(b"-ERR max number of clients reached\r\n");
        return;
    }
    if let Err(error) = prepare(shared, &socket) {
        info!(shared.logger, "cannot set up a connection"; "client" => %addr, "error" => %error);
    }
    let local_addr = socket.local_addr().unwrap_or(addr);
    let id = shared.clients.next_id();
    let (reader, writer) = match shared.clients.io() {
        None => {
            let (read, write) = socket.into_split();
            (Reader::socket(read), Writer::Socket(write))
        }
        Some(io) => match io.adopt(id, socket) {
            Ok(remote) => (Reader::Thread(Rc::clone(&remote)), Writer::Thread(remote)),
            Err(error) => {
                return warn!(shared.logger, "no I/O thread takes a connection";
                    "client" => %addr, "error" => %error);
            }
        },
    };
    let client = shared.clients.add(id, addr, local_addr, writer);
    tasks.spawn_local(Connection::new(client, Rc::clone(shared), reader).run());
}

fn prepare(shared: &Shared, socket: &TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    if socket.peer_addr()?.ip().is_loopback() {
        // Nothing to control there. Refused: as it was.
        let _ = SockRef::from(socket).set_tcp_congestion(limits::LOOPBACK_CONGESTION);
    }
    let keepalive_s = shared.parameters.tcp_keepalive_s.get() as u64;
    if keepalive_s > 0 {
        let idle = Duration::from_secs(keepalive_s);
        SockRef::from(socket)
            .set_tcp_keepalive(&TcpKeepalive::new().with_time(idle).with_interval(idle / 3))?;
    }
    Ok(())
}

fn keep_house(shared: &Shared) {
    keep_saved(shared);
    let now = Instant::now();
    let idle_s = shared.parameters.timeout_s.get() as u64;
    for client in shared.clients.all() {
        let silent = now.duration_since(client.active.get());
        let listens = client.subscribed.get() || client.replicates.get();
        let busy = client.awaiting() > 0 || client.blocked.get() || listens;
        if idle_s > 0 && silent >= Duration::from_secs(idle_s) && !busy {
            client.close("idle timeout");
        } else if silent >= SHRINK_AFTER
            && client.input_capacity.get() - client.input_len.get() > limits::IDLE_BUFFER_BYTES
        {
            client.wake(); // to give buffers back
        }
    }
}
