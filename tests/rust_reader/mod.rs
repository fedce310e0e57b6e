//! Reads Rust as far as the rules of tests/tidy.rs need it: which paths does a file name,
//! outside of comments, strings and unit tests? Knows no types and no macros.

use std::collections::BTreeSet;

/// The code with comments, strings and characters blanked out; lines stay where they are.
pub fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = match rest {
            [b'/', b'/', ..] => rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => block_comment(rest),
            [b'"', ..] => quoted(rest, b'"'),
            [b'r', b'"' | b'#', ..] if !follows_word(bytes, at) => raw_string(rest),
            [b'\'', b'\\', ..] => quoted(rest, b'\''),
            [b'\'', ..] => character(&text[at..]),
            _ => 0,
        };
        if length == 0 {
            code.push(if rest[0].is_ascii() { char::from(rest[0]) } else { ' ' });
            at += 1;
        } else {
            code.extend(rest[..length].iter().map(|b| if *b == b'\n' { '\n' } else { ' ' }));
            at += length;
        }
    }
    code
}

/// Whether the `r` at `at` ends a word instead of beginning a raw string (`br"..."` does begin one).
fn follows_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() && bytes[at - 1] != b'b' || bytes[at - 1] == b'_')
}

/// Length of a block comment, which may hold others.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], end: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != end {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Length of `r#"..."#`; 0 for a raw identifier.
fn raw_string(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let body = 2 + hashes;
    let found = rest[body..].windows(end.len()).position(|window| window == end);
    found.map_or(rest.len(), |at| body + at + end.len())
}

/// Length of a character in quotes; 0 for a lifetime.
fn character(rest: &str) -> usize {
    match rest.char_indices().nth(2) {
        Some((at, '\'')) => at + 1,
        _ => 0,
    }
}

/// The code without its unit tests, which come last in a file.
pub fn without_tests(code: &str) -> &str {
    const MARK: &str = "#[cfg(test)]";
    for (at, _) in code.match_indices(MARK) {
        let after = code[at + MARK.len()..].trim_start();
        let header = &after[..after.find(['{', ';']).map_or(after.len(), |end| end + 1)];
        if header.starts_with("mod ") && header.ends_with('{') {
            return &code[..at];
        }
    }
    code
}

/// Every path of at least two names in `code`, and everything in a `use`, trees spread out.
pub fn paths(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = code;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
        rest = &rest[at..];
        let word = &rest[..rest.find(|c: char| !is_path(c)).unwrap_or(rest.len())];
        // `impl Trait + use<'a>` names what a type borrows, not a path.
        if word == "use" && !rest[word.len()..].starts_with('<') {
            let end = rest.find(';').unwrap_or(rest.len());
            spread("", &rest[word.len()..end], &mut found);
            rest = &rest[end..];
        } else {
            if word.contains("::") {
                found.insert(word.trim_end_matches(':').to_owned());
            }
            rest = &rest[word.len()..];
        }
    }
    found
}

fn is_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn spread(prefix: &str, tree: &str, found: &mut BTreeSet<String>) {
    let Some(open) = tree.find('{') else {
        let name = tree.split(" as ").next().unwrap_or(tree).trim().trim_start_matches("::");
        found.insert(format!("{prefix}{name}"));
        return;
    };
    let prefix = format!("{prefix}{}", tree[..open].trim());
    let inner = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[start..at].trim().is_empty() {
                    spread(&prefix, &inner[start..at], found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The crate's module that `path`, written in `module`, leads to, when it leads to one.
pub fn target<'a>(path: &'a str, module: &[String]) -> Option<&'a str> {
    let mut names = path.split("::");
    let ups = path.split("::").take_while(|name| *name == "super").count();
    match path.split("::").next() {
        Some("crate") => names.nth(1),
        Some("super") if ups >= module.len() => names.nth(ups),
        _ => None,
    }
}

#[test]
fn the_reader_reads() {
    let text = r##"
        use crate::{wire::{self, entry}, group as g}; // use crate::no;
        pub use std::{fs, io::{Read, Write}};
        fn f<'a>(x: &'a str) { let c = '"'; super::super::node::run('\'', "crate::no", r#"a"crate::no"#); }
        /* std::no /* nested */ std::no */ let t = tokio::time::Instant::now();
        fn g(&self) -> impl Sized + use<> { 1 }
        #[cfg(test)]
        mod tests { use crate::no; }
    "##;
    let code = code_of(text);
    let found = paths(without_tests(&code));
    let expected = "crate::group crate::wire::entry crate::wire::self std::fs std::io::Read std::io::Write \
                    super::super::node::run tokio::time::Instant::now";
    assert_eq!(found.into_iter().collect::<Vec<_>>().join(" "), expected);
    let place = ["server".to_owned(), "accept".to_owned()];
    assert_eq!(target("super::super::node::run", &place), Some("node"));
    assert_eq!(target("super::node::run", &place), None);
    assert_eq!(target("crate::wire", &place), Some("wire"));
}
