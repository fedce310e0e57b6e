//! BITFIELD and BITFIELD_RO: strings as rows of numbers of any width. What numbers become when
//! they overflow is in `bitfield_ops`; a call must be read as a whole before it changes anything.

use super::bitfield_ops::{Overflow, Width};
use super::{CATEGORIES, bit_offset, with_bytes};
use crate::command::context::{Outcome, reply};
use crate::command::parse::{SYNTAX, c_string, integer, is, parse_i64};
use crate::command::ranges::change_bytes;
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::{ReadContext, Reply, WriteContext};
use crate::keyspace::{EventClass, Item};
use crate::wire::units::Args;

const ENCODING: Arg = Arg::new("encoding", ArgKind::String);
const OFFSET: Arg = Arg::new("offset", ArgKind::Integer);

const WRITE: Arg = Arg::block(
    "write",
    &[
        Arg::one_of(
            "wrap_sat_fail",
            &[Arg::word("wrap", "WRAP"), Arg::word("sat", "SAT"), Arg::word("fail", "FAIL")],
        )
        .after("OVERFLOW")
        .optional(),
        Arg::one_of(
            "write_operation",
            &[
                Arg::block("encoding_offset_value", &[ENCODING, OFFSET, Arg::new("value", ArgKind::Integer)])
                    .after("SET"),
                Arg::block(
                    "encoding_offset_increment",
                    &[ENCODING, OFFSET, Arg::new("increment", ArgKind::Integer)],
                )
                .after("INCRBY"),
            ],
        ),
    ],
);

pub(in crate::command) static BITFIELD: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec {
        notes: "This command allows both access and modification of the key",
        ..KeySpec::one(&["RW", "access", "update", "variable_flags"])
    }],
    since: "3.2.0",
    group: "bitmap",
    summary: "Reads and changes numbers of any width within a string",
    complexity: "O(1) for each operation",
    arguments: &[
        Arg::KEY,
        Arg::one_of("operation", &[Arg::block("encoding_offset", &[ENCODING, OFFSET]).after("GET"), WRITE])
            .optional()
            .multiple(),
    ],
    ..Command::new(
        "bitfield",
        -2,
        Flags::WRITE.and(Flags::DENYOOM),
        Handler::Write(|context, args| reply(bitfield(context, args))),
    )
};

pub(in crate::command) static BITFIELD_RO: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RO", "access"])],
    since: "6.0.0",
    group: "bitmap",
    summary: "Reads numbers of any width within a string",
    complexity: "O(1) for each operation",
    arguments: &[
        Arg::KEY,
        Arg::block("encoding_offset", &[ENCODING, OFFSET]).after("GET").optional().repeated(),
    ],
    ..Command::new(
        "bitfield_ro",
        -2,
        Flags::READONLY.and(Flags::FAST),
        Handler::Read(|context, args| reply(bitfield_ro(context, args))),
    )
};

#[derive(Debug, Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Increment(i64),
}

#[derive(Debug, Clone, Copy)]
struct Operation {
    action: Action,
    width: Width,
    offset: u64,
    overflow: Overflow,
}

impl Operation {
    /// All operations of a call.
    fn read_all(args: &[&[u8]]) -> Result<Vec<Self>, Reply> {
        let (mut operations, mut overflow, mut rest) = (Vec::new(), Overflow::Wrap, args);
        while let Some(name) = rest.first() {
            let taken = match rest.len() - 1 {
                2.. if is(name, "GET") => 3,
                3.. if is(name, "SET") || is(name, "INCRBY") => 4,
                1.. if is(name, "OVERFLOW") => 2,
                _ => return Err(SYNTAX),
            };
            if taken == 2 {
                overflow = read_overflow(rest[1])?;
            } else {
                operations.push(Self::read(&rest[..taken], overflow)?);
            }
            rest = &rest[taken..];
        }
        Ok(operations)
    }

    fn read(args: &[&[u8]], overflow: Overflow) -> Result<Self, Reply> {
        let width = read_width(args[1])?;
        let offset = bit_offset(args[2], Some(width.bits))?;
        let action = match args.get(3) {
            None => Action::Get,
            Some(number) if is(args[0], "SET") => Action::Set(integer(number)?),
            Some(number) => Action::Increment(integer(number)?),
        };
        Ok(Self { action, width, offset, overflow })
    }

    fn writes(&self) -> bool {
        !matches!(self.action, Action::Get)
    }

    /// Bytes that a string needs for it.
    fn end_bytes(&self) -> usize {
        ((self.offset + u64::from(self.width.bits) - 1) / 8 + 1) as usize
    }

    fn get(&self, bytes: &[u8]) -> i64 {
        self.width.get(bytes, self.offset)
    }

    /// Carries it out on a string that is long enough. What it answers, and whether it made a
    /// difference.
    fn run(&self, bytes: &mut [u8]) -> (Reply, bool) {
        let old = self.get(bytes);
        let (answer, new) = self.outcome(bytes);
        let Some(new) = new else { return (answer, false) };
        self.width.set(bytes, self.offset, new);
        (answer, new != old)
    }

    /// The answer, and what is to be written then.
    fn outcome(&self, bytes: &[u8]) -> (Reply, Option<i64>) {
        let old = self.get(bytes);
        let (new, answers_old) = match self.action {
            Action::Get => return (Reply::Int(old), None),
            Action::Set(value) => (self.width.fit(value, 0, self.overflow), true),
            Action::Increment(by) => (self.width.fit(old, by, self.overflow), false),
        };
        let Some(new) = new else { return (Reply::Nil, None) };
        (Reply::Int(if answers_old { old } else { new }), Some(new))
    }

    /// Whether these bytes stay as they are.
    fn leaves(&self, bytes: &[u8]) -> bool {
        self.outcome(bytes).1.is_none_or(|new| new == self.get(bytes))
    }
}

fn read_overflow(name: &[u8]) -> Result<Overflow, Reply> {
    match name {
        _ if is(name, "WRAP") => Ok(Overflow::Wrap),
        _ if is(name, "SAT") => Ok(Overflow::Saturate),
        _ if is(name, "FAIL") => Ok(Overflow::Fail),
        _ => Err(Reply::error("ERR Invalid OVERFLOW type specified")),
    }
}

/// `i1` to `i64`, or `u1` to `u63`.
fn read_width(text: &[u8]) -> Result<Width, Reply> {
    let (signed, digits, most) = match text {
        [b'i', digits @ ..] => (true, digits, 64),
        [b'u', digits @ ..] => (false, digits, 63),
        _ => (true, &[][..], 0),
    };
    match parse_i64(c_string(digits, usize::MAX)) {
        Some(bits) if (1..=most).contains(&bits) => Ok(Width { signed, bits: bits as u32 }),
        _ => Err(Reply::error(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        )),
    }
}

fn bitfield(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, operations) = (args[1], Operation::read_all(&args[2..])?);
    let len = operations.iter().filter(|operation| operation.writes()).map(Operation::end_bytes).max();
    let Some(len) = len else {
        let item = context.get(key);
        let is_missing = item.is_none();
        let answer = read(item, &operations)?;
        if is_missing {
            context.notify(EventClass::KeyMiss, "keymiss", key);
        }
        return Ok(answer);
    };
    let mut edit = context.edit(key);
    let grows = with_bytes(edit.item(), |bytes| bytes.len() < len)?;
    // When each alone would change nothing, all of them one after another do not.
    if !grows && with_bytes(edit.item(), |bytes| operations.iter().all(|it| it.leaves(bytes)))? {
        let answers = |bytes: &[u8]| operations.iter().map(|it| it.outcome(bytes).0).collect();
        return Ok(Reply::Array(with_bytes(edit.item(), answers)?));
    }
    let mut answers = Vec::with_capacity(operations.len());
    let mut changed = false;
    change_bytes(&mut edit, len, |bytes| {
        for operation in &operations {
            let (answer, differs) = operation.run(bytes);
            changed |= operation.writes() && (differs || grows && answer != Reply::Nil);
            answers.push(answer);
        }
    });
    if changed {
        context.notify(EventClass::String, "setbit", key);
    }
    Ok(Reply::Array(answers))
}

fn bitfield_ro(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let operations = Operation::read_all(&args[2..])?;
    if operations.iter().any(Operation::writes) {
        return Err(Reply::error("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read(context.get(args[1]), &operations)
}

fn read(item: Option<&Item>, operations: &[Operation]) -> Outcome {
    with_bytes(item, |bytes| {
        Reply::Array(operations.iter().map(|operation| Reply::Int(operation.get(bytes))).collect())
    })
}
