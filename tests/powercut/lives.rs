//! Lives of a cluster between power cuts. The nodes are real processes that are killed at a
//! random moment, all at once; then their directories are put into a state that the cut may
//! have left, and they start again. This module must never touch a process or a directory
//! that is not its own.

use super::disk::{Disk, Loss};
use super::harness::{Cluster, PATIENCE, Setup};
use super::journal::environment;
use super::writers::{Progress, Writer};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const WRITERS_PER_NODE: usize = 2;
/// Records that a node surely writes when it makes its directory and its first entries.
const FIRST_RECORDS: u64 = 90;
/// The longest time under load.
const LOAD_MS: u64 = 350;

/// What the power is cut off from.
#[derive(Debug, Clone)]
pub struct Plan {
    pub storage: &'static str,
    pub nodes: usize,
    pub sync_us: u64,
    /// See `shim.c`.
    pub ignore_sync: Option<&'static str>,
    /// Always this; none: any.
    pub loss: Option<Loss>,
}

/// When a life ends.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// After so long under load.
    Load(Duration),
    /// When a node has made so many changes and syncs; or after the longest time under load.
    Record { node: u64, records: u64 },
    /// Not at all: an orderly stop.
    Never,
}

/// A cluster that lives again and again.
pub struct Lives {
    plan: Plan,
    cluster: Cluster,
    disks: Vec<Disk>,
    writers: Vec<Writer>,
    rng: SmallRng,
    /// That the first node wrote in its longest life.
    records: u64,
    lives: u64,
    pub acknowledged: usize,
}

/// The library that is preloaded, compiled once.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/powercut/shim.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("powercut.so");
        let beside = library.with_extension(format!("{}.so", std::process::id()));
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
            .args([&beside, &source])
            .status();
        assert!(compiled.is_ok_and(|status| status.success()), "cc compiles {}", source.display());
        fs::rename(&beside, &library).expect("its own directory");
        library
    })
}

impl Lives {
    pub fn new(plan: Plan, seed: u64) -> Self {
        let setup = Setup::new().nodes(plan.nodes).storage(plan.storage);
        let cluster = setup.flags(&["--snapshot-log-mib", "1"]).prepare();
        let addrs = cluster.addrs();
        let writers = (0..plan.nodes * WRITERS_PER_NODE).map(|i| {
            Writer::new(format!("w{i}"), addrs[i % addrs.len()].clone(), seed.wrapping_add(i as u64))
        });
        Self {
            disks: addrs.iter().map(|_| Disk::new()).collect(),
            writers: writers.collect(),
            rng: SmallRng::seed_from_u64(seed),
            records: FIRST_RECORDS,
            lives: 0,
            acknowledged: 0,
            plan,
            cluster,
        }
    }

    /// One life, and the cut at its end: what happened, or what must not.
    pub fn cut(&mut self) -> Result<String, String> {
        let moment = if self.lives == 0 || self.rng.random_bool(0.5) {
            let most = if self.lives == 0 { FIRST_RECORDS } else { self.records };
            let node = self.rng.random_range(1..=self.plan.nodes as u64);
            Moment::Record { node, records: self.rng.random_range(1..=most) }
        } else {
            Moment::Load(Duration::from_millis(self.rng.random_range(0..LOAD_MS)))
        };
        let loss = self.plan.loss.unwrap_or_else(|| match self.rng.random_range(0..8) {
            0 => Loss::Everything,
            1 => Loss::Nothing,
            2..5 => Loss::Later,
            _ => Loss::Scattered,
        });
        let ended = self.live(moment).map_err(|error| format!("{moment:?}: {error}"));
        let lost = self.lose(loss);
        for (place, id) in self.cluster.ids().into_iter().enumerate() {
            let (parent, name) = self.place(id);
            self.disks[place].write_out(&parent, &name);
        }
        ended.map(|()| format!("{moment:?}: {}", lost.join("; ")))
    }

    /// The last life: everything is there, and the layer has seen all that the nodes did.
    pub fn end(&mut self) -> Result<(), String> {
        self.live(Moment::Never)?;
        self.lose(Loss::Nothing);
        for (place, id) in self.cluster.ids().into_iter().enumerate() {
            let (parent, name) = self.place(id);
            let different = self.disks[place].differences(&parent, &name);
            if !different.is_empty() {
                return Err(format!("changes that the layer has not seen: {different:?}"));
            }
        }
        Ok(())
    }

    fn place(&self, id: u64) -> (PathBuf, String) {
        (self.cluster.dir().to_owned(), format!("n{id}"))
    }

    fn live(&mut self, moment: Moment) -> Result<(), String> {
        self.lives += 1;
        self.start(moment);
        let progress = Arc::new(Progress::default());
        let goes_on = !matches!(moment, Moment::Never);
        let threads: Vec<_> = std::mem::take(&mut self.writers)
            .into_iter()
            .map(|writer| {
                let progress = Arc::clone(&progress);
                std::thread::spawn(move || writer.run(&progress, goes_on))
            })
            .collect();
        let died = self.wait(moment, &progress, threads.len());
        let mut stopped = Vec::new();
        for id in self.cluster.ids() {
            if goes_on {
                self.cluster.kill(id);
            } else if died.is_ok() {
                self.cluster.node(id).signal("TERM");
                stopped.push(self.cluster.node_mut(id).wait_end(PATIENCE));
            }
        }
        progress.stop.store(true, Ordering::Relaxed);
        self.writers = threads.into_iter().map(|thread| thread.join().expect("a writer ends")).collect();
        self.acknowledged += progress.acknowledged.load(Ordering::Relaxed);
        died?;
        if let Some(status) = stopped.iter().find(|status| !status.success()) {
            return Err(format!("a node that was asked to stop: {status}"));
        }
        let wrong: Vec<String> = self.writers.iter_mut().flat_map(|writer| writer.wrong.drain(..)).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    fn start(&mut self, moment: Moment) {
        for (place, id) in self.cluster.ids().into_iter().enumerate() {
            let (parent, name) = self.place(id);
            let journal = parent.join(format!("{name}.journal"));
            fs::write(&journal, b"").expect("room for a journal");
            self.disks[place].begin(&parent);
            let mut settings = vec![("POWERCUT_SYNC_US", self.plan.sync_us.to_string())];
            settings.extend(self.plan.ignore_sync.map(|what| ("POWERCUT_IGNORE_SYNC", what.to_owned())));
            if let Moment::Record { node, records } = moment
                && node == id
            {
                settings.push(("POWERCUT_AFTER", records.to_string()));
            }
            let node = self.cluster.node_mut(id);
            node.env = environment(shim(), &parent.join(&name), &journal, &settings);
            node.start();
        }
    }

    /// Until the life is to end; an error when it ended otherwise.
    fn wait(&mut self, moment: Moment, progress: &Progress, writers: usize) -> Result<(), String> {
        let all_checked = || progress.checked.load(Ordering::Relaxed) >= writers;
        let ids = self.cluster.ids();
        let dead = |cluster: &mut Cluster| ids.iter().copied().find(|id| !cluster.node_mut(*id).is_running());
        let started = Instant::now();
        let mut opened = None;
        loop {
            if let Some(id) = dead(&mut self.cluster) {
                let status = self.cluster.node_mut(id).wait_end(PATIENCE);
                let was_cut = status.signal() == Some(9) && matches!(moment, Moment::Record { .. });
                let log = self.cluster.node(id).read_log();
                let end: Vec<&str> = log.lines().rev().take(5).collect();
                return if was_cut { Ok(()) } else { Err(format!("node {id} ended: {status}: {end:?}")) };
            }
            if opened.is_none() && all_checked() {
                opened = Some(Instant::now());
            }
            let under_load = match moment {
                Moment::Load(time) => time,
                Moment::Record { .. } => Duration::from_millis(LOAD_MS),
                Moment::Never => Duration::ZERO,
            };
            if opened.is_some_and(|opened| opened.elapsed() >= under_load) {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("not all of it can be read within {PATIENCE:?}"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What the disks have after the cut, in words; their directories are as they were before it.
    fn lose(&mut self, loss: Loss) -> Vec<String> {
        let mut lost = Vec::new();
        for (place, id) in self.cluster.ids().into_iter().enumerate() {
            let (parent, name) = self.place(id);
            let journal = fs::read(parent.join(format!("{name}.journal"))).expect("the journal");
            let records = self.disks[place].play(&journal);
            self.records = self.records.max(records);
            lost.push(self.disks[place].cut(loss, &mut self.rng));
        }
        lost
    }
}
