//! A service that lives, fails, falls silent and comes back, seen through `step`.

mod absence;
mod edited;
mod gaps;
mod life;
mod missed;
mod net;
mod timeslice;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::engine::alert::{AlertKey, Subject};
use crate::engine::fact::{Facts, GroupFact, SeriesIx, SlotFact, SlotState, Tier, Trust, What};
use crate::engine::ledger::{Expiry, Keep};
use crate::engine::notice::Event;
use crate::engine::plan::{AliveIx, AliveReading};
use crate::engine::testing::{self, atom, group_by, keep, linear};
use crate::slo::model::{AlertMode, Rule, Severity, Sli, Slo};
use crate::slo::unit::Events;

const S: i64 = 30;
const START: i64 = 1_790_000_100;

fn rule(severity: Severity, rate: &str, long: u32, short: Option<u32>) -> Rule {
    testing::rule(severity, rate, Span::from_mins(long), short.map(Span::from_mins))
}

fn slo(rules: Vec<Rule>) -> Slo {
    let sli = Sli::Counted { bad: linear("bad_total"), total: linear("all_total") };
    let annotations = Labels::from([("runbook".into(), "https://run/checkout".into())]);
    Slo { annotations, ..testing::slo("checkout", "availability", sli, rules) }
}

struct World {
    planned: Planned,
    ledger: Ledger,
    control: Control,
    observed: Observed,
    /// What the alive selector says; read in every tick.
    targets: Option<AliveReading>,
    receivers: Vec<String>,
    now: i64,
    told: Vec<Transition>,
}

impl World {
    fn new(slo: Slo) -> Self {
        let by: Vec<String> = slo.group_by.iter().flat_map(|g| g.labels.clone()).collect();
        let keep = |metric: &str| keep(What::Atom(atom(metric)), &by);
        let mut ledger = Ledger::default();
        ledger.adopt(vec![keep("all_total"), keep("bad_total")]);
        let rule_names = slo.alerting.rules.iter().map(Rule::name).collect();
        let planned = Planned {
            id: slo.id.to_string(),
            slo: Arc::new(slo),
            source: "local".into(),
            total: vec![(1_000_000, SeriesIx(0))],
            bad: vec![(1_000_000, SeriesIx(1))],
            alive: None,
            direct: vec![],
            rule_names,
        };
        let observed = Observed { blind: BTreeMap::from([("local".into(), false)]), ..Observed::default() };
        Self {
            planned,
            ledger,
            control: Control::default(),
            observed,
            targets: None,
            receivers: vec!["oncall".into()],
            now: START,
            told: vec![],
        }
    }

    /// A service that has been well for an hour.
    fn well(rules: Vec<Rule>) -> Self {
        let mut world = Self::new(slo(rules));
        for _ in 0..130 {
            world.tick(100, 0);
        }
        assert!(world.told.is_empty());
        world
    }

    fn tick(&mut self, total: i64, bad: i64) -> usize {
        self.tell(SlotState::Known(vec![fact(total)]), SlotState::Known(vec![fact(bad)]));
        self.decide()
    }

    fn blind_tick(&mut self) -> usize {
        self.tell(SlotState::Unknown, SlotState::Unknown);
        self.decide()
    }

    fn absent_tick(&mut self) -> usize {
        self.tell(SlotState::Absent, SlotState::Absent);
        self.decide()
    }

    fn tell(&mut self, total: SlotState, bad: SlotState) {
        self.now += S;
        if let Some(alive) = self.planned.alive {
            self.observed.saw(alive, Ts(self.now), self.targets);
        }
        for (ix, state) in [(0, total), (1, bad)] {
            let slots = vec![SlotFact { end: Ts(self.now), state }];
            self.ledger.apply(&Facts { series: SeriesIx(ix), tier: Tier::Fine, slots });
        }
    }

    fn look(&self, at: Ts, control: &Control) -> Delta {
        self.with_inputs(at, |inputs| {
            let mut delta = step([&self.planned], &self.ledger, control, inputs);
            delta.extend(step_sources(control, inputs));
            delta
        })
    }

    /// As at a moment that was missed.
    fn look_back(&self, at: Ts, control: &Control) -> Delta {
        self.with_inputs(at, |inputs| step_missed([&self.planned], &self.ledger, control, inputs))
    }

    /// A tick in which the SLO's own queries are not answered.
    fn unanswered_tick(&mut self) -> usize {
        self.now += S;
        let delta = self.with_inputs(Ts(self.now), |inputs| {
            let mut delta = step_sources(&self.control, inputs);
            delta.extend(step_unanswered(&self.planned, &self.control, inputs));
            delta
        });
        self.commit(delta)
    }

    fn with_inputs(&self, at: Ts, decide: impl Fn(&Inputs<'_>) -> Delta) -> Delta {
        let external = Labels::from([("cluster".into(), "eu1".into())]);
        decide(&Inputs {
            at,
            step: Span::from_secs(30),
            observed: &self.observed,
            external: &external,
            receivers: &self.receivers,
        })
    }

    fn decide(&mut self) -> usize {
        let delta = self.look(Ts(self.now), &self.control);
        self.commit(delta)
    }

    fn commit(&mut self, delta: Delta) -> usize {
        self.control.apply(&delta);
        let count = delta.transitions.len();
        self.told.extend(delta.transitions);
        count
    }

    fn events(&self) -> Vec<(String, Event)> {
        self.told.iter().map(|t| (t.alert.labels["alertname"].clone(), t.event)).collect()
    }
}

fn fact(events: i64) -> GroupFact {
    GroupFact {
        group: Labels::new(),
        raw: Events::whole(events),
        withheld: Events::ZERO,
        trust: Trust::Counted,
    }
}

fn burn_fired() -> Vec<(String, Event)> {
    vec![("ErrorBudgetBurn".into(), Event::Firing)]
}
