//! [`Settings`]: what is configured for the cluster as a whole. They are part of the replicated
//! state: one that is set on any node holds on all of them. A setting of one node must never
//! stand here.

use super::Reply;
use crate::keyspace::{EventClasses, EvictionPolicy};

/// See the module. The names are those of `CONFIG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `notify-keyspace-events`
    pub notify: EventClasses,
    /// `acl-pubsub-default`: whether new users may listen to all channels.
    pub acl_pubsub_default: bool,
    /// Whether entries remove keys that are due. Off in tests only (`DEBUG SET-ACTIVE-EXPIRE`).
    pub active_expire: bool,
    /// `maxmemory-policy`: which keys a node that is short of memory may have removed.
    pub eviction: EvictionPolicy,
}

const NOTIFY: &str = "notify-keyspace-events";
const ACL_PUBSUB_DEFAULT: &str = "acl-pubsub-default";
/// Not kept here: it is the password of the user `default`, as its hash.
pub(super) const REQUIREPASS: &str = "requirepass";
const ACTIVE_EXPIRE: &str = "active-expire";
const EVICTION: &str = "maxmemory-policy";

const UNKNOWN: Reply = Reply::error("ERR no such setting, or no such value of it");

impl Default for Settings {
    fn default() -> Self {
        let (notify, eviction) = (EventClasses::default(), EvictionPolicy::default());
        Self { notify, acl_pubsub_default: false, active_expire: true, eviction }
    }
}

impl Settings {
    /// Whether there is a setting of this name.
    pub fn has(name: &str) -> bool {
        [NOTIFY, ACL_PUBSUB_DEFAULT, REQUIREPASS, ACTIVE_EXPIRE, EVICTION].contains(&name)
    }

    /// All of them, by name, as they are written in snapshots.
    pub fn pairs(&self) -> [(&'static str, String); 4] {
        let active_expire = if self.active_expire { "yes" } else { "no" };
        let channels = if self.acl_pubsub_default { "allchannels" } else { "resetchannels" };
        [
            (NOTIFY, self.notify.to_string()),
            (ACL_PUBSUB_DEFAULT, channels.to_owned()),
            (ACTIVE_EXPIRE, active_expire.to_owned()),
            (EVICTION, self.eviction.name().to_owned()),
        ]
    }

    /// Sets one; an error changes nothing.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Reply> {
        match (name, value) {
            (NOTIFY, value) => {
                let reason = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
                self.notify = EventClasses::parse(value).ok_or(Reply::error(reason))?;
            }
            (ACL_PUBSUB_DEFAULT, b"allchannels") => self.acl_pubsub_default = true,
            (ACL_PUBSUB_DEFAULT, b"resetchannels") => self.acl_pubsub_default = false,
            (REQUIREPASS, value) if super::acl::is_hash_or_empty(value) => {}
            (ACTIVE_EXPIRE, b"yes") => self.active_expire = true,
            (ACTIVE_EXPIRE, b"no") => self.active_expire = false,
            (EVICTION, value) => self.eviction = EvictionPolicy::parse(value).ok_or(UNKNOWN)?,
            _ => return Err(UNKNOWN),
        }
        Ok(())
    }
}
