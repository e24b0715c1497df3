//! A service that lives, fails, falls silent and comes back, seen through `step`.

mod edited;
mod gaps;
mod missed;
mod timeslice;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::engine::alert::{AlertKey, Subject};
use crate::engine::fact::{Facts, GroupFact, SeriesIx, SeriesKey, SlotFact, SlotState, Tier, Trust, What};
use crate::engine::ledger::Keep;
use crate::engine::notice::Event;
use crate::engine::plan::{AliveIx, AliveReading};
use crate::slo::model::{
    Absent, AbsentMeans, AlertMode, Alerting, GroupBy, Overflow, Place, Rule, Severity, SeverityOptions, Sli,
    Slo, SloId,
};
use crate::slo::period::Period;
use crate::slo::query::{Atom, Counting, Linear, Selector, Term};
use crate::slo::time::Step;
use crate::slo::unit::Events;

const S: i64 = 30;
const START: i64 = 1_790_000_100;

fn atom(metric: &str) -> Atom {
    Atom { selector: Selector { metric: metric.into(), matchers: vec![] }, counting: Counting::Counter }
}

fn linear(metric: &str) -> Linear {
    Linear { terms: vec![Term { weight: 1_000_000, atom: atom(metric) }] }
}

fn rule(severity: Severity, rate: &str, long: u32, short: Option<u32>) -> Rule {
    Rule {
        severity,
        burn_rate: rate.parse().unwrap(),
        long: Span::from_mins(long),
        short: short.map(Span::from_mins),
        hold_for: Span::ZERO,
        keep_firing_for: Span::ZERO,
        min_bad_events: Events::whole(3),
        labels: Labels::new(),
    }
}

fn slo(rules: Vec<Rule>) -> Slo {
    Slo {
        id: SloId { service: "checkout".into(), name: "availability".into() },
        description: String::new(),
        labels: Labels::from([("team".into(), "payments".into())]),
        annotations: Labels::from([("runbook".into(), "https://run/checkout".into())]),
        source: None,
        objective: "99.9".parse().unwrap(),
        period: Period::Rolling(Span::from_days(28)),
        sli: Sli::Counted { bad: linear("bad_total"), total: linear("all_total") },
        alive: None,
        absent: Absent {
            means: AbsentMeans::Unknown,
            after: Span::from_mins(10),
            severity: Severity::Ticket,
        },
        group_by: None,
        alerting: Alerting {
            name: "ErrorBudgetBurn".into(),
            mode: AlertMode::Live,
            page: SeverityOptions::default(),
            ticket: SeverityOptions::default(),
            rules,
        },
        place: Place::default(),
    }
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
        let keep = |metric: &str| Keep {
            key: SeriesKey {
                source: "local".into(),
                what: What::Atom(atom(metric)),
                by: by.clone(),
                step: Step::DEFAULT,
            },
            span: Span::from_days(28),
            reach: Span::from_mins(10),
            limit: 100,
            overflow: Overflow::Other,
            cut: None,
        };
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

#[test]
fn it_pages_when_both_windows_exceed_with_the_numbers_and_resolves_when_the_short_one_clears() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    // 14.4 × 0.1 % of an hour of 12,000 events are 173 bad ones.
    assert_eq!(world.tick(100, 100), 0);
    assert_eq!(world.tick(100, 73), 1);
    let fired = world.told[0].clone();
    assert_eq!(fired.event, Event::Firing);
    assert_eq!(fired.alert.labels["severity"], "page");
    assert_eq!(fired.alert.labels["team"], "payments");
    assert_eq!(fired.alert.labels["cluster"], "eu1");
    assert_eq!(fired.alert.annotations["runbook"], "https://run/checkout");
    let evidence = fired.alert.evidence.clone().unwrap();
    assert_eq!(evidence.rules.len(), 1);
    assert!(
        (evidence.rules[0].long.bad - 173.0).abs() < 1e-9
            && (evidence.rules[0].long.total - 12_000.0).abs() < 1e-9
    );
    assert!(evidence.rules[0].long.burn.unwrap() >= 14.4);
    assert!(evidence.budget_remaining.unwrap() < 0.0, "{evidence:?}");
    for _ in 0..9 {
        assert_eq!(world.tick(100, 0), 0);
    }
    // Ten slices later the errors have left the five minutes.
    assert_eq!(world.tick(100, 0) + world.tick(100, 0), 1);
    let resolved = world.told[1].clone();
    assert_eq!((resolved.event, &resolved.incident), (Event::Resolved, &fired.incident));
    assert_eq!(resolved.alert.labels, fired.alert.labels);
    let (a, b) = (fired.notices().next().unwrap(), resolved.notices().next().unwrap());
    assert_ne!(a.id, b.id);
    assert_eq!(a.receiver, "oncall");
    assert!(world.control.iter().next().is_none(), "nothing is kept of a healthy SLO");
}

#[test]
fn one_alert_fires_while_any_rule_does_and_carries_all_that_hold() {
    let rules = vec![rule(Severity::Page, "14.4", 60, Some(5)), rule(Severity::Page, "2", 60, None)];
    let mut world = World::well(rules);
    world.tick(100, 30);
    assert_eq!(world.told.len(), 1, "the slower rule");
    world.tick(100, 100);
    world.tick(100, 100);
    assert_eq!(world.told.len(), 1, "the faster rule joins the same alert");
    for _ in 0..30 {
        world.tick(100, 0);
    }
    assert_eq!(world.told.len(), 1, "the hour still burns");
}

#[test]
fn a_source_that_goes_blind_fires_and_resolves_nothing_but_says_so_once() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.tick(100, 100);
    world.tick(100, 100);
    assert_eq!(world.events(), burn_fired());
    world.observed.blind.insert("local".into(), true);
    for _ in 0..4 {
        world.blind_tick();
    }
    let mut expected = burn_fired();
    expected.push(("SourceBlind".into(), Event::Firing));
    assert_eq!(world.events(), expected);
    assert_eq!(world.told[1].alert.labels["source"], "local");
    world.observed.blind.insert("local".into(), false);
    world.tick(100, 100);
    expected.push(("SourceBlind".into(), Event::Resolved));
    assert_eq!(world.events(), expected);
}

#[test]
fn a_source_blind_for_ten_minutes_pages() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.observed.blind.insert("local".into(), true);
    for _ in 0..21 {
        world.blind_tick();
    }
    let severities: Vec<Severity> = world.told.iter().map(|t| t.alert.severity).collect();
    assert_eq!(severities, [Severity::Ticket, Severity::Page]);
}

#[test]
fn missed_slices_are_stepped_through_but_only_the_net_state_is_told() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    let before = world.control.clone();
    let mut control = before.clone();
    let mut deltas = vec![];
    // While nobody looked: an alert opened and closed, and another has begun.
    let missed: Vec<i64> = [100, 100].into_iter().chain([0; 11]).chain([100, 100]).collect();
    for bad in missed {
        world.tell(SlotState::Known(vec![fact(100)]), SlotState::Known(vec![fact(bad)]));
        let delta = world.look(Ts(world.now), &control);
        control.apply(&delta);
        deltas.push(delta);
    }
    let all: Vec<Event> = deltas.iter().flat_map(|d| &d.transitions).map(|t| t.event).collect();
    assert_eq!(all, [Event::Firing, Event::Resolved, Event::Firing]);
    let folded = net(&before, deltas.clone());
    assert_eq!(folded.transitions.iter().map(|t| t.event).collect::<Vec<_>>(), [Event::Firing]);
    // Up to the moment it had closed: one missed alert, no page.
    let folded = net(&before, deltas[..13].to_vec());
    assert_eq!(folded.transitions.iter().map(|t| t.event).collect::<Vec<_>>(), [Event::Missed]);
    world.commit(folded);
    assert!(world.control.iter().next().is_none());
}

#[test]
fn an_alert_that_ends_and_begins_again_while_nobody_looks_stays_the_incident_people_know() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.tick(100, 100);
    world.tick(100, 100);
    let incident = world.told[0].incident.clone();
    let before = world.control.clone();
    let mut control = before.clone();
    let mut deltas = vec![];
    for bad in [0; 12].into_iter().chain([100, 100]) {
        world.tell(SlotState::Known(vec![fact(100)]), SlotState::Known(vec![fact(bad)]));
        let delta = world.look(Ts(world.now), &control);
        control.apply(&delta);
        deltas.push(delta);
    }
    assert_eq!(world.commit(net(&before, deltas)), 0);
    let firing = world.control.iter().find_map(|(_, s)| s.firing.clone()).unwrap();
    assert_eq!(firing.incident, incident);
}

#[test]
fn nothing_resolves_while_fewer_than_half_of_the_targets_are_up() {
    let mut world = World::new(slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]));
    world.planned.alive = Some(AliveIx(0));
    let up = |world: &mut World, up| world.targets = Some(AliveReading { up, known: 10 });
    up(&mut world, 10);
    for _ in 0..130 {
        world.tick(100, 0);
    }
    world.tick(100, 100);
    world.tick(100, 100);
    assert_eq!(world.events(), burn_fired());
    up(&mut world, 4);
    for _ in 0..20 {
        world.tick(40, 0);
    }
    assert_eq!(world.told.len(), 1, "the sick ones took their errors with them");
    world.targets = None;
    world.tick(40, 0);
    assert_eq!(world.told.len(), 1, "not knowing the targets holds too");
    up(&mut world, 5);
    world.tick(40, 0);
    assert_eq!(world.told.last().unwrap().event, Event::Resolved);
}

#[test]
fn absence_holds_alerts_and_says_so_after_a_while() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.tick(100, 100);
    world.tick(100, 100);
    for _ in 0..20 {
        world.absent_tick();
    }
    assert_eq!(world.events(), burn_fired());
    world.absent_tick();
    assert_eq!(world.told.last().unwrap().alert.labels["alertname"], "SLOAbsent");
    assert_eq!(world.told.last().unwrap().alert.severity, Severity::Ticket);
    world.tick(100, 0);
    assert_eq!(world.told.last().unwrap().event, Event::Resolved);
    assert_eq!(world.told.last().unwrap().alert.labels["alertname"], "SLOAbsent");
}

#[test]
fn a_workload_that_is_up_and_was_never_asked_is_idle() {
    let mut world = World::new(slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]));
    world.planned.alive = Some(AliveIx(0));
    world.targets = Some(AliveReading { up: 2, known: 2 });
    for _ in 0..60 {
        assert_eq!(world.absent_tick(), 0);
    }
}

#[test]
fn one_query_that_fails_alone_is_told_after_five_minutes() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    for _ in 0..10 {
        assert_eq!(world.blind_tick(), 0);
    }
    assert_eq!(world.blind_tick(), 1);
    assert_eq!(world.told[0].alert.labels["alertname"], "SLOUnknown");
    world.tick(100, 0);
    assert_eq!(world.told[1].event, Event::Resolved);
}

#[test]
fn shadow_mode_runs_everything_and_tells_nobody() {
    let mut shadow = slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    shadow.alerting.mode = AlertMode::Shadow;
    let mut world = World::new(shadow);
    for bad in [0; 130].into_iter().chain([100, 100]) {
        world.tick(100, bad);
    }
    assert_eq!(world.told.len(), 1);
    assert_eq!(world.told[0].notices().count(), 0);
}

#[test]
fn an_edited_label_resolves_the_old_label_set_and_fires_the_new_one() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.tick(100, 100);
    world.tick(100, 100);
    let mut edited = (*world.planned.slo).clone();
    edited.labels.insert("team".into(), "checkout".into());
    world.planned.slo = Arc::new(edited);
    assert_eq!(world.tick(100, 100), 2);
    let [first, old, new] = &world.told[..] else { panic!("{:?}", world.events()) };
    assert_eq!(
        (old.event, &old.incident, &old.alert.labels),
        (Event::Resolved, &first.incident, &first.alert.labels)
    );
    assert_eq!((new.event, new.alert.labels["team"].as_str()), (Event::Firing, "checkout"));
    assert_eq!(new.alert.starts_at, first.alert.starts_at);
    assert_eq!(world.tick(100, 100), 0);
}

#[test]
fn a_definition_that_went_resolves_what_was_told() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.tick(100, 100);
    world.tick(100, 100);
    let delta = retire(&BTreeSet::new(), &world.control, Ts(world.now));
    assert_eq!(world.commit(delta), 1);
    assert_eq!(world.told[1].event, Event::Resolved);
    assert_eq!(world.told[1].told, ["oncall"]);
    assert!(world.control.iter().next().is_none());
}

#[test]
fn groups_have_alerts_of_their_own_and_end_with_their_series() {
    let mut grouped = slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    grouped.group_by = Some(GroupBy {
        labels: vec!["route".into()],
        limit: 100,
        on_overflow: Overflow::Other,
        expire_after: Span::from_hours(24),
        objectives: vec![],
    });
    let mut world = World::new(grouped);
    let group = |route: &str, events| GroupFact {
        group: Labels::from([("route".into(), route.into())]),
        ..fact(events)
    };
    for tick in 0..140 {
        let bad = if tick >= 130 { 100 } else { 0 };
        world.tell(
            SlotState::Known(vec![group("/pay", 100), group("/list", 100)]),
            SlotState::Known(vec![group("/pay", bad)]),
        );
        world.decide();
    }
    assert_eq!(world.told.len(), 1);
    assert_eq!(world.told[0].alert.labels["route"], "/pay");
    let Subject::Burn { group: labels, .. } = &world.told[0].key.subject else { panic!() };
    assert_eq!(labels["route"], "/pay");
    world.ledger.expire(Ts(world.now), |_| None);
    // A day later only the other route has series.
    for _ in 0..3 {
        world.now += 43_200 - 43_200 % S;
        world.tell(SlotState::Known(vec![group("/list", 100)]), SlotState::Absent);
    }
    world.ledger.expire(Ts(world.now), |_| Some(Span::from_hours(24)));
    world.decide();
    assert_eq!(world.told.last().unwrap().event, Event::Resolved);
}

#[test]
fn keys_in_control_are_what_the_store_files() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    world.tick(100, 100);
    world.tick(100, 100);
    let mut restored = Control::default();
    for (key, state) in world.control.iter() {
        let body = serde_json::to_string(state).unwrap();
        restored.put(AlertKey::from_text(&key.to_text()).unwrap(), serde_json::from_str(&body).unwrap());
    }
    assert_eq!(restored, world.control);
}
