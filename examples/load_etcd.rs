//! The load generator for etcd, over the client that Rust programs use: puts and linearizable gets,
//! each client with a connection of its own and one request under way. Prints the same JSON object as
//! `load`. gRPC costs a client far more than RESP does: part of what is measured is that.

#[path = "load/histogram.rs"]
mod histogram;
#[allow(dead_code, reason = "what only RESP needs")]
#[path = "load/measure.rs"]
mod measure;

use clap::Parser;
use etcd_client::{Client, Error};
use measure::Measure;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;
use tokio::time::timeout;

/// How long a client that got an error leaves the servers alone.
const RETREAT: Duration = Duration::from_millis(10);

#[derive(Parser)]
#[command(about = "Sends requests to etcd, and prints what it measured as a JSON object")]
struct Args {
    /// Servers; clients are spread over them in turn
    #[arg(long, value_delimiter = ',', value_name = "HOST:PORT", default_value = "127.0.0.1:2379")]
    addresses: Vec<String>,
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// set or get
    #[arg(long, default_value = "set", value_parser = ["set", "get"])]
    load: String,
    /// Size of a value
    #[arg(long, default_value_t = 3)]
    value_bytes: usize,
    /// Number of different keys, of 16 bytes each
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// How long to measure
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Put each key once instead, without a warm-up
    #[arg(long)]
    fill: bool,
    /// What comes before the measurement, and is left out of it
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    warm_up: f64,
    /// Tell of each interval of so many milliseconds too: [operations, p99 in µs, errors]
    #[arg(long, value_name = "MS")]
    timeline: Option<u64>,
}

/// What all clients share.
struct Shared {
    args: Args,
    measure: RefCell<Measure>,
    random: RefCell<SmallRng>,
    next: Cell<u64>,
    end: Instant,
}

impl Shared {
    /// The next key; None: it is over.
    fn key(&self) -> Option<String> {
        let number = if self.args.fill {
            let number = self.next.replace(self.next.get() + 1);
            (number < self.args.keys).then_some(number)?
        } else {
            (Instant::now() < self.end).then(|| self.random.borrow_mut().random_range(0..self.args.keys))?
        };
        Some(format!("key:{number:012}"))
    }
}

async fn client(shared: Rc<Shared>, mut client: Client) {
    let (puts, value) = (shared.args.load == "set" || shared.args.fill, vec![b'x'; shared.args.value_bytes]);
    while let Some(key) = shared.key() {
        let sent = Instant::now();
        let outcome: Result<(), Error> = if puts {
            client.put(key, value.clone(), None).await.map(drop)
        } else {
            client.get(key, None).await.map(drop)
        };
        let now = Instant::now();
        match outcome {
            Ok(()) => shared.measure.borrow_mut().answered(sent, now, 1),
            Err(error) => {
                shared.measure.borrow_mut().failed(now, 1, &error.to_string());
                tokio::time::sleep(RETREAT).await;
            }
        }
    }
}

async fn run(args: Args) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let mut connections = Vec::new();
    for number in 0..args.clients as usize {
        let address = format!("http://{}", args.addresses[number % args.addresses.len()]);
        let connection = Client::connect([address], None).await?;
        connections.push(connection);
    }
    let warm_up = if args.fill { Duration::ZERO } else { Duration::try_from_secs_f64(args.warm_up)? };
    let duration = Duration::try_from_secs_f64(args.seconds)?;
    let interval = args.timeline.map(|ms| Duration::from_millis(ms.max(1)));
    let (now, fill) = (Instant::now(), args.fill);
    let payload = if args.load == "set" { 16 + args.value_bytes } else { 0 };
    let shared = Rc::new(Shared {
        measure: RefCell::new(Measure::new(now, warm_up, interval)),
        random: RefCell::new(SmallRng::seed_from_u64(1)),
        next: Cell::new(0),
        end: now + warm_up + duration,
        args,
    });
    let clients = connections.into_iter().map(|one| tokio::task::spawn_local(client(shared.clone(), one)));
    let clients: Vec<_> = clients.collect();
    let patience =
        if fill { Duration::from_secs(3600) } else { warm_up + duration + Duration::from_secs(30) };
    timeout(patience, async {
        for client in clients {
            client.await?;
        }
        Ok::<(), tokio::task::JoinError>(())
    })
    .await??;
    let shared = Rc::into_inner(shared).ok_or("a client goes on")?;
    let mut report = shared.measure.into_inner().report(Instant::now());
    report["payload_bytes_per_op"] = payload.into();
    Ok(report)
}

fn main() {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome =
        runtime.map_err(Into::into).and_then(|runtime| LocalSet::new().block_on(&runtime, run(args)));
    match outcome {
        Ok(report) => println!("{report}"),
        Err(error) => {
            eprintln!("load_etcd: {error}");
            std::process::exit(1);
        }
    }
}
