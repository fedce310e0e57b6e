//! Rows as `COMMAND DOCS` shows them, and as people read them. It must never say anything
//! that is not in the row.

use super::info::map;
use crate::command::Reply;
use crate::command::row::{Arg, ArgKind, Command};

/// A map from names to documentation.
pub(super) fn of(commands: impl Iterator<Item = &'static Command>) -> Reply {
    Reply::Map(commands.map(|command| (Reply::bulk(command.full_name), one(command))).collect())
}

fn one(command: &'static Command) -> Reply {
    let mut fields = vec![
        ("summary", Reply::bulk(command.summary)),
        ("since", Reply::bulk(command.since)),
        ("group", Reply::bulk(command.group)),
        ("complexity", Reply::bulk(command.complexity)),
    ];
    let flags = [(command.replaced.is_some(), "deprecated"), (command.is_internal, "syscmd")];
    if flags.iter().any(|&(set, _)| set) {
        let set = flags.iter().filter(|&&(set, _)| set).map(|&(_, name)| Reply::simple(name));
        fields.push(("doc_flags", Reply::Set(set.collect())));
    }
    if let Some((since, by)) = command.replaced {
        fields.push(("deprecated_since", Reply::bulk(since)));
        fields.push(("replaced_by", Reply::bulk(by)));
    }
    if !command.arguments.is_empty() {
        fields.push(("arguments", arguments(command.arguments)));
    }
    if !command.subcommands.is_empty() {
        fields.push(("subcommands", of(command.subcommands.iter())));
    }
    map(fields)
}

fn arguments(args: &'static [Arg]) -> Reply {
    Reply::Array(args.iter().map(argument).collect())
}

fn argument(arg: &'static Arg) -> Reply {
    let mut fields = vec![("name", Reply::bulk(arg.name)), ("type", Reply::bulk(arg.kind.name()))];
    if arg.kind == ArgKind::Key || arg.key_spec > 0 {
        fields.push(("key_spec_index", Reply::Int(i64::from(arg.key_spec))));
    }
    if !arg.token.is_empty() {
        fields.push(("token", Reply::bulk(arg.token)));
    }
    let flags = [(arg.optional, "optional"), (arg.multiple, "multiple"), (arg.token_again, "multiple_token")];
    if flags.iter().any(|&(set, _)| set) {
        let set = flags.iter().filter(|&&(set, _)| set).map(|&(_, name)| Reply::simple(name));
        fields.push(("flags", Reply::Set(set.collect())));
    }
    if !arg.parts.is_empty() {
        fields.push(("arguments", arguments(arg.parts)));
    }
    map(fields)
}

/// Arguments as a line: `key value [NX | XX] [EX seconds]`.
pub(crate) fn syntax(args: &[Arg]) -> String {
    args.iter().map(syntax_of).collect::<Vec<_>>().join(" ")
}

fn syntax_of(arg: &Arg) -> String {
    let parts: Vec<String> = arg.parts.iter().map(syntax_of).collect();
    let body = match arg.kind {
        ArgKind::PureToken => String::new(),
        ArgKind::OneOf if arg.optional && arg.token.is_empty() => parts.join(" | "),
        ArgKind::OneOf => format!("<{}>", parts.join(" | ")),
        ArgKind::Block => parts.join(" "),
        _ => arg.name.to_string(),
    };
    let text =
        [arg.token, &body].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ");
    match (arg.optional, arg.multiple) {
        (false, false) => text,
        (false, true) => format!("{text} [{text} ...]"),
        (true, false) => format!("[{text}]"),
        (true, true) => format!("[{text} ...]"),
    }
}
