//! The least that three processes can do to have a write on the disks of two of them before it is
//! answered: neither Raft nor a store, one thread a process. What this takes, no server that
//! replicates in this way can save; `scripts/bench.sh --floor` measures it beside redis-server and
//! bowline. It must do nothing that is not sending, receiving, writing or syncing.
//!
//! A leader reads the SETs that have come, sends one message for all of them to two followers, writes
//! a sector past the page cache and syncs it. A follower does the same with a message, or with all that
//! have come meanwhile, and answers with the number of the last one. At the first answer the leader
//! says +OK. A client may have one request under way; what is no SET gets an error.

mod follower;
mod leader;
mod log;
mod streams;

use clap::Parser;
use follower::follow;
use leader::{FOLLOWERS, Leader};
use log::Log;
use std::fs;
use std::io;
use std::net::{self, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};

#[derive(Parser)]
#[command(about = "Three processes that do the least that a replicated write takes; ends when it is killed")]
struct Args {
    /// Where clients connect, on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// Directory of the three files, on the disk that is to be measured
    #[arg(long)]
    data: PathBuf,
    /// What this program tells the followers that it starts: a number, and as the port the leader's
    #[arg(long, hide = true)]
    follower: Option<usize>,
}

/// The processes of the followers. Should this one be killed, the ends of their connections end them.
struct Started(Vec<Child>);

impl Started {
    fn new(data: &Path, port: u16) -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut started = Self(Vec::new());
        for number in 1..=FOLLOWERS {
            let mut command = Command::new(&program);
            command.arg("--data").arg(data);
            command.args(["--port", &port.to_string(), "--follower", &number.to_string()]);
            started.0.push(command.spawn()?);
        }
        Ok(started)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn run(args: &Args) -> io::Result<()> {
    let log = |number: usize| {
        let path = args.data.join(format!("log{number}"));
        let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        Log::create(&path).map_err(told)
    };
    if let Some(number) = args.follower {
        let leader = net::TcpStream::connect((Ipv4Addr::LOCALHOST, args.port))?;
        return follow(leader, log(number)?);
    }
    fs::create_dir_all(&args.data)?;
    let listener = net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let _started = Started::new(&args.data, listener.local_addr()?.port())?;
    let connected = (0..FOLLOWERS).map(|_| Ok(listener.accept()?.0)).collect::<io::Result<_>>()?;
    Leader::new(args.port, connected, log(0)?)?.run()
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::leader::SET;
    use super::*;
    use std::io::{ErrorKind, Read, Write};
    use std::thread;

    /// A leader on this port and two followers, as threads; false where files have no direct I/O.
    fn start(port: u16, directory: &Path) -> bool {
        let mut logs = Vec::new();
        for number in 0..=FOLLOWERS {
            match Log::create(&directory.join(number.to_string())) {
                Err(error) if error.kind() == ErrorKind::InvalidInput => return false,
                created => logs.push(created.expect("a log")),
            }
        }
        let listener = net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut connected = Vec::new();
        for log in logs.drain(1..) {
            thread::spawn(move || follow(net::TcpStream::connect(address).expect("the leader"), log));
            connected.push(listener.accept().expect("a follower").0);
        }
        let leader = Leader::new(port, connected, logs.remove(0)).expect("a leader");
        thread::spawn(move || leader.run());
        true
    }

    #[test]
    fn every_set_is_answered_once_and_all_else_refused() {
        let parent = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let directory = tempfile::tempdir_in(parent).expect("a directory");
        let free = net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        if !start(port, directory.path()) {
            return;
        }
        let ask = |stream: &mut net::TcpStream, request: &[u8], wanted: &str| {
            stream.write_all(request).expect("sent");
            let mut reply = vec![0; wanted.len()];
            stream.read_exact(&mut reply).expect("a reply");
            assert_eq!(String::from_utf8_lossy(&reply), wanted);
        };
        let set = [SET, b"$1\r\na\r\n$1\r\nb\r\n"].concat();
        thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| {
                    let address = (Ipv4Addr::LOCALHOST, port);
                    let mut stream = net::TcpStream::connect(address).expect("the leader");
                    for _ in 0..20 {
                        ask(&mut stream, &set, "+OK\r\n");
                        ask(
                            &mut stream,
                            b"*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$4\r\nsave\r\n",
                            "-ERR only SET\r\n",
                        );
                    }
                });
            }
        });
    }
}
