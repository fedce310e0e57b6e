//! Streams with one consumer group: entries get growing ids and stay; each is handed out once as new, again
//! only to who claims it, and is done with when it is acknowledged, once. This module must never call
//! wrong what some order explains; of what was delivered by operations of unknown outcome it knows only how much.

use super::super::Value;
use super::super::explain::quote;
use super::{Step, Typed, Wrong};
use std::collections::{BTreeMap, BTreeSet};

/// An id, as a pair of numbers: so they compare as Redis's do.
type Id = (u64, u64);

/// When something happened, and by which operation.
#[derive(Debug, Clone, Copy)]
struct Span {
    operation: u32,
    start_ns: u64,
    end_ns: u64,
}

/// All that is known of a stream.
#[derive(Debug, Default)]
struct Stream<'a> {
    /// Who added each element, and the id that the reply told.
    added: BTreeMap<&'a str, (Span, Option<Id>)>,
    /// By the ids that were seen in any reply.
    elements: BTreeMap<Id, &'a str>,
    /// Handed out as new, by replies; and how many may have been without one, from when on.
    delivered: BTreeMap<Id, Span>,
    unknown: Vec<(u64, u64)>,
    acked: BTreeMap<Id, Span>,
    maybe_acked: BTreeMap<Id, u64>,
    claimed: Vec<(Span, Vec<Id>)>,
    /// Who saw the whole stream, who all that is pending, and who was told that there is nothing new.
    ranges: Vec<(Span, Vec<Id>)>,
    pending: Vec<(Span, BTreeSet<Id>)>,
    nothing_new: Vec<Span>,
}

pub(super) fn check(steps: &[Step<'_>], refused: &[&str]) -> Result<(), Wrong> {
    let mut streams: BTreeMap<&str, Stream<'_>> = BTreeMap::new();
    for step in steps {
        streams.entry(step.key).or_default().take(step)?;
    }
    for stream in streams.values() {
        stream.ids_grow(refused)?;
        stream.ranges_agree()?;
        stream.delivered_once()?;
        stream.done_once()?;
        stream.pending_is_kept()?;
    }
    Ok(())
}

fn id(text: &str) -> Option<Id> {
    let (ms, seq) = text.split_once('-')?;
    Some((ms.parse().ok()?, seq.parse().ok()?))
}

fn id_of(value: &Value) -> Option<Id> {
    if let Value::Text(text) = value { id(text) } else { None }
}

/// `[[id, ["e", element]], ...]`.
fn entries(reply: &Value) -> Option<Vec<(Id, &str)>> {
    let Value::Array(values) = reply else { return None };
    values.iter().map(entry).collect()
}

fn entry(value: &Value) -> Option<(Id, &str)> {
    let Value::Array(parts) = value else { return None };
    let [at, Value::Array(fields)] = parts.as_slice() else { return None };
    let [_, Value::Text(element)] = fields.as_slice() else { return None };
    Some((id_of(at)?, element))
}

/// What stands behind the one key of `XREADGROUP`'s reply.
fn of_one_key(reply: &Value) -> Option<&Value> {
    let Value::Array(keys) = reply else { return None };
    let [Value::Array(pair)] = keys.as_slice() else { return None };
    pair.get(1)
}

fn show(id: Id) -> String {
    format!("{}-{}", id.0, id.1)
}

impl<'a> Stream<'a> {
    fn take(&mut self, step: &Step<'a>) -> Result<(), Wrong> {
        let span = Span { operation: step.operation, start_ns: step.start_ns, end_ns: step.end_ns };
        let strange = || (step.operation, format!("no such command is answered {:?}", step.reply));
        match (step.what, step.reply) {
            (Typed::Log(element), reply) => {
                let id = reply.map(|reply| id_of(reply).ok_or_else(strange)).transpose()?;
                self.added.insert(element, (span, id));
                if let Some(id) = id {
                    self.names(span, id, element)?;
                }
            }
            (Typed::Deliver { count, .. }, None) => self.unknown.push((step.start_ns, *count)),
            (Typed::Deliver { .. }, Some(Value::Nil)) => self.nothing_new.push(span),
            (Typed::Deliver { .. }, Some(reply)) => {
                for (id, element) in of_one_key(reply).and_then(entries).ok_or_else(strange)? {
                    self.names(span, id, element)?;
                    if self.delivered.insert(id, span).is_some() {
                        return Err((step.operation, format!("{} was handed out as new before", show(id))));
                    }
                }
            }
            (Typed::Ack(text), reply) => {
                let id = id(text).ok_or_else(strange)?;
                match reply {
                    Some(Value::Int(1)) if self.acked.insert(id, span).is_some() => {
                        return Err((step.operation, format!("{text} was acknowledged twice")));
                    }
                    Some(Value::Int(0 | 1)) => {}
                    Some(_) => return Err(strange()),
                    None => {
                        let begun_ns = self.maybe_acked.entry(id).or_insert(step.start_ns);
                        *begun_ns = (*begun_ns).min(step.start_ns);
                    }
                }
            }
            (Typed::Claim { .. }, Some(Value::Array(parts))) if parts.len() == 3 => {
                let claimed = entries(&parts[1]).ok_or_else(strange)?;
                claimed.iter().try_for_each(|(id, element)| self.names(span, *id, element))?;
                self.claimed.push((span, claimed.into_iter().map(|(id, _)| id).collect()));
            }
            (Typed::Logged, Some(reply)) => {
                let seen = entries(reply).ok_or_else(strange)?;
                seen.iter().try_for_each(|(id, element)| self.names(span, *id, element))?;
                self.ranges.push((span, seen.into_iter().map(|(id, _)| id).collect()));
            }
            (Typed::Pending, Some(Value::Array(rows))) => {
                let of_row =
                    |row: &Value| if let Value::Array(row) = row { id_of(row.first()?) } else { None };
                let ids: Option<BTreeSet<Id>> = rows.iter().map(of_row).collect();
                self.pending.push((span, ids.ok_or_else(strange)?));
            }
            (_, None) => {}
            _ => return Err(strange()),
        }
        Ok(())
    }

    /// An id belongs to one element, for everybody.
    fn names(&mut self, span: Span, id: Id, element: &'a str) -> Result<(), Wrong> {
        match self.elements.insert(id, element) {
            Some(other) if other != element => {
                Err((span.operation, format!("{} was {} before", show(id), quote(other))))
            }
            _ => Ok(()),
        }
    }

    /// Who was added later has the greater id, and is there once.
    fn ids_grow(&self, refused: &[&str]) -> Result<(), Wrong> {
        let mut ids: BTreeMap<&str, Id> = BTreeMap::new();
        for (id, element) in &self.elements {
            let Some((span, told)) = self.added.get(element) else {
                let what = if refused.contains(element) { "was refused" } else { "was added by nobody" };
                let by = self.reader_of(*id);
                return Err((by, format!("{} {what}, and is there", quote(element))));
            };
            if ids.insert(element, *id).is_some() || told.is_some_and(|told| told != *id) {
                return Err((span.operation, format!("{} is there twice", quote(element))));
            }
        }
        let mut by_end: Vec<(u64, Id)> = Vec::new();
        let mut by_begin: Vec<(Span, Id)> = Vec::new();
        for (element, id) in &ids {
            let (span, _) = self.added[element];
            by_end.push((span.end_ns, *id));
            by_begin.push((span, *id));
        }
        by_end.sort_unstable();
        by_begin.sort_by_key(|(span, _)| span.start_ns);
        let (mut ended, mut greatest) = (by_end.into_iter().peekable(), None);
        for (span, id) in by_begin {
            while let Some((_, earlier)) = ended.next_if(|(end_ns, _)| *end_ns < span.start_ns) {
                greatest = greatest.max(Some(earlier));
            }
            if greatest > Some(id) {
                let why = format!(
                    "{} is less than {}, which is older",
                    show(id),
                    greatest.map_or_else(String::new, show)
                );
                return Err((span.operation, why));
            }
        }
        Ok(())
    }

    fn reader_of(&self, id: Id) -> u32 {
        let ranges = self.ranges.iter().chain(&self.claimed).find(|(_, ids)| ids.contains(&id));
        let by = ranges.map(|(span, _)| span).or(self.delivered.get(&id));
        by.map_or(0, |span| span.operation)
    }

    /// Nothing is ever removed, so each range is a beginning of all, and has what had been added before.
    fn ranges_agree(&self) -> Result<(), Wrong> {
        let all: Vec<Id> = self.elements.keys().copied().collect();
        for (span, seen) in &self.ranges {
            if !all.starts_with(seen) {
                let missing =
                    all.iter().zip(seen).find(|(one, other)| one != other).map_or((0, 0), |pair| *pair.0);
                return Err((span.operation, format!("it has a hole at {}", show(missing))));
            }
            for id in &all[seen.len()..] {
                let added = self.added[self.elements[id]].0;
                if added.end_ns < span.start_ns {
                    return Err((span.operation, format!("{} was there before", show(*id))));
                }
            }
            if let Some(id) = seen.iter().find(|id| self.added[self.elements[id]].0.start_ns > span.end_ns) {
                return Err((span.operation, format!("{} was added later", show(*id))));
            }
        }
        Ok(())
    }

    /// As new: in the order of ids, with holes only for readers that nobody heard of again.
    fn delivered_once(&self) -> Result<(), Wrong> {
        let mut ends: Vec<(u64, Id)> = self.delivered.iter().map(|(id, span)| (span.end_ns, *id)).collect();
        ends.sort_unstable();
        let mut begins: Vec<(&Span, Id)> = self.delivered.iter().map(|(id, span)| (span, *id)).collect();
        begins.sort_by_key(|(span, _)| span.start_ns);
        let (mut ended, mut greatest) = (ends.into_iter().peekable(), None);
        for (span, id) in begins {
            while let Some((_, earlier)) = ended.next_if(|(end_ns, _)| *end_ns < span.start_ns) {
                greatest = greatest.max(Some(earlier));
            }
            if greatest > Some(id) {
                return Err((span.operation, format!("{} had been passed by", show(id))));
            }
        }
        self.skipped_are_explained()
    }

    /// Whatever lies before what was handed out, or was there when there was nothing new.
    fn skipped_are_explained(&self) -> Result<(), Wrong> {
        let mut needs: BTreeMap<Id, (u64, u32)> = BTreeMap::new();
        let mut skipped = |id: Id, span: &Span| {
            let need = needs.entry(id).or_insert((span.end_ns, span.operation));
            *need = (*need).min((span.end_ns, span.operation));
        };
        for (last, span) in &self.delivered {
            for id in self.elements.range(..last).map(|(id, _)| *id) {
                if !self.delivered.contains_key(&id) {
                    skipped(id, span);
                }
            }
        }
        for span in &self.nothing_new {
            for (id, element) in &self.elements {
                let by = self.delivered.get(id);
                if self.added[element].0.end_ns >= span.start_ns {
                    continue;
                }
                match by {
                    Some(by) if by.start_ns > span.end_ns => {
                        return Err((span.operation, format!("{} was new then", show(*id))));
                    }
                    Some(_) => {}
                    None => skipped(*id, span),
                }
            }
        }
        let mut needs: Vec<((u64, u32), Id)> = needs.into_iter().map(|(id, need)| (need, id)).collect();
        needs.sort_unstable();
        for (before, ((by_ns, operation), id)) in needs.into_iter().enumerate() {
            let begun = self.unknown.iter().filter(|(start_ns, _)| *start_ns <= by_ns);
            if begun.map(|(_, count)| *count).sum::<u64>() <= before as u64 {
                return Err((operation, format!("{} was handed out to nobody", show(id))));
            }
        }
        Ok(())
    }

    /// What is acknowledged was handed out, and comes to nobody again.
    fn done_once(&self) -> Result<(), Wrong> {
        for (id, ack) in &self.acked {
            self.was_handed_out(*id, ack)?;
            let again =
                self.claimed.iter().find(|(span, ids)| span.start_ns > ack.end_ns && ids.contains(id));
            let still =
                self.pending.iter().find(|(span, ids)| span.start_ns > ack.end_ns && ids.contains(id));
            let by = again.map(|(span, _)| span).or(still.map(|(span, _)| span));
            if let Some(span) = by {
                return Err((span.operation, format!("{} had been acknowledged", show(*id))));
            }
        }
        let claimed = self.claimed.iter().flat_map(|(span, ids)| ids.iter().map(move |id| (id, span)));
        let pending = self.pending.iter().flat_map(|(span, ids)| ids.iter().map(move |id| (id, span)));
        for (id, span) in claimed.chain(pending) {
            self.was_handed_out(*id, span)?;
        }
        Ok(())
    }

    fn was_handed_out(&self, id: Id, by: &Span) -> Result<(), Wrong> {
        let is_known = self.delivered.get(&id).is_some_and(|span| span.start_ns <= by.end_ns);
        if is_known || self.unknown.iter().any(|(start_ns, _)| *start_ns <= by.end_ns) {
            return Ok(());
        }
        Err((by.operation, format!("{} had been handed out to nobody", show(id))))
    }

    /// What was handed out and not acknowledged waits for somebody.
    fn pending_is_kept(&self) -> Result<(), Wrong> {
        for (span, pending) in &self.pending {
            for (id, by) in &self.delivered {
                let may_be_done = self.acked.get(id).is_some_and(|ack| ack.start_ns <= span.end_ns)
                    || self.maybe_acked.get(id).is_some_and(|begun_ns| *begun_ns <= span.end_ns);
                if by.end_ns < span.start_ns && !may_be_done && !pending.contains(id) {
                    return Err((span.operation, format!("{} is lost to the group", show(*id))));
                }
            }
        }
        Ok(())
    }
}
