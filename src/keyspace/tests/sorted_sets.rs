//! Sorted sets against a naive model, small and large, with seeds; and in snapshots.

use super::*;

const FORMS: Forms = Forms { compact: COMPACT, seed: HASH_KEY };
const COMPACT: Compact = Compact {
    hash_max_listpack_entries: 0,
    hash_max_listpack_value: 0,
    list_compress_depth: 0,
    list_max_listpack_size: 0,
    set_max_intset_entries: 0,
    stream_node_max_bytes: 0,
    stream_node_max_entries: 0,
    zset_max_listpack_entries: 20,
    zset_max_listpack_value: 12,
};
const SCORES: [f64; 8] = [0.0, 1.0, -1.0, 2.5, -0.1, f64::INFINITY, f64::NEG_INFINITY, 1e300];

fn by_rank(model: &BTreeMap<Vec<u8>, f64>) -> Vec<(Vec<u8>, f64)> {
    let mut pairs: Vec<_> = model.iter().map(|(member, score)| (member.clone(), *score)).collect();
    pairs.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
    pairs
}

fn pairs<'a>(range: impl Iterator<Item = (Field<'a>, f64)>) -> Vec<(Vec<u8>, f64)> {
    range.map(|(member, score)| (member.to_blob().to_vec(), score)).collect()
}

fn check(set: &SortedSet, model: &BTreeMap<Vec<u8>, f64>, random: &mut SmallRng) {
    let expected = by_rank(model);
    assert_eq!(set.len(), expected.len());
    assert_eq!(pairs(set.iter()), expected);
    let (a, b) = (random.random_range(0..expected.len() + 2), random.random_range(0..expected.len() + 2));
    let end = b.min(expected.len());
    let mut part = expected[a.min(end)..end].to_vec();
    assert_eq!(pairs(set.range(a..b)), part);
    part.reverse();
    assert_eq!(pairs(set.range(a..b).rev()), part);
    for (rank, (member, score)) in expected.iter().enumerate() {
        assert_eq!((set.rank(member), set.score(member)), (Some(rank), Some(*score)));
    }
    assert_eq!((set.rank(b"missing"), set.score(b"missing")), (None, None));
    let limit = SCORES[random.random_range(0..SCORES.len())];
    let below = expected.iter().filter(|(_, score)| *score < limit).count();
    assert_eq!(set.count_before(|score, _| score < limit), below);
    let (next, all) = set.scan(0, usize::MAX);
    assert_eq!((next, pairs(all).into_iter().collect::<BTreeMap<_, _>>()), (0, model.clone()));
}

#[test]
fn members_stand_in_the_order_of_scores_whatever_is_done_to_them() {
    let (mut small, mut large) = (0, 0);
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let (mut set, mut model) = (SortedSet::default(), BTreeMap::new());
        for _ in 0..random.random_range(10..120) {
            let member =
                random.random_range(0..40).to_string().repeat(random.random_range(1..3)).into_bytes();
            match random.random_range(0..10) {
                0..7 => {
                    let score = SCORES[random.random_range(0..SCORES.len())];
                    set.insert(&member, score, &FORMS);
                    model.insert(member, score);
                }
                7 | 8 => assert_eq!(set.remove(&member), model.remove(&member).is_some()),
                _ => {
                    let start = random.random_range(0..model.len() + 2);
                    let end = start + random.random_range(0..4);
                    for (member, _) in by_rank(&model).into_iter().take(end).skip(start) {
                        model.remove(&member);
                    }
                    set.remove_range(start..end);
                }
            }
            check(&set, &model, &mut random);
        }
        let is_small = set.pack().is_some();
        *(if is_small { &mut small } else { &mut large }) += 1;
        assert!(!is_small || model.len() <= 20);
        check_copies(&set, &model, &mut random);
    }
    assert!(small > 5 && large > 5, "{small} {large}");
}

/// Of snapshots and of payloads.
fn check_copies(set: &SortedSet, model: &BTreeMap<Vec<u8>, f64>, random: &mut SmallRng) {
    if model.is_empty() {
        return;
    }
    let value = Value::from(set.clone());
    let payload = rdb::dump(&value);
    let again = rdb::restore(&payload, &FORMS).unwrap();
    check(SortedSet::of(&again).unwrap(), model, random);
    assert!(rdb::dump(&again) == payload || model.len() <= 20, "what has become small is small again");
    let (mut frozen, mut growing) = (set.freeze(), set.kind().grow(&FORMS));
    loop {
        let mut piece = Vec::new();
        let is_last = frozen.put_next(&mut piece, 50);
        growing.take(&piece).unwrap();
        if is_last {
            break;
        }
    }
    let restored = growing.finish().unwrap();
    check(SortedSet::of(&restored).unwrap(), model, random);
    let whole = |value: &Value| {
        let mut out = Vec::new();
        value.collection().unwrap().put(&mut out);
        out
    };
    assert_eq!(whole(&restored), whole(&value), "the order that a walk shows is the same");
}

#[test]
fn what_is_no_sorted_set_is_refused() {
    let pack = |elements: &[&str]| {
        let mut pack = crate::collections::Pack::new();
        elements.iter().for_each(|element| pack.push_back(element.as_bytes()));
        SortedSet::of_pack(pack, &FORMS)
    };
    assert_eq!(pairs(pack(&["b", "-inf", "a", "1", "b2", "1.5"]).unwrap().iter()).len(), 3);
    for elements in [
        &[][..],
        &["a"],
        &["a", "x"],
        &["a", "nan"],
        &["a", "1", "b"],
        &["a", "2", "b", "1"],
        &["b", "1", "a", "1"],
        &["a", "1", "a", "1"],
        &["a", "1", "a", "2"],
    ] {
        assert!(pack(elements).is_none(), "{elements:?}");
    }
    let pair = |member: &str, score| (Blob::from(member), score);
    assert!(SortedSet::of_pairs(vec![], &FORMS).is_none());
    assert!(SortedSet::of_pairs(vec![pair("a", f64::NAN)], &FORMS).is_none());
    for kind in [0, 1, 9] {
        let mut growing = Kind::SortedSet.grow(&FORMS);
        let taken = growing.take(&[kind, 1, b'a', 0]);
        assert!(taken.is_err() || growing.finish().is_err(), "{kind}");
    }
}

#[test]
fn a_large_one_is_let_go_in_steps() {
    let mut set = SortedSet::default();
    (0..5000).for_each(|i| set.insert(format!("member:{i}").as_bytes(), f64::from(i), &FORMS));
    let mut steps = 1;
    while !set.release(500) {
        steps += 1;
    }
    assert!((5..40).contains(&steps), "{steps}");
}
