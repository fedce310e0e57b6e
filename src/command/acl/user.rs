//! [`User`]: who may log in, with which passwords, and what the user may do then. A password must
//! never stand here but as its SHA-256.

use super::rules::RuleError;
use super::selector::Selector;
use sha2::{Digest, Sha256};

/// Hexadecimal digits of a SHA-256.
const HASH_DIGITS: usize = 64;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub(super) name: Vec<u8>,
    pub(super) enabled: bool,
    /// Any password will do.
    pub(super) no_password: bool,
    /// Whether `RESTORE` is to look closely; None: as nobody said.
    pub(super) sanitize: Option<bool>,
    /// As hexadecimal SHA-256.
    pub(super) passwords: Vec<String>,
    pub(super) root: Selector,
    /// What the user may do besides.
    pub(super) selectors: Vec<Selector>,
}

/// A password as it is kept and travels: the hexadecimal digits of its SHA-256.
pub fn hash_password(password: &[u8]) -> String {
    Sha256::digest(password).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl User {
    /// A user that can do nothing, not even log in.
    pub(super) fn new(name: &[u8], all_channels: bool) -> Self {
        Self {
            name: name.to_vec(),
            enabled: false,
            no_password: false,
            sanitize: None,
            passwords: Vec::new(),
            root: Selector::new(all_channels),
            selectors: Vec::new(),
        }
    }

    /// The user `default` of a new cluster: may do everything, without a password.
    pub(super) fn default_user() -> Self {
        let mut user = Self::new(b"default", true);
        for rule in ["+@all", "~*", "&*", "on", "nopass"] {
            user.apply(rule.as_bytes(), true).expect("a rule without conditions");
        }
        user
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether whoever connects is this user without logging in.
    pub fn is_open(&self) -> bool {
        self.no_password && self.enabled
    }

    /// Whether any password will do.
    pub fn has_no_password(&self) -> bool {
        self.no_password
    }

    /// Whether there is nothing that the user may not do.
    pub fn is_unrestricted(&self) -> bool {
        self.root.is_everything() || self.selectors.iter().any(Selector::is_everything)
    }

    /// Whether the password of this hash opens the user.
    pub fn admits(&self, hash: &str) -> bool {
        let same = |known: &String| {
            known.len() == hash.len()
                && known.bytes().zip(hash.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
        };
        self.enabled
            && (self.no_password || self.passwords.iter().fold(false, |any, known| any | same(known)))
    }

    /// Root selector and all others.
    pub(super) fn all_selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Changes it as one rule says. `all_channels` is what `acl-pubsub-default` gives.
    pub(super) fn apply(&mut self, rule: &[u8], all_channels: bool) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"" => {}
            b"on" => self.enabled = true,
            b"off" => self.enabled = false,
            b"skip-sanitize-payload" => self.sanitize = Some(false),
            b"sanitize-payload" => self.sanitize = Some(true),
            b"nopass" => self.set_passwords(true),
            b"resetpass" => self.set_passwords(false),
            b"clearselectors" => self.selectors.clear(),
            b"reset" => {
                let sanitize = Some(true);
                *self = Self { sanitize, ..Self::new(&std::mem::take(&mut self.name), all_channels) };
            }
            _ => match rule {
                [b'>', password @ ..] => self.add_password(hash_password(password)),
                [b'#', hash @ ..] => self.add_password(checked_hash(hash)?),
                [b'<', password @ ..] => self.remove_password(&hash_password(password))?,
                [b'!', hash @ ..] => self.remove_password(&checked_hash(hash)?)?,
                [b'(', rules @ .., b')'] => self.selectors.push(Selector::from_rules(rules, all_channels)?),
                rule => self.root.apply(rule)?,
            },
        }
        Ok(())
    }

    fn set_passwords(&mut self, none_needed: bool) {
        self.no_password = none_needed;
        self.passwords.clear();
    }

    fn add_password(&mut self, hash: String) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.no_password = false;
    }

    fn remove_password(&mut self, hash: &str) -> Result<(), RuleError> {
        let place = self.passwords.iter().position(|known| known == hash);
        self.passwords.remove(place.ok_or(RuleError::NoSuchPassword)?);
        Ok(())
    }

    /// What it takes, about.
    pub(super) fn size_bytes(&self) -> usize {
        const ITEM_BYTES: usize = 32;
        let of_selector = |selector: &Selector| {
            let patterns = selector.patterns.iter().map(|known| known.pattern.len() + ITEM_BYTES);
            let channels = selector.channels.iter().map(|name| name.len() + ITEM_BYTES);
            let args = selector.first_args.values().flatten().map(|arg| arg.len() + ITEM_BYTES);
            size_of::<Selector>() + patterns.chain(channels).chain(args).sum::<usize>()
        };
        let passwords = self.passwords.len() * (HASH_DIGITS + ITEM_BYTES);
        size_of::<Self>() + self.name.len() + passwords + self.all_selectors().map(of_selector).sum::<usize>()
    }
}

fn checked_hash(hash: &[u8]) -> Result<String, RuleError> {
    match std::str::from_utf8(hash) {
        Ok(text) if is_hash(hash) => Ok(text.to_owned()),
        _ => Err(RuleError::BadHash),
    }
}

/// 64 hexadecimal digits in lower case.
pub(super) fn is_hash(text: &[u8]) -> bool {
    text.len() == HASH_DIGITS && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
