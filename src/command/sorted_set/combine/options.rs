//! [`Call`]: the sources and the options of a union or the like, in Redis's order of errors: the number of keys, then
//! the types of what they hold, then options.

use super::Source;
use crate::command::parse::{SYNTAX, integer, is};
use crate::command::{Reply, double, lookup};
use crate::keyspace::Value;

/// How scores of one member become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn read(arg: &[u8]) -> Result<Self, Reply> {
        match () {
            () if is(arg, "SUM") => Ok(Self::Sum),
            () if is(arg, "MIN") => Ok(Self::Min),
            () if is(arg, "MAX") => Ok(Self::Max),
            () => Err(SYNTAX),
        }
    }

    /// Never NaN if the first is not: infinities of both signs add up to 0.
    pub(super) fn of(self, so_far: f64, next: f64) -> f64 {
        match self {
            Self::Sum => Some(so_far + next).filter(|sum| !sum.is_nan()).unwrap_or(0.0),
            Self::Min if next < so_far => next,
            Self::Max if next > so_far => next,
            Self::Min | Self::Max => so_far,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Call<'a, 'b> {
    /// With their weights.
    pub(super) sources: Vec<(Source<'a>, f64)>,
    pub(super) aggregate: Aggregate,
    pub(super) with_scores: bool,
    options: &'b [&'b [u8]],
}

impl<'a, 'b> Call<'a, 'b> {
    /// Of the keys behind their number.
    pub(super) fn read(
        args: &'b [&'b [u8]],
        numkeys_at: usize,
        mut look: impl FnMut(&[u8]) -> Option<&'a Value>,
    ) -> Result<Self, Reply> {
        let numkeys = integer(args[numkeys_at])?;
        let Some(numkeys) = usize::try_from(numkeys).ok().filter(|&numkeys| numkeys > 0) else {
            let name = lookup(args[0]).map_or("", |command| command.full_name);
            return Err(Reply::error_owned(format!(
                "ERR at least 1 input key is needed for '{name}' command"
            )));
        };
        let (keys, options) = args[numkeys_at + 1..].split_at_checked(numkeys).ok_or(SYNTAX)?;
        let mut sources = Vec::with_capacity(keys.len());
        for key in keys {
            sources.push((Source::of(look(key))?, 1.0));
        }
        Ok(Self { sources, aggregate: Aggregate::Sum, with_scores: false, options })
    }

    /// Reads the options of what combines: with weights, or not; that returns its outcome, or not.
    pub(super) fn combining_options(&mut self, with_weights: bool, returns: bool) -> Result<(), Reply> {
        let mut rest = self.options;
        while let [option, tail @ ..] = rest {
            rest = match tail.split_at_checked(self.sources.len()) {
                Some((weights, tail)) if with_weights && is(option, "WEIGHTS") => {
                    let error = Reply::error("ERR weight value is not a float");
                    for ((_, weight), arg) in self.sources.iter_mut().zip(weights) {
                        *weight = double::score(arg).ok_or(error.clone())?;
                    }
                    tail
                }
                _ if with_weights && is(option, "AGGREGATE") => {
                    let (how, tail) = tail.split_first().ok_or(SYNTAX)?;
                    self.aggregate = Aggregate::read(how)?;
                    tail
                }
                _ if returns && is(option, "WITHSCORES") => {
                    self.with_scores = true;
                    tail
                }
                _ => return Err(SYNTAX),
            };
        }
        Ok(())
    }

    /// Reads the one option of what only counts: up to where.
    pub(super) fn counting_options(&self) -> Result<i64, Reply> {
        let mut limit = 0;
        for option in self.options.chunks(2) {
            match option {
                [name, number] if is(name, "LIMIT") => {
                    let read = integer(number).ok().filter(|limit| *limit >= 0);
                    limit = read.ok_or(Reply::error("ERR LIMIT can't be negative"))?;
                }
                _ => return Err(SYNTAX),
            }
        }
        Ok(if limit == 0 { i64::MAX } else { limit })
    }

    /// Puts the smallest source first; those of one size stay as they came.
    pub(super) fn smallest_first(&mut self) {
        self.sources.sort_by_key(|(source, _)| source.len());
    }
}
