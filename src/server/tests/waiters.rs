//! Clients that wait for what others bring, on a machine that has keys.

use super::*;
use crate::wire::units::{Args, Command, Unit};
use std::time::Instant;

/// On a machine that has keys.
pub fn with_machine<F: Future<Output = ()>>(test: impl FnOnce(Harness) -> F) {
    serve(config(), |harness| {
        harness.backend.has_machine.set(true);
        test(harness)
    });
}

impl Harness {
    /// A command of another node's client.
    pub fn apply(&self, command: &str) {
        self.apply_in(0, command);
    }

    pub fn apply_in(&self, db: u32, command: &str) {
        let args: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        let reply = self.backend.apply(
            &Unit::Command(Command { args: Args::from_slice(&args), db, caller: None }),
            &self.clients,
        );
        assert!(!reply.is_error(), "{command}: {reply:?}");
    }

    fn blocked(&self) -> usize {
        self.clients.all().iter().filter(|client| client.blocked.get()).count()
    }

    /// Whether so many clients wait, and the log has nothing more to do for them.
    async fn come_to_wait(&self, count: usize) -> bool {
        let is_quiet =
            || self.backend.waiting() == 0 && self.clients.all().iter().all(|client| client.awaiting() == 0);
        comes_true(|| self.blocked() == count && is_quiet()).await
    }

    pub async fn waiting(&self, count: usize) {
        assert!(self.come_to_wait(count).await, "{} wait", self.blocked());
    }

    /// Clients that wait still, from when on at the earliest, and how many milliseconds: more than `least_ms` on a machine
    /// that needs them to see it.
    pub async fn wait_still(
        &self,
        least_ms: u64,
        commands: impl Fn(u64) -> Vec<String>,
    ) -> (Vec<Peer>, Instant, u64) {
        let (blocked, connected) = (self.blocked(), self.clients.len());
        for ms in [1, 3, 9].map(|times| times * least_ms) {
            let (mut peers, commands, began) = (Vec::new(), commands(ms), Instant::now());
            for command in &commands {
                let mut peer = self.connect().await;
                peer.send(format!("{command}\r\n")).await;
                peers.push(peer);
            }
            if self.come_to_wait(blocked + peers.len()).await && began.elapsed() < Duration::from_millis(ms) {
                return (peers, began, ms);
            }
            drop(peers);
            assert!(comes_true(|| self.clients.len() == connected).await);
        }
        panic!("the machine is too slow");
    }

    /// A client that waits.
    pub async fn waiter(&self, command: &str) -> Peer {
        let before = self.blocked();
        let mut peer = self.connect().await;
        peer.send(format!("{command}\r\n")).await;
        self.waiting(before + 1).await;
        peer
    }
}

impl Peer {
    pub async fn gets(&mut self, expected: &str) {
        self.expect(expected.replace(' ', "\r\n")).await;
    }
}
