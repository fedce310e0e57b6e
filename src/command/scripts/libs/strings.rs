//! What of Lua's `string` may take long for one instruction: searches and `rep`. Results and errors are those of Lua
//! 5.1; what they cost is charged, and ends the script when it is too much.

use super::super::arguments::function;
use super::super::raised::raise;
use super::super::vm::{Ended, Meter, PRELUDE_NAME};
use super::patterns::{Capture, Matcher, Wrong};
use super::{bad_argument, kind, number, pay, string, too_much};
use crate::command::conversion::signed;
use crate::limits::{SCRIPT_BYTES_PER_INSTRUCTION, SCRIPT_MEMORY_BYTES, SCRIPT_STEPS_PER_INSTRUCTION};
use mlua::{Function, Lua, MultiValue, Result, Table, Value};
use std::rc::Rc;

/// A pattern without any of them is looked for as it is.
const SPECIALS: &[u8] = b"^$*+?.([%-";

/// The functions, for the prelude.
pub(super) fn functions(lua: &Lua, meter: &Rc<Meter>) -> Result<Table> {
    let functions = lua.create_table()?;
    let of_script = Rc::clone(meter);
    let find = function(lua, move |lua, args| search(lua, &of_script, args, "find"))?;
    functions.raw_set("find", find)?;
    let of_script = Rc::clone(meter);
    let first = function(lua, move |lua, args| search(lua, &of_script, args, "match"))?;
    functions.raw_set("match", first)?;
    functions.raw_set("gmatch", gmatch(lua, meter)?)?;
    let of_script = Rc::clone(meter);
    functions.raw_set("gsub", function(lua, move |lua, args| gsub(lua, &of_script, args))?)?;
    functions.raw_set("walk", function(lua, walk)?)?;
    let of_script = Rc::clone(meter);
    let next = move |lua: &Lua, walk: Walk| next_piece(lua, &of_script, walk);
    functions.raw_set("next_piece", lua.create_function(next)?)?;
    let of_script = Rc::clone(meter);
    functions.raw_set("rep", function(lua, move |lua, args| rep(lua, &of_script, args))?)?;
    functions.raw_set("dump", function(lua, dump)?)?;
    Ok(functions)
}

/// `string.dump`, of the script's own functions: others may be of another version on another replica.
fn dump(lua: &Lua, args: &[Value]) -> Result<Value> {
    let Some(function) = args.first().and_then(Value::as_function) else {
        return bad_argument(lua, 1, "dump", &format!("function expected, got {}", kind(args.first())));
    };
    let info = function.info();
    if info.what == "C" || info.source.as_deref() == Some(PRELUDE_NAME) {
        return Err(raise(lua, "unable to dump given function"));
    }
    let code = function.dump(false);
    pay(lua, code.len())?;
    Ok(Value::String(lua.create_string(code)?))
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len())]
}

fn anchored(pattern: &[u8]) -> (bool, &[u8]) {
    let pattern = until_zero(pattern);
    pattern.strip_prefix(b"^").map_or((false, pattern), |rest| (true, rest))
}

fn integer(lua: &Lua, args: &[Value], at: usize, name: &str) -> Result<Option<i64>> {
    match args.get(at) {
        None | Some(Value::Nil) => Ok(None),
        Some(_) => Ok(Some(signed(number(lua, args, at, name)?))),
    }
}

fn failed(lua: &Lua, meter: &Meter, wrong: Wrong) -> mlua::Error {
    match wrong {
        Wrong::Pattern(text) => raise(lua, text),
        Wrong::Steps => meter.end(Ended::Budget),
    }
}

/// Of a matcher: its steps are the script's.
fn matcher<'a>(meter: &Meter, text: &'a [u8], pattern: &'a [u8]) -> Matcher<'a> {
    Matcher::new(text, pattern, meter.left().saturating_mul(SCRIPT_STEPS_PER_INSTRUCTION), meter.breath())
}

/// What has been taken of the steps that there were.
fn charge(meter: &Meter, matcher: &Matcher<'_>, before: u64) {
    meter.charge((before - matcher.steps_left) / SCRIPT_STEPS_PER_INSTRUCTION);
}

fn value_of(lua: &Lua, text: &[u8], capture: Capture) -> Result<Value> {
    Ok(match capture {
        Capture::Text(start, len) => Value::String(lua.create_string(&text[start..start + len])?),
        Capture::Place(at) | Capture::Open(at) => Value::Number((at + 1) as f64),
    })
}

fn values_of(lua: &Lua, text: &[u8], captures: Vec<Capture>) -> Result<MultiValue> {
    captures.into_iter().map(|capture| value_of(lua, text, capture)).collect()
}

/// `string.find` and `string.match`
fn search(lua: &Lua, meter: &Meter, args: &[Value], name: &'static str) -> Result<MultiValue> {
    let (text, pattern) = (string(lua, args, 0, name)?, string(lua, args, 1, name)?);
    let (text, pattern) = (&text.as_bytes()[..], &pattern.as_bytes()[..]);
    let first = match integer(lua, args, 2, name)?.unwrap_or(1) {
        from @ ..0 => (from + text.len() as i64).max(0),
        from => (from - 1).max(0),
    };
    let first = (first as usize).min(text.len());
    let finds = name == "find";
    let is_plain = !matches!(args.get(3), None | Some(Value::Nil | Value::Boolean(false)));
    if finds && (is_plain || !until_zero(pattern).iter().any(|byte| SPECIALS.contains(byte))) {
        meter.charge((text.len() - first) as u64 / SCRIPT_BYTES_PER_INSTRUCTION);
        return Ok(match memchr::memmem::find(&text[first..], pattern) {
            Some(at) => {
                let start = first + at;
                let place = |at: usize| Value::Number(at as f64);
                [place(start + 1), place(start + pattern.len())].into_iter().collect()
            }
            None => [Value::Nil].into_iter().collect(),
        });
    }
    let (is_anchored, pattern) = anchored(pattern);
    let mut matcher = matcher(meter, text, pattern);
    let before = matcher.steps_left;
    for start in first..=text.len() {
        let end = matcher.at(start).map_err(|wrong| failed(lua, meter, wrong))?;
        let Some(end) = end else {
            if is_anchored {
                break;
            }
            continue;
        };
        charge(meter, &matcher, before);
        let whole = (!finds).then_some((start, end));
        let captures = matcher.captures(whole).map_err(|wrong| failed(lua, meter, wrong))?;
        let mut values = values_of(lua, text, captures)?;
        if finds {
            values.push_front(Value::Number(end as f64));
            values.push_front(Value::Number((start + 1) as f64));
        }
        return Ok(values);
    }
    charge(meter, &matcher, before);
    Ok([Value::Nil].into_iter().collect())
}

/// The next match from `from` on: where it begins and ends.
fn next(
    matcher: &mut Matcher<'_>,
    from: usize,
    len: usize,
) -> std::result::Result<Option<(usize, usize)>, Wrong> {
    for start in from..=len {
        if let Some(end) = matcher.at(start)? {
            return Ok(Some((start, end)));
        }
    }
    Ok(None)
}

/// Where a walk through a text stands: text, pattern, the next place, and the end of the last match. It is Lua that keeps
/// it: what Rust holds takes of the room for values until garbage is collected.
type Walk = (mlua::String, mlua::String, usize, usize);

/// Makes the function that `string.gmatch` returns.
const WALKER: &str = "
    local next_match = ...
    return function(text, pattern)
        local at = 0
        local function found(next_at, ...)
            at = next_at
            return ...
        end
        return function() return found(next_match(text, pattern, at, 0)) end
    end";

/// `string.gmatch`
fn gmatch(lua: &Lua, meter: &Rc<Meter>) -> Result<Function> {
    let of_script = Rc::clone(meter);
    let next = lua.create_function(move |lua, walk: Walk| next_match(lua, &of_script, walk))?;
    let walker: Function = lua.load(WALKER).set_name(PRELUDE_NAME).call(next)?;
    function(lua, move |lua, args| {
        let (text, pattern) = (string(lua, args, 0, "gmatch")?, string(lua, args, 1, "gmatch")?);
        walker.call::<Function>((text, pattern))
    })
}

/// The place behind the next match, and its captures; behind the text if there is none.
fn next_match(lua: &Lua, meter: &Meter, (text, pattern, at, _): Walk) -> Result<MultiValue> {
    let (text, pattern) = (&text.as_bytes()[..], &pattern.as_bytes()[..]);
    let mut matcher = matcher(meter, text, until_zero(pattern));
    let before = matcher.steps_left;
    let found = next(&mut matcher, at, text.len());
    charge(meter, &matcher, before);
    let place = |at: usize| Value::Number(at as f64);
    match found.map_err(|wrong| failed(lua, meter, wrong))? {
        None => Ok([place(text.len() + 1)].into_iter().collect()),
        Some((start, end)) => {
            let captures = matcher.captures(Some((start, end)));
            let mut values = values_of(lua, text, captures.map_err(|wrong| failed(lua, meter, wrong))?)?;
            values.push_front(place(end + usize::from(end == start)));
            Ok(values)
        }
    }
}

/// What a match becomes by a text with `%1` and its like.
fn put_replacement(
    out: &mut Vec<u8>,
    replacement: &[u8],
    text: &[u8],
    matcher: &Matcher<'_>,
    (start, end): (usize, usize),
) -> std::result::Result<(), Wrong> {
    let mut bytes = replacement.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        match bytes.next().copied().unwrap_or(0) {
            b'0' => out.extend_from_slice(&text[start..end]),
            digit @ b'1'..=b'9' => match matcher.capture(usize::from(digit - b'1'), start, end)? {
                Capture::Text(at, len) => out.extend_from_slice(&text[at..at + len]),
                Capture::Place(at) | Capture::Open(at) => {
                    out.extend_from_slice(itoa::Buffer::new().format(at + 1).as_bytes());
                }
            },
            other => out.push(other),
        }
    }
    Ok(())
}

/// `string.gsub` with a text: what comes of it, and how many were replaced.
fn gsub(lua: &Lua, meter: &Meter, args: &[Value]) -> Result<(mlua::String, f64)> {
    const NAME: &str = "gsub";
    let (text, pattern) = (string(lua, args, 0, NAME)?, string(lua, args, 1, NAME)?);
    let (text, pattern) = (&text.as_bytes()[..], &pattern.as_bytes()[..]);
    let most = integer(lua, args, 3, NAME)?.map_or(text.len() as i64 + 1, |most| i64::from(most as i32));
    if !matches!(args.get(2), Some(Value::String(_) | Value::Integer(_) | Value::Number(_))) {
        return bad_argument(lua, 3, NAME, "string/function/table expected");
    }
    let replacement = string(lua, args, 2, NAME)?;
    let (is_anchored, pattern) = anchored(pattern);
    let mut matcher = matcher(meter, text, pattern);
    let (before, mut out, mut count, mut at) = (matcher.steps_left, Vec::new(), 0i64, 0);
    while count < most {
        let end = matcher.at(at).map_err(|wrong| failed(lua, meter, wrong))?;
        if let Some(end) = end {
            count += 1;
            put_replacement(&mut out, &replacement.as_bytes(), text, &matcher, (at, end))
                .map_err(|wrong| failed(lua, meter, wrong))?;
        }
        if out.len() > SCRIPT_MEMORY_BYTES {
            return Err(too_much());
        }
        match end {
            Some(end) if end > at => at = end,
            _ if at < text.len() => {
                out.push(text[at]);
                at += 1;
            }
            _ => break,
        }
        if is_anchored {
            break;
        }
    }
    charge(meter, &matcher, before);
    out.extend_from_slice(&text[at..]);
    Ok((lua.create_string(out)?, count as f64))
}

/// What `string.gsub` with a function or a table, which the prelude asks, is to walk through, and how often it
/// replaces at most.
fn walk(lua: &Lua, args: &[Value]) -> Result<(mlua::String, mlua::String, f64)> {
    const NAME: &str = "gsub";
    let (text, pattern) = (string(lua, args, 0, NAME)?, string(lua, args, 1, NAME)?);
    let most = integer(lua, args, 3, NAME)?.map_or(f64::INFINITY, |most| f64::from(most as i32));
    let (is_anchored, _) = anchored(&pattern.as_bytes());
    Ok((text, pattern, if is_anchored { most.min(1.0) } else { most }))
}

/// The place behind the next match, its end, what stands before it, the match, and its captures; at the end only what
/// stands before.
fn next_piece(lua: &Lua, meter: &Meter, (text, pattern, from, kept): Walk) -> Result<MultiValue> {
    let (text, pattern) = (&text.as_bytes()[..], &pattern.as_bytes()[..]);
    let (is_anchored, pattern) = anchored(pattern);
    let mut matcher = matcher(meter, text, pattern);
    let before = matcher.steps_left;
    let last = if is_anchored { from } else { text.len() };
    let found = next(&mut matcher, from, last);
    charge(meter, &matcher, before);
    let place = |at: usize| Value::Number(at as f64);
    let piece =
        |from: usize, to: usize| Ok::<_, mlua::Error>(Value::String(lua.create_string(&text[from..to])?));
    let Some((start, end)) = found.map_err(|wrong| failed(lua, meter, wrong))? else {
        let behind = place(text.len() + 1);
        return Ok([behind, place(kept), piece(kept, text.len())?].into_iter().collect());
    };
    let captures = matcher.captures(Some((start, end))).map_err(|wrong| failed(lua, meter, wrong))?;
    let mut values = values_of(lua, text, captures)?;
    for value in [piece(start, end)?, piece(kept, start)?, place(end), place(end + usize::from(end == start))]
    {
        values.push_front(value);
    }
    Ok(values)
}

fn rep(lua: &Lua, meter: &Meter, args: &[Value]) -> Result<mlua::String> {
    let text = string(lua, args, 0, "rep")?;
    let count = signed(number(lua, args, 1, "rep")?) as i32;
    let count = usize::try_from(count).unwrap_or(0);
    let len = text.as_bytes().len().saturating_mul(count);
    if len > SCRIPT_MEMORY_BYTES {
        return Err(too_much());
    }
    meter.charge(len as u64 / SCRIPT_BYTES_PER_INSTRUCTION);
    lua.create_string(if len == 0 { Vec::new() } else { text.as_bytes().repeat(count) })
}
