//! [`Selector`]: one set of permissions (commands, keys, channels) of a user, and the rules that
//! change it. It must never grant what no rule granted.

use super::known::{self, CommandSet};
use super::rules::{RuleError, has_spaces};
use crate::command::row::Category;
use std::collections::BTreeMap;

/// Which keys, and what may be done to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyPattern {
    pub pattern: Vec<u8>,
    pub read: bool,
    pub write: bool,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    pub(super) commands: CommandSet,
    /// Of commands that are not allowed: with these first arguments they are.
    pub(super) first_args: BTreeMap<u16, Vec<Vec<u8>>>,
    pub(super) all_keys: bool,
    pub(super) patterns: Vec<KeyPattern>,
    pub(super) all_channels: bool,
    pub(super) channels: Vec<Vec<u8>>,
}

impl Selector {
    /// No permission but what `acl-pubsub-default` gives.
    pub(super) fn new(all_channels: bool) -> Self {
        Self { all_channels, ..Self::default() }
    }

    /// Of rules within parentheses, those taken off.
    pub(super) fn from_rules(rules: &[u8], all_channels: bool) -> Result<Self, RuleError> {
        let mut selector = Self::new(all_channels);
        for rule in rules.split(|byte| byte.is_ascii_whitespace()).filter(|rule| !rule.is_empty()) {
            selector.apply(rule)?;
        }
        Ok(selector)
    }

    /// Whether everything is allowed.
    pub(super) fn is_everything(&self) -> bool {
        self.all_keys && self.all_channels && self.commands.is_everything()
    }

    /// Changes it as one rule says.
    pub(super) fn apply(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"allkeys" | b"~*" => self.set_keys(true),
            b"resetkeys" => self.set_keys(false),
            b"allchannels" | b"&*" => self.set_channels(true),
            b"resetchannels" => self.set_channels(false),
            b"allcommands" | b"+@all" => self.set_commands(CommandSet::everything()),
            b"nocommands" | b"-@all" => self.set_commands(CommandSet::default()),
            _ => match rule {
                [b'~', pattern @ ..] => self.add_pattern(pattern, true, true)?,
                [b'%', rest @ ..] => {
                    let (pattern, read, write) = qualified(rest)?;
                    self.add_pattern(pattern, read, write)?;
                }
                [b'&', channel @ ..] => self.add_channel(channel)?,
                [sign @ (b'+' | b'-'), b'@', name @ ..] => {
                    let category = Category::named(name).ok_or(RuleError::Unknown)?;
                    let allowed = *sign == b'+';
                    self.commands.change_category(category, allowed);
                    let members = (0..).zip(known::all()).filter(|(_, known)| known.is_in(category));
                    members.for_each(|(place, _)| drop(self.first_args.remove(&place)));
                }
                [b'+', name @ ..] => self.allow(name)?,
                [b'-', name @ ..] => self.change(known::find(name).ok_or(RuleError::Unknown)?, false),
                _ => return Err(RuleError::Syntax),
            },
        }
        Ok(())
    }

    fn set_keys(&mut self, all: bool) {
        self.all_keys = all;
        self.patterns.clear();
    }

    fn set_channels(&mut self, all: bool) {
        self.all_channels = all;
        self.channels.clear();
    }

    fn set_commands(&mut self, commands: CommandSet) {
        self.commands = commands;
        self.first_args.clear();
    }

    fn change(&mut self, place: u16, allowed: bool) {
        self.commands.change(place, allowed);
        self.first_args.remove(&place);
    }

    fn add_pattern(&mut self, pattern: &[u8], read: bool, write: bool) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AllKeys);
        }
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        match self.patterns.iter_mut().find(|known| known.pattern == pattern) {
            Some(known) => {
                known.read |= read;
                known.write |= write;
            }
            None => self.patterns.push(KeyPattern { pattern: pattern.to_vec(), read, write }),
        }
        Ok(())
    }

    fn add_channel(&mut self, channel: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::AllChannels);
        }
        if has_spaces(channel) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|known| known == channel) {
            self.channels.push(channel.to_vec());
        }
        Ok(())
    }

    /// `+command`, `+container|subcommand`, `+command|first-argument`.
    fn allow(&mut self, name: &[u8]) -> Result<(), RuleError> {
        let Some(bar) = name.iter().rposition(|&byte| byte == b'|') else {
            self.change(known::find(name).ok_or(RuleError::Unknown)?, true);
            return Ok(());
        };
        let (command, first_arg) = (&name[..bar], &name[bar + 1..]);
        let place = known::find(command).ok_or(RuleError::Unknown)?;
        let known = &known::all()[usize::from(place)];
        if known.is_child {
            return Err(RuleError::FirstArgOfSubcommand);
        }
        if first_arg.is_empty() {
            return Err(RuleError::Syntax);
        }
        if !known.children.is_empty() {
            self.change(known::find(name).ok_or(RuleError::Unknown)?, true);
            return Ok(());
        }
        let args = self.first_args.entry(place).or_default();
        if !args.iter().any(|arg| arg.eq_ignore_ascii_case(first_arg)) {
            args.push(first_arg.to_vec());
        }
        Ok(())
    }
}

/// `RW~pattern`: letters and pattern.
fn qualified(rest: &[u8]) -> Result<(&[u8], bool, bool), RuleError> {
    let (mut read, mut write) = (false, false);
    for (at, byte) in rest.iter().enumerate() {
        match byte.to_ascii_uppercase() {
            b'R' if !read => read = true,
            b'W' if !write => write = true,
            b'~' if read || write => return Ok((&rest[at + 1..], read, write)),
            _ => return Err(RuleError::Syntax),
        }
    }
    // Redis takes letters without a pattern for the pattern of the empty key.
    if read || write { Ok((&[], read, write)) } else { Err(RuleError::Syntax) }
}
