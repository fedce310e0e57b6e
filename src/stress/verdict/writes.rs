//! Keys that are set: that every acknowledged write is what the key holds in the end or was followed
//! by another, and that each version was made by one write.

use super::super::record::{Final, Run};
use super::Outcomes;
use super::keys::{Form, Key, Keys, Write, seconds};
use crate::history::{Value, What};
use std::collections::BTreeMap;

/// `SET`, `CAS` and `DEL` that were acknowledged.
pub(super) fn acknowledged(keys: &Keys<'_>) -> Outcomes {
    let mut checked = Outcomes::new("acknowledged writes");
    let (mut writes, mut unknown, mut ends, mut count) = (0, 0, 0, 0);
    for (key, end) in keys.written(Form::Named) {
        count += 1;
        writes += key.acknowledged().count();
        unknown += key.unknown().count();
        match last(key, end) {
            Ok(last) => ends += usize::from(last.is_some_and(|last| last.reply.is_some())),
            Err(why) => checked.wrong.push(why),
        }
    }
    if count == 0 {
        return Outcomes::not_applicable(checked.name, "nothing was set");
    }
    checked.counted = format!(
        "{writes} on {count} keys: {ends} are there in the end, {} were followed by another; {unknown} more of \
         unknown outcome",
        writes - ends
    );
    checked
}

/// The write that is there in the end; Err: none can be.
fn last<'k, 'a>(key: &'k Key<'a>, end: &Final) -> Result<Option<&'k Write<'a>>, String> {
    let latest = key.acknowledged().max_by_key(|write| write.operation.start_ns);
    let value = end.value.as_deref();
    // Of several attempts any may have been the one.
    let made = key.writes.iter().filter(|write| write.value() == value).max_by_key(|write| write.end_ns());
    let holds = value.map_or("nothing".to_owned(), |value| format!("{value:?}"));
    match (made, latest) {
        (None, None) if value.is_none() => Ok(None),
        (None, _) if value.is_some() => {
            Err(format!("{} holds {holds} in the end, which nobody wrote", key.name))
        }
        (None, Some(latest)) => Err(format!("{}: {} is gone, and nobody deleted it", key.name, said(latest))),
        (Some(made), Some(latest)) if made.end_ns() < latest.operation.start_ns => Err(format!(
            "{}: {} is gone: the key holds {holds} in the end, and {} was over before it",
            key.name,
            said(latest),
            said(made)
        )),
        (made, _) => Ok(made),
    }
}

fn said(write: &Write<'_>) -> String {
    let what = match write.what {
        What::Set(value) => format!("SET {value:?}"),
        What::Cas { version, value } => format!("CAS {version} {value:?}"),
        What::Del => "DEL".to_owned(),
        other => format!("{other:?}"),
    };
    match write.reply {
        Some(_) => format!("{what}, acknowledged at {},", seconds(write.operation.end_ns)),
        None => format!("{what}, of unknown outcome, sent at {},", seconds(write.operation.start_ns)),
    }
}

/// Versions of keys that nobody deletes: as many as there were writes, and none given twice.
pub(super) fn versions(run: &Run, keys: &Keys<'_>) -> Outcomes {
    const NAME: &str = "versions";
    if !run.has_versions {
        return Outcomes::not_applicable(NAME, "the server has none");
    }
    let mut checked = Outcomes::new(NAME);
    let (mut count, mut made, mut deleted) = (0, 0, 0);
    for (key, end) in keys.written(Form::Named) {
        if key.writes.iter().any(|write| *write.what == What::Del) {
            deleted += 1;
            continue;
        }
        let Some(version) = end.version else { continue };
        count += 1;
        made += version;
        let (least, unknown) = (key.acknowledged().count() as u64, key.unknown().count() as u64);
        if version < least {
            let missing = least - version;
            checked.wrong.push(format!(
                "{} is at version {version} after {least} acknowledged writes: {missing} are missing",
                key.name
            ));
        } else if version > least + unknown {
            let more = version - least - unknown;
            checked.wrong.push(format!(
                "{} is at version {version} after {least} acknowledged writes and {unknown} of unknown outcome: {more} \
                 took place more than once",
                key.name
            ));
        }
        checked.wrong.extend(given_twice(key));
    }
    if count == 0 {
        let why = if deleted > 0 {
            "all keys are deleted now and then: see linearizability"
        } else {
            "nothing was set"
        };
        return Outcomes::not_applicable(NAME, why);
    }
    checked.counted = format!("{made} on {count} keys");
    if checked.wrong.is_empty() {
        checked.counted += ", each made by one write";
    }
    if deleted > 0 {
        checked.counted += &format!("; {deleted} keys are deleted now and then: see linearizability");
    }
    checked
}

/// A version that two writes were told they had made.
fn given_twice(key: &Key<'_>) -> Option<String> {
    let mut given: BTreeMap<i64, &Write<'_>> = BTreeMap::new();
    key.acknowledged().find_map(|write| {
        let (What::Cas { .. }, Some(Value::Int(version))) = (write.what, write.reply) else { return None };
        let other = given.insert(*version, write)?;
        Some(format!("{}: version {version} was given twice: {} and {}", key.name, said(other), said(write)))
    })
}
