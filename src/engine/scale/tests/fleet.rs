//! Many policies at once.

use super::*;
use crate::engine::scale::{Brake, Fleet, Limits};

const LIMITS: Limits = Limits { policies_up: 10, added_per_hour: 50 };

fn decisions(count: usize) -> Vec<(String, Decision)> {
    (0..count).map(|i| (format!("p{i}"), Case::of(3.0, 0.72).decide())).collect()
}

/// What holds `policies`, of which all but these are content.
fn brake(fleet: &mut Fleet, now: Ts, all: &[(String, Decision)], policies: u32) -> Option<Brake> {
    let content = Case::of(1.0, 0.72).decide();
    let names: Vec<String> = (0..policies).map(|i| format!("p{i}")).collect();
    let others = names.iter().filter(|name| all.iter().all(|(wishing, _)| wishing != *name));
    let mut wishes: Vec<(&str, &Decision)> = all.iter().map(|(name, d)| (name.as_str(), d)).collect();
    wishes.extend(others.map(|name| (name.as_str(), &content)));
    fleet.brake(now, &wishes, policies, LIMITS)
}

#[test]
fn more_than_a_tenth_within_five_minutes_have_a_common_cause() {
    let mut fleet = Fleet::default();
    let now = Ts(10_000);
    assert_eq!(brake(&mut fleet, now, &decisions(25), 250), None);
    let held = brake(&mut fleet, now, &decisions(26), 250);
    assert_eq!(held, Some(Brake::CommonCause { adding: 26, most: 25 }));
    assert_eq!(fleet.common_since(), Some(now));
}

#[test]
fn what_added_a_moment_ago_counts_too() {
    let mut fleet = Fleet::default();
    let all = decisions(4);
    for (policy, decision) in &all[..2] {
        fleet.note(policy, decision);
    }
    assert!(brake(&mut fleet, Ts(10_200), &all[2..], 10).is_some());
    assert!(brake(&mut fleet, Ts(10_300), &all[2..], 10).is_none());
}

#[test]
fn policies_that_are_gone_have_no_part_in_a_common_cause() {
    let mut fleet = Fleet::default();
    let all = decisions(3);
    assert!(brake(&mut fleet, Ts(10_000), &all, 3).is_some());
    for (policy, decision) in &all {
        fleet.note(policy, decision);
    }
    assert_eq!(brake(&mut fleet, Ts(10_005), &all[..2], 2), None);
}

#[test]
fn the_last_to_recover_from_a_common_cause_do_not_add_either() {
    let mut fleet = Fleet::default();
    let all = decisions(26);
    assert!(brake(&mut fleet, Ts(10_000), &all, 250).is_some());
    assert!(brake(&mut fleet, Ts(10_270), &all[..3], 250).is_some());
    assert_eq!(brake(&mut fleet, Ts(10_300), &all[..3], 250), None);
}

#[test]
fn replicas_of_an_hour_are_limited_for_all_together() {
    let mut fleet = Fleet::default();
    for (policy, decision) in &decisions(25) {
        fleet.note(policy, decision);
    }
    let late = Ts(10_000).plus(Span::from_mins(10));
    assert_eq!(brake(&mut fleet, late, &decisions(1), 300), Some(Brake::Added { added: 50, most: 50 }));
    let hour = Ts(10_000).plus(Span::from_hours(1));
    assert_eq!(brake(&mut fleet, hour, &decisions(1), 300), None);
}

#[test]
fn one_of_few_policies_is_no_common_cause() {
    let mut fleet = Fleet::default();
    assert_eq!(brake(&mut fleet, Ts(10_000), &decisions(2), 3), None);
}
