//! What a client does next, and for how long: by the weights of the configuration, on its own keys.

use super::client::{Client, End};
use super::keys::Family;
use super::plan::KeyChoice;
use super::record::Kind;
use super::shared::Phase;
use super::values;
use crate::history::{Call, Value, What};

impl Client {
    /// Works until the run ends.
    pub async fn run(mut self) {
        while self.shared.phase() == Phase::Running {
            let kind = self.choose_kind();
            let sleep_ms = match self.one(kind).await {
                End::Done(_) => self.plan.success_sleep_ms,
                End::Failed => self.plan.error_sleep_ms,
                End::Cancelled => return,
            };
            if sleep_ms > 0 && !self.shared.pause(sleep_ms, Phase::Ending).await {
                return;
            }
        }
    }

    async fn one(&mut self, kind: Kind) -> End {
        let place = self.choose_place();
        if kind == Kind::Get {
            let families = self.shared.keys.borrow().families().to_vec();
            let family = families[self.dice.below(families.len())];
            let key = self.shared.keys.borrow().current(place, family);
            let what = if family == Family::Value { self.read_value() } else { What::Get };
            return self.read(&key, what).await;
        }
        let key = self.shared.keys.borrow_mut().for_write(place, Family::of(kind));
        let what = match kind {
            Kind::Cas => return self.compare_and_set(key).await,
            Kind::Set => What::Set(self.fresh_tag()),
            Kind::Append => {
                self.number += 1;
                What::Append(values::token(self.id, self.number).into())
            }
            Kind::Incr => What::IncrBy(1),
            Kind::Del | Kind::Get => What::Del,
        };
        let end = self.write(kind, Call { key: key.clone(), what }).await;
        if let End::Done(value) = &end {
            match (kind, value) {
                (Kind::Set, _) => self.log(&key, format_args!("SET")),
                (Kind::Append, Value::Int(len)) => self.log(&key, format_args!("APPEND length {len}")),
                (Kind::Incr, Value::Int(count)) => self.log(&key, format_args!("INCR {count}")),
                (Kind::Del, Value::Int(removed)) => self.log(&key, format_args!("DEL {removed}")),
                (_, value) => self.log(&key, format_args!("{kind} {value:?}")),
            }
        }
        end
    }

    fn choose_kind(&mut self) -> Kind {
        let mix = &self.shared.setting.workload.mix;
        let all: usize = Kind::ALL.iter().map(|kind| mix.weight(*kind) as usize).sum();
        let mut throw = self.dice.below(all);
        for kind in Kind::ALL {
            let weight = mix.weight(kind) as usize;
            if throw < weight {
                return kind;
            }
            throw -= weight;
        }
        Kind::Get
    }

    fn choose_place(&mut self) -> usize {
        let workload = &self.shared.setting.workload;
        let len = self.places.len();
        let hot = (len as f64 * workload.hot_keys_percent / 100.0).ceil().max(1.0) as usize;
        let chosen = match workload.key_choice {
            KeyChoice::HotCold if hot < len => match self.dice.happens(workload.hot_operations_percent) {
                true => self.dice.below(hot),
                false => hot + self.dice.below(len - hot),
            },
            KeyChoice::HotCold | KeyChoice::Uniform => self.dice.below(len),
        };
        self.places[chosen]
    }

    /// The tag of a value that there has never been.
    pub(super) fn fresh_tag(&mut self) -> Box<str> {
        self.number += 1;
        let workload = &self.shared.setting.workload;
        let (least, most) = (workload.value_bytes, workload.value_bytes_max.unwrap_or(workload.value_bytes));
        let size_bytes = least + self.dice.below(most - least + 1);
        values::tag(&self.plan.name, self.number, size_bytes).into()
    }
}
