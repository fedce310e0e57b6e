//! HRANDFIELD: fields at random. What it draws is of one read and leaves no trace.

use super::row;
use crate::command::context::{Outcome, reply};
use crate::command::draw;
use crate::command::parse::{SYNTAX, is};
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::{ReadContext, Reply};
use crate::keyspace::{Collection, Field, Hash};
use crate::wire::units::Args;

pub(in crate::command) static HRANDFIELD: Command = Command {
    since: "6.2.0",
    tips: &["nondeterministic_output"],
    summary: "Fields of a hash at random; a negative count allows for the same one again",
    complexity: "O(N) of the number of fields that are returned",
    arguments: &[
        Arg::KEY,
        Arg::block(
            "options",
            &[Arg::new("count", ArgKind::Integer), Arg::word("withvalues", "WITHVALUES").optional()],
        )
        .optional(),
    ],
    ..row(
        "hrandfield",
        -2,
        Flags::READONLY,
        &[KeySpec::one(&["RO", "access"])],
        Handler::Read(|context, args| reply(hrandfield(context, args))),
    )
};

fn hrandfield(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let Some(count) = args.get(2) else {
        let Some(hash) = context.typed::<Hash>(args[1])? else { return Ok(Reply::Nil) };
        let position = draw::one(hash.len(), context.seed);
        return Ok(hash.at(position).map_or(Reply::Nil, |(field, _)| shown(field)));
    };
    let count = draw::count(count)?;
    let with_values = match &args[3..] {
        [] => false,
        [word] if is(word, "WITHVALUES") => true,
        _ => return Err(SYNTAX),
    };
    if with_values {
        draw::check_pairs(count)?;
    }
    let Some(hash) = context.typed::<Hash>(args[1])? else { return Ok(Reply::Array(Vec::new())) };
    let positions = draw::positions(hash.len(), count, context.seed)?;
    // Of a small one each look at a position walks to it.
    let small: Option<Vec<_>> = hash.pack().map(|_| hash.iter().collect());
    let pairs = positions.into_iter().filter_map(|position| match &small {
        Some(pairs) => pairs.get(position).copied(),
        None => hash.at(position),
    });
    Ok(match with_values {
        true => Reply::Pairs(pairs.map(|(field, value)| (shown(field), shown(value))).collect()),
        false => Reply::Array(pairs.map(|(field, _)| shown(field)).collect()),
    })
}

fn shown(field: Field<'_>) -> Reply {
    Reply::Bulk(field.to_blob())
}
