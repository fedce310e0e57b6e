//! What went wrong elsewhere, tried here: RedisRaft (issues and commits of RedisLabs/redisraft,
//! found in its development builds of 2020), etcd (issues of etcd-io/etcd), and what others have
//! written about their tests. Each line has a test of its name, which really brings about what
//! made the other system fail.
//!
//! | source | failure there | test here |
//! |---|---|---|
//! | redisraft 13 | a forwarded RPUSH applied again and again | [`leaders`]; `group/testscripts/leader_change.script`, `duplicates_and_gaps.script` |
//! | redisraft 14 | all data gone on any failover | [`snapshots`] |
//! | redisraft 17 | lost updates: a partition while members change | [`membership`] (sleeping nodes); `tests/simulation` (partitions) |
//! | redisraft 18 | empty reads after a restart | [`restarts`]; `reads_after_restart.script` |
//! | redisraft 19 | stale reads after a pause | [`leaders`]; `stale_leader.script` |
//! | redisraft 21 | one node of a healthy cluster says that there is no leader | [`leaders`] |
//! | redisraft 23 | an error for a write that was in fact committed | [`leaders`]; `outcomes.script` |
//! | redisraft 25 | MULTI, DISCARD fail half-way through a leader change | [`leaders`] |
//! | redisraft 26 | one client got another's reply | [`leaders`] |
//! | redisraft 28, 52 | split brain, duplicates, duelling histories under mixed faults | [`restarts`]; `tests/simulation` (state hashes) |
//! | redisraft 30 | removed nodes rise again while the log loads | [`membership`]; `removed_node_returns.script` |
//! | redisraft 42, 43 | log and snapshot off by one; a gap between them | [`snapshots`]; `storage/file/crash_tests.rs` (each step) |
//! | redisraft 44 | a second snapshot without the membership | [`membership`]; `members_in_snapshots.script` |
//! | redisraft 48 | an assertion on a change of voting state, again at each restart | [`membership`]; `demote_and_promote.script` |
//! | redisraft 49 | a race on closing a connection | [`clients`]; peers: `tests/cluster/strangers.rs` |
//! | redisraft 50, 51, 54 | crashes in log cache and log rewriting | [`snapshots`] |
//! | redisraft 53 | appended entries clash with a committed entry at the start | [`restarts`] |
//! | redisraft d33344d | a slow forwarded command delays heartbeats | [`clients`] |
//! | redisraft 46a6ad0 | term and vote lost when the log was rewritten | [`restarts`]; `storage/conformance.rs` |
//! | redisraft 187 | a failed join leaves the node unusable | [`membership`] |
//! | redisraft 654 | a crash during a snapshot leaves an unreadable one | [`snapshots`]; `storage/file/crash_tests.rs` (each step) |
//! | etcd 13766 | applied index not stored atomically with the state | [`restarts`]: there is no applied index on disk |
//! | etcd 14370 | a one-node cluster acknowledges before it has synced | [`restarts`] (SIGKILL); `tests/powercut` (power) |
//! | etcd 18055 | two snapshots in quick succession panic | [`snapshots`] |
//! | etcd 20418 | stale reads when a process was paused, with leases | [`leaders`] |
//! | etcd 15271 | a watcher sees time run backwards | [`clients`]: revisions and deadlines across failovers |
//! | jepsen etcd 3.4.3 | locks built on leases are not safe | [`clients`]: the recipe of README, fenced |
//! | failpoints of etcd's robustness suite | death before and after save, commit, send, snapshot, compaction; black-holed peers | `etcd_failpoints.script`; [`snapshots`] (black hole) |
//! | TigerBeetle 0.16 under Jepsen | clients that retry for ever; crashes on odd queries | [`clients`]; each wait ends: redisraft 23 |

mod harness;

#[path = "failures/clients.rs"]
mod clients;
#[path = "failures/faults.rs"]
mod faults;
#[path = "failures/leaders.rs"]
mod leaders;
#[path = "failures/membership.rs"]
mod membership;
#[path = "failures/restarts.rs"]
mod restarts;
#[path = "failures/snapshots.rs"]
mod snapshots;
