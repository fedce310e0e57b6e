//! [`Source`]: what unions and the like are made of: a sorted set, or something in its place. It must never tell in what
//! order members are kept.

use crate::command::Reply;
use crate::command::parse::WRONG_TYPE;
use crate::keyspace::{Blob, Collection, Set, SortedSet, Value};

/// The score of what stands in a set.
const SET_SCORE: f64 = 1.0;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    /// There is no such key.
    Nothing,
    Sorted(&'a SortedSet),
    Set(&'a Set),
}

impl<'a> Source<'a> {
    pub(super) fn of(value: Option<&'a Value>) -> Result<Self, Reply> {
        match value {
            None => Ok(Self::Nothing),
            Some(Value::SortedSet(set)) => Ok(Self::Sorted(set)),
            Some(Value::Set(set)) => Ok(Self::Set(set)),
            Some(_) => Err(WRONG_TYPE),
        }
    }

    pub(super) fn len(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Sorted(set) => set.len(),
            Self::Set(set) => set.len(),
        }
    }

    /// The score of a member.
    pub(super) fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Nothing => None,
            Self::Sorted(set) => set.score(member),
            Self::Set(set) => set.contains(member).then_some(SET_SCORE),
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (Blob, f64)> + 'a {
        let (sorted, set) = match self {
            Self::Nothing => (None, None),
            Self::Sorted(set) => (Some(set.iter()), None),
            Self::Set(set) => (None, Some(set.iter().map(|member| (member, SET_SCORE)))),
        };
        let pairs = sorted.into_iter().flatten().chain(set.into_iter().flatten());
        pairs.map(|(member, score)| (member.to_blob(), score))
    }
}
