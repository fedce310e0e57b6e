//! [`OwnDir`]: the directory of one run, which goes with it. When a run was killed, nobody is left to remove its
//! directory: the next run does. Whose run goes on is told by a lock on the directory itself, which the kernel
//! gives back at the latest when its holder has ended. A directory that is locked must never be removed.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// How the names of such directories begin, and those of no others.
const PREFIX: &str = "bowline-stress.";

/// See the module's text.
#[derive(Debug)]
pub struct OwnDir {
    path: PathBuf,
    _lock: File,
}

impl OwnDir {
    /// An empty directory in `base`. `token`: what no other run has.
    pub fn create(base: &Path, token: u64) -> io::Result<Self> {
        remove_left_behind(base);
        let path = base.join(format!("{PREFIX}{token:016x}"));
        loop {
            fs::create_dir(&path)?;
            let lock = File::open(&path)?;
            lock.lock()?;
            // Another run may have removed it before it was locked.
            if fs::metadata(&path)
                .is_ok_and(|found| lock.metadata().is_ok_and(|own| own.ino() == found.ino()))
            {
                return Ok(Self { path, _lock: lock });
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for OwnDir {
    fn drop(&mut self) {
        // It is ours, and in nobody's way if it stays.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What cannot be removed is somebody else's, or will be tried again.
fn remove_left_behind(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.filter_map(Result::ok) {
        let is_one = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_one
            && let Ok(lock) = File::open(entry.path())
            && lock.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_has_left_goes_with_the_next() {
        let base = tempfile::tempdir().expect("a directory");
        let left = base.path().join(format!("{PREFIX}left"));
        let other = base.path().join("other");
        for dir in [&left, &other] {
            fs::create_dir_all(dir.join("n1")).expect("a directory");
        }
        let first = OwnDir::create(base.path(), 1).expect("a directory");
        assert!(!left.exists() && other.exists());
        let second = OwnDir::create(base.path(), 2).expect("a directory");
        assert!(first.path().exists() && second.path().exists(), "of runs that go on");
        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists() && second.path().exists());
    }
}
