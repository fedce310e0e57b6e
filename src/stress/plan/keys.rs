//! Lists of keys: names, and ranges of names such as `key{1..50}`.

use super::fields::is_name;
use crate::limits::{STRESS_MAX_KEYS, STRESS_MAX_NAME_BYTES};

/// All names of a list, in its order, each once. Err: which item (`[2]`; empty: the list), and what is
/// wrong with it.
pub(super) fn expand(list: &[String]) -> Result<Vec<String>, (String, String)> {
    let mut names: Vec<String> = Vec::new();
    for (place, item) in list.iter().enumerate() {
        names.extend(range(item).map_err(|said| (format!("[{place}]"), said))?);
        if names.len() > STRESS_MAX_KEYS {
            return Err((format!("[{place}]"), format!("there are more than {STRESS_MAX_KEYS} keys")));
        }
    }
    if names.is_empty() {
        return Err((String::new(), "there are none: a client works on at least one".into()));
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    Ok(names)
}

fn range(item: &str) -> Result<Vec<String>, String> {
    let Some((before, rest)) = item.split_once('{') else {
        return if is_name(item) { Ok(vec![item.to_owned()]) } else { Err(no_name(item)) };
    };
    let parts = rest.split_once('}').and_then(|(range, after)| {
        let (first, last) = range.split_once("..")?;
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?, after))
    });
    let Some((first, last, after)) = parts.filter(|(first, last, _)| first <= last) else {
        return Err(format!("{item:?} is no range of names: such as key{{1..50}}"));
    };
    if last - first >= STRESS_MAX_KEYS as u64 {
        return Err(format!("{item:?} stands for more than {STRESS_MAX_KEYS} keys"));
    }
    let name = |number| {
        let name = format!("{before}{number}{after}");
        if is_name(&name) { Ok(name) } else { Err(no_name(item)) }
    };
    (first..=last).map(name).collect()
}

fn no_name(item: &str) -> String {
    format!(
        "{item:?} is no name: 1 to {STRESS_MAX_NAME_BYTES} letters, digits, and any of _-., or a range of \
         names such as key{{1..50}}"
    )
}
