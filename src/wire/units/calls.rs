//! Commands and transactions of clients as units: what nearly all units are. What they consist of
//! mostly, lengths of one byte, is written and read without the general way through a field.

use super::{
    COMMAND, Caller, Command, INLINE_ARGS, TRANSACTION, Transaction, UNIT, Watch, database, put_wrapped,
    sized,
};
use crate::wire::WireError;
use crate::wire::entry::{next_field, put_len_field, put_varint_field, varint_len};

const TAG_OF_UNIT: u8 = tag(UNIT);
const TAG_OF_COMMAND: u8 = tag(COMMAND);
const TAG_OF_ARG: u8 = tag(1); // Command.args
/// Lengths below take one byte, as those of nearly all commands do.
const ONE_BYTE_LEN: u8 = 0x80;

/// Of a field of bytes.
const fn tag(field: u32) -> u8 {
    (field << 3) as u8 | 2
}

pub(super) fn command_len(lens: impl Iterator<Item = usize>, db: u32) -> usize {
    let args: usize = lens.map(sized).sum();
    args + if db == 0 { 0 } else { 1 + varint_len(u64::from(db)) }
}

pub(super) fn put_command<'a>(out: &mut Vec<u8>, args: impl Iterator<Item = &'a [u8]>, db: u32) {
    for arg in args {
        put_len_field(out, 1, arg.len());
        out.extend_from_slice(arg);
    }
    if db != 0 {
        put_varint_field(out, 2, u64::from(db));
    }
}

/// Appends a command to a body.
pub fn put_command_unit(out: &mut Vec<u8>, args: &[&[u8]], db: u32) {
    put_call_unit(out, args.iter().map(|arg| arg.len()), args.iter().copied(), db);
}

/// The same, of arguments that need not be together; `lens` are theirs.
pub fn put_call_unit<'a>(
    out: &mut Vec<u8>,
    lens: impl Iterator<Item = usize>,
    args: impl Iterator<Item = &'a [u8]>,
    db: u32,
) {
    let len = command_len(lens, db);
    out.reserve(sized(sized(len)));
    if sized(len) < usize::from(ONE_BYTE_LEN) && db == 0 {
        out.extend_from_slice(&[tag(UNIT), sized(len) as u8, tag(COMMAND), len as u8]);
        for arg in args {
            out.extend_from_slice(&[TAG_OF_ARG, arg.len() as u8]);
            out.extend_from_slice(arg);
        }
        return;
    }
    put_len_field(out, UNIT, sized(len));
    put_len_field(out, COMMAND, len);
    put_command(out, args, db);
}

/// Appends a command that is judged for its caller.
pub fn put_caller_unit(out: &mut Vec<u8>, command: &Command<'_>) {
    let mut inner = Vec::new();
    put_whole(&mut inner, command);
    put_wrapped(out, COMMAND, &[&inner]);
}

fn put_whole(out: &mut Vec<u8>, command: &Command<'_>) {
    put_command(out, command.args.iter().copied(), command.db);
    if let Some(caller) = command.caller {
        put_len_field(out, 3, caller_len(&caller));
        if caller.lacks_memory {
            put_varint_field(out, 1, 1);
        }
        if let Some(user) = caller.user {
            put_len_field(out, 2, user.len());
            out.extend_from_slice(user);
        }
    }
}

fn caller_len(caller: &Caller<'_>) -> usize {
    caller.user.map_or(0, |user| sized(user.len())) + if caller.lacks_memory { 2 } else { 0 }
}

fn read_caller(mut bytes: &[u8]) -> Result<Caller<'_>, WireError> {
    let mut caller = Caller::default();
    while !bytes.is_empty() {
        match next_field(&mut bytes, "caller")? {
            (1, value) => caller.lacks_memory = value.varint("caller")? != 0,
            (2, value) => caller.user = Some(value.bytes("caller")?),
            _ => return Err(WireError::new("caller")),
        }
    }
    Ok(caller)
}

/// Appends a transaction to a body.
pub fn put_transaction_unit(out: &mut Vec<u8>, watches: &[Watch<'_>], commands: &[Command<'_>]) {
    let mut inner = Vec::new();
    for watch in watches {
        let mut bytes = Vec::with_capacity(watch.key.len() + 24);
        put_len_field(&mut bytes, 1, watch.key.len());
        bytes.extend_from_slice(watch.key);
        for (field, value) in [(2, watch.revision), (3, watch.seen_at), (4, u64::from(watch.db))] {
            if value != 0 {
                put_varint_field(&mut bytes, field, value);
            }
        }
        put_len_field(&mut inner, 1, bytes.len());
        inner.extend_from_slice(&bytes);
    }
    for command in commands {
        let caller = command.caller.map_or(0, |caller| sized(caller_len(&caller)));
        let len = command_len(command.args.iter().map(|arg| arg.len()), command.db) + caller;
        put_len_field(&mut inner, 2, len);
        put_whole(&mut inner, command);
    }
    put_wrapped(out, TRANSACTION, &[&inner]);
}

/// The command at the front of a body, if it and all of its arguments are short and few and its
/// database is 0; and what is behind it. None: it is to be read in the general way.
#[inline]
pub(super) fn read_short(body: &[u8]) -> Option<(Command<'_>, &[u8])> {
    let [TAG_OF_UNIT, unit_len @ ..ONE_BYTE_LEN, TAG_OF_COMMAND, len @ ..ONE_BYTE_LEN, rest @ ..] = body
    else {
        return None;
    };
    let (mut inner, rest) = rest.split_at_checked(usize::from(*len))?;
    if *unit_len != len + 2 {
        return None;
    }
    let mut command = Command::default();
    while let [TAG_OF_ARG, len @ ..ONE_BYTE_LEN, rest @ ..] = inner {
        let (arg, rest) = rest.split_at_checked(usize::from(*len))?;
        if command.args.len() == INLINE_ARGS {
            return None;
        }
        command.args.push(arg);
        inner = rest;
    }
    (inner.is_empty() && !command.args.is_empty()).then_some((command, rest))
}

/// The second argument of such a command, or the first key of a script; and what is behind the command. Whatever is
/// not of this shape may be given as something else than it is.
#[inline]
pub(super) fn peek_key(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let [TAG_OF_UNIT, unit_len @ ..ONE_BYTE_LEN, _, _, _, name_len @ ..ONE_BYTE_LEN, rest @ ..] = body else {
        return None;
    };
    let (name, rest) = rest.split_at_checked(usize::from(*name_len))?;
    let (key, rest) = peek_arg(rest)?;
    let is_script = name.len() >= 4 && SCRIPTS.iter().any(|script| name.eq_ignore_ascii_case(script));
    let behind = body.get(2 + usize::from(*unit_len)..)?;
    if is_script {
        let of_unit = rest.get(..rest.len().checked_sub(behind.len())?)?;
        let key_of_script = peek_arg(of_unit).and_then(|(_, rest)| peek_arg(rest));
        return Some((key_of_script.map_or(key, |(key, _)| key), behind));
    }
    Some((key, behind))
}

/// Commands whose first key stands behind a text and a number.
const SCRIPTS: [&[u8]; 3] = [b"EVAL", b"EVALSHA", b"FCALL"];

#[inline]
fn peek_arg(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let [TAG_OF_ARG, len @ ..ONE_BYTE_LEN, rest @ ..] = body else { return None };
    rest.split_at_checked(usize::from(*len))
}

pub(super) fn read_command(mut bytes: &[u8]) -> Result<Command<'_>, WireError> {
    let mut command = Command::default();
    while !bytes.is_empty() {
        match next_field(&mut bytes, "command")? {
            (1, value) => command.args.push(value.bytes("argument")?),
            (2, value) => {
                command.db = database(value.varint("database")?)?;
            }
            (3, value) => command.caller = Some(read_caller(value.bytes("caller")?)?),
            _ => return Err(WireError::new("command")),
        }
    }
    if command.args.is_empty() {
        return Err(WireError::new("command without a name"));
    }
    Ok(command)
}

pub(super) fn read_transaction(mut bytes: &[u8]) -> Result<Transaction<'_>, WireError> {
    let mut transaction = Transaction::default();
    while !bytes.is_empty() {
        match next_field(&mut bytes, "transaction")? {
            (1, value) => transaction.watches.push(read_watch(value.bytes("watch")?)?),
            (2, value) => transaction.commands.push(read_command(value.bytes("command")?)?),
            _ => return Err(WireError::new("transaction")),
        }
    }
    Ok(transaction)
}

fn read_watch(mut bytes: &[u8]) -> Result<Watch<'_>, WireError> {
    let mut watch = Watch::default();
    while !bytes.is_empty() {
        match next_field(&mut bytes, "watch")? {
            (1, value) => watch.key = value.bytes("watch")?,
            (2, value) => watch.revision = value.varint("watch")?,
            (3, value) => watch.seen_at = value.varint("watch")?,
            (4, value) => {
                watch.db = database(value.varint("watch")?)?;
            }
            _ => return Err(WireError::new("watch")),
        }
    }
    Ok(watch)
}
