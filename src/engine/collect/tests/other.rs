//! Forms whose answers need no proof.

use super::*;
use crate::engine::plan::form::PART;
use crate::engine::sample::{Frame, Reading};
use crate::slo::model::{CompareOp, Comparison, Reduce};
use crate::slo::unit::Finite;

fn frame(pairs: &[(&str, &str)], points: &[(i64, f64)]) -> Frame {
    let reading = |v: f64| Finite::new(v).map_or(Reading::NotANumber, Reading::Value);
    Frame { labels: labels(pairs), points: points.iter().map(|(at, v)| (Ts(*at), reading(*v))).collect() }
}

fn answer(frames: &[Frame]) -> Answer {
    Answer::Frames { frames: frames.to_vec(), notes: vec![] }
}

/// Answers the first question, and fails all others.
fn first(group: &QueryGroup, range: (i64, i64), frames: &[Frame]) -> Vec<Facts> {
    run_with(group, range, &calm, |ask| if ask.id.0 == 0 { answer(frames) } else { failed() }).0
}

fn pair(form: Form, take: Take) -> QueryGroup {
    let mut group = QueryGroup { form, ..group() };
    let mut second = group.members[0].wanted[0];
    second.series = SeriesIx(1);
    second.take = take;
    second.role = Role { bad: true, ..Role::default() };
    group.members[0].wanted.push(second);
    group
}

#[test]
fn native_histograms_give_count_and_share() {
    let group = pair(Form::Native { above: vec!["0.3".into()] }, Take::Above(0));
    let facts = first(
        &group,
        (0, 90),
        &[
            frame(&[(PART, "n")], &[(30, 3.0), (60, 3.0), (90, 3.0)]),
            frame(&[(PART, "d")], &[(30, 200.0), (60, 0.0)]),
            frame(&[(PART, "f0")], &[(30, 0.25), (60, f64::NAN)]),
        ],
    );
    let values = |t| (booked(&only(&facts, 0, t)), booked(&only(&facts, 1, t)));
    assert_eq!(values(30), (200.0, 50.0));
    assert_eq!(values(60), (0.0, 0.0), "an empty histogram has no fraction and nothing above");
    assert_eq!(values(90), (0.0, 0.0), "no sample in the slot, but the series exists");
    assert_eq!(only(&facts, 0, 90).trust, Trust::Stale, "until a young sample is proved");
}

#[test]
fn a_gauge_without_a_sample_in_the_slot_is_there_with_no_events() {
    let group = QueryGroup { form: Form::GaugeCount, ..group() };
    let facts = first(
        &group,
        (0, 60),
        &[frame(&[(PART, "n")], &[(30, 1.0), (60, 1.0)]), frame(&[(PART, "d")], &[(30, 2.0)])],
    );
    assert_eq!(booked(&only(&facts, 0, 30)), 2.0);
    assert_eq!((booked(&only(&facts, 0, 60)), only(&facts, 0, 60).trust), (0.0, Trust::Stale));
}

fn timeslice(by: &[&str]) -> QueryGroup {
    let form = Form::Timeslice {
        query: "lag".into(),
        good: Comparison { op: CompareOp::Less, value: 10.0 },
        slice: Span::from_mins(1),
        reduce: Reduce::Max,
    };
    QueryGroup { by: by.iter().map(|l| (*l).into()).collect(), ..pair(form, Take::Bad) }
}

#[test]
fn a_time_slice_is_judged_once_by_its_worst_frame() {
    let facts = first(
        &timeslice(&["zone"]),
        (0, 180),
        &[
            frame(&[("zone", "a"), ("pod", "1")], &[(30, 1.0), (60, 1.0), (90, 12.0), (120, 1.0)]),
            frame(&[("zone", "a"), ("pod", "2")], &[(30, 1.0), (60, 1.0)]),
            frame(&[("zone", "b")], &[(60, 99.0)]),
        ],
    );
    let seen: Vec<_> = slots(&facts, 1).into_iter().collect();
    let fact = |state: &SlotState| match state {
        SlotState::Known(groups) => groups.iter().map(|g| (booked(g), g.trust)).collect(),
        _ => vec![],
    };
    assert_eq!(fact(&seen[0].1), [(0.0, Trust::Counted), (1.0, Trust::Counted)]);
    assert_eq!(fact(&seen[1].1), [(1.0, Trust::Counted), (0.0, Trust::Stale)]);
    assert_eq!((seen[2].0, &seen[2].1), (180, &SlotState::Absent));
    assert_eq!(sum(&facts, 0), 3.0);
}

#[test]
fn a_time_slice_asks_whole_slices_only() {
    let group = Arc::new(timeslice(&[]));
    let (_, asks) = Collect::begin(&group, Tier::Fine, Ts(30), Ts(150));
    assert_eq!((asks[0].query.start, asks[0].query.end), (Ts(30), Ts(120)));
    assert!(Collect::begin(&group, Tier::Fine, Ts(60), Ts(90)).1.is_empty());
    let five = timeslice(&[]);
    let (collect, asks) = Collect::begin(&Arc::new(five), Tier::FiveMinutes, Ts(0), Ts(600));
    let points: Vec<(i64, f64)> = (1..=20).map(|i| (i * 30, if i == 4 { 50.0 } else { 0.0 })).collect();
    let mut collect = collect;
    collect.answer(asks[0].id, answer(&[frame(&[], &points)]), &calm);
    let facts = collect.finish();
    assert_eq!((booked(&only(&facts, 0, 300)), booked(&only(&facts, 1, 300))), (5.0, 1.0));
}

#[test]
fn a_direct_ratio_is_one_event_with_its_share_clamped() {
    let group = Arc::new(pair(Form::Direct { template: "r{{.window}}".into() }, Take::Bad));
    let (mut collect, asks) = Collect::begin(&group, Tier::FiveMinutes, Ts(0), Ts(900));
    let points = [(300, 0.25), (600, 7.0), (900, f64::NAN)];
    collect.answer(asks[0].id, answer(&[frame(&[], &points)]), &calm);
    let facts = collect.finish();
    assert_eq!((booked(&only(&facts, 0, 300)), booked(&only(&facts, 1, 300))), (1.0, 0.25));
    assert_eq!(booked(&only(&facts, 1, 600)), 1.0);
    assert_eq!(slots(&facts, 1)[2].1, SlotState::Absent);
}
