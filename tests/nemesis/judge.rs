//! Takes the histories of objects that are done with, writes them down as JSON lines, and
//! judges them at once; in the end, when every node has said what it holds, once more. Only
//! what it needs for that stays in memory.

use super::objects::{Kind, Object};
use bowline::history::{self, Bounds, Operation, Report};
use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How often it is looked whether clients have let go of an object.
const POLL: Duration = Duration::from_millis(50);

/// An object's history in the file.
pub struct Written {
    pub kind: Kind,
    pub keys: Vec<Arc<str>>,
    offset: u64,
    len: usize,
}

/// See the module's text.
pub struct Judge {
    path: PathBuf,
    file: BufWriter<File>,
    offset: u64,
    pub written: Vec<Written>,
    pub report: Report,
}

impl Judge {
    pub fn new(path: &Path) -> Self {
        let file = BufWriter::new(File::create(path).expect("a file for the history"));
        let (path, written) = (path.to_owned(), Vec::new());
        Self { path, file, offset: 0, written, report: Report::default() }
    }

    /// Until nobody can retire objects any more. `failed` is set as soon as something is wrong.
    pub fn run(mut self, retired: &Receiver<Arc<Object>>, failed: &AtomicBool) -> Self {
        let mut waiting = Vec::new();
        let mut is_over = false;
        while !is_over || !waiting.is_empty() {
            match retired.recv_timeout(POLL) {
                Ok(object) => waiting.push(object),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    is_over = true;
                    std::thread::sleep(POLL);
                }
            }
            for object in std::mem::take(&mut waiting) {
                // The last client that was at work on it has finished.
                match Arc::try_unwrap(object) {
                    Ok(object) => self.take(object),
                    Err(object) => waiting.push(object),
                }
            }
            if !self.report.is_linearizable() {
                failed.store(true, Ordering::Relaxed);
            }
        }
        self
    }

    fn take(&mut self, object: Object) {
        let (kind, keys) = (object.kind, object.keys.clone());
        let history = object.into_history();
        self.report.add(history::check(&history, Bounds::default()));
        let offset = self.offset;
        self.write(&history);
        self.written.push(Written { kind, keys, offset, len: (self.offset - offset) as usize });
    }

    fn write(&mut self, history: &[Operation]) {
        for operation in history {
            let line = history::write_line(operation);
            writeln!(self.file, "{line}").expect("the history can be written");
            self.offset += line.len() as u64 + 1;
        }
    }

    /// Judges everything again, with what was read in the end of the objects in the order of
    /// [`Judge::written`].
    pub fn judge_all(mut self, finally: &[Vec<Operation>]) -> Report {
        assert_eq!(finally.len(), self.written.len(), "last reads of every object");
        for reads in finally {
            self.write(reads);
        }
        self.file.flush().expect("the history can be written");
        let mut file = File::open(&self.path).expect("the history can be read");
        let mut report = Report::default();
        for (object, reads) in self.written.iter().zip(finally) {
            let mut text = vec![0; object.len];
            file.seek(SeekFrom::Start(object.offset)).expect("the history can be read");
            file.read_exact(&mut text).expect("the history can be read");
            let text = String::from_utf8(text).expect("JSON is text");
            let lines = text.lines().map(|line| history::read_line(line).expect("written by us"));
            let all: Vec<Operation> = lines.chain(reads.iter().cloned()).collect();
            report.add(history::check(&all, Bounds::default()));
        }
        report
    }
}
