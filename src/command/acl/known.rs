//! Every command that an access rule may name: those of the table, and those of Redis 7.0 that the
//! table lacks, so that rules which name them mean the same here as there, and hold for a command
//! that a later version brings. This module must never say that a command exists.

use crate::command::row::{Category, Command};
use crate::command::table;
use std::sync::LazyLock;

/// `name category ...` a line, as `COMMAND INFO` of Redis 7.0.15 shows them.
pub(super) const REDIS: &str = include_str!("redis-7.0.txt");

/// Words of 64 commands in a [`CommandSet`].
const WORDS: usize = 16;

/// A command that rules may name.
pub(super) struct Known {
    /// `container|subcommand`, or the command's name.
    pub name: &'static str,
    categories: u32,
    /// Places of its subcommands.
    pub children: Vec<u16>,
    pub is_child: bool,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let rows = table::all().map(|row| (row.full_name, mask(&row.acl_categories())));
    let mut all: Vec<(&str, u32)> = rows.collect();
    for (name, categories) in of_redis() {
        if !table::all().any(|row: &Command| row.full_name == name) {
            all.push((name, mask(&categories)));
        }
    }
    all.sort_unstable();
    assert!(all.len() <= 64 * WORDS, "raise WORDS");
    let container = |name: &str| name.split_once('|').map(|(container, _)| container.to_owned());
    let children = |name: &str| {
        let places = (0..).zip(&all).filter(|(_, (other, _))| container(other).as_deref() == Some(name));
        places.map(|(place, _)| place).collect()
    };
    let known = |&(name, categories): &(&'static str, u32)| Known {
        name,
        categories,
        children: children(name),
        is_child: name.contains('|'),
    };
    all.iter().map(known).collect()
});

/// Redis's own, each with its categories.
pub(super) fn of_redis() -> impl Iterator<Item = (&'static str, Vec<Category>)> {
    REDIS.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.filter_map(|word| Category::named(word.as_bytes())).collect()))
    })
}

fn mask(categories: &[Category]) -> u32 {
    categories.iter().fold(0, |mask, &category| mask | 1 << category as u32)
}

/// All of them, by name, each container before its subcommands.
pub(super) fn all() -> &'static [Known] {
    &KNOWN
}

/// The place of the command of that full name, which is in lower case.
pub(super) fn place(name: &str) -> Option<u16> {
    KNOWN.binary_search_by(|known| known.name.cmp(name)).ok().map(|place| place as u16)
}

/// The same for a name in any case.
pub(super) fn find(name: &[u8]) -> Option<u16> {
    place(std::str::from_utf8(name).ok()?.to_ascii_lowercase().as_str())
}

impl Known {
    pub(super) fn is_in(&self, category: Category) -> bool {
        self.categories & 1 << category as u32 != 0
    }
}

/// Which commands may be run, and whether those may that come with a later version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct CommandSet {
    bits: [u64; WORDS],
    pub future: bool,
}

impl CommandSet {
    /// `+@all`.
    pub(super) fn everything() -> Self {
        let mut set = Self { future: true, ..Self::default() };
        (0..KNOWN.len() as u16).for_each(|place| set.put(place, true));
        set
    }

    /// Whether nothing is left out.
    pub(super) fn is_everything(&self) -> bool {
        *self == Self::everything()
    }

    pub(super) fn has(&self, place: u16) -> bool {
        self.bits[usize::from(place / 64)] & 1 << (place % 64) != 0
    }

    pub(super) fn put(&mut self, place: u16, allowed: bool) {
        let word = &mut self.bits[usize::from(place / 64)];
        *word = *word & !(1 << (place % 64)) | u64::from(allowed) << (place % 64);
    }

    /// A command, and of a container its subcommands too.
    pub(super) fn change(&mut self, place: u16, allowed: bool) {
        self.put(place, allowed);
        for &child in &KNOWN[usize::from(place)].children {
            self.put(child, allowed);
        }
    }

    /// A category; of a container in it, all subcommands.
    pub(super) fn change_category(&mut self, category: Category, allowed: bool) {
        for (place, known) in (0..).zip(KNOWN.iter()) {
            if known.is_in(category) {
                self.change(place, allowed);
            }
        }
    }

    /// How many of a category are allowed, and how many are not.
    pub(super) fn count(&self, category: Category) -> (usize, usize) {
        let members = (0..).zip(KNOWN.iter()).filter(|(_, known)| known.is_in(category));
        members.fold((0, 0), |(on, off), (place, _)| match self.has(place) {
            true => (on + 1, off),
            false => (on, off + 1),
        })
    }

    /// Names that say what the set is, to whoever knows other commands too: what is denied if
    /// the future is allowed, else what is allowed.
    pub(super) fn exceptions(&self) -> impl Iterator<Item = &'static str> {
        let known = (0..).zip(KNOWN.iter());
        known.filter(|&(place, _)| self.has(place) != self.future).map(|(_, known)| known.name)
    }

    /// What [`CommandSet::exceptions`] came from. A name that means nothing here is passed over.
    pub(super) fn from_exceptions<'a>(future: bool, names: impl Iterator<Item = &'a str>) -> Self {
        let mut set = if future { Self::everything() } else { Self::default() };
        names.filter_map(place).for_each(|place| set.put(place, !future));
        set
    }
}
