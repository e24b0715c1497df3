//! Sequences of facts, told in any order, with gaps, restarts and changes of plan.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::engine::fact::{GroupFact, SeriesKey, SlotState, Trust, What};
use crate::engine::window::Book;
use crate::slo::model::Overflow;
use crate::slo::query::{Atom, Counting, Selector};
use crate::slo::time::{Span, Step};
use crate::slo::unit::Events;

const S: i64 = 30;

fn keep(metric: &str, days: u32) -> Keep {
    let selector = Selector { metric: metric.into(), matchers: vec![] };
    Keep {
        key: SeriesKey {
            source: "local".into(),
            what: What::Atom(Atom { selector, counting: Counting::Counter }),
            by: vec!["route".into()],
            step: Step::new(Span::from_secs(30)).unwrap(),
        },
        span: Span::from_days(days),
        reach: Span::from_mins(10),
        limit: 3,
        overflow: Overflow::Other,
        follows: Vec::new(),
        cuts: Vec::new(),
    }
}

fn route(name: &str) -> Labels {
    Labels::from([("route".to_owned(), name.to_owned())])
}

fn fact(group: &str, events: i64, trust: Trust) -> GroupFact {
    GroupFact { group: route(group), raw: Events::whole(events), withheld: Events::ZERO, trust }
}

fn tell(ledger: &mut Ledger, end: i64, state: SlotState) -> bool {
    let facts =
        Facts { series: SeriesIx(0), tier: Tier::Fine, slots: vec![SlotFact { end: Ts(end), state }] };
    !ledger.apply(&facts).is_empty()
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.adopt(vec![keep("x_total", 28)]);
    ledger
}

#[derive(Clone, Debug)]
enum Op {
    Known(i64, i64),
    Unknown(i64),
    Absent(i64),
    Restart,
    Replan(bool),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        10 => (0i64..900, 0i64..3000).prop_map(|(slice, events)| Op::Known(slice, events)),
        2 => (0i64..900).prop_map(Op::Unknown),
        2 => (0i64..900).prop_map(Op::Absent),
        1 => Just(Op::Restart),
        1 => any::<bool>().prop_map(Op::Replan),
    ];
    prop::collection::vec(op, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    /// Slices in any order, gaps, absence, late and repeated slices, restarts from the image and
    /// changes of plan: every window and its coverage equal a naive recomputation.
    #[test]
    fn windows_and_coverage_equal_a_naive_recomputation(ops in ops(), start in 0i64..100_000, windows in prop::collection::vec((0i64..900, 0i64..900), 8)) {
        let mut ledger = ledger();
        let mut known: BTreeMap<i64, i64> = BTreeMap::new();
        let mut absent = BTreeSet::new();
        let mut born = None;
        for op in ops {
            match op {
                Op::Known(slice, events) => {
                    let end = (start + slice) * S;
                    tell(&mut ledger, end, SlotState::Known(vec![fact("a", events, Trust::Counted)]));
                    known.insert(end, events);
                    absent.remove(&end);
                    // A difference reaches back for ten minutes.
                    if let Some(before) = born.filter(|before| *before < end && end - before <= 600) {
                        let closed: Vec<i64> = absent.range(before..end).copied().collect();
                        absent.retain(|slot| !closed.contains(slot));
                        known.extend(closed.into_iter().map(|slot| (slot, 0)));
                    }
                    born = born.max(Some(end));
                }
                Op::Unknown(slice) => prop_assert!(!tell(&mut ledger, (start + slice) * S, SlotState::Unknown)),
                Op::Absent(slice) => {
                    let end = (start + slice) * S;
                    tell(&mut ledger, end, SlotState::Absent);
                    if !known.contains_key(&end) {
                        absent.insert(end);
                    }
                }
                Op::Restart => {
                    let images: Vec<Vec<u8>> = ledger.all().iter().map(|s| SeriesImage::of(s).to_bytes()).collect();
                    ledger = Ledger::default();
                    ledger.adopt(vec![keep("x_total", 28)]);
                    for bytes in images {
                        prop_assert!(ledger.restore(SeriesImage::from_bytes(&bytes).unwrap()).unwrap());
                    }
                }
                Op::Replan(longer) => {
                    let given_back = ledger.adopt(vec![keep("x_total", if longer { 90 } else { 28 })]);
                    prop_assert!(given_back.is_empty());
                }
            }
        }
        let series = ledger.series(SeriesIx(0)).unwrap();
        for (a, b) in windows {
            let (from, to) = (Ts((start + a.min(b)) * S), Ts((start + a.max(b)) * S));
            let inside = |end: &i64| *end > from.0 && *end <= to.0;
            let events: i64 = known.iter().filter(|(end, _)| inside(end)).map(|(_, v)| v).sum();
            let sum = series.group(&route("a")).map(|g| g.sum(from, to)).unwrap_or_default();
            prop_assert_eq!(sum, Events::whole(events));
            let answered = known.keys().chain(&absent).filter(|end| inside(end)).count();
            prop_assert_eq!(series.answered().overlap(from, to), i64::try_from(answered).unwrap() * S);
            let gone = absent.iter().filter(|end| inside(end)).count();
            prop_assert_eq!(series.absent().overlap(from, to), i64::try_from(gone).unwrap() * S);
        }
    }

    #[test]
    fn damaged_images_are_refused_and_never_panic(cut in 0usize..400, flip in 0usize..400, with in any::<u8>()) {
        let mut ledger = ledger();
        for slice in 1..200 {
            tell(&mut ledger, slice * S, SlotState::Known(vec![fact("a", slice, Trust::Counted)]));
        }
        let mut bytes = SeriesImage::of(ledger.series(SeriesIx(0)).unwrap()).to_bytes();
        if let Some(byte) = bytes.get_mut(flip) {
            *byte ^= with;
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        if let Ok(image) = SeriesImage::from_bytes(&bytes) {
            let _ = ledger.restore(image);
        }
    }
}

#[test]
fn a_gap_without_samples_is_closed_by_the_difference_that_reaches_over_it() {
    let mut ledger = ledger();
    for slice in 1..=10 {
        tell(&mut ledger, slice * S, SlotState::Known(vec![fact("a", 5, Trust::Counted)]));
    }
    for slice in 11..=14 {
        tell(&mut ledger, slice * S, SlotState::Known(vec![fact("a", 0, Trust::Stale)]));
    }
    let stale = |ledger: &Ledger| {
        ledger.series(SeriesIx(0)).unwrap().group(&route("a")).unwrap().unsure(Ts(0), Ts(99_999))
    };
    assert_eq!(stale(&ledger), 4 * S);
    tell(&mut ledger, 15 * S, SlotState::Known(vec![fact("a", 25, Trust::Counted)]));
    assert_eq!(stale(&ledger), 0);
    // Asked again, the old slots still look stale; they stay closed.
    tell(&mut ledger, 14 * S, SlotState::Known(vec![fact("a", 0, Trust::Stale)]));
    assert_eq!(stale(&ledger), 0);
}

#[test]
fn absence_is_closed_by_the_difference_that_reaches_over_it_and_no_other() {
    let mut ledger = ledger();
    let absent = |ledger: &Ledger| ledger.series(SeriesIx(0)).unwrap().absent().overlap(Ts(0), Ts(99_999));
    tell(&mut ledger, S, SlotState::Known(vec![fact("a", 5, Trust::Counted)]));
    for slice in 2..=20 {
        tell(&mut ledger, slice * S, SlotState::Absent);
    }
    assert_eq!(absent(&ledger), 19 * S);
    tell(&mut ledger, 21 * S, SlotState::Known(vec![fact("a", 25, Trust::Counted)]));
    assert_eq!(absent(&ledger), 0);
    // Asked again, the old slots are still absent; they stay closed.
    assert!(!tell(&mut ledger, 20 * S, SlotState::Absent));
    for slice in 22..=42 {
        tell(&mut ledger, slice * S, SlotState::Absent);
    }
    tell(&mut ledger, 43 * S, SlotState::Known(vec![fact("a", 25, Trust::Counted)]));
    assert_eq!(absent(&ledger), 21 * S, "nothing reaches back over eleven minutes");
}

#[test]
fn samples_that_had_stopped_may_turn_out_to_have_ended() {
    let mut ledger = ledger();
    let stale = |ledger: &Ledger, group: &str| {
        ledger.series(SeriesIx(0)).unwrap().group(&route(group)).unwrap().is_stale(Ts(60))
    };
    tell(&mut ledger, 30, SlotState::Known(vec![fact("a", 5, Trust::Counted), fact("b", 5, Trust::Counted)]));
    tell(&mut ledger, 60, SlotState::Known(vec![fact("a", 0, Trust::Stale), fact("b", 0, Trust::Stale)]));
    assert!(stale(&ledger, "a") && stale(&ledger, "b"));
    // One of two groups: it has no events.
    assert!(tell(&mut ledger, 60, SlotState::Known(vec![fact("b", 0, Trust::Stale)])));
    assert!(!stale(&ledger, "a") && stale(&ledger, "b"));
    // All of them: absent.
    assert!(tell(&mut ledger, 60, SlotState::Absent));
    assert!(!stale(&ledger, "b") && ledger.series(SeriesIx(0)).unwrap().absent().contains(Ts(60)));
    assert!(!tell(&mut ledger, 30, SlotState::Absent), "what was counted stays");
}

#[test]
fn what_is_known_is_not_unlearned_by_a_source_that_lost_its_data() {
    let mut ledger = ledger();
    tell(&mut ledger, 300, SlotState::Known(vec![fact("a", 7, Trust::Counted)]));
    assert!(!tell(&mut ledger, 300, SlotState::Absent));
    assert!(!tell(&mut ledger, 300, SlotState::Unknown));
    assert_eq!(
        ledger.series(SeriesIx(0)).unwrap().group(&route("a")).unwrap().sum(Ts(0), Ts(300)),
        Events::whole(7)
    );
}

#[test]
fn what_has_no_answer_this_time_takes_nothing_away_from_what_was_counted() {
    let mut ledger = ledger();
    let counted = |group, events| fact(group, events, Trust::Counted);
    let open = |group, events| fact(group, events, Trust::Open);
    let read = |ledger: &Ledger, name: &str, end: i64| {
        let group = ledger.series(SeriesIx(0)).unwrap().group(&route(name)).unwrap();
        (group.sum(Ts(end - S), Ts(end)).thousandths() / 1000, group.unsure(Ts(end - S), Ts(end)))
    };
    tell(&mut ledger, S, SlotState::Known(vec![counted("a", 300), counted("b", 5)]));
    assert!(!tell(&mut ledger, S, SlotState::Known(vec![open("a", 0), counted("b", 5)])));
    assert_eq!(read(&ledger, "a", S), (300, 0));

    // Of a slot that nothing was told of it is what is known, and less than that is no news.
    for (events, known) in [(0, 0), (20, 20), (10, 20)] {
        tell(&mut ledger, 2 * S, SlotState::Known(vec![open("a", events)]));
        assert_eq!(read(&ledger, "a", 2 * S), (known, S));
    }
    tell(&mut ledger, 2 * S, SlotState::Known(vec![counted("a", 300)]));
    assert_eq!(read(&ledger, "a", 2 * S), (300, 0));
    // A group that was not there when the slot was answered.
    tell(&mut ledger, 2 * S, SlotState::Known(vec![counted("a", 300), open("b", 0)]));
    assert_eq!(read(&ledger, "b", 2 * S), (0, S));

    // Groups that are summed into one.
    let mut many = ["c", "d", "e"].map(|group| counted(group, 10)).to_vec();
    tell(&mut ledger, 3 * S, SlotState::Known(many.clone()));
    many[1] = open("d", 0);
    tell(&mut ledger, 3 * S, SlotState::Known(many));
    assert_eq!(read(&ledger, OTHER, 3 * S), (20, 0));
}

#[test]
fn five_minutes_that_cannot_be_read_keep_the_slices_that_were() {
    for slice in [1, 10] {
        let mut ledger = ledger();
        tell(&mut ledger, slice * S, SlotState::Known(vec![fact("a", 7, Trust::Counted)]));
        tell(&mut ledger, 86_400, SlotState::Known(vec![fact("a", 1, Trust::Counted)]));
        let state = SlotState::Known(vec![fact("a", 0, Trust::Open)]);
        let slots = vec![SlotFact { end: Ts(300), state }];
        ledger.apply(&Facts { series: SeriesIx(0), tier: Tier::FiveMinutes, slots });
        let group = ledger.series(SeriesIx(0)).unwrap().group(&route("a")).unwrap();
        assert_eq!((group.sum(Ts(0), Ts(300)), group.unsure(Ts(0), Ts(300))), (Events::whole(7), 300));
    }
}

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

#[test]
fn a_ruling_is_remembered_for_the_slot_that_is_asked_again() {
    let mut ledger = ledger();
    let ruled = GroupFact { withheld: Events::whole(1_000_000), ..fact("a", 1_000_020, Trust::Counted) };
    tell(&mut ledger, 300, SlotState::Known(vec![ruled.clone()]));
    assert!(!tell(&mut ledger, 300, SlotState::Known(vec![ruled])));
    let past = ledger.past(SeriesIx(0), &route("a"), Tier::Fine, Ts(300));
    assert_eq!(past.ruling.map(|r| r.withheld), Some(Events::whole(1_000_000)));
    assert_eq!(past.largest, Events::whole(20));
    assert!(!past.begun);
    assert!(ledger.past(SeriesIx(0), &route("a"), Tier::Fine, Ts(360)).begun);
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
fn a_series_that_follows_is_bounded_too() {
    let mut ledger = pair();
    let names: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let groups: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    tell_of(&mut ledger, 1, 30, &groups);
    assert_eq!(ledger.series(SeriesIx(1)).unwrap().groups().len(), 7);
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

#[test]
fn a_calendar_period_that_begins_inside_an_hour_is_exact_to_its_end() {
    // A month that began at midnight in Kolkata, 18:30 UTC, told as it came; and one backfilled.
    let start = Ts(1_800_000_000 - 1_800_000_000 % 86_400 + 66_600);
    let begin = start.0 - 2 * 86_400;
    let now = start.0 + 20 * 86_400;
    let told = |slice: i64| slice % 11;
    let expected: i64 = (start.0 / S + 1..=now / S).map(told).sum();

    let mut live = ledger();
    live.note_cut(SeriesIx(0), start);
    for slice in begin / S + 1..=now / S {
        tell(&mut live, slice * S, SlotState::Known(vec![fact("a", told(slice), Trust::Counted)]));
        if slice * S % 3600 == 0 && slice * S > start.0 {
            live.note_cut(SeriesIx(0), start);
        }
    }
    let mut backfilled = ledger();
    backfilled.note_cut(SeriesIx(0), start);
    let fine_from = now - 43_200;
    for slice in fine_from / S + 1..=now / S {
        tell(&mut backfilled, slice * S, SlotState::Known(vec![fact("a", told(slice), Trust::Counted)]));
    }
    for slot in (begin / 300 + 1..=fine_from / 300).rev() {
        let events = ((slot - 1) * 10 + 1..=slot * 10).map(told).sum();
        let state = SlotState::Known(vec![fact("a", events, Trust::Counted)]);
        let slots = vec![SlotFact { end: Ts(slot * 300), state }];
        backfilled.apply(&Facts { series: SeriesIx(0), tier: Tier::FiveMinutes, slots });
    }
    for ledger in [live, backfilled] {
        let bytes = SeriesImage::of(ledger.series(SeriesIx(0)).unwrap()).to_bytes();
        let mut restored = self::ledger();
        assert!(restored.restore(SeriesImage::from_bytes(&bytes).unwrap()).unwrap());
        for ledger in [&ledger, &restored] {
            let group = ledger.series(SeriesIx(0)).unwrap().group(&route("a")).unwrap();
            assert_eq!(group.since(start, Ts(now)), (start, Events::whole(expected)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    /// Weeks of slices, told late and twice, with outages that are asked again in five minutes after
    /// the slices have aged out, and restarts: every window of every age is the naive sum.
    #[test]
    fn windows_stay_exact_as_slices_age_into_coarser_tiers(
        start in 0i64..10_000,
        outages in prop::collection::vec((0i64..2000, 1i64..300), 0..4),
        windows in prop::collection::vec((0i64..2300, 0i64..2300), 12),
        seed in 1i64..1000,
    ) {
        // Slots of five minutes, about eight days; each of ten slices.
        let begin = start * 3600;
        let out = |slot: i64| outages.iter().any(|(from, len)| slot > *from && slot <= from + len);
        let told = |slice: i64| (slice * seed) % 17;
        let mut ledger = ledger();
        for slot in 1..=2300i64 {
            for slice in 1..=10 {
                let slice = (begin / S) + (slot - 1) * 10 + slice;
                if !out(slot) {
                    tell(&mut ledger, slice * S, SlotState::Known(vec![fact("a", told(slice), Trust::Counted)]));
                }
            }
            // What lies more than twelve hours back is asked again in five minutes.
            let back = slot - 146;
            if back > 0 && out(back) {
                let events = (1..=10).map(|slice| told((begin / S) + (back - 1) * 10 + slice)).sum();
                let slots = vec![SlotFact { end: Ts(begin + back * 300), state: SlotState::Known(vec![fact("a", events, Trust::Counted)]) }];
                ledger.apply(&Facts { series: SeriesIx(0), tier: Tier::FiveMinutes, slots });
            }
            if slot % 700 == 0 {
                let bytes = SeriesImage::of(ledger.series(SeriesIx(0)).unwrap()).to_bytes();
                ledger = self::ledger();
                ledger.restore(SeriesImage::from_bytes(&bytes).unwrap()).unwrap();
            }
        }
        let now = Ts(begin + 2300 * 300);
        let series = ledger.series(SeriesIx(0)).unwrap();
        let group = series.group(&route("a")).unwrap();
        for (a, b) in windows {
            let (a, b) = (a.min(b), a.max(b));
            let to = Ts(begin + b * 300);
            let from = edge(Ts(begin + a * 300), now).max(Ts(begin));
            let from = if now.since(from) > FIVE_REACH { from.floor_to(Span::from_hours(1)).max(Ts(begin)) } else { from };
            if now.since(to) > FIVE_REACH {
                continue;
            }
            let hour_edge = from == Ts(begin) || now.since(from) <= FIVE_REACH || from.0 % 3600 == 0;
            prop_assume!(hour_edge);
            let known = |slot: &i64| !out(*slot) || *slot <= 2300 - 146;
            let slots = (from.0 - begin) / 300 + 1..=b;
            let events: i64 = slots.clone().filter(known).flat_map(|slot| (1..=10).map(move |s| (begin / S) + (slot - 1) * 10 + s)).map(told).sum();
            prop_assert_eq!(group.sum(from, to), Events::whole(events));
            let covered = i64::try_from(slots.filter(known).count()).unwrap() * 300;
            prop_assert_eq!(series.answered().overlap(from, to), covered);
        }
    }
}

#[test]
fn an_image_of_another_layout_is_refused_and_not_misread() {
    let mut ledger = ledger();
    tell(&mut ledger, 300, SlotState::Known(vec![fact("a", 7, Trust::Counted)]));
    let mut bytes = SeriesImage::of(ledger.series(SeriesIx(0)).unwrap()).to_bytes();
    assert_eq!(bytes[0], 2, "what is written has changed when its version has");
    for version in [0, 1, 3, 255] {
        bytes[0] = version;
        assert_eq!(SeriesImage::from_bytes(&bytes), Err(ImageError::Version), "{version}");
    }
    assert_eq!(SeriesImage::from_bytes(&[]), Err(ImageError::Damaged));
}

#[test]
fn a_week_and_a_month_counted_by_one_series_are_both_exact() {
    // Both began inside an hour that only hours tell of any more; the month is noted first.
    let day = 86_400;
    let month = Ts(1_800_000_000 - 1_800_000_000 % day + 66_600);
    let week = Ts(month.0 + 11 * day - 1800);
    let (begin, now) = (month.0 - day, month.0 + 20 * day);
    let told = |slice: i64| slice % 13 + 1;
    let mut ledger = ledger();
    for slice in begin / S + 1..=now / S {
        tell(&mut ledger, slice * S, SlotState::Known(vec![fact("a", told(slice), Trust::Counted)]));
        if slice * S % 3600 == 0 {
            for boundary in [month, week].into_iter().filter(|boundary| boundary.0 < slice * S) {
                ledger.note_cut(SeriesIx(0), boundary);
            }
        }
    }
    let bytes = SeriesImage::of(ledger.series(SeriesIx(0)).unwrap()).to_bytes();
    let mut restored = self::ledger();
    assert!(restored.restore(SeriesImage::from_bytes(&bytes).unwrap()).unwrap());
    for ledger in [&ledger, &restored] {
        let group = ledger.series(SeriesIx(0)).unwrap().group(&route("a")).unwrap();
        for start in [month, week] {
            let expected: i64 = (start.0 / S + 1..=now / S).map(told).sum();
            assert_eq!(group.since(start, Ts(now)), (start, Events::whole(expected)));
        }
    }
}

#[test]
fn five_minutes_known_in_part_are_added_to_nothing_once_only_their_hour_is_held() {
    for (age_days, filled) in [(1, true), (9, false)] {
        let mut ledger = ledger();
        // Six of ten slices, then nothing, then the present.
        for slice in 1..=6 {
            tell(&mut ledger, slice * S, SlotState::Known(vec![fact("a", 10, Trust::Counted)]));
        }
        let now = age_days * 86_400;
        tell(&mut ledger, now, SlotState::Known(vec![fact("a", 1, Trust::Counted)]));
        let whole = |end: i64| {
            let state = SlotState::Known(vec![fact("a", 100, Trust::Counted)]);
            Facts {
                series: SeriesIx(0),
                tier: Tier::FiveMinutes,
                slots: vec![SlotFact { end: Ts(end), state }],
            }
        };
        for _ in 0..2 {
            ledger.apply(&whole(300));
            ledger.apply(&whole(600));
        }
        let series = ledger.series(SeriesIx(0)).unwrap();
        let events = series.group(&route("a")).unwrap().sum(Ts(0), Ts(3600));
        let expected = if filled { 200 } else { 160 };
        assert_eq!(events, Events::whole(expected), "{age_days} days");
        let known = if filled { 600 } else { 480 };
        assert_eq!(series.answered().overlap(Ts(0), Ts(3600)), known, "{age_days} days");
    }
}
