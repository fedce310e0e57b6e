//! A directory as a power cut may leave it. What was synced is there. Of what was not, each
//! sector is as it was at some moment since, a file's length likewise and apart from that, and
//! of a directory's changes any may be there: POSIX promises no more, and what holds under
//! that holds on every file system. As often, the cut is a clean one in time, as an ordered
//! journal leaves it, since a wild mixture hides what only a nearly perfect state shows.
//!
//! A rename is atomic, a sector is never torn, and syncing a file does not sync its name.
//! This module must never lose anything that a finished sync covers.

use super::journal::{Event, events};
use rand::Rng;
use rand::rngs::SmallRng;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What a disk writes wholly or not at all.
const SECTOR_BYTES: usize = 512;

/// What becomes of everything that no sync covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All of it is lost.
    Everything,
    /// None of it is lost: only the process was killed. What was not synced stays in danger.
    Nothing,
    /// What came after a random moment is lost.
    Later,
    /// Everything for itself.
    Scattered,
}

enum Object {
    File { bytes: Vec<u8>, unsynced: Vec<(u64, Change)> },
    Directory { entries: BTreeMap<String, usize>, unsynced: Vec<(u64, Entries)> },
}

enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Object {
    /// When its changes were made that no sync covers yet.
    fn unsynced(&self) -> Vec<u64> {
        match self {
            Self::File { unsynced, .. } => unsynced.iter().map(|(at, _)| *at).collect(),
            Self::Directory { unsynced, .. } => unsynced.iter().map(|(at, _)| *at).collect(),
        }
    }
}

/// Names, and what they name from now on.
type Entries = Vec<(String, Option<usize>)>;

/// See the module's text.
pub struct Disk {
    /// The first one is the parent of the directory that is watched.
    objects: Vec<Object>,
    by_inode: BTreeMap<u64, usize>,
    records: u64,
}

impl Disk {
    /// One on which there is nothing yet.
    pub fn new() -> Self {
        Self { objects: vec![new_directory()], by_inode: BTreeMap::new(), records: 0 }
    }

    /// Learns the inodes of what lies in `parent`, where this disk has been written out.
    pub fn begin(&mut self, parent: &Path) {
        self.by_inode.clear();
        let mut open = vec![(parent.to_owned(), 0)];
        while let Some((path, object)) = open.pop() {
            let inode = fs::metadata(&path).expect("what was written out").ino();
            self.by_inode.insert(inode, object);
            if let Some(entries) = self.entries(object) {
                open.extend(entries.into_iter().map(|(name, object)| (path.join(name), object)));
            }
        }
    }

    /// Takes in what a process did; how many records that were.
    pub fn play(&mut self, journal: &[u8]) -> u64 {
        let start = self.records;
        for event in events(journal) {
            let at = self.records;
            match event {
                Event::Create { inode, path } => {
                    let file = Object::File { bytes: Vec::new(), unsynced: Vec::new() };
                    self.enter(at, inode, path, file);
                }
                Event::MakeDirectory { inode, path } => self.enter(at, inode, path, new_directory()),
                Event::Write { inode, offset, data } => {
                    self.change(at, inode, Change::Write(offset as usize, data.to_vec()));
                }
                Event::Truncate { inode, len } => self.change(at, inode, Change::Truncate(len as usize)),
                Event::Rename { from, to } => {
                    let object = self.find(from).expect("what is renamed is there");
                    let ((directory, from), (other, to)) = (self.parent(from), self.parent(to));
                    assert_eq!(directory, other, "a rename between directories is not described");
                    self.reenter(at, directory, vec![(from, None), (to, Some(object))]);
                }
                Event::Remove { path } => {
                    let (directory, name) = self.parent(path);
                    self.reenter(at, directory, vec![(name, None)]);
                }
                Event::Sync { inode, covered } => self.sync(self.by_inode[&inode], start + covered),
            }
            self.records += 1;
        }
        self.records - start
    }

    /// The power goes: what is left from now on, in words.
    pub fn cut(&mut self, loss: Loss, rng: &mut SmallRng) -> String {
        let unsynced: Vec<u64> = self.objects.iter().flat_map(Object::unsynced).collect();
        let danger = format!("{loss:?} of {} un-synced changes", unsynced.len());
        if loss == Loss::Nothing {
            return danger;
        }
        let first = unsynced.iter().min().map_or(self.records, |first| *first);
        let moment = rng.random_range(first..=self.records);
        for object in &mut self.objects {
            match object {
                Object::File { bytes, unsynced: changes } => {
                    let changes = std::mem::take(changes);
                    lose_changes(bytes, changes, loss, moment, rng);
                }
                Object::Directory { entries, unsynced: changes } => {
                    for (_, change) in surviving(std::mem::take(changes), loss, moment, rng) {
                        rename_in(entries, change);
                    }
                }
            }
        }
        self.forget_nameless();
        danger
    }

    /// Replaces what lies in `parent` by this disk, under `name` alone.
    pub fn write_out(&self, parent: &Path, name: &str) {
        let path = parent.join(name);
        if path.exists() {
            fs::remove_dir_all(&path).expect("our own directory");
        }
        if let Some(object) = self.find(name) {
            self.write_object(object, &path);
        }
    }

    fn write_object(&self, object: usize, path: &Path) {
        match self.entries(object) {
            None => fs::write(path, self.bytes(object)).expect("room"),
            Some(entries) => {
                fs::create_dir(path).expect("room");
                for (name, object) in entries {
                    self.write_object(object, &path.join(name));
                }
            }
        }
    }

    /// The names in a directory, as a running process sees them; None: it is a file.
    fn entries(&self, object: usize) -> Option<BTreeMap<String, usize>> {
        let Object::Directory { entries, unsynced } = &self.objects[object] else { return None };
        let mut entries = entries.clone();
        unsynced.iter().for_each(|(_, change)| rename_in(&mut entries, change.clone()));
        Some(entries)
    }

    /// What a running process reads in a file.
    fn bytes(&self, object: usize) -> Vec<u8> {
        let Object::File { bytes, unsynced } = &self.objects[object] else { return Vec::new() };
        let mut bytes = bytes.clone();
        unsynced.iter().for_each(|(_, change)| apply(&mut bytes, change));
        bytes
    }

    /// Where `path` is not as a running process would see it: nowhere, after one that ended by
    /// itself.
    pub fn differences(&self, parent: &Path, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        match self.find(name) {
            Some(object) => self.compare(object, &parent.join(name), &mut found),
            None => found.push(format!("{name} was never made")),
        }
        found
    }

    fn compare(&self, object: usize, path: &Path, found: &mut Vec<String>) {
        let Some(entries) = self.entries(object) else {
            if fs::read(path).ok() != Some(self.bytes(object)) {
                found.push(path.display().to_string());
            }
            return;
        };
        let there = fs::read_dir(path).map_or(0, Iterator::count);
        if there != entries.len() {
            found.push(format!("{}: {there} files, not {}", path.display(), entries.len()));
        }
        for (name, object) in entries {
            self.compare(object, &path.join(name), found);
        }
    }

    /// The directory of a path, and the last part of it.
    fn parent(&self, path: &str) -> (usize, String) {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        (self.find(directory).expect("its directory is there"), name.to_owned())
    }

    /// What a path names, for a running process.
    fn find(&self, path: &str) -> Option<usize> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        parts.try_fold(0, |object, part| self.entries(object)?.get(part).copied())
    }

    fn enter(&mut self, at: u64, inode: u64, path: &str, object: Object) {
        let (directory, name) = self.parent(path);
        let new = self.objects.len();
        self.objects.push(object);
        self.by_inode.insert(inode, new);
        self.reenter(at, directory, vec![(name, Some(new))]);
    }

    fn reenter(&mut self, at: u64, directory: usize, change: Entries) {
        let Object::Directory { unsynced, .. } = &mut self.objects[directory] else {
            panic!("an entry in a file")
        };
        unsynced.push((at, change));
    }

    fn change(&mut self, at: u64, inode: u64, change: Change) {
        let Object::File { unsynced, .. } = &mut self.objects[self.by_inode[&inode]] else {
            panic!("a write to a directory")
        };
        unsynced.push((at, change));
    }

    fn sync(&mut self, object: usize, covered: u64) {
        match &mut self.objects[object] {
            Object::File { bytes, unsynced } => {
                let later = unsynced.split_off(unsynced.partition_point(|(at, _)| *at < covered));
                for (_, change) in std::mem::replace(unsynced, later) {
                    apply(bytes, &change);
                }
            }
            Object::Directory { entries, unsynced } => {
                let later = unsynced.split_off(unsynced.partition_point(|(at, _)| *at < covered));
                for (_, change) in std::mem::replace(unsynced, later) {
                    rename_in(entries, change);
                }
            }
        }
    }

    /// Lets go of files that no name leads to any more.
    fn forget_nameless(&mut self) {
        let mut named = vec![false; self.objects.len()];
        let mut open = vec![0];
        while let Some(object) = open.pop() {
            named[object] = true;
            if let Object::Directory { entries, .. } = &self.objects[object] {
                open.extend(entries.values());
            }
        }
        for (object, named) in self.objects.iter_mut().zip(named) {
            if !named {
                *object = new_directory();
            }
        }
    }
}

fn new_directory() -> Object {
    Object::Directory { entries: BTreeMap::new(), unsynced: Vec::new() }
}

fn rename_in(entries: &mut BTreeMap<String, usize>, change: Entries) {
    for (name, object) in change {
        match object {
            Some(object) => entries.insert(name, object),
            None => entries.remove(&name),
        };
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(offset, data) => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(data);
        }
        Change::Truncate(len) => bytes.resize(*len, 0),
    }
}

/// Those changes that are there after the cut.
fn surviving<T>(mut changes: Vec<(u64, T)>, loss: Loss, moment: u64, rng: &mut SmallRng) -> Vec<(u64, T)> {
    match loss {
        Loss::Everything => changes.clear(),
        Loss::Nothing => unreachable!("nothing is cut off"),
        Loss::Later => changes.retain(|(at, _)| *at < moment),
        Loss::Scattered if rng.random_bool(0.5) => {
            changes.truncate(rng.random_range(0..=changes.len()));
        }
        Loss::Scattered => changes.retain(|_| rng.random_bool(0.5)),
    }
    changes
}

fn lose_changes(
    bytes: &mut Vec<u8>,
    mut changes: Vec<(u64, Change)>,
    loss: Loss,
    moment: u64,
    rng: &mut SmallRng,
) {
    let torn = match loss {
        Loss::Later => changes.split_off(changes.partition_point(|(at, _)| *at < moment)),
        Loss::Scattered if rng.random_bool(0.6) => std::mem::take(&mut changes),
        Loss::Scattered if rng.random_bool(0.5) => Vec::new(),
        _ => return,
    };
    changes.iter().for_each(|(_, change)| apply(bytes, change));
    // The power goes while one of them is under way.
    let torn = &torn[..if loss == Loss::Later { torn.len().min(1) } else { torn.len() }];
    if !torn.is_empty() {
        tear(bytes, torn, rng);
    }
}

/// Leaves each sector as it was after some of the changes.
fn tear(bytes: &mut Vec<u8>, changes: &[(u64, Change)], rng: &mut SmallRng) {
    let mut lens = vec![bytes.len()];
    let mut latest = bytes.clone();
    let mut versions: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
    for (_, change) in changes {
        let before = latest.len();
        apply(&mut latest, change);
        let (from, to) = match change {
            Change::Write(offset, data) => (*offset, offset + data.len()),
            Change::Truncate(len) => (before.min(*len), before.max(*len)),
        };
        for sector in from / SECTOR_BYTES..to.div_ceil(SECTOR_BYTES) {
            versions.entry(sector).or_default().push(sector_of(&latest, sector).to_vec());
        }
        lens.push(latest.len());
    }
    // Mostly lost, half of it, mostly there: one sector that is missing is the hardest to see.
    let kept = [0.03, 0.5, 0.97][rng.random_range(0..3)];
    let longest = *lens.iter().max().expect("the first");
    bytes.resize(longest, 0);
    for (sector, versions) in &versions {
        let start = sector * SECTOR_BYTES;
        let version = if rng.random_bool(kept) {
            versions.last()
        } else {
            // Zero: as it was before them all.
            rng.random_range(0..versions.len() + 1).checked_sub(1).map(|version| &versions[version])
        };
        let end = longest.min(start + SECTOR_BYTES);
        if let Some(version) = version.filter(|_| start < end) {
            bytes[start..end].fill(0);
            let version = &version[..version.len().min(end - start)];
            bytes[start..start + version.len()].copy_from_slice(version);
        }
    }
    let len = if rng.random_bool(kept) {
        *lens.last().expect("the first")
    } else {
        lens[rng.random_range(0..lens.len())]
    };
    bytes.truncate(len);
}

fn sector_of(bytes: &[u8], sector: usize) -> &[u8] {
    let start = (sector * SECTOR_BYTES).min(bytes.len());
    &bytes[start..bytes.len().min(start + SECTOR_BYTES)]
}
