//! What stands between a client and its server, and loses requests (they never leave) and replies (they
//! are swallowed once their first bytes have come back, so that what was asked for has certainly taken
//! place). It knows nothing of the protocol: a client sends one request and waits. After a loss the
//! connection is closed on both sides. A client must never be told which of the two it was.

use super::dice::Dice;
use super::record::Losses;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};

/// Bytes between a client and its relay, in each direction. Beyond: the sender waits.
const PIPE_BYTES: usize = 64 << 10;

/// Of one client, over all its connections.
pub struct Relay {
    requests_percent: f64,
    replies_percent: f64,
    dice: RefCell<Dice>,
    is_armed: Cell<bool>,
    losses: Cell<Losses>,
}

impl Relay {
    /// None: nothing is to be lost, so that no relay is needed.
    pub fn new(requests_percent: f64, replies_percent: f64, dice: Dice) -> Option<Rc<Self>> {
        let is_needed = requests_percent > 0.0 || replies_percent > 0.0;
        is_needed.then(|| {
            Rc::new(Self {
                requests_percent,
                replies_percent,
                dice: RefCell::new(dice),
                is_armed: Cell::new(false),
                losses: Cell::default(),
            })
        })
    }

    /// Whether it loses anything: not while a connection is made.
    pub fn arm(&self, is_armed: bool) {
        self.is_armed.set(is_armed);
    }

    /// What it has lost.
    pub fn losses(&self) -> Losses {
        self.losses.get()
    }

    /// The client's end of a connection to `server`.
    pub fn before<S: AsyncRead + AsyncWrite + Unpin + 'static>(self: &Rc<Self>, server: S) -> DuplexStream {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let relay = self.clone();
        tokio::task::spawn_local(async move {
            // Whatever ends it, both sides see their connection closed.
            let _ = relay.pass(far, server).await;
        });
        near
    }

    /// Until one side ends the connection, or something is lost.
    async fn pass<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut client: DuplexStream,
        mut server: S,
    ) -> io::Result<()> {
        let (mut up, mut down) = (vec![0; PIPE_BYTES], vec![0; PIPE_BYTES]);
        let mut is_asked = false;
        loop {
            tokio::select! {
                read = client.read(&mut up) => {
                    let len = read?;
                    let begins = !std::mem::replace(&mut is_asked, true);
                    if len == 0 || (begins && self.loses_request()) {
                        return Ok(());
                    }
                    server.write_all(&up[..len]).await?;
                }
                read = server.read(&mut down) => {
                    let len = read?;
                    let begins = std::mem::replace(&mut is_asked, false);
                    if len == 0 || (begins && self.loses_reply()) {
                        return Ok(());
                    }
                    client.write_all(&down[..len]).await?;
                }
            }
        }
    }

    fn loses_request(&self) -> bool {
        let is_lost = self.is_armed.get() && self.dice.borrow_mut().happens(self.requests_percent);
        let Losses { requests, replies } = self.losses.get();
        self.losses.set(Losses { requests: requests + u64::from(is_lost), replies });
        is_lost
    }

    fn loses_reply(&self) -> bool {
        let is_lost = self.is_armed.get() && self.dice.borrow_mut().happens(self.replies_percent);
        let Losses { requests, replies } = self.losses.get();
        self.losses.set(Losses { requests, replies: replies + u64::from(is_lost) });
        is_lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::LocalSet;

    /// Sends a request of two parts through a relay that loses so much, to a server that answers
    /// with two parts: what the server heard, and what the client.
    fn exchange(requests_percent: f64, replies_percent: f64, is_armed: bool) -> (Vec<u8>, Vec<u8>, Losses) {
        let relay =
            Relay::new(requests_percent, replies_percent, Dice::new(1, 1)).expect("something is lost");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let of_run = relay.clone();
        let (heard, got) = LocalSet::new().block_on(&runtime, async move {
            let (server, mut end) = tokio::io::duplex(1 << 10);
            of_run.arm(is_armed);
            let mut client = of_run.before(server);
            let server = tokio::task::spawn_local(async move {
                let mut heard = vec![0; 6];
                if end.read_exact(&mut heard).await.is_err() {
                    return Vec::new();
                }
                end.write_all(b"a reply").await.expect("room");
                drop(end);
                heard
            });
            client.write_all(b"req").await.expect("room");
            let _ = client.write_all(b"uest").await; // it may be closed by now
            let mut got = Vec::new();
            client.read_to_end(&mut got).await.expect("an end");
            (server.await.expect("no panic"), got)
        });
        (heard, got, relay.losses())
    }

    #[test]
    fn what_is_not_lost_passes_as_it_is() {
        let (heard, got, losses) = exchange(1e-9, 0.0, true);
        assert_eq!((&*heard, &*got), (&b"reques"[..], &b"a reply"[..]));
        assert_eq!(losses, Losses::default());
        assert!(Relay::new(0.0, 0.0, Dice::new(1, 1)).is_none());
    }

    #[test]
    fn a_lost_request_is_never_heard_and_a_lost_reply_always_is() {
        let (heard, got, losses) = exchange(100.0, 0.0, true);
        assert_eq!((&*heard, &*got, losses.requests, losses.replies), (&b""[..], &b""[..], 1, 0));
        let (heard, got, losses) = exchange(0.0, 100.0, true);
        assert_eq!((&*heard, &*got, losses.requests, losses.replies), (&b"reques"[..], &b""[..], 0, 1));
    }

    #[test]
    fn nothing_is_lost_while_a_connection_is_made() {
        let (heard, got, losses) = exchange(100.0, 100.0, false);
        assert_eq!((&*heard, &*got, losses), (&b"reques"[..], &b"a reply"[..], Losses::default()));
    }

    #[test]
    fn a_request_or_a_reply_of_several_parts_is_lost_as_a_whole_or_not_at_all() {
        let relay = Relay::new(100.0, 100.0, Dice::new(1, 1)).expect("something is lost");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        LocalSet::new().block_on(&runtime, async move {
            let (server, mut to) = tokio::io::duplex(1 << 10);
            let mut from = relay.before(server);
            let mut part = [0; 4];
            for _ in ["a request", "a reply"] {
                relay.arm(false);
                from.write_all(b"one ").await.expect("room");
                to.read_exact(&mut part).await.expect("the first part");
                relay.arm(true);
                from.write_all(b"two ").await.expect("room");
                to.read_exact(&mut part).await.expect("the second part");
                std::mem::swap(&mut from, &mut to);
            }
            assert_eq!(relay.losses(), Losses::default());
        });
    }
}
