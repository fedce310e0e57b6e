//! Lists and counters: objects that only grow, with every growth told apart, so that the
//! order of all operations can be read off and checked exactly.

use super::{Action, Check, Freshness, Operation, Outcome};
use bowline::command::Reply;
use std::collections::{BTreeMap, BTreeSet};

/// Where an operation stands in the order of one object: lists and counters only grow.
struct Placed<'a> {
    operation: &'a Operation,
    /// Growth after it; what a read saw.
    at: u64,
    grows: bool,
    ended_us: u64,
    freshness: Freshness,
}

fn bulk(reply: &Reply) -> Result<&[u8], String> {
    match reply {
        Reply::Bulk(bytes) => Ok(bytes),
        Reply::Nil => Ok(b""),
        other => Err(format!("a strange reply: {other:?}")),
    }
}

pub fn list(operations: &[&Operation], last: Option<&Vec<u8>>) -> Check {
    let last = last.map_or(&b""[..], |bytes| bytes);
    let ends = token_ends(last)?;
    let mut placed = Vec::new();
    for operation in operations {
        match (&operation.action, &operation.outcome) {
            (Action::Append { token, .. } | Action::Once { token, .. }, _) => {
                let end = ends.get(token.as_str()).copied();
                if let Some(Reply::Int(length)) = operation.reply()
                    && end != Some(*length as u64)
                {
                    return Err(format!("{operation:?} was acknowledged; it stands at {end:?}"));
                }
                place_append(&mut placed, operation, end)?;
            }
            (_, Outcome::Done(reply)) => {
                let seen = bulk(reply)?;
                if !last.starts_with(seen) {
                    return Err(format!("{operation:?} saw what is no prefix of the final {}", show(last)));
                }
                placed.push(read(operation, seen.len() as u64));
            }
            _ => {}
        }
    }
    in_real_time(placed)
}

pub fn pair(operations: &[&Operation], finally: &BTreeMap<String, Vec<u8>>, pair: &str) -> Check {
    let [a, b] = ["a", "b"].map(|half| finally.get(&format!("{pair}{half}")).cloned().unwrap_or_default());
    if a != b {
        return Err(format!("a transaction was torn: {} and {}", show(&a), show(&b)));
    }
    let ends = token_ends(&a)?;
    let mut placed = Vec::new();
    for operation in operations {
        match (&operation.action, operation.reply()) {
            (Action::AppendPair { token, .. }, reply) => {
                let end = ends.get(token.as_str()).copied();
                if let Some(reply) = reply {
                    let length = Reply::Int(end.unwrap_or(0) as i64);
                    if *reply != Reply::Array(vec![length.clone(), length]) {
                        return Err(format!("{operation:?} was acknowledged; it stands at {end:?}"));
                    }
                }
                place_append(&mut placed, operation, end)?;
            }
            (_, Some(Reply::Array(both))) => {
                if both.len() != 2 || both[0] != both[1] || !a.starts_with(bulk(&both[0])?) {
                    return Err(format!("{operation:?} saw half a transaction, or another past"));
                }
                placed.push(read(operation, bulk(&both[0])?.len() as u64));
            }
            _ => {}
        }
    }
    in_real_time(placed)
}

fn token_ends(list: &[u8]) -> Result<BTreeMap<&str, u64>, String> {
    let text = std::str::from_utf8(list).map_err(|error| error.to_string())?;
    let mut ends = BTreeMap::new();
    let mut end = 0;
    for token in text.split_inclusive(',') {
        end += token.len() as u64;
        if ends.insert(token, end).is_some() {
            return Err(format!("{token} was applied twice"));
        }
    }
    Ok(ends)
}

fn place_append<'a>(placed: &mut Vec<Placed<'a>>, operation: &'a Operation, end: Option<u64>) -> Check {
    match (&operation.outcome, end) {
        (Outcome::Done(reply), Some(_)) if reply.is_error() => {
            return Err(format!("{operation:?} was refused and applied"));
        }
        (Outcome::Done(reply), None) if !reply.is_error() => return Err(format!("{operation:?} was lost")),
        (Outcome::Failed, Some(_)) => return Err(format!("{operation:?} failed and was applied")),
        (Outcome::Done(_), Some(at)) => {
            placed.push(Placed {
                operation,
                at,
                grows: true,
                ended_us: operation.ended_us,
                freshness: Freshness::Last,
            });
        }
        (Outcome::Unknown | Outcome::Open, Some(at)) => {
            placed.push(Placed {
                operation,
                at,
                grows: true,
                ended_us: u64::MAX,
                freshness: Freshness::Last,
            });
        }
        _ => {}
    }
    Ok(())
}

fn read(operation: &Operation, at: u64) -> Placed<'_> {
    Placed { operation, at, grows: false, ended_us: operation.ended_us, freshness: operation.freshness }
}

/// Whoever began after another had ended must stand behind it. For an object that only
/// grows, with every growth told apart, that is linearizability. Who may see old things must
/// still see no newer ones than there can be, and none older than allowed.
fn in_real_time(mut placed: Vec<Placed<'_>>) -> Check {
    let stale: Vec<Placed<'_>> = placed.extract_if(.., |p| p.freshness != Freshness::Last).collect();
    let mut by_end: Vec<&Placed<'_>> = placed.iter().collect();
    by_end.sort_by_key(|placed| placed.ended_us);
    let mut by_begin = by_end.clone();
    by_begin.sort_by_key(|placed| placed.operation.began_us);
    let mut furthest = Furthest::of(&by_end);
    for later in by_begin {
        let Some(furthest) = furthest.ended_before(later.operation.began_us) else { continue };
        if later.at < furthest.at || (later.grows && later.at == furthest.at) {
            return Err(out_of_order(later, furthest));
        }
    }
    stale_reads(stale, &placed, &by_end)
}

fn out_of_order(later: &Placed<'_>, furthest: &Placed<'_>) -> String {
    format!(
        "{:?} stands at {}, but began after {:?}, which stands at {}",
        later.operation, later.at, furthest.operation, furthest.at
    )
}

/// What had ended before some moment, and stands furthest; the moments must ascend.
struct Furthest<'a, 'b> {
    ended: std::iter::Peekable<std::slice::Iter<'b, &'b Placed<'a>>>,
    furthest: Option<&'b Placed<'a>>,
}

impl<'a, 'b> Furthest<'a, 'b> {
    fn of(by_end: &'b [&'b Placed<'a>]) -> Self {
        Self { ended: by_end.iter().peekable(), furthest: None }
    }

    fn ended_before(&mut self, moment_us: u64) -> Option<&'b Placed<'a>> {
        while let Some(earlier) = self.ended.next_if(|earlier| earlier.ended_us < moment_us) {
            if self.furthest.is_none_or(|furthest| furthest.at < earlier.at) {
                self.furthest = Some(earlier);
            }
        }
        self.furthest
    }
}

fn stale_reads(mut stale: Vec<Placed<'_>>, placed: &[Placed<'_>], by_end: &[&Placed<'_>]) -> Check {
    for read in &stale {
        let future =
            placed.iter().find(|g| g.grows && g.at <= read.at && g.operation.began_us > read.ended_us);
        if let Some(future) = future {
            return Err(format!("{:?} saw {:?}, which began later", read.operation, future.operation));
        }
    }
    stale.sort_by_key(|read| read.oldest_us());
    let mut furthest = Furthest::of(by_end);
    for read in &stale {
        if let Some(furthest) = furthest.ended_before(read.oldest_us()).filter(|known| read.at < known.at) {
            return Err(out_of_order(read, furthest));
        }
    }
    Ok(())
}

impl Placed<'_> {
    /// What ended before this moment a stale read has to see.
    fn oldest_us(&self) -> u64 {
        match self.freshness {
            Freshness::Within { us } => self.operation.began_us.saturating_sub(us),
            _ => 0,
        }
    }
}

fn number(bytes: &[u8]) -> Result<u64, String> {
    if bytes.is_empty() {
        return Ok(0);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    text.parse().map_err(|_| format!("{text:?} is no counter"))
}

pub fn counter(operations: &[&Operation], last: Option<&Vec<u8>>) -> Check {
    let last = number(last.map_or(b"", |bytes| bytes))?;
    let mut placed = Vec::new();
    let mut given = BTreeSet::new();
    let mut unknown = 0;
    for operation in operations {
        match (&operation.action, &operation.outcome) {
            (Action::Incr { .. }, Outcome::Done(Reply::Int(at))) => {
                if !given.insert(*at) {
                    return Err(format!("{operation:?}: somebody else was given the same number"));
                }
                let at = *at as u64;
                placed.push(Placed {
                    operation,
                    at,
                    grows: true,
                    ended_us: operation.ended_us,
                    freshness: Freshness::Last,
                });
            }
            (Action::Incr { .. }, Outcome::Unknown | Outcome::Open) => unknown += 1,
            (Action::Get { .. }, Outcome::Done(reply)) => placed.push(read(operation, number(bulk(reply)?)?)),
            (_, Outcome::Done(reply)) => return Err(format!("a strange reply: {reply:?}")),
            _ => {}
        }
    }
    let known = given.len() as u64;
    if last < known || last > known + unknown {
        return Err(format!("{known} increments acknowledged, {unknown} unknown, and the counter is {last}"));
    }
    in_real_time(placed)
}

/// Counters of read and conditional write, by version or by watch: no update may be lost.
pub fn guarded_counter(operations: &[&Operation], last: Option<&Vec<u8>>) -> Check {
    let last = number(last.map_or(b"", |bytes| bytes))?;
    let (mut known, mut unknown) = (0, 0);
    for operation in operations {
        if !matches!(operation.action, Action::Cas { .. } | Action::WatchedSet { .. }) {
            continue;
        }
        match &operation.outcome {
            Outcome::Done(Reply::Int(_) | Reply::Array(_)) => known += 1,
            Outcome::Unknown | Outcome::Open => unknown += 1,
            _ => {}
        }
    }
    if last < known || last > known + unknown {
        return Err(format!("{known} updates acknowledged, {unknown} unknown, and the counter is {last}"));
    }
    Ok(())
}

fn show(bytes: &[u8]) -> String {
    let from = bytes.len().saturating_sub(200);
    format!("...{}", bytes[from..].escape_ascii())
}
