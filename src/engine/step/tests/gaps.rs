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

#[test]
fn an_outage_whose_errors_are_withheld_for_want_of_proof_is_told_as_not_known() {
    let mut world = World::well(vec![
        rule(Severity::Page, "14.4", 60, Some(5)),
        rule(Severity::Ticket, "1", 360, Some(120)),
    ]);
    let withheld = GroupFact { withheld: Events::whole(100), trust: Trust::Partial, ..fact(100) };
    let tick = |world: &mut World| {
        world.tell(SlotState::Known(vec![fact(100)]), SlotState::Known(vec![withheld.clone()]));
        world.decide()
    };
    for _ in 0..14 {
        assert_eq!(tick(&mut world), 0, "{:?}", world.events());
    }
    let told: usize = (0..4).map(|_| tick(&mut world)).sum();
    assert_eq!((told, world.events()), (1, vec![("SLOUnknown".into(), Event::Firing)]));
    // The question is answered, the errors were real: it is over once the rules can be judged again.
    for _ in 0..4 {
        assert_eq!(world.tick(100, 100), 0, "{:?}", world.events());
    }
    world.tick(100, 100);
    assert!(world.events().contains(&burn_fired()[0]), "{:?}", world.events());
    assert!(world.events().contains(&("SLOUnknown".into(), Event::Resolved)), "{:?}", world.events());
}

#[test]
fn errors_withheld_in_most_slices_but_not_in_all_are_told_as_not_known_once() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    let withheld = GroupFact { withheld: Events::whole(100), trust: Trust::Partial, ..fact(100) };
    for slice in 0..60 {
        let bad = if slice % 3 < 2 { withheld.clone() } else { fact(0) };
        world.tell(SlotState::Known(vec![fact(100)]), SlotState::Known(vec![bad]));
        world.decide();
    }
    assert_eq!(world.events(), [("SLOUnknown".into(), Event::Firing)]);
    for _ in 0..10 {
        world.tick(100, 0);
    }
    assert_eq!(world.events().last(), Some(&("SLOUnknown".into(), Event::Resolved)));
}

#[test]
fn an_alert_goes_on_while_what_was_counted_cannot_be_asked_again() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    for _ in 0..3 {
        world.tick(100, 100);
    }
    assert_eq!(world.events(), burn_fired());
    // The newest slots are asked anew in every tick; this time a follow-up has no answer.
    let open = GroupFact { trust: Trust::Open, ..fact(0) };
    world.tell(SlotState::Known(vec![fact(100)]), SlotState::Known(vec![open.clone()]));
    let slot =
        |back: i64| SlotFact { end: Ts(world.now - back * S), state: SlotState::Known(vec![open.clone()]) };
    let slots = (1..=3).rev().map(slot).collect();
    world.ledger.apply(&Facts { series: SeriesIx(1), tier: Tier::Fine, slots });
    assert_eq!(world.decide(), 0, "{:?}", world.events());
}

#[test]
fn a_deploy_whose_births_are_in_doubt_for_a_few_slices_is_no_news() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    let withheld = GroupFact { withheld: Events::whole(100), trust: Trust::Partial, ..fact(100) };
    for _ in 0..12 {
        world.tell(SlotState::Known(vec![withheld.clone()]), SlotState::Known(vec![fact(0)]));
        assert_eq!(world.decide(), 0);
    }
    for _ in 0..20 {
        assert_eq!(world.tick(100, 0), 0);
    }
}
