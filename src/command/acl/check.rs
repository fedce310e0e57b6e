//! Whether a user may run a command: the command itself, then its keys, then its channels, as Redis
//! judges them. What is not granted must never be allowed, so whatever is not understood is denied.

use super::known;
use super::selector::Selector;
use super::user::User;
use crate::command::glob;
use crate::command::introspect::key_flags;
use crate::command::row::{Command, Flags};
use crate::command::{Reply, table};

/// Why a command may not be run. In the order in which Redis chooses what to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denied {
    /// The command itself.
    Command(&'static str),
    /// The key that this argument is.
    Key(usize),
    /// The channel that this argument is.
    Channel(usize),
}

/// What a channel is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channels {
    None,
    First,
    All,
    Patterns,
}

fn channels_of(row: &Command) -> Channels {
    match row.full_name {
        "publish" | "spublish" => Channels::First,
        "subscribe" | "ssubscribe" => Channels::All,
        "psubscribe" => Channels::Patterns,
        _ => Channels::None,
    }
}

impl User {
    /// Whether the user may make this call; of a command that runs another, both.
    pub fn check(&self, row: &'static Command, call: &[&[u8]]) -> Result<(), Denied> {
        let mut worst: Option<Denied> = None;
        for selector in self.all_selectors() {
            match selector.check(row, call) {
                Ok(()) => {
                    worst = None;
                    break;
                }
                Err(denied) => worst = worst.max(Some(denied)),
            }
        }
        if let Some(denied) = worst {
            return Err(denied);
        }
        if row.wraps == 0 {
            return Ok(());
        }
        let Some(inner) = call.get(row.wraps..).filter(|inner| !inner.is_empty()) else { return Ok(()) };
        let inner_row = table::lookup(inner[0]).and_then(|command| command.row_of(inner));
        let inner_row = inner_row.ok_or(Denied::Command(row.full_name))?;
        self.check(inner_row, inner).map_err(|denied| match denied {
            Denied::Command(name) => Denied::Command(name),
            Denied::Key(at) => Denied::Key(at + row.wraps),
            Denied::Channel(at) => Denied::Channel(at + row.wraps),
        })
    }

    /// Whether the user may listen to a channel, or to a pattern of channels.
    pub fn may_listen(&self, channel: &[u8], is_pattern: bool) -> bool {
        let allows = |selector: &Selector| selector.allows_channel(channel, is_pattern);
        self.all_selectors().any(allows)
    }

    /// The error of a `SORT` that looks at keys that its arguments do not name, for which it takes the right to
    /// read any key.
    pub fn sort_refusal(&self, row: &'static Command, call: &[&[u8]]) -> Option<Reply> {
        if !matches!(row.full_name, "sort" | "sort_ro") || self.may_read_all_keys(row, call) {
            return None;
        }
        let has = |name: &str, pattern: bool| {
            let mut pairs = call[2..].windows(2);
            pairs.any(|pair| {
                pair[0].eq_ignore_ascii_case(name.as_bytes()) && (!pattern || pair[1].contains(&b'*'))
            })
        };
        match () {
            () if has("BY", true) => {
                Some(Reply::error("ERR BY option of SORT denied due to insufficient ACL permissions"))
            }
            () if has("GET", false) => {
                Some(Reply::error("ERR GET option of SORT denied due to insufficient ACL permissions"))
            }
            () => None,
        }
    }

    fn may_read_all_keys(&self, row: &'static Command, call: &[&[u8]]) -> bool {
        let reads_all = |selector: &Selector| {
            selector.all_keys || selector.patterns.iter().any(|known| known.read && known.pattern == b"*")
        };
        self.all_selectors().any(|selector| selector.check(row, call).is_ok() && reads_all(selector))
    }
}

impl Selector {
    fn check(&self, row: &'static Command, call: &[&[u8]]) -> Result<(), Denied> {
        if !row.flags.has(Flags::NO_AUTH) && !self.allows_command(row, call) {
            return Err(Denied::Command(row.full_name));
        }
        if !self.all_keys {
            for (at, spec) in row.keys_of(call).filter(|(_, spec)| spec.is_key()) {
                if !self.allows_key(call[at], key_flags(spec, call)) {
                    return Err(Denied::Key(at));
                }
            }
        }
        let (channels, is_pattern) = match channels_of(row) {
            Channels::None => return Ok(()),
            Channels::First => (1..2.min(call.len()), false),
            Channels::All => (1..call.len(), false),
            Channels::Patterns => (1..call.len(), true),
        };
        for at in channels {
            if !self.allows_channel(call[at], is_pattern) {
                return Err(Denied::Channel(at));
            }
        }
        Ok(())
    }

    fn allows_command(&self, row: &Command, call: &[&[u8]]) -> bool {
        let Some(place) = known::place(row.full_name) else { return false };
        if self.commands.has(place) {
            return true;
        }
        let arg = call.get(1);
        let args = self.first_args.get(&place);
        args.is_some_and(|args| {
            arg.is_some_and(|arg| args.iter().any(|known| known.eq_ignore_ascii_case(arg)))
        })
    }

    fn allows_key(&self, key: &[u8], flags: &[&str]) -> bool {
        let reads = flags.contains(&"access");
        let writes = ["insert", "delete", "update"].iter().any(|flag| flags.contains(flag));
        let fits = self.patterns.iter().filter(|known| (known.read || !reads) && (known.write || !writes));
        fits.into_iter().any(|known| glob::matches(&known.pattern, key))
    }

    /// A pattern has to be granted as it is: what it would match is not known.
    pub(super) fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.all_channels
            || self.channels.iter().any(|known| match is_pattern {
                true => known == channel,
                false => glob::matches(known, channel),
            })
    }
}
