//! [`SortedSet`]: members with scores, in the order of scores, and of members among equal scores. A small one is a pack
//! of member, score, member, score in that order; a large one a dictionary beside the order. There is no score
//! that is not a number.

mod grow;
mod range;
mod score;

pub use range::Range;

use super::hash::grow::{FrozenPack, put_pack};
use super::{Collection, Field, Forms, Frozen, Growing, Kind, Typed};
use crate::collections::{At, Blob, Dict, Element, HashSeed, IntBytes, Near, Pack, Seq, Weigh, allocated};
use crate::keyspace::Value;
use std::cmp::Ordering;
use std::hint::black_box;
use std::ops;

/// See the module.
#[derive(Debug, Clone)]
pub struct SortedSet(Repr);

#[derive(Debug, Clone)]
enum Repr {
    Pack(Pack),
    /// In a box, so that a small one takes no more than its pack's handle.
    Table(Box<Table>),
}

/// The order of the dictionary is that of insertions, and can be seen (`ZSCAN`); the other one follows from what is
/// in it.
#[derive(Debug, Clone)]
struct Table {
    scores: Dict<f64>,
    order: Seq<Ranked>,
}

/// A member in its place. What it takes counts where the dictionary has it.
#[derive(Debug, Clone)]
struct Ranked {
    score: f64,
    member: Blob,
}

impl Weigh for Ranked {}

fn compare(a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal).then_with(|| a.1.cmp(b.1))
}

impl Table {
    fn new(forms: &Forms) -> Self {
        Self { scores: Dict::new(HashSeed::new(forms.seed)), order: Seq::new() }
    }

    /// Where a member with this score stands, or would stand.
    fn place(&self, score: f64, member: &[u8]) -> usize {
        self.order.partition_point(|other| compare((other.score, &other.member), (score, member)).is_lt())
    }

    fn insert(&mut self, member: &[u8], score: f64) {
        let Some(position) = self.scores.position(member) else {
            let member = Blob::new(member);
            self.order.insert(self.place(score, &member), Ranked { score, member: member.clone() });
            self.scores.insert(member, score);
            return;
        };
        let Some((member, old)) = self.scores.at(position).map(|(member, old)| (member.clone(), *old)) else {
            return;
        };
        self.order.remove(self.place(old, &member));
        self.order.insert(self.place(score, &member), Ranked { score, member });
        self.scores.set_at(position, score);
    }
}

impl Default for SortedSet {
    fn default() -> Self {
        Self(Repr::Pack(Pack::new()))
    }
}

impl Near for SortedSet {
    fn bring(&self, pointers: usize) -> bool {
        match &self.0 {
            Repr::Pack(pack) => pack.bring(pointers),
            Repr::Table(table) => pointers <= 1 && black_box(table.scores.len()) > 0,
        }
    }
}

impl From<SortedSet> for Value {
    fn from(set: SortedSet) -> Self {
        Self::SortedSet(set)
    }
}

impl SortedSet {
    /// What a pack of member, score, member, score holds. None: no pairs, a member twice, no score, or not in order.
    pub fn of_pack(pack: Pack, forms: &Forms) -> Option<Self> {
        if !score::is_sound(&pack) {
            return None;
        }
        let mut set = Self(Repr::Pack(pack));
        if set.len() > forms.compact.zset_max_listpack_entries {
            set.convert(forms);
        }
        Some(set)
    }

    /// What has these members, all of them different, with these scores. None: there are none, or no number is a
    /// score.
    pub fn of_pairs(pairs: Vec<(Blob, f64)>, forms: &Forms) -> Option<Self> {
        if pairs.is_empty() || pairs.iter().any(|(_, score)| score.is_nan()) {
            return None;
        }
        let compact = &forms.compact;
        let bytes = pairs.iter().fold(0usize, |sum, (member, _)| sum.saturating_add(member.len()));
        let is_small = pairs.len() <= compact.zset_max_listpack_entries
            && pairs.iter().all(|(member, _)| member.len() <= compact.zset_max_listpack_value)
            && Pack::new().has_room_for(bytes);
        let mut sorted = pairs;
        sorted.sort_unstable_by(|a, b| compare((a.1, &a.0), (b.1, &b.0)));
        if is_small {
            let mut pack = Pack::new();
            sorted.iter().for_each(|(member, score)| put_before(&mut pack, None, member, *score));
            return Some(Self(Repr::Pack(pack)));
        }
        let mut table = Table::new(forms);
        for (member, score) in &sorted {
            if table.scores.insert(member.clone(), *score).is_some() {
                return None;
            }
        }
        table.order = sorted.into_iter().map(|(member, score)| Ranked { score, member }).collect();
        Some(Self(Repr::Table(Box::new(table))))
    }

    /// The small form.
    pub fn pack(&self) -> Option<&Pack> {
        match &self.0 {
            Repr::Pack(pack) => Some(pack),
            Repr::Table(_) => None,
        }
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Repr::Pack(pack) => {
                let at = pack.find(pack.first(), member, 1)?;
                Some(score::of(pack.get(pack.next(at)?)))
            }
            Repr::Table(table) => table.scores.get(member).copied(),
        }
    }

    /// Sets the score of a member, which may be new.
    pub fn insert(&mut self, member: &[u8], score: f64, forms: &Forms) {
        if let Repr::Pack(pack) = &mut self.0 {
            if let Some(at) = pack.find(pack.first(), member, 1) {
                pack.remove_range(at, 2);
                return put_in_order(pack, member, score);
            }
            let compact = &forms.compact;
            if pack.len() / 2 < compact.zset_max_listpack_entries
                && member.len() <= compact.zset_max_listpack_value
                && pack.has_room_for(member.len())
            {
                return put_in_order(pack, member, score);
            }
            self.convert(forms);
        }
        if let Repr::Table(table) = &mut self.0 {
            table.insert(member, score);
        }
    }

    /// Removes a member. Whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Pack(pack) => {
                let Some(at) = pack.find(pack.first(), member, 1) else { return false };
                pack.remove_range(at, 2);
                true
            }
            Repr::Table(table) => {
                let Some((member, score)) = table.scores.remove(member) else { return false };
                table.order.remove(table.place(score, &member));
                true
            }
        }
    }

    /// Removes those of these ranks, as far as there are any.
    pub fn remove_range(&mut self, ranks: ops::Range<usize>) {
        let ranks = ranks.start..ranks.end.min(self.len());
        match &mut self.0 {
            Repr::Pack(pack) => {
                if let Some(at) = pack.seek(2 * ranks.start as isize) {
                    pack.remove_range(at, 2 * ranks.len());
                }
            }
            Repr::Table(table) => {
                for ranked in table.order.range(ranks.clone()) {
                    table.scores.remove(&ranked.member);
                }
                table.order.remove_range(ranks);
            }
        }
    }

    /// How many have a lower score, or an equal one and come before.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        match &self.0 {
            Repr::Pack(pack) => pack.iter().step_by(2).position(|other| other.equals(member)),
            Repr::Table(table) => Some(table.place(*table.scores.get(member)?, member)),
        }
    }

    /// How many at the beginning `is_before` holds for, given scores and members, if it holds for none behind
    /// the first that it does not hold for. O(log n) of a large one.
    pub fn count_before(&self, mut is_before: impl FnMut(f64, &[u8]) -> bool) -> usize {
        match &self.0 {
            Repr::Pack(_) => {
                let mut room = IntBytes::default();
                self.iter().take_while(|(member, score)| is_before(*score, member.bytes(&mut room))).count()
            }
            Repr::Table(table) => table.order.partition_point(|other| is_before(other.score, &other.member)),
        }
    }

    /// All members with their scores, the lowest first.
    pub fn iter(&self) -> Range<'_> {
        self.range(0..self.len())
    }

    /// Those of these ranks, as far as there are any.
    pub fn range(&self, ranks: ops::Range<usize>) -> Range<'_> {
        match &self.0 {
            Repr::Pack(pack) => Range::of_pack(pack, ranks),
            Repr::Table(table) => Range::of_order(table.order.range(ranks)),
        }
    }

    /// A step of a walk over all of it; see [`Dict::scan`]. A small one is walked in one.
    pub fn scan(&self, cursor: u64, count: usize) -> (u64, impl Iterator<Item = (Field<'_>, f64)>) {
        let (next, pack, table) = match &self.0 {
            Repr::Pack(_) => (0, Some(self.iter()), None),
            Repr::Table(table) => {
                let (next, positions) = table.scores.scan(cursor, count);
                let pair = |(member, score): (_, &f64)| (Field::Blob(member), *score);
                (next, None, Some(table.scores.range(positions).map(pair)))
            }
        };
        (next, pack.into_iter().flatten().chain(table.into_iter().flatten()))
    }

    fn convert(&mut self, forms: &Forms) {
        let Repr::Pack(_) = &self.0 else { return };
        let mut table = Table::new(forms);
        for (member, score) in self.iter() {
            let member = member.to_blob();
            table.order.push_back(Ranked { score, member: member.clone() });
            table.scores.insert(member, score);
        }
        self.0 = Repr::Table(Box::new(table));
    }
}

fn put_in_order(pack: &mut Pack, member: &[u8], score: f64) {
    let mut at = pack.first();
    while let Some((place, behind)) = at.and_then(|at| Some((at, pack.next(at)?))) {
        let other = score::of(pack.get(behind));
        let mut room = IntBytes::default();
        if compare((other, pack.get(place).bytes(&mut room)), (score, member)).is_gt() {
            break;
        }
        at = pack.next(behind);
    }
    put_before(pack, at, member, score);
}

fn put_before(pack: &mut Pack, at: Option<At>, member: &[u8], score: f64) {
    score::with_element(score, |score| pack.insert_all(at, [Element::Bytes(member), score]));
}

impl Collection for SortedSet {
    fn kind(&self) -> Kind {
        Kind::SortedSet
    }

    fn encoding(&self) -> &'static str {
        if self.pack().is_some() { "listpack" } else { "skiplist" }
    }

    fn len(&self) -> usize {
        match &self.0 {
            Repr::Pack(pack) => pack.len() / 2,
            Repr::Table(table) => table.scores.len(),
        }
    }

    fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Pack(pack) => pack.heap_bytes(),
            Repr::Table(table) => {
                allocated(size_of::<Table>()) + table.scores.heap_bytes() + table.order.heap_bytes()
            }
        }
    }

    fn freeze(&self) -> Box<dyn Frozen> {
        match &self.0 {
            Repr::Pack(pack) => Box::new(FrozenPack::new(pack)),
            Repr::Table(table) => Box::new(grow::FrozenTable(table.scores.freeze())),
        }
    }

    fn release(&mut self, elements: usize) -> bool {
        match &mut self.0 {
            Repr::Pack(_) => true, // in one piece
            Repr::Table(table) => {
                let is_unordered = table.order.release(elements);
                table.scores.release(elements) && is_unordered
            }
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Repr::Pack(pack) => put_pack(out, pack.as_bytes()),
            Repr::Table(table) => grow::put_table(out, table.scores.iter()),
        }
    }
}

impl Typed for SortedSet {
    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::SortedSet(set) => Some(set),
            _ => None,
        }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::SortedSet(set) => Some(set),
            _ => None,
        }
    }
}

impl SortedSet {
    /// An empty one, to be restored.
    pub(super) fn grow(forms: &Forms) -> Box<dyn Growing> {
        Box::new(grow::GrowingSet::new(forms))
    }
}
