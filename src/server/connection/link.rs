//! A connection that has become a replica of Redis's protocol: it is sent a snapshot of this node
//! as an RDB file, and then the stream of changes; what it sends is heard, and never answered.
//! This module must never send a change before the snapshot that it follows.

use super::Connection;
use crate::command::{self, ConnectionCommand as Do, Handler, ReplicaCommand, Request, parse_i64};
use crate::limits;
use crate::node::{Clients, RdbPart, RdbParts, RdbRequest};
use crate::server::replicas::{Replica, Stage};
use slog::{info, warn};
use std::future::pending;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often a link looks at what time alone changes.
const TICK: Duration = Duration::from_millis(100);
/// Ticks between two signs of life to a replica that waits for its file.
const TICKS_A_NEWLINE: u32 = 10;
/// Bytes of the mark at the end of a file.
const MARK_BYTES: usize = 40;

/// What the connection is sent before the stream.
struct Transfer {
    parts: RdbParts,
    /// The end of the file; none: its length stands before it.
    mark: Option<String>,
    /// Nothing of it has been sent.
    is_fresh: bool,
}

impl Connection {
    /// Serves the replica to the end of its connection.
    pub(super) async fn serve_replica(mut self) {
        let client = Rc::clone(&self.client);
        let Some(replica) = self.shared.clients.replicas.find(&client) else { return };
        let mut transfer: Option<Transfer> = None;
        let mut ticks = ticks();
        let mut ticked: u32 = 0;
        loop {
            self.hear(&replica);
            self.begin_transfer(&replica, &mut transfer);
            let unsent = client.flush();
            client.writing.set(unsent);
            client.watch(true);
            self.eof |= self.reader.is_at_end();
            if self.is_over(&replica) {
                break;
            }
            self.reader.make_room(&client);
            let sends = transfer.is_some() && client.unsent() < limits::OUTPUT_HIGH_WATER_BYTES;
            tokio::select! {
                biased;
                () = client.woken() => {}
                result = self.reader.read() => {
                    if !self.received(result) {
                        break;
                    }
                }
                result = client.writable(), if unsent => {
                    if result.is_err() {
                        break;
                    }
                }
                part = next_part(&mut transfer), if sends => self.part(&replica, &mut transfer, part),
                _ = ticks.tick() => {
                    ticked = ticked.wrapping_add(1);
                    self.look_at_the_clock(&replica, transfer.as_ref(), ticked);
                }
            }
        }
    }

    /// Whether the connection is to end now.
    fn is_over(&self, replica: &Replica) -> bool {
        let has_all = replica.wishes.rdb_only
            && matches!(replica.stage.get(), Stage::Sent | Stage::Online)
            && self.client.unsent() == 0;
        self.client.closing().is_some() || self.eof || self.shared.clients.shutting_down() || has_all
    }

    /// Takes in what the replica has sent.
    fn hear(&mut self, replica: &Replica) {
        while self.client.closing().is_none() {
            match self.next_request(false) {
                Ok(Some(request)) => self.hear_one(replica, &request),
                Ok(None) => return,
                Err(_) => self.client.close("a replica broke the protocol"),
            }
        }
    }

    fn hear_one(&self, replica: &Replica, request: &Request) {
        let args = request.args();
        let handler = command::resolve(&args).map(|row| row.handler);
        match (handler, &args[..]) {
            // Whoever is a replica cannot become one.
            (Ok(Handler::Connection(Do::Replica(ReplicaCommand::Sync | ReplicaCommand::Psync))), _) => {}
            (Ok(Handler::Connection(Do::Replica(_))), [_, option, value])
                if option.eq_ignore_ascii_case(b"ACK") =>
            {
                replica.heard.set(Instant::now());
                let offset = parse_i64(value).and_then(|offset| u64::try_from(offset).ok()).unwrap_or(0);
                replica.acknowledged.set(replica.acknowledged.get().max(offset));
                if replica.stage.get() == Stage::Sent {
                    self.synchronized(replica);
                }
            }
            (Ok(Handler::Connection(Do::Replica(_))), [_, option, _])
                if option.eq_ignore_ascii_case(b"GETACK") => {}
            _ => self.client.close("a replica sent a command that would be answered"),
        }
    }

    fn synchronized(&self, replica: &Replica) {
        if !replica.wishes.rdb_only {
            replica.go_online();
        }
        info!(self.shared.logger, "a replica is synchronized"; "client" => %replica.client.addr);
    }

    fn begin_transfer(&self, replica: &Replica, transfer: &mut Option<Transfer>) {
        let Stage::Stored(index) = replica.stage.get() else { return };
        let mark = replica.wishes.eof.then(mark).flatten();
        let (with_keys, with_functions) = (!replica.wishes.without_keys, !replica.wishes.without_functions);
        let request = RdbRequest { index, with_keys, with_functions, sized: mark.is_none() };
        let parts = self.shared.backend.rdb(request);
        replica.stage.set(Stage::Sending);
        *transfer = Some(Transfer { parts, mark, is_fresh: true });
    }

    /// A piece of the file has come.
    fn part(
        &self,
        replica: &Replica,
        transfer: &mut Option<Transfer>,
        part: Option<Result<RdbPart, String>>,
    ) {
        let Some(under_way) = transfer else { return };
        let was_fresh = std::mem::replace(&mut under_way.is_fresh, false);
        let send = |bytes: &[u8]| self.client.write_with(|out| out.extend_from_slice(bytes));
        if let (true, Some(mark)) = (was_fresh, &under_way.mark) {
            send(format!("$EOF:{mark}\r\n").as_bytes());
        }
        match part {
            Some(Ok(RdbPart::SizeBytes(size))) => send(format!("${size}\r\n").as_bytes()),
            Some(Ok(RdbPart::Bytes(bytes))) => send(&bytes),
            Some(Ok(RdbPart::End)) => {
                let mark = transfer.take().and_then(|done| done.mark);
                replica.heard.set(Instant::now());
                match mark {
                    // It looks for the mark at the end of what it has read: nothing may follow yet.
                    Some(mark) => {
                        send(mark.as_bytes());
                        replica.stage.set(Stage::Sent);
                    }
                    None => {
                        replica.stage.set(Stage::Online);
                        self.synchronized(replica);
                    }
                }
            }
            Some(Err(error)) => {
                warn!(self.shared.logger, "a replica is not synchronized";
                    "client" => %replica.client.addr, "error" => error);
                self.client.close("its snapshot could not be sent");
            }
            None => self.client.close("its snapshot could not be sent"),
        }
    }

    fn look_at_the_clock(&self, replica: &Replica, transfer: Option<&Transfer>, ticked: u32) {
        let (clients, stage) = (&self.shared.clients, replica.stage.get());
        if stage == Stage::Waiting {
            let status = self.shared.backend.status();
            // No snapshot begins where nothing has changed since the last one.
            if status.snapshot_index == status.applied_index && !status.snapshot_in_progress {
                clients.replicas.begin_stored(replica, status.snapshot_index);
                self.client.wake();
            }
        }
        let waits = stage < Stage::Sending || transfer.is_some_and(|transfer| transfer.is_fresh);
        if waits && ticked.is_multiple_of(TICKS_A_NEWLINE) {
            self.client.write_with(|out| out.extend_from_slice(b"\n"));
        }
        let silent = replica.heard.get().elapsed() > Duration::from_secs(limits::REPLICA_TIMEOUT_S);
        if stage >= Stage::Sent && replica.wishes.psync && silent {
            self.client.close("a replica has not acknowledged anything for too long");
        }
        let period_s = self.shared.parameters.repl_ping_period_s.get().max(1) as u64;
        clients.replicas.ping(Duration::from_secs(period_s), &mut |client| clients.touch(client));
        clients.flush();
    }
}

fn ticks() -> Interval {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn next_part(transfer: &mut Option<Transfer>) -> Option<Result<RdbPart, String>> {
    match transfer {
        Some(transfer) => transfer.parts.recv().await,
        None => pending().await,
    }
}

/// What no file holds by accident.
fn mark() -> Option<String> {
    let mut random = [0; MARK_BYTES / 2];
    getrandom::fill(&mut random).ok()?;
    Some(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
