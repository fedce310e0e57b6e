//! Scripts that say of themselves that they write nothing (`#!lua flags=no-writes`) take the way of reads, although `EVAL`
//! and `EVALSHA` stand in the log. A text that the state does not have yet is none of them: it is to be kept, which takes an
//! entry. What a text says does not change, so it does not matter how old the state is that is asked.

use super::rows::{BY_SHA, BY_TEXT, EVAL_ROW, EVALSHA_ROW};
use super::shebang::{self, ScriptFlags};
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
    /// The row by which a call of a row that stands in the log may be a read instead.
    pub fn reading(&self, row: &Command, call: &Args<'_>) -> Option<&'static Command> {
        let (sha, reading) = match row.full_name {
            "eval" if call[1].starts_with(b"#!") => (sha_of(call[1]), &EVAL),
            "evalsha" => (unhex(call[1])?, &EVALSHA),
            _ => return None,
        };
        self.cache.get(&sha).filter(|script| script.flags.writes_not()).map(|_| reading)
    }

    /// Whether what this calls, as far as the state knows it, says that it writes nothing: whoever holds back writes lets
    /// it pass.
    pub fn says_it_writes_nothing(&self, row: &Command, call: &[&[u8]]) -> bool {
        let flags = match (row.full_name, call.get(1)) {
            ("eval", Some(text)) => shebang::of_script(text).ok().map(|(flags, _)| flags),
            ("evalsha", Some(sha)) => {
                unhex(sha).and_then(|sha| self.cache.get(&sha)).map(|script| script.flags)
            }
            ("fcall", Some(name)) => self.libraries.function(name).map(|(_, function, _)| function.flags),
            _ => None,
        };
        flags.is_some_and(ScriptFlags::writes_not)
    }
}
