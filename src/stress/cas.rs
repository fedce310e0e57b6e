//! Optimistic concurrency: a client creates a key at version 0, or changes it at the version that it knows; when
//! another was faster it reads the version and tries again.

use super::client::{Client, End};
use super::record::Kind;
use super::write::version_of;
use crate::history::{Call, Value, What};
use crate::limits::STRESS_MAX_CONFLICTS;
use std::sync::Arc;

impl Client {
    /// Changes a key once.
    pub async fn compare_and_set(&mut self, key: Arc<str>) -> End {
        for _ in 0..STRESS_MAX_CONFLICTS {
            let version = self.versions.get(&key).copied().unwrap_or(0);
            let call = Call { key: key.clone(), what: What::Cas { version, value: self.fresh_tag() } };
            match self.write(Kind::Cas, call).await {
                End::Done(Value::Int(made)) => {
                    match version {
                        0 => self.log(&key, format_args!("CREATE version {made}")),
                        _ => self.log(&key, format_args!("UPDATE version {version} -> {made}")),
                    }
                    self.versions.insert(key, made as u64);
                    return End::Done(Value::Int(made));
                }
                End::Done(Value::Error(text)) => self.log_conflict(&key, version, &text),
                End::Done(_) => return End::Failed, // which the judge will see
                end => {
                    // It may be at any version now.
                    self.versions.remove(&key);
                    return end;
                }
            }
            match self.read(&key, self.read_value()).await {
                End::Done(value) => self.versions.insert(key.clone(), version_of(&value)),
                end => return end,
            };
            if self.shared.phase() > super::shared::Phase::Running {
                return End::Cancelled;
            }
        }
        End::Failed
    }

    fn log_conflict(&self, key: &str, expected: u64, text: &str) {
        let found = text.rsplit(' ').next().unwrap_or_default();
        if text.starts_with("KEYEXISTS") {
            self.log(key, format_args!("KEY_EXISTS version {found}"));
        } else {
            self.log(key, format_args!("VERSION_MISMATCH expected {expected} found {found}"));
        }
    }
}
