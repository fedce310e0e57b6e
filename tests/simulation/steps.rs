//! What clients do as steps of jobs, in the form in which the group takes them.

use super::history::{self, Action};
use super::{operator, typed};
use bowline::command::Request;
use bowline::group::Step;
use bowline::history::GROUP;
use bowline::wire::units::{self, Args, Command, Watch};

/// A step, and its unit in the job's body if it is to stand in the log.
pub fn step(action: &Action, body: &mut Vec<u8>) -> Step {
    let mut write = |label: &str, before: &[&str], after: &[&str]| {
        let (db, key) = history::place(label);
        let args = [before, &[key.as_str()], after].concat();
        units::put_command_unit(body, &args.iter().map(|arg| arg.as_bytes()).collect::<Vec<_>>(), db);
        Step::Write
    };
    match action {
        Action::Append { key, token } => write(key, &["APPEND"], &[token]),
        Action::Once { session, seq, key, token } => {
            write(key, &["ONCE", &format!("s{session}"), &seq.to_string(), "APPEND"], &[token])
        }
        Action::Incr { key } => match key.split_once('/') {
            None => write(key, &["INCR"], &[]),
            Some((hash, field)) => {
                let (field, db) = field.split_once('@').expect("each key has a database");
                write(&format!("{hash}@{db}"), &["HINCRBY"], &[field, "1"])
            }
        },
        Action::Typed(deed) if typed::writes(deed) => {
            typed::put_unit(body, deed);
            Step::Write
        }
        Action::Typed(deed) => typed::read(deed),
        Action::MakeGroup { key } => write(key, &["XGROUP", "CREATE"], &[GROUP, "0", "MKSTREAM"]),
        Action::Forms { sizes } => {
            let sizes: Vec<_> = sizes.iter().map(|(name, size)| (*name, size.to_string())).collect();
            let settings: Vec<_> = sizes.iter().map(|(name, size)| (*name, size.as_bytes())).collect();
            units::put_settings_unit(body, &settings);
            Step::Write
        }
        Action::Set { key, value } => write(key, &["SET"], &[value]),
        Action::Del { key } => write(key, &["DEL"], &[]),
        Action::SetPx { key, ms } => write(key, &["SET"], &["x", "PX", &ms.to_string()]),
        Action::Cas { key, version, value } => {
            write(key, &["CAS"], &[&version.to_string(), &value.to_string()])
        }
        Action::Get { key } if key.contains('/') => {
            let (db, args) = history::read_of(key);
            Step::Read(typed::asked(db, &args))
        }
        Action::Get { key } | Action::GetPx { key } => Step::Read(request("GET", &[key])),
        Action::GetV { key } => Step::Read(request("GETV", &[key])),
        Action::ReadPair { pair } => Step::Read(request("MGET", &[&format!("{pair}a"), &format!("{pair}b")])),
        Action::Watch { key } => Step::Watch(request("WATCH", &[key])),
        Action::AppendPair { pair, token } => {
            let halves = ["a", "b"].map(|half| history::place(&format!("{pair}{half}")));
            let append =
                |(db, key): &(u32, String)| (*db, vec!["APPEND".to_owned(), key.clone(), token.clone()]);
            put_transaction(body, &[], &halves.each_ref().map(append))
        }
        Action::Member { change, node, old } => {
            operator::put_wish(body, *change, *node, *old);
            Step::Write
        }
        Action::WatchedSet { key, watched, value } => {
            let (db, key) = history::place(key);
            let watch =
                Watch { key: key.as_bytes(), revision: watched.0 as u64, seen_at: watched.1 as u64, db };
            let set = vec!["SET".to_owned(), key.clone(), value.to_string()];
            put_transaction(body, &[watch], &[(db, set)])
        }
    }
}

/// What reads keys of one database.
fn request(name: &str, labels: &[&str]) -> Request {
    let places: Vec<_> = labels.iter().map(|label| history::place(label)).collect();
    let keys = places.iter().map(|(_, key)| key.as_str());
    let args: Vec<&str> = std::iter::once(name).chain(keys).collect();
    let mut request = Request::from_args(&args);
    request.db = places[0].0;
    request
}

fn put_transaction(body: &mut Vec<u8>, watches: &[Watch<'_>], commands: &[(u32, Vec<String>)]) -> Step {
    let commands: Vec<Command<'_>> = commands
        .iter()
        .map(|(db, args)| Command {
            args: args.iter().map(|arg| arg.as_bytes()).collect::<Args<'_>>(),
            db: *db,
            caller: None,
        })
        .collect();
    units::put_transaction_unit(body, watches, &commands);
    Step::Write
}
