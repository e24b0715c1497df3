//! Series of one SLO that are not all answered for.

use super::*;

/// bad = total − good, as `good:` definitions and latency are.
fn good_form(rules: Vec<Rule>) -> World {
    let mut world = World::new(slo(rules));
    world.planned.bad = vec![(1_000_000, SeriesIx(0)), (-1_000_000, SeriesIx(1))];
    world
}

#[test]
fn review_unknown_good_slots_are_not_bad_events() {
    let mut world = good_form(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    for _ in 0..130 {
        world.tick(100, 100);
    }
    assert!(world.told.is_empty());
    // Five slots in which the good query is in doubt (bucket missing in a rollout, NaN, time-out).
    for _ in 0..5 {
        world.tell(SlotState::Known(vec![fact(100)]), SlotState::Unknown);
        world.decide();
    }
    assert!(world.told.is_empty(), "while unknown nothing fires");
    for _ in 0..5 {
        world.tick(100, 100);
        assert!(world.told.is_empty(), "{:?}", world.told);
    }
}
