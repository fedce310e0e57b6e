//! What became of each element: when it came to a key, when it left, and who looked meanwhile. Elements
//! are added once, and leave each key at most once.

use super::super::Value;
use super::super::explain::quote;
use super::{By, Step, Typed, Wrong, texts};
use std::collections::{BTreeMap, BTreeSet};

/// When something happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) operation: u32,
    pub(super) start_ns: u64,
    /// [`u64::MAX`]: nobody knows.
    pub(super) end_ns: u64,
}

/// An element at a key.
#[derive(Debug, Default)]
pub(super) struct Stay {
    pub(super) came: Option<Span>,
    pub(super) left: Option<Span>,
    /// Whether it is known to have left, and not just to have been elsewhere later.
    pub(super) is_taken: bool,
    /// Its place among those that came with it; its score.
    pub(super) rank: i64,
    pub(super) seen: Vec<Span>,
}

impl Stay {
    /// It had come by then.
    pub(super) fn here_by(&self) -> u64 {
        let ends = self.came.iter().chain(&self.left).chain(&self.seen).map(|span| span.end_ns);
        ends.min().unwrap_or(u64::MAX)
    }

    /// It had not left before.
    pub(super) fn here_until(&self) -> u64 {
        self.left.iter().chain(&self.seen).map(|span| span.start_ns).max().unwrap_or(0)
    }
}

/// Somebody saw all that a key has; nothing, if there was nothing to take.
#[derive(Debug)]
pub(super) struct Look<'a> {
    pub(super) span: Span,
    pub(super) elements: Vec<&'a str>,
}

/// An element may have left, but nobody knows which.
#[derive(Debug)]
pub(super) struct Loss<'a> {
    pub(super) start_ns: u64,
    /// Where it then is.
    pub(super) to: Option<&'a str>,
}

/// In which order elements leave a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Order {
    #[default]
    Any,
    /// As they came.
    Queue,
    /// By their scores.
    Score,
}

/// All about one key.
#[derive(Debug, Default)]
pub(super) struct Place<'a> {
    pub(super) stays: BTreeMap<&'a str, Stay>,
    pub(super) looks: Vec<Look<'a>>,
    pub(super) losses: Vec<Loss<'a>>,
    pub(super) order: Order,
}

pub(super) fn places<'a>(steps: &[Step<'a>]) -> Result<BTreeMap<&'a str, Place<'a>>, Wrong> {
    let mut places: BTreeMap<&str, Place<'_>> = BTreeMap::new();
    for step in steps {
        let place = places.entry(step.key).or_default();
        let span = Span { operation: step.operation, start_ns: step.start_ns, end_ns: step.end_ns };
        let strange = || (step.operation, format!("no such command is answered {:?}", step.reply));
        match step.what {
            Typed::Push(elements) | Typed::Add(elements) => {
                if matches!(step.what, Typed::Push(_)) {
                    place.order = Order::Queue;
                }
                for (rank, element) in (0..).zip(elements) {
                    place.comes(element, span, rank)?;
                }
                // Elements are new; a list is at least as long as what was pushed.
                let count = elements.len() as i64;
                let is_right = match (step.what, step.reply) {
                    (Typed::Add(_), Some(Value::Int(added))) => *added == count,
                    (_, Some(Value::Int(len))) => *len >= count,
                    (_, reply) => reply.is_none(),
                };
                is_right.then_some(()).ok_or_else(strange)?;
            }
            Typed::Rank { score, element } => {
                place.order = Order::Score;
                place.comes(element, span, *score)?;
                matches!(step.reply, None | Some(Value::Int(1))).then_some(()).ok_or_else(strange)?;
            }
            Typed::Range | Typed::Members | Typed::Ranked => {
                let Some(reply) = step.reply else { continue };
                place.looks.push(Look { span, elements: texts(reply).ok_or_else(strange)? });
            }
            Typed::Pop(_) | Typed::PopLeast(_) | Typed::Draw | Typed::Move { .. } => {
                let to = if let Typed::Move { to, .. } = step.what { Some(&**to) } else { None };
                let Some(reply) = step.reply else {
                    place.losses.push(Loss { start_ns: step.start_ns, to });
                    continue;
                };
                let Some(element) = taken(step.what, reply).ok_or_else(strange)? else {
                    place.looks.push(Look { span, elements: Vec::new() });
                    continue;
                };
                place.leaves(element, span)?;
                if let Some(to) = to {
                    let there = places.entry(to).or_default();
                    there.order = Order::Queue;
                    there.comes(element, span, 0)?;
                }
            }
            _ => return Err(strange()),
        }
    }
    places.values_mut().try_for_each(Place::note_seen)?;
    Ok(places)
}

/// The element that a reply hands out: alone, behind its key, or before its score. None: it is something else.
fn taken<'a>(what: &Typed, reply: &'a Value) -> Option<Option<&'a str>> {
    let parts = match reply {
        Value::Nil => return Some(None),
        Value::Text(element) => return Some(Some(element)),
        Value::Array(parts) => parts.as_slice(),
        _ => return None,
    };
    match (what, parts) {
        (Typed::PopLeast(_), []) => Some(None),
        (Typed::Pop(By::Wait), [Value::Text(_), Value::Text(element)])
        | (Typed::PopLeast(By::Wait), [Value::Text(_), Value::Text(element), Value::Text(_)])
        | (Typed::PopLeast(_), [Value::Text(element), Value::Text(_)]) => Some(Some(element)),
        _ => None,
    }
}

impl<'a> Place<'a> {
    fn comes(&mut self, element: &'a str, span: Span, rank: i64) -> Result<(), Wrong> {
        let stay = self.stays.entry(element).or_default();
        stay.rank = rank;
        match stay.came.replace(span) {
            None => Ok(()),
            Some(_) => Err((span.operation, format!("{} comes here a second time", quote(element)))),
        }
    }

    fn leaves(&mut self, element: &'a str, span: Span) -> Result<(), Wrong> {
        let stay = self.stays.entry(element).or_default();
        stay.is_taken = true;
        match stay.left.replace(span) {
            None => Ok(()),
            Some(_) => Err((span.operation, format!("{} was taken twice", quote(element)))),
        }
    }

    /// Notes with each element who saw it.
    fn note_seen(&mut self) -> Result<(), Wrong> {
        for look in &self.looks {
            let mut seen = BTreeSet::new();
            for element in &look.elements {
                if !seen.insert(*element) {
                    return Err((look.span.operation, format!("{} is there twice", quote(element))));
                }
                self.stays.entry(element).or_default().seen.push(look.span);
            }
        }
        Ok(())
    }
}
