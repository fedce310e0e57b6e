//! What a search looks for, and how its outcome is wanted. Mistakes are found in Redis's order.

use super::areas::Shape;
use super::hash::{self, Place};
use super::{place, unit_m};
use crate::command::parse::{SYNTAX, integer, is};
use crate::command::{Reply, double};
use crate::keyspace::SortedSet;

/// Which of the commands it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `GEORADIUS`, and whether it may store.
    Radius {
        stores: bool,
    },
    /// The same around a member.
    RadiusByMember {
        stores: bool,
    },
    Search,
    SearchStore,
}

impl Form {
    fn searches(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }

    fn may_name_target(self) -> bool {
        matches!(self, Self::Radius { stores: true } | Self::RadiusByMember { stores: true })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    None,
    Ascending,
    Descending,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) middle: Option<Place>,
    pub(super) shape: Option<Shape>,
    pub(super) unit_m: f64,
    pub(super) order: Order,
    /// 0: all.
    pub(super) count: usize,
    pub(super) any: bool,
    pub(super) with_distance: bool,
    pub(super) with_hash: bool,
    pub(super) with_place: bool,
    pub(super) target: Option<&'a [u8]>,
    pub(super) stores_distance: bool,
    from_member: bool,
    from_place: bool,
}

fn number(arg: &[u8], error: &'static str) -> Result<f64, Reply> {
    double::score(arg).ok_or(Reply::error(error))
}

fn place_of(set: &SortedSet, member: &[u8]) -> Result<Place, Reply> {
    let score = set.score(member).ok_or(Reply::error("ERR could not decode requested zset member"))?;
    Ok(hash::place(score))
}

impl<'a> Wanted<'a> {
    /// Of a whole call, whose source holds `set`.
    pub(super) fn read(args: &[&'a [u8]], form: Form, set: Option<&SortedSet>) -> Result<Self, Reply> {
        let mut wanted = Self {
            middle: None,
            shape: None,
            unit_m: 1.0,
            order: Order::None,
            count: 0,
            any: false,
            with_distance: false,
            with_hash: false,
            with_place: false,
            target: None,
            stores_distance: false,
            from_member: false,
            from_place: false,
        };
        let options = match form {
            Form::Radius { .. } => {
                wanted.middle = Some(place(&args[2..])?);
                wanted.circle(&args[4..])?;
                &args[6..]
            }
            Form::RadiusByMember { .. } => {
                if let Some(set) = set {
                    wanted.middle = Some(place_of(set, args[2])?);
                    wanted.circle(&args[3..])?;
                }
                &args[5..]
            }
            Form::Search => &args[2..],
            Form::SearchStore => {
                wanted.target = Some(args[1]);
                &args[3..]
            }
        };
        let mut rest = options;
        while let [option, tail @ ..] = rest {
            let taken =
                wanted.take_plain(option, tail, form)?.or(wanted.take_search(option, tail, form, set)?);
            rest = &tail[taken.ok_or(SYNTAX)?..];
        }
        wanted.check(args[0], form)?;
        Ok(wanted)
    }

    fn circle(&mut self, args: &[&[u8]]) -> Result<(), Reply> {
        let radius = number(args[0], "ERR need numeric radius")?;
        if radius < 0.0 {
            return Err(Reply::error("ERR radius cannot be negative"));
        }
        self.unit_m = unit_m(args[1])?;
        self.shape = Some(Shape::Circle { radius_m: radius * self.unit_m });
        Ok(())
    }

    fn rectangle(&mut self, args: &[&[u8]]) -> Result<(), Reply> {
        let width = number(args[0], "ERR need numeric width")?;
        let height = number(args[1], "ERR need numeric height")?;
        if width < 0.0 || height < 0.0 {
            return Err(Reply::error("ERR height or width cannot be negative"));
        }
        self.unit_m = unit_m(args[2])?;
        self.shape = Some(Shape::Box { width_m: width * self.unit_m, height_m: height * self.unit_m });
        Ok(())
    }

    /// How the outcome is wanted. How many arguments behind the option were taken; None: it is no such option.
    fn take_plain(&mut self, option: &[u8], tail: &[&'a [u8]], form: Form) -> Result<Option<usize>, Reply> {
        let names_target = form.may_name_target() && !tail.is_empty();
        match () {
            () if is(option, "WITHDIST") => self.with_distance = true,
            () if is(option, "WITHHASH") => self.with_hash = true,
            () if is(option, "WITHCOORD") => self.with_place = true,
            () if is(option, "ANY") => self.any = true,
            () if is(option, "ASC") => self.order = Order::Ascending,
            () if is(option, "DESC") => self.order = Order::Descending,
            () if is(option, "COUNT") && !tail.is_empty() => {
                let count = usize::try_from(integer(tail[0])?).ok().filter(|&count| count > 0);
                self.count = count.ok_or(Reply::error("ERR COUNT must be > 0"))?;
                return Ok(Some(1));
            }
            () if names_target && (is(option, "STORE") || is(option, "STOREDIST")) => {
                self.target = Some(tail[0]);
                self.stores_distance = is(option, "STOREDIST");
                return Ok(Some(1));
            }
            () if form == Form::SearchStore && is(option, "STOREDIST") => self.stores_distance = true,
            () => return Ok(None),
        }
        Ok(Some(0))
    }

    /// Where to look.
    fn take_search(
        &mut self,
        option: &[u8],
        tail: &[&'a [u8]],
        form: Form,
        set: Option<&SortedSet>,
    ) -> Result<Option<usize>, Reply> {
        if !form.searches() {
            return Ok(None);
        }
        let is_box = matches!(self.shape, Some(Shape::Box { .. }));
        let is_circle = matches!(self.shape, Some(Shape::Circle { .. }));
        match tail {
            [member, ..] if is(option, "FROMMEMBER") && !self.from_place => {
                if let Some(set) = set {
                    self.middle = Some(place_of(set, member)?);
                }
                self.from_member = true;
                Ok(Some(1))
            }
            [_, _, ..] if is(option, "FROMLONLAT") && !self.from_member => {
                self.middle = Some(place(tail)?);
                self.from_place = true;
                Ok(Some(2))
            }
            [_, _, ..] if is(option, "BYRADIUS") && !is_box => self.circle(tail).map(|()| Some(2)),
            [_, _, _, ..] if is(option, "BYBOX") && !is_circle => self.rectangle(tail).map(|()| Some(3)),
            _ => Ok(None),
        }
    }

    fn check(&self, name: &[u8], form: Form) -> Result<(), Reply> {
        let named = |text: &str| {
            Err(Reply::error_owned(format!(
                "ERR exactly one of {text} can be specified for {}",
                crate::command::parse::shown(name)
            )))
        };
        if self.target.is_some() && (self.with_distance || self.with_hash || self.with_place) {
            let what = if form == Form::SearchStore { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            let text = format!("ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
            return Err(Reply::error_owned(text));
        }
        if form.searches() && !self.from_member && !self.from_place {
            return named("FROMMEMBER or FROMLONLAT");
        }
        if form.searches() && self.shape.is_none() {
            return named("BYRADIUS and BYBOX");
        }
        if self.any && self.count == 0 {
            return Err(Reply::error("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }
}
