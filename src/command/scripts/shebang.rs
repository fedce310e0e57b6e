//! The first line of a script or a library: `#!lua name=... flags=...`. Its errors are Redis's.

/// Flags of scripts and functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ScriptFlags(u8);

const NAMES: [&str; 5] = ["no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"];

impl ScriptFlags {
    pub(super) const NO_WRITES: Self = Self(1);
    pub(super) const ALLOW_OOM: Self = Self(2);
    /// None were said, so that Redis's older rules hold.
    pub(super) const UNSAID: Self = Self(128);

    pub(super) fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    /// Whether it says that it writes nothing.
    pub(super) fn writes_not(self) -> bool {
        !self.has(Self::UNSAID) && self.has(Self::NO_WRITES)
    }

    /// With the one of that name, if there is one.
    pub(super) fn with(self, name: &[u8]) -> Option<Self> {
        let at = NAMES.iter().position(|known| known.as_bytes() == name)?;
        Some(Self(self.0 | 1 << at))
    }

    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        (0..).zip(NAMES).filter(move |(at, _)| self.0 & 1 << at != 0).map(|(_, name)| name)
    }

    pub(super) fn bits(self) -> u8 {
        self.0
    }

    pub(super) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }
}

/// Whether there is a flag of that name.
pub(super) fn is_flag(name: &[u8]) -> bool {
    NAMES.iter().any(|known| known.as_bytes() == name)
}

/// The words of a line as Redis splits an inline command: some may be in quotes. None: a quote is open, or something
/// follows its end.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = line.iter().copied().peekable();
    let mut words = Vec::new();
    loop {
        while rest.next_if(|byte| is_space(*byte)).is_some() {}
        if rest.peek().is_none() {
            return Some(words);
        }
        let mut word = Vec::new();
        while let Some(byte) = rest.next_if(|byte| !is_space(*byte)) {
            if byte != b'"' && byte != b'\'' {
                word.push(byte);
                continue;
            }
            quoted(&mut rest, byte, &mut word)?;
            if rest.peek().is_some_and(|next| !is_space(*next)) {
                return None;
            }
            break;
        }
        words.push(word);
    }
}

/// As C's `isspace`.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b || byte == 0
}

/// What stands before the next `quote`.
fn quoted(rest: &mut impl Iterator<Item = u8>, quote: u8, word: &mut Vec<u8>) -> Option<()> {
    loop {
        match rest.next()? {
            byte if byte == quote => return Some(()),
            b'\\' if quote == b'"' => match rest.next()? {
                b'x' => {
                    let mut digit = || (rest.next()? as char).to_digit(16);
                    word.push((digit()? << 4 | digit()?) as u8);
                }
                b'n' => word.push(b'\n'),
                b'r' => word.push(b'\r'),
                b't' => word.push(b'\t'),
                b'b' => word.push(0x08),
                b'a' => word.push(0x07),
                other => word.push(other),
            },
            byte => word.push(byte),
        }
    }
}

/// What a script says of itself, and how many bytes of it are not Lua.
pub(super) fn of_script(text: &[u8]) -> Result<(ScriptFlags, usize), String> {
    if !text.starts_with(b"#!") {
        return Ok((ScriptFlags::UNSAID, 0));
    }
    let end = text.iter().position(|&b| b == b'\n').ok_or("Invalid script shebang")?;
    let words = words(&text[..end]).ok_or("Invalid engine in script shebang")?;
    let (engine, options) = words.split_first().ok_or("Invalid engine in script shebang")?;
    if engine != b"#!lua" {
        return Err(format!("Unexpected engine in script shebang: {}", String::from_utf8_lossy(engine)));
    }
    let mut flags = ScriptFlags::default();
    for option in options {
        let Some(list) = option.strip_prefix(&b"flags="[..]) else {
            return Err(format!("Unknown lua shebang option: {}", String::from_utf8_lossy(option)));
        };
        for name in list.split(|&b| b == b',').filter(|_| !list.is_empty()) {
            let unexpected =
                || format!("Unexpected flag in script shebang: {}", String::from_utf8_lossy(name));
            flags = flags.with(name).ok_or_else(unexpected)?;
        }
    }
    Ok((flags, end))
}

/// A library's name, and how many bytes of its text are not Lua.
pub(super) fn of_library(text: &[u8]) -> Result<(String, usize), String> {
    if !text.starts_with(b"#!") {
        return Err("Missing library metadata".into());
    }
    let end = text.iter().position(|&b| b == b'\n').ok_or("Invalid library metadata")?;
    let words = words(&text[..end]).ok_or("Invalid library metadata")?;
    let (engine, options) = words.split_first().ok_or("Invalid library metadata")?;
    let mut name = None;
    for option in options {
        let text = String::from_utf8_lossy(option);
        match text.get(..5).filter(|start| start.eq_ignore_ascii_case("name=")) {
            Some(_) if name.is_some() => {
                return Err("Invalid metadata value, name argument was given multiple times".into());
            }
            Some(_) => name = Some(text[5..].to_owned()),
            None => return Err(format!("Invalid metadata value given: {text}")),
        }
    }
    let name = name.ok_or("Library name was not given")?;
    if !is_name(name.as_bytes()) {
        return Err(BAD_NAME.into());
    }
    if !engine[2..].eq_ignore_ascii_case(b"lua") {
        return Err(format!("Engine '{}' not found", String::from_utf8_lossy(&engine[2..])));
    }
    Ok((name, end))
}

pub(super) const BAD_NAME: &str = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// Whether a library or a function may be called so.
pub(super) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'_')
}
