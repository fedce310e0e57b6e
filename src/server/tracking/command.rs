//! `CLIENT TRACKING`, `CACHING`, `TRACKINGINFO` and `GETREDIR`. This module must never change
//! how another client tracks.

use super::super::connection::Connection;
use super::{Mode, Tracking};
use crate::command::{Reply, parse_i64};
use crate::limits;

const SYNTAX: Reply = Reply::error("ERR syntax error");
const NOT_AN_INTEGER: Reply = Reply::error("ERR value is not an integer or out of range");
const SWITCHES_BCAST: Reply = Reply::error(
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
);
const SWITCHES_OPT: Reply = Reply::error(
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
);
const NOT_TRACKING: Reply = Reply::error(
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
);

/// `CLIENT TRACKING ON|OFF [option ...]`.
pub fn tracking(connection: &Connection, args: &[&[u8]]) -> Reply {
    let [state, options @ ..] = args else { return SYNTAX };
    let (mut mode, prefixes) = match parse(connection, options) {
        Ok(parsed) => parsed,
        Err(error) => return error,
    };
    let (client, clients) = (&connection.client, &connection.shared.clients);
    if state.eq_ignore_ascii_case(b"on") {
        if let Err(error) = check(connection, &mode, &prefixes) {
            return error;
        }
        mode.prefixes = prefixes.iter().map(|prefix| prefix.to_vec()).collect();
        if mode.broadcasts && mode.prefixes.is_empty() {
            mode.prefixes.insert(Vec::new());
        }
        clients.track(client, mode);
    } else if state.eq_ignore_ascii_case(b"off") {
        clients.untrack(client);
    } else {
        return SYNTAX;
    }
    Tracking::settle(&connection.shared);
    Reply::Ok
}

fn parse<'a>(connection: &Connection, options: &[&'a [u8]]) -> Result<(Mode, Vec<&'a [u8]>), Reply> {
    let (mut mode, mut prefixes, mut rest) = (Mode::default(), Vec::new(), options);
    while let [option, tail @ ..] = rest {
        rest = tail;
        match (option.to_ascii_lowercase().as_slice(), tail) {
            (b"redirect", [id, tail @ ..]) => {
                rest = tail;
                if mode.redirect != 0 {
                    return Err(Reply::error("ERR A client can only redirect to a single other client"));
                }
                let id = parse_i64(id).ok_or(NOT_AN_INTEGER)?;
                let target = u64::try_from(id).ok().and_then(|id| connection.shared.clients.get(id));
                let missing = Reply::error("ERR The client ID you want redirect to does not exist");
                mode.redirect = target.ok_or(missing)?.id;
            }
            (b"prefix", [prefix, tail @ ..]) => {
                rest = tail;
                prefixes.push(*prefix);
            }
            (b"bcast", _) => mode.broadcasts = true,
            (b"optin", _) => mode.optin = true,
            (b"optout", _) => mode.optout = true,
            (b"noloop", _) => mode.noloop = true,
            _ => return Err(SYNTAX),
        }
    }
    Ok((mode, prefixes))
}

/// Whether the options go together, and with what the client does already.
fn check(connection: &Connection, mode: &Mode, prefixes: &[&[u8]]) -> Result<(), Reply> {
    let tracker = &connection.client.tracker;
    let current = tracker.mode.borrow();
    if !mode.broadcasts && !prefixes.is_empty() {
        return Err(Reply::error("ERR PREFIX option requires BCAST mode to be enabled"));
    }
    if tracker.is_on() && current.broadcasts != mode.broadcasts {
        return Err(SWITCHES_BCAST);
    }
    if mode.broadcasts && (mode.optin || mode.optout) {
        return Err(Reply::error("ERR OPTIN and OPTOUT are not compatible with BCAST"));
    }
    if mode.optin && mode.optout {
        return Err(Reply::error("ERR You can't specify both OPTIN mode and OPTOUT mode"));
    }
    if mode.optin && current.optout || mode.optout && current.optin {
        return Err(SWITCHES_OPT);
    }
    for (i, prefix) in prefixes.iter().enumerate() {
        if let Some(other) = current.prefixes.iter().find(|other| overlap(other, prefix)) {
            return Err(overlaps(prefix, "an existing", other));
        }
        if let Some(other) = prefixes[i + 1..].iter().find(|other| overlap(other, prefix)) {
            return Err(overlaps(prefix, "another provided", other));
        }
    }
    let total = connection.shared.clients.tracking.total_prefixes();
    if total + prefixes.len() > limits::MAX_TRACKING_PREFIXES {
        return Err(Reply::error("ERR the clients of this node track too many prefixes"));
    }
    Ok(())
}

fn overlap(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn overlaps(prefix: &[u8], which: &str, other: &[u8]) -> Reply {
    let (prefix, other) = (crate::command::shown(prefix), crate::command::shown(other));
    let rule = "Prefixes for a single client must not overlap.";
    Reply::error_owned(format!("ERR Prefix '{prefix}' overlaps with {which} prefix '{other}'. {rule}"))
}

/// `CLIENT CACHING YES|NO`.
pub fn caching(connection: &Connection, args: &[&[u8]]) -> Reply {
    let tracker = &connection.client.tracker;
    if !tracker.is_on() {
        return NOT_TRACKING;
    }
    let (is_possible, error) = match args {
        [word] if word.eq_ignore_ascii_case(b"yes") => (
            tracker.mode.borrow().optin,
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        ),
        [word] if word.eq_ignore_ascii_case(b"no") => (
            tracker.mode.borrow().optout,
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        ),
        _ => return SYNTAX,
    };
    if !is_possible {
        return Reply::error(error);
    }
    tracker.caching.set(true);
    Reply::Ok
}

/// `CLIENT TRACKINGINFO`.
pub fn info(connection: &Connection) -> Reply {
    let tracker = &connection.client.tracker;
    let mode = tracker.mode.borrow();
    let caching = tracker.caching.get();
    let flags = [
        (if tracker.is_on() { "on" } else { "off" }, true),
        ("bcast", mode.broadcasts),
        ("optin", mode.optin),
        ("caching-yes", mode.optin && caching),
        ("optout", mode.optout),
        ("caching-no", mode.optout && caching),
        ("noloop", mode.noloop),
        ("broken_redirect", mode.is_broken),
    ];
    let flags = flags.into_iter().filter(|&(_, set)| set).map(|(flag, _)| Reply::bulk(flag));
    Reply::Map(vec![
        (Reply::bulk("flags"), Reply::Set(flags.collect())),
        (Reply::bulk("redirect"), Reply::Int(tracker.redirect())),
        (Reply::bulk("prefixes"), Reply::Array(mode.prefixes.iter().map(Reply::bulk).collect())),
    ])
}
