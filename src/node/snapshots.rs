//! Snapshots on their way to and from the disk, on helper threads: this node's own, chunk by
//! chunk while it serves; a leader's, arriving; and this node's, streamed to a follower. The
//! node's thread must never read or write a snapshot itself.

use crate::limits;
use crate::machine::{Machine, Restorer};
use crate::storage::{SnapshotStore, SnapshotWriter, StoreError};
use crate::transport::{ChunkSink, ChunkSource, SnapshotPart, Transport};
use crate::wire::proto::snapshot::Meta;
use crate::wire::{GroupId, NodeId};
use raft::eraftpb::{ConfState, Message};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{mpsc as tokio_mpsc, oneshot};

/// What the helpers say.
pub enum SnapshotEvent {
    /// There is room for another chunk of the own snapshot: [`SnapshotThread::has_room`] had said no.
    HasRoom,
    /// The own snapshot is durable.
    Stored { index: u64, size_bytes: u64 },
    /// The own snapshot could not be written.
    Failed(StoreError),
    /// A leader's snapshot is durable, and this is its state.
    Fetched { message: Message, machine: Box<Machine>, size_bytes: u64 },
}

enum Work {
    Begin(Meta),
    Chunk(Vec<u8>),
    Finish,
    Abort,
}

/// The thread that writes this node's own snapshots.
pub struct SnapshotThread {
    work: mpsc::Sender<Work>,
    room: Arc<Room>,
}

/// Chunks that are not written yet. Only a loop that waits for room is woken for it.
#[derive(Default)]
struct Room {
    in_flight: AtomicUsize,
    is_waited_for: AtomicBool,
}

impl SnapshotThread {
    /// Starts the thread.
    pub fn start(store: Arc<dyn SnapshotStore>, events: UnboundedSender<SnapshotEvent>) -> io::Result<Self> {
        let (work, queue) = mpsc::channel();
        let room = Arc::new(Room::default());
        let writer = Writer { store, events, current: None, room: room.clone() };
        spawn_behind("snapshot", move || writer.run(&queue))?;
        Ok(Self { work, room })
    }

    pub fn begin(&self, meta: Meta) {
        let _ = self.work.send(Work::Begin(meta));
    }

    /// Whether another chunk may be handed over. If not, [`SnapshotEvent::HasRoom`] follows.
    pub fn has_room(&self) -> bool {
        let is_below = || self.room.in_flight.load(Ordering::SeqCst) < limits::SNAPSHOT_CHUNKS_IN_FLIGHT;
        if is_below() {
            return true;
        }
        self.room.is_waited_for.store(true, Ordering::SeqCst);
        is_below() // it may just have got some, before anybody waited
    }

    pub fn chunk(&self, chunk: Vec<u8>) {
        self.room.in_flight.fetch_add(1, Ordering::SeqCst);
        let _ = self.work.send(Work::Chunk(chunk));
    }

    pub fn finish(&self) {
        let _ = self.work.send(Work::Finish);
    }

    pub fn abort(&self) {
        let _ = self.work.send(Work::Abort);
    }
}

struct Current {
    writer: Box<dyn SnapshotWriter>,
    index: u64,
    size_bytes: u64,
}

struct Writer {
    store: Arc<dyn SnapshotStore>,
    events: UnboundedSender<SnapshotEvent>,
    current: Option<Current>,
    room: Arc<Room>,
}

impl Writer {
    fn run(mut self, queue: &mpsc::Receiver<Work>) {
        while let Ok(work) = queue.recv() {
            let is_chunk = matches!(work, Work::Chunk(_));
            let event = match self.carry_out(work) {
                Ok(event) => event,
                Err(error) => {
                    self.current = None;
                    Some(SnapshotEvent::Failed(error))
                }
            };
            if is_chunk {
                self.room.in_flight.fetch_sub(1, Ordering::SeqCst);
            }
            let wakes = is_chunk && self.room.is_waited_for.swap(false, Ordering::SeqCst);
            for event in wakes.then_some(SnapshotEvent::HasRoom).into_iter().chain(event) {
                let _ = self.events.send(event);
            }
        }
    }

    fn carry_out(&mut self, work: Work) -> Result<Option<SnapshotEvent>, StoreError> {
        match work {
            Work::Begin(meta) => {
                self.current = None; // an unfinished one never existed
                let writer = self.store.begin(&meta)?;
                self.current = Some(Current { writer, index: meta.get_index(), size_bytes: 0 });
            }
            Work::Chunk(chunk) => {
                if let Some(current) = &mut self.current {
                    current.size_bytes += chunk.len() as u64;
                    current.writer.append(&chunk)?;
                }
            }
            Work::Finish => {
                if let Some(Current { writer, index, size_bytes }) = self.current.take() {
                    writer.finish()?;
                    return Ok(Some(SnapshotEvent::Stored { index, size_bytes }));
                }
            }
            Work::Abort => self.current = None,
        }
        Ok(None)
    }
}

/// Starts a thread that gets a processor when those that serve clients leave it one.
fn spawn_behind(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let run = move || {
        // A thread's own on Linux; elsewhere a whole process's, so there it stays as it is.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::nice(limits::SNAPSHOT_THREAD_NICENESS);
        work();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// Frees a state that another has taken the place of, on a thread of its own: a million keys take a second.
pub fn free(state: Machine) {
    let _ = spawn_behind("state-out", move || drop(state)); // without a thread: here and now
}

/// Streams the newest snapshot on disk to a follower. `message` announces it to Raft there.
pub async fn send(
    store: Arc<dyn SnapshotStore>,
    group: GroupId,
    transport: Transport,
    to: NodeId,
    mut message: Message,
) -> Result<(), String> {
    let (parts, source) = tokio_mpsc::channel(limits::SNAPSHOT_CHUNKS_IN_FLIGHT);
    let (opened, meta) = oneshot::channel();
    spawn_behind("snapshot-out", move || read(&*store, group, opened, &parts))
        .map_err(|error| error.to_string())?;
    // It may be newer than the one that Raft knew of: announce what is sent.
    let meta: Meta = meta.await.map_err(|_| "the reader ended".to_owned())??;
    let metadata = message.mut_snapshot().mut_metadata();
    metadata.index = meta.get_index();
    metadata.term = meta.get_term();
    metadata.set_conf_state(conf_state_of(&meta));
    let source: ChunkSource = source;
    transport.send_snapshot(to, message, source).await.map_err(|error| error.to_string())
}

fn read(
    store: &dyn SnapshotStore,
    group: GroupId,
    opened: oneshot::Sender<Result<Meta, String>>,
    parts: &tokio_mpsc::Sender<Result<SnapshotPart, String>>,
) {
    let mut reader = match store.open_latest(group) {
        Ok(Some(reader)) => reader,
        Ok(None) => return drop(opened.send(Err("there is no snapshot".to_owned()))),
        Err(error) => return drop(opened.send(Err(error.to_string()))),
    };
    let _ = opened.send(Ok(reader.meta().clone()));
    loop {
        let part = match reader.next_chunk() {
            Ok(Some(chunk)) => Ok(SnapshotPart::Chunk(chunk.into())),
            Ok(None) => Ok(SnapshotPart::End),
            Err(error) => Err(error.to_string()),
        };
        let is_last = !matches!(part, Ok(SnapshotPart::Chunk(_)));
        if parts.blocking_send(part).is_err() || is_last {
            return;
        }
    }
}

/// Takes a leader's snapshot in: stores it and restores the state at once. One at a time,
/// which `busy` holds.
pub fn receive(
    store: Arc<dyn SnapshotStore>,
    group: GroupId,
    message: Message,
    busy: &Arc<AtomicBool>,
    events: UnboundedSender<SnapshotEvent>,
) -> Result<ChunkSink, String> {
    if busy.swap(true, Ordering::AcqRel) {
        return Err("another snapshot is being received".to_owned());
    }
    let (parts, mut queue) = tokio_mpsc::channel(limits::SNAPSHOT_CHUNKS_IN_FLIGHT);
    let (verdict, result) = oneshot::channel();
    let is_busy = busy.clone();
    let started = spawn_behind("snapshot-in", move || {
        let outcome = take_in(&*store, group, &message, &mut queue);
        is_busy.store(false, Ordering::Release);
        let outcome = outcome.map(|(machine, size_bytes)| {
            let _ = events.send(SnapshotEvent::Fetched { message, machine: Box::new(machine), size_bytes });
        });
        let _ = verdict.send(outcome);
    });
    started.map_err(|error| {
        busy.store(false, Ordering::Release);
        error.to_string()
    })?;
    Ok(ChunkSink { parts, result })
}

fn take_in(
    store: &dyn SnapshotStore,
    group: GroupId,
    message: &Message,
    queue: &mut tokio_mpsc::Receiver<SnapshotPart>,
) -> Result<(Machine, u64), String> {
    let metadata = message.get_snapshot().get_metadata();
    let meta = meta_of(group, metadata.index, metadata.term, metadata.get_conf_state());
    let mut writer = store.begin(&meta).map_err(|error| error.to_string())?;
    let mut restorer = Restorer::default();
    let mut size_bytes = 0;
    loop {
        match queue.blocking_recv() {
            Some(SnapshotPart::Chunk(chunk)) => {
                size_bytes += chunk.len() as u64;
                writer.append(&chunk).map_err(|error| error.to_string())?;
                restorer.chunk(&chunk).map_err(|error| error.to_string())?;
            }
            Some(SnapshotPart::End) => break,
            None => return Err("the sender gave up".to_owned()),
        }
    }
    // Only a snapshot that can be restored becomes the latest.
    let machine = restorer.finish(metadata.index).map_err(|error| error.to_string())?;
    writer.finish().map_err(|error| error.to_string())?;
    Ok((machine, size_bytes))
}

/// A snapshot's point and membership, as it is stored.
pub fn meta_of(group: GroupId, index: u64, term: u64, conf_state: &ConfState) -> Meta {
    let mut meta = Meta { group, index, term, ..Default::default() };
    meta.set_voters(conf_state.voters.clone());
    meta.set_learners(conf_state.learners.clone());
    meta.set_voters_outgoing(conf_state.voters_outgoing.clone());
    meta.set_learners_next(conf_state.learners_next.clone());
    meta.set_auto_leave(conf_state.auto_leave);
    meta
}

/// The membership of a stored snapshot.
pub fn conf_state_of(meta: &Meta) -> ConfState {
    ConfState {
        voters: meta.get_voters().to_vec(),
        learners: meta.get_learners().to_vec(),
        voters_outgoing: meta.get_voters_outgoing().to_vec(),
        learners_next: meta.get_learners_next().to_vec(),
        auto_leave: meta.get_auto_leave(),
        ..ConfState::default()
    }
}
