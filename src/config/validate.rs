//! From settings to a [`Config`]: defaults, and every rule that a configuration has to keep.

use super::place::place;
use super::{AddressError, Config, ConfigError, Secret, Settings, StorageKind};
use crate::limits::{MAX_CLIENTS, MAX_IO_THREADS, SNAPSHOT_MIN_LOG_BYTES};
use std::path::PathBuf;
use std::thread::available_parallelism;

const DEFAULT_DATA_DIR: &str = "bowline-data";

/// Of `maxclients`: more connections than a process can have files.
const MOST_CLIENTS: usize = 1_000_000;

/// Of `snapshot-log-mib`: a log that no disk holds and no start reads.
const MOST_SNAPSHOT_LOG_MIB: u64 = 1 << 20;

/// Of `maxmemory-mib`: more than any machine has.
const MOST_MEMORY_MIB: u64 = 1 << 30;

/// Of `secret`, in bytes.
const LONGEST_SECRET_BYTES: usize = 1024;

/// The name in the example of a sentinel's configuration that Redis comes with.
const DEFAULT_SENTINEL_NAME: &str = "mymaster";

/// Of `sentinel-name`, in bytes.
const LONGEST_SENTINEL_NAME_BYTES: usize = 128;

impl From<AddressError> for ConfigError {
    fn from(error: AddressError) -> Self {
        ConfigError::Invalid(error.to_string())
    }
}

impl Settings {
    /// The one place where settings become a configuration.
    pub fn validate(self) -> Result<Config, ConfigError> {
        let storage = self.storage.unwrap_or_default();
        let data_dir = data_dir(storage, self.data_dir.clone())?;
        let max_clients = self.maxclients.unwrap_or(MAX_CLIENTS);
        if max_clients == 0 || max_clients > MOST_CLIENTS {
            return invalid(format!(
                "--maxclients {max_clients} is out of range: give a number from 1 to {MOST_CLIENTS}"
            ));
        }
        let io_threads = self.io_threads.unwrap_or_else(default_io_threads);
        if io_threads == 0 || io_threads > MAX_IO_THREADS {
            return invalid(format!(
                "--io-threads {io_threads} is out of range: give a number from 1 to {MAX_IO_THREADS}"
            ));
        }
        let snapshot_log_mib = self.snapshot_log_mib.unwrap_or(SNAPSHOT_MIN_LOG_BYTES >> 20);
        if snapshot_log_mib == 0 || snapshot_log_mib > MOST_SNAPSHOT_LOG_MIB {
            return invalid(format!(
                "--snapshot-log-mib {snapshot_log_mib} is out of range: give a number from 1 to \
                 {MOST_SNAPSHOT_LOG_MIB}"
            ));
        }
        let maxmemory_mib = self.maxmemory_mib.unwrap_or(0);
        if maxmemory_mib > MOST_MEMORY_MIB {
            return invalid(format!(
                "--maxmemory-mib {maxmemory_mib} is out of range: give a number up to {MOST_MEMORY_MIB}"
            ));
        }
        check_secret(self.secret.as_ref())?;
        let sentinel_name = sentinel_name(self.sentinel_name.clone())?;
        let place = place(&self)?;
        Ok(Config {
            node_id: place.node_id,
            bind: place.bind,
            peer_bind: place.peer_bind,
            members: place.members,
            join: place.join,
            data_dir,
            storage,
            timing: self.timing.unwrap_or_default().into(),
            read_mode: self.read_mode.unwrap_or_default(),
            verbose: self.verbose.unwrap_or(false),
            log_format: self.log_format.unwrap_or_default(),
            max_clients,
            io_threads,
            idle_timeout_s: self.timeout.unwrap_or(0),
            max_memory_bytes: maxmemory_mib << 20,
            snapshot_log_bytes: snapshot_log_mib << 20,
            join_as: join_as(&self)?,
            requirepass: requirepass(self.requirepass)?,
            secret: self.secret,
            redirect: self.redirect.unwrap_or_default(),
            enable_debug_command: self.enable_debug_command.unwrap_or_default(),
            sentinel_name,
        })
    }
}

/// The node's thread and that of its log want a core each. With less than two more for sockets,
/// waking threads costs more than they take over; more than three serve more sockets than one
/// thread carries commands out for.
fn default_io_threads() -> usize {
    match available_parallelism().map_or(1, usize::from) {
        0..=3 => 1,
        4..=7 => 3,
        _ => 4,
    }
}

pub(super) fn invalid<T>(sentence: String) -> Result<T, ConfigError> {
    Err(ConfigError::Invalid(sentence))
}

fn data_dir(storage: StorageKind, asked: Option<PathBuf>) -> Result<PathBuf, ConfigError> {
    match asked {
        Some(dir) if storage == StorageKind::Memory => invalid(format!(
            "--storage memory keeps nothing on disk, but --data-dir {} was given: leave out --data-dir, or \
             choose --storage file",
            dir.display()
        )),
        Some(dir) if dir.as_os_str().is_empty() => {
            invalid("--data-dir is empty: name a directory, or leave it out for ./bowline-data".to_owned())
        }
        Some(dir) => Ok(dir),
        None => Ok(PathBuf::from(DEFAULT_DATA_DIR)),
    }
}

fn check_secret(secret: Option<&Secret>) -> Result<(), ConfigError> {
    match secret.map(|s| s.reveal().len()) {
        Some(0) => invalid("--secret is empty: give a secret, or leave it out to let any peer in".to_owned()),
        Some(size_bytes) if size_bytes > LONGEST_SECRET_BYTES => invalid(format!(
            "--secret is {size_bytes} bytes long: at most {LONGEST_SECRET_BYTES} are allowed"
        )),
        _ => Ok(()),
    }
}

fn requirepass(password: Option<Secret>) -> Result<Option<Secret>, ConfigError> {
    match password.as_ref().map(|password| password.reveal().len()) {
        Some(0) => invalid("--requirepass is empty: give a password, or leave it out".to_owned()),
        Some(size_bytes) if size_bytes > LONGEST_SECRET_BYTES => invalid(format!(
            "--requirepass is {size_bytes} bytes long: at most {LONGEST_SECRET_BYTES} are allowed"
        )),
        _ => Ok(password),
    }
}

/// Who asks to join is `default` unless it says otherwise.
fn join_as(settings: &Settings) -> Result<Option<(String, Secret)>, ConfigError> {
    let password = settings.join_password.clone().or_else(|| settings.requirepass.clone());
    match (settings.join_user.clone(), password) {
        (user, Some(password)) => Ok(Some((user.unwrap_or_else(|| "default".to_owned()), password))),
        (None, None) => Ok(None),
        (Some(user), None) => {
            invalid(format!("--join-user {user} has no password: give --join-password too, or leave it out"))
        }
    }
}

/// The letters that Redis takes in the name of a master.
fn sentinel_name(asked: Option<String>) -> Result<String, ConfigError> {
    let name = asked.unwrap_or_else(|| DEFAULT_SENTINEL_NAME.to_owned());
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > LONGEST_SENTINEL_NAME_BYTES || !name.bytes().all(is_fit) {
        return invalid(format!(
            "--sentinel-name {name:?} is no name for a master: give 1 to {LONGEST_SENTINEL_NAME_BYTES} letters, \
             digits, dots, underscores and hyphens, or leave it out for {DEFAULT_SENTINEL_NAME}"
        ));
    }
    Ok(name)
}
