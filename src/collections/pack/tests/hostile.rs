//! Bytes that are no pack, nearly one, or one that Redis would not write.

use super::*;

/// A listpack of these entries, whatever they are.
fn listpack(count: u16, entries: &[&[u8]]) -> Vec<u8> {
    let entries = entries.concat();
    let mut bytes = (entries.len() as u32 + 7).to_le_bytes().to_vec();
    bytes.extend(count.to_le_bytes());
    bytes.extend(entries);
    bytes.push(0xff);
    bytes
}

fn refused(bytes: &[u8]) -> bool {
    Pack::from_bytes(bytes.to_vec()).is_none()
}

#[test]
fn broken_listpacks_are_refused() {
    let sound = listpack(2, &[b"\x81a\x02", b"\x05\x01"]);
    assert!(!refused(&sound));
    for len in 0..sound.len() {
        assert!(refused(&sound[..len]), "{len} bytes of it");
    }
    assert!(refused(&[&sound[..], b"\xff"].concat()), "longer than it says");
    assert!(refused(&listpack(1, &[b"\x81a\x02", b"\x05\x01"])), "more elements than it says");
    assert!(refused(&listpack(3, &[b"\x81a\x02", b"\x05\x01"])), "fewer elements than it says");
    assert!(refused(&listpack(1, &[b"\x81a\x03"])), "a wrong back length");
    assert!(refused(&listpack(1, &[b"\x82a\x02"])), "an element beyond the end");
    assert!(refused(&listpack(1, &[b"\xf0\xff\xff\xff\xffa\x02"])), "an element far beyond the end");
    for first in 0xf5..=0xff {
        assert!(refused(&listpack(1, &[&[first, b'a', 2]])), "{first:x} begins nothing");
    }
    for cut in [&b"\xe0"[..], b"\xf0", b"\xf0\x01", b"\xf0\0\0\0", b"\xf1", b"\xf4\0\0\0", b"\xc0", b"\x80"] {
        assert!(refused(&listpack(1, &[cut])), "{cut:?} is no whole entry");
    }
    let eats_the_end = [&[0xe0, 253][..], &[b'x'; 253], &[1]].concat();
    assert!(refused(&listpack(1, &[&eats_the_end])), "the end is the last byte of its back length");
    let mut endless = listpack(1, &[&[&[0xe0, 0x80][..], &[0x80; 128], b"\x80\x80"].concat()]);
    assert!(refused(&endless), "a back length without a beginning");
    endless.pop();
    assert!(refused(&endless));
}

/// Redis takes them, and finds what is in them; here they become what Redis itself would have written.
#[test]
fn odd_encodings_become_those_that_redis_writes() {
    let odd: [(&[u8], &str); 9] = [
        (b"\x8212\x03", "12"),
        (b"\xc0\x05\x02", "5"),
        (b"\xf1\x05\0\x03", "5"),
        (b"\xf3\xff\xff\xff\xff\x05", "-1"),
        (b"\xf4\0\0\0\0\0\0\0\0\x09", "0"),
        (b"\xe0\x01a\x03", "a"),
        (b"\xf0\x01\0\0\0a\x06", "a"),
        (b"\xf0\0\0\0\0\x05", ""),
        (b"\x81\0\x82", "\0"), // the back length goes on into the string, whose byte happens to be 0
    ];
    for (entry, text) in odd {
        let pack = Pack::from_bytes(listpack(2, &[b"\x81x\x02", entry])).expect("Redis takes it");
        assert_eq!(pack, packed(&["x", text]), "{entry:?}");
    }
    let uncounted = Pack::from_bytes(listpack(0xffff, &[b"\x81x\x02"])).expect("Redis takes it");
    assert_eq!(uncounted, packed(&["x"]));
}

#[test]
fn no_bytes_make_it_panic() {
    mutations(20_000);
}

/// Minutes of it: `cargo test --lib collections::pack -- --ignored no_bytes`.
#[test]
#[ignore = "long"]
fn no_bytes_make_it_panic_for_long() {
    mutations(20_000_000);
}

fn mutations(rounds: usize) {
    let mut random = seeded();
    let mut taken = 0;
    for _ in 0..rounds {
        let elements: Vec<Vec<u8>> =
            (0..random.random_range(0..8)).map(|_| some_element(&mut random)).collect();
        let mut bytes = packed(&elements).as_bytes().to_vec();
        for _ in 0..random.random_range(1..4) {
            mutate(&mut bytes, &mut random);
        }
        if random.random() {
            let total = (bytes.len() as u32).to_le_bytes(); // or the first look would refuse nearly all
            bytes.iter_mut().zip(total).for_each(|(byte, its)| *byte = its);
        }
        if let Some(pack) = Pack::from_bytes(bytes) {
            taken += 1;
            use_it(pack, &mut random);
        }
    }
    assert!(taken > rounds / 100, "{taken}: some are still listpacks");
}

fn mutate(bytes: &mut Vec<u8>, random: &mut SmallRng) {
    let at = random.random_range(0..bytes.len().max(1));
    let byte = [random.random(), 0, 0xff, 0x80, 0xe0, 0xf0, 0xf4][random.random_range(0..7)];
    match random.random_range(0..5) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at.min(bytes.len()), byte),
        2 if at < bytes.len() => drop(bytes.remove(at)),
        3 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
        _ if at < bytes.len() => bytes[at] = byte,
        _ => bytes.push(byte),
    }
}

/// Everything works on what was taken, and it is as if it had been put together here.
fn use_it(mut pack: Pack, random: &mut SmallRng) {
    let elements = strings(pack.iter());
    assert_eq!(pack, packed(&elements));
    assert_eq!(strings(pack.iter().rev()).len(), elements.len());
    assert_eq!(pack.len(), elements.len());
    for element in &elements {
        assert!(pack.find(pack.first(), element, 0).is_some());
    }
    pack.push_front(&some_element(random));
    let at = pack.seek(random.random_range(0..pack.len()) as isize).expect("within");
    let tail = pack.split_off(at);
    pack.append(&tail);
    assert_eq!(strings(pack.iter()).split_off(1), elements);
    while let Some(at) = pack.last() {
        assert_eq!(pack.remove(at), None);
    }
    assert_eq!(pack, Pack::new());
}
