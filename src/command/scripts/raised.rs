//! [`Raised`]: an error on its way through Lua. Scripts never see one as such: whoever catches it gets
//! what Redis would have raised, a table or a text.

use super::vm::PRELUDE_NAME;
use mlua::{Error, Lua, Table, Value};

/// See the module.
#[derive(Debug, Clone)]
pub(super) enum Raised {
    /// A table with `err`: what a command answered, or why it was not carried out. It was counted as an error.
    Answer(String),
    /// The same of anything else.
    Reply(String),
    /// A text.
    Text(String),
    /// The end of the script, whatever it catches.
    End,
}

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answer(text) | Self::Reply(text) | Self::Text(text) => f.write_str(text),
            Self::End => f.write_str("the script was ended"),
        }
    }
}

impl std::error::Error for Raised {}

impl From<Raised> for Error {
    fn from(raised: Raised) -> Self {
        Error::external(raised)
    }
}

/// An error of a library's function, with the place in the script that called it.
pub(super) fn raise(lua: &Lua, text: impl std::fmt::Display) -> Error {
    let place = (1..MOST_LEVELS).find_map(|level| {
        let place = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let of_prelude = source.source.as_deref() == Some(PRELUDE_NAME) || source.what == "tail";
            let line = debug.current_line().filter(|_| source.what != "C");
            (!of_prelude)
                .then(|| line.map(|line| (source.short_src.as_deref().unwrap_or("?").to_owned(), line)))
        });
        place.map_or(Some(None), |place| place)
    });
    let place = place.flatten().map(|(source, line)| format!("{source}:{line}: "));
    Raised::Text(format!("{}{text}", place.unwrap_or_default())).into()
}

/// A text without the place that Lua's own functions name when the prelude has called them.
pub(super) fn without_prelude(text: &[u8]) -> &[u8] {
    let behind = text
        .strip_prefix(PRELUDE_NAME.trim_start_matches('=').as_bytes())
        .and_then(|rest| rest.strip_prefix(b":"));
    let Some(behind) = behind else { return text };
    let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
    behind[digits..].strip_prefix(b": ").filter(|_| digits > 0).unwrap_or(text)
}

/// Levels of the stack that are looked at.
const MOST_LEVELS: usize = 100;

/// Where in the script an error has happened: the innermost of its own functions.
pub(super) fn place(lua: &Lua) -> Option<(String, i64)> {
    for level in 1..MOST_LEVELS {
        let place = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let name = source.source.as_deref().unwrap_or_default().to_owned();
            let is_own = !["C", "tail"].contains(&source.what) && name != PRELUDE_NAME;
            is_own.then(|| (name, debug.current_line().map_or(-1, |line| line as i64)))
        })?;
        if place.is_some() {
            return place;
        }
    }
    None
}

/// What Redis makes of an error: the table that scripts catch. `text`: its code first if it begins with `-`.
pub(super) fn error_text(text: &str) -> String {
    let text = match text.strip_prefix('-') {
        Some(coded) if coded.contains(' ') => coded.to_owned(),
        Some(plain) => format!("ERR {plain}"),
        None => format!("ERR {text}"),
    };
    text.trim_end_matches(['\r', '\n']).to_owned()
}

/// The table of an error.
pub(super) fn error_table(lua: &Lua, text: &str) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set("err", text)?;
    Ok(Value::Table(table))
}

/// Of an error that was counted when its command ended: Redis's name.
pub(super) const COUNTED: &str = "ignore_error_stats_update";

/// The table of an error that a command answered.
pub(super) fn answer_table(lua: &Lua, text: &str) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(0, 2)?;
    table.raw_set("err", text)?;
    table.raw_set(COUNTED, true)?;
    Ok(Value::Table(table))
}

/// Whether it is one.
pub(super) fn is_answer(table: &Table) -> bool {
    matches!(table.raw_get(COUNTED), Ok(Value::Boolean(true)))
}

/// What of ours is in an error, if anything.
pub(super) fn of(error: &Error) -> Option<&Raised> {
    error.chain().find_map(|cause| cause.downcast_ref::<Raised>())
}

/// Whether memory was not enough.
pub(super) fn is_out_of_memory(error: &Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref::<Error>(), Some(Error::MemoryError(_))))
}
