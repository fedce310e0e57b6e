//! Searching by order: where the place is, and how many elements are looked at.

use super::*;

/// In order by both; the rank tells the first only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u64, u64);

impl Weigh for Entry {
    fn rank(&self) -> u64 {
        self.0
    }
}

#[test]
fn a_partition_point_is_found_by_few_looks() {
    let seq: Seq<Entry> = (0..100_000).map(|n| Entry(2 * n, 0)).collect();
    for sought in (0..=200_000u64).step_by(97).chain([0, 1, 199_998, 199_999, 300_000]) {
        let (mut looks, mut looks_by_rank) = (0, 0);
        let wanted = sought.div_ceil(2).min(100_000) as usize;
        let found = seq.partition_point(|entry| {
            looks += 1;
            entry.0 < sought
        });
        let found_by_rank = seq.partition_point_of(sought, |entry| {
            looks_by_rank += 1;
            entry.0 < sought
        });
        assert_eq!((found, found_by_rank), (wanted, wanted));
        assert!(looks <= 20, "{looks} looks for {sought}");
        assert!(looks_by_rank <= 3, "{looks_by_rank} looks for {sought}");
    }
    assert_eq!(Seq::<Entry>::new().partition_point(|_| true), 0);
    assert_eq!(Seq::<Entry>::new().partition_point_of(5, |_| true), 0);
}

#[test]
fn places_are_found_among_equal_ranks_and_while_elements_come_and_go() {
    let mut rng = SmallRng::seed_from_u64(16);
    for ranks in [1, 3, 1_000, 1_000_000] {
        let mut seq = Seq::new();
        let mut model = Vec::new();
        for number in 0..12_000 {
            let sought = Entry(rng.random_range(0..ranks), rng.random_range(0..100_000));
            let wanted = model.partition_point(|entry| *entry < sought);
            assert_eq!(seq.partition_point(|entry| *entry < sought), wanted);
            assert_eq!(seq.partition_point_of(sought.0, |entry| *entry < sought), wanted);
            if number < 8_000 || wanted == model.len() {
                seq.insert(wanted, sought);
                model.insert(wanted, sought);
            } else {
                seq.remove(wanted);
                model.remove(wanted);
            }
            if number % 100 == 0 {
                check(&seq);
            }
        }
        assert!(seq.iter().eq(&model));
    }
}
