//! [`Hash`]: fields with values. A small one is a pack of field, value, field, value; a large one a dictionary. Both
//! stand in the order in which fields were added, but that in a large one the last field takes the place of one that
//! is removed.

mod field;
pub(super) mod grow;

pub use field::Field;

use super::{Collection, Forms, Frozen, Growing, Kind, Typed};
use crate::collections::{Blob, Dict, Element, HashSeed, Near, Pack, allocated};
use crate::keyspace::Value;
use std::hint::black_box;
use std::ops::Range;

/// See the module.
#[derive(Debug, Clone)]
pub struct Hash(Repr);

#[derive(Debug, Clone)]
enum Repr {
    Pack(Pack),
    /// In a box, so that a small one takes no more than its pack's handle.
    Table(Box<Dict<Blob>>),
}

impl Default for Hash {
    fn default() -> Self {
        Self(Repr::Pack(Pack::new()))
    }
}

impl Near for Hash {
    fn bring(&self, pointers: usize) -> bool {
        match &self.0 {
            Repr::Pack(pack) => pack.bring(pointers),
            Repr::Table(table) => pointers <= 1 && black_box(table.len()) > 0,
        }
    }
}

impl From<Hash> for Value {
    fn from(hash: Hash) -> Self {
        Self::Hash(hash)
    }
}

impl Hash {
    /// One that is going to be large.
    pub fn large(forms: &Forms) -> Self {
        Self(Repr::Table(Box::new(Dict::new(HashSeed::new(forms.seed)))))
    }

    /// What a pack of field, value, field, value holds. None: no pairs, or a field twice.
    pub fn of_pack(pack: Pack, forms: &Forms) -> Option<Self> {
        let len = pack.len();
        if len == 0 || !len.is_multiple_of(2) || has_twice(pack.iter().step_by(2).map(Element::to_blob)) {
            return None;
        }
        let mut hash = Self(Repr::Pack(pack));
        hash.check_len(forms);
        Some(hash)
    }

    /// The same of pairs.
    pub fn of_pairs(pairs: Vec<(Blob, Blob)>, forms: &Forms) -> Option<Self> {
        if pairs.is_empty() || has_twice(pairs.iter().map(|(field, _)| field.clone())) {
            return None;
        }
        let mut hash = Self::default();
        hash.make_room(pairs.iter().flat_map(|(field, value)| [&**field, &**value]), forms);
        for (field, value) in pairs {
            match &mut hash.0 {
                Repr::Pack(pack) => push(pack, &field, &value),
                Repr::Table(table) => drop(table.insert(field, value)),
            }
        }
        hash.check_len(forms);
        Some(hash)
    }

    /// The small form.
    pub fn pack(&self) -> Option<&Pack> {
        match &self.0 {
            Repr::Pack(pack) => Some(pack),
            Repr::Table(_) => None,
        }
    }

    /// The value of a field.
    pub fn get(&self, field: &[u8]) -> Option<Field<'_>> {
        match &self.0 {
            Repr::Pack(pack) => {
                let value = pack.next(pack.find(pack.first(), field, 1)?)?;
                Some(pack.get(value).into())
            }
            Repr::Table(table) => table.get(field).map(Field::from),
        }
    }

    /// Takes the large form if any of these, all of which are going to be in it, is too long for the small one.
    pub fn make_room<'b>(&mut self, strings: impl Iterator<Item = &'b [u8]>, forms: &Forms) {
        let Repr::Pack(pack) = &self.0 else { return };
        let mut added_bytes = 0usize;
        for string in strings {
            if string.len() > forms.compact.hash_max_listpack_value {
                return self.convert(forms);
            }
            added_bytes = added_bytes.saturating_add(string.len());
        }
        if !pack.has_room_for(added_bytes) {
            self.convert(forms);
        }
    }

    /// Sets the value of a field. Whether the field is new.
    pub fn insert(&mut self, field: &[u8], value: &[u8], forms: &Forms) -> bool {
        if field.len().max(value.len()) > forms.compact.hash_max_listpack_value {
            self.convert(forms);
        }
        let is_new = match &mut self.0 {
            Repr::Pack(pack) => match pack.find(pack.first(), field, 1).and_then(|at| pack.next(at)) {
                Some(at) => {
                    pack.replace(at, value);
                    false
                }
                None => {
                    push(pack, field, value);
                    true
                }
            },
            Repr::Table(table) => return table.insert(field, Blob::new(value)).is_none(),
        };
        self.check_len(forms);
        is_new
    }

    /// Removes a field. Whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Pack(pack) => {
                let Some(at) = pack.find(pack.first(), field, 1) else { return false };
                pack.remove_range(at, 2);
                true
            }
            Repr::Table(table) => table.remove(field).is_some(),
        }
    }

    /// All fields with their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Field<'_>, Field<'_>)> {
        self.range(0..self.len())
    }

    /// Those at these positions: the first takes as long as there are ones before it in the small form.
    fn range(&self, positions: Range<usize>) -> impl Iterator<Item = (Field<'_>, Field<'_>)> {
        let (pack, table) = match &self.0 {
            Repr::Pack(pack) => {
                let from = pack.seek(2 * positions.start as isize);
                (from.map(|at| Pairs(pack.iter_from(at)).take(positions.len())), None)
            }
            Repr::Table(table) => {
                let pair = |(field, value)| (Field::Blob(field), Field::Blob(value));
                (None, Some(table.range(positions).map(pair)))
            }
        };
        pack.into_iter().flatten().chain(table.into_iter().flatten())
    }

    /// What stands at a position.
    pub fn at(&self, position: usize) -> Option<(Field<'_>, Field<'_>)> {
        self.range(position..position.checked_add(1)?).next()
    }

    /// A step of a walk over all of it; see [`Dict::scan`]. A small one is walked in one.
    pub fn scan(&self, cursor: u64, count: usize) -> (u64, impl Iterator<Item = (Field<'_>, Field<'_>)>) {
        let (next, positions) = match &self.0 {
            Repr::Pack(_) => (0, 0..self.len()),
            Repr::Table(table) => table.scan(cursor, count),
        };
        (next, self.range(positions))
    }

    /// Takes the large form if there are too many for the small one.
    fn check_len(&mut self, forms: &Forms) {
        if self.pack().is_some_and(|pack| pack.len() / 2 > forms.compact.hash_max_listpack_entries) {
            self.convert(forms);
        }
    }

    fn convert(&mut self, forms: &Forms) {
        let Repr::Pack(pack) = &self.0 else { return };
        let mut table = Dict::new(HashSeed::new(forms.seed));
        for (field, value) in Pairs(pack.iter()) {
            table.insert(field.to_blob(), value.to_blob());
        }
        self.0 = Repr::Table(Box::new(table));
    }
}

fn push(pack: &mut Pack, field: &[u8], value: &[u8]) {
    pack.insert_all(None, [Element::Bytes(field), Element::Bytes(value)]);
}

/// The elements of a pack, two at a time.
struct Pairs<I>(I);

impl<'a, I: Iterator<Item = Element<'a>>> Iterator for Pairs<I> {
    type Item = (Field<'a>, Field<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?.into(), self.0.next()?.into()))
    }
}

fn has_twice(fields: impl Iterator<Item = Blob>) -> bool {
    let mut fields: Vec<Blob> = fields.collect();
    fields.sort_unstable();
    !fields.is_sorted_by(|a, b| a < b)
}

impl Collection for Hash {
    fn kind(&self) -> Kind {
        Kind::Hash
    }

    fn encoding(&self) -> &'static str {
        if self.pack().is_some() { "listpack" } else { "hashtable" }
    }

    fn len(&self) -> usize {
        match &self.0 {
            Repr::Pack(pack) => pack.len() / 2,
            Repr::Table(table) => table.len(),
        }
    }

    fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Pack(pack) => pack.heap_bytes(),
            Repr::Table(table) => allocated(size_of::<Dict<Blob>>()) + table.heap_bytes(),
        }
    }

    fn freeze(&self) -> Box<dyn Frozen> {
        match &self.0 {
            Repr::Pack(pack) => Box::new(grow::FrozenPack::new(pack)),
            Repr::Table(table) => Box::new(grow::FrozenTable(table.freeze())),
        }
    }

    fn release(&mut self, elements: usize) -> bool {
        match &mut self.0 {
            Repr::Pack(_) => true, // in one piece
            Repr::Table(table) => table.release(elements),
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Repr::Pack(pack) => grow::put_pack(out, pack.as_bytes()),
            Repr::Table(table) => grow::put_table(out, table.iter()),
        }
    }
}

impl Typed for Hash {
    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::Hash(hash) => Some(hash),
            _ => None,
        }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Hash(hash) => Some(hash),
            _ => None,
        }
    }
}

impl Hash {
    /// An empty one, to be restored.
    pub(super) fn grow(forms: &Forms) -> Box<dyn Growing> {
        Box::new(grow::GrowingHash::new(HashSeed::new(forms.seed)))
    }
}
