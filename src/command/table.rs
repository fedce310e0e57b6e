//! The table of commands: every row once, and finding one by name. A name must never be
//! looked up in any other way.

mod rows;

use super::row::Command;
use rows::COMMANDS;

/// The longest name that has room in the index: longer ones, of which there are few, are looked for one by one.
const NAME_BYTES: usize = 16;

/// Names as numbers, so that a look-up compares once; open addressing.
const BUCKETS: usize = 512;
static INDEX: [([u64; 2], u16); BUCKETS] = index();

/// What no name packs to.
const NO_NAME: [u64; 2] = [0, 0];

/// A name's letters, in lower case, as numbers: zeros if it is empty or longer than any. Taken by
/// words that may overlap, for this is done for each command.
const fn pack(name: &[u8]) -> [u64; 2] {
    let len = name.len();
    match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => match len {
            8 => [lower(u64::from_le_bytes(*first)), 0],
            9..=NAME_BYTES => {
                let last = u64::from_le_bytes(*last) >> (8 * (NAME_BYTES - len));
                [lower(u64::from_le_bytes(*first)), lower(last)]
            }
            _ => NO_NAME,
        },
        _ => [lower(pack_short(name)), 0],
    }
}

/// Of fewer than eight letters.
const fn pack_short(name: &[u8]) -> u64 {
    let len = name.len();
    if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        let last = u32::from_le_bytes(*last) as u64;
        return u32::from_le_bytes(*first) as u64 | last << (8 * (len - 4));
    }
    match *name {
        [] => 0,
        [a] => a as u64,
        [a, b] => a as u64 | (b as u64) << 8,
        [a, b, c, ..] => a as u64 | (b as u64) << 8 | (c as u64) << 16,
    }
}

/// Eight letters in lower case.
const fn lower(letters: u64) -> u64 {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    let low = letters & each(0x7f);
    let (from_a, above_z) = (low + each(0x80 - b'A'), low + each(0x7f - b'Z'));
    let is_upper = from_a & !above_z & !letters & each(0x80);
    letters | is_upper >> 2 // 0x80 becomes 0x20
}

const fn bucket(packed: [u64; 2]) -> usize {
    let folded = packed[0] ^ packed[1].rotate_left(32);
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize % BUCKETS
}

const fn same(a: [u64; 2], b: [u64; 2]) -> bool {
    a[0] == b[0] && a[1] == b[1]
}

const fn index() -> [([u64; 2], u16); BUCKETS] {
    let mut index = [(NO_NAME, 0); BUCKETS];
    let mut i = 0;
    while i < COMMANDS.len() {
        let name = COMMANDS[i].name.as_bytes();
        assert!(!name.is_empty(), "a command without a name");
        if name.len() > NAME_BYTES {
            i += 1;
            continue;
        }
        let packed = pack(name);
        let mut at = bucket(packed);
        while !same(index[at].0, NO_NAME) {
            assert!(!same(index[at].0, packed), "two commands of one name");
            at = (at + 1) % BUCKETS;
        }
        index[at] = (packed, i as u16);
        i += 1;
    }
    index
}

/// The command of that name, in any case.
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    let packed = pack(name);
    let mut at = bucket(packed);
    loop {
        let (found, i) = INDEX[at];
        if same(found, packed) {
            // NULs behind it pack to the same number: only then do lengths differ.
            let is_name = !same(packed, NO_NAME);
            return Some(COMMANDS[usize::from(i)])
                .filter(|command| is_name && command.name.len() == name.len())
                .or_else(|| lookup_long(name));
        }
        if same(found, NO_NAME) {
            return None;
        }
        at = (at + 1) % BUCKETS;
    }
}

/// The command of a name that is too long for the index.
#[cold]
fn lookup_long(name: &[u8]) -> Option<&'static Command> {
    let is_long = name.len() > NAME_BYTES;
    commands().find(|command| is_long && command.name.as_bytes().eq_ignore_ascii_case(name))
}

/// All commands by name, without the subcommands.
pub fn commands() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().copied()
}

/// All rows: commands, each followed by its subcommands.
pub fn all() -> impl Iterator<Item = &'static Command> {
    commands().flat_map(|command| std::iter::once(command).chain(command.subcommands))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_in_any_case_and_nothing_else_is() {
        assert!(commands().map(|command| command.name).is_sorted());
        for command in commands() {
            let upper = command.name.to_ascii_uppercase();
            let mixed = upper[..1].to_string() + &command.name[1..];
            for name in [command.name, &upper, &mixed] {
                assert!(std::ptr::eq(lookup(name.as_bytes()).unwrap(), command), "{name}");
            }
            for wrong in
                [format!("{upper}x"), format!("{upper}\0"), upper[1..].to_string(), format!("{upper} ")]
            {
                assert!(
                    lookup(wrong.as_bytes()).is_none_or(|found| found.name == wrong.to_ascii_lowercase())
                );
            }
        }
        for name in [&b""[..], b"\0", b"nosuch", &[b'g'; 1000], &[0xff; 16]] {
            assert!(lookup(name).is_none());
        }
        for byte in 0..=u8::MAX {
            assert_eq!(lower(u64::from(byte)), u64::from(byte.to_ascii_lowercase()), "{byte}");
        }
    }

    #[test]
    fn rows_are_complete_and_sound() {
        for command in all() {
            let name = command.full_name;
            assert!(!command.summary.is_empty() && !command.complexity.is_empty(), "{name}");
            assert_ne!(command.arity, 0, "{name}");
            assert_eq!(command.name, name.rsplit('|').next().unwrap(), "{name}");
            assert_eq!(command.name, command.name.to_ascii_lowercase());
            let is_write = matches!(command.handler, super::super::Handler::Write(_));
            // What is published goes through the log, but changes no key; what administrators do, too.
            let is_admins = command.flags.has(super::super::Flags::ADMIN);
            let says_not = ["pubsub", "scripting"].contains(&command.group);
            let changes_no_key = is_write && (says_not || is_admins);
            // The server moves keys, by writes of its own.
            let writes = is_write || name == "migrate";
            assert_eq!(writes, command.flags.has(super::super::Flags::WRITE) || changes_no_key, "{name}");
            let is_read = matches!(command.handler, super::super::Handler::Read(_));
            let is_marked = !["acl|", "cluster|", "script|", "function|"]
                .iter()
                .any(|container| name.starts_with(container));
            assert_eq!(is_read && is_marked, command.flags.has(super::super::Flags::READONLY), "{name}");
            for subcommand in command.subcommands {
                assert!(subcommand.full_name.starts_with(&format!("{name}|")), "{}", subcommand.full_name);
            }
        }
    }
}
