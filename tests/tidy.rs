//! The rules of the house, held by a test: who may know whom, what pure modules must not
//! touch, how long a file may be, and what no file may contain. A message says which rule
//! was broken where, and what to do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

mod rust_reader;
use rust_reader::{code_of, paths, target, without_tests};

/// Each module of the crate and the modules that it may name: docs/ARCHITECTURE.md as a table.
/// Everybody may name [`KNOWN_TO_ALL`]; `lib.rs` and `main.rs` may name everything.
const LAYERS: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("mutant", &[]),
    ("history", &[]), // judges what clients saw; knows nothing of the server
    ("wire", &[]),
    ("collections", &[]),
    ("keyspace", &["collections"]),
    ("command", &["keyspace", "collections"]),
    ("machine", &["command", "keyspace"]),
    ("group", &["machine", "command", "keyspace"]),
    ("resp", &["command", "keyspace"]), // the replies and the strings in them
    ("storage", &[]),
    ("transport", &[]),
    ("config", &["storage"]), // the kinds of storage
    ("logging", &["config"]),
    ("stress", &["config", "history"]), // a client like any other
    ("node", &["group", "machine", "command", "keyspace", "storage", "transport", "config", "logging"]),
    (
        "server",
        &[
            "node",
            "group",
            "machine",
            "command",
            "keyspace",
            "resp",
            "storage",
            "transport",
            "config",
            "logging",
        ],
    ),
    ("inspect", &["storage", "machine", "command", "keyspace"]),
];
const KNOWN_TO_ALL: &[&str] = &["wire", "limits", "mutant"];

/// Modules that must come to the same result on every replica and in every simulation.
const PURE: &[&str] =
    &["wire", "limits", "collections", "keyspace", "command", "machine", "group", "history"];
/// What they must not name, as the beginning of a path.
const IMPURE_PATHS: &[&str] =
    &["tokio", "std::fs", "std::net", "std::thread", "std::process", "std::env", "rand", "getrandom", "sled"];
/// What they must not name, anywhere in a path.
const IMPURE_NAMES: &[&str] = &["Instant", "SystemTime", "thread_rng", "RandomState"];

/// Lines of a file. Longer ones have a second idea in them that wants a file of its own.
const MOST_LINES: usize = 400;
/// Files that may be longer: their bound, and why. A bound may be lowered, not raised.
const LONGER: &[(&str, usize, &str)] = &[];

/// What no source file may contain, outside of strings and comments.
const UNFINISHED_CODE: &[&str] = &["unimplemented!", "todo!", "dbg!"];
/// What no source file may contain at all.
const UNFINISHED_TEXT: &[&str] = &["TODO", "FIXME", "XXX"];

/// Where paths of somebody's machine could hide.
const OURS: &[&str] = &[
    "src",
    "tests",
    "examples",
    "scripts",
    "redis-tests",
    "proto",
    "docs",
    ".ci",
    "README.md",
    "Cargo.toml",
];
/// In pieces, so that this file does not contain them.
const PRIVATE_PATHS: &[&str] =
    &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/tm", "p/"), concat!("/Us", "ers/")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `start`, by their path from the project's root, sorted.
fn files(start: &str) -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![root().join(start)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a readable directory");
            open.extend(entries.map(|entry| entry.expect("a readable entry").path()));
        } else if path.is_file() {
            found.insert(path.strip_prefix(root()).expect("below the root").to_owned());
        }
    }
    found.into_iter().collect()
}

fn read(path: &Path) -> String {
    let bytes = fs::read(root().join(path)).expect("a readable file");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn rust_files(start: &str) -> Vec<(PathBuf, String)> {
    let rust = files(start).into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    rust.map(|path| (path.clone(), read(&path))).collect()
}

fn sources() -> Vec<(PathBuf, String)> {
    let sources = rust_files("src");
    assert!(!sources.is_empty(), "the sources are where this test looks");
    sources
}

/// The module path of a file below `src`: `src/group/log.rs` is `[group, log]`.
fn module(path: &Path) -> Vec<String> {
    let below = path.strip_prefix("src").expect("a file of src").with_extension("");
    let mut parts: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

fn is_test_file(path: &Path) -> bool {
    module(path).iter().any(|part| part == "tests" || part.ends_with("_tests"))
}

/// Fails with all of `broken` at once.
fn hold(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}\n  {}", broken.join("\n  "));
}

#[test]
fn modules_know_only_whom_the_architecture_lets_them_know() {
    let modules: BTreeSet<String> = sources().iter().map(|(path, _)| module(path)[0].clone()).collect();
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let place = module(&path);
        if ["lib", "main"].contains(&place[0].as_str()) || is_test_file(&path) {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == place[0]) else {
            broken.push(format!("{}: `{}` is not in LAYERS of tests/tidy.rs", path.display(), place[0]));
            continue;
        };
        let code = code_of(&text);
        for used in paths(without_tests(&code)) {
            let Some(other) = target(&used, &place).filter(|name| modules.contains(*name)) else { continue };
            if other != place[0] && !allowed.contains(&other) && !KNOWN_TO_ALL.contains(&other) {
                broken.push(format!("{}: {used}: `{}` must not know `{other}`", path.display(), place[0]));
            }
        }
    }
    hold("Arrows point inward only; see docs/ARCHITECTURE.md:", broken);
}

#[test]
fn pure_modules_have_no_clock_socket_file_thread_or_random_source() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        if !PURE.contains(&module(&path)[0].as_str()) || is_test_file(&path) {
            continue;
        }
        let code = code_of(&text);
        for used in paths(without_tests(&code)) {
            let begins = |with: &&&str| {
                used.strip_prefix(**with).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            };
            let name = used.split("::").find(|name| IMPURE_NAMES.contains(name));
            if let Some(what) = IMPURE_PATHS.iter().find(begins).copied().or(name) {
                broken.push(format!("{}: {used}: a pure module must not use `{what}`", path.display()));
            }
        }
    }
    hold("The same entries must do the same on every replica; move IO to an edge:", broken);
}

#[test]
fn files_are_of_readable_length() {
    let mut broken = Vec::new();
    for (path, text) in sources().into_iter().chain(rust_files("tests")).chain(rust_files("examples")) {
        let lines = text.lines().count();
        let name = path.to_string_lossy();
        match LONGER.iter().find(|(longer, _, _)| *longer == name) {
            None if lines > MOST_LINES => {
                broken.push(format!("{name}: {lines} lines, of at most {MOST_LINES}: split it"));
            }
            Some((_, most, why)) if lines > *most => {
                broken.push(format!("{name}: {lines} lines, of at most {most} ({why}): it may not grow"));
            }
            Some(_) if lines <= MOST_LINES => broken.push(format!("{name}: short now: take it from LONGER")),
            _ => {}
        }
    }
    for (name, _, _) in LONGER {
        if !root().join(name).is_file() {
            broken.push(format!("{name}: gone: take it from LONGER"));
        }
    }
    hold("Files have one idea each:", broken);
}

#[test]
fn every_file_says_what_it_is() {
    let bare = sources().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    let broken = bare.map(|(path, _)| format!("{}: begins without `//!`", path.display())).collect();
    hold("The header says what a module is, and what it must never do:", broken);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let code = code_of(&text);
        for (number, (code, line)) in (1..).zip(code.lines().zip(text.lines())) {
            let in_code = UNFINISHED_CODE.iter().find(|mark| code.contains(**mark));
            let in_text = UNFINISHED_TEXT.iter().find(|mark| line.contains(**mark));
            if let Some(mark) = in_code.or(in_text) {
                broken.push(format!("{}:{number}: {mark}", path.display()));
            }
        }
    }
    hold("Finish it, or leave it out:", broken);
}

#[test]
fn nothing_depends_on_a_path_of_one_machine() {
    let mut broken = Vec::new();
    for path in OURS.iter().flat_map(|start| files(start)) {
        for (number, line) in (1..).zip(read(&path).lines()) {
            for private in PRIVATE_PATHS.iter().filter(|private| line.contains(**private)) {
                broken.push(format!("{}:{number}: {private}", path.display()));
            }
        }
    }
    hold("Take paths from the environment, or from tempfile:", broken);
}
