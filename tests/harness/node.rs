//! One node: its command line, its process, its files.

use super::{Client, PATIENCE, binary, within};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long a node that is asked for its `INFO` may take.
const INFO_PATIENCE: Duration = Duration::from_secs(1);

/// See the module's text.
pub struct Node {
    pub id: u64,
    pub addr: String,
    pub peer_addr: String,
    pub data_dir: PathBuf,
    pub flags: Vec<String>,
    /// Set for its process.
    pub env: Vec<(String, String)>,
    log: PathBuf,
    process: Option<Child>,
}

impl Node {
    pub fn new(
        id: u64,
        addr: String,
        peer_addr: String,
        data_dir: PathBuf,
        log: PathBuf,
        flags: Vec<String>,
    ) -> Self {
        Self { id, addr, peer_addr, data_dir, flags, env: Vec::new(), log, process: None }
    }

    /// Starts the process; its log goes on.
    #[track_caller]
    pub fn start(&mut self) {
        assert!(!self.is_running(), "node {} runs already", self.id);
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("a log file");
        let mut command = Command::new(binary());
        command.args(&self.flags).envs(self.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().expect("the binary starts"));
    }

    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    pub fn is_running(&mut self) -> bool {
        self.exited().is_none() && self.process.is_some()
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        self.process.as_mut()?.try_wait().expect("a child of this process")
    }

    #[track_caller]
    pub fn assert_running(&mut self) {
        let status = self.exited();
        assert!(status.is_none(), "node {} ended by itself: {status:?}", self.id);
    }

    /// SIGKILL, and its end.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Sends a signal by its name, such as STOP.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let pid = self.pid().expect("a running node").to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill exists");
        assert!(sent.success(), "signal {name} to node {}", self.id);
    }

    /// Waits for the end of the process: its exit status.
    #[track_caller]
    pub fn wait_end(&mut self, patience: Duration) -> ExitStatus {
        let what = format!("node {} ends", self.id);
        let status = within(patience, &what, || self.exited());
        self.process = None;
        status
    }

    /// Starts the process, which has to end by itself with a failure: what it logged.
    #[track_caller]
    pub fn start_refused(&mut self) -> String {
        let before = self.read_log().len();
        self.start();
        let status = self.wait_end(PATIENCE);
        let log = self.read_log()[before..].to_owned();
        assert_eq!(status.code(), Some(1), "the exit status of a refusal; it said:\n{log}");
        log
    }

    /// A field of `INFO`; none when the node does not answer soon.
    pub fn info(&self, field: &str) -> Option<String> {
        let mut client = Client::try_connect(&self.addr, INFO_PATIENCE).ok()?;
        client.info(field).ok()?
    }

    pub fn read_log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn print_log(&self, lines: usize) {
        let text = self.read_log();
        let all: Vec<&str> = text.lines().collect();
        eprintln!("--- node {} ({}), the end of its log:", self.id, self.addr);
        for line in &all[all.len().saturating_sub(lines)..] {
            eprintln!("{line}");
        }
    }

    /// Bytes below the data directory.
    pub fn disk_bytes(&self) -> u64 {
        files_below(&self.data_dir).iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum()
    }

    /// Files of the data directory whose path contains `part`, sorted.
    pub fn files(&self, part: &str) -> Vec<PathBuf> {
        let mut found = files_below(&self.data_dir);
        found.retain(|path| path.display().to_string().contains(part));
        found.sort();
        found
    }

    /// Memory of the process that is not paged out.
    pub fn resident_bytes(&self) -> u64 {
        let pid = self.pid().expect("a running node");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// Empties the data directory, which the process must not be using.
    pub fn lose_disk(&mut self) {
        assert!(!self.is_running(), "node {} runs", self.id);
        std::fs::remove_dir_all(&self.data_dir).expect("a data directory");
    }
}

fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        if let Ok(entries) = std::fs::read_dir(&path) {
            open.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        } else if File::open(&path).is_ok() {
            found.push(path);
        }
    }
    found
}
