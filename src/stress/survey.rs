//! Before and after the clients: what the servers are, keys that an earlier run has left, and what the keys
//! hold in the end. Over connections of its own, on which nothing is lost; with a bound on time for
//! everything, so that a server that is gone means an error and not a wait.

use super::connection::{Connection, Dial, Reply, recorded};
use super::keys::{Family, Keys};
use super::leader::Watcher;
use super::plan::Plan;
use super::record::{Final, Kind};
use super::values;
use super::write::version_of;
use crate::config::Address;
use crate::history::{Action, Call, Operation, Outcome, Value, What};
use redis::{Cmd, cmd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one waits before asking again.
const PAUSE: Duration = Duration::from_millis(100);
/// Keys that are deleted at a time.
const DELETED_AT_ONCE: usize = 500;

/// A server of several: the next when one does not answer.
pub struct Asker<'a> {
    servers: &'a [Address],
    dial: &'a Dial,
    /// Until when to try.
    until: Instant,
    place: usize,
    connection: Option<Connection>,
}

impl<'a> Asker<'a> {
    /// Tries for so long.
    pub fn new(servers: &'a [Address], dial: &'a Dial, patience: Duration) -> Self {
        Self { servers, dial, until: Instant::now() + patience, place: 0, connection: None }
    }

    /// The reply of any server; requests must be such that they may be sent twice. Err: none has given one
    /// that says what was done.
    pub async fn ask(&mut self, request: &Cmd) -> Result<Reply, String> {
        loop {
            let error = match self.try_once(request).await {
                Ok(Reply::Refused(text) | Reply::Unknown(text)) if may_pass(&text) => text,
                Ok(reply) => return Ok(reply),
                Err(text) => text,
            };
            self.connection = None;
            self.place += 1;
            // Each is asked once, however late it is.
            if self.place < self.servers.len() {
                continue;
            }
            if Instant::now() >= self.until {
                return Err(error);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn try_once(&mut self, request: &Cmd) -> Result<Reply, String> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.servers[self.place % self.servers.len()], self.dial, None).await?,
        };
        let reply = connection.call(request).await.map_err(|broken| broken.text)?;
        self.connection = Some(connection);
        Ok(reply)
    }
}

fn may_pass(error: &str) -> bool {
    ["UNKNOWN", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN"].iter().any(|code| error.starts_with(code))
}

/// Waits until all nodes of a cluster that was started know who leads.
pub async fn wait_ready(servers: &[Address], dial: &Dial, patience: Duration) -> Result<(), String> {
    let until = Instant::now() + patience;
    let mut watcher = Watcher::new(servers, dial);
    loop {
        let said = watcher.ask().await;
        if said.iter().all(|said| said.as_ref().is_some_and(|said| said.leader != 0)) {
            return Ok(());
        }
        if Instant::now() >= until {
            let silent: Vec<String> = servers
                .iter()
                .zip(&said)
                .filter(|(_, said)| said.is_none())
                .map(|(s, _)| s.to_string())
                .collect();
            return Err(match silent.is_empty() {
                true => format!("the nodes have found no leader within {} s", patience.as_secs()),
                false => format!("no answer within {} s from {}", patience.as_secs(), silent.join(", ")),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the servers know `GETV`, and whatever else the configuration needs. Servers that cannot be
/// reached are told of to `warn`.
pub async fn look(
    servers: &[Address],
    dial: &Dial,
    plan: &Plan,
    once: bool,
    warn: impl Fn(&str),
) -> Result<bool, String> {
    let mut known: Vec<(&Address, bool)> = Vec::new();
    let mut silent = Vec::new();
    for server in servers {
        match knows(server, dial).await {
            Ok(has_versions) => known.push((server, has_versions)),
            Err(error) => silent.push(error),
        }
    }
    let Some((first, has_versions)) = known.first().copied() else {
        return Err(format!("no server can be used: {}", silent.join("; ")));
    };
    silent.iter().for_each(|error| warn(&format!("going on without one of the servers: {error}")));
    if let Some((other, _)) = known.iter().find(|(_, has)| *has != has_versions) {
        return Err(format!("{first} and {other} are not of one kind: one knows GETV, the other does not"));
    }
    if !has_versions && plan.workload.mix.has(Kind::Cas) {
        return Err(format!(
            "{first} does not know CAS, as bowline does: leave cas out of the configuration's workload.mix"
        ));
    }
    if !has_versions && once {
        return Err(format!("{first} does not know ONCE, as bowline does: leave --once out"));
    }
    Ok(has_versions)
}

/// Whether one server knows `GETV`.
async fn knows(server: &Address, dial: &Dial) -> Result<bool, String> {
    let mut connection = Connection::open(server, dial, None).await?;
    let said = connection.call(cmd("COMMAND").arg("INFO").arg("GETV")).await;
    match said.map_err(|broken| format!("{server}: {}", broken.text))? {
        Reply::Of(redis::Value::Array(rows)) => {
            Ok(rows.first().is_some_and(|row| matches!(row, redis::Value::Array(_))))
        }
        // One may not be allowed to ask; then GETV itself says it.
        _ => match connection.call(cmd("GETV").arg("stress:")).await {
            Ok(Reply::Refused(text)) if text.contains("unknown command") => Ok(false),
            Ok(Reply::Refused(text)) => Err(format!("{server}: {text}")),
            Ok(_) => Ok(true),
            Err(broken) => Err(format!("{server}: {}", broken.text)),
        },
    }
}

/// Generations in a row of which an earlier run may have deleted all keys.
const MOST_MISSING: u64 = 16;

/// Deletes the keys of the run, of earlier runs with this seed too.
pub async fn delete(keys: &Keys, asker: &mut Asker<'_>) -> Result<(), String> {
    let mut last = 1;
    for generation in 1.. {
        if generation > last + MOST_MISSING {
            break;
        }
        for keys in keys.of_generation(generation).chunks(DELETED_AT_ONCE) {
            let mut request = cmd("DEL");
            keys.iter().for_each(|key| {
                request.arg(&**key);
            });
            match asker.ask(&request).await? {
                Reply::Of(redis::Value::Int(0)) => {}
                Reply::Of(redis::Value::Int(_)) => last = generation,
                Reply::Refused(text) => return Err(text),
                other => return Err(format!("DEL got the reply {other:?}")),
            }
        }
    }
    Ok(())
}

/// What the keys hold, as the last operations of the history, by one more client.
pub async fn finals(
    keys: &[(Family, Arc<str>)],
    has_versions: bool,
    asker: &mut Asker<'_>,
    client: u64,
    now_ns: impl Fn() -> u64,
) -> (Vec<Final>, Option<String>) {
    let mut finals = Vec::new();
    for (family, key) in keys {
        let is_versioned = has_versions && *family == Family::Value;
        let what = if is_versioned { What::GetV } else { What::Get };
        let start_ns = now_ns();
        let name = if is_versioned { "GETV" } else { "GET" };
        let value = match asker.ask(cmd(name).arg(&**key)).await {
            Ok(Reply::Of(value)) => recorded(&value, values::shorten),
            Ok(Reply::Refused(text) | Reply::Conflict(text) | Reply::Unknown(text)) | Err(text) => {
                return (finals, Some(format!("{key} could not be read in the end: {text}")));
            }
        };
        let text = match &value {
            Value::Array(parts) => parts.first(),
            value => Some(value),
        };
        let text = match text {
            Some(Value::Text(text)) => Some(text.to_string()),
            _ => None,
        };
        let version = is_versioned.then(|| version_of(&value));
        let action = Action::One(Call { key: key.clone(), what });
        let read = Operation { client, action, outcome: Outcome::Ok(value), start_ns, end_ns: now_ns() };
        finals.push(Final { key: key.to_string(), value: text, version, read });
    }
    (finals, None)
}
