//! Many clients on one thread, each with one batch of requests under way. Must not cost more than
//! it has to: it takes its time from the servers that it measures, on the same cores. So it sends
//! again from the same buffers, and reads and writes once a batch.

use super::loads::{Batch, Keys, Mix};
use super::measure::Measure;
use super::replies::{Replies, Reply};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a client that got an error, or no connection, leaves the servers alone.
const RETREAT: Duration = Duration::from_millis(10);
/// All clients connect before the first one sends; later connections may not hold up the others.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
const RECONNECT_PATIENCE: Duration = Duration::from_millis(100);
/// Also how often the end is looked for.
const LONGEST_SLEEP: Duration = Duration::from_millis(20);
const READ_BYTES: usize = 256 << 10;
const EVENTS: usize = 1024;

pub struct Plan {
    pub addresses: Vec<SocketAddr>,
    pub clients: usize,
    pub pipeline: usize,
    pub wait: usize,
    pub requests: Option<u64>,
    pub warm_up: Duration,
    pub duration: Duration,
    pub interval: Option<Duration>,
    pub patience: Duration,
}

struct Client {
    stream: Option<TcpStream>,
    /// Which address it is connected to, or tries next.
    address: usize,
    batch: Batch,
    written: usize,
    replies: Replies,
    /// Operations of the batch, and replies that are missing.
    ops: usize,
    missing: usize,
    refused: usize,
    sent: Instant,
}

pub struct Load<'a> {
    plan: &'a Plan,
    mix: &'a Mix,
    keys: Keys,
    random: SmallRng,
    poll: Poll,
    clients: Vec<Client>,
    /// Clients that wait before they go on, in the order in which they will.
    retreated: VecDeque<(Instant, usize)>,
    measure: Measure,
    begun: u64,
    under_way: usize,
    last_answer: Instant,
    buffer: Vec<u8>,
}

impl<'a> Load<'a> {
    /// Connects all clients.
    pub fn new(plan: &'a Plan, mix: &'a Mix, keys: Keys, seed: u64) -> io::Result<Self> {
        let poll = Poll::new()?;
        let now = Instant::now();
        let mut clients = Vec::with_capacity(plan.clients);
        for number in 0..plan.clients {
            let address = number % plan.addresses.len();
            let stream = connect(&poll, plan.addresses[address], number, CONNECT_PATIENCE)?;
            clients.push(Client {
                stream: Some(stream),
                address,
                batch: Batch::default(),
                written: 0,
                replies: Replies::default(),
                ops: 0,
                missing: 0,
                refused: 0,
                sent: now,
            });
        }
        let now = Instant::now();
        Ok(Self {
            plan,
            mix,
            keys,
            random: SmallRng::seed_from_u64(seed),
            poll,
            clients,
            retreated: VecDeque::new(),
            measure: Measure::new(now, plan.warm_up, plan.interval),
            begun: 0,
            under_way: 0,
            last_answer: now,
            buffer: vec![0; READ_BYTES],
        })
    }

    /// Until the time is over, or all requests are answered. The measurement and its end.
    pub fn run(mut self) -> io::Result<(Measure, Instant)> {
        let end = Instant::now() + self.plan.warm_up + self.plan.duration;
        for number in 0..self.clients.len() {
            self.send_batch(number, Instant::now());
        }
        let mut events = Events::with_capacity(EVENTS);
        loop {
            if let Err(error) = self.poll.poll(&mut events, Some(LONGEST_SLEEP))
                && error.kind() != ErrorKind::Interrupted
            {
                return Err(error);
            }
            for event in &events {
                let number = event.token().0;
                if event.is_writable() {
                    self.write(number);
                }
                if event.is_readable() || event.is_read_closed() || event.is_error() {
                    self.read(number, event.is_read_closed());
                }
            }
            let now = Instant::now();
            self.come_back(now);
            let all_sent = self.plan.requests.is_some_and(|wanted| self.begun >= wanted);
            let over = match self.plan.requests {
                Some(_) => all_sent && self.under_way == 0 && self.retreated.is_empty(),
                None => now >= end,
            };
            if over {
                return Ok((self.measure, now));
            }
            if now.duration_since(self.last_answer) > self.plan.patience {
                let waited = self.plan.patience.as_secs();
                return Err(io::Error::new(ErrorKind::TimedOut, format!("no answer for {waited} s")));
            }
        }
    }

    fn send_batch(&mut self, number: usize, now: Instant) {
        let left = self.plan.requests.map_or(u64::MAX, |wanted| wanted.saturating_sub(self.begun));
        let ops = self.plan.pipeline.min(usize::try_from(left).unwrap_or(usize::MAX));
        if ops == 0 {
            return;
        }
        let client = &mut self.clients[number];
        client.batch.fill(self.mix, ops, &mut self.keys, &mut self.random);
        (client.written, client.ops, client.refused, client.sent) = (0, ops, 0, now);
        client.missing = ops + usize::from(self.mix.waits());
        self.begun += ops as u64;
        self.under_way += 1;
        self.write(number);
    }

    fn write(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let Some(stream) = &mut client.stream else { return };
        while client.written < client.batch.bytes.len() {
            match stream.write(&client.batch.bytes[client.written..]) {
                Ok(written) => client.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lose(number, &error.to_string()),
            }
        }
    }

    /// Reads what has come; to the very end if the other side has ended, for no event follows then.
    fn read(&mut self, number: usize, to_the_end: bool) {
        let mut buffer = std::mem::take(&mut self.buffer);
        loop {
            let client = &mut self.clients[number];
            let Some(stream) = &mut client.stream else { break };
            match stream.read(&mut buffer) {
                Ok(0) => {
                    self.lose(number, "the server closed the connection");
                    break;
                }
                Ok(size) => {
                    self.take(number, &buffer[..size]);
                    // The next bytes bring the next event (epoll(7), edge-triggered, streams).
                    if size < buffer.len() && !to_the_end {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.lose(number, &error.to_string());
                    break;
                }
            }
        }
        self.buffer = buffer;
    }

    fn take(&mut self, number: usize, bytes: &[u8]) {
        let now = Instant::now();
        self.last_answer = now;
        let (waits, wait, measure) = (self.mix.waits(), self.plan.wait as i64, &mut self.measure);
        let Client { replies, missing, refused, sent, .. } = &mut self.clients[number];
        let sent = *sent;
        let mut fine = 0;
        let fed = replies.feed(bytes, |reply| {
            let Some(left) = missing.checked_sub(1) else { return };
            *missing = left;
            match reply {
                Reply::Integer(copies) if waits && left == 0 => {
                    if copies < wait {
                        *refused += 1;
                        measure.failed(now, 1, "WAIT: too few replicas");
                    }
                }
                Reply::Error(text) => {
                    *refused += 1;
                    measure.failed(now, 1, &String::from_utf8_lossy(text));
                }
                _ => fine += 1,
            }
        });
        if fed.is_err() {
            return self.lose(number, "no reply of RESP2");
        }
        let client = &mut self.clients[number];
        if waits {
            // Nothing of the batch was on the replicas before the last reply said so.
            fine = if client.missing == 0 { client.ops.saturating_sub(client.refused) } else { 0 };
        }
        if fine > 0 {
            self.measure.answered(sent, now, fine as u64);
        }
        if client.missing == 0 && client.ops > 0 {
            client.ops = 0;
            self.under_way -= 1;
            if client.refused > 0 {
                self.retreated.push_back((now + RETREAT, number));
            } else {
                self.send_batch(number, now);
            }
        }
    }

    /// The connection is gone, and with it what was under way; the next one goes elsewhere.
    fn lose(&mut self, number: usize, why: &str) {
        let now = Instant::now();
        let client = &mut self.clients[number];
        client.stream = None;
        client.replies = Replies::default();
        client.address = (client.address + 1) % self.plan.addresses.len();
        if client.ops > 0 {
            self.measure.failed(now, client.missing.max(1) as u64, why);
            client.ops = 0;
            self.under_way -= 1;
        }
        self.retreated.push_back((now + RETREAT, number));
    }

    /// Those who have waited long enough go on.
    fn come_back(&mut self, now: Instant) {
        while let Some(&(at, number)) = self.retreated.front() {
            if at > now {
                return;
            }
            self.retreated.pop_front();
            let client = &mut self.clients[number];
            if client.ops > 0 {
                continue; // It was here twice: refused, and then its connection was lost.
            }
            if client.stream.is_none() {
                let address = self.plan.addresses[client.address];
                match connect(&self.poll, address, number, RECONNECT_PATIENCE) {
                    Ok(stream) => {
                        client.stream = Some(stream);
                        self.measure.reconnected();
                    }
                    Err(error) => {
                        client.address = (client.address + 1) % self.plan.addresses.len();
                        self.measure.failed(now, 1, &error.to_string());
                        self.retreated.push_back((now + RETREAT, number));
                        continue;
                    }
                }
            }
            self.send_batch(number, now);
        }
    }
}

fn connect(poll: &Poll, address: SocketAddr, number: usize, patience: Duration) -> io::Result<TcpStream> {
    let stream = std::net::TcpStream::connect_timeout(&address, patience)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut stream = TcpStream::from_std(stream);
    poll.registry().register(&mut stream, Token(number), Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::super::loads::Pattern;
    use super::*;
    use serde_json::Value;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A server that says `reply` to each PING, and hangs up after `most` of them on a connection.
    fn server(reply: &'static str, most: usize) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let mut writer = stream.try_clone().expect("a second handle");
                    let pings = BufReader::new(stream).lines().map_while(Result::ok).filter(|l| l == "PING");
                    for _ in pings.take(most) {
                        if writer.write_all(reply.as_bytes()).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        (address, connections)
    }

    fn run(addresses: Vec<SocketAddr>, requests: u64) -> Value {
        let plan = Plan {
            addresses,
            clients: 4,
            pipeline: 3,
            wait: 0,
            requests: Some(requests),
            warm_up: Duration::ZERO,
            duration: Duration::ZERO,
            interval: None,
            patience: Duration::from_secs(20),
        };
        let mix = Mix::parse("ping", 3, 0).expect("a load");
        let load = Load::new(&plan, &mix, Keys::new(Pattern::Uniform, 10), 1).expect("connections");
        let (measure, end) = load.run().expect("an end");
        measure.report(end)
    }

    #[test]
    fn so_many_requests_as_were_asked_for_are_sent_and_counted() {
        let (first, second) = (server("+PONG\r\n", usize::MAX), server("+PONG\r\n", usize::MAX));
        let report = run(vec![first.0, second.0], 100);
        assert_eq!((&report["ops"], &report["errors"]), (&100.into(), &0.into()));
        assert_eq!((first.1.load(Ordering::SeqCst), second.1.load(Ordering::SeqCst)), (2, 2));
    }

    #[test]
    fn a_client_whose_server_hangs_up_goes_to_the_next_one() {
        let (bad, good) = (server("+PONG\r\n", 1), server("+PONG\r\n", usize::MAX));
        let report = run(vec![bad.0, good.0], 100);
        // Of two connections, one reply of three each.
        assert_eq!((&report["ops"], &report["errors"]), (&96.into(), &4.into()));
        assert_eq!(report["reconnects"], 2);
    }

    #[test]
    fn errors_are_no_operations() {
        let report = run(vec![server("-ERR no\r\n", usize::MAX).0], 12);
        assert_eq!((&report["ops"], &report["errors"]), (&0.into(), &12.into()));
        assert_eq!(report["first_error"], "ERR no");
    }
}
