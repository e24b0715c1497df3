//! Which groups are kept apart, for how long, and what becomes of the others.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::engine::window::Book;

#[test]
fn groups_beyond_the_limit_are_summed_into_one() {
    let mut ledger = ledger();
    let facts: Vec<GroupFact> = ["a", "b", "c", "d", "e"].map(|g| fact(g, 10, Trust::Counted)).into();
    tell(&mut ledger, 30, SlotState::Known(facts.clone()));
    tell(&mut ledger, 30, SlotState::Known(facts));
    let series = ledger.series(SeriesIx(0)).unwrap();
    assert_eq!(series.groups().len(), 4);
    assert_eq!(series.group(&route(OTHER)).unwrap().sum(Ts(0), Ts(30)), Events::whole(20));
}

#[test]
fn groups_beyond_the_limit_have_stopped_where_all_of_them_have() {
    let mut ledger = ledger();
    let kept = ["a", "b", "c"].map(|g| fact(g, 10, Trust::Counted));
    for (end, trusts, stopped) in [
        (30, [Trust::Counted; 2], false),
        (60, [Trust::Stale; 2], true),
        (90, [Trust::Stale, Trust::Counted], false),
        (120, [Trust::Stale, Trust::Partial], false),
    ] {
        let beyond = [fact("d", 0, trusts[0]), fact("e", 0, trusts[1])];
        tell(&mut ledger, end, SlotState::Known(kept.iter().chain(&beyond).cloned().collect()));
        let other = ledger.series(SeriesIx(0)).unwrap().group(&route(OTHER)).unwrap();
        assert_eq!(other.is_stale(Ts(end)), stopped, "{end}");
    }
}

#[test]
fn groups_beyond_the_limit_are_left_out_where_that_is_wanted() {
    let mut ledger = Ledger::default();
    ledger.adopt(vec![Keep { overflow: Overflow::Drop, ..keep("x_total", 28) }]);
    let facts: Vec<GroupFact> = ["a", "b", "other", "d", "e"].map(|g| fact(g, 10, Trust::Counted)).into();
    tell(&mut ledger, 30, SlotState::Known(facts));
    let series = ledger.series(SeriesIx(0)).unwrap();
    let names: Vec<&Labels> = series.groups().iter().map(|g| &g.labels).collect();
    assert_eq!(names, [&route("a"), &route("b"), &route("other")]);
    assert_eq!(series.group(&route("other")).unwrap().sum(Ts(0), Ts(30)), Events::whole(10), "its own");
}

/// These series drop groups after a day, by these totals.
fn day<const N: usize>(series: std::ops::Range<u32>, totals: [u32; N]) -> BTreeMap<SeriesIx, Expiry> {
    let totals: BTreeSet<SeriesIx> = totals.into_iter().map(SeriesIx).collect();
    series.map(|ix| (SeriesIx(ix), Expiry { after: Span::from_hours(24), totals: totals.clone() })).collect()
}

#[test]
fn groups_not_seen_are_forgotten_and_their_place_is_free_again() {
    let mut ledger = ledger();
    tell(&mut ledger, 30, SlotState::Known(vec![fact("a", 1, Trust::Counted), fact("b", 1, Trust::Counted)]));
    tell(&mut ledger, 90_000, SlotState::Known(vec![fact("b", 1, Trust::Counted)]));
    ledger.expire(Ts(90_000), &day(0..1, [0]));
    let series = ledger.series(SeriesIx(0)).unwrap();
    assert!(series.group(&route("a")).is_none());
    assert_eq!(series.group(&route("b")).unwrap().sum(Ts(0), Ts(90_000)), Events::whole(2));
}

/// Total, and bad or good events whose groups follow those of the total.
fn pair() -> Ledger {
    let mut ledger = Ledger::default();
    let follows = vec![SeriesIx(0)];
    ledger.adopt(vec![keep("all_total", 28), Keep { follows, ..keep("part_total", 28) }]);
    ledger
}

fn tell_of(ledger: &mut Ledger, series: u32, end: i64, groups: &[(&str, i64)]) {
    let facts = groups.iter().map(|(group, events)| fact(group, *events, Trust::Counted)).collect();
    let slots = vec![SlotFact { end: Ts(end), state: SlotState::Known(facts) }];
    ledger.apply(&Facts { series: SeriesIx(series), tier: Tier::Fine, slots });
}

#[test]
fn a_group_keeps_the_history_of_its_errors_for_as_long_as_it_is_asked_for() {
    let mut ledger = pair();
    tell_of(&mut ledger, 0, 30, &[("pay", 100), ("list", 100), ("old", 100)]);
    tell_of(&mut ledger, 1, 30, &[("pay", 50), ("old", 50)]);
    tell_of(&mut ledger, 0, 90_000, &[("pay", 100), ("list", 100)]);
    tell_of(&mut ledger, 1, 90_000, &[("list", 1)]);
    ledger.expire(Ts(90_000), &day(0..2, [0]));
    let bad = ledger.series(SeriesIx(1)).unwrap();
    let sum = |name| bad.group(&route(name)).map(|group| group.sum(Ts(0), Ts(90_000)));
    assert_eq!((sum("pay"), sum("old")), (Some(Events::whole(50)), None));
    let total = ledger.series(SeriesIx(0)).unwrap();
    assert!(total.group(&route("old")).is_none() && total.group(&route("pay")).is_some());
}

#[test]
fn what_total_keeps_apart_its_errors_are_kept_apart_too_and_nothing_else() {
    // Three are kept apart: of bad others are seen first.
    for bad_first in [false, true] {
        let mut ledger = pair();
        for end in [30, 60] {
            let total: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|g| (g, 100)).into();
            let bad = [("f", 1), ("g", 2), ("h", 4), ("d", 8), ("c", 16)];
            if bad_first {
                tell_of(&mut ledger, 1, end, &bad);
                tell_of(&mut ledger, 0, end, &total);
            } else {
                tell_of(&mut ledger, 0, end, &total);
                tell_of(&mut ledger, 1, end, &bad);
            }
        }
        let (bad, total) = (vec![(1_000_000, SeriesIx(1))], vec![(1_000_000, SeriesIx(0))]);
        let read = |name: &str| {
            let book = Book::open(&ledger, &bad, &total, &route(name)).unwrap();
            let counts = book.between(Ts(0), Ts(60));
            (counts.bad, counts.total, counts.covered)
        };
        assert_eq!(read("c"), (Events::whole(32), Events::whole(200), 60), "{bad_first}");
        assert_eq!(read(OTHER), (Events::whole(30), Events::whole(1000), 60), "{bad_first}");
    }
}

#[test]
fn errors_of_a_group_that_was_among_the_others_count_from_when_its_total_is_kept_apart() {
    for (bad_first, restarted) in [(false, false), (true, false), (true, true)] {
        let mut ledger = pair();
        let total = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|g| (g, 100));
        let bad = [("f", 1), ("g", 2), ("h", 4), ("d", 8), ("c", 16)];
        let tick = |ledger: &mut Ledger, end| {
            let both: [(u32, &[(&str, i64)]); 2] = [(0, &total), (1, &bad)];
            let first = usize::from(bad_first);
            for (series, groups) in [both[first], both[1 - first]] {
                tell_of(ledger, series, end, groups);
            }
        };
        (1..=2).for_each(|n| tick(&mut ledger, n * 30));
        let wide = |metric| Keep { limit: 20, ..keep(metric, 28) };
        ledger.adopt(vec![wide("all_total"), Keep { follows: vec![SeriesIx(0)], ..wide("part_total") }]);
        (3..=4).for_each(|n| tick(&mut ledger, n * 30));
        if restarted {
            let images: Vec<_> = ledger.all().iter().map(SeriesImage::of).collect();
            images.into_iter().for_each(|image| assert!(ledger.restore(image).unwrap()));
        }
        let (bad, total) = (vec![(1_000_000, SeriesIx(1))], vec![(1_000_000, SeriesIx(0))]);
        let read = |name: &str, to: i64| {
            let book = Book::open(&ledger, &bad, &total, &route(name)).unwrap();
            let counts = book.between(Ts(0), Ts(to));
            (counts.bad.as_f64(), counts.total.as_f64())
        };
        assert_eq!(read("c", 120), (64.0, 400.0), "always apart: {bad_first} {restarted}");
        assert_eq!(read("d", 120), (16.0, 200.0), "{bad_first} {restarted}");
        assert_eq!(read("d", 60), (0.0, 0.0), "{bad_first} {restarted}");
        assert_eq!(read(OTHER, 120), (30.0, 1000.0), "{bad_first} {restarted}");
    }
}

#[test]
fn a_series_that_follows_is_bounded_too() {
    let mut ledger = pair();
    let names: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let groups: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    tell_of(&mut ledger, 1, 30, &groups);
    assert_eq!(ledger.series(SeriesIx(1)).unwrap().groups().len(), 7);
}

#[test]
fn a_group_that_its_total_dropped_does_not_live_on_where_all_errors_ended() {
    let mut ledger = pair();
    tell_of(&mut ledger, 0, 30, &[("old", 100), ("pay", 100)]);
    tell_of(&mut ledger, 1, 30, &[("old", 50), ("pay", 50)]);
    tell_of(&mut ledger, 0, 90_000, &[("pay", 100)]);
    ledger.expire(Ts(90_000), &day(0..2, [0]));
    for series in ledger.all() {
        assert_eq!(series.groups().iter().map(|g| &g.labels).collect::<Vec<_>>(), [&route("pay")]);
    }
}

#[test]
fn a_total_that_is_not_answered_for_a_day_drops_no_errors() {
    let mut ledger = pair();
    tell_of(&mut ledger, 0, 30, &[("old", 100), ("pay", 100)]);
    tell_of(&mut ledger, 1, 30, &[("old", 50), ("pay", 50)]);
    tell_of(&mut ledger, 1, 90_000, &[("pay", 1)]);
    ledger.expire(Ts(90_000), &day(0..2, [0]));
    assert!(ledger.all().iter().all(|series| series.groups().len() == 2));
}

#[test]
fn a_series_that_follows_never_outgrows_its_image() {
    let wide = |metric| Keep { limit: 10_000, ..keep(metric, 1) };
    let mut ledger = Ledger::default();
    ledger.adopt(vec![wide("all_total"), Keep { follows: vec![SeriesIx(0)], ..wide("part_total") }]);
    let names: Vec<String> = (0..32_000).map(|n| n.to_string()).collect();
    let groups: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    // Errors of others are seen before any total is; then those of all that total keeps apart.
    tell_of(&mut ledger, 1, 30, &groups[..20_000]);
    tell_of(&mut ledger, 0, 30, &groups[20_000..]);
    tell_of(&mut ledger, 1, 60, &groups[20_000..]);
    let bad = ledger.series(SeriesIx(1)).unwrap();
    assert_eq!(bad.groups().len(), 30_001);
    assert!(SeriesImage::from_bytes(&SeriesImage::of(bad).to_bytes()).is_ok());
}

/// As when an SLO is added that asks for errors of a group that dropped out of the total meanwhile.
#[test]
fn history_books_a_group_that_is_new_in_all_slots_and_what_is_known_in_none() {
    let mut ledger = ledger();
    let known = |groups: &[(&str, i64)]| {
        let facts = groups.iter().map(|(name, events)| fact(name, *events, Trust::Counted));
        SlotState::Known(facts.collect())
    };
    for n in 1..=3 {
        tell(&mut ledger, n * S, known(&[("a", 10)]));
    }
    let slots = (1..=3).map(|n| SlotFact { end: Ts(n * S), state: known(&[("a", 99), ("b", 5)]) }).collect();
    ledger.fill(&Facts { series: SeriesIx(0), tier: Tier::Fine, slots });
    let sum = |name| ledger.series(SeriesIx(0)).unwrap().group(&route(name)).unwrap().sum(Ts(0), Ts(3 * S));
    assert_eq!((sum("a"), sum("b")), (Events::whole(30), Events::whole(15)));
}

/// What came back among them was spread by then, though another one of them cannot be read.
#[test]
fn what_was_ruled_of_some_groups_beyond_the_limit_is_remembered() {
    let mut ledger = ledger();
    let full: Vec<GroupFact> = ["a", "b", "c"].map(|name| fact(name, 10, Trust::Counted)).to_vec();
    let back = GroupFact { withheld: Events::whole(7), ..fact("d", 10, Trust::Estimated) };
    let told = |more: &[GroupFact]| SlotState::Known([&full, more].concat());
    tell(&mut ledger, S, told(&[fact("d", 10, Trust::Counted), fact("e", 10, Trust::Counted)]));
    let past = |ledger: &Ledger, end| ledger.past(SeriesIx(0), &route("d"), Tier::Fine, Ts(end));
    assert!(past(&ledger, S).among && !past(&ledger, S).ruled_among);
    tell(&mut ledger, 2 * S, told(&[back, fact("e", 0, Trust::Open)]));
    assert!(past(&ledger, 2 * S).ruled_among);
}
