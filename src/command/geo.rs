//! GEOADD, GEOPOS, GEODIST, GEOHASH: places in sorted sets, whose scores are the places. What searches is in `search`.

mod areas;
mod hash;
mod options;
pub(super) mod search;

use super::context::{Outcome, reply};
use super::double;
use super::parse::{NOT_A_FLOAT, SYNTAX, is};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::{ReadContext, Reply, WriteContext, sorted_set};
use crate::keyspace::SortedSet;
use crate::wire::units::Args;
use hash::{MAX_LATITUDE, MAX_LONGITUDE, Place};

const MEMBER: Arg = Arg::new("member", ArgKind::String);
const READ: &[KeySpec] = &[KeySpec::one(&["RO", "access"])];
const UNIT: Arg = Arg::one_of(
    "unit",
    &[Arg::word("m", "m"), Arg::word("km", "km"), Arg::word("ft", "ft"), Arg::word("mi", "mi")],
);
const LONGITUDE: Arg = Arg::new("longitude", ArgKind::Double);
const LATITUDE: Arg = Arg::new("latitude", ArgKind::Double);

/// What the rows of all commands on places have in common.
const fn row(
    name: &'static str,
    arity: i32,
    flags: Flags,
    keys: &'static [KeySpec],
    handler: Handler,
) -> Command {
    Command {
        categories: &[Category::Geo],
        keys,
        since: "3.2.0",
        group: "geo",
        ..Command::new(name, arity, flags, handler)
    }
}

pub(super) static GEOADD: Command = Command {
    summary: "Adds members with places to a sorted set, or changes the places of members",
    complexity: "O(log N) a member, of N that there are",
    arguments: &[
        Arg::KEY,
        Arg::one_of("condition", &[Arg::word("nx", "NX"), Arg::word("xx", "XX")]).optional(),
        Arg::word("change", "CH").optional(),
        Arg::block("longitude_latitude_member", &[LONGITUDE, LATITUDE, MEMBER]).multiple(),
    ],
    ..row(
        "geoadd",
        -5,
        Flags::WRITE.and(Flags::DENYOOM),
        &[KeySpec::one(&["RW", "update"])],
        Handler::Write(|context, args| reply(geoadd(context, args))),
    )
};

pub(super) static GEODIST: Command = Command {
    summary: "How far two members are from each other",
    arguments: &[
        Arg::KEY,
        Arg::new("member1", ArgKind::String),
        Arg::new("member2", ArgKind::String),
        UNIT.optional(),
    ],
    ..row("geodist", -4, Flags::READONLY, READ, Handler::Read(|context, args| reply(geodist(context, args))))
};

pub(super) static GEOHASH: Command = Command {
    summary: "The places of members as geohash.org writes them",
    complexity: "O(N) of the number of members that are asked for",
    arguments: &[Arg::KEY, MEMBER.multiple()],
    ..row("geohash", -2, Flags::READONLY, READ, Handler::Read(|context, args| reply(geohash(context, args))))
};

pub(super) static GEOPOS: Command = Command {
    summary: "The places of members as longitude and latitude",
    complexity: "O(N) of the number of members that are asked for",
    arguments: &[Arg::KEY, MEMBER.multiple()],
    ..row("geopos", -2, Flags::READONLY, READ, Handler::Read(|context, args| reply(geopos(context, args))))
};

/// A longitude and a latitude.
fn place(args: &[&[u8]]) -> Result<Place, Reply> {
    let longitude = double::score(args[0]).ok_or(NOT_A_FLOAT)?;
    let latitude = double::score(args[1]).ok_or(NOT_A_FLOAT)?;
    if longitude.abs() > MAX_LONGITUDE || latitude.abs() > MAX_LATITUDE {
        return Err(Reply::error_owned(format!(
            "ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"
        )));
    }
    Ok(Place { longitude, latitude })
}

/// A unit in metres.
fn unit_m(arg: &[u8]) -> Result<f64, Reply> {
    match () {
        () if is(arg, "M") => Ok(1.0),
        () if is(arg, "KM") => Ok(1000.0),
        () if is(arg, "FT") => Ok(0.3048),
        () if is(arg, "MI") => Ok(1609.34),
        () => Err(Reply::error("ERR unsupported unit provided. please use M, KM, FT, MI")),
    }
}

fn shown_distance(distance: f64) -> Reply {
    // Rounded after it was scaled, ties to even, as Redis does.
    let scaled = (distance * 10_000.0).round_ties_even();
    Reply::bulk(format!("{:.4}", scaled / 10_000.0))
}

fn shown_place(place: Place) -> Reply {
    Reply::Array(vec![Reply::Coordinate(place.longitude), Reply::Coordinate(place.latitude)])
}

fn geoadd(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let mut options = sorted_set::Options::default();
    let mut rest = &args[2..];
    while let [option, tail @ ..] = rest {
        match () {
            () if is(option, "NX") => options.only_new = true,
            () if is(option, "XX") => options.only_old = true,
            () if is(option, "CH") => options.count_changed = true,
            () => break,
        }
        rest = tail;
    }
    if rest.is_empty() || !rest.len().is_multiple_of(3) || options.only_new && options.only_old {
        return Err(SYNTAX);
    }
    let mut pairs = Vec::with_capacity(rest.len() / 3);
    for triple in rest.chunks_exact(3) {
        pairs.push((hash::score(place(triple)?), triple[2]));
    }
    let before = context.state.keyspace.revision();
    let outcome = sorted_set::add(context, args[1], &pairs, options);
    if context.propagates() && context.state.keyspace.revision() != before {
        let scores: Vec<String> = pairs.iter().map(|(score, _)| (*score as u64).to_string()).collect();
        let mut told = vec![&b"ZADD"[..]];
        told.extend_from_slice(&args[1..args.len() - rest.len()]);
        told.extend(pairs.iter().zip(&scores).flat_map(|((_, member), score)| [score.as_bytes(), *member]));
        context.propagate(&told);
    }
    outcome
}

fn geodist(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let unit_m = match &args[4..] {
        [] => 1.0,
        [unit] => unit_m(unit)?,
        _ => return Err(SYNTAX),
    };
    let set = context.typed::<SortedSet>(args[1])?;
    let place_of = |member: &[u8]| Some(hash::place(set?.score(member)?));
    let Some((a, b)) = place_of(args[2]).zip(place_of(args[3])) else { return Ok(Reply::Nil) };
    Ok(shown_distance(areas::distance_m(a, b) / unit_m))
}

fn geohash(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let set = context.typed::<SortedSet>(args[1])?;
    let text = |member: &&[u8]| match set.and_then(|set| set.score(member)) {
        Some(score) => Reply::bulk(hash::text(hash::place(score))),
        None => Reply::Nil,
    };
    Ok(Reply::Array(args[2..].iter().map(text).collect()))
}

fn geopos(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let set = context.typed::<SortedSet>(args[1])?;
    let place = |member: &&[u8]| match set.and_then(|set| set.score(member)) {
        Some(score) => shown_place(hash::place(score)),
        None => Reply::NilArray,
    };
    Ok(Reply::Array(args[2..].iter().map(place).collect()))
}
