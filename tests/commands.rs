//! Every command in the table is tested through real clients.

use bowline::command::{self, Command};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// In the order of their groups and names; subcommands follow their command.
fn table() -> Vec<&'static Command> {
    let mut commands: Vec<&'static Command> = command::all().collect();
    commands.sort_by_key(|command| (command.group, command.full_name));
    commands
}

/// The words of redis-tests, in lower case, and pairs of words, for subcommands.
fn tested_words() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let files = fs::read_dir(root().join("redis-tests/golden")).expect("the conversations are there");
    let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).expect("a text"));
    let text = texts.collect::<Vec<_>>().join("\n");
    for line in text.lines() {
        // `> WORDS`, `!> WORDS`, `>2 WORDS`
        let Some(sent) = line.trim_start_matches('!').strip_prefix('>') else { continue };
        let words = sent.trim_start_matches(|c: char| c.is_ascii_digit());
        let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
        found.extend(words.first().cloned());
        if let [name, sub, ..] = words.as_slice() {
            found.insert(format!("{name}|{sub}"));
        }
    }
    found
}

#[test]
fn every_command_is_tested() {
    let tested = tested_words();
    let mut missing = Vec::new();
    for command in table() {
        if !tested.contains(command.full_name) {
            missing.push(command.full_name);
        }
    }
    assert!(
        missing.is_empty(),
        "commands without a line in redis-tests/golden (record what Redis says with \
         redis-tests/t_commands.py --record PORT):\n  {}",
        missing.join("\n  ")
    );
}
