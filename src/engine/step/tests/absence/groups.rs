//! The same of groups, of which some may be known and others not.

use super::*;

/// `/pay` and `/list`, of which `/pay` fires, or a slice more would make it.
fn grouped(limit: usize, fires: bool) -> World {
    let mut slo = slo(page());
    slo.group_by = Some(group_by(&["route"]));
    let mut world = World::new(slo);
    let keep = |metric: &str| Keep { limit, ..keep(What::Atom(atom(metric)), &["route".to_owned()]) };
    world.ledger = Ledger::default();
    world.ledger.adopt(vec![keep("all_total"), keep("bad_total")]);
    for tick in 0..131 + usize::from(fires) {
        let (total, bad) = counted_of_pay(if tick >= 130 { 100 } else { 0 });
        world.tell(total, bad);
        world.decide();
    }
    assert_eq!(burns(&world), held(fires));
    assert!(world.told.iter().all(|t| t.alert.labels["route"] == "/pay"));
    world
}

fn counted_of_pay(bad: i64) -> Slice {
    (routes(&[("/pay", 100), ("/list", 100)]), routes(&[("/pay", bad), ("/list", 0)]))
}

fn routes(events: &[(&str, i64)]) -> SlotState {
    let one = |(route, events): &(&str, i64)| GroupFact {
        group: Labels::from([("route".into(), (*route).to_owned())]),
        ..fact(*events)
    };
    SlotState::Known(events.iter().map(one).collect())
}

#[test]
fn groups_of_which_nothing_is_known_hold_and_one_that_went_while_others_live_has_no_events() {
    let (total, bad) = counted_of_pay(0);
    let states = [
        ("nothing was answered", (SlotState::Unknown, SlotState::Unknown)),
        ("all are absent", (SlotState::Absent, SlotState::Absent)),
        ("only total was answered", (total, SlotState::Unknown)),
        ("only bad was answered", (SlotState::Unknown, bad)),
    ];
    for fires in [true, false] {
        for (what, slice) in states.clone() {
            let (what, mut world) = (format!("{what}, fires: {fires}"), grouped(500, fires));
            hold(&mut world, &what, slice, |seen, _| seen == (false, false));
            known_again_decides(&world, &what, counted_of_pay);
        }
        let mut world = grouped(500, fires);
        for _ in 0..LONG {
            world.tell(routes(&[("/list", 100)]), SlotState::Absent);
            world.decide();
        }
        assert_eq!(burns(&world), over(fires));
        // It is back, and burns: an alert of its own again, and none of the other.
        for _ in 0..3 {
            let (total, bad) = counted_of_pay(100);
            world.tell(total, bad);
            world.decide();
        }
        assert_eq!(burns(&world), [over(fires), vec![Event::Firing]].concat());
        assert!(world.told.iter().all(|t| t.alert.labels["route"] == "/pay"));
    }
}

#[test]
fn one_group_whose_samples_stopped_holds_and_the_other_is_judged() {
    let stopped = |events: i64| {
        let SlotState::Known(mut groups) = routes(&[("/pay", 0), ("/list", events)]) else { panic!() };
        groups[0].trust = Stale;
        SlotState::Known(groups)
    };
    for fires in [true, false] {
        let mut world = grouped(500, fires);
        let of_before = |slice| LENGTHS.long.secs() / S > i64::try_from(slice).unwrap();
        let slice = (stopped(100), routes(&[("/list", 0)]));
        // What is known of the others asks for nothing.
        hold(&mut world, "one stopped", slice, |(adds, calm), slice| !calm && (!adds || of_before(slice)));
        known_again_decides(&world, "one stopped", counted_of_pay);
        for _ in 0..3 {
            world.tell(stopped(100), routes(&[("/list", 100)]));
            world.decide();
        }
        assert_eq!(burns(&world), [held(fires), vec![Event::Firing]].concat());
        assert_eq!(world.told.last().unwrap().alert.labels["route"], "/list");
    }
}

#[test]
fn groups_beyond_the_limit_end_no_alert_of_those_within_and_burn_together() {
    let storm: Vec<String> = (0..50).map(|n| format!("/{n}")).collect();
    let all = |pay: i64, list: i64, each: i64| {
        let within = [("/pay", pay), ("/list", list)].into_iter();
        routes(&within.chain(storm.iter().map(|route| (route.as_str(), each))).collect::<Vec<_>>())
    };
    for fires in [true, false] {
        let mut world = grouped(3, fires);
        let mut tell = |pay: i64, each: i64| {
            world.tell(all(100, 100, 100), all(pay, 0, each));
            world.decide();
            let told = world.told.iter().map(|t| (t.alert.labels["route"].clone(), t.event));
            told.collect::<Vec<_>>()
        };
        let event = |route: &str, event| (route.to_owned(), event);
        let pay = vec![event("/pay", Event::Firing); usize::from(fires)];
        for _ in 0..LONG {
            let bad = if fires { 100 } else { 0 };
            assert_eq!(tell(bad, 0), pay, "routes that appear end nothing and begin nothing");
        }
        // There is room for one of them. All others burn as one.
        let both = |of| vec![event("/0", of), event("other", of)];
        for _ in 0..LONG {
            assert_eq!(tell(if fires { 100 } else { 0 }, 100), [pay.clone(), both(Event::Firing)].concat());
        }
        let mut told = vec![];
        for _ in 0..LONG {
            told = tell(if fires { 100 } else { 0 }, 0);
        }
        assert_eq!(told, [pay, both(Event::Firing), both(Event::Resolved)].concat());
        assert!(world.ledger.all().iter().all(|series| series.groups().len() <= 4));
    }
}
