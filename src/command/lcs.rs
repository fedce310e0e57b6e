//! LCS: the longest common subsequence of two strings, by the table of the lengths of those of
//! their beginnings (Wagner and Fischer). It must walk back through the table as Redis does:
//! there may be several longest ones.

use super::context::{Outcome, reply};
use super::parse::{SYNTAX, integer, is};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::typed::string_of;
use super::{ReadContext, Reply};
use crate::keyspace::Blob;
use crate::limits::MAX_BULK_BYTES;
use crate::wire::units::Args;

pub(super) static LCS: Command = Command {
    categories: &[Category::String],
    keys: &[KeySpec { last: 1, ..KeySpec::one(&["RO", "access"]) }],
    since: "7.0.0",
    group: "string",
    summary: "Finds the longest common subsequence of two strings, its length, or where it is in both",
    complexity: "O(N*M) of the lengths of the two strings",
    arguments: &[
        Arg::new("key1", ArgKind::Key),
        Arg::new("key2", ArgKind::Key),
        Arg::word("len", "LEN").optional(),
        Arg::word("idx", "IDX").optional(),
        Arg::new("len", ArgKind::Integer).after("MINMATCHLEN").optional(),
        Arg::word("withmatchlen", "WITHMATCHLEN").optional(),
    ],
    ..Command::new("lcs", -3, Flags::READONLY, Handler::Read(|context, args| reply(lcs(context, args))))
};

#[derive(Debug, Default)]
struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: i64,
}

impl Options {
    fn read(args: &[&[u8]]) -> Result<Self, Reply> {
        let mut options = Self::default();
        let mut rest = args.iter();
        while let Some(name) = rest.next() {
            if is(name, "IDX") {
                options.idx = true;
            } else if is(name, "LEN") {
                options.len = true;
            } else if is(name, "WITHMATCHLEN") {
                options.with_match_len = true;
            } else if let (true, Some(len)) = (is(name, "MINMATCHLEN"), rest.next()) {
                options.min_match_len = integer(len)?;
            } else {
                return Err(SYNTAX);
            }
        }
        if options.len && options.idx {
            let text = "ERR If you want both the length and indexes, please just use IDX.";
            return Err(Reply::error(text));
        }
        Ok(options)
    }
}

/// `at(i, j)`: the length for the first `i` bytes of one string and `j` of the other.
struct Lengths {
    table: Vec<u32>,
    width: usize,
}

impl Lengths {
    fn new(a: &[u8], b: &[u8]) -> Self {
        let width = b.len() + 1;
        let mut table = vec![0u32; (a.len() + 1) * width];
        for (i, x) in a.iter().enumerate() {
            let (above, row) = table[i * width..(i + 2) * width].split_at_mut(width);
            for (j, y) in b.iter().enumerate() {
                row[j + 1] = if x == y { above[j] + 1 } else { above[j + 1].max(row[j]) };
            }
        }
        Self { table, width }
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.table[i * self.width + j]
    }
}

/// The same bytes in both strings: where they begin, and how many they are.
#[derive(Debug, Clone, Copy)]
struct Match {
    a: usize,
    b: usize,
    len: usize,
}

fn lcs(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let (a, b) = (context.get(args[1]), context.get(args[2]));
    let blob = |item| match string_of(item) {
        Ok(value) => Ok(value.map_or(Blob::new(b""), |value| value.to_blob())),
        Err(_) => Err(Reply::error("ERR The specified keys must contain string values")),
    };
    let (a, b) = (blob(a)?, blob(b)?);
    let options = Options::read(&args[3..])?;
    if (a.len() + 1).saturating_mul(b.len() + 1).saturating_mul(size_of::<u32>()) > MAX_BULK_BYTES {
        let text = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len";
        return Err(Reply::error(text));
    }
    let lengths = Lengths::new(&a, &b);
    let len = Reply::Int(i64::from(lengths.at(a.len(), b.len())));
    if options.len {
        return Ok(len);
    }
    let matches = matches(&a, &b, &lengths);
    if !options.idx {
        let parts = matches.iter().rev().map(|found| &a[found.a..found.a + found.len]);
        return Ok(Reply::bulk(parts.collect::<Vec<_>>().concat()));
    }
    let wanted = matches.iter().filter(|found| found.len as i64 >= options.min_match_len);
    let shown = wanted.map(|found| show(found, options.with_match_len)).collect();
    Ok(Reply::Map(vec![(Reply::bulk("matches"), Reply::Array(shown)), (Reply::bulk("len"), len)]))
}

/// What is common, from the end to the beginning.
fn matches(a: &[u8], b: &[u8], lengths: &Lengths) -> Vec<Match> {
    let mut found: Vec<Match> = Vec::new();
    let (mut i, mut j) = (a.len(), b.len());
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            (i, j) = (i - 1, j - 1);
            match found.last_mut() {
                Some(last) if last.a == i + 1 && last.b == j + 1 => {
                    *last = Match { a: i, b: j, len: last.len + 1 }
                }
                _ => found.push(Match { a: i, b: j, len: 1 }),
            }
        } else if lengths.at(i - 1, j) > lengths.at(i, j - 1) {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    found
}

fn show(found: &Match, with_len: bool) -> Reply {
    let range = |start: usize| {
        Reply::Array(vec![Reply::Int(start as i64), Reply::Int((start + found.len - 1) as i64)])
    };
    let mut parts = vec![range(found.a), range(found.b)];
    parts.extend(with_len.then_some(Reply::Int(found.len as i64)));
    Reply::Array(parts)
}
