//! The same changes on a pack and on a vector of strings.

use super::*;
use crate::collections::allocated;
use crate::collections::pack::At;

#[test]
fn a_pack_is_a_sequence_of_strings() {
    runs(60, 150);
}

/// Minutes of it: `cargo test --lib collections::pack -- --ignored a_pack_is`.
#[test]
#[ignore = "long"]
fn a_pack_is_a_sequence_of_strings_for_long() {
    runs(20_000, 400);
}

fn runs(runs: usize, changes: usize) {
    let mut random = seeded();
    for _ in 0..runs {
        let mut model: Vec<Vec<u8>> = Vec::new();
        let mut pack = Pack::new();
        // Some stay short, some grow.
        let most = [3, 20, 200][random.random_range(0..3)];
        for _ in 0..changes {
            change(&mut pack, &mut model, most, &mut random);
            same(&pack, &model, &mut random);
        }
    }
}

fn place(pack: &Pack, index: usize) -> Option<At> {
    pack.seek(index as isize)
}

fn change(pack: &mut Pack, model: &mut Vec<Vec<u8>>, most: usize, random: &mut SmallRng) {
    let element = some_element(random);
    let index = random.random_range(0..=model.len());
    let at = place(pack, index);
    assert_eq!(at.is_some(), index < model.len());
    match (random.random_range(0..12), at) {
        (0, _) => {
            let count = random.random_range(0..=model.len());
            if let Some(at) = at {
                let next = pack.remove_range(at, count);
                model.drain(index..model.len().min(index + count));
                assert_eq!(next, place(pack, index));
            }
        }
        (1..=4, Some(at)) if model.len() >= most => {
            assert_eq!(pack.remove(at), Some(at).filter(|_| index + 1 < model.len()));
            model.remove(index);
        }
        (1, _) => {
            pack.push_front(&element);
            model.insert(0, element);
        }
        (2, _) => {
            let n = random.random();
            pack.push_back_int(n);
            model.push(n.to_string().into_bytes());
        }
        (3, Some(at)) => {
            let inserted = pack.insert_before(at, &element);
            assert!(pack.get(inserted).equals(&element));
            model.insert(index, element);
        }
        (4, Some(at)) => {
            let inserted = pack.insert_after(at, &element);
            assert!(pack.get(inserted).equals(&element));
            model.insert(index + 1, element);
        }
        (5..=7, Some(at)) => {
            let n = random.random_range(-5000..5000);
            match random.random() {
                true => assert_eq!(pack.replace(at, &element), at),
                false => assert_eq!(pack.replace_int(at, n), at),
            }
            let is_string = pack.get(at).equals(&element);
            model[index] = if is_string { element } else { n.to_string().into_bytes() };
        }
        (8, _) => {
            let at = pack.insert_all(at, [Element::Bytes(&element), Element::Int(7)]);
            assert!(pack.get(at).equals(&element));
            model.splice(index..index, [element, b"7".to_vec()]);
        }
        (9, Some(at)) => {
            let (mut tail, model_tail) = (pack.split_off(at), model.split_off(index));
            same(&tail, &model_tail, random);
            same(pack, model, random);
            tail.append(pack); // the halves change places
            *pack = tail;
            *model = model_tail.into_iter().chain(model.drain(..)).collect();
        }
        _ => {
            let size = pack.size_bytes();
            pack.push_back(&element);
            assert_eq!(pack.size_bytes() - size, Pack::encoded_bytes(&*element));
            model.push(element);
        }
    }
}

fn same(pack: &Pack, model: &[Vec<u8>], random: &mut SmallRng) {
    assert_eq!((pack.len(), pack.is_empty()), (model.len(), model.is_empty()));
    assert_eq!(strings(pack.iter()), model);
    let backwards: Vec<Vec<u8>> = model.iter().rev().cloned().collect();
    assert_eq!(strings(pack.iter().rev()), backwards);
    assert_eq!(*pack, packed(model), "the bytes tell nothing of how they came to be");
    assert_eq!(Pack::from_bytes(pack.as_bytes().to_vec()).as_ref(), Some(pack));
    assert!(pack.heap_bytes() <= allocated(pack.size_bytes()).max(16) * 3 / 2 + 16);
    assert_eq!(place(pack, 0), pack.first());
    assert_eq!(pack.seek(-1), pack.last());

    let index = random.random_range(-2..model.len() as i64 + 2) as isize;
    let place = pack.seek(index);
    assert_eq!(place.is_some(), (-(model.len() as isize)..model.len() as isize).contains(&index));
    let Some(place) = place else { return };
    let index = index.rem_euclid(model.len() as isize) as usize;
    assert_eq!(pack.seek(index as isize - model.len() as isize), Some(place));
    assert!(pack.get(place).equals(&model[index]));
    assert_eq!(strings(pack.iter_from(place)), &model[index..]);
    assert_eq!(pack.next(place), pack.seek(index as isize + 1));
    assert_eq!(pack.prev(place), index.checked_sub(1).and_then(|index| pack.seek(index as isize)));

    let (skip, there) = (random.random_range(0..3), random.random_ratio(4, 5));
    let needle = match there {
        true => model[random.random_range(0..model.len())].clone(),
        false => some_element(random),
    };
    let found = (index..model.len()).step_by(skip + 1).find(|index| model[*index] == needle);
    assert_eq!(pack.find(Some(place), &needle, skip), found.and_then(|index| pack.seek(index as isize)));
}
