//! Queues, sets and sorted sets from which elements are taken: whatever was added is taken at most once, is
//! there until then, and leaves in the right order. What nobody finds again has to be what some
//! operation of unknown outcome may have taken. Keys and elements are followed one by one: what is wrong only
//! as a whole, this module may miss; it must never call wrong what some order explains.

use super::super::explain::quote;
use super::stays::{Order, Place, Span, Stay, places};
use super::{Step, Wrong};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(steps: &[Step<'_>], refused: &[&str]) -> Result<(), Wrong> {
    let mut places = places(steps)?;
    let mut needs = explain_strangers(&mut places, refused)?;
    for (key, place) in &places {
        place.stays.iter().try_for_each(|(element, stay)| in_time(element, stay))?;
        let needs = needs.entry(key).or_default();
        needs.extend(missing(place)?);
        let losses: Vec<u64> = place.losses.iter().map(|loss| loss.start_ns).collect();
        enough(needs, losses, "is lost")?;
        match place.order {
            Order::Any => {}
            Order::Queue => in_order_of_arrival(place)?,
            Order::Score => in_order_of_scores(place)?,
        }
    }
    together(&places)
}

/// Until when something must have been taken, by operations of unknown outcome.
#[derive(Debug)]
struct Need<'a> {
    by_ns: u64,
    operation: u32,
    element: &'a str,
}

/// What was seen where it was not known to have come: a move of unknown outcome brought it.
fn explain_strangers<'a>(
    places: &mut BTreeMap<&'a str, Place<'a>>,
    refused: &[&str],
) -> Result<BTreeMap<&'a str, Vec<Need<'a>>>, Wrong> {
    let mut strangers: Vec<(&str, &str)> = Vec::new();
    for (key, place) in places.iter() {
        let unknown = place.stays.iter().filter(|(_, stay)| stay.came.is_none());
        strangers.extend(unknown.map(|(element, _)| (*key, *element)));
    }
    let mut needs: BTreeMap<&str, Vec<Need<'_>>> = BTreeMap::new();
    for (key, element) in strangers {
        let stay = &places[key].stays[element];
        let by = stay.seen.iter().chain(&stay.left).min_by_key(|span| span.end_ns).expect("it was seen");
        let (operation, by_ns) = (by.operation, by.end_ns);
        let leads_here = |(_, place): &(&&'a str, &Place<'a>)| {
            let waits = |stay: &Stay| stay.came.is_some() && stay.left.is_none();
            place.losses.iter().any(|loss| loss.to == Some(key))
                && place.stays.get(element).is_some_and(waits)
        };
        let Some(source) = places.iter().find(leads_here).map(|(source, _)| *source) else {
            let what =
                if refused.contains(&element) { "was refused, and is there" } else { "was added by nobody" };
            return Err((operation, format!("{} {what}", quote(element))));
        };
        let place = places.get_mut(source).expect("it was just found");
        let moves = place.losses.iter().filter(|loss| loss.to == Some(key)).map(|loss| loss.start_ns);
        let moved = Span { operation, start_ns: moves.clone().min().unwrap_or(0), end_ns: u64::MAX };
        let needed = needs.entry(source).or_default();
        needed.push(Need { by_ns, operation, element });
        enough(needed, moves.collect(), "was moved by nobody")?;
        place.stays.get_mut(element).expect("it waits there").left = Some(moved);
        places.get_mut(key).and_then(|place| place.stays.get_mut(element)).expect("it was seen").came =
            Some(moved);
    }
    Ok(needs)
}

/// Of those who look, take and add, nobody does it at the wrong time.
fn in_time(element: &str, stay: &Stay) -> Result<(), Wrong> {
    let came_ns = stay.came.map_or(0, |span| span.start_ns);
    let early = stay.seen.iter().chain(&stay.left).find(|span| span.end_ns < came_ns);
    if let Some(early) = early {
        return Err((early.operation, format!("{} was added later", quote(element))));
    }
    let left_ns = stay.left.map_or(u64::MAX, |span| span.end_ns);
    match stay.seen.iter().find(|span| span.start_ns > left_ns) {
        Some(late) => Err((late.operation, format!("{} had been taken before", quote(element)))),
        None => Ok(()),
    }
}

/// What was there, and was not seen any more.
fn missing<'a>(place: &Place<'a>) -> Result<Vec<Need<'a>>, Wrong> {
    let mut missing: BTreeMap<&str, Need<'_>> = BTreeMap::new();
    for look in &place.looks {
        let seen: BTreeSet<&str> = look.elements.iter().copied().collect();
        let unseen = place.stays.iter().filter(|(element, _)| !seen.contains(*element));
        for (element, stay) in unseen.filter(|(_, stay)| stay.here_by() < look.span.start_ns) {
            let (operation, by_ns) = (look.span.operation, look.span.end_ns);
            if stay.here_until() > by_ns {
                return Err((operation, format!("{} was there before and after", quote(element))));
            }
            if stay.left.is_none() {
                let need = Need { by_ns, operation, element };
                let known = missing.entry(element).or_insert(need);
                if known.by_ns > by_ns {
                    (known.by_ns, known.operation) = (by_ns, operation);
                }
            }
        }
    }
    Ok(missing.into_values().collect())
}

/// Each need has an operation of its own, begun in time.
fn enough(needs: &mut [Need<'_>], mut begun_ns: Vec<u64>, what: &str) -> Result<(), Wrong> {
    needs.sort_by_key(|need| need.by_ns);
    begun_ns.sort_unstable();
    for (before, need) in needs.iter().enumerate() {
        if begun_ns.partition_point(|start_ns| *start_ns <= need.by_ns) <= before {
            return Err((need.operation, format!("{} {what}", quote(need.element))));
        }
    }
    Ok(())
}

/// Whoever came first leaves first.
fn in_order_of_arrival(place: &Place<'_>) -> Result<(), Wrong> {
    let came = |stay: &Stay| stay.came.expect("strangers were explained");
    let mut by_arrival: Vec<(&str, &Stay)> =
        place.stays.iter().map(|(element, stay)| (*element, stay)).collect();
    by_arrival.sort_by_key(|(_, stay)| (came(stay).end_ns, stay.rank));
    // Of the first n, the one that is there longest.
    let mut longest: Vec<(&str, &Stay)> = Vec::new();
    for stay in &by_arrival {
        let last = longest.last().filter(|last| last.1.here_until() >= stay.1.here_until());
        longest.push(*last.unwrap_or(stay));
    }
    for (element, stay) in &by_arrival {
        let Some(left) = stay.left.filter(|_| stay.is_taken) else { continue };
        let before = by_arrival.partition_point(|(_, other)| came(other).end_ns < came(stay).start_ns);
        let earlier = before.checked_sub(1).map(|last| longest[last]);
        let beside = by_arrival.iter().copied().find(|(_, other)| {
            came(other).operation == came(stay).operation
                && other.rank < stay.rank
                && other.here_until() > left.end_ns
        });
        for (first, other) in earlier.into_iter().chain(beside) {
            if other.here_until() > left.end_ns {
                let why = format!("{} left, and {} had come before it", quote(element), quote(first));
                return Err((left.operation, why));
            }
        }
    }
    for look in &place.looks {
        let mut latest = 0;
        for element in &look.elements {
            let came = came(&place.stays[element]);
            if came.end_ns < latest {
                return Err((look.span.operation, format!("{} had come before others", quote(element))));
            }
            latest = latest.max(came.start_ns);
        }
    }
    Ok(())
}

/// The least leaves first.
fn in_order_of_scores(place: &Place<'_>) -> Result<(), Wrong> {
    for (element, stay) in place.stays.iter().filter(|(_, stay)| stay.is_taken) {
        let Some(left) = stay.left else { continue };
        let less = place.stays.iter().find(|(_, other)| {
            other.rank < stay.rank && other.here_by() < left.start_ns && other.here_until() > left.end_ns
        });
        if let Some((less, _)) = less {
            return Err((left.operation, format!("{} was less than {}", quote(less), quote(element))));
        }
    }
    for look in &place.looks {
        if !look.elements.iter().map(|element| place.stays[element].rank).is_sorted() {
            return Err((look.span.operation, "they do not stand in the order of their scores".to_owned()));
        }
    }
    Ok(())
}

/// Who looks at all keys in one moment sees each element at one of them.
fn together(places: &BTreeMap<&str, Place<'_>>) -> Result<(), Wrong> {
    let mut looks: BTreeMap<u32, Vec<(Span, BTreeSet<&str>)>> = BTreeMap::new();
    for look in places.values().flat_map(|place| &place.looks) {
        looks
            .entry(look.span.operation)
            .or_default()
            .push((look.span, look.elements.iter().copied().collect()));
    }
    looks.retain(|_, looks| places.len() > 1 && looks.len() == places.len());
    // From when and until when each is certainly somewhere.
    let mut here: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (element, stay) in places.values().flat_map(|place| &place.stays) {
        let (from, until) = here.entry(element).or_insert((u64::MAX, 0));
        (*from, *until) = ((*from).min(stay.here_by()), (*until).max(stay.here_until()));
    }
    for (operation, looks) in looks {
        for (element, (from, until)) in &here {
            let seen = looks.iter().filter(|(_, elements)| elements.contains(element)).count();
            let span = looks[0].0;
            if seen > 1 {
                return Err((operation, format!("{} is at two keys", quote(element))));
            }
            if seen == 0 && *from < span.start_ns && *until > span.end_ns {
                return Err((operation, format!("{} is at no key, half moved", quote(element))));
            }
        }
    }
    Ok(())
}
