//! A write without `ONCE`: when nothing came back, the client reads whether it took place. Its values are like
//! no others, so what it wrote says who did. What it cannot tell, it must leave open.

use super::client::{Client, End, Told};
use super::record::{Kind, TOKEN_BYTES};
use crate::history::{Call, Outcome, Value, What};

/// What is known of a write after all.
enum Found {
    /// It took place: what the server would have said.
    Took(Value),
    /// It did not, and cannot any more.
    Not,
    /// Nobody knows.
    Open,
    /// Sent again, it got this reply.
    Again(Value),
    /// The run is over.
    Cancelled,
}

impl Client {
    /// Carries a write out: what the server says to it, if that can be found out.
    pub async fn write(&mut self, kind: Kind, call: Call) -> End {
        if self.shared.setting.once {
            return self.write_once(kind, call).await;
        }
        let start_ns = self.now_ns();
        let told = self.ask(kind, &call, None).await;
        if let Told::Lost(text) = told {
            return self.find_out(kind, call, start_ns, text).await;
        }
        self.log_failure(&call.key, &told);
        self.record(kind, call, told.outcome(), start_ns, false);
        told.end()
    }

    /// A line for what did not even begin, or is not waited for.
    pub fn log_failure(&self, key: &str, told: &Told) {
        match told {
            Told::Refused(text) => self.log(key, format_args!("REFUSED {text}")),
            Told::Unreached(text) => self.log(key, format_args!("NETWORK ERROR {text}")),
            Told::Cancelled => self.log(key, format_args!("CANCELLED")),
            Told::Reply(_) | Told::Lost(_) => {}
        }
    }

    /// Of a write that began at `start_ns`, and got no reply because of `text`.
    async fn find_out(&mut self, kind: Kind, call: Call, start_ns: u64, text: String) -> End {
        let mut open = vec![start_ns];
        let mut tries = 0;
        let found = self.look(kind, &call, &mut open, &mut tries, text).await;
        let took = match &found {
            Found::Took(_) => "it had taken place",
            Found::Not | Found::Again(_) => "it had not",
            Found::Open | Found::Cancelled => "",
        };
        match took {
            "" => {}
            took => self.log(&call.key, format_args!("RECOVERED after {tries} retries: {took}")),
        }
        if matches!(found, Found::Open) {
            self.log(&call.key, format_args!("UNKNOWN after {tries} retries: it cannot be told"));
        }
        // Attempts of one write cannot be told apart, so it may as well have been the first.
        for (number, start_ns) in open.into_iter().enumerate() {
            let outcome = match &found {
                Found::Took(value) if number == 0 => Outcome::Ok(value.clone()),
                Found::Open | Found::Cancelled => Outcome::Unknown,
                // Only one can, unless the version comes back.
                Found::Took(_) | Found::Again(_) if !self.versions_only_rise() => Outcome::Unknown,
                Found::Took(_) | Found::Not | Found::Again(_) => Outcome::Fail,
            };
            self.record(kind, call.clone(), outcome, start_ns, number == 0);
        }
        match found {
            Found::Took(value) | Found::Again(value) => End::Done(value),
            Found::Not | Found::Open => End::Failed,
            Found::Cancelled => End::Cancelled,
        }
    }

    /// Reads, and sends again what that can be done with, until it is known how the attempts that began at
    /// `open` ended.
    async fn look(
        &mut self,
        kind: Kind,
        call: &Call,
        open: &mut Vec<u64>,
        tries: &mut u32,
        text: String,
    ) -> Found {
        let what = match &call.what {
            What::Set(_) | What::Cas { .. } => self.read_value(),
            What::Append(_) => What::Get,
            // No value says who incremented or deleted it.
            _ => {
                self.log(&call.key, format_args!("NETWORK ERROR {text}"));
                return Found::Open;
            }
        };
        let mut lost = Some(text);
        while *tries < self.shared.setting.max_retries {
            *tries += 1;
            match lost.take() {
                Some(text) if !self.try_again(kind, &call.key, &text, *tries).await => {
                    return Found::Cancelled;
                }
                Some(_) => {}
                None => self.shared.count_retry(self.id, kind),
            }
            let value = match self.read_once(&call.key, what.clone(), false).await {
                Told::Reply(value) => value,
                Told::Refused(error) | Told::Unreached(error) | Told::Lost(error) => {
                    lost = Some(error);
                    continue;
                }
                Told::Cancelled => return Found::Cancelled,
            };
            if let Some(reply) = reply_that_was_lost(&call.what, &value) {
                return Found::Took(reply);
            }
            let What::Cas { version, .. } = call.what else { return Found::Open };
            match self.compare(version, version_of(&value)) {
                Standing::Passed => return Found::Not,
                Standing::Open => return Found::Open,
                Standing::Before => {}
            }
            let start_ns = self.now_ns();
            let told = self.ask(kind, call, None).await;
            match &told {
                // Which of the attempts took place may have to be found out.
                Told::Lost(_) | Told::Cancelled => open.push(start_ns),
                _ => self.record(kind, call.clone(), told.outcome(), start_ns, false),
            }
            match told {
                // Perhaps it was an earlier attempt that was in the way: that can be read at once.
                Told::Reply(Value::Error(_)) => {}
                Told::Reply(value) => return Found::Again(value),
                Told::Refused(error) | Told::Unreached(error) | Told::Lost(error) => lost = Some(error),
                Told::Cancelled => {
                    self.log(&call.key, format_args!("CANCELLED"));
                    return Found::Cancelled;
                }
            }
        }
        if let Some(text) = lost {
            self.log(&call.key, format_args!("NETWORK ERROR {text}"));
        }
        Found::Open
    }

    /// Where a key that is `found` at a version, with another's value, stands to a `CAS` at `expected`.
    fn compare(&self, expected: u64, found: u64) -> Standing {
        match found {
            _ if found == expected => Standing::Before,
            _ if !self.versions_only_rise() => Standing::Open,
            // What the CAS would have made is somebody else's.
            _ if found == expected + 1 => Standing::Passed,
            _ => Standing::Open,
        }
    }

    /// Whether a version that has passed never comes back: nobody deletes.
    fn versions_only_rise(&self) -> bool {
        !self.shared.setting.workload.mix.has(Kind::Del)
    }
}

enum Standing {
    /// It can still take place.
    Before,
    /// It did not take place, and never will.
    Passed,
    /// It cannot be told.
    Open,
}

/// The version that a reply to `GETV` tells; 0: there is no such key.
pub fn version_of(read: &Value) -> u64 {
    match read {
        Value::Array(parts) => match parts.get(1) {
            Some(Value::Int(version)) => *version as u64,
            _ => 0,
        },
        _ => 0,
    }
}

/// If `read` shows that `what` has taken place: the reply to it.
fn reply_that_was_lost(what: &What, read: &Value) -> Option<Value> {
    let text = match read {
        Value::Array(parts) => parts.first()?,
        read => read,
    };
    let Value::Text(text) = text else { return None };
    match what {
        What::Set(tag) if text == tag => Some(Value::Ok),
        What::Cas { value, .. } if text == value => Some(Value::Int(version_of(read) as i64)),
        What::Append(token) => {
            let place = text.as_bytes().chunks(TOKEN_BYTES).position(|part| part == token.as_bytes())?;
            Some(Value::Int((TOKEN_BYTES * (place + 1)) as i64))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_known_by_its_value() {
        let text = |text: &str| Value::Text(text.into());
        let getv = |value: &str| Value::Array(vec![text(value), Value::Int(7), Value::Int(100)]);
        let set = What::Set("a-1-5".into());
        let cas = What::Cas { version: 6, value: "a-1-5".into() };
        assert_eq!(reply_that_was_lost(&set, &text("a-1-5")), Some(Value::Ok));
        assert_eq!(reply_that_was_lost(&set, &getv("a-1-5")), Some(Value::Ok));
        assert_eq!(reply_that_was_lost(&cas, &getv("a-1-5")), Some(Value::Int(7)));
        for read in [text("a-2-5"), getv("b-1-5"), Value::Nil] {
            assert_eq!(reply_that_was_lost(&set, &read), None);
            assert_eq!(reply_that_was_lost(&cas, &read), None);
        }
    }

    #[test]
    fn an_append_is_known_by_its_place() {
        let log = Value::Text("00001-000000001;00002-000000001;00001-000000002;".into());
        let append = |token: &str| What::Append(token.into());
        assert_eq!(reply_that_was_lost(&append("00002-000000001;"), &log), Some(Value::Int(32)));
        assert_eq!(reply_that_was_lost(&append("00002-000000002;"), &log), None);
        assert_eq!(reply_that_was_lost(&append("00002-000000001;"), &Value::Nil), None);
    }
}
