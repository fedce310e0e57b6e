//! [`Acl`]: the users of the cluster, which are part of the replicated state, and the rules that say
//! what each may do. Whoever serves connections asks here; a plain password must never come this
//! far in what is replicated.

mod check;
mod describe;
mod known;
mod rows;
mod rules;
mod selector;
mod snapshot;
#[cfg(test)]
mod tests;
mod user;

pub(super) use rows::ACL;

pub use check::Denied;
pub use rows::{AclCommand, too_many as acl_too_many};
pub use user::{User, hash_password};

use super::Reply;
use crate::keyspace::{Blob, UserChange};
use crate::limits;
use rules::{RuleError, has_spaces};
use std::collections::BTreeMap;
use std::sync::Arc;

const DEFAULT: &[u8] = b"default";

/// See the module.
#[derive(Debug)]
pub struct Acl {
    /// Each with a hash of all that it is.
    users: BTreeMap<Vec<u8>, (Arc<User>, u32)>,
    size_bytes: usize,
}

impl Default for Acl {
    /// One user, `default`, who may do everything without a password.
    fn default() -> Self {
        let mut acl = Self { users: BTreeMap::new(), size_bytes: 0 };
        acl.put(User::default_user());
        acl
    }
}

impl Acl {
    /// The user of that name.
    pub fn user(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.users.get(name).map(|(user, _)| user)
    }

    /// Who is whoever has not logged in.
    pub fn default_user(&self) -> &Arc<User> {
        self.user(DEFAULT).expect("the user default is never removed")
    }

    /// By name.
    pub(super) fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values().map(|(user, _)| &**user)
    }

    /// The user, if the password of this hash opens it.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<&Arc<User>> {
        self.user(name).filter(|user| user.admits(&hash_password(password)))
    }

    /// Equal on all replicas at equal applied indexes.
    pub fn state_hash(&self) -> u64 {
        let mix =
            |hash: u64, one: u32| (hash ^ u64::from(one)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        self.users.values().fold(0, |hash, (_, one)| mix(hash, *one))
    }

    /// The password of `default` from now on, as its hash; None: none is needed.
    pub fn set_default_password(&mut self, hash: Option<&str>) {
        let mut user = User::clone(self.default_user());
        let rule = hash.map_or("nopass".to_owned(), |hash| format!("#{hash}"));
        if user.apply(b"resetpass", false).is_ok() && user.apply(rule.as_bytes(), false).is_ok() {
            self.put(user);
        }
    }

    fn put(&mut self, user: User) {
        let hash = snapshot::hash(&user);
        self.size_bytes += user.size_bytes();
        if let Some((old, _)) = self.users.insert(user.name.clone(), (Arc::new(user), hash)) {
            self.size_bytes -= old.size_bytes();
        }
    }

    /// Creates or changes a user: by all rules, or not at all. `all_channels` is what
    /// `acl-pubsub-default` gives to new ones.
    fn set_user(&mut self, name: &[u8], rules: &[&[u8]], all_channels: bool) -> Result<UserChange, Reply> {
        let old = self.user(name).cloned();
        let mut user = match &old {
            Some(old) => User::clone(old),
            None => User::new(name, all_channels),
        };
        apply_all(&mut user, rules, all_channels, |_| false)?;
        let size_bytes = self.size_bytes - old.as_ref().map_or(0, |old| old.size_bytes());
        if (old.is_none() && self.users.len() >= limits::MAX_USERS)
            || size_bytes + user.size_bytes() > limits::MAX_USERS_BYTES
        {
            return Err(Reply::error("ERR there are too many users, or rules of users"));
        }
        let lost = old.and_then(|old| channels_after_loss(&old, &user));
        self.put(user);
        Ok(UserChange::Changed { channels: lost })
    }

    fn delete(&mut self, name: &[u8]) -> bool {
        let Some((user, _)) = self.users.remove(name) else { return false };
        self.size_bytes -= user.size_bytes();
        true
    }
}

/// Whether a call of `ACL SETUSER` could be carried out for some user: what is wrong with it,
/// whoever the user may be, is said before it is written anywhere.
pub fn check_rules(call: &[&[u8]]) -> Result<(), Reply> {
    let (name, rules) = (call.get(2).copied().unwrap_or_default(), call.get(3..).unwrap_or_default());
    check_name(name)?;
    apply_all(&mut User::new(name, false), rules, false, RuleError::depends_on_user)
}

fn check_name(name: &[u8]) -> Result<(), Reply> {
    match has_spaces(name) {
        true => Err(Reply::error("ERR Usernames can't contain spaces or null characters")),
        false => Ok(()),
    }
}

/// `but_for` says which errors are passed over.
fn apply_all(
    user: &mut User,
    rules: &[&[u8]],
    all_channels: bool,
    but_for: impl Fn(RuleError) -> bool,
) -> Result<(), Reply> {
    let shown = |text: &[u8]| String::from_utf8_lossy(super::parse::c_string(text, usize::MAX)).into_owned();
    let merged = rules::merged(rules).map_err(|start| {
        let start = shown(start);
        Reply::error_owned(format!("ERR Unmatched parenthesis in acl selector starting at '{start}'."))
    })?;
    for rule in merged {
        match user.apply(&rule, all_channels) {
            Err(error) if !but_for(error) => {
                let (rule, text) = (shown(&rule), error.text());
                return Err(Reply::error_owned(format!(
                    "ERR Error in ACL SETUSER modifier '{rule}': {text}"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What is left to listen to, if some of it was taken away.
fn channels_after_loss(old: &User, new: &User) -> Option<Vec<Blob>> {
    if new.all_selectors().any(|selector| selector.all_channels) {
        return None;
    }
    let left = || new.all_selectors().flat_map(|selector| &selector.channels);
    let kept = |channel: &Vec<u8>| left().any(|other| other == channel);
    let keeps_all =
        |selector: &selector::Selector| !selector.all_channels && selector.channels.iter().all(kept);
    match old.all_selectors().all(keeps_all) {
        true => None,
        false => Some(left().map(|channel| Blob::new(channel)).collect()),
    }
}

/// `ACL SETUSER` with hashes in place of passwords, if it has any: a plain one must never be written
/// anywhere.
pub fn without_passwords(call: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    let secret = |arg: &[u8]| matches!(arg.first(), Some(b'>' | b'<'));
    if !call.iter().skip(3).any(|arg| secret(arg)) {
        return None;
    }
    let hashed = |(at, arg): (usize, &&[u8])| match arg {
        [b'>', password @ ..] if at >= 3 => format!("#{}", hash_password(password)).into_bytes(),
        [b'<', password @ ..] if at >= 3 => format!("!{}", hash_password(password)).into_bytes(),
        arg => arg.to_vec(),
    };
    Some(call.iter().enumerate().map(hashed).collect())
}

/// A value of `requirepass` as it goes to the log: the hash of the password, or nothing. What `CONFIG
/// GET` shows, `#` and the hash, is taken for what it is.
pub fn requirepass(value: &str) -> String {
    match value.strip_prefix('#') {
        _ if value.is_empty() => String::new(),
        Some(hash) if is_hash_or_empty(hash.as_bytes()) && !hash.is_empty() => hash.to_owned(),
        _ => hash_password(value.as_bytes()),
    }
}

/// The value of `requirepass` that makes `default` what it is: not the password, which nobody knows.
pub fn shown_requirepass(acl: &Acl) -> String {
    let user = acl.default_user();
    user.passwords.first().filter(|_| !user.no_password).map_or(String::new(), |hash| format!("#{hash}"))
}

pub(super) fn is_hash_or_empty(value: &[u8]) -> bool {
    value.is_empty() || user::is_hash(value)
}
