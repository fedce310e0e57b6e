//! Snapshots. A state goes through one unchanged, also while it goes on changing; chunks of
//! any content are refused or make a state that can be snapshot again.

use super::entry;
use crate::source::Source;
use bowline::machine::{Machine, Restorer};

fn chunks_of(machine: &mut Machine, target_bytes: usize) -> Vec<Vec<u8>> {
    let mut chunks = vec![machine.snapshot_begin()];
    chunks.extend(std::iter::from_fn(|| machine.snapshot_next(target_bytes)));
    chunks
}

fn restore<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, index: u64) -> Option<Machine> {
    let mut restorer = Restorer::default();
    for chunk in chunks {
        restorer.chunk(chunk).ok()?;
    }
    restorer.finish(index).ok()
}

/// Chunks of any content.
fn strange_chunks(source: &mut Source<'_>) {
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    let honest = chunks_of(&mut Machine::new(), 100);
    while !source.is_empty() && chunks.len() < 12 {
        chunks.push(match source.up_to(5) {
            0 => honest[0].clone(),
            1 => source.some_bytes().to_vec(),
            kind => {
                let inner = source.some_bytes();
                let mut chunk = vec![((kind as u8 - 1) << 3) | 2];
                let mut len = inner.len();
                while len >= 128 {
                    chunk.push(len as u8 | 128);
                    len >>= 7;
                }
                chunk.push(len as u8);
                chunk.extend_from_slice(inner);
                chunk
            }
        });
    }
    let Some(mut machine) = restore(chunks.iter().map(Vec::as_slice), 7) else { return };
    let again = chunks_of(&mut machine, 64);
    let again = restore(again.iter().map(Vec::as_slice), 7).expect("a machine's own snapshot");
    assert_eq!(again.state_hash(), machine.state_hash(), "through a second snapshot");
}

/// A state, and what becomes of it while the snapshot is taken.
fn changing_state(source: &mut Source<'_>) {
    let mut machine = Machine::new();
    let mut index = 0;
    let mut now_ms = 0;
    let mut step = |machine: &mut Machine, source: &mut Source<'_>| {
        index += 1;
        now_ms += source.number() % (1 << 40);
        entry::apply(machine, index, &entry::make(source, now_ms));
        index
    };
    for _ in 0..source.up_to(30) {
        step(&mut machine, source);
    }
    let at = step(&mut machine, source);
    let before = machine.state_hash();
    let target_bytes = 1 + source.up_to(300);
    let mut chunks = vec![machine.snapshot_begin()];
    while let Some(chunk) = machine.snapshot_next(target_bytes) {
        chunks.push(chunk);
        if !source.is_empty() {
            step(&mut machine, source);
        }
    }
    let restored = restore(chunks.iter().map(Vec::as_slice), at).expect("a machine's own snapshot");
    assert_eq!(restored.state_hash(), before, "as it was when the snapshot began");
}

pub fn run(input: &[u8]) {
    let mut source = Source::new(input);
    if source.byte() & 1 == 0 { strange_chunks(&mut source) } else { changing_state(&mut source) }
}
