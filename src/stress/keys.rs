//! The keys of a run: for each name of the configuration a value, a counter and a log, as far as the workload
//! has them. A log that has grown long is left, and the next generation of it begun (`name~2:log`): whoever
//! reads a log reads and records all of it. So is a value, if values are deleted (`name~2`). Names must never clash with those of other seeds.

use super::plan::Plan;
use super::record::Kind;
use crate::limits::{STRESS_DELETED_WRITES, STRESS_LOG_APPENDS};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// `CAS`, `SET`, `DEL`.
    Value,
    /// `INCRBY`.
    Counter,
    /// `APPEND`.
    Log,
}

impl Family {
    const ALL: [Self; 3] = [Self::Value, Self::Counter, Self::Log];

    /// Of what an operation writes.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Incr => Self::Counter,
            Kind::Append => Self::Log,
            Kind::Get | Kind::Set | Kind::Cas | Kind::Del => Self::Value,
        }
    }

    fn place(self) -> usize {
        self as usize
    }

    /// Writes after which the next generation begins.
    fn most_writes(self, deletes: bool) -> u64 {
        match self {
            Self::Log => STRESS_LOG_APPENDS,
            Self::Value if deletes => STRESS_DELETED_WRITES,
            Self::Value | Self::Counter => u64::MAX,
        }
    }
}

/// Whose turn it is among the generations of a key.
struct Current {
    key: Arc<str>,
    generation: u64,
    writes: u64,
}

/// See the module's text.
pub struct Keys {
    prefix: String,
    names: Vec<String>,
    /// Of each name, by [`Family::place`].
    current: Vec<[Current; 3]>,
    families: Vec<Family>,
    deletes: bool,
}

impl Keys {
    /// Those of a run with this seed.
    pub fn new(plan: &Plan, seed: u64) -> Self {
        let prefix = format!("stress:{seed}:");
        let names: Vec<String> = plan.keys().into_iter().map(str::to_owned).collect();
        let first = |name: &String| {
            Family::ALL.map(|family| Current { key: key(&prefix, name, family, 1), generation: 1, writes: 0 })
        };
        let current = names.iter().map(first).collect();
        let writes = |family: &Family| {
            Kind::ALL.iter().any(|kind| {
                *kind != Kind::Get && plan.workload.mix.has(*kind) && Family::of(*kind) == *family
            })
        };
        let mut families: Vec<Family> = Family::ALL.into_iter().filter(writes).collect();
        if families.is_empty() {
            families.push(Family::Value); // reads of keys that there never are
        }
        Self { prefix, names, current, families, deletes: plan.workload.mix.has(Kind::Del) }
    }

    /// What all keys begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What the workload writes.
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// The places of names, for [`Keys::current`].
    pub fn places(&self, names: &[String]) -> Vec<usize> {
        let places: BTreeMap<&str, usize> = self.names.iter().map(String::as_str).zip(0..).collect();
        names.iter().filter_map(|name| places.get(&**name).copied()).collect()
    }

    /// The key of a name that is in use now.
    pub fn current(&self, place: usize, family: Family) -> Arc<str> {
        self.current[place][family.place()].key.clone()
    }

    /// The same, to be written once.
    pub fn for_write(&mut self, place: usize, family: Family) -> Arc<str> {
        let most_writes = family.most_writes(self.deletes);
        let current = &mut self.current[place][family.place()];
        if current.writes >= most_writes {
            current.generation += 1;
            current.writes = 0;
            current.key = key(&self.prefix, &self.names[place], family, current.generation);
        }
        current.writes += 1;
        current.key.clone()
    }

    /// The keys of all names, those included that are not in use any more.
    pub fn all(&self) -> Vec<(Family, Arc<str>)> {
        let mut all = Vec::new();
        for family in &self.families {
            for (name, current) in self.names.iter().zip(&self.current) {
                let generations = 1..=current[family.place()].generation;
                all.extend(generations.map(|number| (*family, key(&self.prefix, name, *family, number))));
            }
        }
        all
    }

    /// The keys of one generation, of all families: an earlier run with this seed may have left them.
    pub fn of_generation(&self, generation: u64) -> Vec<Arc<str>> {
        let of = |name: &String| Family::ALL.map(|family| key(&self.prefix, name, family, generation));
        self.names.iter().flat_map(of).collect()
    }
}

fn key(prefix: &str, name: &str, family: Family, generation: u64) -> Arc<str> {
    let suffix = match family {
        Family::Value => "",
        Family::Counter => ":n",
        Family::Log => ":log",
    };
    match generation {
        1 => format!("{prefix}{name}{suffix}").into(),
        _ => format!("{prefix}{name}~{generation}{suffix}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn keys(mix: &str) -> Keys {
        let text = format!(
            r#"{{"test_duration_seconds": 1, "workload": {{"mix": {mix}}},
                 "clients": [{{"name": "a", "keys": ["k2", "k1"]}}]}}"#
        );
        Keys::new(&Plan::parse(&text, Path::new("t")).expect("a configuration"), 7)
    }

    #[test]
    fn a_long_log_is_left_and_the_next_begun() {
        let mut keys = keys(r#"{"append": 1, "get": 1}"#);
        assert_eq!(keys.families(), [Family::Log]);
        let place = keys.places(&["k2".into()])[0];
        for _ in 0..STRESS_LOG_APPENDS {
            assert_eq!(&*keys.for_write(place, Family::Log), "stress:7:k2:log");
        }
        assert_eq!(&*keys.for_write(place, Family::Log), "stress:7:k2~2:log");
        assert_eq!(&*keys.current(place, Family::Log), "stress:7:k2~2:log");
        let all: Vec<String> = keys.all().iter().map(|(_, key)| key.to_string()).collect();
        assert_eq!(all, ["stress:7:k1:log", "stress:7:k2:log", "stress:7:k2~2:log"]);
    }

    #[test]
    fn so_is_a_value_that_is_deleted_now_and_then() {
        let last = |mix: &str| {
            let mut keys = keys(mix);
            (0..=STRESS_DELETED_WRITES).map(|_| keys.for_write(0, Family::Value)).last()
        };
        assert_eq!(last(r#"{"set": 1, "del": 1}"#).as_deref(), Some("stress:7:k1~2"));
        assert_eq!(last(r#"{"set": 1}"#).as_deref(), Some("stress:7:k1"));
    }

    #[test]
    fn each_kind_has_keys_of_its_own() {
        let keys = keys(r#"{"cas": 1, "incr": 1}"#);
        let all: Vec<String> = keys.all().iter().map(|(_, key)| key.to_string()).collect();
        assert_eq!(all, ["stress:7:k1", "stress:7:k2", "stress:7:k1:n", "stress:7:k2:n"]);
        assert_eq!(keys.of_generation(3).len(), 6);
        assert_eq!(keys.prefix(), "stress:7:");
    }

    #[test]
    fn what_is_only_read_has_keys_too() {
        assert_eq!(keys(r#"{"get": 1}"#).families(), [Family::Value]);
    }
}
