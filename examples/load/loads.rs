//! What is sent: a row for each kind of request, mixes of them, and which keys they name. A new
//! kind is one row. Must never build a request from its parts anew while it is measured.

use rand::Rng;
use rand::rngs::SmallRng;

/// A word of a request.
#[derive(Clone, Copy)]
enum Word {
    Fixed(&'static str),
    /// Four letters, which keep the types apart, and twelve digits.
    Key(&'static str),
    /// Twelve digits of a number up to the number of keys.
    Number,
    Value,
}
use Word::{Fixed, Key, Number, Value};

struct Row {
    name: &'static str,
    words: &'static [Word],
    writes: bool,
}

const STRING: Word = Key("key:");
const fn row(name: &'static str, words: &'static [Word]) -> Row {
    Row { name, words, writes: true }
}

static ROWS: &[Row] = &[
    Row { writes: false, ..row("get", &[Fixed("GET"), STRING]) },
    row("set", &[Fixed("SET"), STRING, Value]),
    row("incr", &[Fixed("INCR"), Key("cnt:")]),
    row("mset", &MSET),
    Row { writes: false, ..row("ping", &[Fixed("PING")]) },
    row("lpush", &[Fixed("LPUSH"), Key("lst:"), Value]),
    row("rpop", &[Fixed("RPOP"), Key("lst:")]),
    row("hset", &[Fixed("HSET"), Key("hsh:"), Number, Value]),
    row("sadd", &[Fixed("SADD"), Key("set:"), Number]),
    row("zadd", &[Fixed("ZADD"), Key("zst:"), Number, Number]),
    row("xadd", &[Fixed("XADD"), Key("str:"), Fixed("*"), Fixed("field"), Value]),
    row(
        "eval",
        &[Fixed("EVAL"), Fixed("return redis.call('SET', KEYS[1], ARGV[1])"), Fixed("1"), STRING, Value],
    ),
];

/// Ten pairs, as redis-benchmark has it.
static MSET: [Word; 21] = {
    let mut words = [STRING; 21];
    words[0] = Fixed("MSET");
    let mut pair = 0;
    while pair < 10 {
        words[2 + 2 * pair] = Value;
        pair += 1;
    }
    words
};

/// Names for mixes.
const MIXES: &[(&str, &str)] = &[("mixed", "get=70,set=30")];

const DIGITS: usize = 12;

/// A request as it is sent, but for its digits.
pub struct Template {
    bytes: Vec<u8>,
    digits_at: Vec<usize>,
    /// Of keys, numbers and values; 0 for one that only reads.
    payload_bytes: usize,
}

impl Template {
    fn new(row: &Row, value_bytes: usize) -> Self {
        let mut made = Self { bytes: Vec::new(), digits_at: Vec::new(), payload_bytes: 0 };
        made.bytes.extend(format!("*{}\r\n", row.words.len()).bytes());
        for word in row.words {
            let (text, digits, filler) = match word {
                Fixed(text) => (*text, 0, 0),
                Key(prefix) => (*prefix, DIGITS, 0),
                Number => ("", DIGITS, 0),
                Value => ("", 0, value_bytes),
            };
            let size = text.len() + digits + filler;
            made.bytes.extend(format!("${size}\r\n{text}").bytes());
            if digits > 0 {
                made.digits_at.push(made.bytes.len());
            }
            made.bytes.resize(made.bytes.len() + digits + filler, b'x');
            made.bytes.extend(b"\r\n");
            if row.writes && !matches!(word, Fixed(_)) {
                made.payload_bytes += size;
            }
        }
        made
    }
}

/// Which keys are named.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Pattern {
    /// Each as often as any other.
    Uniform,
    /// A fifth of the keys in four requests of five.
    Hot,
    /// One after the other, each once: to fill a server.
    Sequential,
}

pub struct Keys {
    pub pattern: Pattern,
    pub count: u64,
    next: u64,
}

impl Keys {
    pub fn new(pattern: Pattern, count: u64) -> Self {
        Self { pattern, count: count.max(1), next: 0 }
    }

    pub fn draw(&mut self, random: &mut SmallRng) -> u64 {
        match self.pattern {
            Pattern::Uniform => random.random_range(0..self.count),
            Pattern::Hot => {
                let hot = (self.count / 5).max(1);
                if hot == self.count || random.random_range(0..5) < 4 {
                    random.random_range(0..hot)
                } else {
                    random.random_range(hot..self.count)
                }
            }
            Pattern::Sequential => {
                self.next += 1;
                (self.next - 1) % self.count
            }
        }
    }
}

/// Kinds of requests, and how often each is sent.
pub struct Mix {
    parts: Vec<(u64, Template)>,
    weights: u64,
    /// Ends a batch, if the batch is to be on replicas.
    wait: Vec<u8>,
}

impl Mix {
    /// From `NAME[=WEIGHT],...`, or the name of a mix; `wait`: on how many replicas a batch must be.
    pub fn parse(text: &str, value_bytes: usize, wait: usize) -> Result<Self, String> {
        let text = MIXES.iter().find(|(name, _)| *name == text).map_or(text, |(_, parts)| parts);
        let mut parts = Vec::new();
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let row = ROWS.iter().find(|row| row.name == name);
            let row = row.ok_or_else(|| format!("there is no load {name}; there are: {}", names()))?;
            let weight: u64 = weight.parse().map_err(|_| format!("{weight} is no weight"))?;
            if weight > 0 {
                parts.push((weight, Template::new(row, value_bytes)));
            }
        }
        let weights = parts.iter().map(|(weight, _)| weight).sum();
        if weights == 0 {
            return Err("a load needs a weight above 0".to_owned());
        }
        let digits = wait.to_string();
        let wait = match wait {
            0 => Vec::new(),
            _ => format!("*3\r\n$4\r\nWAIT\r\n${}\r\n{digits}\r\n$5\r\n10000\r\n", digits.len()).into_bytes(),
        };
        Ok(Self { parts, weights, wait })
    }

    /// Bytes of keys and values that a request writes, on average.
    pub fn payload_bytes(&self) -> f64 {
        let sum: f64 =
            self.parts.iter().map(|(weight, part)| *weight as f64 * part.payload_bytes as f64).sum();
        sum / self.weights as f64
    }

    /// Whether batches end with a `WAIT`, whose reply is no operation's.
    pub fn waits(&self) -> bool {
        !self.wait.is_empty()
    }

    fn pick(&self, random: &mut SmallRng) -> &Template {
        let mut drawn = if self.parts.len() == 1 { 0 } else { random.random_range(0..self.weights) };
        for (weight, part) in &self.parts {
            if drawn < *weight {
                return part;
            }
            drawn -= weight;
        }
        unreachable!("what was drawn is below the sum of the weights")
    }
}

/// The requests that a client sends at once.
#[derive(Default)]
pub struct Batch {
    pub bytes: Vec<u8>,
    digits_at: Vec<usize>,
    requests: usize,
}

impl Batch {
    /// Fills it with `requests` new requests. What need not change is left as it is.
    pub fn fill(&mut self, mix: &Mix, requests: usize, keys: &mut Keys, random: &mut SmallRng) {
        if self.requests != requests || mix.parts.len() > 1 {
            self.bytes.clear();
            self.digits_at.clear();
            self.requests = requests;
            for _ in 0..requests {
                let template = mix.pick(random);
                let start = self.bytes.len();
                self.digits_at.extend(template.digits_at.iter().map(|at| start + at));
                self.bytes.extend_from_slice(&template.bytes);
            }
            self.bytes.extend_from_slice(&mix.wait);
        }
        for at in &self.digits_at {
            let mut number = keys.draw(random);
            for digit in self.bytes[*at..*at + DIGITS].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
    }
}

/// The names of all rows and mixes.
pub fn names() -> String {
    let rows = ROWS.iter().map(|row| row.name);
    rows.chain(MIXES.iter().map(|(name, _)| *name)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn sent(load: &str, value_bytes: usize, requests: usize, keys: &mut Keys) -> String {
        let mix = Mix::parse(load, value_bytes, 0).expect("a load");
        let mut batch = Batch::default();
        batch.fill(&mix, requests, keys, &mut SmallRng::seed_from_u64(1));
        String::from_utf8(batch.bytes).expect("text")
    }

    #[test]
    fn a_request_is_what_a_server_understands() {
        let mut keys = Keys::new(Pattern::Sequential, 2);
        let set = |key| format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:{key:012}\r\n$3\r\nxxx\r\n");
        assert_eq!(sent("set", 3, 3, &mut keys), [set(0), set(1), set(0)].concat());
        assert_eq!(sent("ping", 3, 1, &mut keys), "*1\r\n$4\r\nPING\r\n");
        assert!(sent("mset", 1, 1, &mut keys).starts_with("*21\r\n$4\r\nMSET\r\n$16\r\nkey:"));
    }

    #[test]
    fn a_batch_that_is_sent_again_names_other_keys() {
        let mix = Mix::parse("set", 3, 2).expect("a load");
        let (mut keys, mut random) = (Keys::new(Pattern::Sequential, 100), SmallRng::seed_from_u64(1));
        let mut batch = Batch::default();
        for (requests, last) in [(2, "key:000000000001"), (2, "key:000000000003"), (1, "key:000000000004")] {
            batch.fill(&mix, requests, &mut keys, &mut random);
            let text = String::from_utf8_lossy(&batch.bytes);
            assert!(text.contains(last), "{text}");
            assert_eq!(text.matches("SET").count(), requests);
            assert!(text.ends_with("*3\r\n$4\r\nWAIT\r\n$1\r\n2\r\n$5\r\n10000\r\n"), "{text}");
        }
    }

    #[test]
    fn a_mix_keeps_its_weights_and_hot_keys_are_hot() {
        let text = sent("mixed", 3, 10_000, &mut Keys::new(Pattern::Hot, 1000));
        let gets = text.matches("$3\r\nGET").count();
        assert!((6800..7200).contains(&gets), "{gets}");
        let keys: Vec<u64> =
            text.split("key:").skip(1).map(|rest| rest[..DIGITS].parse().expect("digits")).collect();
        let hot = keys.iter().filter(|key| **key < 200).count();
        assert!((7800..8200).contains(&hot), "{hot}");
        assert!(keys.iter().all(|key| *key < 1000) && keys.iter().any(|key| *key > 900));
    }

    #[test]
    fn payload_is_what_is_written() {
        let payload = |load| Mix::parse(load, 3, 0).expect("a load").payload_bytes();
        assert_eq!(payload("set"), 19.0);
        assert_eq!(payload("get"), 0.0);
        assert_eq!(payload("mset"), 190.0);
        assert!((payload("mixed") - 5.7).abs() < 1e-9);
        assert!(Mix::parse("nonsense", 3, 0).is_err_and(|error| error.contains("lpush")));
        assert!(Mix::parse("set=0", 3, 0).is_err());
    }
}
