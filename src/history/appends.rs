//! The exact and fast check of a key to which clients only append tokens of one length, each
//! of them once: a value shows the order of what was appended before it, and the reply to an
//! `APPEND` its place. What remains is to sort by place, and to see that time agrees. Any
//! number of clients, and of tokens whose outcome is unknown.

use super::explain::{Violation, Wrong, quote, show, violation};
use super::partition::Part;
use super::{Action, Operation, Outcome, Value, What};
use std::collections::BTreeMap;

/// An operation that is known to have happened, where it stands in the order: `APPEND` of the
/// n-th token at 2n, reads of n tokens at 2n + 1.
struct Placed {
    at: u64,
    operation: u32,
    start_ns: u64,
    end_ns: u64,
}

struct Tokens<'a> {
    /// The operation that appends each.
    by_text: BTreeMap<&'a str, u32>,
    len: usize,
}

/// None when the operations are not of this kind.
pub(super) fn check(history: &[Operation], part: &Part) -> Option<Result<(), Violation>> {
    let tokens = tokens(history, part)?;
    Some(
        place(history, part, &tokens)
            .and_then(|placed| sweep(history, placed))
            .map_err(|wrong| violation(history, part, wrong)),
    )
}

fn tokens<'a>(history: &'a [Operation], part: &Part) -> Option<Tokens<'a>> {
    let mut tokens = Tokens { by_text: BTreeMap::new(), len: 0 };
    for number in &part.operations {
        let operation = &history[*number as usize];
        let Action::One(call) = &operation.action else { return None };
        let reads = match (&call.what, &operation.outcome) {
            (What::Append(token), _) => {
                if tokens.len == 0 {
                    tokens.len = token.len();
                }
                let is_first = tokens.by_text.insert(token, *number).is_none();
                if !is_first || token.len() != tokens.len || token.is_empty() || !token.is_ascii() {
                    return None;
                }
                continue;
            }
            (What::Get, _) => true,
            _ => false,
        };
        if !reads {
            return None;
        }
    }
    (tokens.len > 0).then_some(tokens)
}

/// Places everything that is known to have happened; Err: an operation that has none.
fn place(history: &[Operation], part: &Part, tokens: &Tokens<'_>) -> Result<Vec<Placed>, Wrong> {
    let longest = longest_read(history, part);
    check_reads(history, part, tokens, longest)?;
    let mut places: BTreeMap<u64, u32> = BTreeMap::new();
    let text = longest.map_or("", |(_, text)| text);
    for (at, start) in (1..).zip((0..text.len()).step_by(tokens.len)) {
        let token = &text[start..start + tokens.len];
        let appended = tokens.by_text.get(token).copied();
        places.insert(at, appended.expect("reads were checked"));
    }
    let seen: BTreeMap<u32, u64> = places.iter().map(|(at, number)| (*number, *at)).collect();
    let mut placed = Vec::new();
    let mut unseen = Vec::new();
    for number in &part.operations {
        let operation = &history[*number as usize];
        let appends = matches!(&operation.action, Action::One(call) if matches!(call.what, What::Append(_)));
        match &operation.outcome {
            Outcome::Ok(reply) if appends => {
                let at = told_place(reply, tokens).ok_or((*number, "no value has this length".to_owned()))?;
                if seen.get(number).is_some_and(|seen| *seen != at) {
                    return Err((*number, format!("the token is elsewhere in {}", quote(text))));
                }
                if let Some(other) = places.insert(at, *number).filter(|other| other != number) {
                    let other = show(&history[other as usize], 0);
                    return Err((*number, format!("another token is at this place: {other}")));
                }
            }
            Outcome::Ok(value) => {
                let len = if let Value::Text(text) = value { text.len() } else { 0 };
                let at = 2 * (len / tokens.len) as u64 + 1;
                let (start_ns, end_ns) = (operation.start_ns, operation.end_ns);
                placed.push(Placed { at, operation: *number, start_ns, end_ns });
            }
            _ if appends && !seen.contains_key(number) => unseen.push(*number),
            _ => {}
        }
    }
    fill(history, &mut places, unseen)?;
    placed.extend(places.into_iter().map(|(at, number)| {
        let operation = &history[number as usize];
        let is_known = operation.outcome != Outcome::Unknown;
        let end_ns = if is_known { operation.end_ns } else { u64::MAX };
        Placed { at: 2 * at, operation: number, start_ns: operation.start_ns, end_ns }
    }));
    Ok(placed)
}

/// The token's place, from 1, by the length that the reply to its `APPEND` tells.
fn told_place(reply: &Value, tokens: &Tokens<'_>) -> Option<u64> {
    let Value::Int(len) = reply else { return None };
    let len = usize::try_from(*len).ok().filter(|len| *len > 0 && len.is_multiple_of(tokens.len))?;
    Some((len / tokens.len) as u64)
}

fn longest_read<'a>(history: &'a [Operation], part: &Part) -> Option<(u32, &'a str)> {
    let reads = part.operations.iter().filter_map(|number| match &history[*number as usize].outcome {
        Outcome::Ok(Value::Text(text)) => Some((*number, &**text)),
        _ => None,
    });
    reads.max_by_key(|(_, text)| text.len())
}

/// Every value that was read is a beginning of the longest, which consists of tokens, each once.
fn check_reads(
    history: &[Operation],
    part: &Part,
    tokens: &Tokens<'_>,
    longest: Option<(u32, &str)>,
) -> Result<(), Wrong> {
    let (number, text) = longest.unwrap_or((0, ""));
    let mut seen = BTreeMap::new();
    for start in (0..text.len()).step_by(tokens.len) {
        let token = text.get(start..start + tokens.len).unwrap_or("");
        if !tokens.by_text.contains_key(token) {
            return Err((number, format!("nobody appended what is at {start}: {}", quote(token))));
        }
        if seen.insert(token, start).is_some() {
            return Err((number, format!("{} is there twice", quote(token))));
        }
    }
    for number in &part.operations {
        let Operation { action: Action::One(call), outcome: Outcome::Ok(value), .. } =
            &history[*number as usize]
        else {
            continue;
        };
        if call.what != What::Get {
            continue;
        }
        let is_right = match value {
            Value::Nil => true,
            Value::Text(read) => {
                text.starts_with(&**read) && !read.is_empty() && read.len().is_multiple_of(tokens.len)
            }
            _ => false,
        };
        if !is_right {
            return Err((*number, format!("it is no beginning of {}, which was read too", quote(text))));
        }
    }
    Ok(())
}

/// Places that must be taken, by tokens that nobody saw: the earliest of them first, since any
/// fits anywhere.
fn fill(history: &[Operation], places: &mut BTreeMap<u64, u32>, mut unseen: Vec<u32>) -> Result<(), Wrong> {
    let Some((&last, &above)) = places.last_key_value() else { return Ok(()) };
    if last > places.len() as u64 + unseen.len() as u64 {
        return Err((above, "there are not as many tokens as it says".to_owned()));
    }
    let mut missing = (1..=last).filter(|at| !places.contains_key(at)).collect::<Vec<_>>().into_iter();
    if missing.len() > 0 {
        unseen.sort_by_key(|number| history[*number as usize].start_ns);
        places.extend(missing.by_ref().zip(unseen));
    }
    match missing.next() {
        Some(at) => Err((above, format!("nothing can be at place {at} before it"))),
        None => Ok(()),
    }
}

/// Gives each operation, in the order of places, the earliest moment that it may have.
fn sweep(history: &[Operation], mut placed: Vec<Placed>) -> Result<(), Wrong> {
    placed.sort_by_key(|it| (it.at, it.start_ns));
    let mut latest: Option<&Placed> = None;
    for it in &placed {
        if let Some(before) = latest.filter(|before| before.start_ns > it.end_ns) {
            let before = &history[before.operation as usize];
            return Err((
                it.operation,
                format!("it ended before this one began, which it comes after: {}", show(before, 0)),
            ));
        }
        if latest.is_none_or(|latest| it.start_ns > latest.start_ns) {
            latest = Some(it);
        }
    }
    Ok(())
}
