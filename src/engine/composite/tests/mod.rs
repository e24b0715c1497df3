//! SLOs whose slices are told, and a composite of them.

mod alerts;
mod alone;
mod brute;
mod shared;
mod unknown;

use std::sync::Arc;

use super::*;
use crate::engine::fact::{Facts, SeriesIx, SlotFact, SlotState, Tier};
use crate::engine::plan::find_parts;
use crate::engine::testing;
use crate::engine::view::testing::{Example, group};
use crate::slo::composite::{Combine, Composite, Part};
use crate::slo::model::{Rule, Severity, Sli, Slo, SloId};
use crate::slo::unit::Events;

/// One slice of one SLO.
#[derive(Clone, Debug)]
enum Slice {
    /// All and bad events.
    Counts(i64, i64),
    /// The same by route.
    Routes(Vec<(&'static str, i64, i64)>),
    /// No series exists.
    Absent,
    /// No answer.
    Unknown,
}

use Slice::{Absent, Counts, Routes, Unknown};

/// The SLOs `shop/a`, `shop/b` and so on, and `shop/journey` made of them.
struct World {
    example: Example,
}

/// A part `shop/name` of this weight, written `name`, or `name/route` for one group.
fn part(name: &str, weight: &str) -> Part {
    let (name, route) = name.split_once('/').map_or((name, None), |(name, route)| (name, Some(route)));
    Part {
        slo: SloId { service: "shop".into(), name: name.into() },
        group: route.map(group),
        weight: weight.parse().unwrap(),
    }
}

/// A page that looks over ten and two minutes.
fn rule(rate: &str, least: i64) -> Rule {
    let (long, short) = (Span::from_mins(10), Some(Span::from_mins(2)));
    Rule { min_bad_events: Events::whole(least), ..testing::rule(Severity::Page, rate, long, short) }
}

impl World {
    fn new(names: &[&str], grouped: &[&str], how: Combine, of: Vec<Part>, rules: Vec<Rule>) -> Self {
        let mut example = Example::new(names, grouped);
        let slo = testing::slo("shop", "journey", Sli::Composite(Composite { how, of }), rules);
        let mut planned = example.slos[0].clone();
        planned.id = slo.id.to_string();
        planned.rule_names = slo.alerting.rules.iter().map(Rule::name).collect();
        planned.slo = Arc::new(slo);
        example.slos.push(planned);
        find_parts(&mut example.slos);
        Self { example }
    }

    /// Two ungrouped SLOs.
    fn two(how: Combine, weights: [&str; 2], rules: Vec<Rule>) -> Self {
        Self::new(&["a", "b"], &[], how, vec![part("a", weights[0]), part("b", weights[1])], rules)
    }

    /// Edits an SLO, and finds the parts anew.
    fn edit(&mut self, place: usize, edit: impl FnOnce(&mut Slo)) {
        let mut slo = Slo::clone(&self.example.slos[place].slo);
        edit(&mut slo);
        self.example.slos[place].slo = Arc::new(slo);
        find_parts(&mut self.example.slos);
    }

    /// One slice of each SLO.
    fn slice(&mut self, all: &[Slice]) {
        self.example.now += crate::engine::view::testing::S;
        for (place, slice) in all.iter().enumerate() {
            match slice {
                Counts(total, bad) => self.example.tell(place, &[("", *total, *bad)]),
                Routes(routes) => self.example.tell(place, routes),
                Absent => self.state(place, &SlotState::Absent),
                Unknown => self.state(place, &SlotState::Unknown),
            }
        }
    }

    /// That many of them, each with a decision.
    fn slices(&mut self, count: usize, all: &[Slice]) {
        for _ in 0..count {
            self.slice(all);
            self.example.decide();
        }
    }

    fn state(&mut self, place: usize, state: &SlotState) {
        let first = u32::try_from(place * 2).unwrap();
        for ix in [first, first + 1] {
            let slots = vec![SlotFact { end: Ts(self.example.now), state: state.clone() }];
            self.example.ledger.apply(&Facts { series: SeriesIx(ix), tier: Tier::Fine, slots });
        }
    }

    fn journey(&self) -> &Planned {
        self.example.slos.last().unwrap()
    }

    fn whole(&self) -> Whole<'_> {
        let Example { ledger, observed, now, .. } = &self.example;
        Whole::read(self.journey(), ledger, observed, Ts(*now)).unwrap()
    }

    /// Severities and names of what fires of the composite.
    fn fires(&self) -> Vec<String> {
        let alerts = self.example.control.of_slo("shop/journey").into_iter().flatten();
        let firing = alerts.filter_map(|(_, state)| state.firing.as_ref());
        firing.map(|f| format!("{} {}", f.labels["severity"], f.labels["alertname"])).collect()
    }
}

fn ratio(value: Value) -> f64 {
    match value {
        Value::Ratio(ratio) => ratio,
        other => panic!("{other:?}"),
    }
}
