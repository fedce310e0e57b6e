//! What clones share, what a change copies, and how full nodes are.

use super::*;
use std::collections::BTreeSet;

/// Where the nodes are.
fn nodes<T>(seq: &Seq<T>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Branch<T>> = seq.root.iter().collect();
    while let Some(branch) = open.pop() {
        found.insert(Arc::as_ptr(&branch.node).addr());
        if let Node::Inner(branches) = &*branch.node {
            open.extend(branches);
        }
    }
    found
}

fn height<T: Weigh>(seq: &Seq<T>) -> usize {
    seq.root.as_ref().map_or(0, |root| check_node(root) + 1)
}

/// The bytes of the elements themselves, of all that the nodes take.
fn fill(seq: &Seq<Item>) -> f64 {
    let beyond: usize = seq.iter().map(|item| item.heap_bytes).sum();
    (seq.len() * size_of::<Item>()) as f64 / (seq.heap_bytes() - beyond) as f64
}

#[test]
fn a_change_beside_a_clone_copies_its_path_only() {
    let mut rng = SmallRng::seed_from_u64(8);
    let original: Seq<Item> = items(&mut rng, 100_000).into_iter().collect();
    let before = nodes(&original);
    let (levels, len) = (height(&original), original.len());
    assert_eq!(levels, 3);
    let copied = |change: &dyn Fn(&mut Seq<Item>)| {
        let mut changed = original.clone();
        assert_eq!(nodes(&changed), before, "a clone has no node of its own");
        change(&mut changed);
        assert_eq!(nodes(&original), before);
        nodes(&changed).difference(&before).count()
    };
    let one = item(&mut rng);
    for at in [0, 1, 4_711, len / 2, len - 1] {
        assert_eq!(copied(&|seq| seq.update(at, |item| item.weight += 1).unwrap()), levels);
        assert_eq!(copied(&|seq| assert!(seq.remove(at).is_some())), levels);
        // all leaves are full: one is divided, and then what is above it
        assert!(copied(&|seq| seq.insert(at, one)) <= 2 * levels);
        assert!(copied(&|seq| seq.remove_range(at / 2..at)) <= 2 * levels);
        assert!(copied(&|seq| drop(seq.take_range(at / 2..at))) <= 2 * levels);
    }
    assert!(copied(&|seq| seq.push_back(one)) <= levels);
    assert!(copied(&|seq| assert!(!seq.release(1_000))) < levels, "no leaf is copied to be dropped");
    // A second change finds the path its own.
    let mut changed = original.clone();
    changed.update(5, |item| item.weight += 1);
    let after = nodes(&changed);
    changed.update(6, |item| item.weight += 1);
    assert_eq!(nodes(&changed), after);
}

#[test]
fn nobody_copies_what_nobody_shares() {
    let mut rng = SmallRng::seed_from_u64(9);
    let mut seq: Seq<Item> = items(&mut rng, 100_000).into_iter().collect();
    let before = nodes(&seq);
    for _ in 0..100 {
        let at = rng.random_range(0..seq.len());
        seq.update(at, |item| item.weight += 1);
        seq.remove(at);
    }
    assert!(nodes(&seq).is_subset(&before));
}

#[test]
fn nodes_are_full_after_additions_at_the_ends() {
    let mut rng = SmallRng::seed_from_u64(10);
    let [mut back, mut front] = [const { Seq::new() }; 2];
    for _ in 0..100_000 {
        back.push_back(item(&mut rng));
        front.push_front(item(&mut rng));
    }
    let bulk: Seq<Item> = items(&mut rng, 100_000).into_iter().collect();
    for seq in [&back, &front, &bulk] {
        check(seq);
        assert!(fill(seq) > 0.93, "{}", fill(seq));
        assert!(nodes(seq).len() < 100_000 / NODE_ENTRIES * 105 / 100, "{}", nodes(seq).len());
    }
}

#[test]
fn nodes_are_not_left_half_empty_by_a_rising_run_in_between() {
    let mut rng = SmallRng::seed_from_u64(15);
    let mut seq: Seq<Item> = items(&mut rng, 1_000).into_iter().collect();
    for number in 0..100_000 {
        seq.insert(number + 500, item(&mut rng));
    }
    check(&seq);
    assert!(fill(&seq) > 0.75, "{}", fill(&seq));
}

#[test]
fn nodes_take_little_more_than_elements_after_random_changes() {
    let mut rng = SmallRng::seed_from_u64(11);
    let mut seq = Seq::new();
    for _ in 0..100_000 {
        let at = rng.random_range(0..=seq.len());
        seq.insert(at, item(&mut rng));
    }
    check(&seq);
    assert!(fill(&seq) > 0.8, "{}", fill(&seq));
    assert!(nodes(&seq).len() < 100_000 / NODE_ENTRIES * 3 / 2 + 100, "{}", nodes(&seq).len());
    for _ in 0..90_000 {
        seq.remove(rng.random_range(0..seq.len()));
    }
    check(&seq);
    assert!(fill(&seq) > 0.7, "{}", fill(&seq));
}

#[test]
fn small_ones_take_little() {
    let mut rng = SmallRng::seed_from_u64(12);
    let mut seq = Seq::new();
    assert_eq!(seq.heap_bytes(), 0);
    for count in 1..=100 {
        seq.push_back(Item { heap_bytes: 0, ..item(&mut rng) });
        let elements = count * size_of::<Item>();
        assert!(seq.heap_bytes() <= elements * 5 / 4 + 300, "{count}: {}", seq.heap_bytes());
    }
}
