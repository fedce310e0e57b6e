//! What scripts submit.

use super::Cluster;
use crate::command::{self, Handler, Request};
use crate::group::{Consistency, Input, Job, ReadTransaction, Step};
use crate::wire::units::{self, Command, Watch};

impl Cluster {
    pub(super) fn submit(&mut self, id: u64, words: &[&str], consistency: Consistency, out: &mut String) {
        self.tickets += 1;
        let mut job = Job { ticket: self.tickets, consistency, ..Default::default() };
        for words in words.split(|word| *word == ";") {
            // As with CLIENT NO-TOUCH.
            let no_touch = words[0] == "quietly";
            // As a client that has waited tries once more.
            let again = words[0] == "again";
            let words = &words[usize::from(no_touch || again)..];
            let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            let resolved = command::resolve(&args.iter().copied().collect());
            let step = match resolved.map(|command| &command.handler) {
                _ if words[0] == "WATCH" => Step::Watch(Request::from_args(words)),
                Ok(Handler::Write(_)) => {
                    units::put_command_unit(&mut job.body, &args, 0);
                    if again { Step::Again } else { Step::Write }
                }
                Ok(_) => {
                    let mut request = Request::from_args(words);
                    request.no_touch = no_touch;
                    Step::Read(request)
                }
                Err(error) => Step::Ready(error),
            };
            job.steps.push(step);
        }
        self.input(id, Input::Submit(job), out);
    }

    pub(super) fn set(&mut self, id: u64, name: &str, value: &str, out: &mut String) {
        self.tickets += 1;
        let mut job = Job { ticket: self.tickets, ..Default::default() };
        units::put_settings_unit(&mut job.body, &[(name, value.as_bytes())]);
        job.steps.push(Step::Write);
        self.input(id, Input::Submit(job), out);
    }

    /// `exec 1 key=revision:seen_at ... GET a ; SET b c`
    pub(super) fn exec(&mut self, id: u64, words: &[&str], out: &mut String) {
        self.tickets += 1;
        let mut job = Job { ticket: self.tickets, ..Default::default() };
        let is_watch = |word: &&&str| word.contains('=');
        let watched: Vec<(u32, Vec<u8>, u64, u64)> = words
            .iter()
            .take_while(is_watch)
            .map(|word| {
                let (key, seen) = word.split_once('=').unwrap();
                let (revision, seen_at) = seen.split_once(':').unwrap();
                (0, key.as_bytes().to_vec(), revision.parse().unwrap(), seen_at.parse().unwrap())
            })
            .collect();
        let commands: Vec<&[&str]> = words[watched.len()..].split(|word| *word == ";").collect();
        if commands.iter().all(|words| words[0] == "GET") {
            let commands = commands.iter().map(|words| Request::from_args(words)).collect();
            let transaction = ReadTransaction { watches: watched, commands };
            job.steps.push(Step::ReadTransaction(Box::new(transaction)));
        } else {
            let watches: Vec<_> = watched
                .iter()
                .map(|&(db, ref key, revision, seen_at)| Watch { key, revision, seen_at, db })
                .collect();
            let commands: Vec<_> = commands
                .iter()
                .map(|words| Command {
                    args: words.iter().map(|word| word.as_bytes()).collect(),
                    db: 0,
                    caller: None,
                })
                .collect();
            units::put_transaction_unit(&mut job.body, &watches, &commands);
            job.steps.push(Step::Write);
        }
        self.input(id, Input::Submit(job), out);
    }
}
