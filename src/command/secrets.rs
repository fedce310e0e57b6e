//! Which arguments of a call nobody else may see, wherever calls are shown: the slow log,
//! `MONITOR`. What is said here must cover every command that takes a password.

use super::row::Command;

/// Parameters of `CONFIG SET` whose values are secrets.
const PARAMETERS: [&[u8]; 4] = [b"masterauth", b"masteruser", b"requirepass", b"tls-key-file-pass"];

/// Whether argument `i` of a call of `row` is one.
pub fn is_secret(row: &Command, call: &[&[u8]], i: usize) -> bool {
    match row.full_name {
        "auth" => i >= 1,
        "acl|setuser" => i >= 2,
        "config|set" => {
            i >= 3 && i % 2 == 1 && PARAMETERS.iter().any(|name| call[i - 1].eq_ignore_ascii_case(name))
        }
        "migrate" => super::migrate::is_secret(call, i),
        "hello" => {
            let auth = call.iter().skip(2).position(|word| word.eq_ignore_ascii_case(b"AUTH"));
            auth.is_some_and(|at| i == at + 3 || i == at + 4)
        }
        _ => false,
    }
}
