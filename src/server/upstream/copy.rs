//! The copy that an upstream sends: an RDB file, with its length in front or a mark behind, into units
//! of the log. It is never held as a whole: the next unit is made when the last one is applied. This
//! module must never let the old keys go before the new ones begin to come.

use super::link::{Failure, Link};
use crate::keyspace::rdb::{RdbItem, RdbReader};
use crate::limits::{DATABASES, UPSTREAM_BATCH_BYTES};
use crate::wire::units::{Args, Command, LoadedKey, Step, Upstream};
use bytes::Bytes;

const MARK_BYTES: usize = 40;
/// What a key takes in a unit besides its bytes, about.
const KEY_OVERHEAD_BYTES: usize = 24;

/// How the end of the file is found.
enum Frame {
    Length(u64),
    Mark(Vec<u8>),
}

struct Loaded {
    db: u32,
    key: Bytes,
    value: Bytes,
    deadline_ms: u64,
    continues: bool,
}

/// Keys and libraries of functions that are to be one unit.
#[derive(Default)]
struct Keys {
    list: Vec<Loaded>,
    libraries: Vec<Bytes>,
    size_bytes: usize,
    /// Keys and libraries of the units before; None: the copy was not begun.
    loaded: Option<u64>,
}

fn malformed(what: &str) -> Failure {
    Failure::Copy(format!("the copy is malformed: {what}"))
}

impl Frame {
    fn read(line: &str) -> Option<Self> {
        let what = line.strip_prefix('$')?;
        match what.strip_prefix("EOF:") {
            Some(mark) => (mark.len() == MARK_BYTES).then(|| Self::Mark(mark.as_bytes().to_vec())),
            None => what.parse().ok().map(Self::Length),
        }
    }
}

impl Link {
    /// Brings the whole copy into the state, which then stands at the offset of this history.
    pub(super) async fn copy(&mut self, replid: &str, offset: u64) -> Result<(), Failure> {
        let line = self.line().await?;
        let unexpected = || Failure::Connection(format!("instead of a copy, the upstream sent: {line}"));
        let frame = Frame::read(&line).ok_or_else(unexpected)?;
        let (mut reader, mut keys, mut stream_db) = (RdbReader::default(), Keys::default(), 0);
        loop {
            let item = reader.next(&mut self.input).map_err(|error| Failure::Copy(error.to_string()))?;
            if matches!(frame, Frame::Length(len) if reader.read_bytes() > len) {
                return Err(malformed("it is longer than was said"));
            }
            match item {
                None => self.read().await?,
                // Of an upstream that is a replica itself, and goes on in the middle of a stream.
                Some(RdbItem::Aux { name, value }) if &*name == b"repl-stream-db" => {
                    let db = std::str::from_utf8(&value).ok().and_then(|value| value.parse().ok());
                    stream_db = db.filter(|&db: &u32| (db as usize) < DATABASES).unwrap_or(0);
                }
                Some(RdbItem::Aux { .. }) => {}
                Some(RdbItem::Key { db, key, value, deadline_ms, continues }) => {
                    keys.size_bytes += key.len() + value.len() + KEY_OVERHEAD_BYTES;
                    keys.list.push(Loaded { db, key, value, deadline_ms, continues });
                }
                Some(RdbItem::Function(text)) => {
                    keys.size_bytes += text.len() + KEY_OVERHEAD_BYTES;
                    keys.libraries.push(text);
                }
                Some(RdbItem::End) => break,
            }
            if keys.size_bytes >= UPSTREAM_BATCH_BYTES {
                self.load(&mut keys).await?;
            }
        }
        self.end_of(&frame, reader.read_bytes()).await?;
        let from = self.load(&mut keys).await?;
        let end = Upstream::new(self.session, Step::LOADED);
        self.submit(&Upstream { text: replid, from, to: offset, db: stream_db, ..end }).await.map(|_| ())
    }

    /// Puts the keys into the log; how many there are by now, pieces included.
    async fn load(&mut self, keys: &mut Keys) -> Result<u64, Failure> {
        let from = match keys.loaded {
            Some(loaded) => loaded,
            None => {
                self.submit(&Upstream::new(self.session, Step::LOAD)).await?;
                0
            }
        };
        let (list, libraries) = (std::mem::take(&mut keys.list), std::mem::take(&mut keys.libraries));
        keys.size_bytes = 0;
        let loaded = list.iter().map(|loaded| LoadedKey {
            key: &loaded.key,
            value: &loaded.value,
            deadline_ms: loaded.deadline_ms,
            db: loaded.db,
            continues: loaded.continues,
        });
        let library =
            |text| Command { args: Args::from_slice(&[b"FUNCTION", b"LOAD", text]), ..Default::default() };
        let commands = libraries.iter().map(|text| library(&text[..])).collect();
        let step = Upstream::new(self.session, Step::KEYS);
        let unit = Upstream { from, keys: loaded.collect(), commands, ..step };
        let count = from + (list.len() + libraries.len()) as u64;
        if count > from {
            self.submit(&unit).await?;
        }
        keys.loaded = Some(count);
        Ok(count)
    }

    async fn end_of(&mut self, frame: &Frame, read_bytes: u64) -> Result<(), Failure> {
        match frame {
            Frame::Length(len) if read_bytes == *len => Ok(()),
            Frame::Length(_) => Err(malformed("it is shorter than was said")),
            Frame::Mark(mark) => {
                while self.input.len() < mark.len() {
                    self.read().await?;
                }
                let end = self.input.split_to(mark.len());
                if end == *mark { Ok(()) } else { Err(malformed("the mark of its end is missing")) }
            }
        }
    }
}
