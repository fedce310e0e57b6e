//! Ends of ranges of sorted sets as arguments give them, and the ranks that they come to. Which of two
//! equal ends is left out is told by the argument.

use crate::command::parse::integer;
use crate::command::{Reply, double};
use crate::keyspace::{Collection, SortedSet};
use std::cmp::Ordering;
use std::ops::Range;

/// A range as its arguments say, the lower end first.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limits<'a> {
    Ranks(i64, i64),
    Scores(ScoreEnd, ScoreEnd),
    Members(MemberEnd<'a>, MemberEnd<'a>),
}

/// What the ends of a range are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Member,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ScoreEnd {
    score: f64,
    is_open: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum MemberEnd<'a> {
    Lowest,
    Highest,
    At { member: &'a [u8], is_open: bool },
}

impl ScoreEnd {
    fn read(arg: &[u8]) -> Option<Self> {
        let (text, is_open) = arg.strip_prefix(b"(").map_or((arg, false), |rest| (rest, true));
        Some(Self { score: double::bound(text)?, is_open })
    }
}

impl<'a> MemberEnd<'a> {
    fn read(arg: &'a [u8]) -> Option<Self> {
        match arg {
            [b'+'] | [b'+', 0, ..] => Some(Self::Highest),
            [b'-'] | [b'-', 0, ..] => Some(Self::Lowest),
            [b'(', member @ ..] => Some(Self::At { member, is_open: true }),
            [b'[', member @ ..] => Some(Self::At { member, is_open: false }),
            _ => None,
        }
    }

    /// Where a member is, seen from the end.
    fn compare(self, other: &[u8]) -> Ordering {
        match self {
            Self::Lowest => Ordering::Greater,
            Self::Highest => Ordering::Less,
            Self::At { member, .. } => other.cmp(member),
        }
    }

    fn is_open(self) -> bool {
        !matches!(self, Self::At { is_open: false, .. })
    }
}

impl<'a> Limits<'a> {
    /// Reads both, the lower one first.
    pub(super) fn read(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Self, Reply> {
        match by {
            By::Rank => Ok(Self::Ranks(integer(min)?, integer(max)?)),
            By::Score => {
                let ends = ScoreEnd::read(min).zip(ScoreEnd::read(max));
                let (min, max) = ends.ok_or(Reply::error("ERR min or max is not a float"))?;
                Ok(Self::Scores(min, max))
            }
            By::Member => {
                let ends = MemberEnd::read(min).zip(MemberEnd::read(max));
                let error = Reply::error("ERR min or max not valid string range item");
                let (min, max) = ends.ok_or(error)?;
                Ok(Self::Members(min, max))
            }
        }
    }

    /// The ranks within the limits; of ranks, those that are counted from the end if `reversed`.
    pub(super) fn ranks(self, set: &SortedSet, reversed: bool) -> Range<usize> {
        let (start, end) = match self {
            Self::Ranks(start, end) => {
                let ranks = of_indices(start, end, set.len());
                match reversed {
                    true => (set.len() - ranks.end, set.len() - ranks.start),
                    false => (ranks.start, ranks.end),
                }
            }
            Self::Scores(min, max) => (
                set.count_before(|score, _| score < min.score || min.is_open && score == min.score),
                set.count_before(|score, _| score < max.score || !max.is_open && score == max.score),
            ),
            Self::Members(min, max) => (
                set.count_before(|_, member| is_below(min.compare(member), min.is_open())),
                set.count_before(|_, member| is_below(max.compare(member), !max.is_open())),
            ),
        };
        start..end.max(start)
    }
}

fn is_below(ordering: Ordering, or_equal: bool) -> bool {
    ordering.is_lt() || or_equal && ordering.is_eq()
}

/// Indices of which negative ones count from the end, both of them in the range.
fn of_indices(start: i64, end: i64, len: usize) -> Range<usize> {
    let len = len as i64;
    let from_end = |index: i64| if index < 0 { len.saturating_add(index) } else { index };
    let start = from_end(start).max(0);
    let end = from_end(end).min(len - 1);
    if start > end { 0..0 } else { start as usize..end as usize + 1 }
}
