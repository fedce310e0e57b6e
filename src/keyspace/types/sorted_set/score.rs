//! Scores as they stand in a pack: whole numbers as numbers, others as `%.17g` writes them, as Redis has them in its
//! listpacks. (The sign of a zero is lost, in Redis too.) What is read may be anything: no score is ever NaN.

use super::compare;
use crate::collections::{Blob, Element, Pack, format_double};

/// From here on Redis does not take a double for a whole number.
const MOST: f64 = (i64::MAX / 2) as f64;

/// Hands over the score as an element.
pub(super) fn with_element<R>(score: f64, f: impl FnOnce(Element<'_>) -> R) -> R {
    let whole = score as i64;
    match score.abs() <= MOST && whole as f64 == score {
        true => f(Element::Int(whole)),
        false => f(Element::Bytes(format_double(score).as_bytes())),
    }
}

/// The score of a pack that [`is_sound`].
pub(super) fn of(element: Element<'_>) -> f64 {
    read(element).unwrap_or_default()
}

fn read(element: Element<'_>) -> Option<f64> {
    match element {
        Element::Int(whole) => Some(whole as f64),
        Element::Bytes(text) => {
            std::str::from_utf8(text).ok()?.parse().ok().filter(|score: &f64| !score.is_nan())
        }
    }
}

/// Whether a pack holds members with scores, at least one, in their order, and none twice.
pub(super) fn is_sound(pack: &Pack) -> bool {
    let mut members: Vec<Blob> = Vec::new();
    let mut elements = pack.iter();
    let mut before = None;
    while let Some(member) = elements.next() {
        let Some(score) = elements.next().and_then(read) else { return false };
        let member = member.to_blob();
        if let Some((score_before, member_before)) = before.zip(members.last())
            && compare((score_before, member_before), (score, &member)).is_ge()
        {
            return false;
        }
        before = Some(score);
        members.push(member);
    }
    members.sort_unstable();
    !members.is_empty() && members.is_sorted_by(|a, b| a < b)
}
