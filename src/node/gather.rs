//! How long the loop looks at the sockets before a turn: what costs by the turn, by the entry or by the round of reads
//! is then shared by more commands. This module must never wait for longer than some looks take: who is expected may
//! not come.

use super::Shared;
use crate::limits;
use std::time::Duration;
use tokio::time::Instant;

impl Shared {
    /// While commands keep arriving, lets the connections read on: what costs by the entry or
    /// by the round is then shared by more of them. A client that is alone waits for one look
    /// at the sockets.
    pub(super) async fn gather(&self) {
        if self.looks_again.take() {
            self.gather_all().await;
        }
        for _ in 0..limits::GATHER_LOOKS {
            let jobs = self.jobs_waiting.get();
            if jobs == 0 {
                return;
            }
            tokio::task::yield_now().await;
            if self.jobs_waiting.get() == jobs {
                return;
            }
        }
    }

    /// Whoever was just answered may ask again. That takes a client a moment, and perhaps this very processor, which is
    /// therefore given away between looks.
    async fn gather_all(&self) {
        let begun = Instant::now();
        let (mut jobs, mut since) = (self.jobs_waiting.get(), begun);
        loop {
            tokio::task::yield_now().await;
            let now = Instant::now();
            if self.jobs_waiting.get() != jobs {
                (jobs, since) = (self.jobs_waiting.get(), now);
            } else if now.duration_since(since) >= Duration::from_micros(limits::ASKED_AGAIN_US) {
                return;
            } else {
                std::thread::yield_now();
            }
            if now.duration_since(begun) >= Duration::from_micros(limits::MOST_ASKED_AGAIN_US) {
                return;
            }
        }
    }
}
