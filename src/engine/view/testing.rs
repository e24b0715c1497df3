//! A small world for tests: SLOs, and a ledger that was told what happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Look;
use crate::engine::fact::{Facts, GroupFact, SeriesIx, SlotFact, SlotState, Tier, Trust, What};
use crate::engine::ledger::{Keep, Ledger};
use crate::engine::plan::Planned;
use crate::engine::step::{Control, Inputs, Observed, step, step_sources};
use crate::engine::testing::{atom, group_by, keep, linear, rule, slo};
use crate::slo::model::{Labels, Rule, Severity, Sli, Slo};
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// Length of a slice, in seconds.
pub(crate) const S: i64 = 30;
/// A full hour.
pub(crate) const START: i64 = 1_790_002_800;

/// SLOs of one source, told slice by slice.
pub(crate) struct Example {
    pub(crate) slos: Vec<Planned>,
    pub(crate) ledger: Ledger,
    pub(crate) control: Control,
    pub(crate) observed: Observed,
    pub(crate) external: Labels,
    pub(crate) now: i64,
}

impl Example {
    /// The SLOs `shop/NAME`; those in `grouped` by `route`.
    pub(crate) fn new(names: &[&str], grouped: &[&str]) -> Self {
        let slos: Vec<Planned> =
            (0u32..).zip(names).map(|(i, name)| planned(name, grouped.contains(name), i * 2)).collect();
        let mut ledger = Ledger::default();
        ledger.adopt(slos.iter().flat_map(|p| [kept(p, "all"), kept(p, "bad")]).collect());
        let observed = Observed { blind: BTreeMap::from([("local".into(), false)]), ..Observed::default() };
        let external = Labels::from([("cluster".into(), "eu1".into())]);
        Self { slos, ledger, control: Control::default(), observed, external, now: START }
    }

    /// An ungrouped SLO that has been well for this many slices.
    pub(crate) fn well(slices: u32) -> Self {
        let mut example = Self::new(&["availability"], &[]);
        for _ in 0..slices {
            example.tick(100, 0);
        }
        example
    }

    /// One slice in which every ungrouped SLO has these events; then a decision.
    pub(crate) fn tick(&mut self, total: i64, bad: i64) {
        self.now += S;
        for ix in 0..self.slos.len() {
            self.tell(ix, &[("", total, bad)]);
        }
        self.decide();
    }

    /// Tells one SLO the slice that ends now: `(route, total, bad)` per group.
    pub(crate) fn tell(&mut self, slo: usize, groups: &[(&str, i64, i64)]) {
        let fact = |route: &str, events| GroupFact {
            group: group(route),
            raw: Events::whole(events),
            withheld: Events::ZERO,
            trust: Trust::Counted,
        };
        let total = groups.iter().map(|(route, total, _)| fact(route, *total)).collect();
        let bad = groups.iter().map(|(route, _, bad)| fact(route, *bad)).collect();
        let first = u32::try_from(slo * 2).unwrap();
        for (ix, facts) in [(first, total), (first + 1, bad)] {
            let slots = vec![SlotFact { end: Ts(self.now), state: SlotState::Known(facts) }];
            self.ledger.apply(&Facts { series: SeriesIx(ix), tier: Tier::Fine, slots });
        }
    }

    /// What `step` decides now.
    pub(crate) fn decide(&mut self) {
        let receivers = ["oncall".to_owned()];
        let inputs = Inputs {
            at: Ts(self.now),
            step: Span::from_secs(30),
            observed: &self.observed,
            external: &self.external,
            receivers: &receivers,
            shadow: crate::engine::recipient::Shadow::default(),
        };
        let mut delta = step(&self.slos, &self.ledger, &self.control, &inputs);
        delta.extend(step_sources(&self.control, &inputs));
        self.control.apply(&delta);
    }

    pub(crate) fn look(&self) -> Look<'_> {
        Look {
            ledger: &self.ledger,
            control: &self.control,
            observed: &self.observed,
            external: &self.external,
            at: Ts(self.now),
        }
    }
}

/// The labels of a group; none for the empty route.
pub(crate) fn group(route: &str) -> Labels {
    if route.is_empty() { Labels::new() } else { Labels::from([("route".into(), route.into())]) }
}

fn metric(name: &str, what: &str) -> String {
    format!("{name}_{what}_total")
}

fn planned(name: &str, grouped: bool, first: u32) -> Planned {
    let (page, ticket) = (Severity::Page, Severity::Ticket);
    let rules = vec![
        rule(page, "13.44", Span::from_hours(1), Some(Span::from_mins(5))),
        Rule {
            hold_for: Span::from_mins(10),
            ..rule(ticket, "1", Span::from_hours(6), Some(Span::from_mins(30)))
        },
    ];
    let linear = |what| linear(&metric(name, what));
    let slo = Slo {
        description: "Requests answered without a server error.".into(),
        group_by: grouped.then(|| group_by(&["route"])),
        ..slo("shop", name, Sli::Counted { bad: linear("bad"), total: linear("all") }, rules)
    };
    Planned {
        id: slo.id.to_string(),
        source: "local".into(),
        total: vec![(1_000_000, SeriesIx(first))],
        bad: vec![(1_000_000, SeriesIx(first + 1))],
        alive: None,
        direct: vec![],
        parts: None,
        rule_names: slo.alerting.rules.iter().map(Rule::name).collect(),
        slo: Arc::new(slo),
    }
}

fn kept(planned: &Planned, what: &str) -> Keep {
    let by: Vec<String> = planned.slo.group_by.iter().flat_map(|by| by.labels.clone()).collect();
    keep(What::Atom(atom(&metric(&planned.slo.id.name, what))), &by)
}
