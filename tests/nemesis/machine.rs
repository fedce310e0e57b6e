//! What a fault may need of the machine, and may not get: a small disk (mounting takes root),
//! a clock that can be set (libfaketime). What cannot be had is said once, and left out.

use crate::harness::Node;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Holds a log, its spare segments and some snapshots.
const DISK_MIB: u64 = 400;

/// The data directory of one node, on a file system that can be filled.
pub struct SmallDisk {
    mount: PathBuf,
}

impl SmallDisk {
    /// Moves the data directory of a node that has not been started yet.
    pub fn under(node: &mut Node, dir: &Path) -> Option<Self> {
        let mount = dir.join(format!("disk{}", node.id));
        fs::create_dir_all(&mount).expect("a directory");
        let options = format!("size={DISK_MIB}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&mount).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let data_dir = mount.join("data");
        let old = node.data_dir.display().to_string();
        for flag in node.flags.iter_mut().filter(|flag| **flag == old) {
            *flag = data_dir.display().to_string();
        }
        node.data_dir = data_dir;
        Some(Self { mount })
    }

    fn filler(&self) -> PathBuf {
        self.mount.join("filler")
    }

    /// Until nothing fits any more.
    pub fn fill(&self) {
        let Ok(mut file) = File::create(self.filler()) else { return };
        let mut block = vec![0; 1 << 20];
        while !block.is_empty() {
            if file.write_all(&block).is_err() {
                block.truncate(block.len() / 2);
            }
        }
    }

    pub fn make_room(&self) {
        let _ = fs::remove_file(self.filler());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.mount).status();
    }
}

/// The wall clocks of the nodes. Their monotonic clocks go on as they are.
pub struct Clocks {
    dir: PathBuf,
}

impl Clocks {
    /// `BOWLINE_FAKETIME` names the library. To be called before the nodes are started.
    pub fn new(dir: &Path) -> Option<Self> {
        let library = std::env::var_os("BOWLINE_FAKETIME").filter(|path| Path::new(path).is_file())?;
        drop(library);
        Some(Self { dir: dir.to_owned() })
    }

    pub fn under(&self, node: &mut Node) {
        self.set(node.id, "+0");
        let library = std::env::var("BOWLINE_FAKETIME").expect("looked at before");
        let file = self.file(node.id).display().to_string();
        for (name, value) in [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", &file),
            ("FAKETIME_CACHE_DURATION", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("FAKETIME_DONT_RESET", "1"),
        ] {
            node.env.push((name.to_owned(), value.to_owned()));
        }
    }

    fn file(&self, node: u64) -> PathBuf {
        self.dir.join(format!("clock{node}"))
    }

    /// As libfaketime writes it: `+30`, `-5m`, `+0 x1.2`. Noticed within a second.
    pub fn set(&self, node: u64, what: &str) {
        // By renaming: nobody reads half of it.
        let (file, next) = (self.file(node), self.dir.join(format!("clock{node}.next")));
        fs::write(&next, format!("{what}\n"))
            .and_then(|()| fs::rename(&next, &file))
            .expect("a clock's file");
    }
}
