//! The engine on lists and sets, with keys that exist for the test only.

use super::*;

fn look(key: &[u8], field: Option<&[u8]>) -> Option<Blob> {
    let found = match (key, field) {
        (b"w1" | b"w_1_x", None) => "30",
        (b"w2" | b"w_2_x", None) => "10",
        (b"w3", None) => "20",
        (b"h1", Some(b"f")) => "3",
        (b"h2", Some(b"f")) => "1",
        (b"h3", Some(b"f")) => "2",
        (b"h1->", None) => "arrow",
        (b"bad1", None) => "x",
        _ => return None,
    };
    Some(Blob::from(found))
}

fn sorted_as(order: Order, elements: &str, options: &str) -> Result<String, Reply> {
    let options: Vec<&[u8]> = options.split_whitespace().map(str::as_bytes).collect();
    let options = Options::read(&options, true)?;
    let all = elements.split(' ').filter(|element| !element.is_empty()).map(Blob::from).collect();
    let sorted = engine::sort(Elements { all, order }, &options, &mut look)?;
    let shown = sorted.iter().map(|found| match found {
        Some(text) => String::from_utf8_lossy(text).into_owned(),
        None => "(nil)".to_owned(),
    });
    Ok(shown.collect::<Vec<_>>().join(" "))
}

fn list(elements: &str, options: &str) -> String {
    sorted_as(Order::List, elements, options).unwrap()
}

#[test]
fn numbers_and_words_in_both_directions() {
    assert_eq!(list("3 10 2 -1", ""), "-1 2 3 10");
    assert_eq!(list("3 10 2 -1", "DESC"), "10 3 2 -1");
    assert_eq!(list("3 10 2 -1", "DESC ASC"), "-1 2 3 10");
    assert_eq!(list("3 10 2 -1", "alpha"), "-1 10 2 3");
    assert_eq!(list("b a C", "ALPHA DESC"), "b a C");
    assert_eq!(list("1.5 1e1 0x2 inf -inf .5 +1", ""), "-inf .5 +1 1.5 0x2 1e1 inf");
    assert_eq!(list("1.0 1 01", ""), "01 1 1.0", "equal numbers by their bytes");
    assert_eq!(list("1.0 1 01", "DESC"), "1.0 1 01");
    for bad in ["a", "1x", "nan", "1e999", "0x", "1e-999", "- 1"] {
        assert!(sorted_as(Order::List, &format!("1 {bad}"), "").is_err(), "{bad}");
    }
    assert_eq!(list("", ""), "");
    assert_eq!(list("b a\0z a\0b a", "ALPHA"), "a\0z a\0b a b", "texts are C's");
    assert_eq!(list("b a\0z a\0b a", "ALPHA DESC"), "b a\0z a\0b a");
    assert_eq!(list("b a\0z a\0b a", "ALPHA STORE k"), "a a\0b a\0z b", "but where they are stored");
}

#[test]
fn limits() {
    for (limit, left) in [
        ("0 2", "1 2"),
        ("1 2", "2 3"),
        ("3 2", "4"),
        ("4 2", ""),
        ("9 2", ""),
        ("-1 2", "1 2"),
        ("1 -1", "2 3 4"),
        ("1 0", ""),
        ("0 9223372036854775807", "1 2 3 4"),
        ("2 9223372036854775807", "3 4"),
    ] {
        assert_eq!(list("4 3 2 1", &format!("LIMIT {limit}")), left, "{limit}");
    }
}

#[test]
fn by_and_get() {
    assert_eq!(list("1 2 3", "BY w*"), "2 3 1");
    assert_eq!(list("1 2 3", "BY w* DESC"), "1 3 2");
    assert_eq!(list("1 2 3", "BY w_*_x"), "3 2 1", "what is missing counts as 0");
    assert_eq!(list("1 2 3", "BY w_*_x ALPHA"), "3 2 1", "and comes before any text");
    assert_eq!(list("1 2 3", "BY h*->f"), "2 3 1");
    assert_eq!(list("1 2 3", "BY h*->f GET # GET w* GET no*"), "2 10 (nil) 3 20 (nil) 1 30 (nil)");
    assert_eq!(list("1 2 3", "GET h*->f GET h*->"), "3 arrow 1 (nil) 2 (nil)");
    assert_eq!(list("1", "GET w1 GET w"), "(nil) (nil)", "a constant is nothing");
    assert_eq!(list("1 2", "GET no* STORE x"), " ", "a stored nothing is empty");
    assert!(sorted_as(Order::List, "1 2", "BY bad*").is_err());
    assert_eq!(list("3 1 2", "BY missing*"), "1 2 3", "equal weights: by the elements");
}

#[test]
fn a_constant_weight_keeps_the_order() {
    assert_eq!(list("3 1 2", "BY nosort"), "3 1 2");
    assert_eq!(list("3 1 2", "BY nosort DESC"), "2 1 3");
    assert_eq!(list("3 1 2", "BY nosort DESC LIMIT 1 1"), "1");
    assert_eq!(list("b a", "BY nosort"), "b a", "and asks for no numbers");
    assert_eq!(sorted_as(Order::Set, "3 1 2", "BY nosort DESC").unwrap(), "3 1 2");
    assert_eq!(sorted_as(Order::Set, "3 10 2", "BY nosort STORE x").unwrap(), "10 2 3");
}

#[test]
fn where_the_target_stands() {
    let target = |call: &str| {
        let call: Vec<&[u8]> = call.split(' ').map(str::as_bytes).collect();
        options::target(&call)
    };
    assert_eq!(target("sort k"), None);
    assert_eq!(target("sort k store t"), Some(3));
    assert_eq!(target("sort k STORE a desc Store t"), Some(6));
    assert_eq!(target("sort k by store t"), None);
    assert_eq!(target("sort k limit store 1 get store store t"), Some(8));
    assert_eq!(target("sort store store"), None);
}
