//! [`Grammar`]: what the value of a parameter looks like, as strictly as Redis reads it, and its
//! error texts. A value is read into the form that `CONFIG GET` shows. Nothing here may depend on
//! the value that a parameter has.

use crate::command::parse_i64;
use crate::keyspace::EventClasses;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub enum Grammar {
    /// Any text.
    Text,
    /// `yes` or `no`.
    YesNo,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Some of these words.
    SomeOf(&'static [&'static str]),
    /// A number between these.
    Int(i64, i64),
    /// The same, with an optional unit: `k` is 1000, `kb` is 1024.
    Memory(i64, i64),
    /// The same without a sign.
    Size(u64, u64),
    /// Memory, or a percentage.
    MemoryOrPercent,
    /// Seconds and changes, in pairs.
    Save,
    /// Class, hard limit, soft limit and seconds, repeated.
    BufferLimits,
    /// Numbers between 0 and 100.
    Percentiles,
    /// Three numbers between -2000 and 2000.
    OomScores,
    /// Letters of keyspace events.
    Events,
}

/// As Redis writes it.
pub fn yes_or_no(is_set: bool) -> &'static str {
    if is_set { "yes" } else { "no" }
}

/// Redis's `string2d`: the whole text is a number.
fn parse_f64(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| !number.is_nan() && !text.starts_with(char::is_whitespace))
}

/// Redis's `memtoull`.
pub fn parse_memory(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    if number.len() >= 128 {
        return None;
    }
    // C reads no digits at all as 0, and stops at the largest number.
    let number = if number.is_empty() { 0 } else { number.parse().unwrap_or(u64::MAX) };
    Some(number.wrapping_mul(factor))
}

fn between(low: impl ToString, high: impl ToString) -> String {
    format!("argument must be between {} and {} inclusive", low.to_string(), high.to_string())
}

fn memory(text: &str) -> Result<u64, String> {
    parse_memory(text).ok_or_else(|| "argument must be a memory value".to_owned())
}

fn one_of(words: &[&'static str], value: &str) -> Result<&'static str, String> {
    let found = words.iter().find(|word| value.eq_ignore_ascii_case(word));
    found.copied().ok_or_else(|| format!("argument(s) must be one of the following: {}", words.join(", ")))
}

impl Grammar {
    /// The value as it is shown, or what is wrong with it.
    pub fn read(self, value: &[u8]) -> Result<String, String> {
        let text = String::from_utf8_lossy(value);
        let words = || text.split(' ').filter(|word| !word.is_empty());
        match self {
            Self::Text => Ok(text.into_owned()),
            Self::YesNo => {
                let known = one_of(&["yes", "no"], &text);
                known.map(str::to_owned).map_err(|_| "argument must be 'yes' or 'no'".to_owned())
            }
            Self::OneOf(words) => one_of(words, &text).map(str::to_owned),
            Self::SomeOf(known) => {
                let chosen: Result<Vec<_>, _> = text.split(' ').map(|word| one_of(known, word)).collect();
                Ok(chosen?.join(" "))
            }
            Self::Int(low, high) => {
                let number = parse_i64(value)
                    .ok_or_else(|| "argument couldn't be parsed into an integer".to_owned())?;
                let fits = (low..=high).contains(&number);
                if fits { Ok(number.to_string()) } else { Err(between(low, high)) }
            }
            Self::Memory(low, high) => {
                let number = memory(until_nul(&text))? as i64;
                let fits = (low..=high).contains(&number);
                if fits { Ok(number.to_string()) } else { Err(between(low, high)) }
            }
            Self::Size(low, high) => {
                let number = memory(until_nul(&text))?;
                let fits = (low..=high).contains(&number);
                if fits { Ok(number.to_string()) } else { Err(between(low, high)) }
            }
            Self::MemoryOrPercent => memory_or_percent(&text),
            Self::Save => save(&text, words().collect()),
            Self::BufferLimits => buffer_limits(words().collect()),
            Self::Percentiles => percentiles(&text),
            Self::OomScores => oom_scores(words().collect()),
            Self::Events => match EventClasses::parse(value) {
                Some(classes) => Ok(classes.to_string()),
                None => Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned()),
            },
        }
    }
}

/// Redis reads sizes as strings of C's.
fn until_nul(text: &str) -> &str {
    text.split('\0').next().unwrap_or_default()
}

fn memory_or_percent(text: &str) -> Result<String, String> {
    if let Some(number) = parse_memory(text) {
        return Ok(number.to_string());
    }
    let percent = text.strip_suffix('%').and_then(|number| parse_i64(number.as_bytes()));
    match percent.filter(|percent| *percent >= 0) {
        Some(percent @ 0..=100) => Ok(format!("{percent}%")),
        Some(_) => Err("percentage argument must be less or equal to 100".to_owned()),
        None => Err("argument must be a memory or percent value".to_owned()),
    }
}

fn save(text: &str, words: Vec<&str>) -> Result<String, String> {
    let numbers: Option<Vec<i64>> = words.iter().map(|word| parse_i64(word.as_bytes())).collect();
    let sound = |numbers: &Vec<i64>| {
        numbers.len().is_multiple_of(2) && numbers.chunks_exact(2).all(|pair| pair[0] >= 1 && pair[1] >= 0)
    };
    match numbers.filter(sound) {
        Some(_) if text.is_empty() => Ok(String::new()),
        Some(_) => Ok(words.join(" ")),
        None => Err("Invalid save parameters".to_owned()),
    }
}

fn buffer_limits(words: Vec<&str>) -> Result<String, String> {
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    let mut shown = Vec::new();
    for limit in words.chunks_exact(4) {
        let class = match limit[0].to_ascii_lowercase().as_str() {
            "normal" => "normal",
            "slave" | "replica" => "slave",
            "pubsub" => "pubsub",
            _ => return Err("Invalid client class specified in buffer limit configuration.".to_owned()),
        };
        let seconds = parse_i64(limit[3].as_bytes()).filter(|seconds| *seconds >= 0);
        match (parse_memory(limit[1]), parse_memory(limit[2]), seconds) {
            (Some(hard), Some(soft), Some(seconds)) => shown.push(format!("{class} {hard} {soft} {seconds}")),
            _ => {
                let reason = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
                return Err(reason.to_owned());
            }
        }
    }
    Ok(shown.join(" "))
}

fn percentiles(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let invalid = || "Invalid latency-tracking-info-percentiles parameters".to_owned();
    let numbers: Option<Vec<f64>> = text.split(' ').map(parse_f64).collect();
    let numbers = numbers.ok_or_else(invalid)?;
    if numbers.iter().any(|number| !(0.0..=100.0).contains(number)) {
        return Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".to_owned());
    }
    Ok(numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" "))
}

fn oom_scores(words: Vec<&str>) -> Result<String, String> {
    if words.len() != 3 {
        return Err("wrong number of arguments".to_owned());
    }
    let numbers: Option<Vec<i64>> = words
        .iter()
        .map(|word| parse_i64(word.as_bytes()).filter(|number| (-2000..=2000).contains(number)))
        .collect();
    match numbers {
        Some(_) => Ok(words.join(" ")),
        None => Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".to_owned()),
    }
}
