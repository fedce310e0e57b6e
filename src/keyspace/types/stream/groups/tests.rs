//! Groups against a plain model of them, through every operation, with snapshots in pieces on the way.

use super::{FrozenGroups, Group, Groups, GrowingGroups, Id, Pending};
use std::collections::BTreeMap;

/// Of a group: who reads, with when it was seen; and what is pending, with whom, since when and how often.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    consumers: BTreeMap<Vec<u8>, i64>,
    pending: BTreeMap<Id, (Vec<u8>, i64, u64)>,
}

/// A sequence that looks random.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn check(group: &Group, model: &Model) {
    let consumers: Vec<_> = group.consumers().iter().map(|it| (it.name.to_vec(), it.seen_ms)).collect();
    assert!(consumers.iter().map(|(name, seen)| (name, seen)).eq(&model.consumers));
    assert_eq!((group.consumers().len(), group.pending_len()), (model.consumers.len(), model.pending.len()));
    let pending: Vec<_> = group.pending_from(Id::MIN).collect();
    assert_eq!(pending.len(), model.pending.len());
    for ((found, consumer), (id, (name, delivered_ms, deliveries))) in pending.into_iter().zip(&model.pending)
    {
        assert_eq!((found.id, found.delivered_ms, found.deliveries), (*id, *delivered_ms, *deliveries));
        assert_eq!(*consumer.name, **name);
        assert_eq!(group.pending(*id).map(|(pending, _)| pending), Some(found));
    }
    for name in model.consumers.keys() {
        let its: Vec<_> =
            group.consumers().get(name).expect("the model has it").pending_from(Id::MIN).collect();
        let wanted = model.pending.iter().filter(|(_, (of, ..))| of == name).map(|(id, _)| *id);
        assert!(its.into_iter().eq(wanted));
    }
    let bounds = model.pending.first_key_value().zip(model.pending.last_key_value());
    assert_eq!(group.pending_bounds(), bounds.map(|(first, last)| (*first.0, *last.0)));
}

/// The same groups, out of pieces of about `target_bytes`.
fn copy(groups: &Groups, target_bytes: usize) -> Groups {
    let (mut frozen, mut growing) = (FrozenGroups::new(groups), GrowingGroups::default());
    loop {
        let mut piece = Vec::new();
        let is_last = frozen.put_next(&mut piece, target_bytes);
        assert!(piece.len() < target_bytes + 100);
        growing.take(&piece).expect("a piece that was just written");
        if is_last {
            return growing.finish().expect("that was the last one");
        }
    }
}

fn bytes_of(groups: &Groups) -> Vec<u8> {
    let mut bytes = Vec::new();
    assert!(FrozenGroups::new(groups).put_next(&mut bytes, usize::MAX));
    bytes
}

fn assign(group: &mut Group, model: &mut Model, draw: &mut Draw, id: Id) {
    let name = vec![b'a' + draw.below(5) as u8; 1 + draw.below(2) as usize * 30];
    let now_ms = draw.below(1000) as i64;
    let (consumer, is_new) = group.take_consumer(&name, now_ms);
    assert_eq!(is_new, !model.consumers.contains_key(&name));
    let deliveries = draw.below(4);
    group.assign(Pending { id, consumer, delivered_ms: now_ms, deliveries });
    model.consumers.insert(name.clone(), now_ms);
    model.pending.insert(id, (name, now_ms, deliveries));
}

fn step(group: &mut Group, model: &mut Model, draw: &mut Draw) {
    let id = Id { ms: draw.below(50), seq: draw.below(100) };
    match draw.below(60) {
        0 => {
            let Some(name) = model.consumers.keys().nth(draw.below(10) as usize).cloned() else { return };
            let had = model.pending.values().filter(|(of, ..)| *of == name).count();
            assert_eq!(group.remove_consumer(&name), Some(had));
            model.consumers.remove(&name);
            model.pending.retain(|_, (of, ..)| *of != name);
        }
        1..=10 => assert_eq!(group.acknowledge(id), model.pending.remove(&id).is_some()),
        11 => (0..100).for_each(|seq| assign(group, model, draw, Id { seq, ..id })),
        _ => assign(group, model, draw, id),
    }
}

#[test]
fn groups_do_what_a_plain_model_does() {
    let mut draw = Draw(7);
    let mut groups = Groups::default();
    let mut models = BTreeMap::<Vec<u8>, Model>::new();
    for round in 0..4000 {
        let name = vec![b'g'; 1 + draw.below(3) as usize];
        let known = models.get_mut(&name);
        assert_eq!(groups.insert(&name, Group::new(Id::new(round, 1), None)), known.is_none());
        let model = models.entry(name.clone()).or_default();
        let before = groups.clone();
        let bytes = bytes_of(&before);
        groups.update(&name, |group| step(group, model, &mut draw)).expect("it was added if it was missing");
        assert_eq!(bytes_of(&before), bytes, "a clone has changed");
        if round % 50 == 0 {
            check(groups.get(&name).expect("it was there"), model);
            let restored = copy(&groups, 1 + draw.below(3000) as usize);
            assert_eq!(bytes_of(&restored), bytes_of(&groups));
            models.iter().for_each(|(name, model)| check(restored.get(name).expect("all are there"), model));
            // from here on the restored ones have nothing of consumers that are gone, and behave the same
            groups = if draw.below(2) == 0 { restored } else { groups };
        }
        if draw.below(300) == 0 {
            assert!(groups.remove(&name).is_some_and(|removed| removed.len() == 1));
            models.remove(&name);
        }
    }
}

#[test]
fn a_consumer_with_many_entries_goes_at_once() {
    let mut groups = Groups::default();
    groups.insert(b"g", Group::new(Id::MIN, None));
    groups.update(b"g", |group| {
        let numbers = [b"a", b"b"].map(|name| group.add_consumer(name, 0).expect("a new one"));
        for seq in 0..20_000 {
            let consumer = numbers[usize::from(seq == 19_000)];
            group.assign(Pending { id: Id::new(1, seq), consumer, delivered_ms: 0, deliveries: 1 });
        }
    });
    let elements = groups.elements();
    assert_eq!(groups.update(b"g", |group| group.remove_consumer(b"a")), Some(Some(19_999)));
    assert!(groups.elements() > elements - 2000, "nothing was left for later");
    let group = groups.get(b"g").expect("it is there");
    assert_eq!(
        group.pending_from(Id::MIN).map(|(pending, _)| pending.id).collect::<Vec<_>>(),
        [Id::new(1, 19_000)]
    );
    assert_eq!(group.pending_bounds(), Some((Id::new(1, 19_000), Id::new(1, 19_000))));
    assert_eq!(bytes_of(&copy(&groups, 10)), bytes_of(&groups));
    for _ in 0..100 {
        groups.update(b"g", |_| ());
    }
    assert_eq!(groups.elements(), 3);
    let mut pieces = 0;
    while !groups.release(1) {
        pieces += 1;
    }
    assert!(pieces > 0 && groups.is_empty());
}

#[test]
fn freeing_takes_steps() {
    let mut groups = Groups::default();
    for name in [b"g", b"h"] {
        let mut group = Group::new(Id::MIN, Some(0));
        let numbers: Vec<_> =
            (0..1000).filter_map(|n| group.add_consumer(format!("{n}").as_bytes(), 0)).collect();
        for seq in 0..50_000u64 {
            let consumer = numbers[seq as usize % numbers.len()];
            group.assign(Pending { id: Id::new(1, seq), consumer, delivered_ms: 0, deliveries: 1 });
        }
        assert!(groups.insert(name, group));
    }
    let kept = groups.clone();
    let mut frozen = FrozenGroups::new(&groups);
    let mut steps = 1;
    while !groups.release(1000) {
        steps += 1;
    }
    assert!((100..400).contains(&steps), "{steps}");
    assert_eq!(kept.elements(), 2 * (1 + 1000 + 50_000));
    while !frozen.release(1000) {}
}

#[test]
fn what_is_restored_is_not_believed() {
    let mut groups = Groups::default();
    let mut group = Group::new(Id::new(5, 6), Some(-7));
    let consumer = group.add_consumer(b"c", 9).expect("a new one");
    group.assign(Pending { id: Id::new(1, 2), consumer, delivered_ms: 3, deliveries: 4 });
    groups.insert(b"g", group);
    let bytes = bytes_of(&groups);
    let restore = |bytes: &[u8]| {
        let mut growing = GrowingGroups::default();
        growing.take(bytes).and_then(|()| growing.finish())
    };
    assert_eq!(restore(&bytes).map(|groups| bytes_of(&groups)), Ok(bytes.clone()));
    assert!(restore(&[&bytes[..], &bytes].concat()).is_err(), "a group twice");
    let restored = (0..bytes.len()).filter(|&len| restore(&bytes[..len]).is_ok()).count();
    assert_eq!(restored, 3, "nothing, a group, a group with a consumer");
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            let _ = restore(&changed); // must not panic
        }
    }
}
