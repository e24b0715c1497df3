//! What people are told of a policy.

use super::*;
use crate::engine::notice::Event;
use crate::engine::scale::{Overridden, Version};
use crate::engine::step::{Control, Inputs, Observed as Seen, Scaled, step_scaling};
use crate::slo::model::Severity;

/// A case whose alerts are followed.
struct Told {
    case: Case,
    control: Control,
    told: Vec<(String, Severity, Event, String)>,
}

impl Told {
    fn of(case: Case) -> Self {
        Self { case, control: Control::default(), told: Vec::new() }
    }

    /// One decision and its alerts; what was told anew.
    fn decide(&mut self) -> Vec<(String, Severity, Event)> {
        let decision = self.case.decide();
        let pages = self.case.observed.burns.iter().any(|burn| burn.pages);
        let (policy, state) = (self.case.policy.clone(), self.case.state.clone());
        self.step(&[Scaled { policy: &policy, state: &state, decision: &decision, pages }])
    }

    fn step(&mut self, all: &[Scaled<'_>]) -> Vec<(String, Severity, Event)> {
        let (observed, external, receivers) = (Seen::default(), Labels::new(), ["oncall".to_owned()]);
        let inputs = Inputs {
            at: self.case.now,
            step: STEP,
            observed: &observed,
            external: &external,
            receivers: &receivers,
        };
        let delta = step_scaling(all, None, &self.control, &inputs);
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
fn a_fight_is_told_with_the_writer_and_the_setting_that_ends_it() {
    let mut told = Told::of(Case::of(2.0, 0.72));
    // What it also stands at does not hide the fight.
    told.case.policy.replicas = Bounds::new(3, 5).unwrap();
    told.case.decide();
    let until = told.case.now.plus(Span::from_hours(1));
    told.case.state.fight = Some(Overridden { by: Some("argocd-controller".to_owned()), to: 5, until });
    while told.told.is_empty() {
        told.decide();
        assert!(told.case.now < until, "{:?}", told.case.state);
    }
    let (name, _, _, summary) = &told.told[0];
    assert!(name == "ScalingBlocked" && summary.contains("argocd-controller put it back to 5"), "{summary}");
    let decision = told.case.decide();
    assert!(matches!(decision.runner_up, Some(Reason::AtMax { .. })), "{decision:?}");
    assert!(decision.reason.changes().contains("RespectIgnoreDifferences=true"), "{decision:?}");
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
    told.decide();
    assert_eq!(told.step(&[]), [ticket("ReplicasAdded", Event::Resolved)]);
    assert_eq!(told.control, Control::default());
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
    let added = [ticket("ReplicasAdded", Event::Firing), ticket("ReplicasAdded", Event::Resolved)];
    assert_eq!(last[..2], added);
    assert_eq!(last[2..], [ticket("ScalingBlocked", Event::Firing)]);
    assert!(told.told[2].3.contains("cannot patch"), "{:?}", told.told);
}
