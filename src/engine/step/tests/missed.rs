//! Moments that are judged late: after an outage, after a restart.

use super::*;
use crate::engine::plan::{DirectIx, DirectReading};
use crate::slo::unit::Finite;

#[test]
fn a_restart_while_the_source_is_down_says_nothing_of_one_slo() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    let blind = BTreeMap::from([("local".into(), true)]);
    for restarted in [false, true] {
        if restarted {
            // Damper is down for six minutes; the source still is afterwards.
            world.now += 360;
        }
        world.observed = Observed { blind: blind.clone(), ..Observed::default() };
        for _ in 0..4 {
            world.unanswered_tick();
        }
    }
    assert!(!world.events().iter().any(|(name, _)| name == "SLOUnknown"), "{:?}", world.events());
}

#[test]
fn time_in_which_damper_was_down_is_not_time_in_which_a_query_failed() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    for _ in 0..4 {
        world.unanswered_tick();
    }
    world.now += 360;
    for _ in 0..4 {
        assert_eq!(world.unanswered_tick(), 0, "{:?}", world.events());
    }
    for _ in 0..4 {
        world.unanswered_tick();
    }
    assert_eq!(world.events(), [("SLOUnknown".into(), Event::Firing)]);
}

#[test]
fn moments_that_were_missed_do_not_end_what_was_said_after_them() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    let judged = world.now;
    for _ in 0..12 {
        world.unanswered_tick();
    }
    assert_eq!(world.events(), [("SLOUnknown".into(), Event::Firing)]);
    // The query is answered again, for the past too.
    let now = world.now + S;
    world.now = judged;
    let before = world.control.clone();
    let mut control = before.clone();
    let mut deltas = vec![];
    while world.now < now {
        world.tell(SlotState::Known(vec![fact(100)]), SlotState::Known(vec![fact(0)]));
        let at = Ts(world.now);
        let delta = if at.0 < now { world.look_back(at, &control) } else { world.look(at, &control) };
        control.apply(&delta);
        deltas.push(delta);
    }
    world.commit(net(&before, deltas));
    assert_eq!(world.told.len(), 2);
    let resolved = &world.told[1];
    assert_eq!((resolved.event, resolved.at), (Event::Resolved, Ts(now)));
    assert!(resolved.alert.ends_at.unwrap() >= resolved.alert.starts_at);
}

#[test]
fn a_clock_that_went_back_ends_no_alert_before_it_began() {
    let mut world = World::well(vec![rule(Severity::Page, "14.4", 60, Some(5))]);
    for _ in 0..12 {
        world.unanswered_tick();
    }
    let delta = retire(&BTreeSet::new(), &world.control, Ts(world.now - 7200));
    let ended = &delta.transitions[0].alert;
    assert_eq!(ended.ends_at, Some(ended.starts_at));
}

#[test]
fn direct_moments_that_were_missed_use_the_answer_of_their_time() {
    let mut own = rule(Severity::Page, "14.4", 60, None);
    own.hold_for = Span::from_mins(5);
    let mut world = World::new(slo(vec![own]));
    world.planned.direct = vec![(Span::from_mins(60), DirectIx(0))];
    let seen = |at: i64, ratio: f64| DirectSeen {
        at: Ts(at),
        fresh_until: Ts(at + 120),
        reading: DirectReading::Known(BTreeMap::from([(Labels::new(), Finite::new(ratio).unwrap())])),
    };
    world.observed.direct.insert(DirectIx(0), seen(world.now, 0.0));
    world.decide();
    // Ten minutes in which nothing was answered, then one answer that burns: `for: 5m` has not begun.
    let before = world.control.clone();
    let mut control = before.clone();
    let end = world.now + 600;
    world.observed.direct.insert(DirectIx(0), seen(end, 1.0));
    let mut deltas = vec![];
    while world.now < end {
        world.now += S;
        let delta = world.look_back(Ts(world.now), &control);
        control.apply(&delta);
        deltas.push(delta);
    }
    let folded = net(&before, deltas);
    assert!(folded.transitions.is_empty(), "{:?}", folded.transitions);
    let state = control.iter().next().unwrap().1;
    assert_eq!(state.active_at(), Some(Ts(end)));
}

#[test]
fn targets_read_later_do_not_speak_for_moments_that_were_missed() {
    let mut world = World::new(slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]));
    world.planned.alive = Some(AliveIx(0));
    world.targets = Some(AliveReading { up: 10, known: 10 });
    for bad in [0; 130].into_iter().chain([100, 100]) {
        world.tick(100, bad);
    }
    assert_eq!(world.events(), burn_fired());
    // Nobody looked while the errors stopped; how many targets were up then is not known.
    let before = world.control.clone();
    let mut control = before.clone();
    for _ in 0..20 {
        world.tell(SlotState::Known(vec![fact(40)]), SlotState::Known(vec![fact(0)]));
    }
    for back in (1..10).rev() {
        let delta = world.look_back(Ts(world.now - back * S), &control);
        assert!(delta.transitions.is_empty());
        control.apply(&delta);
    }
    let delta = world.look(Ts(world.now), &control);
    assert_eq!(delta.transitions[0].event, Event::Resolved);
}

#[test]
fn an_alert_that_began_at_a_missed_moment_is_held_by_the_targets_read_next() {
    let mut world = World::new(slo(vec![rule(Severity::Page, "14.4", 60, Some(5))]));
    world.planned.alive = Some(AliveIx(0));
    world.targets = Some(AliveReading { up: 10, known: 10 });
    for bad in [0; 130].into_iter().chain([100, 100]) {
        world.tell(SlotState::Known(vec![fact(100)]), SlotState::Known(vec![fact(bad)]));
    }
    let before = world.control.clone();
    let delta = world.look_back(Ts(world.now - S), &before);
    world.commit(delta);
    world.decide();
    assert_eq!(world.events(), burn_fired());
    world.targets = Some(AliveReading { up: 4, known: 10 });
    for _ in 0..20 {
        assert_eq!(world.tick(40, 0), 0);
    }
}
