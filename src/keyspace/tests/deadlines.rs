//! The order in which keys expire.

use super::*;

#[test]
fn expired_keys_go_in_order_of_deadline_and_never_before() {
    let mut keyspace = Keyspace::new(HASH_KEY);
    for i in 0..100u64 {
        keyspace.edit(0, &i.to_le_bytes(), 1).set(Value::string(b""), 1000 - i);
    }
    assert_eq!(keyspace.next_deadline(), Some(901));
    assert_eq!(keyspace.expire_due(900, 100), 0);
    assert_eq!(keyspace.expire_due(950, 20), 20);
    assert_eq!(keyspace.next_deadline(), Some(921));
    assert_eq!(keyspace.expire_due(950, 100), 30);
    assert_eq!((keyspace.len(0), keyspace.len_with_deadline(0)), (50, 50));
}

#[test]
fn two_keys_of_one_hash_and_deadline_are_two_keys() {
    let mut keyspace = Keyspace::new(HASH_KEY);
    let hash = KeyHash::new(77);
    for key in [b"a", b"b"] {
        Edit::new(&mut keyspace, 0, key, hash, 1).set(Value::string(b""), 10);
    }
    assert!(Edit::new(&mut keyspace, 0, b"a", hash, 1).remove());
    assert_eq!((keyspace.next_deadline(), keyspace.len_with_deadline(0)), (Some(10), 1));
    Edit::new(&mut keyspace, 0, b"c", hash, 1).set(Value::string(b""), 10);
    Edit::new(&mut keyspace, 0, b"b", hash, 1).set_deadline(20);
    assert_eq!((keyspace.next_deadline(), keyspace.len_with_deadline(0)), (Some(10), 2));
    Edit::new(&mut keyspace, 0, b"c", hash, 1).set_deadline(20);
    assert_eq!(keyspace.next_deadline(), Some(20));
    assert_eq!(keyspace.expire_due(20, 1), 2);
    assert_eq!((keyspace.len(0), keyspace.next_deadline()), (0, None));
}
