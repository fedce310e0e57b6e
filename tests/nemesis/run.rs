//! One run: a cluster behind relays, clients on all nodes, faults one after the other and
//! several at once, and in the end the verdict.

use super::faults::{Fault, Nemesis, Surroundings};
use super::judge::Judge;
use super::kind::Kind;
use super::machine::{Clocks, SmallDisk};
use super::objects::{self, Band};
use super::relay::Relays;
use super::summary::{Episode, Summary};
use super::workload::{Shared, Worker};
use crate::harness::client::request;
use crate::harness::{Cluster, Setup};
use bowline::history::{Action, Call, Operation, Outcome, What};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Bands of clients, and clients of a band on each node: nine on one object at most.
const BANDS: u64 = 3;
const CLIENTS: u64 = 3;
/// Commands of one message when everything is read in the end.
const LAST_READS: usize = 100;

/// How a run is to be.
pub struct Plan {
    pub seed: u64,
    pub duration: Duration,
    /// Operations a second.
    pub rate: u64,
    /// How long faults and the times between them last, at most.
    pub most_hold: Duration,
    /// Whether clients ask for reads that may be old: such a history has to be found wrong.
    pub stale: bool,
    /// How the product is broken deliberately.
    pub mutant: Option<&'static str>,
    /// Where the history is kept; None: with the cluster, and gone with it.
    pub history: Option<PathBuf>,
}

/// A cluster whose nodes reach each other through relays.
fn cluster(&Plan { seed, mutant, .. }: &Plan) -> Nemesis {
    let mut cluster = Setup::new().flags(&["--snapshot-log-mib", "8"]).prepare();
    let dir = cluster.dir().to_owned();
    let relays = Relays::start();
    let clocks = Clocks::new(&dir);
    let on_small_disk = 1 + seed % cluster.ids().len() as u64;
    let disk = SmallDisk::under(cluster.node_mut(on_small_disk), &dir);
    let mut first_places = BTreeMap::new();
    for id in cluster.ids() {
        let node = cluster.node_mut(id);
        let behind = relays.behind(&node.peer_addr);
        node.flags.extend(["--peer-bind".to_owned(), behind.clone()]);
        first_places.insert(id, behind);
        if let Some(clocks) = &clocks {
            clocks.under(node);
        }
        node.env.extend(mutant.map(|name| ("BOWLINE_MUTANT".to_owned(), name.to_owned())));
        node.start();
    }
    cluster.await_ready();
    let disk = disk.map(|disk| (on_small_disk, disk));
    Nemesis::new(cluster, Surroundings { relays, first_places, disk, clocks }, seed)
}

/// What the server knows of what clients may want.
fn kinds(cluster: &Cluster) -> Vec<objects::Kind> {
    let mut kinds = objects::Kind::ALL.to_vec();
    let mut client = cluster.client(cluster.leader());
    for (probe, without) in [("ONCE", objects::Kind::Once), ("XREADGROUP", objects::Kind::Stream)] {
        let reply = client.try_call(&[probe]);
        let is_unknown = |error: &str| error.contains("unknown command");
        if reply.is_ok_and(|reply| reply.error().is_some_and(is_unknown)) {
            println!("left out: {probe}: this server has no such command");
            kinds.retain(|kind| *kind != without);
        }
    }
    kinds
}

/// Runs it all. Panics when a node does not come back, or a process ends by itself.
pub fn run(plan: &Plan) -> Summary {
    println!("seed {}", plan.seed);
    let mut nemesis = cluster(plan);
    let path = plan.history.clone().unwrap_or_else(|| nemesis.cluster.dir().join("history.jsonl"));
    let shared = Arc::new(Shared::new(plan.rate));
    let (retire, retired) = mpsc::channel();
    let numbers = Arc::new(AtomicUsize::new(0));
    let kinds = kinds(&nemesis.cluster);
    let bands: Vec<Arc<Band>> =
        (0..BANDS).map(|_| Arc::new(Band::new(&kinds, numbers.clone(), retire.clone()))).collect();
    drop(retire);
    let judge = Judge::new(&path);
    let judging = {
        let shared = shared.clone();
        std::thread::spawn(move || judge.run(&retired, &shared.stop))
    };
    let workers = start_clients(&nemesis.cluster, plan, &bands, &shared);
    let tormented = catch_unwind(AssertUnwindSafe(|| torment(plan, &mut nemesis, &shared)));
    let lasted = Duration::from_nanos(shared.now_ns());
    shared.stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().expect("a client that ends");
    }
    for band in bands {
        Arc::into_inner(band).expect("all clients have ended").retire();
    }
    let judge = judging.join().expect("a judge that ends");
    let episodes = tormented.unwrap_or_else(|panic| {
        println!("what clients saw until then: {}", judge.report);
        resume_unwind(panic)
    });
    nemesis.assert_well();
    nemesis.cluster.await_caught_up();
    let mut violations = judge.report.clone(); // what was seen at once
    let finally = last_reads(&nemesis.cluster, &judge, &shared);
    let report = judge.judge_all(&finally);
    if violations.is_linearizable() {
        violations = report.clone();
    }
    Summary::new(plan.seed, lasted, episodes, &shared, report, violations, plan.history.clone())
}

fn start_clients(
    cluster: &Cluster,
    plan: &Plan,
    bands: &[Arc<Band>],
    shared: &Arc<Shared>,
) -> Vec<std::thread::JoinHandle<()>> {
    let mut workers = Vec::new();
    let addrs = cluster.addrs();
    for band in bands {
        for (node, _) in cluster.ids().into_iter().flat_map(|id| (0..CLIENTS).map(move |i| (id, i))) {
            let id = workers.len() as u64 + 1;
            let mut worker = Worker::new(id, node, &addrs, plan.seed, band.clone(), shared.clone());
            worker.stale = plan.stale;
            workers.push(std::thread::spawn(move || worker.run()));
        }
    }
    workers
}

/// Fault after fault, until the time is over or something is wrong.
fn torment(plan: &Plan, nemesis: &mut Nemesis, shared: &Shared) -> Vec<Episode> {
    let mut rng = SmallRng::seed_from_u64(plan.seed ^ 0xfa17);
    let until = |rng: &mut SmallRng| plan.most_hold.mul_f64(rng.random_range(0.05..1.0));
    let deadline = Instant::now() + plan.duration;
    let mut episodes = Vec::new();
    while Instant::now() < deadline && !shared.stop.load(Ordering::Relaxed) {
        shared.amid_faults.store(false, Ordering::Relaxed);
        std::thread::sleep(until(&mut rng)); // calm
        let from_ns = shared.now_ns();
        let at_once = [1, 1, 1, 2, 2, 3][rng.random_range(0..6)];
        let mut faults = Vec::new();
        shared.amid_faults.store(true, Ordering::Relaxed);
        for i in 0..at_once {
            if i > 0 {
                std::thread::sleep(until(&mut rng) / 4);
            }
            faults.extend(nemesis.inject(at_once == 1));
        }
        std::thread::sleep(until(&mut rng));
        let kinds: Vec<Kind> = faults.iter().map(|fault| fault.kind).collect();
        let what: Vec<String> = faults.iter().map(|fault| fault.what.clone()).collect();
        if faults.is_empty() {
            continue;
        }
        let held_ns = shared.now_ns();
        faults.shuffle(&mut rng);
        faults.sort_by_key(Fault::is_cured_last);
        for fault in faults {
            nemesis.heal(fault);
        }
        nemesis.assert_well();
        let (to_ns, what) = (shared.now_ns(), what.join(" + "));
        let seconds = from_ns as f64 / 1e9;
        let (held, healed) = ((held_ns - from_ns) as f64 / 1e9, (to_ns - held_ns) as f64 / 1e9);
        println!("{seconds:7.2} s: {what}; after {held:.2} s cured, well again {healed:.2} s later");
        episodes.push(Episode { from_ns, to_ns, what, kinds });
    }
    episodes
}

/// Every node says itself what it holds of every object, in the order of the judge's list.
fn last_reads(cluster: &Cluster, judge: &Judge, shared: &Shared) -> Vec<Vec<Operation>> {
    let mut looks: Vec<(usize, Action)> = Vec::new();
    for (object, written) in judge.written.iter().enumerate() {
        for key in &written.keys {
            let call = |what: What| (object, Action::One(Call { key: key.clone(), what }));
            looks.extend(written.kind.looks().into_iter().map(call));
        }
    }
    let mut finally = vec![Vec::new(); judge.written.len()];
    for id in cluster.ids() {
        let mut client = cluster.client(id);
        // Its own state, and none older than what another has shown: a deadline may pass between two nodes' reads.
        for looks in looks.chunks(LAST_READS) {
            let start_ns = shared.now_ns();
            let requests = looks.iter().flat_map(|(_, action)| super::wire::requests(action));
            let bytes: Vec<u8> = requests.flat_map(|args| request(&args)).collect();
            client.stream.write_all(&bytes).expect("a node that is well");
            let replies: Vec<_> = looks.iter().map(|_| client.read().expect("a node that is well")).collect();
            let end_ns = shared.now_ns();
            for ((object, action), reply) in looks.iter().zip(replies) {
                let outcome = super::wire::outcome(action, &reply).unwrap_or(Outcome::Unknown);
                let action = action.clone();
                finally[*object].push(Operation { client: 1000 + id, action, outcome, start_ns, end_ns });
            }
        }
    }
    finally
}
