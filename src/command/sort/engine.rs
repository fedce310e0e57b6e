//! Sorting a list of elements. It must never know where elements come from, nor what keys there
//! are: it asks for the text under a key, or in a field of it.

use super::options::Options;
use crate::command::parse::c_string;
use crate::command::{Reply, double};
use crate::keyspace::Blob;
use std::cmp::Ordering;

/// The order in which elements come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// That of a list or of a sorted set: kept, or reversed, if nothing is sorted.
    List,
    /// None that means anything.
    Set,
}

/// What is sorted.
#[derive(Debug)]
pub(super) struct Elements {
    pub(super) all: Vec<Blob>,
    pub(super) order: Order,
}

/// The text under a key, or in a field of it.
pub(super) type Look<'a> = &'a mut dyn FnMut(&[u8], Option<&[u8]>) -> Option<Blob>;

/// What an element is compared by.
struct Sorted {
    element: Blob,
    score: f64,
    text: Option<Blob>, // of `ALPHA` with `BY`
}

/// What is returned, an element or what the patterns of `GET` find for it.
pub(super) fn sort(
    elements: Elements,
    options: &Options<'_>,
    look: Look<'_>,
) -> Result<Vec<Option<Blob>>, Reply> {
    let (mut by, mut alpha) = (options.by, options.alpha);
    let mut unsorted = by.is_some_and(|pattern| star(pattern).is_none());
    if unsorted && elements.order == Order::Set && options.store.is_some() {
        // What is stored has to be the same on every replica.
        (unsorted, alpha, by) = (false, true, None);
    }
    let mut all = elements.all;
    let range = range(all.len(), options.limit);
    if !unsorted {
        let bytes = if options.store.is_some() { whole } else { up_to_nul };
        all = in_order(all, by, alpha.then_some(bytes), options.descending, look)?;
    } else if elements.order == Order::List && options.descending {
        all.reverse();
    }
    let mut out = Vec::new();
    for element in all.drain(range) {
        if options.get.is_empty() {
            out.push(Some(element));
            continue;
        }
        for pattern in &options.get {
            let found = by_pattern(pattern, &element, look);
            // A list has no place for nothing.
            out.push(if options.store.is_some() { found.or(Some(Blob::new(b""))) } else { found });
        }
    }
    Ok(out)
}

/// The elements that `LIMIT` leaves.
fn range(len: usize, limit: Option<(i64, i64)>) -> std::ops::Range<usize> {
    let Some((start, count)) = limit else { return 0..len };
    let start = usize::try_from(start).unwrap_or(0).min(len);
    let count = usize::try_from(count).unwrap_or(len); // negative: all
    start..start.saturating_add(count).min(len)
}

/// What of a text counts in `ALPHA`: all that is compared to be stored, ...
fn whole(text: &Blob) -> &[u8] {
    text
}

/// ... otherwise what C takes for the string.
fn up_to_nul(text: &Blob) -> &[u8] {
    c_string(text, usize::MAX)
}

fn in_order(
    all: Vec<Blob>,
    by: Option<&[u8]>,
    alpha: Option<fn(&Blob) -> &[u8]>,
    descending: bool,
    look: Look<'_>,
) -> Result<Vec<Blob>, Reply> {
    let mut sorted = Vec::with_capacity(all.len());
    for element in all {
        let text = match by {
            Some(pattern) => by_pattern(pattern, &element, look),
            None => Some(element.clone()),
        };
        let score = match &text {
            Some(text) if alpha.is_none() => double::parse(text)
                .ok_or(Reply::error("ERR One or more scores can't be converted into double"))?,
            _ => 0.0,
        };
        sorted.push(Sorted { element, score, text });
    }
    let compare = |a: &Sorted, b: &Sorted| {
        let ordering = if let Some(bytes) = alpha {
            a.text.as_ref().map(bytes).cmp(&b.text.as_ref().map(bytes))
        } else {
            // Equal scores: still one order, the same everywhere.
            a.score.partial_cmp(&b.score).unwrap_or(Ordering::Equal).then_with(|| a.element.cmp(&b.element))
        };
        if descending { ordering.reverse() } else { ordering }
    };
    sorted.sort_by(compare);
    Ok(sorted.into_iter().map(|sorted| sorted.element).collect())
}

/// Where the element goes in a pattern.
pub(super) fn star(pattern: &[u8]) -> Option<usize> {
    c_string(pattern, usize::MAX).iter().position(|&byte| byte == b'*')
}

/// What a pattern finds for an element: `#` is the element, `*` stands for it, and `->` begins the
/// name of a field.
fn by_pattern(pattern: &[u8], element: &Blob, look: Look<'_>) -> Option<Blob> {
    if pattern == b"#" {
        return Some(element.clone());
    }
    let star = star(pattern)?;
    let (head, tail) = (&pattern[..star], &pattern[star + 1..]);
    let arrow = c_string(tail, usize::MAX).windows(2).position(|pair| pair == b"->");
    let (tail, field) = match arrow.filter(|arrow| arrow + 2 < tail.len() && tail[arrow + 2] != 0) {
        Some(arrow) => (&tail[..arrow], Some(&tail[arrow + 2..])),
        None => (tail, None),
    };
    look(&[head, element, tail].concat(), field)
}
