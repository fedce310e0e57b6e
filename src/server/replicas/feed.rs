//! What replicas are sent, as bytes. Nothing here may know to whom they go.

use crate::keyspace::Call;

/// That a node is there.
pub const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

fn put_command(out: &mut Vec<u8>, args: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends what was done at once: several commands as a transaction. `selected` is the database
/// that the stream is in; returns the one that it is in afterwards.
pub fn put(out: &mut Vec<u8>, calls: &[Call], selected: Option<u32>) -> Option<u32> {
    let mut selected = selected;
    for (i, call) in calls.iter().enumerate() {
        if selected != Some(call.db) {
            selected = Some(call.db);
            put_command(out, &[b"SELECT", call.db.to_string().as_bytes()]);
        }
        if i == 0 && calls.len() > 1 {
            put_command(out, &[b"MULTI"]);
        }
        let args: Vec<&[u8]> = call.args.iter().map(|arg| &**arg).collect();
        put_command(out, &args);
    }
    if calls.len() > 1 {
        put_command(out, &[b"EXEC"]);
    }
    selected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Blob;

    fn call(db: u32, words: &str) -> Call {
        Call { db, args: words.split(' ').map(Blob::from).collect() }
    }

    #[test]
    fn a_database_is_named_when_it_changes_and_a_transaction_begins_in_one() {
        let mut out = Vec::new();
        assert_eq!(put(&mut out, &[call(9, "SET a 1")], None), Some(9));
        assert_eq!(put(&mut out, &[call(9, "DEL a")], Some(9)), Some(9));
        assert_eq!(put(&mut out, &[call(1, "DEL a"), call(2, "DEL b")], Some(9)), Some(2));
        let words: Vec<_> = out.split(|&byte| byte == b'\n').filter(|line| !line.starts_with(b"$")).collect();
        let words = String::from_utf8(words.concat()).unwrap().replace('\r', " ");
        let wanted =
            "*2 SELECT 9 *3 SET a 1 *2 DEL a *2 SELECT 1 *1 MULTI *2 DEL a *2 SELECT 2 *2 DEL b *1 EXEC ";
        assert_eq!(words, wanted);
    }
}
