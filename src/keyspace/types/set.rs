//! [`Set`]: members, each of them once. As long as all are numbers, and not too many, it is an intset; of strings, a
//! small one is a pack, and a large one a dictionary. An intset stands in the order of its numbers, the others in the
//! order in which members were added, but that in a dictionary the last member takes the place of one that is
//! removed. That there are packs must never be seen: clients are told of intsets and of hash tables, as by Redis 7.0.

mod grow;
#[cfg(test)]
mod tests;

use super::{Collection, Field, Forms, Frozen, Growing, Kind, Typed};
use crate::collections::{Blob, Dict, Element, HashSeed, IntBytes, Ints, Near, Pack, allocated, parse_i64};
use crate::keyspace::Value;
use crate::limits::{MAX_INTS, SET_PACK_MAX_MEMBER_BYTES, SET_PACK_MAX_MEMBERS};
use std::hint::black_box;
use std::ops::{Deref, Range};

/// See the module.
#[derive(Debug, Clone)]
pub struct Set(Repr);

#[derive(Debug, Clone)]
enum Repr {
    Ints(Ints),
    Pack(Pack),
    /// In a box, so that a small one takes no more than the handle of its elements.
    Table(Box<Dict<()>>),
}

impl Default for Set {
    fn default() -> Self {
        Self(Repr::Ints(Ints::new()))
    }
}

impl Near for Set {
    fn bring(&self, pointers: usize) -> bool {
        match &self.0 {
            Repr::Ints(ints) => ints.bring(pointers),
            Repr::Pack(pack) => pack.bring(pointers),
            Repr::Table(table) => pointers <= 1 && black_box(table.len()) > 0,
        }
    }
}

impl From<Set> for Value {
    fn from(set: Set) -> Self {
        Self::Set(Box::new(set))
    }
}

impl Set {
    /// An empty one that is no intset, whatever is added.
    pub fn of_strings() -> Self {
        Self(Repr::Pack(Pack::new()))
    }

    /// What an intset holds.
    pub fn of_ints(ints: Ints, forms: &Forms) -> Self {
        let mut set = Self(Repr::Ints(ints));
        set.check_len(forms);
        set
    }

    /// The form of numbers.
    pub fn ints(&self) -> Option<&Ints> {
        match &self.0 {
            Repr::Ints(ints) => Some(ints),
            _ => None,
        }
    }

    /// Whether it is a member.
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.0 {
            Repr::Ints(ints) => parse_i64(member).is_some_and(|number| ints.contains(number)),
            Repr::Pack(pack) => pack.find(pack.first(), member, 0).is_some(),
            Repr::Table(table) => table.contains(member),
        }
    }

    /// The same of a member of another set.
    pub fn has(&self, member: Field<'_>) -> bool {
        match (&self.0, member) {
            (Repr::Ints(ints), Field::Element(Element::Int(number))) => ints.contains(number),
            _ => self.contains(member.bytes(&mut IntBytes::default())),
        }
    }

    /// Adds a member. Whether it is new.
    pub fn insert(&mut self, member: impl Deref<Target = [u8]> + Into<Blob>, forms: &Forms) -> bool {
        if let Repr::Ints(ints) = &mut self.0 {
            if let Some(number) = parse_i64(&member) {
                let is_new = ints.insert(number);
                if is_new {
                    self.check_len(forms);
                }
                return is_new;
            }
            self.leave_ints(forms);
        }
        if let Repr::Pack(pack) = &mut self.0 {
            if pack.find(pack.first(), &member, 0).is_some() {
                return false;
            }
            if pack.len() < SET_PACK_MAX_MEMBERS && member.len() <= SET_PACK_MAX_MEMBER_BYTES {
                pack.push_back(&member);
                return true;
            }
            self.leave_pack(forms);
        }
        match &mut self.0 {
            Repr::Table(table) => table.insert(member, ()).is_none(),
            Repr::Ints(_) | Repr::Pack(_) => unreachable!("it has just left these forms"),
        }
    }

    /// Adds members of other sets.
    pub fn extend<'a>(&mut self, members: impl Iterator<Item = Field<'a>>, forms: &Forms) {
        for member in members {
            self.insert(member.to_blob(), forms);
        }
    }

    /// Removes a member. Whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Ints(ints) => parse_i64(member).is_some_and(|number| ints.remove(number)),
            Repr::Pack(pack) => match pack.find(pack.first(), member, 0) {
                Some(at) => {
                    pack.remove(at);
                    true
                }
                None => false,
            },
            Repr::Table(table) => table.remove(member).is_some(),
        }
    }

    /// Removes the member at a position.
    pub fn remove_at(&mut self, position: usize) -> Option<Blob> {
        match &mut self.0 {
            Repr::Ints(ints) => {
                let number = ints.get(position)?;
                ints.remove(number);
                Some(Element::Int(number).to_blob())
            }
            Repr::Pack(pack) => {
                let at = pack.seek(position as isize)?;
                let member = pack.get(at).to_blob();
                pack.remove(at);
                Some(member)
            }
            Repr::Table(table) => table.remove_at(position).map(|(member, ())| member),
        }
    }

    /// All members, in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.range(0..self.len())
    }

    /// Those at these positions: the first takes as long as there are ones before it in a pack.
    fn range(&self, positions: Range<usize>) -> impl Iterator<Item = Field<'_>> {
        let (ints, pack, table) = match &self.0 {
            Repr::Ints(ints) => {
                let numbers = positions.map_while(|index| ints.get(index));
                (Some(numbers.map(|number| Field::Element(Element::Int(number)))), None, None)
            }
            Repr::Pack(pack) => {
                let from = pack.seek(positions.start as isize);
                let members = from.map(|at| pack.iter_from(at).take(positions.len()).map(Field::Element));
                (None, members, None)
            }
            Repr::Table(table) => {
                (None, None, Some(table.range(positions).map(|(member, ())| member.into())))
            }
        };
        let (ints, pack) = (ints.into_iter().flatten(), pack.into_iter().flatten());
        ints.chain(pack).chain(table.into_iter().flatten())
    }

    /// The member at a position.
    pub fn at(&self, position: usize) -> Option<Field<'_>> {
        self.range(position..position.checked_add(1)?).next()
    }

    /// A step of a walk over all of it; see [`Dict::scan`]. What is no dictionary is walked in one.
    pub fn scan(&self, cursor: u64, count: usize) -> (u64, impl Iterator<Item = Field<'_>>) {
        let (next, positions) = match &self.0 {
            Repr::Ints(_) | Repr::Pack(_) => (0, 0..self.len()),
            Repr::Table(table) => table.scan(cursor, count),
        };
        (next, self.range(positions))
    }

    /// It is no intset any more if it has too many members for one.
    fn check_len(&mut self, forms: &Forms) {
        let most = forms.compact.set_max_intset_entries.min(MAX_INTS);
        if self.ints().is_some_and(|ints| ints.len() > most) {
            self.leave_ints(forms);
        }
    }

    fn leave_ints(&mut self, forms: &Forms) {
        let Repr::Ints(ints) = &self.0 else { return };
        if ints.len() <= SET_PACK_MAX_MEMBERS {
            let mut pack = Pack::new();
            ints.iter().for_each(|number| pack.push_back_int(number));
            self.0 = Repr::Pack(pack);
        } else {
            self.become_table(forms);
        }
    }

    fn leave_pack(&mut self, forms: &Forms) {
        if let Repr::Pack(_) = &self.0 {
            self.become_table(forms);
        }
    }

    fn become_table(&mut self, forms: &Forms) {
        let mut table = Dict::new(HashSeed::new(forms.seed));
        for member in self.iter() {
            table.insert(member.to_blob(), ());
        }
        self.0 = Repr::Table(Box::new(table));
    }
}

impl Collection for Set {
    fn kind(&self) -> Kind {
        Kind::Set
    }

    fn encoding(&self) -> &'static str {
        if self.ints().is_some() { "intset" } else { "hashtable" }
    }

    fn len(&self) -> usize {
        match &self.0 {
            Repr::Ints(ints) => ints.len(),
            Repr::Pack(pack) => pack.len(),
            Repr::Table(table) => table.len(),
        }
    }

    fn heap_bytes(&self) -> usize {
        let inner = match &self.0 {
            Repr::Ints(ints) => ints.heap_bytes(),
            Repr::Pack(pack) => pack.heap_bytes(),
            Repr::Table(table) => allocated(size_of::<Dict<()>>()) + table.heap_bytes(),
        };
        allocated(size_of::<Self>()) + inner
    }

    fn freeze(&self) -> Box<dyn Frozen> {
        match &self.0 {
            Repr::Ints(ints) => Box::new(grow::FrozenBytes::new(grow::INTS, ints.as_bytes())),
            Repr::Pack(pack) => Box::new(grow::FrozenBytes::new(grow::PACK, pack.as_bytes())),
            Repr::Table(table) => Box::new(grow::FrozenTable(table.freeze())),
        }
    }

    fn release(&mut self, elements: usize) -> bool {
        match &mut self.0 {
            Repr::Ints(_) | Repr::Pack(_) => true, // in one piece
            Repr::Table(table) => table.release(elements),
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Repr::Ints(ints) => grow::put_bytes(out, grow::INTS, ints.as_bytes()),
            Repr::Pack(pack) => grow::put_bytes(out, grow::PACK, pack.as_bytes()),
            Repr::Table(table) => grow::put_table(out, table.iter().map(|(member, ())| member)),
        }
    }
}

impl Typed for Set {
    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::Set(set) => Some(set),
            _ => None,
        }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Set(set) => Some(set),
            _ => None,
        }
    }
}

impl Set {
    /// An empty one, to be restored.
    pub(super) fn grow(forms: &Forms) -> Box<dyn Growing> {
        Box::new(grow::GrowingSet::new(HashSeed::new(forms.seed)))
    }
}
