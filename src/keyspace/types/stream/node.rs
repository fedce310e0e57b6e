//! [`Node`]: some entries of a stream in one pack, which is what Redis keeps and dumps: a master entry that
//! has the counts and the names of fields, then each entry with what differs. Which entries share a node is state.

use super::Id;
use crate::collections::{At, Element, Near, Pack, PackIter, Weigh, allocated};
use std::hint::black_box;
use std::sync::Arc;

/// An entry is marked that was removed; ...
pub(super) const DELETED: i64 = 1;
/// ... and one whose fields have the names that the master entry has.
pub(super) const SAME_FIELDS: i64 = 2;
/// What stands in an entry besides names and values: its flags, its two differences, how many elements it has; ...
pub(super) const OVERHEAD: usize = 4;
/// ... and in a master entry: two counts, the number of names, its end.
pub(super) const MASTER_OVERHEAD: usize = 4;
/// The counts that stand before a pack in an [`Arc`].
const ARC_BYTES: usize = 2 * size_of::<usize>();

/// See the module. A clone shares the pack.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Of the master entry: that of its first entry, as long as that is there.
    id: Id,
    pack: Arc<Pack>,
    /// Entries that are not removed.
    live: u32,
    heap_bytes: u32,
}

impl Near for Node {
    fn bring(&self, pointers: usize) -> bool {
        match pointers {
            0 => black_box(self.live) > 0,
            _ => self.pack.bring(pointers),
        }
    }
}

impl Weigh for Node {
    fn weight(&self) -> usize {
        self.live as usize
    }

    fn heap_bytes(&self) -> usize {
        self.heap_bytes as usize
    }

    fn rank(&self) -> u64 {
        self.id.ms
    }
}

impl Node {
    /// One without entries: for [`Node::change`] to add one at once.
    pub(super) fn empty(id: Id, pack: Pack) -> Self {
        Self { id, pack: Arc::new(pack), live: 0, heap_bytes: 0 }
    }

    /// The node that a pack is, if it is sound: with entries whose ids rise, and with true counts.
    pub(super) fn checked(id: Id, pack: Pack) -> Option<Self> {
        let mut items = pack.iter();
        let mut number = || items.next()?.as_int();
        let (live, deleted, width) = (number()?, number()?, number()?);
        for _ in 0..usize::try_from(width).ok()? {
            items.next()?;
        }
        if items.next()?.as_int()? != 0 {
            return None;
        }
        let (mut last, mut lives, mut deads) = (None, 0, 0);
        while let Some(flags) = items.next() {
            let flags = flags.as_int()?;
            let mut number = || items.next()?.as_int();
            let entry = id.plus(number()?, number()?);
            let is_same = flags & SAME_FIELDS != 0;
            let fields = if is_same { width } else { number()? };
            let values = if is_same { fields } else { fields.checked_mul(2)? };
            for _ in 0..usize::try_from(values).ok()? {
                items.next()?;
            }
            let elements = values + 3 + i64::from(!is_same);
            if items.next()?.as_int()? != elements || last.is_some_and(|last| last >= entry) || entry < id {
                return None;
            }
            last = Some(entry);
            *(if flags & DELETED == 0 { &mut lives } else { &mut deads }) += 1;
        }
        if (lives, deads) != (live, deleted) || lives + deads == 0 {
            return None;
        }
        let mut node = Self::empty(id, pack);
        node.measure(u32::try_from(live).ok()?);
        Some(node)
    }

    pub(super) fn id(&self) -> Id {
        self.id
    }

    pub(super) fn pack(&self) -> &Pack {
        &self.pack
    }

    /// Entries that are not removed.
    pub(super) fn live(&self) -> usize {
        self.live as usize
    }

    /// All entries, removed ones included.
    pub(super) fn entries(&self) -> usize {
        let mut counts = self.pack.iter();
        let mut number = || counts.next().and_then(Element::as_int).unwrap_or_default();
        usize::try_from(number().saturating_add(number())).unwrap_or_default()
    }

    pub(super) fn view(&self) -> View<'_> {
        View::new(self)
    }

    /// Changes the pack; `f` says by how many its live entries become more.
    pub(super) fn change(&mut self, f: impl FnOnce(&mut Pack) -> i64) {
        let added = f(Arc::make_mut(&mut self.pack));
        self.measure((i64::from(self.live) + added) as u32);
    }

    fn measure(&mut self, live: u32) {
        let bytes = allocated(ARC_BYTES + size_of::<Pack>()) + self.pack.heap_bytes();
        (self.live, self.heap_bytes) = (live, u32::try_from(bytes).unwrap_or(u32::MAX));
    }
}

/// A node that is being read: what its master entry says is at hand.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pack: &'a Pack,
    id: Id,
    /// Names in the master entry.
    width: usize,
    names: Option<At>,
    first: Option<At>,
}

/// An entry where it stands.
#[derive(Clone)]
pub(super) struct Place<'a> {
    /// Of its flags.
    pub(super) at: At,
    pub(super) flags: i64,
    pub(super) next: Option<At>,
    pub(super) entry: Entry<'a>,
}

impl<'a> View<'a> {
    fn new(node: &'a Node) -> Self {
        let pack = node.pack();
        let mut items = pack.iter();
        let mut number = || items.next().and_then(Element::as_int).unwrap_or_default();
        let (_, _, width) = (number(), number(), number() as usize);
        let names = items.at();
        let first = items.skip_elements(width + 1).at();
        Self { pack, id: node.id, width, names, first }
    }

    /// Whether these are the names in the master entry.
    pub(super) fn has_names<'n>(&self, names: impl ExactSizeIterator<Item = &'n &'n [u8]>) -> bool {
        let own = self.names.map(|at| self.pack.iter_from(at));
        names.len() == self.width && own.into_iter().flatten().zip(names).all(|(own, name)| own.equals(name))
    }

    /// Where the first entry stands.
    pub(super) fn first(&self) -> Option<At> {
        self.first
    }

    /// Where the last entry stands.
    pub(super) fn last(&self) -> Option<At> {
        self.begin_of(self.pack.last()?)
    }

    /// Where the entry before this one stands.
    pub(super) fn before(&self, at: At) -> Option<At> {
        self.begin_of(self.pack.prev(at)?)
    }

    /// Where what ends with this element begins; None: it is the master entry.
    fn begin_of(&self, end: At) -> Option<At> {
        let elements = int(self.pack, end);
        (elements > 0).then_some(())?;
        let mut at = end;
        for _ in 0..elements {
            at = self.pack.prev(at)?;
        }
        Some(at)
    }

    /// The entry that stands there. That it is whole was looked at when the pack was taken in.
    pub(super) fn place(&self, at: At) -> Option<Place<'a>> {
        let mut items = self.pack.iter_from(at);
        let mut number = || items.next()?.as_int();
        let flags = number()?;
        let id = self.id.plus(number()?, number()?);
        let names = self.names.filter(|_| flags & SAME_FIELDS != 0);
        let len = if names.is_some() { self.width } else { number()? as usize };
        let names = names.map(|at| self.pack.iter_from(at));
        let elements = if names.is_some() { len } else { 2 * len };
        let entry = Entry { id, len, names, items: items.clone() };
        let next = items.skip_elements(elements + 1).at();
        Some(Place { at, flags, next, entry })
    }

    /// The places of all entries from this one on.
    pub(super) fn places(self, from: Option<At>) -> impl Iterator<Item = Place<'a>> {
        let place = move |at: Option<At>| self.place(at?);
        std::iter::successors(place(from), move |last| place(last.next))
    }
}

impl Place<'_> {
    pub(super) fn is_deleted(&self) -> bool {
        self.flags & DELETED != 0
    }
}

/// An entry of a stream.
#[derive(Clone)]
pub struct Entry<'a> {
    pub id: Id,
    len: usize,
    /// From the master entry, if they are the same.
    names: Option<PackIter<'a>>,
    items: PackIter<'a>,
}

impl<'a> Entry<'a> {
    /// Fields that it has.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its fields with their values, in their order.
    pub fn fields(&self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> + use<'a> {
        let (mut names, mut items) = (self.names.clone(), self.items.clone());
        (0..self.len).map_while(move |_| {
            let name = match &mut names {
                Some(names) => names.next()?,
                None => items.next()?,
            };
            Some((name, items.next()?))
        })
    }
}

/// The number that stands there: what is none was refused when the pack was taken in.
fn int(pack: &Pack, at: At) -> i64 {
    pack.get(at).as_int().unwrap_or_default()
}
