//! One batch of keys, to another server and answered there. This module must never say that a key is
//! there which the other server has not acknowledged.

use super::sockets::{Socket, Sockets, Target};
use crate::command::Reply;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// What is sent.
pub struct Batch {
    pub target: Target,
    pub db: i64,
    pub patience: Duration,
    /// Commands in RESP, one reply each.
    pub commands: Vec<u8>,
    pub replies: usize,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Of each command in turn, whether it was carried out; the rest is unknown.
    pub taken: Vec<bool>,
    /// The first thing that went wrong, as the client is told.
    pub error: Option<Reply>,
    /// The next batch would fare no better.
    pub is_final: bool,
}

/// Where the way ended.
enum Broken {
    Connecting,
    Writing(io::Error),
    Reading(io::Error),
}

impl Broken {
    fn reply(&self) -> Reply {
        match self {
            Self::Connecting => Reply::error("IOERR error or timeout connecting to the client"),
            Self::Writing(_) => Reply::error("IOERR error or timeout writing to target instance"),
            Self::Reading(_) => Reply::error("IOERR error or timeout reading to target instance"),
        }
    }

    /// Whether the other end has hung up, as it may have done long ago.
    fn is_hung_up(&self) -> bool {
        match self {
            Self::Connecting => false,
            Self::Writing(error) | Self::Reading(error) => error.kind() != io::ErrorKind::TimedOut,
        }
    }
}

/// Sends it, once more if a connection that was kept turns out to be dead.
pub async fn send(sockets: Rc<Sockets>, batch: Batch) -> Outcome {
    let mut kept = sockets.take(&batch.target);
    loop {
        let socket = match kept.take() {
            Some(socket) => Ok(socket),
            None => Socket::connect(&batch.target, batch.patience).await,
        };
        let mut outcome = Outcome::default();
        let broken = match socket {
            // Redis finds out when it writes.
            Err(error) if is_refused(&error) => Broken::Writing(error),
            Err(_) => Broken::Connecting,
            Ok(mut socket) => {
                let was_kept = socket.is_kept;
                match exchange(&mut socket, &batch, &mut outcome).await {
                    Ok(()) => {
                        sockets.keep(&batch.target, socket);
                        return outcome;
                    }
                    Err(broken) if was_kept && outcome.taken.is_empty() && broken.is_hung_up() => continue,
                    Err(broken) => broken,
                }
            }
        };
        outcome.error.get_or_insert_with(|| broken.reply());
        outcome.is_final = true;
        return outcome;
    }
}

fn is_refused(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | HostUnreachable)
}

async fn exchange(socket: &mut Socket, batch: &Batch, outcome: &mut Outcome) -> Result<(), Broken> {
    let login = &batch.target.login;
    let selects = socket.db != Some(batch.db);
    let mut greeting = Vec::new();
    if !login.is_empty() {
        let words: Vec<&[u8]> = [&b"AUTH"[..]].into_iter().chain(login.iter().map(Vec::as_slice)).collect();
        put_command(&mut greeting, &words);
    }
    if selects {
        put_command(&mut greeting, &[b"SELECT", batch.db.to_string().as_bytes()]);
    }
    socket.db = None;
    let patience = batch.patience;
    socket.write(&greeting, patience).await.map_err(Broken::Writing)?;
    socket.write(&batch.commands, patience).await.map_err(Broken::Writing)?;
    let mut refused = None;
    for _ in 0..usize::from(!login.is_empty()) + usize::from(selects) {
        let line = socket.read_line(patience).await.map_err(Broken::Reading)?;
        refused = refused.or_else(|| error_of(&line));
    }
    outcome.is_final = refused.is_some();
    for _ in 0..batch.replies {
        let line = socket.read_line(patience).await.map_err(Broken::Reading)?;
        let error = refused.clone().or_else(|| error_of(&line));
        outcome.taken.push(error.is_none());
        outcome.error = outcome.error.take().or(error);
    }
    if outcome.error.is_none() {
        socket.db = Some(batch.db);
    }
    Ok(())
}

/// What the client is told of an error's line.
fn error_of(line: &[u8]) -> Option<Reply> {
    /// As much of it as Redis keeps.
    const SHOWN_BYTES: usize = 1023;
    let text = line[..line.len().min(SHOWN_BYTES)].strip_prefix(b"-")?;
    let text = String::from_utf8_lossy(text);
    Some(Reply::error_owned(format!("ERR Target instance replied with error: {text}")))
}

/// Appends a command in RESP.
pub fn put_command(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}
