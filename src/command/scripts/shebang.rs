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

fn words(line: &[u8]) -> Vec<&[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect()
}

/// What a script says of itself, and how many bytes of it are not Lua.
pub(super) fn of_script(text: &[u8]) -> Result<(ScriptFlags, usize), String> {
    if !text.starts_with(b"#!") {
        return Ok((ScriptFlags::UNSAID, 0));
    }
    let end = text.iter().position(|&b| b == b'\n').ok_or("Invalid script shebang")?;
    let words = words(&text[..end]);
    let Some((&b"#!lua", options)) = words.split_first() else {
        let engine = words.first().map(|word| String::from_utf8_lossy(word)).unwrap_or_default();
        return Err(format!("Unexpected engine in script shebang: {engine}"));
    };
    let mut flags = ScriptFlags::default();
    for option in options {
        let Some(list) = option.strip_prefix(b"flags=") else {
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
    let words = words(&text[..end]);
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
    if &engine[2..] != b"lua" {
        return Err(format!("Engine '{}' not found", String::from_utf8_lossy(&engine[2..])));
    }
    Ok((name, end))
}

pub(super) const BAD_NAME: &str = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// Whether a library or a function may be called so.
pub(super) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'_')
}
