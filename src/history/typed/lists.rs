//! Lists to which clients only push elements, each once, in transactions or alone: a list shows in which
//! order that happened, and a push its place. Of all keys together an order has to exist that explains
//! what was read and agrees with time (strict serializability). Exact, however many clients there are.

use super::super::explain::{quote, show};
use super::super::partition::Part;
use super::super::{Operation, Outcome, Value};
use super::cycles::{Graph, Kind};
use super::{Step, Typed, Wrong, refused, steps, texts};
use std::collections::{BTreeMap, BTreeSet};

/// One list.
#[derive(Debug, Default)]
struct List<'a> {
    /// Who pushed each element.
    pushed: BTreeMap<&'a str, u32>,
    /// What is known to be at each place, from 1.
    places: BTreeMap<u64, u32>,
    longest: Vec<&'a str>,
    /// How many elements each read saw.
    reads: Vec<(u32, u64)>,
    /// Elements of pushes of unknown outcome.
    unknown: BTreeSet<&'a str>,
}

pub(super) fn check(history: &[Operation], part: &Part) -> Result<(), Wrong> {
    let steps = steps(history, part)?;
    let refused = refused(history, part);
    let mut lists: BTreeMap<&str, List<'_>> = BTreeMap::new();
    for step in &steps {
        let list = lists.entry(step.key).or_default();
        match (step.what, step.reply) {
            (Typed::Push(elements), reply) => {
                list.pushed.extend(elements.iter().map(|element| (&**element, step.operation)));
                if reply.is_none() {
                    list.unknown.extend(elements.iter().map(|element| &**element));
                }
            }
            (_, Some(reply)) => {
                let seen = texts(reply).ok_or((step.operation, "no list is answered so".to_owned()))?;
                if seen.len() > list.longest.len() {
                    list.longest = seen;
                }
            }
            (_, None) => {}
        }
    }
    lists.values_mut().try_for_each(|list| list.place_seen(&steps, &refused))?;
    for step in &steps {
        lists.get_mut(step.key).expect("each step's key has one").place(step)?;
    }
    lists.values().try_for_each(List::has_no_hole)?;
    agrees_with_itself(&steps)?;
    in_order(history, part, &lists)
}

impl<'a> List<'a> {
    /// What the longest read tells.
    fn place_seen(&mut self, steps: &[Step<'a>], refused: &[&str]) -> Result<(), Wrong> {
        let is_longest = |step: &&Step<'_>| {
            step.reply.is_some_and(|reply| texts(reply).is_some_and(|seen| seen == self.longest))
        };
        let reader = steps.iter().find(is_longest).map_or(0, |step| step.operation);
        let mut seen = BTreeSet::new();
        for (place, element) in (1..).zip(&self.longest) {
            if !seen.insert(*element) {
                return Err((reader, format!("{} is there twice", quote(element))));
            }
            match self.pushed.get(element) {
                Some(pusher) => self.places.insert(place, *pusher),
                None if refused.contains(element) => {
                    return Err((reader, format!("{} was refused, and is there", quote(element))));
                }
                None => return Err((reader, format!("nobody pushed {}", quote(element)))),
            };
        }
        Ok(())
    }

    /// What a reply tells.
    fn place(&mut self, step: &Step<'a>) -> Result<(), Wrong> {
        let wrong = |why: String| Err((step.operation, why));
        match (step.what, step.reply) {
            (Typed::Push(elements), Some(Value::Int(len))) if *len >= elements.len() as i64 => {
                let first = *len as u64 - elements.len() as u64 + 1;
                for (place, element) in (first..).zip(elements) {
                    let seen = self.longest.get(place as usize - 1);
                    if seen.is_some_and(|seen| **seen != **element) {
                        return wrong(format!("{} was at this place later", quote(seen.unwrap_or(&""))));
                    }
                    if seen.is_none() && self.longest.contains(&&**element) {
                        return wrong(format!("{} was elsewhere later", quote(element)));
                    }
                    if seen.is_none() && self.places.insert(place, step.operation).is_some() {
                        return wrong(format!("another element is at place {place}"));
                    }
                }
            }
            (Typed::Push(_), Some(reply)) => return wrong(format!("no list is that long: {reply:?}")),
            (_, Some(reply)) => {
                let seen = texts(reply).unwrap_or_default();
                if !self.longest.starts_with(&seen) {
                    let longest = self.longest.join(" ");
                    return wrong(format!("it is no beginning of {}, which was read too", quote(&longest)));
                }
                self.reads.push((step.operation, seen.len() as u64));
            }
            (_, None) => {}
        }
        Ok(())
    }

    /// Places before known ones belong to what nobody saw, of which there must be enough.
    fn has_no_hole(&self) -> Result<(), Wrong> {
        let Some((last, pusher)) = self.places.last_key_value() else { return Ok(()) };
        let holes = *last - self.places.len() as u64;
        let unseen = self.unknown.iter().filter(|element| !self.longest.contains(element)).count() as u64;
        if holes <= unseen {
            return Ok(());
        }
        Err((*pusher, format!("nothing can be at {holes} of the places before it")))
    }
}

/// Within one transaction each command sees what those before it did.
fn agrees_with_itself(steps: &[Step<'_>]) -> Result<(), Wrong> {
    let mut lengths: BTreeMap<(u32, &str), u64> = BTreeMap::new();
    for step in steps {
        let (from, to) = match (step.what, step.reply) {
            (Typed::Push(elements), Some(Value::Int(len))) => {
                (*len as u64 - elements.len() as u64, *len as u64)
            }
            (_, Some(Value::Array(seen))) => (seen.len() as u64, seen.len() as u64),
            _ => continue,
        };
        let before = lengths.insert((step.operation, step.key), to);
        if before.is_some_and(|before| before != from) {
            return Err((step.operation, format!("its commands on {} do not fit each other", step.key)));
        }
    }
    Ok(())
}

fn in_order(history: &[Operation], part: &Part, lists: &BTreeMap<&str, List<'_>>) -> Result<(), Wrong> {
    let number = |operation: &u32| {
        part.operations.binary_search(operation).expect("the part has all of its operations") as u32
    };
    let span = |operation: &u32| {
        let operation = &history[*operation as usize];
        let is_known = matches!(operation.outcome, Outcome::Ok(_));
        (operation.start_ns, if is_known { operation.end_ns } else { u64::MAX })
    };
    let mut graph = Graph::new(part.operations.iter().map(span).collect());
    for list in lists.values() {
        let places: Vec<(u64, u32)> = list.places.iter().map(|(at, pusher)| (*at, number(pusher))).collect();
        for pair in places.windows(2) {
            graph.add(pair[0].1, pair[1].1, Kind::Ww);
        }
        for (reader, len) in &list.reads {
            let next = places.partition_point(|(at, _)| at <= len);
            if let Some((_, pusher)) = next.checked_sub(1).map(|last| places[last]) {
                graph.add(pusher, number(reader), Kind::Wr);
            }
            if let Some((_, pusher)) = places.get(next) {
                graph.add(number(reader), *pusher, Kind::Rw);
            }
        }
    }
    let Some(cycle) = graph.cycle() else { return Ok(()) };
    let from_ns = history.iter().map(|operation| operation.start_ns).min().unwrap_or(0);
    let operations: Vec<u32> =
        cycle.operations.iter().map(|(node, _)| part.operations[*node as usize]).collect();
    let lines = operations.iter().zip(&cycle.operations).map(|(operation, (_, kind))| {
        let because = match kind {
            Kind::Ww => "and then wrote",
            Kind::Wr => "which was read by",
            Kind::Rw => "which does not see",
            Kind::Time => "which ended before",
        };
        format!("\n    {}\n      {because}", show(&history[*operation as usize], from_ns))
    });
    let last = operations.iter().max_by_key(|operation| history[**operation as usize].end_ns);
    let why = format!("a circle, {}:{} the first", cycle.name, lines.collect::<String>());
    Err((*last.expect("a circle has operations"), why))
}
