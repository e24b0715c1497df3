//! Each state of absence, against an alert that fires, one that would begin, and a policy: nothing
//! resolves, begins or moves by what is not known.

mod groups;

use super::*;
use crate::engine::fact::Trust::{Counted, Open, Partial, Stale};
use crate::engine::scale::Burn;
use crate::engine::status::Standing;
use crate::slo::model::{AbsentMeans, SloId};
use crate::slo::policy::{Watched, Windows as Lengths};

const LENGTHS: Lengths = Lengths { short: Span::from_mins(2), long: Span::from_mins(5) };
/// Three times as many slices as the page's short window has.
const LONG: usize = 30;

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

/// Slices that are known in part.
fn partial() -> Vec<(&'static str, Slice)> {
    let open = |events| trusted(events, Open);
    vec![
        ("errors that may be older", (known(100), withheld(100))),
        ("a question about new series of total has no answer", (open(0), known(0))),
        ("a question about new series of bad has no answer", (known(100), open(0))),
    ]
}

fn counted(bad: i64) -> Slice {
    (known(100), known(bad))
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

/// Slices as they were told, each decided; what burned is as before after every one of them.
fn hold(world: &mut World, what: &str, (total, bad): Slice, look: impl Fn((bool, bool), usize) -> bool) {
    let before = burns(world);
    for slice in 0..LONG {
        world.tell(total.clone(), bad.clone());
        world.decide();
        assert_eq!(burns(world), before, "{what}, slice {slice}");
        assert!(look(seen(world), slice), "{what}, slice {slice}: {:?}", seen(world));
    }
}

/// What is known again ends what is over, and goes on with what is not, as the same incident; what had
/// not begun begins.
fn known_again_decides(world: &World, what: &str, slice: impl Fn(i64) -> Slice) {
    let go_on = |bad: i64| {
        let mut world = World { told: world.told.clone(), ..copy(world) };
        for _ in 0..LONG {
            let (total, bad) = slice(bad);
            world.tell(total, bad);
            assert!(world.decide() <= 2, "{what}");
        }
        burns(&world)
    };
    assert_eq!(go_on(100), [Event::Firing], "{what}: the same incident");
    if !burns(world).is_empty() {
        assert_eq!(go_on(0), [Event::Firing, Event::Resolved], "{what}");
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
fn by_what_is_not_known_nothing_begins_ends_or_moves_and_what_is_known_again_decides() {
    for fires in [true, false] {
        for (what, slice) in unknown() {
            let (what, mut world) = (format!("{what}, fires: {fires}"), begun(fires));
            hold(&mut world, &what, slice, |seen, _| seen == (false, false));
            known_again_decides(&world, &what, counted);
        }
    }
}

#[test]
fn what_is_known_in_part_begins_nothing_ends_nothing_and_is_no_calm() {
    for fires in [true, false] {
        for (what, slice) in partial() {
            let (what, mut world) = (format!("{what}, fires: {fires}"), begun(fires));
            // What burned before may add replicas while it is in a policy's windows, and no longer.
            let of_before = |slice| LENGTHS.long.secs() / S > i64::try_from(slice).unwrap();
            hold(&mut world, &what, slice, |(adds, calm), slice| !calm && (!adds || of_before(slice)));
            known_again_decides(&world, &what, counted);
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
fn what_nobody_was_asked_about_leaves_an_alert_and_a_policy_as_they_are() {
    for fires in [true, false] {
        let mut world = begun(fires);
        let before = burns(&world);
        for _ in 0..LONG {
            world.unanswered_tick();
            assert_eq!((burns(&world), seen(&world)), (before.clone(), (false, false)));
        }
        known_again_decides(&world, "not asked", counted);
    }
}

#[test]
fn a_blind_source_is_told_for_itself_and_its_slos_are_not() {
    for fires in [true, false] {
        let mut world = begun(fires);
        world.observed.blind.insert("local".into(), true);
        (0..60).for_each(|_| assert!(world.unanswered_tick() <= 1));
        let told: Vec<(String, Severity)> =
            world.told.iter().map(|t| (t.alert.labels["alertname"].clone(), t.alert.severity)).collect();
        let blind = |severity| ("SourceBlind".to_owned(), severity);
        let own = [blind(Severity::Ticket), blind(Severity::Page)];
        assert_eq!(told[usize::from(fires)..], own, "once each, and no SLOUnknown");
    }
}

/// What comes of slices that are judged good.
fn over(fires: bool) -> Vec<Event> {
    if fires { vec![Event::Firing, Event::Resolved] } else { vec![] }
}

/// What comes of slices by which everything holds.
fn held(fires: bool) -> Vec<Event> {
    vec![Event::Firing; usize::from(fires)]
}

#[test]
fn no_events_and_no_errors_are_known_and_end_what_is_over() {
    use SlotState::Absent;
    let states = [
        ("idle: fresh series without events", (known(0), known(0))),
        ("idle: and errors have no series", (known(0), Absent)),
        ("no errors: they vanished with their pods", (known(100), Absent)),
        ("ok", counted(0)),
    ];
    for ((what, (total, bad)), fires) in
        states.into_iter().flat_map(|state| [(state.clone(), true), (state, false)])
    {
        let mut world = begun(fires);
        for _ in 0..LONG {
            world.tell(total.clone(), bad.clone());
            world.decide();
        }
        assert_eq!(burns(&world), over(fires), "{what}");
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
    Standing::of(&mut windows, world.targets, world.observed.absence_of(&world.planned, Ts(world.now)))
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
    for fires in [true, false] {
        for (means, after, told) in [
            (Unknown, held(fires), true),
            (Good, over(fires), false),
            (Idle, over(fires), false),
            (Bad, vec![Event::Firing], true),
        ] {
            let mut world = begun(fires);
            let mut slo = (*world.planned.slo).clone();
            slo.absent.means = means;
            world.planned.slo = Arc::new(slo);
            for _ in 0..LONG {
                world.absent_tick();
                assert_eq!(seen(&world), (false, false), "{means:?}, fires: {fires}");
            }
            assert_eq!(burns(&world), after, "{means:?}, fires: {fires}");
            let absent = world.events().iter().any(|(name, _)| name == "SLOAbsent");
            assert_eq!(absent, told, "{means:?}, fires: {fires}");
        }
    }
}

#[test]
fn a_workload_at_zero_replicas_is_idle_for_as_long_as_it_is_seen_so_and_absent_two_minutes_later() {
    for fires in [true, false] {
        let mut world = begun(fires);
        let id = world.planned.id.clone();
        for slice in 0..LONG {
            // Every two minutes.
            if slice % 4 == 0 {
                world.observed.asleep = BTreeMap::from([(id.clone(), Ts(world.now))]);
            }
            world.absent_tick();
            let state = (standing(&world), seen(&world));
            assert_eq!(state, (Standing::Idle, (false, false)), "nobody gives back, or adds, by it");
        }
        assert_eq!(burns(&world), over(fires));
        world.observed.asleep = BTreeMap::from([(id, Ts(world.now))]);
        for slice in 1..=24 {
            world.absent_tick();
            let expected = if slice <= 4 { Standing::Idle } else { Standing::Absent };
            assert_eq!((standing(&world), world.told.len()), (expected, over(fires).len()), "slice {slice}");
        }
        world.absent_tick();
        let told = world.events().last().cloned();
        assert_eq!(told, Some(("SLOAbsent".into(), Event::Firing)), "ten minutes after it is absent");
    }
}

#[test]
fn series_that_never_were_are_idle_where_the_workload_is_up_but_end_nothing_and_are_no_calm() {
    for fires in [true, false] {
        let mut world = begun(fires);
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
        assert_eq!(burns(&world), held(fires));
        if fires {
            known_again_decides(&world, "never were", counted);
        }
        // Once there are some for as long as a page looks back, they say how it is.
        (0..130).for_each(|_| {
            let _told = world.tick(100, 0);
        });
        assert_eq!(burns(&world), over(fires));
        assert_eq!(seen(&world), (false, true));
    }
}

#[test]
fn while_few_targets_are_up_or_nobody_knows_nothing_ends_and_nothing_is_given_back() {
    let up = |up, known| Some(AliveReading { up, known });
    let states = [
        ("half", up(5, 10), true),
        ("fewer than half", up(4, 10), false),
        ("none", up(0, 10), false),
        ("no target is known any more", up(0, 0), false),
        ("the query has no answer", None, false),
    ];
    for ((what, targets, ends), fires) in states.into_iter().flat_map(|state| [(state, true), (state, false)])
    {
        let mut world = World::new(slo(page()));
        world.planned.alive = Some(AliveIx(0));
        world.targets = up(10, 10);
        (0..130).for_each(|_| {
            let _told = world.tick(100, 0);
        });
        (0..1 + i32::from(fires)).for_each(|_| {
            let _told = world.tick(100, 100);
        });
        assert_eq!(burns(&world), held(fires));
        world.targets = targets;
        for _ in 0..LONG {
            world.tick(40, 0);
        }
        let after = if ends { over(fires) } else { held(fires) };
        assert_eq!((burns(&world), seen(&world).1), (after, ends), "{what}, fires: {fires}");
        // Burn is burn all the same.
        (0..8).for_each(|_| {
            let _told = world.tick(40, 40);
        });
        assert_eq!((seen(&world).0, burns(&world).last()), (true, Some(&Event::Firing)), "{what}");
    }
}
