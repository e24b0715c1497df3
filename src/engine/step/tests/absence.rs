//! Each state of absence, against an alert that fires, one that would begin, and a policy: nothing
//! resolves, begins or moves by what is not known.

use super::*;
use crate::engine::fact::Trust::{Counted, Open, Partial, Stale};
use crate::engine::scale::Burn;
use crate::engine::status::Standing;
use crate::slo::model::{AbsentMeans, SloId};
use crate::slo::policy::{Watched, Windows as Lengths};

const LENGTHS: Lengths = Lengths { short: Span::from_mins(2), long: Span::from_mins(5) };
/// More slices than the short window has.
const LONG: usize = 15;

/// A slice of total and of bad events.
type Slice = (SlotState, SlotState);

fn known(events: i64) -> SlotState {
    trusted(events, Counted)
}

fn trusted(events: i64, trust: Trust) -> SlotState {
    SlotState::Known(vec![GroupFact { trust, ..fact(events) }])
}

fn withheld(events: i64) -> SlotState {
    SlotState::Known(vec![GroupFact { withheld: Events::whole(events), trust: Partial, ..fact(events) }])
}

/// Slices from which nothing can be concluded, whatever their numbers look like.
fn unknown() -> Vec<(&'static str, Slice)> {
    use SlotState::{Absent, Unknown};
    vec![
        ("nothing was answered", (Unknown, Unknown)),
        ("only total was answered", (known(100), Unknown)),
        ("only bad was answered", (Unknown, known(0))),
        ("total has no series", (Absent, Absent)),
        ("total has no series and bad has", (Absent, known(0))),
        ("total has no series and bad was not answered", (Absent, Unknown)),
        ("samples have stopped", (trusted(0, Stale), known(0))),
        ("samples have stopped, and bad has no series", (trusted(0, Stale), Absent)),
        ("bad is no part of total", (known(100), known(1000))),
    ]
}

/// What a policy sees of the newest slice: whether it would add, and whether it may give back.
fn seen(world: &World) -> (bool, bool) {
    let SloId { service, name } = world.planned.slo.id.clone();
    let watched = Watched { slo: SloId { service, name }, group: None };
    let World { planned, ledger, control, observed, now, .. } = world;
    let burn = Burn::read(&watched, LENGTHS, planned, ledger, control, observed, Ts(*now));
    let known = burn.known.as_ref();
    let adds = known.is_some_and(|burning| burning.reaches("2".parse().unwrap()));
    let calm = known.is_some_and(|burning| burning.is_below("0.8".parse().unwrap()));
    (adds, calm)
}

fn page() -> Vec<Rule> {
    vec![rule(Severity::Page, "14.4", 60, Some(5))]
}

fn burns(world: &World) -> Vec<Event> {
    let own = world.told.iter().filter(|t| t.alert.labels["alertname"] == "ErrorBudgetBurn");
    own.map(|t| t.event).collect()
}

/// It fires, or a slice more would make it.
fn begun(fires: bool) -> World {
    let mut world = World::well(page());
    world.tick(100, 100);
    if fires {
        world.tick(100, 100);
    }
    assert_eq!(burns(&world).len(), usize::from(fires));
    world
}

#[test]
fn by_what_is_not_known_nothing_begins_ends_or_moves_however_long_it_lasts() {
    for fires in [true, false] {
        for (what, (total, bad)) in unknown() {
            let mut world = begun(fires);
            let before = burns(&world);
            for slice in 0..LONG {
                world.tell(total.clone(), bad.clone());
                world.decide();
                assert_eq!(burns(&world), before, "{what}, slice {slice}, fires: {fires}");
                assert_eq!(seen(&world), (false, false), "{what}, slice {slice}, fires: {fires}");
            }
        }
    }
}

#[test]
fn a_rule_that_waits_for_its_time_does_not_wait_it_out_while_nothing_is_known() {
    for (what, (total, bad)) in unknown() {
        let mut world = World::well(vec![Rule { hold_for: Span::from_mins(3), ..page().remove(0) }]);
        world.tick(100, 100);
        world.tick(100, 100);
        for _ in 0..9 {
            world.tell(total.clone(), bad.clone());
            world.decide();
        }
        // Six slices of three minutes are not over: it held in one of them.
        assert_eq!(burns(&world), [], "{what}");
    }
}

#[test]
fn what_is_known_again_ends_what_is_over_and_begins_what_is_not() {
    for (what, (total, bad)) in unknown().into_iter().filter(|(what, _)| *what != "bad is no part of total") {
        let mut world = begun(true);
        for _ in 0..LONG {
            world.tell(total.clone(), bad.clone());
            world.decide();
        }
        let mut over = World { told: world.told.clone(), ..copy(&world) };
        (0..LONG).for_each(|_| assert!(over.tick(100, 0) <= 2));
        assert_eq!(burns(&over), [Event::Firing, Event::Resolved], "{what}");
        (0..LONG).for_each(|_| assert!(world.tick(100, 100) <= 2));
        assert_eq!(burns(&world), [Event::Firing], "{what}: the same incident");
    }
}

fn copy(world: &World) -> World {
    World {
        planned: world.planned.clone(),
        ledger: world.ledger.clone(),
        control: world.control.clone(),
        observed: world.observed.clone(),
        targets: world.targets,
        receivers: world.receivers.clone(),
        shadow: world.shadow,
        now: world.now,
        told: Vec::new(),
    }
}

#[test]
fn what_nobody_was_asked_about_leaves_an_alert_and_a_policy_as_they_are() {
    for fires in [true, false] {
        let mut world = begun(fires);
        let before = burns(&world);
        for _ in 0..LONG {
            world.unanswered_tick();
            assert_eq!((burns(&world), seen(&world)), (before.clone(), (false, false)));
        }
    }
}

#[test]
fn a_blind_source_is_told_for_itself_and_its_slos_are_not() {
    let mut world = begun(true);
    world.observed.blind.insert("local".into(), true);
    (0..60).for_each(|_| assert!(world.unanswered_tick() <= 1));
    let told: Vec<(String, Severity)> =
        world.told.iter().map(|t| (t.alert.labels["alertname"].clone(), t.alert.severity)).collect();
    let blind = |severity| ("SourceBlind".to_owned(), severity);
    assert_eq!(told[1..], [blind(Severity::Ticket), blind(Severity::Page)], "once each, and no SLOUnknown");
}

#[test]
fn no_events_and_no_errors_are_known_and_end_what_is_over() {
    use SlotState::Absent;
    for (what, (total, bad)) in [
        ("idle: fresh series without events", (known(0), known(0))),
        ("idle: and errors have no series", (known(0), Absent)),
        ("no errors: they vanished with their pods", (known(100), Absent)),
        ("ok", (known(100), known(0))),
    ] {
        let mut world = begun(true);
        for _ in 0..LONG {
            world.tell(total.clone(), bad.clone());
            world.decide();
        }
        assert_eq!(burns(&world), [Event::Firing, Event::Resolved], "{what}");
        assert_eq!(seen(&world), (false, true), "{what}");
    }
}

fn standing(world: &World) -> Standing {
    let book = crate::engine::window::Book::open(
        &world.ledger,
        &world.planned.bad,
        &world.planned.total,
        &Labels::new(),
    );
    let book = book.unwrap();
    let mut windows = crate::engine::window::Windows::new(&book, Ts(world.now));
    Standing::of(&mut windows, world.targets, world.planned.slo.absent.means)
}

#[test]
fn an_slo_that_never_saw_a_bad_event_is_unproven_and_one_that_did_is_not() {
    let mut world = World::new(slo(page()));
    let good = |world: &mut World| {
        world.tell(known(100), SlotState::Absent);
        assert_eq!((world.decide(), seen(world).0), (0, false));
    };
    (0..130).for_each(|_| good(&mut world));
    assert_eq!((standing(&world), seen(&world)), (Standing::Unproven, (false, true)));
    world.tick(100, 1);
    good(&mut world);
    assert_eq!(standing(&world), Standing::NoErrors);
}

#[test]
fn what_absence_means_is_the_definition_s_word_for_alerts_and_never_a_policy_s() {
    use AbsentMeans::{Bad, Good, Idle, Unknown};
    for (means, after, told) in [
        (Unknown, vec![Event::Firing], true),
        (Good, vec![Event::Firing, Event::Resolved], false),
        (Idle, vec![Event::Firing, Event::Resolved], false),
        (Bad, vec![Event::Firing], true),
    ] {
        let mut world = begun(true);
        let mut slo = (*world.planned.slo).clone();
        slo.absent.means = means;
        world.planned.slo = Arc::new(slo);
        for _ in 0..25 {
            world.absent_tick();
            assert_eq!(seen(&world), (false, false), "{means:?}");
        }
        assert_eq!(burns(&world), after, "{means:?}");
        let absent = world.events().iter().any(|(name, _)| name == "SLOAbsent");
        assert_eq!(absent, told, "{means:?}");
    }
}

#[test]
fn a_workload_at_zero_replicas_is_idle_for_as_long_as_it_is_seen_so() {
    let mut world = begun(true);
    let id = world.planned.id.clone();
    for _ in 0..LONG {
        world.observed.asleep = BTreeMap::from([(id.clone(), Ts(world.now))]);
        world.absent_tick();
        assert_eq!(seen(&world), (false, false), "nobody gives back, or adds, by it");
    }
    assert_eq!(burns(&world), [Event::Firing, Event::Resolved]);
    (0..30).for_each(|_| {
        let _told = world.absent_tick();
    });
    assert_eq!(world.events().last(), Some(&("SLOAbsent".into(), Event::Firing)), "nobody sees it any more");
    // And one of which it is not known holds.
    let mut world = begun(true);
    (0..LONG).for_each(|_| {
        let _told = world.absent_tick();
    });
    assert_eq!(burns(&world), [Event::Firing]);
}

#[test]
fn series_that_never_were_are_idle_where_the_workload_is_up_but_end_nothing_and_are_no_calm() {
    let mut world = begun(true);
    // The definition was edited: what it asks for now never existed.
    let by = Vec::new();
    let keep = |metric: &str| keep(What::Atom(atom(metric)), &by);
    world.ledger = Ledger::default();
    world.ledger.adopt(vec![keep("typo_total"), keep("typo_bad_total")]);
    world.planned.alive = Some(AliveIx(0));
    world.targets = Some(AliveReading { up: 4, known: 4 });
    for _ in 0..LONG {
        world.absent_tick();
        assert_eq!((standing(&world), seen(&world)), (Standing::Idle, (false, false)));
    }
    assert_eq!(burns(&world), [Event::Firing]);
    // Once there are some, they say how it is.
    (0..130).for_each(|_| {
        let _told = world.tick(100, 0);
    });
    assert_eq!(burns(&world), [Event::Firing, Event::Resolved]);
    assert_eq!(seen(&world), (false, true));
}

#[test]
fn while_few_targets_are_up_or_nobody_knows_nothing_ends_and_nothing_is_given_back() {
    let up = |up, known| Some(AliveReading { up, known });
    for (what, targets, ends) in [
        ("half", up(5, 10), true),
        ("fewer than half", up(4, 10), false),
        ("none", up(0, 10), false),
        ("no target is known any more", up(0, 0), false),
        ("the query has no answer", None, false),
    ] {
        let mut world = World::new(slo(page()));
        world.planned.alive = Some(AliveIx(0));
        world.targets = up(10, 10);
        (0..130).for_each(|_| {
            let _told = world.tick(100, 0);
        });
        world.tick(100, 100);
        world.tick(100, 100);
        world.targets = targets;
        for _ in 0..LONG {
            world.tick(40, 0);
        }
        let after = if ends { vec![Event::Firing, Event::Resolved] } else { vec![Event::Firing] };
        assert_eq!((burns(&world), seen(&world).1), (after, ends), "{what}");
        // Burn is burn all the same.
        world.tick(40, 40);
        world.tick(40, 40);
        (0..6).for_each(|_| {
            let _told = world.tick(40, 40);
        });
        assert_eq!((seen(&world).0, burns(&world).last()), (true, Some(&Event::Firing)), "{what}");
    }
}

#[test]
fn what_is_known_in_part_begins_nothing_ends_nothing_and_is_no_calm() {
    let open = |events| trusted(events, Open);
    for (what, (total, bad)) in [
        ("errors that may be older", (known(100), withheld(100))),
        ("a question about new series of total has no answer", (open(0), known(0))),
        ("a question about new series of bad has no answer", (known(100), open(0))),
    ] {
        for fires in [true, false] {
            let mut world = begun(fires);
            let before = burns(&world);
            for slice in 0..LONG {
                world.tell(total.clone(), bad.clone());
                world.decide();
                assert_eq!(burns(&world), before, "{what}, slice {slice}, fires: {fires}");
                assert!(!seen(&world).1, "{what}, slice {slice}, fires: {fires}");
            }
            // What burned before is out of its windows: nothing that is known asks for more.
            assert!(!seen(&world).0, "{what}, fires: {fires}");
        }
    }
}

/// `/pay` and `/list`, of which `/pay` fires.
fn grouped(limit: usize) -> World {
    let mut slo = slo(page());
    slo.group_by = Some(group_by(&["route"]));
    let mut world = World::new(slo);
    let keep = |metric: &str| Keep { limit, ..keep(What::Atom(atom(metric)), &["route".to_owned()]) };
    world.ledger = Ledger::default();
    world.ledger.adopt(vec![keep("all_total"), keep("bad_total")]);
    for tick in 0..132 {
        let bad = if tick >= 130 { 100 } else { 0 };
        world.tell(routes(&[("/pay", 100), ("/list", 100)]), routes(&[("/pay", bad), ("/list", 0)]));
        world.decide();
    }
    assert_eq!((burns(&world), world.told[0].alert.labels["route"].as_str()), (vec![Event::Firing], "/pay"));
    world
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
    for (total, bad) in [
        (SlotState::Unknown, SlotState::Unknown),
        (SlotState::Absent, SlotState::Absent),
        (routes(&[("/pay", 100), ("/list", 100)]), SlotState::Unknown),
        (SlotState::Unknown, routes(&[("/pay", 0), ("/list", 0)])),
    ] {
        let mut world = grouped(500);
        for _ in 0..LONG {
            world.tell(total.clone(), bad.clone());
            world.decide();
            assert_eq!((burns(&world), seen(&world)), (vec![Event::Firing], (false, false)));
        }
    }
    let mut world = grouped(500);
    for _ in 0..LONG {
        world.tell(routes(&[("/list", 100)]), SlotState::Absent);
        world.decide();
    }
    assert_eq!(burns(&world), [Event::Firing, Event::Resolved]);
    // It is back, and burns: an alert of its own again, and none of the other.
    for _ in 0..3 {
        world.tell(routes(&[("/pay", 100), ("/list", 100)]), routes(&[("/pay", 100)]));
        world.decide();
    }
    assert_eq!(burns(&world), [Event::Firing, Event::Resolved, Event::Firing]);
    assert!(world.told.iter().all(|t| t.alert.labels["route"] == "/pay"));
}

#[test]
fn one_group_whose_samples_stopped_holds_and_the_other_is_judged() {
    let mut world = grouped(500);
    let stopped = |events: i64| {
        let SlotState::Known(mut groups) = routes(&[("/pay", 0), ("/list", events)]) else { panic!() };
        groups[0].trust = Stale;
        SlotState::Known(groups)
    };
    for _ in 0..LONG {
        world.tell(stopped(100), routes(&[("/list", 0)]));
        world.decide();
        assert_eq!((burns(&world), seen(&world).1), (vec![Event::Firing], false));
    }
    assert!(!seen(&world).0, "what is known of the others asks for nothing");
    for _ in 0..3 {
        world.tell(stopped(100), routes(&[("/list", 100)]));
        world.decide();
    }
    assert_eq!(burns(&world), [Event::Firing, Event::Firing]);
    assert_eq!(world.told.last().unwrap().alert.labels["route"], "/list");
}

#[test]
fn groups_beyond_the_limit_end_no_alert_of_those_within_and_burn_together() {
    let mut world = grouped(3);
    let storm: Vec<String> = (0..50).map(|n| format!("/{n}")).collect();
    let with = |pay: i64, each: i64| {
        let all = [("/pay", pay), ("/list", each)].into_iter();
        let all: Vec<_> = all.chain(storm.iter().map(|route| (route.as_str(), each))).collect();
        routes(&all)
    };
    for _ in 0..4 {
        world.tell(with(100, 100), with(100, 0));
        world.decide();
        assert_eq!(burns(&world), [Event::Firing], "routes that appear end nothing and begin nothing");
    }
    for _ in 0..LONG {
        world.tell(with(100, 100), with(100, 0));
        world.decide();
    }
    assert_eq!(burns(&world), [Event::Firing]);
    assert!(world.ledger.all().iter().all(|series| series.groups().len() <= 7));
}
