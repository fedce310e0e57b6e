//! A load generator for everything that speaks RESP: as cheap as it can be, for it shares the
//! machine with the servers that it measures. Prints one JSON object. Closed loop: a client sends its
//! next batch when the last one is answered, so a server that stalls is asked less meanwhile.

mod clients;
mod histogram;
mod loads;
mod measure;
mod replies;

use clap::Parser;
use clients::{Load, Plan};
use loads::{Keys, Mix, Pattern};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

#[derive(Parser)]
#[command(about = "Sends requests to RESP servers, and prints what it measured as a JSON object")]
struct Args {
    /// Servers; clients are spread over them in turn
    #[arg(long, value_delimiter = ',', value_name = "HOST:PORT", default_value = "127.0.0.1:6379")]
    addresses: Vec<String>,
    /// Connections, each with one batch under way
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    clients: u32,
    /// Requests in a batch
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pipeline: u32,
    /// What is sent: NAME or NAME=WEIGHT,NAME=WEIGHT,...; `--load help` lists the names
    #[arg(long, default_value = "set")]
    load: String,
    /// Size of a value
    #[arg(long, default_value_t = 3)]
    value_bytes: usize,
    /// Number of different keys, of 16 bytes each
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    /// Which keys
    #[arg(long, value_enum, default_value_t = Pattern::Uniform)]
    pattern: Pattern,
    /// How long to measure
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Send so many requests instead, without a warm-up
    #[arg(long)]
    requests: Option<u64>,
    /// What comes before the measurement, and is left out of it
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    warm_up: f64,
    /// End each batch with a WAIT for so many replicas
    #[arg(long, value_name = "REPLICAS", default_value_t = 0)]
    wait: usize,
    /// Tell of each interval of so many milliseconds too: [operations, p99 in µs, errors]
    #[arg(long, value_name = "MS")]
    timeline: Option<u64>,
    /// Give up when nothing is answered for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    patience: f64,
    /// Of the random numbers that choose keys
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn resolve(address: &String) -> Result<SocketAddr, String> {
    let found = address.to_socket_addrs().map_err(|error| format!("{address}: {error}"))?.next();
    found.ok_or_else(|| format!("{address} has no address"))
}

fn duration(seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("{seconds} seconds: {error}"))
}

fn run(args: &Args) -> Result<serde_json::Value, String> {
    let mix = Mix::parse(&args.load, args.value_bytes, args.wait)?;
    let plan = Plan {
        addresses: args.addresses.iter().map(resolve).collect::<Result<_, _>>()?,
        clients: args.clients as usize,
        pipeline: args.pipeline as usize,
        wait: args.wait,
        requests: args.requests,
        warm_up: if args.requests.is_some() { Duration::ZERO } else { duration(args.warm_up)? },
        duration: duration(args.seconds)?,
        interval: args.timeline.map(|ms| Duration::from_millis(ms.max(1))),
        patience: duration(args.patience)?,
    };
    let keys = Keys::new(args.pattern, args.keys);
    let load = Load::new(&plan, &mix, keys, args.seed).map_err(|error| format!("cannot connect: {error}"))?;
    let (measure, end) = load.run().map_err(|error| error.to_string())?;
    let mut report = measure.report(end);
    report["payload_bytes_per_op"] = mix.payload_bytes().into();
    Ok(report)
}

fn main() {
    let args = Args::parse();
    if args.load == "help" {
        println!("{}", loads::names());
        return;
    }
    match run(&args) {
        Ok(report) => println!("{report}"),
        Err(error) => {
            eprintln!("load: {error}");
            std::process::exit(1);
        }
    }
}
