//! The configuration of a run: a JSON file, every field documented in `docs/stress.md`. What is wrong
//! with it is said with the field, the line and the column. Nothing of it may be ignored silently: a field
//! that there is not is an error.

mod fields;
mod keys;
mod position;
#[cfg(test)]
mod tests;

use crate::config::ReadMode;
use crate::limits::{self, STRESS_MAX_CLIENTS, STRESS_MAX_KEYS};
use fields::{ClientFields, Fields};
use position::Place;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

pub use fields::{KeyChoice, Workload};

/// See the module's text.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the run is called; the file's name, if the file does not say.
    pub name: String,
    /// How long the clients are at work.
    pub test_duration_seconds: u64,
    /// Per cent of replies that are lost after the server has applied the request.
    pub server_packet_loss_rate: f64,
    /// How often a client tries to find out how an operation ended, or sends it again.
    pub max_retries_server_packet_loss: u32,
    /// How long a client waits for a reply before it counts as lost.
    pub reply_timeout_ms: u64,
    /// What the clients ask of reads; none: nothing, so the server's own mode holds.
    pub read_mode: Option<ReadMode>,
    /// The seed, unless the command line has one.
    pub seed: Option<u64>,
    /// What the clients do.
    pub workload: Workload,
    /// The clients, each by itself.
    pub clients: Vec<ClientPlan>,
}

/// One client.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientPlan {
    /// Its name, which no other client has.
    pub name: String,
    /// The names of the keys that it works on, hot ones first.
    pub keys: Vec<String>,
    /// Per cent of its requests that are lost before they reach a server.
    pub client_packet_loss_rate: f64,
    /// How long it waits after an operation.
    pub success_sleep_ms: u64,
    /// How long it waits after a loss or a refusal.
    pub error_sleep_ms: u64,
}

/// Why there is no [`Plan`].
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// There is no such file, or it cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It is longer than a configuration can be.
    #[error(
        "{} is longer than {} bytes: that is no configuration",
        path.display(),
        limits::STRESS_MAX_PLAN_BYTES
    )]
    Long {
        /// The file.
        path: PathBuf,
    },
    /// Something in it is wrong.
    #[error("{}, line {line}, column {column}: {field}{text}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// Which field, with `: ` behind it; empty: the whole.
        field: String,
        /// What is wrong.
        text: String,
    },
}

impl Plan {
    /// The configuration in a file.
    pub fn load(path: &Path) -> Result<Self, PlanError> {
        let read = |source| PlanError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(read)?;
        file.take(limits::STRESS_MAX_PLAN_BYTES + 1).read_to_end(&mut bytes).map_err(read)?;
        if bytes.len() as u64 > limits::STRESS_MAX_PLAN_BYTES {
            return Err(PlanError::Long { path: path.to_owned() });
        }
        let text =
            String::from_utf8(bytes).map_err(|error| read(std::io::Error::other(error.utf8_error())))?;
        Self::parse(&text, path)
    }

    /// The configuration in `text`; `path` is for errors, and for the name.
    pub fn parse(text: &str, path: &Path) -> Result<Self, PlanError> {
        let wrong = |place: Place, text: String| PlanError::Wrong {
            path: path.to_owned(),
            line: place.line,
            column: place.column,
            field: if place.field.is_empty() { String::new() } else { format!("{}: ", place.field) },
            text,
        };
        let fields: Fields = serde_json::from_str(text).map_err(|error| {
            let full = error.to_string();
            let said = full.rsplit_once(" at line ").map_or(&*full, |(said, _)| said);
            let stopped = Place::at(text, error.line(), error.column());
            // What is no JSON is wrong where the parser stopped; what is none of ours, where it begins.
            let place = if error.is_data() { Place::of(text, &stopped.field) } else { stopped };
            wrong(place, said.to_owned())
        })?;
        Self::from_fields(fields, path).map_err(|(field, said)| wrong(Place::of(text, &field), said))
    }

    /// Err: the field, and what is wrong with it.
    fn from_fields(fields: Fields, path: &Path) -> Result<Self, (String, String)> {
        let stem = || path.file_stem().map_or_else(|| "stress".into(), |stem| stem.to_string_lossy());
        fields.workload.check().map_err(|(field, said)| (format!("workload.{field}"), said))?;
        Ok(Self {
            name: fields.name.unwrap_or_else(|| stem().into_owned()),
            test_duration_seconds: fields.test_duration_seconds,
            server_packet_loss_rate: fields.server_packet_loss_rate,
            max_retries_server_packet_loss: fields.max_retries_server_packet_loss,
            reply_timeout_ms: fields.reply_timeout_ms,
            read_mode: fields.read_mode,
            seed: fields.seed,
            workload: fields.workload,
            clients: clients(fields.clients)?,
        })
    }

    /// The names of all keys, each once.
    pub fn keys(&self) -> BTreeSet<&str> {
        self.clients.iter().flat_map(|client| client.keys.iter().map(String::as_str)).collect()
    }
}

/// All clients, and each by itself.
fn clients(list: Vec<ClientFields>) -> Result<Vec<ClientPlan>, (String, String)> {
    if list.is_empty() {
        return Err(("clients".into(), "there are none: at least one has to do something".into()));
    }
    let mut clients = Vec::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut all_keys = BTreeSet::new();
    for (number, fields) in list.into_iter().enumerate() {
        let at = |field: &str| format!("clients[{number}].{field}");
        let (count, name) = (fields.count.unwrap_or(1), fields.name.clone());
        if clients.len() + count > STRESS_MAX_CLIENTS {
            return Err((at("count"), format!("there are more than {STRESS_MAX_CLIENTS} clients")));
        }
        let keys = keys::expand(&fields.keys)
            .map_err(|(place, said)| (format!("clients[{number}].keys{place}"), said))?;
        all_keys.extend(keys.iter().cloned());
        if all_keys.len() > STRESS_MAX_KEYS {
            return Err((at("keys"), format!("there are more than {STRESS_MAX_KEYS} keys")));
        }
        for of in 1..=count {
            let name = if fields.count.is_some() { format!("{name}{of}") } else { name.clone() };
            if let Some(other) = names.insert(name.clone(), number) {
                return Err((at("name"), format!("{name:?} is the name of clients[{other}], too")));
            }
            clients.push(ClientPlan {
                name,
                keys: keys.clone(),
                client_packet_loss_rate: fields.client_packet_loss_rate,
                success_sleep_ms: fields.success_sleep_ms,
                error_sleep_ms: fields.error_sleep_ms,
            });
        }
    }
    Ok(clients)
}
