//! What a run leaves in files: the history as JSON lines, and the report. A file that cannot be
//! written is an error that names it; the verdict does not depend on it.

use super::record::{Run, Verdict};
use super::report;
use crate::history;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {what} to {}: {source}", path.display())]
pub struct ResultError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Writes the history, reads of the final state included, one operation a line: `bowline check` and other
/// checkers read it.
pub fn write_history(run: &Run, path: &Path) -> Result<(), ResultError> {
    let write = || {
        let mut file = BufWriter::new(File::create(path)?);
        let finals = run.finals.iter().map(|it| &it.read);
        for operation in run.history.iter().chain(finals) {
            writeln!(file, "{}", history::write_line(operation))?;
        }
        file.flush()
    };
    write().map_err(|source| ResultError { what: "the history", path: path.to_owned(), source })
}

/// Writes the report: a page that needs no other file.
pub fn write_report(run: &Run, verdict: &Verdict, path: &Path) -> Result<(), ResultError> {
    let written = std::fs::write(path, report::page(run, verdict));
    written.map_err(|source| ResultError { what: "the report", path: path.to_owned(), source })
}
