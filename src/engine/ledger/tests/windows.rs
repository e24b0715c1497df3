//! Windows and their coverage, as slices come in any order and age into coarser tiers.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

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
        let mut again = BTreeSet::new();
        let mut born = None;
        for op in ops {
            match op {
                Op::Known(slice, events) => {
                    let end = (start + slice) * S;
                    tell(&mut ledger, end, SlotState::Known(vec![fact("a", events, Trust::Counted)]));
                    known.insert(end, events);
                    absent.remove(&end);
                    again.remove(&end);
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
                    again.remove(&end);
                    if !known.contains_key(&end) {
                        absent.insert(end);
                    }
                }
                Op::Restart => {
                    let settled = ledger.series(SeriesIx(0)).unwrap().settled().into_owned();
                    ledger = restored(&ledger);
                    // What is in doubt is to be answered again.
                    let all = known.keys().chain(&absent).copied();
                    again.extend(all.filter(|end| !settled.contains(Ts(*end))));
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
            let answered = known.keys().chain(&absent).filter(|end| inside(end) && !again.contains(end)).count();
            prop_assert_eq!(series.answered().overlap(from, to), i64::try_from(answered).unwrap() * S);
            let gone = absent.iter().filter(|end| inside(end)).count();
            prop_assert_eq!(series.absent().overlap(from, to), i64::try_from(gone).unwrap() * S);
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
                ledger = restored(&ledger);
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

/// Tiers reach back as far as they happen to; of a longer period all that is older is asked for.
#[test]
fn a_longer_period_counts_nothing_twice_and_claims_nothing_that_was_not_kept() {
    const DAY: i64 = 86_400;
    let now = 8 * DAY + 1230;
    for restarted in [false, true] {
        let mut ledger = Ledger::default();
        ledger.adopt(vec![keep("x_total", 3)]);
        for end in (30..=now).step_by(30) {
            tell(&mut ledger, end, SlotState::Known(vec![fact("a", 1, Trust::Counted)]));
        }
        if restarted {
            let image = image(&ledger);
            ledger = self::ledger();
            assert!(ledger.restore(SeriesImage::from_bytes(&image).unwrap()).unwrap());
        } else {
            ledger.adopt(vec![keep("x_total", 28)]);
        }
        let series = ledger.series(SeriesIx(0)).unwrap();
        let known = series.answered().first().unwrap();
        assert!((0..=3600).contains(&(known.0 - (now - 3 * DAY))), "{known:?}");
        let whole = |ledger: &Ledger, from: i64, to: i64| {
            ledger.series(SeriesIx(0)).unwrap().group(&route("a")).unwrap().sum(Ts(from), Ts(to))
        };
        assert_eq!(whole(&ledger, known.0, now), Events::whole((now - known.0) / 30));
        assert_eq!(
            whole(&ledger, 0, now),
            Events::whole((now - known.0) / 30),
            "nothing is left of what was before"
        );
        for end in (300..=known.0).step_by(300) {
            let state = SlotState::Known(vec![fact("a", 10, Trust::Counted)]);
            let slots = vec![SlotFact { end: Ts(end), state }];
            ledger.apply(&Facts { series: SeriesIx(0), tier: Tier::FiveMinutes, slots });
        }
        for from in [0, DAY, 4 * DAY, 5 * DAY + 3600, now - 3600] {
            let from = edge(Ts(from), Ts(now)).0;
            assert_eq!(whole(&ledger, from, now), Events::whole((now - from) / 30), "from {from}");
        }
    }
}
