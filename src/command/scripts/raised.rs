//! [`Raised`]: an error on its way through Lua. Scripts never see one as such: whoever catches it gets
//! what Redis would have raised, a table or a text.

use mlua::{Error, Lua, Value};

/// See the module.
#[derive(Debug, Clone)]
pub(super) enum Raised {
    /// A table with `err`: what a command answered, or why it was not carried out.
    Reply(String),
    /// A text.
    Text(String),
    /// The end of the script, whatever it catches.
    End,
}

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reply(text) | Self::Text(text) => f.write_str(text),
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
    let place = lua.inspect_stack(1, |debug| {
        let source = debug.source();
        let line = debug.current_line().filter(|_| source.what != "C")?;
        Some(format!("{}:{line}: ", source.short_src.as_deref().unwrap_or("?")))
    });
    Raised::Text(format!("{}{text}", place.flatten().unwrap_or_default())).into()
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

/// What of ours is in an error, if anything.
pub(super) fn of(error: &Error) -> Option<&Raised> {
    error.chain().find_map(|cause| cause.downcast_ref::<Raised>())
}

/// Whether memory was not enough.
pub(super) fn is_out_of_memory(error: &Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref::<Error>(), Some(Error::MemoryError(_))))
}
