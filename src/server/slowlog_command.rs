//! `SLOWLOG`: what took long to carry out on this node. Time in which a command waited for the
//! other nodes is not in it. This module must never show a secret: the journal holds none.

use super::Shared;
use super::journal::SlowEntry;
use crate::command::{Reply, SlowlogCommand as Do, parse_i64};

/// Entries that `GET` shows when it is not told how many.
const SHOWN: i64 = 10;

/// Carries one of its subcommands out.
pub fn run(shared: &Shared, what: Do, args: &[&[u8]]) -> Reply {
    shared.clients.write_journal();
    let log = &shared.clients.stats().journal.slow;
    match what {
        Do::Len => Reply::Int(log.entries.borrow().len() as i64),
        Do::Reset => {
            log.reset();
            Reply::Ok
        }
        Do::Get => match args.get(2..) {
            Some([_, _, ..]) => {
                let asked = crate::command::shown(args[1]);
                Reply::error_owned(format!(
                    "ERR unknown subcommand or wrong number of arguments for '{asked}'. Try SLOWLOG HELP."
                ))
            }
            Some([count]) => match parse_i64(count) {
                Some(-1) => entries(log.entries.borrow().iter(), usize::MAX),
                Some(count @ 0..) => entries(log.entries.borrow().iter(), count as usize),
                _ => Reply::error("ERR count should be greater than or equal to -1"),
            },
            _ => entries(log.entries.borrow().iter(), SHOWN as usize),
        },
    }
}

fn entries<'a>(log: impl Iterator<Item = &'a SlowEntry>, count: usize) -> Reply {
    let entry = |entry: &SlowEntry| {
        Reply::Array(vec![
            Reply::Int(entry.id),
            Reply::Int(entry.at_s),
            Reply::Int(entry.duration_us as i64),
            Reply::Array(entry.args.iter().map(Reply::bulk).collect()),
            Reply::bulk(&entry.client_addr),
            Reply::bulk(&entry.client_name),
        ])
    };
    Reply::Array(log.take(count).map(entry).collect())
}
