//! Ctrl-C, the request to terminate and the end of the terminal: how often there has been one.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// See the module's text.
#[derive(Clone)]
pub struct Signals(watch::Receiver<u32>);

impl Signals {
    /// Takes note of signals from now on, which do not end the process any more.
    pub fn listen() -> io::Result<Self> {
        let mut any = Any::listen()?;
        let (count, counted) = watch::channel(0);
        tokio::task::spawn_local(async move {
            loop {
                any.come().await;
                count.send_modify(|count| *count += 1);
            }
        });
        Ok(Self(counted))
    }

    /// How many there have been.
    pub fn count(&self) -> u32 {
        *self.0.borrow()
    }

    /// Until there have been so many.
    pub async fn come(&mut self, count: u32) {
        if self.0.wait_for(|come| *come >= count).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Any of the signals.
struct Any {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Any {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn come(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// From now on, any ends the process at once: there is nothing left to end in order.
pub fn end_at_once() {
    let ended = || -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            Any::listen()?.come().await;
            Ok(())
        })
    };
    std::thread::spawn(move || {
        if ended().is_ok() {
            std::process::exit(INTERRUPTED);
        }
    });
}

/// What shells take for the end by Ctrl-C.
const INTERRUPTED: i32 = 130;
