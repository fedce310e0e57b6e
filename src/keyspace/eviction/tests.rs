//! What goes is mostly what the policy says, and nothing that it forbids.

use super::*;
use crate::keyspace::Value;

const NOW_MS: u64 = 1_700_000_000_000;

/// Keys `0`.., each used so many seconds ago, with these deadlines.
fn filled(keys: u64, idle_s: impl Fn(u64) -> u64, deadline_ms: impl Fn(u64) -> u64) -> Keyspace {
    let mut keyspace = Keyspace::new([3; 16]);
    for i in 0..keys {
        let name = i.to_string();
        let mut edit = keyspace.edit(0, name.as_bytes(), NOW_MS);
        edit.set(Value::string(b"v"), deadline_ms(i));
        edit.set_idle(idle_s(i));
    }
    keyspace
}

fn number(victim: &Victim) -> u64 {
    std::str::from_utf8(&victim.key).unwrap().parse().unwrap()
}

/// Evicts `count` keys in batches of ten.
fn evicted(keyspace: &mut Keyspace, policy: EvictionPolicy, count: usize, seed: u64) -> Vec<u64> {
    let mut chooser = Chooser::new(seed);
    let mut gone = Vec::new();
    while gone.len() < count {
        chooser.begin(policy);
        let batch: Vec<_> = std::iter::from_fn(|| chooser.next(keyspace, 5, NOW_MS)).take(10).collect();
        assert!(!batch.is_empty(), "{} are left", keyspace.len(0));
        for victim in &batch {
            assert!(keyspace.evict(0, &victim.key, victim.revision, NOW_MS), "no key twice");
        }
        gone.extend(batch.iter().map(number));
    }
    gone
}

#[test]
fn the_least_recently_used_go_first() {
    for (seed, policy) in [(1, EvictionPolicy::AllkeysLru), (2, EvictionPolicy::VolatileLru)] {
        // Of 1,000 keys the odd ones were used a while ago, the lower the longer.
        let idle_s = |i| if i % 2 == 1 { 10_000 - 5 * i } else { 10 };
        let mut keyspace = filled(1000, idle_s, |i| NOW_MS + 1_000_000 + i);
        let gone = evicted(&mut keyspace, policy, 300, seed);
        let old = gone.iter().filter(|i| *i % 2 == 1).count();
        assert!(old >= 297, "{policy:?}: of 300 only {old} were old");
        let oldest = gone.iter().filter(|i| *i % 2 == 1 && **i < 600).count();
        assert!(oldest > 210, "{policy:?}: the oldest 300 lost {oldest}");
    }
}

#[test]
fn the_least_frequently_used_go_first() {
    for (seed, policy) in [(1, EvictionPolicy::AllkeysLfu), (2, EvictionPolicy::VolatileLfu)] {
        let mut keyspace = filled(1000, |_| 0, |i| NOW_MS + 1_000_000 + i);
        keyspace.set_eviction_policy(policy);
        for i in (0..1000).filter(|i| i % 2 == 0) {
            let name = i.to_string();
            (0..50).for_each(|_| assert!(keyspace.access(0, name.as_bytes(), NOW_MS, NOW_MS).is_some()));
        }
        let gone = evicted(&mut keyspace, policy, 300, seed);
        let seldom = gone.iter().filter(|i| *i % 2 == 1).count();
        assert!(seldom >= 297, "{policy:?}: of 300 only {seldom} were seldom used");
    }
}

#[test]
fn by_deadline_the_choice_is_exact_over_all_databases() {
    let mut keyspace = filled(100, |_| 0, |i| if i < 50 { 0 } else { NOW_MS + 1000 - i });
    keyspace.edit(7, b"60", NOW_MS).set(Value::string(b"v"), NOW_MS + 1);
    let mut chooser = Chooser::new(1);
    chooser.begin(EvictionPolicy::VolatileTtl);
    let batch: Vec<_> = std::iter::from_fn(|| chooser.next(&keyspace, 5, NOW_MS)).collect();
    let expected = [60].into_iter().chain((50..100).rev());
    assert_eq!(batch.iter().map(number).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    assert_eq!((batch[0].db, batch[1].db), (7, 0));
}

#[test]
fn at_random_all_have_a_chance_and_all_go_in_the_end() {
    for policy in [EvictionPolicy::AllkeysRandom, EvictionPolicy::VolatileRandom] {
        let mut firsts = BTreeSet::new();
        for seed in 0..300 {
            let mut keyspace = filled(100, |_| 0, |i| NOW_MS + (1000 << (i / 4)));
            firsts.extend(evicted(&mut keyspace, policy, 10, seed));
        }
        assert_eq!(firsts.len(), 100, "{policy:?}");
        let mut keyspace = filled(3000, |_| 0, |i| NOW_MS + 1 + i);
        assert_eq!(evicted(&mut keyspace, policy, 3000, 1).len(), 3000, "{policy:?}");
        assert!(keyspace.is_empty());
    }
}

#[test]
fn what_has_no_deadline_is_safe_from_volatile_policies() {
    let mut keyspace = filled(500, |_| 99, |i| if i % 100 == 7 { NOW_MS + 9 } else { 0 });
    keyspace.edit(5, b"7", NOW_MS).set(Value::string(b"v"), 0);
    for (policy, _) in NAMES.iter().filter(|(policy, _)| policy.is_volatile()) {
        let mut chooser = Chooser::new(4);
        chooser.begin(*policy);
        let batch: Vec<_> = std::iter::from_fn(|| chooser.next(&keyspace, 5, NOW_MS)).collect();
        assert!(!batch.is_empty() && batch.iter().all(|victim| number(victim) % 100 == 7), "{policy:?}");
    }
    for policy in [EvictionPolicy::NoEviction, EvictionPolicy::AllkeysLru] {
        let mut chooser = Chooser::new(4);
        chooser.begin(policy);
        let none = Keyspace::new([1; 16]);
        let from = if policy == EvictionPolicy::NoEviction { &keyspace } else { &none };
        assert_eq!(chooser.next(from, 5, NOW_MS), None, "{policy:?}");
    }
}

#[test]
fn a_candidate_that_is_used_or_changed_meanwhile_stays() {
    let mut keyspace = filled(20, |i| 100 + i, |_| 0);
    let mut chooser = Chooser::new(1);
    chooser.begin(EvictionPolicy::AllkeysLru);
    let first = chooser.next(&keyspace, 20, NOW_MS).unwrap();
    assert_eq!(number(&first), 19, "all were sampled");
    keyspace.access(0, b"18", NOW_MS, NOW_MS);
    keyspace.edit(0, b"17", NOW_MS).set(Value::string(b"w"), 0);
    keyspace.edit(0, b"16", NOW_MS).remove();
    chooser.begin(EvictionPolicy::AllkeysLru);
    keyspace.evict(0, &first.key, first.revision, NOW_MS);
    let second = chooser.next(&keyspace, 1, NOW_MS).unwrap();
    assert_eq!(number(&second), 15);
    let before = keyspace.state_hash();
    assert!(!keyspace.evict(0, b"17", second.revision, NOW_MS), "another revision");
    assert!(!keyspace.evict(0, b"99", second.revision, NOW_MS), "no such key");
    assert_eq!(keyspace.state_hash(), before);
}

#[test]
fn names_are_read_and_shown() {
    for (policy, name) in NAMES {
        assert_eq!((EvictionPolicy::parse(name.as_bytes()), policy.name()), (Some(policy), name));
    }
    assert_eq!(EvictionPolicy::parse(b"lru"), None);
}
