//! A replica that hears nothing but what is propagated, and whose clock stands still: that it holds
//! the same keys is what Redis's replication needs of every command.

use super::{DATABASES_USED, Machine};
use crate::keyspace::{Blob, Event, Group, Hash, Id, Set, SortedSet, Stream, Typed, Value, rdb::dump};
use crate::wire::units::{self, Units};
use std::collections::BTreeMap;

/// See the module.
pub struct Follower {
    machine: Machine,
    /// Commands that it was told, and how many of them came with others.
    pub told: usize,
    pub told_together: usize,
}

/// Keys of all databases that have not expired at a time, with their values and deadlines.
type Contents = BTreeMap<(u32, Vec<u8>), (Vec<u8>, u64)>;

fn contents(machine: &Machine, now_ms: u64) -> Contents {
    let mut contents = Contents::new();
    for db in 0..DATABASES_USED {
        machine.keyspace().scan(db as usize, 0, usize::MAX, |key, item| {
            if item.deadline_ms == 0 || item.deadline_ms > now_ms {
                contents.insert((db, key.to_vec()), (shown(&item.value), item.deadline_ms));
            }
        });
    }
    contents
}

/// What clients may rely on: the order of fields follows from how they are kept, of which nobody is told.
fn shown(value: &Value) -> Vec<u8> {
    if let Some(set) = SortedSet::of(value) {
        let pairs: Vec<_> = set.iter().map(|(member, score)| (member.to_blob(), score)).collect();
        return format!("{pairs:?}").into_bytes();
    }
    if let Some(set) = Set::of(value) {
        let mut members: Vec<_> = set.iter().map(|member| member.to_blob()).collect();
        members.sort();
        return format!("{members:?}").into_bytes();
    }
    if let Some(stream) = Stream::of(value) {
        let fields = |entry: crate::keyspace::Entry<'_>| {
            (entry.id, entry.fields().map(|(a, b)| (a.to_blob(), b.to_blob())).collect())
        };
        let entries: Vec<(_, Vec<_>)> = stream.range(Id::MIN, Id::MAX).map(fields).collect();
        return format!("{entries:?} {:?} {}", stream.ids(), groups(stream)).into_bytes();
    }
    let Some(hash) = Hash::of(value) else { return dump(value) };
    let mut pairs: Vec<_> = hash.iter().map(|(field, value)| (field.to_blob(), value.to_blob())).collect();
    pairs.sort();
    format!("{pairs:?}").into_bytes()
}

/// Of groups what Redis tells replicas: not when and how often something was delivered, nor how much was read.
fn groups(stream: &Stream) -> String {
    let shown = |(name, group): (&Blob, &Group)| {
        let pending =
            group.pending_from(Id::MIN).map(|(pending, consumer)| (pending.id, consumer.name.clone()));
        format!("{name:?} {:?} {:?}", group.last_id, pending.collect::<Vec<_>>())
    };
    stream.groups().iter().map(shown).collect()
}

impl Follower {
    pub fn new() -> Self {
        let mut machine = Machine::new();
        // As what an upstream says is carried out: it says what has ended, and how far it has trimmed.
        machine.state.keyspace.keep_expired(true);
        Self { machine, told: 0, told_together: 0 }
    }

    /// Carries out what there is among these events.
    pub fn hear(&mut self, events: &[Event]) {
        for event in events {
            let Event::Propagated(calls) = event else { continue };
            assert!(!calls.is_empty());
            self.told += calls.len();
            self.told_together += if calls.len() > 1 { calls.len() } else { 0 };
            for call in calls {
                let mut body = Vec::new();
                let args: Vec<&[u8]> = call.args.iter().map(|arg| &**arg).collect();
                units::put_command_unit(&mut body, &args, call.db);
                let unit = Units::new(&body).next().expect("a unit was put").expect("it is whole");
                let reply = self.machine.execute(&unit);
                assert!(!reply.is_error(), "{}: {reply:?}", super::show(&args.into_iter().collect()));
            }
        }
    }

    /// It holds what `machine` holds, whose clock says `now_ms`.
    pub fn check(&self, machine: &Machine, now_ms: u64, when: &str) {
        let (wanted, found) = (contents(machine, now_ms), contents(&self.machine, now_ms));
        for ((db, key), value) in &wanted {
            assert_eq!(found.get(&(*db, key.clone())), Some(value), "{when}: {db} {}", key.escape_ascii());
        }
        for (db, key) in found.keys() {
            let known = wanted.contains_key(&(*db, key.clone()));
            assert!(known, "{when}: {db} {} is there only on the replica", key.escape_ascii());
        }
    }
}
