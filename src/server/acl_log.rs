//! [`AclLog`]: what this node has denied of late (`ACL LOG`), what repeats itself in one entry. It
//! must never hold more than its bound, nor a password.

use super::client::Client;
use super::client_list;
use crate::command::Reply;
use crate::limits;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Denials that are further apart are told apart.
const GROUPING: Duration = Duration::from_secs(60);
/// Entries that are looked at for one that is like the new one.
const LOOKED_AT: usize = 10;

struct Entry {
    count: i64,
    reason: &'static str,
    context: &'static str,
    object: Vec<u8>,
    user: Vec<u8>,
    at: Instant,
    client: String,
}

/// See the module. The newest first.
pub struct AclLog {
    /// `acllog-max-len`
    pub max_len: Cell<i64>,
    entries: RefCell<VecDeque<Entry>>,
}

impl Default for AclLog {
    fn default() -> Self {
        Self { max_len: Cell::new(limits::ACL_LOG_ENTRIES), entries: RefCell::default() }
    }
}

impl AclLog {
    /// Something was denied; `context`: where it was asked for. Of a long key or channel the beginning is kept.
    pub fn add(
        &self,
        reason: &'static str,
        context: &'static str,
        object: &[u8],
        user: &[u8],
        client: &Client,
    ) {
        let kept = |text: &[u8]| text[..text.len().min(limits::ACL_LOG_OBJECT_BYTES)].to_vec();
        let (object, user) = (kept(object), kept(user));
        let (at, client) = (Instant::now(), client_list::line_of(client));
        let mut entries = self.entries.borrow_mut();
        let like = entries.iter().take(LOOKED_AT).position(|entry| {
            entry.reason == reason
                && entry.context == context
                && at.duration_since(entry.at) <= GROUPING
                && entry.object == object
                && entry.user == user
        });
        let entry = match like.and_then(|place| entries.remove(place)) {
            Some(entry) => Entry { count: entry.count + 1, at, client, ..entry },
            None => Entry { count: 1, reason, context, object, user, at, client },
        };
        entries.push_front(entry);
        entries.truncate(usize::try_from(self.max_len.get()).unwrap_or(0));
    }

    /// `ACL LOG RESET`.
    pub fn reset(&self) {
        self.entries.borrow_mut().clear();
    }

    /// `ACL LOG count`.
    pub fn show(&self, count: usize) -> Reply {
        let entries = self.entries.borrow();
        Reply::Array(entries.iter().take(count).map(Entry::show).collect())
    }
}

impl Entry {
    fn show(&self) -> Reply {
        let age_s = self.at.elapsed().as_millis() as f64 / 1000.0;
        Reply::Map(
            [
                ("count", Reply::Int(self.count)),
                ("reason", Reply::bulk(self.reason)),
                ("context", Reply::bulk(self.context)),
                ("object", Reply::bulk(&self.object)),
                ("username", Reply::bulk(&self.user)),
                ("age-seconds", Reply::Double(age_s)),
                ("client-info", Reply::bulk(self.client.trim_end())),
            ]
            .map(|(name, value)| (Reply::bulk(name), value))
            .into(),
        )
    }
}
