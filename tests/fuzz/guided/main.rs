//! The targets under libFuzzer, which keeps inputs that reach new code. One program for all
//! of them: `BOWLINE_FUZZ_TARGET` names one. See `scripts/fuzz.sh`.

#![no_main]

#[path = "../memory.rs"]
mod memory;
#[path = "../source.rs"]
mod source;
#[path = "../targets/mod.rs"]
mod targets;

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use targets::{TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

fuzz_target!(|input: &[u8]| {
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("BOWLINE_FUZZ_TARGET").expect("BOWLINE_FUZZ_TARGET names a target");
        let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a known target");
        *target
    });
    target(input);
});
