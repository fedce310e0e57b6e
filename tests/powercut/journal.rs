//! The journal that `shim.c` writes, read again. This module must never take a record that a
//! kill tore for a whole one: what it announces has not happened.

use std::path::Path;

/// Something that happened below the directory that is watched. Paths begin with its name.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    Create {
        inode: u64,
        path: &'a str,
    },
    MakeDirectory {
        inode: u64,
        path: &'a str,
    },
    Write {
        inode: u64,
        offset: u64,
        data: &'a [u8],
    },
    Truncate {
        inode: u64,
        len: u64,
    },
    Rename {
        from: &'a str,
        to: &'a str,
    },
    Remove {
        path: &'a str,
    },
    /// Ended; covers the first `covered` records.
    Sync {
        inode: u64,
        covered: u64,
    },
}

const HEADER_BYTES: usize = 32;

/// The events of a process, in their order.
pub fn events(journal: &[u8]) -> Vec<Event<'_>> {
    let mut events = Vec::new();
    let mut rest = journal;
    while let Some((header, later)) = rest.split_first_chunk::<HEADER_BYTES>() {
        let word = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let long = |at: usize| u64::from_ne_bytes(header[at..at + 8].try_into().expect("eight bytes"));
        let (path_bytes, data_bytes) = (word(4) as usize, long(24) as usize);
        let Some((path, later)) = later.split_at_checked(path_bytes) else { break };
        let Some((data, later)) = later.split_at_checked(data_bytes) else { break };
        let path = std::str::from_utf8(path).expect("our paths are UTF-8");
        events.push(event(word(0), path, long(8), long(16), data));
        rest = later;
    }
    events
}

fn event<'a>(kind: u32, path: &'a str, inode: u64, number: u64, data: &'a [u8]) -> Event<'a> {
    match kind {
        1 => Event::Create { inode, path },
        2 => Event::MakeDirectory { inode, path },
        3 => Event::Write { inode, offset: number, data },
        4 => Event::Truncate { inode, len: number },
        5 => {
            let (from, to) = path.split_once('\n').expect("two paths");
            Event::Rename { from, to }
        }
        6 | 7 => Event::Remove { path },
        8 => Event::Sync { inode, covered: number },
        _ => panic!("the journal has a record of unknown kind {kind}"),
    }
}

/// Where and how a server is watched: its environment.
pub fn environment(
    shim: &Path,
    root: &Path,
    journal: &Path,
    settings: &[(&str, String)],
) -> Vec<(String, String)> {
    let paths = [("LD_PRELOAD", shim), ("POWERCUT_ROOT", root), ("POWERCUT_JOURNAL", journal)];
    let paths = paths.iter().map(|(name, path)| ((*name).to_owned(), path.display().to_string()));
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    paths.chain(settings).collect()
}
