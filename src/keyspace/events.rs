//! What is told of what happens: changes of keys, and messages that travel in the log with
//! them, in one order. Events are not state: they must never have an influence on it, and a
//! replica for which nobody asks makes none.

use super::{Blob, Call};
use crate::limits;
use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

/// One kind of keyspace event; a letter of `notify-keyspace-events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventClass {
    Generic,
    String,
    List,
    Set,
    Hash,
    SortedSet,
    Stream,
    Expired,
    Evicted,
    Module,
    New,
    KeyMiss,
}

/// Which events are told, and on which channels: the value of `notify-keyspace-events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventClasses(u16);

/// Classes with their letters, in the order in which Redis prints them.
const LETTERS: [(EventClass, u8); 12] = [
    (EventClass::Generic, b'g'),
    (EventClass::String, b'$'),
    (EventClass::List, b'l'),
    (EventClass::Set, b's'),
    (EventClass::Hash, b'h'),
    (EventClass::SortedSet, b'z'),
    (EventClass::Expired, b'x'),
    (EventClass::Evicted, b'e'),
    (EventClass::Stream, b't'),
    (EventClass::Module, b'd'),
    (EventClass::KeyMiss, b'm'),
    (EventClass::New, b'n'),
];
const KEYSPACE: u16 = 1 << 14;
const KEYEVENT: u16 = 1 << 15;

impl EventClass {
    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// `A`: every class but key misses and new keys.
const ALL: u16 = {
    let mut all = 0;
    let mut i = 0;
    while i < LETTERS.len() {
        all |= LETTERS[i].0.bit();
        i += 1;
    }
    all & !EventClass::KeyMiss.bit() & !EventClass::New.bit()
};

impl EventClasses {
    /// Reads a value of `notify-keyspace-events`; None: it has a letter that means nothing.
    pub fn parse(text: &[u8]) -> Option<Self> {
        text.iter().try_fold(Self::default(), |so_far, letter| {
            let bits = match letter {
                b'A' => ALL,
                b'K' => KEYSPACE,
                b'E' => KEYEVENT,
                _ => LETTERS.iter().find(|(_, known)| known == letter)?.0.bit(),
            };
            Some(Self(so_far.0 | bits))
        })
    }

    /// Whether this class is told on any channel.
    pub fn tells(self, class: EventClass) -> bool {
        self.0 & class.bit() != 0 && self.0 & (KEYSPACE | KEYEVENT) != 0
    }

    /// `K`: on the channel of the key.
    pub fn by_key(self) -> bool {
        self.0 & KEYSPACE != 0
    }

    /// `E`: on the channel of the event.
    pub fn by_event(self) -> bool {
        self.0 & KEYEVENT != 0
    }
}

/// As `CONFIG GET` shows it.
impl fmt::Display for EventClasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0 & ALL == ALL;
        if all {
            f.write_str("A")?;
        }
        let of_class = |letter: u8| !matches!(letter, b'm' | b'n');
        for (class, letter) in LETTERS.iter().filter(|(_, letter)| of_class(*letter) && !all) {
            if self.0 & class.bit() != 0 {
                write!(f, "{}", char::from(*letter))?;
            }
        }
        for (bit, letter) in
            [(KEYSPACE, 'K'), (KEYEVENT, 'E'), (EventClass::KeyMiss.bit(), 'm'), (EventClass::New.bit(), 'n')]
        {
            if self.0 & bit != 0 {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

/// What became of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// Who is connected as this user may do other things now. If channels were taken away:
    /// those that are left.
    Changed { channels: Option<Vec<Blob>> },
    /// There is no such user any more.
    Deleted,
}

/// What the commands of a script were, for whoever counts and watches them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scripted {
    /// By the full name of the row: how often it was carried out, failed, and was refused before it began.
    pub counts: Vec<(&'static str, [u64; 3])>,
    /// While somebody looks: the commands, each with the database that it worked in.
    pub shown: Vec<(u32, Vec<Blob>)>,
    /// What the user may not do: of what kind it is, and what it was.
    pub denied: Vec<(&'static str, Blob)>,
    /// The errors that they answered, by their code, without the one that is the script's own answer.
    pub errors: Vec<(Box<str>, u64)>,
    /// How long it was to sleep in all (`DEBUG SLEEP`).
    pub slept: Duration,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What Redis calls a keyspace event, such as `set`, and what was to be told when it happened.
    Named { class: EventClass, name: &'static str, db: u32, key: Blob, classes: EventClasses },
    /// The key is not what it was: whoever has cached it has to forget it.
    Touched { db: u32, key: Blob },
    /// Any number of keys are not what they were.
    TouchedAll,
    /// A user was created, changed or removed.
    User { name: Blob, change: UserChange },
    /// Any number of users are not what they were.
    UsersReplaced,
    /// What clients may not do is another than it was; its bits.
    Refusals(u8),
    /// `PUBLISH` or `SPUBLISH`.
    Message { channel: Blob, message: Blob, sharded: bool },
    /// What replicas of Redis's protocol have to carry out, all at once.
    Propagated(Vec<Call>),
    /// A script has ended.
    Scripted(Box<Scripted>),
}

/// What is wanted, and what has happened since it was last taken.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) classes: EventClasses,
    pub(super) touches: bool,
    /// Reads, which change nothing else, add what they have not found.
    pub(super) list: RefCell<Vec<Event>>,
    /// What reads have met that has expired, and that nothing else removes.
    met_expired: RefCell<Vec<(u32, Blob)>>,
}

impl Events {
    pub(super) fn named(&mut self, class: EventClass, name: &'static str, db: usize, key: &[u8]) {
        if self.classes.tells(class) {
            let (classes, key) = (self.classes, Blob::new(key));
            self.list.get_mut().push(Event::Named { class, name, db: db as u32, key, classes });
        }
    }

    pub(super) fn touched(&mut self, db: usize, key: &[u8]) {
        if self.touches {
            self.list.get_mut().push(Event::Touched { db: db as u32, key: Blob::new(key) });
        }
    }

    pub(super) fn touched_all(&mut self) {
        if self.touches {
            self.list.get_mut().push(Event::TouchedAll);
        }
    }
}

impl super::Keyspace {
    /// Which keyspace events are made from now on.
    pub fn set_event_classes(&mut self, classes: EventClasses) {
        self.events.classes = classes;
    }

    /// Whether each key that changes is told.
    pub fn set_touches(&mut self, wanted: bool) {
        self.events.touches = wanted;
    }

    /// Tells what a script has done; not part of the state.
    pub fn tell_scripted(&self, scripted: Scripted) {
        if scripted != Scripted::default() {
            self.events.list.borrow_mut().push(Event::Scripted(Box::new(scripted)));
        }
    }

    /// Tells that any key may have changed.
    pub fn touch_all(&mut self) {
        self.events.touched_all();
    }

    /// A command has done something that has a name.
    pub fn notify(&mut self, db: usize, class: EventClass, name: &'static str, key: &[u8]) {
        self.events.named(class, name, db, key);
    }

    /// A message was published.
    pub fn publish(&mut self, channel: &[u8], message: &[u8], sharded: bool) {
        let (channel, message) = (Blob::new(channel), Blob::new(message));
        self.events.list.get_mut().push(Event::Message { channel, message, sharded });
        self.propagation.always();
    }

    /// A user is not what it was.
    pub fn tell_user(&mut self, name: &[u8], change: UserChange) {
        self.events.list.get_mut().push(Event::User { name: Blob::new(name), change });
    }

    /// Any user may be another than it was.
    pub fn tell_users_replaced(&mut self) {
        self.events.list.get_mut().push(Event::UsersReplaced);
    }

    /// Something that only the caller has to know of.
    pub fn tell(&mut self, event: Event) {
        self.events.list.get_mut().push(event);
    }

    /// A read has not found the key.
    pub fn missed(&self, db: usize, key: &[u8]) {
        let (class, classes) = (EventClass::KeyMiss, self.events.classes);
        if classes.tells(class) {
            let event = Event::Named { class, name: "keymiss", db: db as u32, key: Blob::new(key), classes };
            self.events.list.borrow_mut().push(event);
        }
    }

    /// A key was looked up that may be there and has expired, and that nothing else removes: it is noted, and
    /// whoever has cached it hears of it.
    pub fn met_expired(&self, db: usize, key: &[u8]) {
        if self.get(db, key, 0).is_none() {
            return;
        }
        let mut met = self.events.met_expired.borrow_mut();
        if met.len() < limits::MAX_MET_EXPIRED && !self.keeps_expired {
            met.push((db as u32, Blob::new(key)));
        }
        if self.events.touches {
            let event = Event::Touched { db: db as u32, key: Blob::new(key) };
            self.events.list.borrow_mut().push(event);
        }
    }

    /// What [`Keyspace::met_expired`](super::Keyspace::met_expired) has noted since the last call.
    pub fn take_met_expired(&mut self) -> Vec<(u32, Blob)> {
        std::mem::take(self.events.met_expired.get_mut())
    }

    /// Whether [`Keyspace::take_events`](super::Keyspace::take_events) has something.
    pub fn has_events(&mut self) -> bool {
        !self.events.list.get_mut().is_empty() || self.has_calls()
    }

    /// What has happened since the last call; nothing, mostly.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.end_each();
        std::mem::take(self.events.list.get_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_read_and_shown_as_redis_does() {
        for (given, shown) in [
            ("", ""),
            ("KEA", "AKE"),
            ("K$lshzxeg", "g$lshzxeK"),
            ("KA", "AK"),
            ("EK$l", "$lKE"),
            ("g$lshzxetdKEmn", "AKEmn"),
        ] {
            assert_eq!(EventClasses::parse(given.as_bytes()).unwrap().to_string(), shown, "{given}");
        }
        assert_eq!(EventClasses::parse(b"KEAq"), None);
    }

    #[test]
    fn a_class_is_told_if_it_has_a_channel() {
        let tells = |text: &str, class| EventClasses::parse(text.as_bytes()).unwrap().tells(class);
        assert!(tells("KA", EventClass::String) && tells("E$", EventClass::String));
        assert!(!tells("A", EventClass::String), "neither K nor E");
        assert!(!tells("KEA", EventClass::New) && tells("KEn", EventClass::New));
        assert!(!tells("KEg", EventClass::String));
    }
}
