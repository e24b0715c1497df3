//! Merged queries in halves, rests, turns, and what is told.

use super::*;
use crate::engine::fact::SeriesIx;
use crate::engine::plan::{Form, Member, Role, Take, Wanted};
use crate::slo::query::Selector;
use crate::slo::time::Step;

const AT: Ts = Ts(1_800_000_000);

fn group(first: u32, members: u32) -> Arc<QueryGroup> {
    let member = |series: u32| Member {
        value: Some(format!("service{series}")),
        wanted: vec![Wanted { series: SeriesIx(series), take: Take::Whole, role: Role::default() }],
    };
    Arc::new(QueryGroup {
        source: "local".into(),
        form: Form::Counter,
        step: Step::DEFAULT,
        base: Selector { metric: "requests_total".into(), matchers: vec![] },
        merge: Some("service".into()),
        by: vec![],
        members: (first..first + members).map(member).collect(),
        left_open: false,
        lookback: Span::from_mins(10),
        interval: None,
    })
}

/// A tick: everything is asked, and those with a series in `failing` fail.
fn tick(
    faults: &mut Faults,
    groups: &[Arc<QueryGroup>],
    at: Ts,
    kind: FailureKind,
    failing: &[u32],
) -> Vec<Vec<u32>> {
    let plan = Plan::default();
    let mut tally = Tally::default();
    tally.hear(None);
    let mut answered = Vec::new();
    for part in groups.iter().flat_map(|group| faults.parts(group, at)).collect::<Vec<_>>() {
        if faults.rests(part.id, at) {
            continue;
        }
        let series: Vec<u32> = part.group.members.iter().map(|m| m.wanted[0].series.0).collect();
        let fails = series.iter().any(|series| failing.contains(series));
        let failure = fails.then(|| Failure { kind, message: kind.as_str().into() });
        tally.count(series.len(), failure.as_ref());
        if !fails {
            answered.push(series);
        }
        let mut asked = Asked { source: "local".into(), at, ..Asked::default() };
        asked.outcomes.push((part, failure));
        faults.learn(&plan, &asked);
    }
    faults.conclude(at, &BTreeMap::from([("local".into(), tally)]));
    answered
}

fn minutes(minutes: u32) -> Ts {
    AT.plus(Span::from_mins(minutes))
}

#[test]
fn a_member_that_hangs_blinds_the_others_of_its_group_for_a_few_ticks_only() {
    for kind in [FailureKind::Timeout, FailureKind::Partial, FailureKind::Garbage] {
        let mut faults = Faults::default();
        let groups = [group(0, 64), group(100, 1)];
        let mut answered = Vec::new();
        for round in 0..8 {
            answered.push(tick(&mut faults, &groups, minutes(round), kind, &[41]).concat().len());
        }
        assert_eq!(answered, [1, 33, 49, 57, 61, 63, 64, 64], "{kind:?}");
        let trouble = faults.trouble(&BTreeMap::new());
        assert_eq!(trouble, None, "nothing is known of a source that was not asked");
        let mut late = 8;
        while tick(&mut faults, &groups, minutes(late), kind, &[]).len() > 2 {
            late += 1;
            assert!(late < 20, "all well, and asked in whole again");
        }
    }
}

#[test]
fn an_overloaded_source_is_not_asked_ever_more_questions() {
    let mut faults = Faults::default();
    let groups: Vec<_> = (0..20).map(|n| group(n * 100, 64)).collect();
    let all: Vec<u32> = (0..2000).collect();
    for round in 0..60 {
        assert!(tick(&mut faults, &groups, minutes(round), FailureKind::Timeout, &all).is_empty());
    }
    assert!(faults.parts.extra() <= 32, "{}", faults.parts.extra());
}

#[test]
fn however_many_members_hang_all_others_are_answered_in_the_end() {
    let mut faults = Faults::default();
    let groups: Vec<_> = (0..5).map(|n| group(n * 100, 100)).collect();
    let hanging: Vec<u32> = (0..500).filter(|series| series % 12 == 5).collect();
    let mut round = 0;
    while tick(&mut faults, &groups, minutes(round), FailureKind::Timeout, &hanging).concat().len()
        < 500 - hanging.len()
    {
        round += 1;
        assert!(round < 40, "{} parts", faults.parts.extra());
    }
}

#[test]
fn what_says_nothing_is_asked_again_in_the_next_tick_and_what_is_refused_rests() {
    for (kind, again) in [
        (FailureKind::Partial, true),
        (FailureKind::Garbage, true),
        (FailureKind::Timeout, true),
        (FailureKind::QueryError, false),
        (FailureKind::TooLarge, false),
    ] {
        let mut faults = Faults::default();
        tick(&mut faults, &[group(0, 1)], AT, kind, &[0]);
        let part = Part::whole(&group(0, 1));
        assert_eq!(!faults.rests(part.id, AT.plus(Span::from_secs(30))), again, "{kind:?}");
        assert_eq!(faults.turn(part.id), Turn::Last);
    }
}

#[test]
fn who_had_no_place_is_asked_first_in_the_next_tick() {
    let mut faults = Faults::default();
    tick(&mut faults, &[group(0, 1), group(1, 1)], AT, FailureKind::Busy, &[0]);
    let turn = |faults: &Faults, first| faults.turn(Part::whole(&group(first, 1)).id);
    assert_eq!((turn(&faults, 0), turn(&faults, 1)), (Turn::First(Reverse(1)), Turn::Usual));
    tick(&mut faults, &[group(0, 1)], AT, FailureKind::Busy, &[0]);
    assert_eq!(turn(&faults, 0), Turn::First(Reverse(2)));
    assert!(Turn::First(Reverse(2)) < Turn::First(Reverse(1)), "who waits longest comes first");
    tick(&mut faults, &[group(0, 1)], AT, FailureKind::Busy, &[]);
    assert_eq!(turn(&faults, 0), Turn::Usual);
}

#[test]
fn targets_and_windows_without_a_place_come_first_too_and_a_window_that_hangs_waits() {
    let id = PartId::of(&["direct", "3d"], 1);
    let learn = |faults: &mut Faults, at, kind: Option<FailureKind>| {
        let failure = kind.map(|kind| Failure { kind, message: kind.as_str().into() });
        let single = Single { id, every: Span::from_mins(3), what: "a window".into(), failure };
        let asked = Asked { source: "local".into(), at, single: Some(single), ..Asked::default() };
        faults.learn(&Plan::default(), &asked);
        (0..).find(|later| !faults.rests(id, at.plus(Span::from_mins(*later)))).unwrap()
    };
    let mut faults = Faults::default();
    for kind in [FailureKind::Busy, FailureKind::BreakerOpen, FailureKind::Unreachable] {
        assert_eq!(learn(&mut faults, AT, Some(kind)), 0, "{kind:?}: it was not asked");
    }
    learn(&mut faults, AT, Some(FailureKind::Busy));
    assert_eq!(faults.turn(id), Turn::First(Reverse(1)));
    let rests = [1, 2, 3, 3].map(|_| learn(&mut faults, AT, Some(FailureKind::Timeout)));
    assert_eq!(rests, [1, 2, 3, 3], "no longer than it is not asked anyway");
    assert_eq!((faults.turn(id), faults.why(id)), (Turn::Last, Some("timeout")));
    assert_eq!(learn(&mut faults, AT, Some(FailureKind::TooLarge)), 5);
    learn(&mut faults, AT, None);
    assert_eq!((faults.turn(id), faults.why(id)), (Turn::Usual, None));
}

#[test]
fn a_member_that_hangs_is_found_in_a_later_incident_too() {
    let mut faults = Faults::default();
    let mut groups: Vec<_> = (0..10).map(|n| group(n * 100, 20)).collect();
    groups.extend((0..45).map(|n| group(10_000 + n, 1)));
    let merged: Vec<u32> = (0..1000).collect();
    for round in 0..20 {
        tick(&mut faults, &groups, minutes(round), FailureKind::Timeout, &merged);
    }
    assert_eq!(tick(&mut faults, &groups, minutes(20), FailureKind::Timeout, &[]).concat().len(), 245);
    assert_eq!(tick(&mut faults, &groups, minutes(60), FailureKind::Timeout, &[]).len(), 55);
    let hanging: Vec<u32> = (0..10).map(|n| n * 100).collect();
    let mut round = 10_000;
    while tick(&mut faults, &groups, minutes(round), FailureKind::Timeout, &hanging).concat().len() < 235 {
        round += 1;
        assert!(round < 10_020, "{} parts more", faults.parts.extra());
    }
}

#[test]
fn a_source_that_is_overloaded_in_turns_is_not_asked_ever_more_questions() {
    let mut faults = Faults::default();
    let groups: Vec<_> = (0..20).map(|n| group(n * 100, 64)).collect();
    let all: Vec<u32> = (0..2000).collect();
    for round in 0..120 {
        let failing = if round % 4 == 3 { &[][..] } else { &all };
        tick(&mut faults, &groups, minutes(round), FailureKind::Timeout, failing);
    }
    assert!(faults.parts.extra() <= 32, "{}", faults.parts.extra());
}

#[test]
fn a_whole_tried_again_goes_back_to_its_parts_though_nothing_may_be_halved() {
    let mut faults = Faults::default();
    let groups: Vec<_> = (0..20).map(|n| group(n * 100, 64)).collect();
    let all_but_first: Vec<u32> = (100..2000).collect();
    tick(&mut faults, &groups, AT, FailureKind::Timeout, &[0]);
    for round in 1..10 {
        let answered = tick(&mut faults, &groups, minutes(round), FailureKind::Timeout, &all_but_first);
        assert_eq!(answered.concat().len(), 64);
    }
    let hanging: Vec<u32> = [0].into_iter().chain(all_but_first).collect();
    let mut answered = |round| tick(&mut faults, &groups, minutes(round), FailureKind::Timeout, &hanging);
    assert_eq!(answered(10).concat().len(), 0, "the whole is tried again");
    assert_eq!(answered(11).concat().len(), 32, "and its parts are asked again");
}

#[test]
fn over_a_new_plan_a_member_in_another_place_does_not_rest_for_the_one_at_fault() {
    let mut faults = Faults::default();
    let groups = [group(0, 2), group(100, 9)];
    tick(&mut faults, &groups, AT, FailureKind::Timeout, &[0]);
    tick(&mut faults, &groups, AT, FailureKind::QueryError, &[0]);
    let rests = |faults: &mut Faults, group: &Arc<QueryGroup>| {
        faults.keep(&Plan { groups: vec![Arc::clone(group)], ..Plan::default() });
        let parts = faults.parts(group, AT);
        let resting = parts.iter().filter(|part| faults.rests(part.id, AT));
        resting.flat_map(|part| part.group.series().collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let same_places = QueryGroup { lookback: Span::from_mins(20), ..(*groups[0]).clone() };
    let same_places = Arc::new(same_places);
    assert_eq!(rests(&mut faults, &same_places), [SeriesIx(0)], "it is known still");
    let mut permuted = (*groups[0]).clone();
    permuted.members.reverse();
    assert_eq!(rests(&mut faults, &Arc::new(permuted)), []);
}

#[test]
fn what_is_refused_is_asked_every_five_minutes_or_at_its_own_pace() {
    let refused = |every: Option<Span>| {
        let mut faults = Faults::default();
        let id = PartId::of(&["direct", "3d"], 1);
        let id = every.map_or(Part::whole(&group(0, 1)).id, |_| id);
        let mut at = AT;
        let mut rests = Vec::new();
        while rests.len() < 7 {
            match every {
                None => drop(tick(&mut faults, &[group(0, 1)], at, FailureKind::TooLarge, &[0])),
                Some(every) => {
                    let failure = Some(Failure { kind: FailureKind::TooLarge, message: String::new() });
                    let single = Single { id, every, what: String::new(), failure };
                    let asked =
                        Asked { source: "local".into(), at, single: Some(single), ..Asked::default() };
                    faults.learn(&Plan::default(), &asked);
                }
            }
            let rest = (1..).find(|later| !faults.rests(id, at.plus(Span::from_mins(*later)))).unwrap();
            rests.push(rest);
            at = at.plus(Span::from_mins(rest));
        }
        rests
    };
    assert_eq!(refused(None), [1, 2, 4, 5, 5, 5, 5]);
    assert_eq!(refused(Some(Span::from_secs(30))), [1, 2, 4, 5, 5, 5, 5]);
    assert_eq!(refused(Some(Span::from_mins(12))), [1, 2, 4, 8, 12, 12, 12]);
    assert_eq!(refused(Some(Span::from_hours(3))), [1, 2, 4, 8, 16, 30, 30]);
}
