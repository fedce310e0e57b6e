//! LOLWUT: a picture, as every Redis has one, and the version that clients take us for. It must
//! never be of any use.

use super::context::{Outcome, reply};
use super::parse::{integer, is};
use super::row::{Arg, ArgKind, Command, Flags, Handler};
use super::{ReadContext, Reply};
use crate::wire::units::Args;

pub(super) static LOLWUT: Command = Command {
    group: "server",
    since: "5.0.0",
    summary: "Shows the knot that this server is named after, and the version of Redis that it is like",
    arguments: &[Arg::new("version", ArgKind::Integer).after("VERSION").optional()],
    ..Command::new(
        "lolwut",
        -1,
        Flags::READONLY.and(Flags::FAST),
        Handler::Read(|context, args| reply(lolwut(context, args))),
    )
};

/// The version of Redis whose behaviour is ours.
pub const REDIS_VERSION: &str = "7.0.15";

/// The end comes up through the hole, goes round the tree, and down into the hole again.
const BOWLINE: &str = r"
            | |
            | |
        .---| |---.
       /  .-| |-.  \
       | |  | |  | |
       | |  | |  | |
    .--| |--' '--| |--.
   /  .| |-------' /   \
  /  / | |--------'.-.  \
  |  | | |         | |  |
  |  |  \ \        | |  |
  |  |   \ '-------' |  |
  \  \    '---| |----'  |
   \  '-------' |      /
    \           /  .--'
     '---------'--'

 a bowline: it holds under any load, and never slips
";

fn lolwut(_: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    if let [_, option, version, ..] = args[..]
        && is(option, "VERSION")
    {
        integer(version)?;
    }
    Ok(Reply::Verbatim(format!("{BOWLINE}\nRedis ver. {REDIS_VERSION}\n").into()))
}
