//! The hot paths without sockets and disks, so that what they cost can be counted exactly:
//! `hot_paths PATH COUNT` decodes, proposes, applies, reads or encodes COUNT commands.
//! `scripts/costs.sh` runs it under valgrind; any profiler will do.

use bowline::command::{Reply, Request, resolve_request};
use bowline::group::{
    Effects, Group, GroupConfig, Input, Job, LogPoint, Now, Recovered, SnapshotPoint, Step,
};
use bowline::machine::Machine;
use bowline::resp::{Decoder, Limits, Protocol, encode};
use bowline::wire::frame::{Frame, PeerMessage};
use bytes::BytesMut;
use raft::eraftpb::{ConfState, HardState};
use std::collections::VecDeque;
use std::hint::black_box;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const VALUE: &[u8] = b"xxx";
const KEYS: usize = 1000;
/// Jobs that share an entry or a read round in the paths named `..._50`: clients of one node.
const CLIENTS: usize = 50;
const MAX_FRAME_BYTES: usize = 1 << 20;

/// Three groups whose messages arrive at once, through the bytes of a frame, and whose disks
/// have no cost.
struct Cluster {
    groups: Vec<Group>,
    under_way: VecDeque<(usize, u64, Vec<u8>)>,
    persisted: VecDeque<(usize, u64)>,
    now: Now,
    replies: Vec<Reply>,
}

impl Cluster {
    fn new() -> Self {
        let log = slog::Logger::root(slog::Discard, slog::o!());
        let groups = (1..=3).map(|node_id| Group::new(config(node_id), recovered(), &log));
        let groups = groups.collect::<Result<_, _>>().expect("an empty disk is coherent");
        let now = Now { wall_ms: 1_700_000_000_000, mono_us: 1_000_000 };
        let mut cluster =
            Self { groups, under_way: VecDeque::new(), persisted: VecDeque::new(), now, replies: Vec::new() };
        while !cluster.groups[0].is_leader() || cluster.groups[0].machine().members().all().len() < 3 {
            cluster.now.mono_us += 10_000;
            // The first one's clock alone moves until it leads.
            let ticking = if cluster.groups[0].is_leader() { 3 } else { 1 };
            (0..ticking).for_each(|at| cluster.step(at, [Input::Tick]));
            cluster.run();
        }
        cluster
    }

    fn step(&mut self, at: usize, inputs: impl IntoIterator<Item = Input>) {
        for input in inputs {
            self.groups[at].step(input, self.now);
        }
        let urgent = self.groups[at].take_urgent_effects();
        self.carry_out(at, urgent);
        let effects = self.groups[at].take_effects();
        self.carry_out(at, effects);
    }

    fn carry_out(&mut self, at: usize, effects: Effects) {
        let mut send = |(to, message): (u64, PeerMessage)| {
            let mut frame = Vec::new();
            Frame::Message(message).put(&mut frame);
            self.under_way.push_back((at, to, frame));
        };
        effects.send_now.into_iter().for_each(&mut send);
        for persist in effects.persists {
            self.persisted.push_back((at, persist.number));
            persist.send_after.into_iter().for_each(&mut send);
        }
        self.replies.extend(effects.replies.into_iter().map(|(_, reply)| reply));
    }

    /// Until nothing is under way.
    fn run(&mut self) {
        loop {
            if let Some((at, number)) = self.persisted.pop_front() {
                self.step(at, [Input::Persisted(number)]);
            } else if let Some((from, to, bytes)) = self.under_way.pop_front() {
                let mut bytes = BytesMut::from(&bytes[..]);
                let frame = Frame::take(&mut bytes, MAX_FRAME_BYTES).expect("our own frame");
                let Some(Frame::Message(message)) = frame else { continue };
                self.step(to as usize - 1, [Input::Peer { from: from as u64 + 1, message }]);
            } else {
                break;
            }
        }
    }

    /// `count` jobs of one command each, `together` at once, at the node `at`.
    fn jobs(&mut self, at: usize, count: usize, together: usize, job: impl Fn(usize) -> Job) {
        for first in (0..count).step_by(together) {
            self.now.mono_us += 100;
            let jobs = (first..count.min(first + together)).map(|i| Input::Submit(job(i)));
            self.step(at, jobs.collect::<Vec<_>>());
            self.run();
            assert_eq!(self.replies.len(), together.min(count - first), "each command is answered");
            self.replies.clear();
        }
    }
}

fn config(node_id: u64) -> GroupConfig {
    GroupConfig {
        node_id,
        group: 1,
        boot: 1,
        incarnation: [node_id as u8; 16],
        client_addr: format!("c{node_id}"),
        peer_addr: format!("p{node_id}"),
        settled: true,
        election_ticks: 20,
        heartbeat_ticks: 5,
        lease_us: 0,
        unavailable_after_ms: 5000,
        seed: 7,
        new_cluster_id: [1; 16],
        new_hash_key: [2; 16],
        new_password: String::new(),
        snapshot_min_log_bytes: 1 << 30,
        log_cache_bytes: 4 << 20,
        log_held_bytes: 512 << 20,
        others_lag_us: bowline::limits::OTHERS_LAG_US,
        one_at_a_time: false,
    }
}

fn recovered() -> Recovered {
    let conf_state = ConfState { voters: vec![1, 2, 3], ..Default::default() };
    Recovered {
        hard_state: HardState::default(),
        snapshot: SnapshotPoint { point: LogPoint::default(), conf_state },
        entries: Vec::new(),
        machine: Machine::new(),
        snapshot_bytes: 0,
    }
}

/// Requests made beforehand, as a decoder leaves them: what is counted is not how they are made.
struct Requests(Vec<Request>);

impl Requests {
    fn new(call: impl Fn(&str) -> Vec<u8>) -> Self {
        let mut decoder = Decoder::new(Limits::AUTHENTICATED);
        let requests = (0..KEYS).map(|i| {
            let mut input = BytesMut::from(&call(&format!("key:{i:012}"))[..]);
            let mut request = decoder.decode(&mut input).expect("a request").expect("a whole one");
            request.row = Some(resolve_request(&request).expect("a command"));
            request
        });
        Self(requests.collect())
    }

    fn sets() -> Self {
        Self::new(|key| format!("*3\r\n$3\r\nSET\r\n$16\r\n{key}\r\n$3\r\nxxx\r\n").into_bytes())
    }

    fn gets() -> Self {
        Self::new(|key| format!("*2\r\n$3\r\nGET\r\n$16\r\n{key}\r\n").into_bytes())
    }

    /// A write in a script, as `redis-benchmark` users write it.
    fn scripts() -> Self {
        const SCRIPT: &str = "return redis.call('SET', KEYS[1], ARGV[1])";
        Self::new(|key| {
            let (len, script) = (SCRIPT.len(), SCRIPT);
            format!("*5\r\n$4\r\nEVAL\r\n${len}\r\n{script}\r\n$1\r\n1\r\n$16\r\n{key}\r\n$3\r\nxxx\r\n")
                .into_bytes()
        })
    }

    fn set(&self, i: usize) -> Job {
        let mut job = Job { ticket: 1 + i as u64, ..Job::default() };
        self.0[i % KEYS].put_unit(&mut job.body);
        job.steps.push(Step::Write);
        job
    }

    fn get(&self, i: usize) -> Job {
        let mut job = Job { ticket: 1 + i as u64, ..Job::default() };
        job.steps.push(Step::Read(self.0[i % KEYS].clone()));
        job
    }
}

fn decode(count: usize) {
    let requests: Vec<Vec<u8>> = (0..KEYS)
        .map(|i| {
            let key = format!("key:{i:012}");
            format!("*3\r\n$3\r\nSET\r\n$16\r\n{key}\r\n$3\r\nxxx\r\n").into_bytes()
        })
        .collect();
    let mut decoder = Decoder::new(Limits::AUTHENTICATED);
    let mut input = BytesMut::with_capacity(64 << 10);
    for i in 0..count {
        input.extend_from_slice(&requests[i % KEYS]);
        black_box(decoder.decode(&mut input).expect("a request"));
    }
}

fn encode_replies(count: usize) {
    let mut out = BytesMut::with_capacity(64 << 10);
    let replies = [Reply::Ok, Reply::Bulk(VALUE.into())];
    for i in 0..count {
        encode(&mut out, black_box(&replies[i % 2]), Protocol::Resp2);
        if out.len() > 32 << 10 {
            out.clear();
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (path, count) = match &args[..] {
        [_, path, count] => (path.as_str(), count.parse::<usize>().expect("COUNT is a number")),
        _ => {
            eprintln!(
                "usage: hot_paths decode|encode|set_1|set_50|set_50_follower|get_1|get_50|eval_50 COUNT"
            );
            std::process::exit(2);
        }
    };
    match path {
        "decode" => decode(count),
        "encode" => encode_replies(count),
        _ => {
            let mut cluster = Cluster::new();
            let (sets, gets, scripts) = (Requests::sets(), Requests::gets(), Requests::scripts());
            let (set, get, eval) = (|i| sets.set(i), |i| gets.get(i), |i| scripts.set(i));
            cluster.jobs(0, KEYS, CLIENTS, set);
            match path {
                "set_1" => cluster.jobs(0, count, 1, set),
                "set_50" => cluster.jobs(0, count, CLIENTS, set),
                "set_50_follower" => cluster.jobs(1, count, CLIENTS, set),
                "get_1" => cluster.jobs(0, count, 1, get),
                "get_50" => cluster.jobs(0, count, CLIENTS, get),
                "eval_50" => cluster.jobs(0, count, CLIENTS, eval),
                other => panic!("there is no path {other}"),
            }
        }
    }
}
