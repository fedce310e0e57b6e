//! Why an access rule is refused, with Redis's words, and what both levels of rules share. It
//! must never accept what Redis refuses.

/// What is wrong with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleError {
    Syntax,
    Unknown,
    AllKeys,
    AllChannels,
    NoSuchPassword,
    BadHash,
    FirstArgOfSubcommand,
}

impl RuleError {
    /// Redis's words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Syntax => "Syntax error",
            Self::Unknown => "Unknown command or category name in ACL",
            Self::AllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any \
                 effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Self::AllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            Self::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            Self::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            Self::FirstArgOfSubcommand => "Allowing first-arg of a subcommand is not supported",
        }
    }

    /// Whether it rests on what the user is, not on the rule alone.
    pub fn depends_on_user(self) -> bool {
        matches!(self, Self::AllKeys | Self::AllChannels | Self::NoSuchPassword)
    }
}

/// C's `isspace`, and NUL: what names and patterns must not contain.
pub(super) fn has_spaces(text: &[u8]) -> bool {
    text.iter().any(|&byte| matches!(byte, b' ' | b'\t'..=b'\r' | 0))
}

/// Rules with each selector in one piece: one may be spread over several arguments. Err: the
/// argument that opens one which is never closed.
pub fn merged<'a>(rules: &[&'a [u8]]) -> Result<Vec<std::borrow::Cow<'a, [u8]>>, &'a [u8]> {
    let mut merged: Vec<std::borrow::Cow<'a, [u8]>> = Vec::with_capacity(rules.len());
    let mut open: Option<(&'a [u8], Vec<u8>)> = None;
    for &rule in rules {
        if rule.first() == Some(&b'(') && rule.last() != Some(&b')') {
            open = Some((rule, rule.to_vec()));
        } else if let Some((_, selector)) = &mut open {
            selector.push(b' ');
            selector.extend_from_slice(rule);
            if rule.last() == Some(&b')') {
                let (_, selector) = open.take().expect("it is open");
                merged.push(selector.into());
            }
        } else {
            merged.push(rule.into());
        }
    }
    match open {
        Some((start, _)) => Err(start),
        None => Ok(merged),
    }
}
