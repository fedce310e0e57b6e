//! What clients do with values that have elements, some of them waiting for what others bring, and what of it
//! is counted.

use super::objects::{Kind, Object};
use bowline::history::{Action, By, Call, GROUP, Outcome, Typed, Value, What};
use rand::Rng as _;
use rand::rngs::SmallRng;
use std::fmt;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

fn call(object: &Object, at: usize, typed: Typed) -> Call {
    Call { key: object.keys[at].clone(), what: What::Typed(typed) }
}

fn by(rng: &mut SmallRng) -> By {
    [By::Try, By::Wait, By::Wait, By::Script][rng.random_range(0..4)]
}

/// What somebody does next; `begun` is another one for each operation on the object.
pub fn action(rng: &mut SmallRng, object: &Object, begun: usize) -> Action {
    let element: Box<str> = format!("{begun}").into();
    let dice = rng.random_range(0..12);
    Action::One(match object.kind {
        Kind::Lists => return lists(rng, object, begun),
        Kind::Queue => match dice {
            0..4 => call(object, 0, Typed::Push(vec![element.clone(), format!("{element}'").into()])),
            4..7 => call(object, 0, Typed::Move { to: object.keys[1].clone(), by: by(rng) }),
            7..10 => call(object, 1, Typed::Pop(by(rng))),
            10 => call(object, rng.random_range(0..2), Typed::Range),
            _ => return all(object),
        },
        Kind::Set => match dice {
            0..5 => call(object, 0, Typed::Add(vec![element])),
            5..9 => call(object, 0, Typed::Draw),
            _ => call(object, 0, Typed::Members),
        },
        Kind::Scores => match dice {
            0..5 => call(object, 0, Typed::Rank { score: rng.random_range(-20..20), element }),
            5..9 => call(object, 0, Typed::PopLeast(by(rng))),
            _ => call(object, 0, Typed::Ranked),
        },
        Kind::Stream => return stream(rng, object, dice, element),
        _ => return fields(rng, object, dice),
    })
}

/// All keys, at one moment.
fn all(object: &Object) -> Action {
    Action::Transaction((0..object.keys.len()).map(|at| call(object, at, Typed::Range)).collect())
}

fn lists(rng: &mut SmallRng, object: &Object, begun: usize) -> Action {
    let push = |at: usize, part: usize| call(object, at, Typed::Push(vec![format!("{begun}.{part}").into()]));
    let (first, second) = (rng.random_range(0..3), rng.random_range(0..3));
    match rng.random_range(0..10) {
        0..3 => Action::One(push(first, 0)),
        3..5 => Action::One(call(object, first, Typed::Range)),
        5 => all(object),
        6 => Action::Transaction(vec![push(first, 0), push(second, 1)]),
        7 => Action::Transaction(vec![call(object, second, Typed::Range), push(first, 0)]),
        _ => Action::Transaction(vec![push(first, 0), call(object, second, Typed::Range), push(second, 1)]),
    }
}

fn fields(rng: &mut SmallRng, object: &Object, dice: usize) -> Action {
    let increment = |at: usize, by: i64| Call { key: object.keys[at].clone(), what: What::IncrBy(by) };
    match dice {
        0..4 => Action::One(Call { key: object.keys[dice % 2].clone(), what: What::Get }),
        4..9 => Action::One(increment(dice % 2, rng.random_range(1..4))),
        _ => Action::Transaction(vec![increment(0, 1), increment(1, -1)]),
    }
}

fn stream(rng: &mut SmallRng, object: &Object, dice: usize, element: Box<str>) -> Action {
    let consumer = rng.random_range(1..4);
    let handed_out = object.handed_out.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let typed = match (dice, handed_out) {
        (0..4, _) => Typed::Log(element),
        (4..7, _) => {
            let how = if rng.random() { By::Wait } else { By::Try };
            Typed::Deliver { consumer, count: rng.random_range(1..4), by: how }
        }
        (7..10, Some(id)) => Typed::Ack(id),
        (7..11, _) => Typed::Claim { consumer, count: 3 },
        _ => [Typed::Logged, Typed::Pending][rng.random_range(0..2)].clone(),
    };
    Action::One(call(object, 0, typed))
}

/// Entries that were handed out are for whoever comes next to acknowledge.
pub fn learn(object: &Object, action: &Action, told: Option<&Value>) {
    let (Action::One(call), Some(Value::Array(parts))) = (action, told) else { return };
    let entries = match (&call.what, parts.as_slice()) {
        (What::Typed(Typed::Deliver { .. }), [Value::Array(of_key)]) => of_key.get(1),
        (What::Typed(Typed::Claim { .. }), [_, entries, ..]) => Some(entries),
        _ => None,
    };
    let Some(Value::Array(entries)) = entries else { return };
    let id = |entry: &Value| match entry {
        Value::Array(parts) => match parts.first() {
            Some(Value::Text(id)) => Some(id.clone()),
            _ => None,
        },
        _ => None,
    };
    let mut handed_out = object.handed_out.lock().unwrap_or_else(PoisonError::into_inner);
    handed_out.extend(entries.iter().filter_map(id));
}

/// The request that gives a stream its group.
pub fn make_group(object: &Object) -> Vec<String> {
    ["XGROUP", "CREATE", object.key(), GROUP, "0", "MKSTREAM"].map(str::to_owned).into()
}

/// Operations on values that have elements.
#[derive(Default)]
pub struct Counts {
    all: AtomicU64,
    amid_faults: AtomicU64,
    unknown: AtomicU64,
    scripts: AtomicU64,
    /// Of those who would wait: who got something, and who waited in vain.
    served: AtomicU64,
    in_vain: AtomicU64,
}

impl Counts {
    pub fn count(&self, kind: Kind, action: &Action, outcome: &Outcome, amid_faults: bool) {
        if !kind.is_typed() && kind != Kind::Fields {
            return;
        }
        let add = |count: &AtomicU64, holds: bool| count.fetch_add(u64::from(holds), Ordering::Relaxed);
        add(&self.all, true);
        add(&self.amid_faults, amid_faults);
        add(&self.unknown, *outcome == Outcome::Unknown);
        let how = match action {
            Action::One(Call { what: What::Typed(typed), .. }) => typed.by(),
            _ => None,
        };
        add(&self.scripts, how == Some(By::Script));
        let is_known = matches!(outcome, Outcome::Ok(_)) && how == Some(By::Wait);
        add(&self.served, is_known && *outcome != Outcome::Ok(Value::Nil));
        add(&self.in_vain, is_known && *outcome == Outcome::Ok(Value::Nil));
    }

    /// Whether everything happened that was to happen.
    pub fn has_all(&self) -> bool {
        let counts = [&self.amid_faults, &self.scripts, &self.served, &self.in_vain];
        counts.iter().all(|count| count.load(Ordering::Relaxed) > 0)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts =
            [&self.all, &self.amid_faults, &self.unknown, &self.scripts, &self.served, &self.in_vain];
        let [all, amid, unknown, scripts, served, in_vain] =
            counts.map(|count| count.load(Ordering::Relaxed));
        write!(
            f,
            "{all} on values that have elements, {amid} amid faults, {unknown} of unknown outcome, {scripts} scripts; \
             who waited was served {served} times, and {in_vain} times in vain"
        )
    }
}
