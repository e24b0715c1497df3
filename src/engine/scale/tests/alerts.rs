//! What people are told of a policy.

use super::*;
use crate::engine::notice::Event;
use crate::engine::scale::Version;
use crate::engine::step::{Control, Inputs, Observed as Seen, Scaled, step_scaling};
use crate::slo::model::Severity;

/// A case whose alerts are followed.
struct Told {
    case: Case,
    seen: Seen,
    control: Control,
    told: Vec<(String, Severity, Event, String)>,
}

impl Told {
    fn of(case: Case) -> Self {
        Self { case, seen: Seen::default(), control: Control::default(), told: Vec::new() }
    }

    /// One decision and its alerts; what was told anew.
    fn decide(&mut self) -> Vec<(String, Severity, Event)> {
        let decision = self.case.decide();
        let pages = self.case.observed.burns.iter().any(|burn| burn.pages);
        let (policy, state) = (self.case.policy.clone(), self.case.state.clone());
        self.step(&[Scaled { policy: &policy, state: &state, decision: &decision, pages }])
    }

    fn step(&mut self, all: &[Scaled<'_>]) -> Vec<(String, Severity, Event)> {
        let (external, receivers) = (Labels::new(), ["oncall".to_owned()]);
        let inputs = Inputs {
            at: self.case.now,
            step: STEP,
            observed: &self.seen,
            external: &external,
            receivers: &receivers,
            shadow: crate::engine::recipient::Shadow::default(),
        };
        let delta = step_scaling(all, &[], None, &self.control, &inputs);
        self.control.apply(&delta);
        let told = delta.transitions.iter().map(|transition| {
            let labels = &transition.alert.labels;
            assert_eq!(labels.get("policy").map(String::as_str), Some("checkout"));
            let summary = transition.alert.annotations.get("summary").cloned().unwrap_or_default();
            (labels["alertname"].clone(), transition.key.severity, transition.event, summary)
        });
        let told: Vec<_> = told.collect();
        self.told.extend(told.iter().cloned());
        self.case.now = self.case.now.plus(STEP);
        told.into_iter().map(|(name, severity, event, _)| (name, severity, event)).collect()
    }
}

fn ticket(name: &str, event: Event) -> (String, Severity, Event) {
    (name.to_owned(), Severity::Ticket, event)
}

#[test]
fn what_was_added_is_told_and_its_return_too() {
    let mut told = Told::of(Case::of(2.0, 0.72));
    assert_eq!(told.decide(), [], "decided, and not there yet");
    assert_eq!(told.decide(), [ticket("ReplicasAdded", Event::Firing)]);
    assert!(told.told[0].3.contains("add 2"), "{:?}", told.told);
    told.case.burns(0.1);
    told.case.observed.saturation = Finite::new(0.2);
    let mut last = Vec::new();
    for _ in 0..40 {
        last.extend(told.decide());
    }
    assert_eq!(last, [ticket("ReplicasAdded", Event::Resolved)]);
}

#[test]
fn a_dry_run_tells_nobody() {
    let mut told = Told::of(Case::of(2.0, 0.72));
    told.case.policy.mode = ScaleMode::DryRun;
    assert_eq!(told.decide(), []);
}

#[test]
fn what_stays_blocked_is_told_after_five_minutes() {
    let mut told = Told::of(Case::of(2.0, 0.72));
    told.case.workload().blocked = Some("exceeded quota: pods".to_owned());
    for _ in 0..10 {
        assert_eq!(told.decide(), []);
    }
    assert_eq!(told.decide(), [ticket("ScalingBlocked", Event::Firing)]);
    assert!(told.told[0].3.contains("exceeded quota"), "{:?}", told.told);
}

#[test]
fn a_suspect_version_is_a_ticket_and_a_page_only_where_one_fires() {
    let mut told = Told::of(Case::of(2.0, 0.72));
    let since = told.case.now;
    told.case.workload().version = Some(Version { since, name: "revision 12".to_owned() });
    assert_eq!(told.decide(), [ticket("ScalingSuspectVersion", Event::Firing)]);
    told.case.observed.burns[0].pages = true;
    let page = ("ScalingSuspectVersion".to_owned(), Severity::Page, Event::Firing);
    assert_eq!(told.decide(), [page, ticket("ScalingSuspectVersion", Event::Resolved)]);
    assert!(told.told.iter().all(|(.., summary)| summary.contains("revision 12")), "{:?}", told.told);
}

#[test]
fn what_does_not_help_pages_with_the_numbers() {
    let mut told = Told::of(Case::of(3.0, 0.72));
    told.case.policy.saturation = None;
    let mut all = Vec::new();
    while !told.case.state.is_useless(told.case.now) {
        all.extend(told.decide());
        assert!(told.case.now < Ts(14_000), "two steps that did not help are enough");
    }
    let page = ("ScalingIneffective".to_owned(), Severity::Page, Event::Firing);
    assert!(all.contains(&page), "{all:?}");
    let summary = &told.told.iter().find(|(name, ..)| name == "ScalingIneffective").unwrap().3;
    assert!(summary.contains("3.0× before and 3.0× after"), "{summary}");
}

#[test]
fn a_policy_that_is_removed_ends_what_it_told() {
    let mut told = Told::of(Case::of(2.0, 0.72));
    told_in(&mut told, 2);
    assert_eq!(told.step(&[]), [ticket("ReplicasAdded", Event::Resolved)]);
    assert_eq!(told.control, Control::default());
}

#[test]
fn a_suspect_version_does_not_flap() {
    let mut case = Case::of(20.0, 0.4);
    let since = case.now;
    case.workload().version = Some(Version { since, name: "revision 12".to_owned() });
    case.observed.burns[0].pages = true;
    let mut told = Told::of(case);
    let mut all = Vec::new();
    for tick in 0..20 {
        // Pods of the bad version crash and come back.
        told.case.workload().ready = if tick % 4 < 2 { 5 } else { 4 };
        all.extend(told.decide());
    }
    assert_eq!(all.len(), 1, "{all:?}");
}

#[test]
fn a_count_that_somebody_set_above_max_is_not_said_to_be_added() {
    let mut case = Case::of(0.0, 0.1);
    (case.workload().wanted, case.workload().ready) = (40, 40);
    let mut told = Told::of(case);
    assert_eq!(told.decide(), []);
}

#[test]
fn at_rest_nobody_is_told_of_a_rate_limit() {
    let mut case = Case::of(0.5, 0.1);
    case.state.writes = (0..12).map(|i| Ts(9_000 + i)).collect();
    (case.state.base, case.state.seen) = (Some(5), Some(5));
    let mut told = Told::of(case);
    let all: Vec<_> = (0..15).flat_map(|_| told.decide()).collect();
    assert_eq!(all, []);
}

#[test]
fn replicas_that_never_become_ready_are_told_of() {
    let mut case = Case::of(3.0, 0.9);
    case.workload().ready = 4;
    let mut told = Told::of(case);
    let all: Vec<_> = (0..240).flat_map(|_| told.decide()).collect();
    assert_ne!(all, [], "two hours of burning, and nothing is done nor said");
}

#[test]
fn a_page_about_no_effect_ends_when_it_is_calm() {
    let mut case = Case::of(3.0, 0.72);
    case.policy.saturation = None;
    let mut told = Told::of(case);
    while !told.case.state.is_useless(told.case.now) {
        told.decide();
    }
    told.case.burns(0.0);
    let all: Vec<_> = (0..40).flat_map(|_| told.decide()).collect();
    assert!(all.iter().any(|(name, ..)| name == "ScalingIneffective"), "20 calm minutes later: {all:?}");
}

/// What is told in so many ticks.
fn told_in(told: &mut Told, ticks: u32) -> Vec<(String, Severity, Event)> {
    (0..ticks).flat_map(|_| told.decide()).collect()
}

#[test]
fn a_query_without_an_answer_is_told_where_it_burns() {
    let mut told = Told::of(Case::of(3.0, 0.9));
    told.case.observed.saturation = None;
    assert_eq!(told_in(&mut told, 11), [ticket("ScalingBlocked", Event::Firing)]);
    assert!(told.told[0].3.contains("no answer"), "{:?}", told.told);
    let mut told = Told::of(Case::of(0.1, 0.9));
    told.case.observed.saturation = None;
    assert_eq!(told_in(&mut told, 100), []);
}

#[test]
fn an_slo_of_which_nothing_is_known_is_told_after_a_quarter_of_an_hour_unless_its_source_is() {
    for (is_blind, expected) in [(false, vec![ticket("ScalingBlocked", Event::Firing)]), (true, vec![])] {
        let mut told = Told::of(Case::of(3.0, 0.9));
        told.seen.blind.insert("local".to_owned(), is_blind);
        told.case.observed.burns[0].known = None;
        assert_eq!(told_in(&mut told, 30), []);
        assert_eq!(told_in(&mut told, 1), expected);
    }
}

#[test]
fn what_hides_for_a_moment_goes_on_and_what_is_over_ends_five_minutes_later() {
    let mut told = Told::of(Case::of(2.0, 0.72));
    told.case.workload().blocked = Some("exceeded quota: pods".to_owned());
    told_in(&mut told, 11);
    told.case.workload().blocked = None;
    told.case.burns(0.0);
    assert_eq!(told_in(&mut told, 9), []);
    assert_eq!(told_in(&mut told, 1), [ticket("ScalingBlocked", Event::Resolved)]);
}

#[test]
fn a_write_that_is_refused_for_long_is_told_with_what_was_said() {
    let mut told = Told::of(Case::of(3.0, 0.72));
    let replicas = (told.case.workload().wanted, told.case.workload().ready);
    let mut last = Vec::new();
    for _ in 0..20 {
        last.extend(told.decide());
        if told.case.state.intent.is_some() {
            (told.case.workload().wanted, told.case.workload().ready) = replicas;
            told.case.state.was_refused("cannot patch".to_owned());
        }
    }
    assert_eq!(last, [ticket("ScalingBlocked", Event::Firing)]);
    assert!(told.told[0].3.contains("cannot patch"), "{:?}", told.told);
}
