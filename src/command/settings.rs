//! [`Settings`]: what is configured for the cluster as a whole. They are part of the replicated
//! state: one that is set on any node holds on all of them. A setting of one node must never
//! stand here.

use super::{Reply, parse_i64};
use crate::keyspace::{Compact, EventClasses, EvictionPolicy};
use crate::limits::{SCRIPT_INSTRUCTIONS_PER_MS, SCRIPT_TIME_LIMIT_MAX_MS};

/// See the module. The names are those of `CONFIG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `notify-keyspace-events`
    pub notify: EventClasses,
    /// `acl-pubsub-default`: whether new users may listen to all channels.
    pub acl_pubsub_default: bool,
    /// `masteruser`; empty: the user `default`.
    pub master_user: String,
    /// `masterauth`; empty: the upstream needs none.
    pub master_password: String,
    /// `replica-serve-stale-data`: whether reads are answered while the link to the upstream is down.
    pub serve_stale: bool,
    /// Whether entries remove keys that are due. Off in tests only (`DEBUG SET-ACTIVE-EXPIRE`).
    pub active_expire: bool,
    /// Whether scripts may call `DEBUG`. For tests only (`DEBUG SET-DISABLE-DENY-SCRIPTS`).
    pub debug_in_scripts: bool,
    /// `lua-time-limit`: what a script may use up, at so many instructions a millisecond; 0: the most.
    pub lua_time_limit_ms: u64,
    /// `maxmemory-policy`: which keys a node that is short of memory may have removed.
    pub eviction: EvictionPolicy,
    /// Up to where collections are kept compactly.
    pub compact: Compact,
}

const NOTIFY: &str = "notify-keyspace-events";
const ACL_PUBSUB_DEFAULT: &str = "acl-pubsub-default";
/// Not kept here: it is the password of the user `default`, as its hash.
pub(super) const REQUIREPASS: &str = "requirepass";
const ACTIVE_EXPIRE: &str = "active-expire";
const DEBUG_IN_SCRIPTS: &str = "debug-in-scripts";
const LUA_TIME_LIMIT: &str = "lua-time-limit";
/// The same, as Redis calls it since 7.0.
const LUA_TIME_LIMIT_NOW: &str = "busy-reply-threshold";
const EVICTION: &str = "maxmemory-policy";
const MASTER_USER: &str = "masteruser";
const MASTER_PASSWORD: &str = "masterauth";
const SERVE_STALE: &str = "replica-serve-stale-data";
/// The same, as it was once called.
const SERVE_STALE_OF_OLD: &str = "slave-serve-stale-data";

const UNKNOWN: Reply = Reply::error("ERR no such setting, or no such value of it");

impl Default for Settings {
    fn default() -> Self {
        Self {
            notify: EventClasses::default(),
            acl_pubsub_default: false,
            master_user: String::new(),
            master_password: String::new(),
            serve_stale: true,
            active_expire: true,
            debug_in_scripts: false,
            lua_time_limit_ms: 5000,
            eviction: EvictionPolicy::default(),
            compact: Compact::default(),
        }
    }
}

impl Settings {
    /// What a script may use up.
    pub fn script_instructions(&self) -> u64 {
        let limit_ms = match self.lua_time_limit_ms {
            0 => SCRIPT_TIME_LIMIT_MAX_MS,
            limit_ms => limit_ms.min(SCRIPT_TIME_LIMIT_MAX_MS),
        };
        limit_ms * SCRIPT_INSTRUCTIONS_PER_MS
    }

    /// Whether there is a setting of this name.
    pub fn has(name: &str) -> bool {
        let all = [
            NOTIFY,
            ACL_PUBSUB_DEFAULT,
            REQUIREPASS,
            ACTIVE_EXPIRE,
            DEBUG_IN_SCRIPTS,
            LUA_TIME_LIMIT,
            EVICTION,
            MASTER_USER,
            MASTER_PASSWORD,
            SERVE_STALE,
        ];
        all.contains(&name) || Compact::has(Compact::name_now(name))
    }

    /// Those that snapshots hold: of the collections' parameters only what was set. Their defaults are part of the
    /// format for that reason.
    pub fn pairs_to_keep(&self) -> Vec<(&'static str, String)> {
        let defaults = Compact::default().pairs();
        self.pairs().into_iter().filter(|pair| !defaults.contains(pair)).collect()
    }

    /// All of them, by name.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let active_expire = if self.active_expire { "yes" } else { "no" };
        let channels = if self.acl_pubsub_default { "allchannels" } else { "resetchannels" };
        let mut pairs = vec![
            (NOTIFY, self.notify.to_string()),
            (ACL_PUBSUB_DEFAULT, channels.to_owned()),
            (ACTIVE_EXPIRE, active_expire.to_owned()),
            (LUA_TIME_LIMIT, self.lua_time_limit_ms.to_string()),
            (EVICTION, self.eviction.name().to_owned()),
            (MASTER_USER, self.master_user.clone()),
            (MASTER_PASSWORD, self.master_password.clone()),
            (SERVE_STALE, if self.serve_stale { "yes" } else { "no" }.to_owned()),
        ];
        if self.debug_in_scripts {
            pairs.push((DEBUG_IN_SCRIPTS, "yes".to_owned()));
        }
        pairs.extend(self.compact.pairs());
        pairs
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
            (MASTER_USER, value) => self.master_user = String::from_utf8_lossy(value).into_owned(),
            (MASTER_PASSWORD, value) => self.master_password = String::from_utf8_lossy(value).into_owned(),
            (SERVE_STALE | SERVE_STALE_OF_OLD, b"yes") => self.serve_stale = true,
            (SERVE_STALE | SERVE_STALE_OF_OLD, b"no") => self.serve_stale = false,
            (ACTIVE_EXPIRE, b"yes") => self.active_expire = true,
            (ACTIVE_EXPIRE, b"no") => self.active_expire = false,
            (DEBUG_IN_SCRIPTS, b"yes") => self.debug_in_scripts = true,
            (DEBUG_IN_SCRIPTS, b"no") => self.debug_in_scripts = false,
            (LUA_TIME_LIMIT | LUA_TIME_LIMIT_NOW, value) => {
                let limit_ms = parse_i64(value).and_then(|limit_ms| u64::try_from(limit_ms).ok());
                self.lua_time_limit_ms = limit_ms.ok_or(UNKNOWN)?;
            }
            (EVICTION, value) => self.eviction = EvictionPolicy::parse(value).ok_or(UNKNOWN)?,
            _ if self.compact.set(Compact::name_now(name), value) => {}
            _ => return Err(UNKNOWN),
        }
        Ok(())
    }
}
