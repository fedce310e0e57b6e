//! Scripts that say of themselves that they write nothing (`#!lua flags=no-writes`) take the way of reads, although `EVAL`
//! and `EVALSHA` stand in the log. A text that the state does not have yet is none of them: it is to be kept, which takes an
//! entry. What a text says does not change, so it does not matter how old the state is that is asked.

use super::rows::{BY_SHA, BY_TEXT, EVAL_ROW, EVALSHA_ROW};
use super::shebang;
use super::{Scripts, eval, sha_of, unhex};
use crate::command::context::reply;
use crate::command::row::{Command, Handler};
use crate::wire::units::Args;

/// Not in the table.
static EVAL: Command =
    Command { handler: Handler::Read(|context, args| reply(eval::read(context, args, BY_TEXT))), ..EVAL_ROW };

/// Not in the table.
static EVALSHA: Command = Command {
    handler: Handler::Read(|context, args| reply(eval::read(context, args, BY_SHA))),
    ..EVALSHA_ROW
};

/// What is counted as the row of the table that has its name.
pub static READINGS: [&Command; 2] = [&EVAL, &EVALSHA];

impl Scripts {
    /// What is called says that it writes nothing, as far as the state knows it; then the row by which it may be read, if
    /// there is one.
    fn without_writes(&self, row: &Command, call: &[&[u8]]) -> Option<Option<&'static Command>> {
        let what = *call.get(1)?;
        let (flags, reading) = match row.full_name {
            "eval" if what.starts_with(b"#!") => match self.cache.get(&sha_of(what)) {
                Some(script) => (script.flags, Some(&EVAL)),
                None => (shebang::of_script(what).ok()?.0, None),
            },
            "evalsha" => (self.cache.get(&unhex(what)?)?.flags, Some(&EVALSHA)),
            "fcall" => (self.libraries.function(what)?.1.flags, None),
            _ => return None,
        };
        flags.writes_not().then_some(reading)
    }

    /// The row by which a call of a row that stands in the log may be a read instead.
    pub fn reading(&self, row: &Command, call: &Args<'_>) -> Option<&'static Command> {
        self.without_writes(row, call)?
    }

    /// Whether what this calls says that it writes nothing: whoever holds back writes lets it pass.
    pub fn says_it_writes_nothing(&self, row: &Command, call: &[&[u8]]) -> bool {
        self.without_writes(row, call).is_some()
    }
}
