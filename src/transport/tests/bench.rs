//! Measurements, to be run by hand in release.

use super::*;

/// Answers each message of node 1 with one of its own, within the call.
#[derive(Default)]
struct Echo {
    transport: RefCell<Option<Transport>>,
    count: Cell<u64>,
    target: Cell<u64>,
    done: Notify,
    answers: bool,
}

impl Inbound for Echo {
    fn identity(&self) -> Identity {
        Identity::default()
    }
    fn message(&self, from: NodeId, message: PeerMessage) {
        self.count.set(self.count.get() + 1);
        if self.answers && self.count.get() < self.target.get() {
            let PeerMessage::Raft(message) = message else { return };
            let answer = Message { from: message.to, to: message.from, ..message };
            self.transport.borrow().as_ref().unwrap().send(from, PeerMessage::Raft(answer));
        }
    }
    fn messages_end(&self) {
        if self.count.get() >= self.target.get() {
            self.done.notify_one();
        }
        self.transport.borrow().as_ref().unwrap().flush();
    }
    fn unreachable(&self, _: NodeId) {}
    fn greet(&self, _: &peer::Hello) -> Result<(), Refusal> {
        Ok(())
    }
    fn welcomed(&self, _: &peer::Welcome) {}
    fn snapshot(&self, _: NodeId, _: Message) -> Result<ChunkSink, String> {
        Err("none".to_string())
    }
}

async fn echoes(answers: bool) -> [(Transport, Rc<Echo>); 2] {
    let (mut nodes, mut peers) = (Vec::new(), Vec::new());
    for id in [1, 2] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        peers.push((id, listener.local_addr().unwrap().to_string()));
        let echo = Rc::new(Echo { answers, target: Cell::new(u64::MAX), ..Echo::default() });
        let log = Logger::root(slog::Discard, slog::o!());
        let transport = Transport::start(config(id), listener, echo.clone(), log);
        *echo.transport.borrow_mut() = Some(transport.clone());
        nodes.push((transport, echo));
    }
    for (transport, _) in &nodes {
        transport.set_peers(&peers);
        until("connected", || {
            transport.status().iter().all(|s| s.control.is_connected && s.data.is_connected)
        })
        .await;
    }
    nodes.try_into().ok().expect("two were made")
}

#[test]
#[ignore = "a measurement"]
fn round_trips() {
    run(async {
        let [(a, _), (_, b)] = echoes(true).await;
        let rounds = 300_000;
        b.target.set(rounds);
        let start = Instant::now();
        a.send(2, heartbeat(1, 2, 170));
        a.flush();
        b.done.notified().await;
        println!(
            "{:.0} round trips a second of some 200 bytes",
            rounds as f64 / start.elapsed().as_secs_f64()
        );
    });
}

#[test]
#[ignore = "a measurement"]
fn throughput() {
    run(async {
        for (size_bytes, count) in [(1 << 20, 4000), (16 << 20, 250), (200, 4_000_000_u64)] {
            let [(a, _), (_, b)] = echoes(false).await;
            b.target.set(count);
            let start = Instant::now();
            let message = forward(1, size_bytes);
            for i in 0..count {
                a.send(2, message.clone());
                let turn_ends = i % (1 + 32_000 / size_bytes as u64) == 0;
                if turn_ends {
                    a.flush();
                    while a.status()[0].data.queued_bytes > 4 << 20 {
                        tokio::task::yield_now().await;
                    }
                }
            }
            a.flush();
            b.done.notified().await;
            let (seconds, bytes) = (start.elapsed().as_secs_f64(), count * size_bytes as u64);
            println!(
                "messages of {size_bytes} bytes: {:.2} GB/s, {:.0} a second",
                bytes as f64 / seconds / 1e9,
                count as f64 / seconds
            );
        }
    });
}
