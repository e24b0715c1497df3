//! A small world for tests: SLOs, and a ledger that was told what happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Look;
use crate::engine::fact::{Facts, GroupFact, SeriesIx, SeriesKey, SlotFact, SlotState, Tier, Trust, What};
use crate::engine::ledger::{Keep, Ledger};
use crate::engine::plan::Planned;
use crate::engine::step::{Control, Inputs, Observed, step, step_sources};
use crate::slo::model::{
    Absent, AbsentMeans, AlertMode, Alerting, GroupBy, Labels, Overflow, Place, Rule, Severity,
    SeverityOptions, Sli, Slo, SloId,
};
use crate::slo::period::Period;
use crate::slo::query::{Atom, Counting, Linear, Selector, Term};
use crate::slo::time::{Span, Step, Ts};
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
        ledger.adopt(slos.iter().flat_map(|p| [keep(p, "all"), keep(p, "bad")]).collect());
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

fn atom(name: &str, what: &str) -> Atom {
    let selector = Selector { metric: format!("{name}_{what}_total"), matchers: vec![] };
    Atom { selector, counting: Counting::Counter }
}

fn linear(name: &str, what: &str) -> Linear {
    Linear { terms: vec![Term { weight: 1_000_000, atom: atom(name, what) }] }
}

fn rule(severity: Severity, rate: &str, long: Span, short: Span) -> Rule {
    Rule {
        severity,
        burn_rate: rate.parse().unwrap(),
        long,
        short: Some(short),
        hold_for: if severity == Severity::Page { Span::ZERO } else { Span::from_mins(10) },
        keep_firing_for: Span::ZERO,
        min_bad_events: Events::whole(3),
        labels: Labels::new(),
    }
}

fn planned(name: &str, grouped: bool, first: u32) -> Planned {
    let rules = vec![
        rule(Severity::Page, "13.44", Span::from_hours(1), Span::from_mins(5)),
        rule(Severity::Ticket, "1", Span::from_hours(6), Span::from_mins(30)),
    ];
    let id = SloId { service: "shop".into(), name: name.into() };
    Planned {
        id: id.to_string(),
        source: "local".into(),
        total: vec![(1_000_000, SeriesIx(first))],
        bad: vec![(1_000_000, SeriesIx(first + 1))],
        alive: None,
        direct: vec![],
        rule_names: rules.iter().map(Rule::name).collect(),
        slo: Arc::new(Slo {
            id,
            description: "Requests answered without a server error.".into(),
            labels: Labels::from([("team".into(), "payments".into())]),
            annotations: Labels::new(),
            source: None,
            objective: "99.9".parse().unwrap(),
            period: Period::Rolling(Span::from_days(28)),
            sli: Sli::Counted { bad: linear(name, "bad"), total: linear(name, "all") },
            alive: None,
            absent: Absent {
                means: AbsentMeans::Unknown,
                after: Span::from_mins(10),
                severity: Severity::Ticket,
            },
            group_by: grouped.then(|| GroupBy {
                labels: vec!["route".into()],
                limit: 500,
                on_overflow: Overflow::Other,
                expire_after: Span::from_hours(24),
                objectives: vec![],
            }),
            alerting: Alerting {
                name: "ErrorBudgetBurn".into(),
                mode: AlertMode::Live,
                page: SeverityOptions::default(),
                ticket: SeverityOptions::default(),
                rules,
            },
            place: Place::default(),
        }),
    }
}

fn keep(planned: &Planned, what: &str) -> Keep {
    let by = planned.slo.group_by.iter().flat_map(|by| by.labels.clone()).collect();
    let atom = atom(&planned.slo.id.name, what);
    let key = SeriesKey { source: "local".into(), what: What::Atom(atom), by, step: Step::DEFAULT };
    Keep {
        key,
        span: Span::from_days(28),
        reach: Span::from_mins(10),
        limit: 500,
        overflow: Overflow::Other,
        follows: Vec::new(),
        cuts: Vec::new(),
    }
}
