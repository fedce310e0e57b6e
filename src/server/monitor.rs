//! `MONITOR`: clients that are shown what the clients of this node send, each command when it is
//! taken. This module must never show a password, nor cost anything while nobody looks.

use super::client::Client;
use super::clients::ClientTable;
use super::connection::Connection;
use crate::command::{self, Command, ConnectionCommand as Do, Flags, Handler, Reply, Request};
use crate::limits;
use crate::node::Clients;
use crate::wire::units::Args;
use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

const REDACTED: &[u8] = b"(redacted)";
const NO_KEYS: Reply = Reply::error("ERR Replica can't interact with the keyspace");

/// Those who look.
#[derive(Default)]
pub(super) struct Monitors {
    clients: RefCell<Vec<Rc<Client>>>,
    /// Something was shown that may not be sent yet.
    shown: Cell<bool>,
}

impl Monitors {
    pub fn is_empty(&self) -> bool {
        self.clients.borrow().is_empty()
    }

    fn add(&self, client: &Rc<Client>) -> bool {
        if client.monitors.replace(true) {
            return false;
        }
        self.clients.borrow_mut().push(Rc::clone(client));
        true
    }

    fn remove(&self, client: &Client) {
        if client.monitors.replace(false) {
            self.clients.borrow_mut().retain(|other| other.id != client.id);
        }
    }

    /// Shows a command that a script has carried out.
    pub fn show_scripted(&self, db: u32, row: &Command, args: &Args<'_>, table: &ClientTable) {
        self.show(&line(SystemTime::now(), db, "lua", row, args), table);
    }

    fn show(&self, line: &str, table: &ClientTable) {
        for client in &*self.clients.borrow() {
            client.write_with(|out| out.extend_from_slice(line.as_bytes()));
            if client.unsent() > limits::MAX_MONITOR_OUTPUT_BYTES {
                client.cut_off();
            }
            table.touch(client);
        }
        self.shown.set(true);
    }
}

impl ClientTable {
    /// From now on it looks. False: it did already.
    pub(super) fn start_monitor(&self, client: &Rc<Client>) -> bool {
        let begins = self.monitors().add(client);
        self.stats().observer.shows_scripts.set(!self.monitors().is_empty());
        begins
    }

    /// It looks no more.
    pub(super) fn stop_monitor(&self, client: &Client) {
        self.monitors().remove(client);
        self.stats().observer.shows_scripts.set(!self.monitors().is_empty());
    }

    /// Sends what monitors were shown.
    pub(super) fn flush_monitors(&self) {
        if self.monitors().shown.take() {
            self.flush();
        }
    }
}

impl Connection {
    /// Shows a command that is about to be carried out.
    pub(super) fn show(&self, request: &Request) {
        let monitors = self.shared.clients.monitors();
        if monitors.is_empty() {
            return;
        }
        let args = request.args();
        // What administers the server is not for everybody's eyes.
        if let Ok(row) = command::resolve(&args)
            && !row.flags.has(Flags::ADMIN)
        {
            let line = line(SystemTime::now(), self.session.db, &self.client.addr.to_string(), row, &args);
            monitors.show(&line, &self.shared.clients);
        }
    }

    /// Shows a command that the connection is about to carry out: before `EXEC`, what it carries
    /// out. (`SELECT` is shown in the database that it selects, afterwards; so is `RESET`, to others.)
    pub(super) fn show_local(&self, what: Do, request: &Request) {
        if self.shared.clients.monitors().is_empty() || matches!(what, Do::Select | Do::Reset) {
            return;
        }
        if what == Do::Exec
            && let Some(multi) = self.session.multi.as_ref().filter(|multi| !multi.broken)
        {
            multi.commands.iter().for_each(|queued| self.show(&queued.request));
        }
        self.show(request);
    }

    /// One who looks does nothing else.
    pub(super) fn refused_while_monitoring(&self, row: &Command) -> Option<Reply> {
        let touches_keys = !matches!(row.handler, Handler::Connection(_)) || row.changes_keys();
        (self.client.monitors.get() && touches_keys).then_some(NO_KEYS)
    }
}

/// A command as Redis shows it.
fn line(now: SystemTime, db: u32, from: &str, row: &Command, args: &Args<'_>) -> String {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut line = format!("+{}.{:06} [{db} {from}]", now.as_secs(), now.subsec_micros());
    for (at, arg) in args.iter().enumerate() {
        line.push_str(" \"");
        put_quoted(&mut line, if command::is_secret(row, args, at) { REDACTED } else { arg });
        line.push('"');
    }
    line.push_str("\r\n");
    line
}

fn put_quoted(line: &mut String, arg: &[u8]) {
    for &byte in arg {
        match byte {
            b'\\' | b'"' => {
                line.push('\\');
                line.push(char::from(byte));
            }
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            b'\t' => line.push_str("\\t"),
            7 => line.push_str("\\a"),
            8 => line.push_str("\\b"),
            b' '..=b'~' => line.push(char::from(byte)),
            _ => write!(line, "\\x{byte:02x}").expect("a String grows"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn commands_are_shown_as_redis_shows_them_and_secrets_are_not() {
        let now = UNIX_EPOCH + Duration::new(1_700_000_000, 42_000);
        for (words, shown) in [
            (
                vec!["set", "a b", "\"\\\n\r\t\u{7}\u{8}\u{1}é~"],
                r#""set" "a b" "\"\\\n\r\t\a\b\x01\xc3\xa9~""#,
            ),
            (vec!["AUTH", "pass"], r#""AUTH" "(redacted)""#),
            (vec!["auth", "user", "pass"], r#""auth" "(redacted)" "(redacted)""#),
            (
                vec!["hello", "2", "AUTH", "u", "p", "SETNAME", "n"],
                r#""hello" "2" "AUTH" "(redacted)" "(redacted)" "SETNAME" "n""#,
            ),
            (vec!["mget", "auth", "x", ""], r#""mget" "auth" "x" """#),
        ] {
            let args: Args<'_> = words.iter().map(|word| word.as_bytes()).collect();
            assert_eq!(
                line(now, 3, "127.0.0.1:5000", command::resolve(&args).unwrap(), &args),
                format!("+1700000000.000042 [3 127.0.0.1:5000] {shown}\r\n")
            );
        }
    }
}
