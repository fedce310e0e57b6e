//! docs/commands.md, written from the table.

use super::check_file;
use crate::command::absent::ABSENT;
use crate::command::introspect::syntax;
use crate::command::{Command, commands};
use std::fmt::Write;

const HEAD: &str = "\
# Commands

Written from the table of commands (`BOWLINE_UPDATE=1 cargo test --lib command`).

Replies and errors are those of Redis 7.0 unless said otherwise. A `since` of 0.x is a
version of bowline: the command is its own.

";

const ABSENT_HEAD: &str = "\
## What there deliberately is not

Asked for one of these, a node answers with Redis's error for what is unknown, followed by the reason.

| command | why there is none |
|---|---|
";

fn row(out: &mut String, command: &Command) {
    let name = command.full_name.to_ascii_uppercase().replace('|', " ");
    let call = format!("{name} {}", syntax(command.arguments)).trim_end().replace('|', "\\|");
    let flags = command.flags.names().collect::<Vec<_>>().join(" ");
    let (summary, complexity) = (command.summary, command.complexity);
    let arity = command.arity;
    writeln!(out, "| `{call}` | {summary} | {complexity} | {arity} | {flags} | {} |", command.since).unwrap();
}

fn written() -> String {
    let mut out = HEAD.to_string();
    let mut groups: Vec<_> = commands().map(|command| command.group).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        writeln!(out, "## {}{}\n", group[..1].to_ascii_uppercase(), &group[1..]).unwrap();
        out.push_str("| command | does | cost | arity | flags | since |\n|---|---|---|---|---|---|\n");
        for command in commands().filter(|command| command.group == group) {
            if command.subcommands.is_empty() || command.arity == -1 || command.wraps != 0 {
                row(&mut out, command);
            }
            command.subcommands.iter().for_each(|subcommand| row(&mut out, subcommand));
        }
        out.push('\n');
    }
    out.push_str(ABSENT_HEAD);
    for absent in ABSENT {
        let name = absent.name.to_ascii_uppercase().replace('|', " ");
        writeln!(out, "| `{name}` | {} |", absent.reason).unwrap();
    }
    out.trim_end().to_string() + "\n"
}

#[test]
fn the_documentation_is_that_of_the_table() {
    check_file("docs/commands.md", &written());
}
