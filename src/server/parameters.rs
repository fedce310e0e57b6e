//! The parameters of `CONFIG`: which there are, what a value of each looks like, and where it is
//! kept. A parameter that is shown has the value that this server acts by; one that is set to
//! something else afterwards acts by that. This module must never say yes to a value that
//! changes nothing, but for hints about the inside of Redis ([`Holder::Hint`]).

mod grammar;
mod table;

pub use grammar::{Grammar, parse_memory};
pub use table::ROWS;

use super::save::SavePoints;
use super::{ServerConfig, Shared};
use crate::command::{requirepass, shown_requirepass};
use crate::group::Consistency;
use crate::keyspace::Compact;
use crate::limits;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

/// No plain password is kept, shown or written.
const REQUIREPASS: &str = "requirepass";

/// A parameter, by one of its names.
pub struct Row {
    /// In lower case.
    pub name: &'static str,
    /// What a value looks like.
    pub grammar: Grammar,
    /// Where it is kept, and who may set it.
    pub holder: Holder,
    /// Shown only to whoever asks for it by its whole name.
    pub is_hidden: bool,
}

/// Where a parameter is kept.
pub enum Holder {
    /// Redis sets it at its start only, and so do we.
    Immutable(Source),
    /// Redis guards it against being set by clients.
    Protected(Source),
    /// Redis could change it and this server cannot: it is as it is, for this reason.
    Fixed(Source, &'static str),
    /// It tunes something inside Redis that is done in another way here: kept, and nothing else.
    Hint(&'static str),
    /// A number of this node.
    Number(fn(&Shared) -> &Cell<i64>),
    /// A switch of this node.
    Switch(fn(&Shared) -> &Cell<bool>),
    /// Of this node, in a form of its own. What is set has passed the grammar.
    Own { get: fn(&Shared) -> String, set: fn(&Shared, &str) },
    /// One value for the whole cluster, part of the replicated state.
    Cluster,
}

/// Where a value that cannot be set comes from.
pub enum Source {
    /// The same everywhere.
    Text(&'static str),
    /// How this node was started.
    Of(fn(&Shared) -> String),
}

/// What can be set on this node, as it is now.
pub struct Parameters {
    /// How new reads are of connections that did not say otherwise.
    pub read_mode: Cell<Consistency>,
    /// Most connections at a time.
    pub max_clients: Cell<i64>,
    /// Silence after which a connection is closed; 0: never.
    pub timeout_s: Cell<i64>,
    /// Silence before the kernel probes the other end; 0: never.
    pub tcp_keepalive_s: Cell<i64>,
    /// What `INFO latencystats` shows of it.
    pub latency_percentiles: RefCell<Vec<f64>>,
    /// Between two signs of life to replicas of Redis's protocol.
    pub repl_ping_period_s: Cell<i64>,
    /// `save`
    pub save: SavePoints,
    hints: RefCell<BTreeMap<&'static str, String>>,
}

impl Parameters {
    /// As a node is started.
    pub fn new(config: &ServerConfig) -> Self {
        let seconds = |limit: Option<Duration>| Cell::new(limit.map_or(0, |limit| limit.as_secs() as i64));
        Self {
            read_mode: Cell::new(config.read_mode),
            max_clients: Cell::new(config.max_clients as i64),
            timeout_s: seconds(config.idle_timeout),
            tcp_keepalive_s: seconds(config.tcp_keepalive),
            latency_percentiles: RefCell::new(vec![50.0, 99.0, 99.9]),
            repl_ping_period_s: Cell::new(limits::REPLICA_PING_PERIOD_S),
            save: SavePoints::default(),
            hints: RefCell::default(),
        }
    }
}

/// The parameter of that name, in any case.
pub fn find(name: &[u8]) -> Option<&'static Row> {
    let name = name.to_ascii_lowercase();
    let at = ROWS.binary_search_by(|row| row.name.as_bytes().cmp(&name)).ok()?;
    Some(&ROWS[at])
}

impl Row {
    /// Its value now.
    pub fn value(&self, shared: &Shared) -> String {
        let parameters = &shared.parameters;
        match &self.holder {
            Holder::Immutable(source) | Holder::Protected(source) | Holder::Fixed(source, _) => {
                match source {
                    Source::Text(text) => (*text).to_owned(),
                    Source::Of(value) => value(shared),
                }
            }
            Holder::Hint(default) => {
                parameters.hints.borrow().get(self.name).cloned().unwrap_or_else(|| (*default).to_owned())
            }
            Holder::Number(cell) => cell(shared).get().to_string(),
            Holder::Switch(cell) => grammar::yes_or_no(cell(shared).get()).to_owned(),
            Holder::Own { get, .. } => get(shared),
            Holder::Cluster => cluster_value(shared, self.name),
        }
    }

    /// Whether Redis would refuse to set it, whatever to.
    pub fn refusal(&self) -> Option<&'static str> {
        match self.holder {
            Holder::Immutable(_) => Some("can't set immutable config"),
            Holder::Protected(_) => Some("can't set protected config"),
            _ => None,
        }
    }

    /// The value as it will be kept, or why it cannot be.
    pub fn check(&self, shared: &Shared, value: &[u8]) -> Result<String, String> {
        let value = self.grammar.read(value)?;
        match &self.holder {
            Holder::Cluster if self.name == REQUIREPASS => Ok(requirepass(&value)),
            Holder::Fixed(_, reason) if value != self.value(shared) => Err((*reason).to_owned()),
            _ => Ok(value),
        }
    }

    /// Keeps a value that was checked; one of the cluster is the group's to keep.
    pub fn set(&'static self, shared: &Shared, value: &str) {
        let parameters = &shared.parameters;
        match &self.holder {
            Holder::Hint(_) => {
                parameters.hints.borrow_mut().insert(self.name, value.to_owned());
            }
            // Beyond what the cell holds is beyond what anybody has.
            Holder::Number(cell) => cell(shared).set(value.parse().unwrap_or(i64::MAX)),
            Holder::Switch(cell) => cell(shared).set(value == "yes"),
            Holder::Own { set, .. } => set(shared, value),
            Holder::Immutable(_) | Holder::Protected(_) | Holder::Fixed(..) | Holder::Cluster => {}
        }
    }
}

fn cluster_value(shared: &Shared, name: &str) -> String {
    let mut value = String::new();
    shared.backend.look(&mut |machine| {
        if name == REQUIREPASS {
            value = shown_requirepass(machine.acl());
            return;
        }
        let name = match name {
            "slave-serve-stale-data" => "replica-serve-stale-data",
            "busy-reply-threshold" => "lua-time-limit",
            name => name,
        };
        let name = Compact::name_now(name);
        let pairs = machine.settings().pairs();
        value = pairs.into_iter().find(|pair| pair.0 == name).map_or(String::new(), |pair| pair.1);
    });
    value
}
