//! Where encodings, lengths and counts change.

use super::*;

/// By how much the string of a length makes a pack longer: heads of 1, 2 and 5 bytes, back lengths of 1 to 5.
#[test]
fn lengths_at_their_borders_come_back() {
    let sizes = [
        (0, 1 + 1),
        (63, 64 + 1),
        (64, 66 + 1),
        (125, 127 + 1),
        (126, 128 + 2),
        (4095, 4097 + 2),
        (4096, 4101 + 2),
        (16_377, 16_382 + 2),
        (16_378, 16_383 + 3),
        (2_097_145, 2_097_150 + 3),
        (2_097_146, 2_097_151 + 4),
        (268_435_449, 268_435_454 + 4),
        (268_435_450, 268_435_455 + 5),
    ];
    for (len, size) in sizes.into_iter().filter(|(len, _)| *len < 3 << 20) {
        holds_between_others(len, size);
    }
    if std::env::var_os("PACK_LONG").is_some() {
        sizes.into_iter().for_each(|(len, size)| holds_between_others(len, size));
    }
}

fn holds_between_others(len: usize, size: usize) {
    let string = vec![b'x'; len];
    let element = Element::Bytes(&string);
    assert_eq!(Pack::encoded_bytes(element), size, "{len}");
    let mut pack = packed(&["before", "after"]);
    let before = pack.size_bytes();
    let place = pack.insert_after(pack.first().expect("it"), &string);
    assert_eq!(pack.size_bytes() - before, size);
    assert_eq!(pack.get(place), element);
    assert_eq!((pack.prev(place), pack.next(place)), (pack.first(), pack.last()));
    assert_eq!(pack.iter().rev().nth(1), Some(element));
    assert_eq!(pack.find(pack.first(), &string, 0), Some(place));
    let pack = Pack::from_bytes(pack.as_bytes().to_vec()).expect("sound");
    assert_eq!(pack.get(place), element);
}

#[test]
fn numbers_at_their_borders_come_back() {
    let sizes = [
        (&[0, 1, 127][..], 2),
        (&[-1, 128, 4095, -4096], 3),
        (&[4096, -4097, 0x7fff, -0x8000], 4),
        (&[0x8000, -0x8001, 0x7f_ffff, -0x80_0000], 5),
        (&[0x80_0000, -0x80_0001, 0x7fff_ffff, -0x8000_0000], 6),
        (&[0x8000_0000, -0x8000_0001, i64::MAX, i64::MIN], 10),
    ];
    for (n, size) in sizes.iter().flat_map(|(numbers, size)| numbers.iter().map(move |n| (*n, *size))) {
        let text = n.to_string();
        assert_eq!(Pack::encoded_bytes(n), size, "{n}");
        let pack = packed(&["a", &text, "b"]);
        let place = pack.seek(1).expect("the number");
        assert_eq!(pack.get(place), Element::Int(n));
        assert_eq!(pack.find(pack.first(), text.as_bytes(), 0), Some(place));
        assert_eq!(pack.prev(place), pack.first());
        let mut other = packed(&["a", "b"]);
        other.insert_all(other.last(), [Element::Int(n)]);
        assert_eq!(other, pack);
    }
}

#[test]
fn from_65535_elements_on_they_are_counted() {
    let mut pack = Pack::new();
    (0..65_534).for_each(|n| pack.push_back_int(n % 100));
    let header = |pack: &Pack| pack.as_bytes()[4..6].to_vec();
    assert_eq!((pack.len(), header(&pack)), (65_534, vec![0xfe, 0xff]));
    (0..3).for_each(|_| pack.push_back(b"more"));
    assert_eq!((pack.len(), header(&pack)), (65_537, vec![0xff, 0xff]));
    assert_eq!(Pack::from_bytes(pack.as_bytes().to_vec()).map(|pack| pack.len()), Some(65_537));
    for index in [0, 1, 40_000, 65_535, 65_536] {
        let place = pack.seek(index);
        assert!(place.is_some());
        assert_eq!(place, pack.seek(index - 65_537));
    }
    assert_eq!((pack.seek(65_537), pack.seek(-65_538)), (None, None));
    let mut half = pack.split_off(pack.seek(30_000).expect("many"));
    assert_eq!((pack.len(), half.len()), (30_000, 35_537));
    half.append(&pack);
    assert_eq!((half.len(), header(&half)), (65_537, vec![0xff, 0xff]));
    (0..3).for_each(|_| assert!(half.remove(half.first().expect("many")).is_some()));
    assert_eq!((half.len(), header(&half)), (65_534, vec![0xfe, 0xff]));
}

#[test]
fn there_is_an_end_to_what_a_pack_takes() {
    let pack = packed(&["x"]);
    assert!(pack.has_room_for((1 << 30) - pack.size_bytes()));
    assert!(!pack.has_room_for((1 << 30) - pack.size_bytes() + 1));
    assert!(!pack.has_room_for(usize::MAX));
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let pack = packed(&["f", "v", "v", "f"]);
    assert_eq!(pack.find(pack.first(), b"v", 1), pack.seek(2));
    assert_eq!(pack.find(pack.seek(1), b"v", 1), pack.seek(1));
    assert_eq!(pack.find(pack.first(), b"w", 0), None);
    assert_eq!(pack.find(None, b"f", 0), None);
    assert_eq!(Pack::new().find(Pack::new().first(), b"", 0), None);
}
