//! An alert that burned in a gap, and again after it.

use super::*;

/// A page that burned and ended in a gap, which is followed by another one of the same alert.
fn twice_with_one_in_a_gap() -> (Shop, Vec<(i64, i64)>) {
    let mut shop = Shop::well();
    let gap = shop.outage(&burned_and_over());
    shop.slices(&[50; 20]);
    shop.judge();
    assert_eq!(shop.pages(), [Event::Firing], "of the gap nobody knows yet");
    (shop, gap)
}

#[test]
fn what_ended_in_a_gap_is_told_although_the_same_alert_fires_again_when_the_gap_is_filled() {
    let (mut shop, gap) = twice_with_one_in_a_gap();
    let firing = |shop: &Shop| {
        let mut states = shop.world.control.of_slo(&shop.example.slos[0].id).into_iter().flatten();
        states.find(|(key, _)| key.severity == Severity::Page).and_then(|(_, state)| state.firing.clone())
    };
    let known = firing(&shop);
    assert!(known.is_some());
    shop.fill(&gap);
    for _ in 0..3 {
        shop.slices(&[50]);
        shop.judge();
    }
    assert_eq!(shop.pages(), [Event::Firing, Event::Missed]);
    assert_eq!(firing(&shop), known, "the one people know goes on");
    shop.slices(&[0; 20]);
    shop.judge();
    assert_eq!(shop.pages(), [Event::Firing, Event::Missed, Event::Resolved]);
    assert!(shop.owed.is_empty());
}

#[test]
fn what_ended_in_a_gap_is_told_although_the_same_alert_came_and_went_again_before_it_was_filled() {
    let (mut shop, gap) = twice_with_one_in_a_gap();
    shop.slices(&[0; 20]);
    shop.judge();
    shop.fill(&gap);
    for _ in 0..3 {
        shop.slices(&[0]);
        shop.judge();
    }
    assert_eq!(shop.pages(), [Event::Firing, Event::Resolved, Event::Missed]);
    assert!(shop.owed.is_empty());
}
