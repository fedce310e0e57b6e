//! GEOSEARCH and GEOSEARCHSTORE, and the older commands that are some of them: GEORADIUS, GEORADIUSBYMEMBER, with _RO.
//! What is in no order comes as the nine squares are searched, each by scores.

use super::hash::{self, Place};
use super::options::{Form, Order, Wanted};
use super::{LATITUDE, LONGITUDE, MEMBER, READ, UNIT, row, shown_distance, shown_place};
use crate::command::context::{Outcome, reply};
use crate::command::conversion::signed;
use crate::command::parse::is;
use crate::command::row::{Arg, ArgKind, Command, Finder, Flags, Handler, KeySpec};
use crate::command::typed::typed;
use crate::command::{ReadContext, Reply, WriteContext, sorted_set};
use crate::keyspace::{Blob, SortedSet};
use crate::wire::units::Args;
use std::cmp::Ordering;

const WRITES: Flags = Flags::WRITE.and(Flags::DENYOOM);
const SOURCE: KeySpec = KeySpec::one(&["RO", "access"]);
const STORED: &[&str] = &["OW", "update"];
const RADIUS: Arg = Arg::new("radius", ArgKind::Double);
const COUNT: Arg = Arg::block(
    "count",
    &[Arg::new("count", ArgKind::Integer).after("COUNT"), Arg::word("any", "ANY").optional()],
)
.optional();
const ORDER: Arg = Arg::one_of("order", &[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")]).optional();
const WITH_PLACE: Arg = Arg::word("withcoord", "WITHCOORD").optional();
const WITH_DISTANCE: Arg = Arg::word("withdist", "WITHDIST").optional();
const WITH_HASH: Arg = Arg::word("withhash", "WITHHASH").optional();
const STORE: Arg = Arg::new("key", ArgKind::Key).after("STORE").of_spec(1).optional();
const STORE_DISTANCE: Arg = Arg::new("key", ArgKind::Key).after("STOREDIST").of_spec(2).optional();
const FROM: Arg = Arg::one_of(
    "from",
    &[
        Arg::new("member", ArgKind::String).after("FROMMEMBER"),
        Arg::block("longitude_latitude", &[LONGITUDE, LATITUDE]).after("FROMLONLAT"),
    ],
);
const BY: Arg = Arg::one_of(
    "by",
    &[
        Arg::block("circle", &[RADIUS.after("BYRADIUS"), UNIT]),
        Arg::block(
            "box",
            &[Arg::new("width", ArgKind::Double).after("BYBOX"), Arg::new("height", ArgKind::Double), UNIT],
        ),
    ],
);
const COMPLEXITY: &str = "O(N + log M) of N members in the squares around the shape, of M that there are";

/// What the rows of searches have in common.
const fn search_row(
    name: &'static str,
    arity: i32,
    flags: Flags,
    keys: &'static [KeySpec],
    handler: Handler,
) -> Command {
    Command { complexity: COMPLEXITY, ..row(name, arity, flags, keys, handler) }
}

pub(in crate::command) static GEORADIUS: Command = Command {
    summary: "Members within a distance of a place",
    finder: Finder::Last(|call| target(call, 6)),
    arguments: &[
        Arg::KEY,
        LONGITUDE,
        LATITUDE,
        RADIUS,
        UNIT,
        WITH_PLACE,
        WITH_DISTANCE,
        WITH_HASH,
        COUNT,
        ORDER,
        STORE,
        STORE_DISTANCE,
    ],
    replaced: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")),
    ..search_row(
        "georadius",
        -6,
        WRITES.and(Flags::MOVABLEKEYS),
        &[
            SOURCE,
            KeySpec { last: 0, ..KeySpec::behind("STORE", 6, STORED) },
            KeySpec { last: 0, ..KeySpec::behind("STOREDIST", 6, STORED) },
        ],
        Handler::Write(|context, args| reply(write(context, args, 1, Form::Radius { stores: true }))),
    )
};

pub(in crate::command) static GEORADIUSBYMEMBER: Command = Command {
    summary: "Members within a distance of a member",
    finder: Finder::Last(|call| target(call, 5)),
    arguments: &[
        Arg::KEY,
        MEMBER,
        RADIUS,
        UNIT,
        WITH_PLACE,
        WITH_DISTANCE,
        WITH_HASH,
        COUNT,
        ORDER,
        STORE,
        STORE_DISTANCE,
    ],
    replaced: Some((
        "6.2.0",
        "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    )),
    ..search_row(
        "georadiusbymember",
        -5,
        WRITES.and(Flags::MOVABLEKEYS),
        &[
            SOURCE,
            KeySpec { last: 0, ..KeySpec::behind("STORE", 5, STORED) },
            KeySpec { last: 0, ..KeySpec::behind("STOREDIST", 5, STORED) },
        ],
        Handler::Write(|context, args| reply(write(context, args, 1, Form::RadiusByMember { stores: true }))),
    )
};

pub(in crate::command) static GEORADIUS_RO: Command = Command {
    since: "3.2.10",
    summary: "Members within a distance of a place, stored nowhere",
    arguments: &[
        Arg::KEY,
        LONGITUDE,
        LATITUDE,
        RADIUS,
        UNIT,
        WITH_PLACE,
        WITH_DISTANCE,
        WITH_HASH,
        COUNT,
        ORDER,
    ],
    replaced: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")),
    ..search_row(
        "georadius_ro",
        -6,
        Flags::READONLY,
        READ,
        Handler::Read(|context, args| reply(read(context, args, Form::Radius { stores: false }))),
    )
};

pub(in crate::command) static GEORADIUSBYMEMBER_RO: Command = Command {
    since: "3.2.10",
    summary: "Members within a distance of a member, stored nowhere",
    arguments: &[Arg::KEY, MEMBER, RADIUS, UNIT, WITH_PLACE, WITH_DISTANCE, WITH_HASH, COUNT, ORDER],
    replaced: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")),
    ..search_row(
        "georadiusbymember_ro",
        -5,
        Flags::READONLY,
        READ,
        Handler::Read(|context, args| reply(read(context, args, Form::RadiusByMember { stores: false }))),
    )
};

pub(in crate::command) static GEOSEARCH: Command = Command {
    since: "6.2.0",
    summary: "Members within a circle or a box",
    arguments: &[Arg::KEY, FROM, BY, ORDER, COUNT, WITH_PLACE, WITH_DISTANCE, WITH_HASH],
    ..search_row(
        "geosearch",
        -7,
        Flags::READONLY,
        READ,
        Handler::Read(|context, args| reply(read(context, args, Form::Search))),
    )
};

pub(in crate::command) static GEOSEARCHSTORE: Command = Command {
    since: "6.2.0",
    summary: "Stores members within a circle or a box, with their places or their distances",
    arguments: &[
        Arg::new("destination", ArgKind::Key),
        Arg::new("source", ArgKind::Key).of_spec(1),
        FROM,
        BY,
        ORDER,
        COUNT,
        Arg::word("storedist", "STOREDIST").optional(),
    ],
    ..search_row(
        "geosearchstore",
        -8,
        WRITES,
        &[KeySpec::one(STORED), KeySpec { first: 2, ..SOURCE }],
        Handler::Write(|context, args| reply(write(context, args, 2, Form::SearchStore))),
    )
};

/// Where the name of the key stands that the outcome goes to.
fn target(call: &[&[u8]], from: usize) -> Option<usize> {
    let is_word = |arg: &[u8]| is(arg, "STORE") || is(arg, "STOREDIST");
    (from + 1..call.len()).rev().find(|at| is_word(call[at - 1]))
}

/// What was found.
struct Found {
    member: Blob,
    place: Place,
    distance_m: f64,
    score: f64,
}

fn read(context: &mut ReadContext<'_>, args: &Args<'_>, form: Form) -> Outcome {
    let set = context.typed::<SortedSet>(args[1])?;
    let wanted = Wanted::read(args, form, set)?;
    Ok(shown(set.map(|set| search(set, &wanted)).unwrap_or_default(), &wanted))
}

fn write(context: &mut WriteContext<'_>, args: &Args<'_>, source_at: usize, form: Form) -> Outcome {
    let set = typed::<SortedSet>(context.read(args[source_at]))?;
    let wanted = Wanted::read(args, form, set)?;
    let found = set.map(|set| search(set, &wanted)).unwrap_or_default();
    let Some(target) = wanted.target else { return Ok(shown(found, &wanted)) };
    let score = |found: &Found| match wanted.stores_distance {
        true => found.distance_m / wanted.unit_m,
        false => found.score,
    };
    let pairs = found.iter().map(|found| (found.member.clone(), score(found))).collect();
    let event = if form == Form::SearchStore { "geosearchstore" } else { "georadiusstore" };
    Ok(sorted_set::store(context, target, pairs, event))
}

fn search(set: &SortedSet, wanted: &Wanted<'_>) -> Vec<Found> {
    let (Some(middle), Some(shape)) = (wanted.middle, wanted.shape) else { return Vec::new() };
    let enough = if wanted.any { wanted.count } else { usize::MAX };
    let mut found = Vec::new();
    for square in shape.squares(middle) {
        let (from, to) = square.scores();
        let start = set.count_before(|score, _| score < from);
        let end = set.count_before(|score, _| score < to);
        for (member, score) in set.range(start..end.max(start)) {
            if found.len() >= enough {
                break;
            }
            let place = hash::place(score);
            if let Some(distance_m) = shape.distance_within_m(middle, place) {
                found.push(Found { member: member.to_blob(), place, distance_m, score });
            }
        }
    }
    // The nearest ones are meant if only so many are wanted.
    let order = match wanted.order {
        Order::None if wanted.count != 0 && !wanted.any => Order::Ascending,
        order => order,
    };
    let nearer = |a: &Found, b: &Found| a.distance_m.partial_cmp(&b.distance_m).unwrap_or(Ordering::Equal);
    match order {
        Order::None => {}
        Order::Ascending => found.sort_by(nearer),
        Order::Descending => found.sort_by(|a, b| nearer(b, a)),
    }
    if wanted.count != 0 {
        found.truncate(wanted.count);
    }
    found
}

fn shown(found: Vec<Found>, wanted: &Wanted<'_>) -> Reply {
    let one = |found: Found| {
        let mut parts = vec![Reply::Bulk(found.member)];
        if wanted.with_distance {
            parts.push(shown_distance(found.distance_m / wanted.unit_m));
        }
        if wanted.with_hash {
            parts.push(Reply::Int(signed(found.score)));
        }
        if wanted.with_place {
            parts.push(shown_place(found.place));
        }
        match parts.len() {
            1 => parts.remove(0),
            _ => Reply::Array(parts),
        }
    };
    Reply::Array(found.into_iter().map(one).collect())
}
