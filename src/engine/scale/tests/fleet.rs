//! Many policies at once.

use std::ops::Range;

use super::*;
use crate::engine::scale::{Alone, Brake, Fleet, Limits, Room};

const LIMITS: Limits = Limits { policies_up: 10, added_per_hour: 50 };
const NOW: Ts = Ts(10_000);

type Fleeting = Vec<(ScalePolicy, Decision)>;

/// So many policies, of which some want two more; no saturation tells whether load is the cause.
fn policies(wishing: Range<usize>, all: usize) -> Fleeting {
    let one = |i| {
        let mut case = Case::of(if wishing.contains(&i) { 3.0 } else { 0.0 }, 0.72);
        case.policy.name = format!("p{i}");
        case.policy.saturation = None;
        let decision = case.decide();
        (case.policy, decision)
    };
    (0..all).map(one).collect()
}

/// The same, with saturation queries that show that load is the cause.
fn full(wishing: usize, all: usize) -> Fleeting {
    let saturation = super::policy().saturation;
    let with = |(policy, decision)| (ScalePolicy { saturation: saturation.clone(), ..policy }, decision);
    policies(0..wishing, all).into_iter().map(with).collect()
}

fn alone(all: &Fleeting) -> Vec<Alone<'_>> {
    all.iter().map(|(policy, decision)| (policy, decision)).collect()
}

fn brake(fleet: &mut Fleet, now: Ts, all: &Fleeting) -> Option<Brake> {
    fleet.brake(now, &alone(all), LIMITS)
}

#[test]
fn more_than_a_tenth_within_five_minutes_have_a_common_cause() {
    let mut fleet = Fleet::default();
    assert_eq!(brake(&mut fleet, NOW, &policies(0..25, 250)), None);
    let held = brake(&mut fleet, NOW, &policies(0..26, 250));
    assert_eq!(held, Some(Brake::CommonCause { adding: 26, most: 25 }));
    assert_eq!(fleet.common_since(), Some(NOW));
}

#[test]
fn what_added_a_moment_ago_counts_too() {
    let mut fleet = Fleet::default();
    for (policy, decision) in &policies(0..2, 2) {
        fleet.note(policy, decision);
    }
    assert!(brake(&mut fleet, Ts(10_200), &policies(2..4, 10)).is_some());
    assert!(brake(&mut fleet, Ts(10_300), &policies(2..4, 10)).is_none());
}

#[test]
fn policies_that_are_gone_have_no_part_in_a_common_cause() {
    let mut fleet = Fleet::default();
    let all = policies(0..3, 3);
    assert!(brake(&mut fleet, NOW, &all).is_some());
    for (policy, decision) in &all {
        fleet.note(policy, decision);
    }
    assert_eq!(brake(&mut fleet, NOW.plus(Span::from_secs(5)), &policies(0..2, 2)), None);
}

#[test]
fn the_last_to_recover_from_a_common_cause_do_not_add_either() {
    let mut fleet = Fleet::default();
    assert!(brake(&mut fleet, NOW, &policies(0..26, 250)).is_some());
    assert!(brake(&mut fleet, Ts(10_270), &policies(0..3, 250)).is_some());
    assert_eq!(brake(&mut fleet, Ts(10_300), &policies(0..3, 250)), None);
}

#[test]
fn one_of_few_policies_is_no_common_cause() {
    assert_eq!(brake(&mut Fleet::default(), NOW, &policies(0..2, 3)), None);
    assert!(brake(&mut Fleet::default(), NOW, &policies(0..3, 3)).is_some());
}

#[test]
fn a_few_that_are_full_at_once_are_a_campaign_and_many_are_not() {
    assert_eq!(brake(&mut Fleet::default(), NOW, &full(3, 3)), None);
    assert_eq!(brake(&mut Fleet::default(), NOW, &full(6, 20)), None);
    let held = brake(&mut Fleet::default(), NOW, &full(7, 20));
    assert_eq!(held, Some(Brake::CommonCause { adding: 3, most: 2 }));
}

#[test]
fn policies_of_a_dry_run_do_not_count() {
    let mut all = policies(0..26, 250);
    for (policy, _) in &mut all[..10] {
        policy.mode = ScaleMode::DryRun;
    }
    let mut fleet = Fleet::default();
    assert_eq!(brake(&mut fleet, NOW, &all), None);
    for (policy, decision) in &all[..10] {
        fleet.note(policy, decision);
    }
    assert_eq!(fleet, {
        let mut other = Fleet::default();
        brake(&mut other, NOW, &all);
        other
    });
}

#[test]
fn replicas_of_an_hour_are_limited_for_all_together() {
    let mut fleet = Fleet::default();
    for (policy, decision) in &policies(0..25, 25) {
        fleet.note(policy, decision);
    }
    let (late, hour) = (NOW.plus(Span::from_mins(10)), NOW.plus(Span::from_hours(1)));
    let one = policies(0..1, 300);
    assert_eq!(brake(&mut fleet, late, &one), None);
    let room = Room { left: 0, added: 50, most: 50 };
    assert_eq!(fleet.short(&alone(&one), LIMITS), [(0, room)].into());
    let mut case = Case::of(3.0, 0.72);
    case.observed.room = Some(room);
    assert_eq!(case.held(), Reason::FleetLimit { added: 50, most: 50 });
    brake(&mut fleet, hour, &one);
    assert!(fleet.short(&alone(&one), LIMITS).is_empty());
}

#[test]
fn what_burns_most_is_served_first_and_the_last_is_cut_to_what_is_left() {
    let wish = |rate| {
        let mut case = Case::of(rate, 0.72);
        case.policy.name = format!("{rate}");
        let decision = case.decide();
        (case.policy, decision)
    };
    let all = vec![wish(2.0), wish(9.0), wish(4.0)];
    let limits = Limits { added_per_hour: 5, ..LIMITS };
    let room = Room { left: 1, added: 4, most: 5 };
    assert_eq!(Fleet::default().short(&alone(&all), limits), [(0, room)].into());
    let mut case = Case::of(2.0, 0.72);
    case.observed.room = Some(room);
    let decision = case.decide();
    assert_eq!((decision.verdict, decision.adds), (Verdict::Scale { from: 5, to: 6 }, 1));
}

#[test]
fn one_wish_that_can_never_fit_does_not_hold_the_others() {
    let mut big = Case::of(2.0, 0.72);
    big.policy.up[0].add = 60;
    big.policy.replicas = Bounds::new(3, 100).unwrap();
    let mut small = Case::of(3.0, 0.72);
    let (first, second) = (big.decide(), small.decide());
    assert_eq!((first.adds, second.adds), (60, 2));
    let all = [(&big.policy, &first), (&small.policy, &second)];
    let mut fleet = Fleet::default();
    assert_eq!(fleet.brake(NOW, &all, LIMITS), None);
    assert_eq!(fleet.short(&all, LIMITS), [(0, Room { left: 48, added: 2, most: 50 })].into());
}

#[test]
fn a_big_workload_under_an_autoscaler_can_be_helped() {
    let mut case = Case::of(3.0, 0.72);
    (case.workload().wanted, case.workload().ready) = (60, 60);
    case.policy.replicas = Bounds::new(3, 100).unwrap();
    case.workload().lever = floor(3, 100);
    let decision = case.decide();
    assert_eq!((decision.verdict, decision.adds), (Verdict::Scale { from: 3, to: 62 }, 2));
    let all = [(&case.policy, &decision)];
    let mut fleet = Fleet::default();
    assert_eq!((fleet.brake(case.now, &all, LIMITS), fleet.short(&all, LIMITS).len()), (None, 0));
    fleet.note(&case.policy, &decision);
    let others = policies(0..24, 300);
    assert!(fleet.short(&alone(&others), LIMITS).is_empty(), "it used up two");
}

#[test]
fn what_was_not_made_takes_nothing_of_the_hour() {
    let mut fleet = Fleet::default();
    let all = policies(0..1, 20);
    for _ in 0..60 {
        let (policy, decision) = &all[0];
        fleet.note(policy, decision);
        fleet.forget(&policy.name, decision.at);
    }
    assert!(fleet.short(&alone(&all), LIMITS).is_empty());
}
