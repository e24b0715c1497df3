//! What is known is asked again for the sake of others, and holds.

use proptest::prelude::*;

use super::booked::{
    END, Everything, NOON, Process, S, asked, away, booked_until, fill, hazard, ledger, process, run_on, sum,
    tick,
};
use super::*;
use crate::engine::fact::What;
use crate::engine::ledger::{Group, Ledger, SeriesImage};
use crate::engine::testing;

/// What is booked of each group and slot.
fn slices(ledger: &Ledger) -> Vec<(Labels, i64, Events)> {
    let groups = ledger.series(SeriesIx(0)).unwrap().groups();
    let of = |group: &Group| {
        let ends = (NOON + S..=END + 900).step_by(30);
        ends.map(|end| (group.labels.clone(), end, group.sum(Ts(end - S), Ts(end)))).collect::<Vec<_>>()
    };
    groups.iter().flat_map(of).collect()
}

/// Three processes of which two return, one after the other, after more slots than rulings are kept of.
fn returning() -> [Process; 3] {
    [away(5, 0), away(5, 140), away(5, 143)]
}

/// What is booked of the three where none of them is ever away, up to a moment.
fn calm(group: &Arc<QueryGroup>, limit: usize, until: i64) -> Events {
    let mut ledger = ledger(limit);
    run_on(&mut ledger, group, &[away(5, 0), away(5, 0), away(5, 0)], (0, 0), |_, _, _| ());
    booked_until(&ledger, until)
}

fn by_instance() -> QueryGroup {
    QueryGroup { by: vec!["instance".into()], ..group() }
}

/// As when an SLO is added that reads the same metric: one query asks for both.
#[test]
fn a_share_holds_where_its_slots_are_asked_again_for_another_series() {
    for (group, limit) in [(group(), 1), (by_instance(), 10), (by_instance(), 1)] {
        let (mut ledger, group) = (ledger(limit), Arc::new(group));
        run_on(&mut ledger, &group, &returning(), (0, 0), |_, _, _| ());
        let before = slices(&ledger);
        let model = Everything::of(&returning()).at(END + 900);
        for from in [NOON, NOON + 10 * S] {
            fill(&mut ledger, &group, &model, (from, END));
            assert!(slices(&ledger) == before, "{limit} groups, from {from}");
            // A tick that asks as far back, for the sake of a slot that was left open.
            tick(&mut ledger, &group, &model, (from, END + 900));
            assert!(slices(&ledger) == before, "{limit} groups, from {from}, by a tick");
        }
        let end = END + 3600;
        assert_eq!(booked_until(&ledger, end), calm(&group, limit, end), "{limit} groups");
    }
}

/// The other series is of the same histogram: it is judged beside what holds.
#[test]
fn what_is_asked_for_the_first_time_beside_what_holds_is_whole() {
    let mut both = group();
    let role = Role { bad: true, ..Role::default() };
    both.members[0].wanted.push(Wanted { series: SeriesIx(1), take: Take::Whole, role });
    let keep = |metric| testing::keep(What::Atom(testing::atom(metric)), &[]);
    let mut ledger = Ledger::default();
    ledger.adopt(vec![keep("x"), keep("y")]);
    run_on(&mut ledger, &Arc::new(group()), &returning(), (0, 0), |_, _, _| ());
    let (before, of_first) = (slices(&ledger), sum(&ledger));
    let model = Everything::of(&returning()).at(END + 900);
    fill(&mut ledger, &Arc::new(both), &model, (NOON, END + 900));
    assert!(slices(&ledger) == before);
    let second = ledger.series(SeriesIx(1)).unwrap().group(&Labels::new()).unwrap();
    // Of the very first slot only differences count.
    assert_eq!(second.sum(Ts(0), Ts(END + 3600)).thousandths() / 1000, of_first);
}

/// A tick asks for what it spreads into, too: history that was asked before it and comes after it is late.
#[test]
fn a_share_holds_where_history_was_asked_before_it_and_is_booked_after_it() {
    let back = NOON + 15 + 148 * S;
    let (group, all) = (Arc::new(group()), Everything::of(&returning()));
    let mut ledger = ledger(1);
    let mut late = Vec::new();
    for now in ((NOON + 40 * S)..=END).step_by(30) {
        if now == NOON + 60 * S {
            let range = (NOON, NOON + 38 * S);
            late = asked(Collect::fill, &ledger, &group, &all.at(now), range);
        }
        tick(&mut ledger, &group, &all.at(now), (now - 3 * S, now));
        if now == back / S * S + 5 * S {
            let before = slices(&ledger);
            late.iter().for_each(|facts| drop(ledger.fill(facts)));
            let shared = |slices: &[(Labels, i64, Events)]| {
                slices
                    .iter()
                    .filter(|s| s.1 > NOON + 9 * S && s.1 < NOON + 38 * S)
                    .cloned()
                    .collect::<Vec<_>>()
            };
            assert!(shared(&slices(&ledger)) == shared(&before));
        }
    }
    assert_eq!(booked_until(&ledger, END), calm(&group, 1, END));
}

/// As when Damper did not run while a target came back: ticks told the slots that it missed.
#[test]
fn a_return_that_history_finds_is_spread_over_what_ticks_told() {
    for (group, from) in [(group(), 0), (group(), 135), (by_instance(), 0), (by_instance(), 135)] {
        let (mut ledger, group, all) = (ledger(10), Arc::new(group), Everything::of(&returning()));
        let is_down = |now: i64| (NOON + 140 * S..NOON + 160 * S).contains(&now);
        for now in ((NOON + S)..=END + 900).step_by(30).filter(|now| !is_down(*now)) {
            tick(&mut ledger, &group, &all.at(now), (now - 3 * S, now));
        }
        fill(&mut ledger, &group, &all.at(END + 900), (NOON + from * S, NOON + 165 * S));
        let end = END + 3600;
        assert_eq!(booked_until(&ledger, end), calm(&group, 10, end), "from slot {from}");
    }
}

/// Whether all of the slots are known, of all groups.
fn is_known(ledger: &Ledger, (from, to): (i64, i64)) -> bool {
    let series = ledger.series(SeriesIx(0)).unwrap();
    let (from, to) = (Ts(from), Ts(to));
    series.settled().overlap(from, to) == to.since(from).secs()
        && series.absent().overlap(from, to) == 0
        && series.groups().iter().all(|group| group.stale().overlap(from, to) == 0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Whatever happened, in whatever pieces, in one group, in many, in more than are kept apart, and over
    /// restarts: asking again for what is known changes nothing.
    #[test]
    fn what_is_known_holds(
        processes in prop::collection::vec(process(hazard(), &[0, 1_000_000]), 1..5),
        silent in (0i64..3000, 0i64..1500),
        again in prop::collection::vec((5i64..130, 0i64..130, 1i64..130), 1..6),
        restarts in prop::collection::vec(5i64..130, 0..3),
        grouped in any::<bool>(),
        limit in 1usize..4,
    ) {
        let group = Arc::new(if grouped { by_instance() } else { group() });
        let silent = (NOON + silent.0, NOON + silent.0 + silent.1);
        let mut ledger = ledger(limit);
        let mut changed = Vec::new();
        run_on(&mut ledger, &group, &processes, silent, |ledger, model, now| {
            let nth = (now - NOON) / S;
            if restarts.contains(&nth) {
                let image = SeriesImage::of(ledger.series(SeriesIx(0)).unwrap()).to_bytes();
                ledger.restore(SeriesImage::from_bytes(&image).unwrap()).unwrap();
            }
            for (_, from, slots) in again.iter().filter(|(at, ..)| *at == nth) {
                let range = (NOON + from * S, (NOON + (from + slots) * S).min(now - 3 * S));
                if range.0 >= range.1 || !is_known(ledger, range) {
                    continue;
                }
                let before = slices(ledger);
                fill(ledger, &group, model, range);
                let pairs = before.into_iter().zip(slices(ledger));
                changed.extend(pairs.filter(|(before, after)| before != after));
            }
        });
        prop_assert!(changed.is_empty(), "{:?}", changed);
    }
}
