//! What a turn gives to disks and peers before it applies anything.

use super::cluster::Cluster;
use crate::group::{Input, Job, Now, Step};
use crate::wire::units;

#[test]
fn what_is_urgent_has_the_write_and_never_a_reply() {
    let mut cluster = Cluster::default();
    ["cluster 1", "elect 1", "run 5"].iter().for_each(|line| cluster.command(line, &mut String::new()));
    let group = cluster.group_mut(1);
    let now = Now { wall_ms: 1_700_000_100_000, mono_us: 100_000_000 };
    let mut job = Job { ticket: 77, ..Job::default() };
    units::put_command_unit(&mut job.body, &[b"SET".as_slice(), b"k", b"v"], 0);
    job.steps.push(Step::Write);
    group.step(Input::Submit(job), now);

    let urgent = group.take_urgent_effects();
    assert!(urgent.replies.is_empty(), "nothing is durable yet");
    let mut persists = urgent.persists;
    assert_eq!(persists.iter().map(|persist| persist.log.entries.len()).sum::<usize>(), 1);
    let rest = group.take_effects();
    assert!(rest.replies.is_empty(), "nothing is durable yet");
    persists.extend(rest.persists);
    let through = persists.last().expect("a write").number;

    group.step(Input::Persisted(through), now);
    let urgent = group.take_urgent_effects();
    assert!(urgent.replies.is_empty() && group.machine().keyspace().is_empty(), "disks and peers go first");
    let tickets: Vec<u64> = group.take_effects().replies.iter().map(|(ticket, _)| *ticket).collect();
    assert_eq!(tickets, [77]);
    assert_eq!(group.machine().keyspace().total_len(), 1);
}
