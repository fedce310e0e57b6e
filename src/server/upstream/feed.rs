//! [`Feed`]: an upstream's stream of commands as batches for the log. Every byte counts, for the
//! upstream counts them too: a batch says between which offsets it lies. What stands in `MULTI` ...
//! `EXEC` is in one batch. This module must never give a batch out before all of it has arrived.

use crate::command::{Request, followed, parse_i64};
use crate::limits::{DATABASES, MAX_UPSTREAM_TRANSACTION_BYTES, UPSTREAM_BATCH_BYTES};
use crate::resp::{Decoder, Limits};
use crate::wire::units::Command;
use bytes::BytesMut;

/// Commands that are applied together, in order.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    /// Bytes of the stream before it, and with it.
    pub from: u64,
    pub to: u64,
    /// The database that the stream works in afterwards.
    pub db: u32,
    /// The upstream has asked how far the cluster is.
    pub wants_ack: bool,
    requests: Vec<Request>,
}

impl Batch {
    /// As they will stand in the log.
    pub fn commands(&self) -> Vec<Command<'_>> {
        self.requests
            .iter()
            .map(|request| Command { args: request.args(), db: request.db, caller: None })
            .collect()
    }
}

/// See the module.
pub struct Feed {
    decoder: Decoder,
    /// Everything up to here was given out.
    given: u64,
    /// Everything up to here was read: more than was given while a transaction arrives.
    read: u64,
    db: u32,
    transaction: Option<Transaction>,
    failed: Option<String>,
}

#[derive(Default)]
struct Transaction {
    requests: Vec<Request>,
    size_bytes: usize,
}

impl Feed {
    /// What follows the offset, in the database that was worked in there.
    pub fn new(offset: u64, db: u32) -> Self {
        let decoder = Decoder::new(Limits::AUTHENTICATED);
        Self { decoder, given: offset, read: offset, db, transaction: None, failed: None }
    }

    /// Up to where everything was given out.
    pub fn given(&self) -> u64 {
        self.given
    }

    /// The next batch of what has arrived. An error comes after all that stands before it.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Batch>, String> {
        let mut batch =
            Batch { from: self.given, to: self.given, db: self.db, wants_ack: false, requests: Vec::new() };
        let mut size_bytes = 0;
        while self.failed.is_none() && size_bytes < UPSTREAM_BATCH_BYTES {
            let before = input.len();
            let decoded = self.decoder.decode(input);
            self.read += (before - input.len()) as u64;
            let taken = match decoded {
                Ok(Some(request)) => {
                    size_bytes += request.size_bytes();
                    self.take(request, &mut batch)
                }
                Ok(None) => break,
                Err(error) => Err(format!("the upstream's stream is malformed: {error}")),
            };
            if let Err(error) = taken {
                self.failed = Some(error);
            } else if self.transaction.is_none() {
                (batch.to, batch.db) = (self.read, self.db);
            }
        }
        if batch.to > batch.from {
            self.given = batch.to;
            return Ok(Some(batch));
        }
        self.failed.clone().map_or(Ok(None), Err)
    }

    fn take(&mut self, mut request: Request, batch: &mut Batch) -> Result<(), String> {
        let args = request.args();
        let Some(name) = args.first() else { return Ok(()) };
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        let in_transaction = self.transaction.is_some();
        if is("PING") {
            return Ok(());
        } else if is("REPLCONF") {
            batch.wants_ack |= args.get(1).is_some_and(|what| what.eq_ignore_ascii_case(b"GETACK"));
            return Ok(());
        } else if is("SELECT") {
            let number = args.get(1).and_then(|number| parse_i64(number));
            let known = number.and_then(|number| u32::try_from(number).ok());
            let known = known.filter(|&db| (db as usize) < DATABASES);
            self.db = known.ok_or(format!("the upstream uses more databases than {DATABASES}"))?;
            return Ok(());
        } else if is("MULTI") && !in_transaction {
            self.transaction = Some(Transaction::default());
            return Ok(());
        } else if is("EXEC") && in_transaction {
            batch.requests.extend(self.transaction.take().into_iter().flat_map(|it| it.requests));
            return Ok(());
        }
        let row = followed(&args)?;
        drop(args);
        if !row.is_write() {
            return Ok(());
        }
        request.db = self.db;
        match &mut self.transaction {
            None => batch.requests.push(request),
            Some(transaction) => {
                transaction.size_bytes += request.size_bytes();
                if transaction.size_bytes > MAX_UPSTREAM_TRANSACTION_BYTES {
                    return Err("a transaction of the upstream is too long".to_owned());
                }
                transaction.requests.push(request);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(batch: &Batch) -> Vec<String> {
        let words = |args: &[&[u8]]| {
            args.iter().map(|arg| String::from_utf8_lossy(arg)).collect::<Vec<_>>().join(" ")
        };
        batch.commands().iter().map(|command| format!("{}:{}", command.db, words(&command.args))).collect()
    }

    #[test]
    fn a_batch_ends_where_everything_before_is_whole() {
        let bytes =
            b"SELECT 3\r\n*1\r\n$4\r\nPING\r\nset a 1\r\nMULTI\r\nincr a\r\nselect 0\r\nincr b\r\nEXEC\r\n\
            replconf getack *\r\n";
        // Whatever the pieces are, the commands are the same, and none of a transaction comes early.
        for piece in 1..bytes.len() {
            let (mut feed, mut input) = (Feed::new(100, 7), BytesMut::new());
            let (mut seen, mut at, mut asked) = (Vec::new(), 100, false);
            for part in bytes.chunks(piece) {
                input.extend_from_slice(part);
                while let Some(batch) = feed.next(&mut input).unwrap() {
                    assert_eq!(batch.from, at);
                    let commands = shown(&batch);
                    assert_ne!(
                        commands.last().map(String::as_str),
                        Some("3:incr a"),
                        "a part of a transaction"
                    );
                    at = batch.to;
                    asked |= batch.wants_ack;
                    seen.extend(commands);
                }
            }
            assert_eq!(seen, ["3:set a 1", "3:incr a", "0:incr b"]);
            assert_eq!((at, feed.given(), asked), (100 + bytes.len() as u64, at, true));
        }
    }

    #[test]
    fn what_cannot_be_followed_ends_it_after_what_can() {
        for (last, why) in [
            ("FUTURE l 1\r\n", "FUTURE"),
            ("EVAL x 0\r\n", "EVAL"),
            ("SELECT 16\r\n", "databases"),
            ("EXEC\r\n", "EXEC"),
            ("MULTI\r\nMULTI\r\n", "MULTI"),
            ("ACL SETUSER x\r\n", "ACL"),
            ("REPLICAOF NO ONE\r\n", "REPLICAOF"),
            ("*1\r\n!x\r\n", "malformed"),
        ] {
            let (mut feed, mut input) = (Feed::new(0, 0), BytesMut::from(&b"set a 1\r\n"[..]));
            input.extend_from_slice(last.as_bytes());
            let batch = feed.next(&mut input).unwrap().expect("what comes before");
            assert_eq!((shown(&batch), batch.to), (vec!["0:set a 1".to_owned()], 9), "{last}");
            for _ in 0..2 {
                let error = feed.next(&mut input).unwrap_err();
                assert!(error.contains(why), "{last}: {error}");
            }
        }
    }
}
