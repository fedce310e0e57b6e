//! `AUTH`, and what of `ACL` concerns one node or one connection. Users themselves are changed in
//! the log; no plain password must ever get there.

use super::connection::{Capture, Connection};
use super::dispatch::{Flow, TOO_LONG};
use crate::command::{self, Acl, AclCommand, Command, ConnectionCommand as Do, Reply, Request, parse_i64};
use crate::group::{Job, Step};
use crate::limits;
use crate::wire::units::{Args, put_command_unit};

const SYNTAX: Reply = Reply::error("ERR syntax error");
const NOT_AN_INTEGER: Reply = Reply::error("ERR value is not an integer or out of range");
pub const WRONG_PASSWORD: Reply =
    Reply::error("WRONGPASS invalid username-password pair or user is disabled.");
const NO_PASSWORD: Reply = Reply::error(
    "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
);
const NO_FILE: Reply = Reply::error(
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.",
);

/// Entries of `ACL LOG` without a number.
const SHOWN: usize = 10;
/// Of `ACL GENPASS`.
const GENPASS_BITS: i64 = 256;
const MOST_GENPASS_BITS: i64 = 4096;

/// `AUTH [username] password`.
pub fn auth(connection: &mut Connection, args: &Args<'_>) -> Reply {
    let (name, password) = match args[1..] {
        [password] => {
            let open =
                super::access::users(&connection.shared, |acl, _| acl.default_user().has_no_password());
            if open == Some(true) {
                return NO_PASSWORD;
            }
            (&b"default"[..], password)
        }
        [name, password] => (name, password),
        _ => return SYNTAX,
    };
    if connection.knows_nobody(name) {
        return super::access::NO_USERS_YET;
    }
    if connection.log_in(name, password) {
        return Reply::Ok;
    }
    connection.note_failed_login(args[0], name);
    WRONG_PASSWORD
}

/// What a call logs in with.
fn credentials<'a>(what: Do, args: &Args<'a>) -> Option<(&'a [u8], &'a [u8])> {
    match (what, &args[1..]) {
        (Do::Auth, [password]) => Some((b"default", password)),
        (Do::Auth, [name, password]) => Some((name, password)),
        (Do::Hello, options) => {
            let login = options.windows(3).find(|window| window[0].eq_ignore_ascii_case(b"AUTH"))?;
            Some((login[1], login[2]))
        }
        _ => None,
    }
}

impl Connection {
    /// Whether a login would be refused by what this node has applied: the user may have been made
    /// on another node a moment ago. One that is right asks nobody, so that it needs no majority.
    pub(super) fn login_needs_news(&self, what: Do, args: &Args<'_>) -> bool {
        let is_wrong = |(name, password): (&[u8], &[u8])| {
            let judged = |acl: &Acl, settled| settled && acl.authenticate(name, password).is_none();
            super::access::users(&self.shared, judged) == Some(true)
        };
        credentials(what, args).is_some_and(is_wrong)
    }
}

/// What of `ACL` is not in the log.
pub fn run(connection: &Connection, what: AclCommand, args: &Args<'_>) -> Reply {
    let options = args.get(2..).unwrap_or_default();
    match (what, options) {
        (AclCommand::WhoAmI, _) => Reply::bulk(connection.client.access.name()),
        (AclCommand::NoFile, _) => NO_FILE,
        (AclCommand::GenPass, []) => genpass(GENPASS_BITS),
        (AclCommand::GenPass, [bits]) => parse_i64(bits).map_or(NOT_AN_INTEGER, genpass),
        (AclCommand::Log, []) => connection.shared.clients.acl_log.show(SHOWN),
        (AclCommand::Log, [word]) if word.eq_ignore_ascii_case(b"RESET") => {
            connection.shared.clients.acl_log.reset();
            Reply::Ok
        }
        (AclCommand::Log, [count]) => match parse_i64(count) {
            Some(count) => connection.shared.clients.acl_log.show(usize::try_from(count).unwrap_or(0)),
            None => NOT_AN_INTEGER,
        },
        _ => command::acl_too_many(args),
    }
}

fn genpass(bits: i64) -> Reply {
    if bits <= 0 || bits > MOST_GENPASS_BITS {
        return Reply::error_owned(format!(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to \
             {MOST_GENPASS_BITS}"
        ));
    }
    let digits = (bits as usize).div_ceil(4);
    let mut random = vec![0; digits.div_ceil(2)];
    if getrandom::fill(&mut random).is_err() {
        return Reply::error("ERR the system has no random bytes");
    }
    let mut text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(digits);
    Reply::bulk(text)
}

/// `ACL SETUSER` as it goes to the log: with hashes in place of passwords. Err: what is wrong with it
/// whoever the user is, so that it need not go there, with what may have been meant as a password.
pub fn without_passwords(mut request: Request) -> (Request, Result<(), Reply>) {
    let args = request.args();
    let outcome = command::check_rules(&args);
    let hashed = match &outcome {
        Ok(()) => command::without_passwords(&args),
        Err(_) => Some(vec![b"ACL".to_vec(), b"SETUSER".to_vec(), b"(redacted)".to_vec()]),
    };
    drop(args);
    if let Some(hashed) = hashed {
        let db = request.db;
        request = Request::from_args(&hashed);
        request.db = db;
    }
    (request, outcome)
}

/// For a call that removes passwords: the rules as they were given, because an error names them.
pub fn removals(given: &Request, hashed: &Request) -> Option<Capture> {
    let (given, hashed) = (given.args(), hashed.args());
    let pairs = given.iter().zip(hashed.iter()).skip(3).filter(|(given, _)| given.starts_with(b"<"));
    let pairs: Vec<_> = pairs.map(|(given, hashed)| (text(hashed), text(given))).collect();
    (!pairs.is_empty()).then_some(Capture::Removals(pairs))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An error in the words of whoever made the call.
pub fn as_given(pairs: &[(String, String)], reply: Reply) -> Reply {
    let Reply::Error(error) = &reply else { return reply };
    let found = pairs.iter().find(|(hashed, _)| error.contains(&format!("'{hashed}'")));
    match found {
        Some((hashed, given)) => Reply::error_owned(error.replace(hashed, given)),
        None => reply,
    }
}

impl Connection {
    /// A write of an administrator changes what the next command may do: that waits.
    pub(super) fn dispatch_admins(&mut self, given: Request, row: &'static Command, job: &mut Job) -> Flow {
        if !job.steps.is_empty() {
            return Flow::Hold(given);
        }
        let (request, checked) = super::access::prepared(row, given.clone());
        if let Err(error) = checked {
            let began_ns = self.shared.observer().begin();
            self.observed(began_ns, row, &given.args(), Some(&error));
            self.answer(error, job);
            return Flow::Next;
        }
        if request.size_bytes() > limits::MAX_WRITE_BYTES {
            self.answer(TOO_LONG, job);
            return Flow::Next;
        }
        self.capture = removals(&given, &request);
        put_command_unit(&mut job.body, &request.args(), request.db);
        job.steps.push(Step::Write);
        Flow::Submit
    }
}
