//! Time slices: facts far apart, windows that are judged between them.

use super::*;

fn timeslices(minutes: i64, hours: i64) -> World {
    use crate::slo::model::{CompareOp, Comparison, Reduce};
    let window = u32::try_from(minutes.max(5)).unwrap();
    let mut s = slo(vec![Rule {
        min_bad_events: Events::whole(1),
        ..rule(Severity::Page, "14.4", 120, Some(window * 5))
    }]);
    s.objective = "99".parse().unwrap();
    let mut world = World::new(s);
    let keep = |bad: bool| {
        let what = What::Timeslice {
            query: "q".into(),
            good: Comparison { op: CompareOp::Less, value: 1.0 },
            slice: Span::from_mins(u32::try_from(minutes).unwrap()),
            reduce: Reduce::Last,
            bad,
        };
        Keep { reach: Span::ZERO, limit: 1, ..keep(what, &[]) }
    };
    world.ledger.adopt(vec![keep(false), keep(true)]);
    let begin = (START / 3600 + 1) * 3600;
    world.now = begin;
    let slice = minutes * 60;
    while world.now < begin + hours * 3600 {
        world.now += S;
        if world.now % slice == 0 {
            let bad = i64::from((world.now / slice) % 5 == 0);
            for (ix, events) in [(0, 1), (1, bad)] {
                let slots =
                    vec![SlotFact { end: Ts(world.now), state: SlotState::Known(vec![fact(events)]) }];
                world.ledger.apply(&Facts { series: SeriesIx(ix), tier: Tier::Fine, slots });
            }
        }
        if world.now >= begin + slice {
            world.decide();
        }
    }
    world
}

#[test]
fn a_time_slice_of_a_minute_that_burns_pages() {
    let world = timeslices(1, 3);
    assert!(
        world.events().iter().any(|(name, event)| name == "ErrorBudgetBurn" && *event == Event::Firing),
        "{:?}",
        world.events()
    );
}

#[test]
fn a_time_slice_of_two_minutes_that_burns_pages() {
    let world = timeslices(2, 3);
    assert!(
        world.events().iter().any(|(name, event)| name == "ErrorBudgetBurn" && *event == Event::Firing),
        "{:?}",
        world.events()
    );
}

#[test]
fn a_time_slice_longer_than_the_patience_for_the_unknown_is_not_unknown() {
    let world = timeslices(10, 3);
    assert!(
        !world.events().iter().any(|(name, _)| name == "SLOUnknown"),
        "{} {:?}",
        world.events().len(),
        world.events()
    );
}
