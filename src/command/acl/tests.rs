//! Rows against what Redis was seen to say, and users against what becomes of them in a snapshot.

use super::*;
use crate::command::table;
use crate::wire::proto::snapshot as proto;

#[test]
fn rows_have_the_categories_of_redis() {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (name, mut categories) in known::of_redis() {
        let Some(row) = table::all().find(|row| row.full_name == name) else { continue };
        categories.sort_unstable();
        compared += 1;
        if row.acl_categories() != categories {
            wrong.push(format!("{name}: {:?}, Redis has {categories:?}", row.acl_categories()));
        }
    }
    assert!(compared > 60, "the names are Redis's");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_of_redis_may_be_named() {
    assert_eq!(known::of_redis().count(), known::REDIS.lines().count());
    for (name, categories) in known::of_redis() {
        assert!(known::find(name.to_ascii_uppercase().as_bytes()).is_some(), "{name}");
        assert!(!categories.is_empty(), "{name}");
    }
    assert!(known::find(b"nosuch").is_none() && known::find(&[0xff]).is_none());
}

fn with(acl: &mut Acl, name: &str, rules: &str) -> Result<UserChange, Reply> {
    let rules: Vec<&[u8]> = rules.split(' ').map(str::as_bytes).collect();
    acl.set_user(name.as_bytes(), &rules, false)
}

fn described(acl: &Acl, name: &str) -> String {
    String::from_utf8(acl.user(name.as_bytes()).unwrap().describe()).unwrap()
}

const RULES: &[&str] = &[
    "on >secret >other ~a:* %R~r:* %W~w:* &c:* +@all -@dangerous +config|get",
    "+@read -get +select|0 +select|1 (+set ~b &d) (+@all ~* &*)",
    "reset",
    "nopass skip-sanitize-payload allkeys allchannels allcommands",
    "%RW~* +sadd +@hash -hget",
    "+@all -client +client|id +client|setname",
];

#[test]
fn a_snapshot_makes_the_same_users() {
    let mut acl = Acl::default();
    for (i, rules) in RULES.iter().enumerate() {
        with(&mut acl, &format!("user{i}"), rules).unwrap();
    }
    acl.set_default_password(Some(&hash_password(b"pw")));
    let written: Vec<Vec<u8>> =
        acl.to_snapshot().iter().map(|user| protobuf::Message::write_to_bytes(user).unwrap()).collect();
    let read: Vec<proto::User> =
        written.iter().map(|bytes| protobuf::Message::parse_from_bytes(bytes).unwrap()).collect();
    let restored = Acl::from_snapshot(&read);
    assert_eq!(restored.users, acl.users);
    assert_eq!((restored.state_hash(), restored.size_bytes), (acl.state_hash(), acl.size_bytes));
    assert!(restored.authenticate(b"user0", b"other").is_some());
    assert!(restored.authenticate(b"user0", b"wrong").is_none());
    assert!(
        restored.authenticate(b"default", b"pw").is_some()
            && restored.authenticate(b"default", b"").is_none()
    );
}

#[test]
fn what_is_shown_makes_the_same_user() {
    for rules in RULES {
        let mut acl = Acl::default();
        with(&mut acl, "a", rules).unwrap();
        let shown = described(&acl, "a");
        with(&mut acl, "b", &shown).unwrap();
        assert_eq!(described(&acl, "b"), shown, "{rules}");
    }
}

#[test]
fn every_change_changes_the_hash_and_an_error_changes_nothing() {
    let mut acl = Acl::default();
    let mut seen = std::collections::BTreeSet::from([acl.state_hash()]);
    for rules in ["on", "~a", "&c", "+get", "+select|0", "nopass", "(+set)", ">x", "%R~b", "sanitize-payload"]
    {
        with(&mut acl, "a", rules).unwrap();
        assert!(seen.insert(acl.state_hash()), "{rules}");
    }
    let before = acl.state_hash();
    for rules in ["off +nosuch", "off !34", "off (+get", "off (nosuch)", "allkeys ~x"] {
        assert!(with(&mut acl, "a", rules).is_err(), "{rules}");
        assert!(with(&mut acl, "new", rules).is_err(), "{rules}");
    }
    assert_eq!(acl.state_hash(), before);
    assert!(acl.delete(b"a") && !acl.delete(b"a"));
    assert_eq!(acl.state_hash(), Acl::default().state_hash());
    assert_eq!(acl.size_bytes, Acl::default().size_bytes);
}

#[test]
fn there_is_a_bound() {
    let mut acl = Acl::default();
    let long = "x".repeat(limits::MAX_USERS_BYTES / 2);
    with(&mut acl, "a", &format!("~{long}")).unwrap();
    with(&mut acl, "a", &format!("resetkeys ~{long}")).unwrap();
    assert!(with(&mut acl, "b", &format!("~{long}")).is_err());
    with(&mut acl, "a", "resetkeys").unwrap();
    with(&mut acl, "b", &format!("~{long}")).unwrap();
}

#[test]
fn only_a_loss_of_channels_is_told() {
    let mut acl = Acl::default();
    let channels = |change| match change {
        UserChange::Changed { channels } => channels,
        UserChange::Deleted => panic!("it was not"),
    };
    assert_eq!(channels(with(&mut acl, "a", "&a &b").unwrap()), None, "it is new");
    assert_eq!(channels(with(&mut acl, "a", "&c").unwrap()), None, "more");
    assert_eq!(channels(with(&mut acl, "a", "resetchannels &b &c &a").unwrap()), None, "the same");
    let left = channels(with(&mut acl, "a", "resetchannels &b").unwrap());
    assert_eq!(left, Some(vec![Blob::new(b"b")]));
    assert_eq!(channels(with(&mut acl, "a", "allchannels").unwrap()), None);
    assert_eq!(channels(with(&mut acl, "a", "resetchannels").unwrap()), Some(vec![]));
}

#[test]
fn a_script_takes_the_right_to_its_call_and_its_keys() {
    let mut acl = Acl::default();
    with(&mut acl, "script", "on nopass ~a* &* +eval +fcall +eval_ro +once").unwrap();
    let check = |call: &[&[u8]]| {
        let row = table::lookup(call[0]).unwrap();
        acl.user(b"script").unwrap().check(row, call)
    };
    for name in ["eval", "eval_ro", "fcall"] {
        assert_eq!(check(&[name.as_bytes(), b"x", b"0"]), Ok(()));
        assert_eq!(check(&[name.as_bytes(), b"x", b"2", b"a", b"b"]), Err(Denied::Key(4)));
    }
    for name in ["evalsha", "evalsha_ro", "fcall_ro"] {
        assert_eq!(check(&[name.as_bytes(), b"x", b"0"]), Err(Denied::Command(name)));
    }
    assert_eq!(check(&[b"once", b"token", b"1", b"eval", b"x", b"1", b"a"]), Ok(()));
    assert_eq!(check(&[b"once", b"token", b"1", b"evalsha", b"x", b"0"]), Err(Denied::Command("evalsha")));
}
