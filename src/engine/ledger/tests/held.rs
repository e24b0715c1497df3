//! What holds when a slot is asked again for a share of what came back.

use super::*;

const AT: i64 = 2 * S;

/// Three groups that are kept apart, and two beyond the limit, of which one came back in the slot at
/// [`AT`]: 7 of its 17 were spread.
fn crowded() -> Ledger {
    let mut ledger = ledger();
    let known = |name| fact(name, 10, Trust::Counted);
    tell(&mut ledger, S, SlotState::Known(["a", "b", "c", "d", "e"].map(known).to_vec()));
    let back = GroupFact { withheld: Events::whole(7), ..fact("d", 17, Trust::Estimated) };
    tell(&mut ledger, AT, SlotState::Known([["a", "b", "c", "e"].map(known).to_vec(), vec![back]].concat()));
    ledger
}

/// A fact of what holds, with a share on top.
fn held(name: &str, events: i64, share: i64) -> GroupFact {
    GroupFact { withheld: Events::whole(-share), ..fact(name, events, Trust::Held) }
}

fn booked(ledger: &Ledger, labels: &Labels) -> Events {
    ledger.series(SeriesIx(0)).unwrap().group(labels).unwrap().sum(Ts(AT - S), Ts(AT))
}

#[test]
fn groups_beyond_the_limit_hold_with_a_share_on_top_whatever_is_said_of_them_now() {
    let unreadable = fact("e", 0, Trust::Open);
    for (now, told) in [
        ("the same", vec![held("d", 17, 5), held("e", 10, 0)]),
        ("one of them cannot be read", vec![held("d", 17, 5), unreadable]),
        ("much more than ever", vec![held("d", 1017, 5), held("e", 10, 0)]),
        ("much less", vec![held("d", 0, 5), held("e", 0, 0)]),
    ] {
        let mut ledger = crowded();
        assert_eq!(booked(&ledger, &route("other")), Events::whole(20));
        tell(&mut ledger, AT, SlotState::Known(told));
        assert_eq!(booked(&ledger, &route("other")), Events::whole(25), "{now}");
    }
}

#[test]
fn a_slot_that_is_not_whole_is_not_made_whole_by_a_share() {
    let mut ledger = crowded();
    let partial = GroupFact { withheld: Events::whole(3), ..fact("a", 10, Trust::Partial) };
    tell(&mut ledger, AT, SlotState::Known(vec![partial]));
    tell(&mut ledger, AT, SlotState::Known(vec![held("a", 10, 5)]));
    assert_eq!(booked(&ledger, &route("a")), Events::whole(12));
    assert!(ledger.series(SeriesIx(0)).unwrap().group(&route("a")).unwrap().is_partial(Ts(AT)));
}

/// Of it nothing is known that could hold; it is not without events for that.
#[test]
fn a_group_whose_samples_had_stopped_stays_unknown_where_it_should_hold() {
    let mut ledger = ledger();
    let told = |trust| SlotState::Known(vec![fact("a", 10, trust), fact("b", 10, Trust::Counted)]);
    tell(&mut ledger, S, told(Trust::Counted));
    tell(&mut ledger, AT, told(Trust::Stale));
    tell(&mut ledger, AT, SlotState::Known(vec![held("a", 10, 5), held("b", 10, 0)]));
    assert!(ledger.series(SeriesIx(0)).unwrap().group(&route("a")).unwrap().is_stale(Ts(AT)));
    assert_eq!(booked(&ledger, &route("b")), Events::whole(10));
}
