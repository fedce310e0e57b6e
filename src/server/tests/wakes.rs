//! A connection that was held back goes on when what held it is over, although nothing more
//! comes from outside to wake it.

use super::*;
use crate::limits;
use crate::server::client::Client;
use crate::wire::units::{Command, Unit};
use std::io::Read;
use tokio::task::yield_now;

/// Of a reply that the output may not hold for long.
const SIZE: usize = 32 << 20;
/// Ends the job that comes before it.
const BARRIER: &str = "CLIENT REPLY ON\r\n";

impl Harness {
    /// The client that connected last.
    fn newest(&self) -> Rc<Client> {
        self.clients.all().pop().unwrap()
    }

    fn jobs(&self) -> usize {
        self.backend.seen.borrow().len()
    }

    fn steps(&self) -> usize {
        self.backend.seen.borrow().iter().map(|(steps, _)| steps).sum()
    }

    /// Asks for what passes the mark at which parsing stops by little, and for a write behind it.
    /// All of it finds the socket empty when the connection's task looks: it is full until then,
    /// and read at once. The replies to what is behind are left; perhaps the peer says no more.
    /// Whether it went so: a socket may take some more at the wrong time.
    async fn catch_up(&self, peer: &mut Peer, client: &Client, leaves: bool) -> bool {
        let jobs = self.jobs();
        peer.send(format!("GET big:{SIZE}\r\n")).await;
        let mut left = reply_len(SIZE);
        assert!(comes_true(|| client.awaiting() == 0 && client.unsent() > SIZE / 4).await);
        while client.unsent() >= limits::OUTPUT_HIGH_WATER_BYTES {
            peer.take(64 << 10);
            left -= 64 << 10;
            for _ in 0..3 {
                yield_now().await; // the task sends what there is room for
            }
        }
        let size = limits::OUTPUT_HIGH_WATER_BYTES - client.unsent();
        peer.send(format!("GET big:{size}\r\n{BARRIER}SET k v\r\n")).await;
        if leaves {
            peer.0.shutdown().await.unwrap();
        }
        left += reply_len(size);
        let is_held = || client.unsent() >= limits::OUTPUT_HIGH_WATER_BYTES;
        assert!(comes_true(|| is_held() || self.jobs() == jobs + 3).await);
        let was_held = is_held();
        if was_held {
            peer.take(left - client.unsent());
            left = client.unsent();
        }
        peer.0.read_exact(&mut vec![0; left]).await.unwrap();
        assert!(comes_true(|| self.jobs() == jobs + 3).await, "the write is submitted");
        was_held
    }
}

impl Peer {
    /// Reads so much that has arrived already, while nobody else does anything.
    fn take(&mut self, mut len: usize) {
        let mut buffer = vec![0; 1 << 20];
        while len > 0 {
            let wanted = len.min(buffer.len());
            // Past the runtime, which knows what has arrived only when it has looked.
            len -= (&*socket2::SockRef::from(&self.0)).read(&mut buffer[..wanted]).unwrap_or(0);
        }
    }
}

fn reply_len(size: usize) -> usize {
    format!("${size}\r\n\r\n").len() + size
}

#[test]
fn one_held_back_by_its_output_goes_on_when_all_of_it_is_sent_at_once() {
    serve_with(0, config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("PING", "+PONG ").await;
        let client = harness.newest();
        let mut times_held = 0;
        for _ in 0..10 {
            times_held += usize::from(harness.catch_up(&mut peer, &client, false).await);
            peer.expect("+OK\r\n+OK\r\n").await;
        }
        assert!(times_held > 0);
        harness.catch_up(&mut peer, &client, true).await;
        drop(client); // it holds the socket
        peer.expect("+OK\r\n+OK\r\n").await;
        peer.expect_orderly_end().await;
    });
}

#[test]
fn a_value_that_is_on_its_way_is_read_on_when_what_came_before_is_answered() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("PING", "+PONG ").await;
        harness.backend.paused.set(true);
        let value = "v".repeat(4 * limits::READ_AHEAD_BYTES);
        peer.send("GET a\r\n").await;
        assert!(comes_true(|| harness.backend.waiting() > 0).await);
        // The value behind the next is more than is read ahead; an I/O thread may have all of it before that is a job.
        let rest = format!("GET b\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\n", value.len());
        let (mut read, mut write) = peer.0.split();
        let send = write.write_all(rest.as_bytes());
        let receive = async {
            assert!(comes_true(|| harness.newest().input_len.get() >= limits::READ_AHEAD_BYTES).await);
            harness.backend.go_on();
            assert!(comes_true(|| harness.steps() == 3).await, "the value is read to its end");
            let mut replies = [0; 15];
            read.read_exact(&mut replies).await.unwrap();
            assert_eq!(replies, *b"$-1\r\n$-1\r\n+OK\r\n");
        };
        let (sent, ()) = tokio::join!(send, receive);
        sent.unwrap();
    });
}

#[test]
fn one_who_removed_itself_is_closed_after_the_rest_of_its_job() {
    serve(config(), |harness| async move {
        harness.backend.bootstrap("", &harness.clients);
        let mut alice = harness.connect().await;
        alice.send("ACL SETUSER alice on nopass +@all ~*\r\nAUTH alice x\r\n").await;
        alice.expect("+OK\r\n+OK\r\n").await;
        let client = harness.newest();
        harness.backend.paused.set(true);
        alice.send("GET a\r\n").await;
        assert!(comes_true(|| harness.backend.waiting() > 0).await);
        let args = ["ACL", "DELUSER", "alice"].iter().map(|word| word.as_bytes()).collect();
        let removal = Unit::Command(Command { args, db: 0, caller: None });
        harness.backend.apply_by(client.id, &removal, &harness.clients);
        for _ in 0..10 {
            yield_now().await; // its task is woken, while a read of the same job is not answered
        }
        assert_eq!(client.closing(), None);
        harness.backend.go_on();
        alice.expect("$-1\r\n").await;
        drop(client);
        assert!(comes_true(|| harness.clients.is_empty()).await);
        alice.expect_end().await;
    });
}
