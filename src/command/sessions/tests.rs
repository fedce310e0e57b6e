//! The store at its boundary: numbers and replies in, what is known of them out.

use super::*;
use crate::command::Reply;

const NOW_MS: u64 = 1_000_000;

fn note(sessions: &mut Sessions, name: &str, seq: u64, reply: &Reply) {
    sessions.note(name.as_bytes(), seq, reply, NOW_MS);
}

fn kept(sessions: &Sessions, name: &str) -> Vec<u64> {
    sessions.see(name.as_bytes(), NOW_MS).map_or_else(Vec::new, |seen| seen.kept)
}

#[test]
fn the_last_replies_are_kept_up_to_a_number_and_a_size() {
    let mut sessions = Sessions::default();
    let count = limits::SESSION_REPLIES as u64;
    for seq in 1..=count + 10 {
        note(&mut sessions, "short", seq, &Reply::Int(seq as i64));
    }
    assert_eq!(kept(&sessions, "short"), (11..=count + 10).collect::<Vec<_>>());
    assert_eq!(sessions.look_up(b"short", 11, NOW_MS), Known::Kept(Reply::Int(11)));
    assert_eq!(sessions.look_up(b"short", 10, NOW_MS), Known::Forgotten { last: count + 10 });
    assert_eq!(sessions.look_up(b"short", count + 11, NOW_MS), Known::New);

    let room = limits::SESSION_REPLY_BYTES - 3; // its kind and its length before it
    let long = Reply::bulk(vec![b'x'; room]);
    for seq in 1..=6 {
        note(&mut sessions, "long", seq, &long);
    }
    assert_eq!(kept(&sessions, "long"), [3, 4, 5, 6]);
    assert_eq!(sessions.look_up(b"long", 3, NOW_MS), Known::Kept(long));

    note(&mut sessions, "long", 7, &Reply::bulk(vec![b'x'; room + 1]));
    note(&mut sessions, "long", 8, &Reply::Ok);
    assert_eq!(sessions.look_up(b"long", 7, NOW_MS), Known::TooLong);
    assert_eq!(sessions.look_up(b"long", 8, NOW_MS), Known::Kept(Reply::Ok));
}

#[test]
fn there_is_room_for_so_many_sessions_and_so_many_bytes() {
    let mut sessions = Sessions::default();
    for number in 0..limits::MAX_SESSIONS {
        let name = number.to_string();
        assert!(sessions.has_room(name.as_bytes()));
        note(&mut sessions, &name, 1, &Reply::Ok);
    }
    assert!(!sessions.has_room(b"another"));
    assert!(sessions.has_room(b"1"), "those that are there go on");
    sessions.end_idle(NOW_MS + limits::SESSION_IDLE_MS, 1);
    assert!(sessions.has_room(b"another"));

    sessions.size_bytes += limits::MAX_SESSIONS_BYTES;
    assert!(!sessions.has_room(b"another") && !sessions.has_room(b"1"));
}

#[test]
fn sizes_are_right_whatever_happens() {
    let mut sessions = Sessions::default();
    for round in 0..300 {
        let name = (round * 7 % 20).to_string();
        let now_ms = NOW_MS + round * limits::SESSION_IDLE_MS / 30;
        let last = sessions.see(name.as_bytes(), now_ms).map_or(0, |seen| seen.last_seq);
        sessions.note(name.as_bytes(), last + 1 + round % 3, &Reply::Int(1 << (round % 60)), now_ms);
        sessions.touch(name.as_bytes(), now_ms);
        sessions.end_idle(now_ms, (round % 2) as usize);
        let sizes = sessions.all.iter().map(|(name, session)| session.size_bytes(name));
        assert_eq!((sessions.size_bytes(), sessions.len()), (sizes.sum(), sessions.by_use.len()));
    }
    sessions.end_idle(u64::MAX, 1000);
    assert!(sessions.is_empty() && sessions.size_bytes() == 0);
}

#[test]
fn an_ended_session_is_gone_before_it_is_removed() {
    let mut sessions = Sessions::default();
    note(&mut sessions, "s", 7, &Reply::Ok);
    let end_ms = NOW_MS + limits::SESSION_IDLE_MS;
    assert_eq!(sessions.look_up(b"s", 7, end_ms - 1), Known::Kept(Reply::Ok));
    assert_eq!(sessions.look_up(b"s", 7, end_ms), Known::New);
    assert!(sessions.see(b"s", end_ms).is_none());
    sessions.touch(b"s", end_ms);
    assert_eq!(sessions.look_up(b"s", 7, end_ms), Known::New, "too late to touch");
    sessions.note(b"s", 1, &Reply::Nil, end_ms);
    assert_eq!(sessions.look_up(b"s", 7, end_ms), Known::New, "it has begun anew");
    assert_eq!((sessions.len(), sessions.look_up(b"s", 1, end_ms)), (1, Known::Kept(Reply::Nil)));
}
