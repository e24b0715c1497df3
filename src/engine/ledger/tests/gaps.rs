//! Gaps, absence and samples that stopped: what a later answer closes, and what it leaves.

use super::*;

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

#[test]
fn a_share_is_added_to_what_is_booked_by_then() {
    let mut ledger = ledger();
    let share = GroupFact { withheld: Events::whole(-5), ..fact("a", 10, Trust::Held) };
    assert!(
        !tell(&mut ledger, 300, SlotState::Known(vec![share.clone()])),
        "it is not known: it is asked again"
    );
    assert!(!ledger.series(SeriesIx(0)).unwrap().answered().contains(Ts(300)));
    // Meanwhile more is known than when it was asked.
    let ruled = GroupFact { withheld: Events::whole(1_000_000), ..fact("a", 1_000_020, Trust::Counted) };
    tell(&mut ledger, 300, SlotState::Known(vec![ruled]));
    assert!(tell(&mut ledger, 300, SlotState::Known(vec![share])));
    let past = ledger.past(SeriesIx(0), &route("a"), Tier::Fine, Ts(300));
    assert_eq!(past.booked, Events::whole(25));
    assert_eq!(past.ruling.map(|ruling| ruling.withheld), Some(Events::whole(999_995)));
}

#[test]
fn the_newest_slots_keep_their_rulings_whatever_is_ruled_of_older_ones() {
    let mut ledger = ledger();
    let ruled = GroupFact { withheld: Events::whole(1_000_000), ..fact("a", 1_000_020, Trust::Counted) };
    for slot in std::iter::once(300).chain(1..299) {
        tell(&mut ledger, slot * 30, SlotState::Known(vec![ruled.clone()]));
    }
    let ruling = |slot: i64| ledger.past(SeriesIx(0), &route("a"), Tier::Fine, Ts(slot * 30)).ruling;
    assert!(ruling(300).is_some() && ruling(298).is_some());
    assert_eq!(ruling(1), None);
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

/// Tells of slots together, as one answer does.
fn tell_all(ledger: &mut Ledger, series: u32, slots: &[(i64, SlotState)]) {
    let slots = slots.iter().map(|(slice, state)| SlotFact { end: Ts(slice * S), state: state.clone() });
    ledger.apply(&Facts { series: SeriesIx(series), tier: Tier::Fine, slots: slots.collect() });
}

#[test]
fn what_had_stopped_and_goes_on_is_asked_again() {
    let mut ledger = Ledger::default();
    let beside = vec![SeriesIx(1)];
    ledger.adopt(vec![Keep { beside, ..keep("all_total", 28) }, keep("part_total", 28)]);
    let known = |events, trust| SlotState::Known(vec![fact("a", events, trust)]);
    let unknown = |ledger: &Ledger, series: u32, slices: i64| {
        let known = ledger.series(SeriesIx(series)).unwrap().answered().overlap(Ts(0), Ts(slices * S));
        slices - known / S
    };
    // Samples stop after the tenth slice; after the thirtieth the source has forgotten them.
    for slice in 1..=35 {
        let all = match slice {
            1..=10 => known(5, Trust::Counted),
            11..=30 => known(0, Trust::Stale),
            _ => SlotState::Absent,
        };
        tell_all(&mut ledger, 0, &[(slice, all)]);
        tell_all(&mut ledger, 1, &[(slice, known(0, Trust::Counted))]);
    }
    assert_eq!((unknown(&ledger, 0, 35), unknown(&ledger, 1, 35)), (0, 0));
    // They go on: what this answer holds itself need not be asked again.
    let newest = [(35, SlotState::Absent), (36, known(7, Trust::Counted)), (37, known(7, Trust::Counted))];
    tell_all(&mut ledger, 0, &newest);
    assert_eq!((unknown(&ledger, 0, 37), unknown(&ledger, 1, 35)), (24, 24), "slices 11 to 34");

    // Those of the first half had come late, the others never come.
    let late: Vec<(i64, SlotState)> = (11..=34)
        .map(|n| (n, if n <= 22 { known(5, Trust::Counted) } else { known(0, Trust::Stale) }))
        .collect();
    tell_all(&mut ledger, 0, &late);
    assert_eq!(unknown(&ledger, 0, 37), 0);
    let group = |ledger: &Ledger| ledger.series(SeriesIx(0)).unwrap().group(&route("a")).unwrap().clone();
    assert_eq!(group(&ledger).sum(Ts(0), Ts(37 * S)), Events::whole(22 * 5 + 14));
    // It is asked once: nothing is new when the newest slices are told again.
    tell_all(&mut ledger, 0, &newest[1..]);
    assert_eq!(unknown(&ledger, 0, 37), 0);
}

#[test]
fn what_ended_and_comes_back_is_not_asked_again() {
    let mut ledger = ledger();
    let counted = || SlotState::Known(vec![fact("a", 5, Trust::Counted)]);
    tell_all(&mut ledger, 0, &[(1, counted())]);
    for slice in 2..=50 {
        tell_all(&mut ledger, 0, &[(slice, SlotState::Absent)]);
    }
    tell_all(&mut ledger, 0, &[(51, counted())]);
    assert_eq!(ledger.series(SeriesIx(0)).unwrap().answered().overlap(Ts(0), Ts(51 * S)), 51 * S);
}
