//! The fields of the configuration as they stand in the file, and what each may be. What is wrong with
//! one field alone is found here, where its line is known; what needs several, by [`super::Plan`].

use super::super::record::Kind;
use crate::config::ReadMode;
use crate::limits::{
    STRESS_MAX_CLIENTS, STRESS_MAX_DURATION_S, STRESS_MAX_NAME_BYTES, STRESS_MAX_RETRIES,
    STRESS_MAX_SLEEP_MS, STRESS_MAX_VALUE_BYTES,
};
use serde::de::{Deserialize, Deserializer, Error};

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    #[serde(default, deserialize_with = "some_name")]
    pub(super) name: Option<String>,
    #[serde(deserialize_with = "duration")]
    pub(super) test_duration_seconds: u64,
    #[serde(default, deserialize_with = "percent")]
    pub(super) server_packet_loss_rate: f64,
    #[serde(default = "default_retries", deserialize_with = "retries")]
    pub(super) max_retries_server_packet_loss: u32,
    #[serde(default = "default_timeout", deserialize_with = "timeout")]
    pub(super) reply_timeout_ms: u64,
    #[serde(default)]
    pub(super) read_mode: Option<ReadMode>,
    #[serde(default)]
    pub(super) seed: Option<u64>,
    #[serde(default)]
    pub(super) workload: Workload,
    pub(super) clients: Vec<ClientFields>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientFields {
    #[serde(deserialize_with = "name")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "some_count")]
    pub(super) count: Option<usize>,
    pub(super) keys: Vec<String>,
    #[serde(default, deserialize_with = "percent")]
    pub(super) client_packet_loss_rate: f64,
    #[serde(default, deserialize_with = "sleep")]
    pub(super) success_sleep_ms: u64,
    #[serde(default = "default_error_sleep", deserialize_with = "sleep")]
    pub(super) error_sleep_ms: u64,
}

/// What the clients do.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    /// How often which operation is chosen, relative to the others.
    pub mix: Mix,
    /// Which of its keys a client chooses.
    pub key_choice: KeyChoice,
    /// With [`KeyChoice::HotCold`]: so many per cent of a client's keys are hot, the first of its list.
    #[serde(deserialize_with = "percent")]
    pub hot_keys_percent: f64,
    /// With [`KeyChoice::HotCold`]: so many per cent of operations are on hot keys.
    #[serde(deserialize_with = "percent")]
    pub hot_operations_percent: f64,
    /// Length of the values that are written, at least.
    #[serde(deserialize_with = "size")]
    pub value_bytes: usize,
    /// And at most; none: as [`Workload::value_bytes`].
    #[serde(deserialize_with = "some_size")]
    pub value_bytes_max: Option<usize>,
}

/// Weights of the operations.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    get: u32,
    set: u32,
    cas: u32,
    append: u32,
    incr: u32,
    del: u32,
}

impl Mix {
    /// The weight of an operation.
    pub fn weight(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Get => self.get,
            Kind::Set => self.set,
            Kind::Cas => self.cas,
            Kind::Append => self.append,
            Kind::Incr => self.incr,
            Kind::Del => self.del,
        }
    }

    /// Whether an operation is ever chosen.
    pub fn has(&self, kind: Kind) -> bool {
        self.weight(kind) > 0
    }
}

/// How a client chooses among its keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyChoice {
    /// Each as often as the others.
    #[default]
    Uniform,
    /// Some more often.
    HotCold,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            mix: Mix { cas: 100, ..Mix::default() },
            key_choice: KeyChoice::Uniform,
            hot_keys_percent: 20.0,
            hot_operations_percent: 80.0,
            value_bytes: 32,
            value_bytes_max: None,
        }
    }
}

impl Workload {
    /// Err: the field, and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if !Kind::ALL.iter().any(|kind| self.mix.has(*kind)) {
            return Err(("mix", "nothing has a weight: such as {\"get\": 70, \"cas\": 30}".into()));
        }
        match self.value_bytes_max {
            Some(max) if max < self.value_bytes => {
                Err(("value_bytes_max", format!("{max} is less than value_bytes, {}", self.value_bytes)))
            }
            _ => Ok(()),
        }
    }
}

fn default_retries() -> u32 {
    3
}

fn default_timeout() -> u64 {
    5000
}

fn default_error_sleep() -> u64 {
    100
}

/// A whole number between two others.
fn within<'de, D: Deserializer<'de>>(from: D, least: u64, most: u64) -> Result<u64, D::Error> {
    let number = u64::deserialize(from)?;
    match (least..=most).contains(&number) {
        true => Ok(number),
        false => Err(D::Error::custom(format!("{number} is not from {least} to {most}"))),
    }
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    within(from, 1, STRESS_MAX_DURATION_S)
}

fn retries<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within(from, 0, u64::from(STRESS_MAX_RETRIES)).map(|number| number as u32)
}

fn timeout<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    within(from, 1, STRESS_MAX_SLEEP_MS)
}

fn sleep<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    within(from, 0, STRESS_MAX_SLEEP_MS)
}

fn size<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    within(from, 0, STRESS_MAX_VALUE_BYTES as u64).map(|number| number as usize)
}

fn some_size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    size(from).map(Some)
}

fn some_count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    within(from, 1, STRESS_MAX_CLIENTS as u64).map(|number| Some(number as usize))
}

fn percent<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(from)?;
    match (0.0..=100.0).contains(&number) {
        true => Ok(number),
        false => Err(D::Error::custom(format!("{number} is not from 0 to 100 per cent"))),
    }
}

/// What may stand in the name of a client or of a key: it is part of keys, values and log lines.
pub(super) fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    (1..=STRESS_MAX_NAME_BYTES).contains(&text.len()) && text.chars().all(is_plain)
}

fn name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    match is_name(&name) {
        true => Ok(name),
        false => Err(D::Error::custom(format!(
            "{name:?} is no name: 1 to {STRESS_MAX_NAME_BYTES} letters, digits, and any of _-."
        ))),
    }
}

fn some_name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    name(from).map(Some)
}
