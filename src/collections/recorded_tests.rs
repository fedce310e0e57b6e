//! What redis-server made of elements, byte by byte: `recorded.txt`.

use super::{Ints, Pack, parse_i64};

const RECORDED: &str = include_str!("recorded.txt");

/// What was put in, and the bytes that came out, of each record of a kind.
fn recorded(kind: &str) -> Vec<(Vec<Vec<u8>>, Vec<u8>)> {
    let mut lines = RECORDED.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut records = Vec::new();
    while let (Some(input), Some(output)) = (lines.next(), lines.next()) {
        let mut words = input.split(' ');
        if words.next() == Some(kind) {
            records.push((words.map(string).collect(), output.split_whitespace().flat_map(hex).collect()));
        }
    }
    assert!(records.len() > 5, "there are records of {kind}");
    records
}

fn string(word: &str) -> Vec<u8> {
    match word.split_once('*') {
        Some((char, times)) => char.repeat(times.parse().expect("a count")).into_bytes(),
        None if word == "\"\"" => Vec::new(),
        None => word.as_bytes().to_vec(),
    }
}

fn hex(word: &str) -> Vec<u8> {
    let (digits, times) = word.split_once('*').unwrap_or((word, "1"));
    let bytes =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex"));
    bytes.collect::<Vec<u8>>().repeat(times.parse().expect("a count"))
}

#[test]
fn packs_are_the_listpacks_of_redis() {
    for (elements, bytes) in recorded("pack") {
        let mut back = Pack::new();
        let mut front = Pack::new();
        elements.iter().for_each(|element| back.push_back(element));
        elements.iter().rev().for_each(|element| front.push_front(element));
        assert_eq!((back.as_bytes(), front.as_bytes()), (&*bytes, &*bytes), "{elements:?}");

        let pack = Pack::from_bytes(bytes.clone()).expect("Redis made it");
        assert_eq!(pack.as_bytes(), bytes);
        assert_eq!((pack.len(), pack.size_bytes()), (elements.len(), bytes.len()));
        let read: Vec<Vec<u8>> = pack.iter().map(|element| element.to_blob().to_vec()).collect();
        assert_eq!(read, elements);
        let numbers: Vec<Option<i64>> = pack.iter().map(|element| element.as_int()).collect();
        assert_eq!(numbers, elements.iter().map(|element| parse_i64(element)).collect::<Vec<_>>());
    }
}

#[test]
fn sets_of_numbers_are_the_intsets_of_redis() {
    for (numbers, bytes) in recorded("ints") {
        let mut ints = Ints::new();
        let mut left = Vec::new();
        for number in numbers {
            match number.strip_prefix(b"!").and_then(parse_i64) {
                Some(gone) => {
                    assert!(ints.remove(gone));
                    left.retain(|number| *number != gone);
                }
                None => {
                    left.push(parse_i64(&number).expect("a number"));
                    assert!(ints.insert(left[left.len() - 1]));
                }
            }
        }
        left.sort_unstable();
        assert_eq!(ints.as_bytes(), bytes, "{ints:?}");
        let ints = Ints::from_bytes(bytes.clone()).expect("Redis made it");
        assert_eq!((ints.as_bytes(), ints.size_bytes()), (&*bytes, bytes.len()));
        assert_eq!(ints.iter().collect::<Vec<_>>(), left);
    }
}
