//! Counters and logs: what is there in the end is what was acknowledged, within what is unknown.

use super::super::record::TOKEN_BYTES;
use super::Outcomes;
use super::keys::{Form, Key, Keys, seconds};
use crate::history::{Value, What};
use std::collections::BTreeMap;

/// Counters equal the acknowledged increments, within those of unknown outcome.
pub(super) fn counters(keys: &Keys<'_>) -> Outcomes {
    let mut checked = Outcomes::new("counters");
    let (mut count, mut sum, mut acknowledged, mut unknown) = (0, 0, 0, 0);
    for (key, end) in keys.written(Form::Counter) {
        let (least, maybe) = (key.acknowledged().count() as u64, key.unknown().count() as u64);
        count += 1;
        acknowledged += least;
        unknown += maybe;
        let text = end.value.as_deref().unwrap_or("0");
        let Ok(value) = text.parse::<u64>() else {
            checked.wrong.push(format!("{} holds {text:?}, which is no count", key.name));
            continue;
        };
        sum += value;
        if !(least..=least + maybe).contains(&value) {
            let what = if value < least { "some are lost" } else { "some took place more than once" };
            checked.wrong.push(format!(
                "{} is {value} after {least} acknowledged increments and {maybe} of unknown outcome: {what}",
                key.name
            ));
        }
        checked.wrong.extend(told_twice(key));
    }
    if count == 0 {
        return Outcomes::not_applicable(checked.name, "nothing was counted");
    }
    checked.counted = format!(
        "{count} with a sum of {sum}: {acknowledged} acknowledged increments, {unknown} of unknown outcome"
    );
    checked
}

fn told_twice(key: &Key<'_>) -> Option<String> {
    let mut told = BTreeMap::new();
    key.acknowledged().find_map(|write| {
        let Some(Value::Int(value)) = write.reply else { return None };
        let other: u64 = told.insert(*value, write.operation.end_ns)?;
        let (first, second) = (seconds(other), seconds(write.operation.end_ns));
        Some(format!("{}: two increments were told {value}, at {first} and {second}", key.name))
    })
}

/// Appended tokens are there once.
pub(super) fn appends(keys: &Keys<'_>) -> Outcomes {
    let mut checked = Outcomes::new("appended tokens");
    let (mut count, mut tokens, mut acknowledged, mut unknown) = (0, 0, 0, 0);
    for (key, end) in keys.written(Form::Log) {
        count += 1;
        acknowledged += key.acknowledged().count();
        unknown += key.unknown().count();
        let text = end.value.as_deref().unwrap_or("");
        tokens += text.len() / TOKEN_BYTES;
        checked.wrong.extend(wrong_tokens(key, text));
    }
    if count == 0 {
        return Outcomes::not_applicable(checked.name, "nothing was appended");
    }
    checked.counted =
        format!("{tokens} in {count} logs: {acknowledged} acknowledged, {unknown} of unknown outcome");
    checked
}

fn wrong_tokens(key: &Key<'_>, text: &str) -> Vec<String> {
    let mut there: BTreeMap<&[u8], u64> = BTreeMap::new();
    for token in text.as_bytes().chunks(TOKEN_BYTES) {
        *there.entry(token).or_insert(0) += 1;
    }
    let mut wrong = Vec::new();
    for write in &key.writes {
        let What::Append(token) = write.what else { continue };
        match there.remove(token.as_bytes()) {
            None if write.reply.is_some() => wrong.push(format!(
                "{}: {token:?}, acknowledged at {}, is not there",
                key.name,
                seconds(write.operation.end_ns)
            )),
            Some(times @ 2..) => wrong.push(format!("{}: {token:?} is there {times} times", key.name)),
            _ => {}
        }
    }
    let strange = there.keys().map(|token| String::from_utf8_lossy(token).into_owned());
    wrong.extend(strange.map(|token| format!("{}: {token:?} is there, which nobody appended", key.name)));
    wrong
}
