//! Users as messages of a snapshot, and back. Commands are written by name, so that a version with
//! other commands reads what was meant. Nothing that is read here must be trusted to fit.

use super::Acl;
use super::known::{self, CommandSet};
use super::selector::{KeyPattern, Selector};
use super::user::User;
use crate::wire::proto::snapshot as proto;
use protobuf::Message as _;

impl Acl {
    /// All users.
    pub fn to_snapshot(&self) -> Vec<proto::User> {
        self.users().map(message).collect()
    }

    /// Puts back what [`Acl::to_snapshot`] gave; a snapshot without users is of a cluster that
    /// had none but the one that may do everything.
    pub fn from_snapshot(users: &[proto::User]) -> Self {
        let mut acl = Self::default();
        users.iter().for_each(|user| acl.put(read(user)));
        acl
    }
}

/// Of all that the user is.
pub(super) fn hash(user: &User) -> u32 {
    let bytes = message(user).write_to_bytes();
    crc32c::crc32c(&bytes.expect("writing a message without required fields to memory cannot fail"))
}

fn message(user: &User) -> proto::User {
    let mut out = proto::User::new();
    out.set_name(user.name.clone());
    out.set_enabled(user.enabled);
    out.set_no_password(user.no_password);
    out.set_sanitize(match user.sanitize {
        None => proto::Sanitize::UNSAID,
        Some(true) => proto::Sanitize::YES,
        Some(false) => proto::Sanitize::SKIP,
    });
    out.set_passwords(user.passwords.iter().cloned().collect());
    out.set_selectors(user.all_selectors().map(selector_message).collect());
    out
}

fn selector_message(selector: &Selector) -> proto::Selector {
    let mut out = proto::Selector::new();
    out.set_future(selector.commands.future);
    out.set_exceptions(selector.commands.exceptions().map(str::to_owned).collect());
    for (place, args) in &selector.first_args {
        let mut first_args = proto::FirstArgs::new();
        first_args.set_command(known::all()[usize::from(*place)].name.to_owned());
        first_args.set_args(args.iter().cloned().collect());
        out.mut_first_args().push(first_args);
    }
    out.set_all_keys(selector.all_keys);
    for known in &selector.patterns {
        let mut pattern = proto::KeyPattern::new();
        pattern.set_pattern(known.pattern.clone());
        pattern.set_read(known.read);
        pattern.set_write(known.write);
        out.mut_patterns().push(pattern);
    }
    out.set_all_channels(selector.all_channels);
    out.set_channels(selector.channels.iter().cloned().collect());
    out
}

fn read(user: &proto::User) -> User {
    let mut selectors = user.get_selectors().iter().map(read_selector);
    User {
        name: user.get_name().to_vec(),
        enabled: user.get_enabled(),
        no_password: user.get_no_password(),
        sanitize: match user.get_sanitize() {
            proto::Sanitize::UNSAID => None,
            proto::Sanitize::YES => Some(true),
            proto::Sanitize::SKIP => Some(false),
        },
        passwords: user.get_passwords().to_vec(),
        root: selectors.next().unwrap_or_default(),
        selectors: selectors.collect(),
    }
}

fn read_selector(selector: &proto::Selector) -> Selector {
    let exceptions = selector.get_exceptions().iter().map(String::as_str);
    let first_args = selector.get_first_args().iter().filter_map(|first_args| {
        Some((known::place(first_args.get_command())?, first_args.get_args().to_vec()))
    });
    let pattern = |pattern: &proto::KeyPattern| KeyPattern {
        pattern: pattern.get_pattern().to_vec(),
        read: pattern.get_read(),
        write: pattern.get_write(),
    };
    Selector {
        commands: CommandSet::from_exceptions(selector.get_future(), exceptions),
        first_args: first_args.collect(),
        all_keys: selector.get_all_keys(),
        patterns: selector.get_patterns().iter().map(pattern).collect(),
        all_channels: selector.get_all_channels(),
        channels: selector.get_channels().to_vec(),
    }
}
