//! What only looks newborn or reset, against what truly is.

use super::model::{Model, Stream};
use super::*;
use crate::engine::fact::Trust;

const POD: [(&str, &str); 2] = [("job", "web"), ("instance", "pod-1")];

/// A sample every 15 s in `[from, to)`, growing by `each` from `first`.
pub(super) fn growing(extra: &[(&str, &str)], (from, to): (i64, i64), first: f64, each: f64) -> Stream {
    let samples = (0..(to - from) / 15).map(|i| (from + i * 15, first + each * i as f64)).collect();
    Stream { labels: labels(&[&POD, extra].concat()), samples, ..Stream::default() }
}

pub(super) fn target(name: &'static str, (from, to): (i64, i64), value: f64) -> (&'static str, Vec<Stream>) {
    (name, vec![growing(&[], (from, to), value, 0.0)])
}

pub(super) fn fact(model: &Model, end: i64) -> (GroupFact, usize) {
    let (facts, asked) = run(&group(), model, (end - 30, end), &usual(100));
    (only(&facts, 0, end), asked.len())
}

/// The end of a slot, and the first scrape after it.
pub(super) const NOON: i64 = 43_200;
pub(super) const NEW: i64 = NOON + 15;

#[test]
fn a_relabel_of_an_old_counter_books_only_what_it_grew() {
    // Between two slots, and inside one.
    for (first_new, want) in [(NEW, 20.0), (NEW + 15, 20.0)] {
        let scrapes = (first_new / 15) as f64;
        let old = growing(&[("env", "")], (0, first_new), 1_000_000.0, 10.0);
        let new = growing(&[("env", "prod")], (first_new, NOON + 600), 1_000_000.0 + scrapes * 10.0, 10.0);
        let up = target("up", (0, NOON + 600), 1.0);
        let model = Model { streams: vec![old, new], targets: [up].into(), ..Model::default() };
        let (fact, _) = fact(&model, NOON + 30);
        assert!(fact.raw > Events::whole(1_000_000), "{fact:?}");
        assert_eq!((booked(&fact), fact.trust), (want, Trust::Counted));
    }
}

#[test]
fn the_first_scrape_of_a_long_running_service_is_withheld() {
    let pod = growing(&[], (NEW, NOON + 600), 1_000_000.0, 10.0);
    let start = target("start", (NEW, NOON + 600), 0.0);
    let model = Model { streams: vec![pod], targets: [start].into(), ..Model::default() };
    let (fact, _) = fact(&model, NOON + 30);
    assert_eq!((booked(&fact), fact.trust), (0.0, Trust::Partial));
}

#[test]
fn a_process_that_began_in_the_gap_books_whole() {
    let pod = growing(&[], (NEW, NOON + 600), 5000.0, 10.0);
    let start = target("start", (NEW, NOON + 600), NOON as f64 - 20.0);
    let model = Model { streams: vec![pod], targets: [start].into(), ..Model::default() };
    let (fact, _) = fact(&model, NOON + 30);
    assert_eq!((booked(&fact), fact.trust), (5010.0, Trust::Counted));
}

#[test]
fn errors_born_on_a_target_that_was_up_book_whole() {
    let errors = growing(&[("code", "500")], (NEW, NOON + 600), 5000.0, 10.0);
    let up = target("up", (0, NOON + 600), 1.0);
    let model = Model { streams: vec![errors], targets: [up].into(), ..Model::default() };
    assert_eq!(booked(&fact(&model, NOON + 30).0), 5010.0);
}

#[test]
fn a_burst_without_births_is_booked_as_it_is() {
    let mut pod = growing(&[], (NOON - 600, NOON + 600), 1000.0, 1.0);
    for (at, value) in &mut pod.samples {
        *value += if *at >= NEW { 50_000.0 } else { 0.0 };
    }
    let (fact, asked) = fact(&Model { streams: vec![pod], ..Model::default() }, NOON + 30);
    assert_eq!((booked(&fact), fact.trust, asked), (50_002.0, Trust::Counted, 2));
}

#[test]
fn a_fall_whose_process_runs_on_is_withheld() {
    let mut pod = growing(&[], (NOON - 600, NOON + 600), 1_000_000.0, 0.0);
    for (at, value) in &mut pod.samples {
        *value -= if *at >= NEW { 400_000.0 } else { 0.0 };
    }
    let start = |began| target("start", (NOON - 600, NOON + 600), began);
    let model =
        |began| Model { streams: vec![pod.clone()], targets: [start(began)].into(), ..Model::default() };
    let (runs_on, _) = fact(&model(0.0), NOON + 30);
    assert_eq!((booked(&runs_on), runs_on.trust), (0.0, Trust::Partial));
    assert_eq!(booked(&fact(&model(NOON as f64 - 5.0), NOON + 30).0), 600_000.0);
}

#[test]
fn a_target_that_comes_back_spreads_what_it_grew_by_over_the_slots_it_was_away() {
    // Away for twenty minutes, twice the lookback; another pod keeps the group alive with one event a slot.
    let (gone, back) = (NEW, NEW + 1200);
    let end = NOON + 1230;
    let mut pod = growing(&[], (NOON - 600, gone), 1_000_000.0, 10.0);
    let last = pod.samples.last().unwrap().1;
    pod.samples.extend(growing(&[], (back, back + 600), last + 2007.0, 10.0).samples);
    let other = Stream {
        labels: labels(&[("job", "web"), ("instance", "pod-2")]),
        ..growing(&[], (NOON - 600, back + 600), 0.0, 0.5)
    };
    let model = Model { streams: vec![pod, other], ..Model::default() };
    let (facts, _) = run(&group(), &model, (end - 30, end), &usual(100));
    let here = only(&facts, 0, end);
    assert_eq!(here.trust, Trust::Estimated);
    let (away, slots) = (41.0, slots(&facts, 0));
    assert_eq!(slots.len(), 41, "from the slot after the last sample to the one it came back in");
    // The difference to the newest sample of the slot: 2007 and one step of 10; and the other pod's.
    assert_eq!(sum(&facts, 0), 2017.0 + away);
    assert!((booked(&here) - (2017.0 / away + 1.0)).abs() < 0.01, "{here:?}");
    let before = only(&facts, 0, end - 30);
    assert!(before.withheld < Events::ZERO && before.raw == Events::whole(1), "{before:?}");
}

/// As after a switch to a replica that had one scrape less.
#[test]
fn a_target_that_comes_back_a_little_lower_did_nothing_and_one_that_began_again_did_all() {
    for (value, events) in [(999_999.0, 0.0), (2000.0, 2000.0)] {
        let mut pod = growing(&[], (NOON - 600, NEW), 1_000_000.0, 0.0);
        pod.samples.extend(growing(&[], (NEW + 1200, NOON + 1800), value, 0.0).samples);
        let model = Model { streams: vec![pod], ..Model::default() };
        let (facts, _) = run(&group(), &model, (NOON + 1200, NOON + 1230), &usual(100));
        assert_eq!(sum(&facts, 0), events);
    }
}

#[test]
fn a_target_that_comes_back_without_a_trace_of_its_growth_is_withheld() {
    let mut pod = growing(&[], (NOON - 585, NEW), 1_000_000.0, 10.0);
    pod.samples.extend(growing(&[], (NEW + 1200, NOON + 1800), 1_002_390.0, 10.0).samples);
    let model = Model { streams: vec![pod], ..Model::default() };
    let (end, group) = (NOON + 1230, group());
    let (facts, _) = run_with(&group, (end - 30, end), &usual(100), |ask| {
        if ask.query.promql.contains("back") { failed() } else { model.answer(&group, ask) }
    });
    let fact = only(&facts, 0, end);
    assert_eq!((booked(&fact), fact.trust), (0.0, Trust::Partial));
}

#[test]
fn without_the_older_slots_the_growth_stays_within_the_range() {
    let mut pod = growing(&[], (NOON - 585, NEW), 1_000_000.0, 10.0);
    pod.samples.extend(growing(&[], (NEW + 1200, NOON + 1800), 1_002_390.0, 10.0).samples);
    let model = Model { streams: vec![pod], ..Model::default() };
    let end = NOON + 1230;
    let group = group();
    let (facts, _) = run_with(&group, (end - 30, end), &usual(100), |ask| match ask.query.end < Ts(end) {
        true => failed(),
        false => model.answer(&group, ask),
    });
    let slots = slots(&facts, 0);
    assert!(slots[..slots.len() - 1].iter().all(|(_, state)| *state == SlotState::Unknown));
    assert_eq!(booked(&only(&facts, 0, end)), 2010.0);
}

#[test]
fn the_first_slot_ever_books_differences_only() {
    let streams = vec![
        growing(&[("route", "a")], (0, 600), 1_000_000.0, 10.0),
        growing(&[("route", "b")], (15, 600), 50.0, 10.0),
    ];
    let first = |_: SeriesIx, _: &Labels, _: Ts| Past::default();
    let (facts, _) = run(&group(), &Model { streams, ..Model::default() }, (-300, 300), &first);
    assert_eq!(booked(&only(&facts, 0, 0)), 0.0);
    assert_eq!(only(&facts, 0, 0).trust, Trust::Estimated);
    assert_eq!(booked(&only(&facts, 0, 30)), 20.0 + 60.0, "a small birth right after it counts");
    assert_eq!(booked(&only(&facts, 0, 60)), 40.0);
}

#[test]
fn a_backfill_learns_what_is_usual_as_it_goes() {
    let pod = growing(&[], (0, 30_000), 1_000_000.0, 1000.0);
    let first = |_: SeriesIx, _: &Labels, _: Ts| Past::default();
    let (facts, asked) =
        run(&group(), &Model { streams: vec![pod], ..Model::default() }, (-300, 29_970), &first);
    assert!(asked.len() <= 4, "{}", asked.len());
    assert_eq!(booked(&only(&facts, 0, 30)), 2000.0);
    assert_eq!(booked(&only(&facts, 0, 29_970)), 2000.0);
}

#[test]
fn good_events_are_in_doubt_only_when_their_total_is() {
    let mut good = group();
    good.members[0].wanted[0].role = Role { good_of: Some(SeriesIx(7)), ..Role::default() };
    let new = growing(&[], (NEW, NOON + 600), 500.0, 10.0);
    let old = Stream {
        labels: labels(&[("job", "web"), ("instance", "pod-2")]),
        ..growing(&[], (0, NOON + 600), 0.0, 1.0)
    };
    let model = Model { streams: vec![new, old], ..Model::default() };
    let past = |series: SeriesIx, _: &Labels, _: Ts| Past {
        largest: Events::whole(if series == SeriesIx(7) { 1000 } else { 10 }),
        begun: true,
        ..Past::default()
    };
    let (facts, asked) = run(&good, &model, (NOON, NOON + 30), &past);
    assert_eq!((booked(&only(&facts, 0, NOON + 30)), asked.len()), (512.0, 1));
}

#[test]
fn the_first_errors_ever_are_booked() {
    let mut bad = group();
    bad.members[0].wanted[0].role = Role { bad: true, ..Role::default() };
    let errors = growing(&[("code", "500")], (NEW, NOON + 600), 40.0, 0.0);
    let up = target("up", (0, NOON + 600), 1.0);
    let model = Model { streams: vec![errors], targets: [up].into(), ..Model::default() };
    let first = |_: SeriesIx, _: &Labels, _: Ts| Past::default();
    let (facts, _) = run(&bad, &model, (NOON - 300, NOON + 60), &first);
    assert_eq!(booked(&only(&facts, 0, NOON + 30)), 40.0);
}

#[test]
fn a_relabel_while_nothing_was_scraped_books_only_what_it_grew() {
    // Prometheus was down for three minutes, and came back with other rules.
    let (gone, back) = (NOON - 165, NEW);
    let old = growing(&[("env", "")], (0, gone), 1_000_000.0, 10.0);
    let first = 1_000_000.0 + (back / 15) as f64 * 10.0;
    let new = growing(&[("env", "prod")], (back, NOON + 600), first, 10.0);
    let mut up = target("up", (0, gone), 1.0);
    up.1[0].samples.extend(growing(&[], (back, NOON + 600), 1.0, 0.0).samples);
    let model = Model { streams: vec![old, new], targets: [up].into(), ..Model::default() };
    let (fact, _) = fact(&model, NOON + 30);
    assert_eq!((booked(&fact), fact.trust), (140.0, Trust::Counted), "fourteen scrapes since the last");
}

/// Two processes that a balancer hides behind one address: each scrape may see another.
fn balanced(which: impl Fn(i64) -> f64) -> Stream {
    let samples = (0..400).map(|n| NOON - 3000 + n * 15).map(|at| (at, which(at) + (at / 15) as f64 * 10.0));
    Stream { labels: labels(&POD), samples: samples.collect(), ended: None }
}

#[test]
fn a_second_process_behind_the_same_address_lends_no_life() {
    let other = |at: i64| if (NOON - 60..NOON).contains(&at) { 0.0 } else { 1_000_000.0 };
    let alternates = |at: i64| if at / 15 % 2 == 0 { 0.0 } else { 1_000_000.0 };
    for (pod, ends) in [(balanced(other), 2), (balanced(alternates), 6)] {
        let start = target("start", (NOON - 3000, NOON + 600), 0.0);
        let up = target("up", (NOON - 3000, NOON + 600), 1.0);
        let model = Model { streams: vec![pod], targets: [start, up].into(), ..Model::default() };
        for end in (0..ends).map(|n| NOON + n * 30) {
            let (fact, _) = fact(&model, end);
            assert!(booked(&fact) <= 60.0, "{end}: {fact:?}");
        }
    }
}

#[test]
fn what_a_process_held_that_ended_is_not_taken_from_the_one_after_it() {
    // Restarted between two scrapes, and other errors than before the restart: as by a bad deploy.
    for (began, want) in [(NOON - 5, 4500.0), (NOON - 200, 500.0)] {
        let old = growing(&[("code", "503")], (0, NOON), 4000.0, 0.0);
        let new = growing(&[("code", "500")], (NEW, NOON + 600), 4500.0, 0.0);
        let whole = (0, NOON + 600);
        let targets = [target("up", whole, 1.0), target("start", whole, began as f64)].into();
        let model = Model { streams: vec![old, new], targets, ..Model::default() };
        let (fact, _) = fact(&model, NOON + 30);
        assert_eq!((booked(&fact), fact.trust), (want, Trust::Counted), "began at {began}");
    }
}

#[test]
fn what_left_lends_its_life_once() {
    let old = growing(&[("env", ""), ("code", "500")], (0, NEW + 15), 5000.0, 0.0);
    let moved = growing(&[("env", "prod"), ("code", "500")], (NEW + 15, NOON + 600), 5000.0, 0.0);
    let other = growing(&[("env", "prod"), ("code", "503")], (NOON + 45, NOON + 600), 400.0, 0.0);
    let up = target("up", (0, NOON + 600), 1.0);
    let model = Model { streams: vec![old, moved, other], targets: [up].into(), ..Model::default() };
    let booked = [NOON + 30, NOON + 60, NOON + 90].map(|end| {
        let (fact, _) = fact(&model, end);
        (booked(&fact), fact.trust)
    });
    assert_eq!(booked, [(0.0, Trust::Counted), (400.0, Trust::Counted), (0.0, Trust::Counted)]);
}

#[test]
fn a_burst_after_a_restart_is_no_return() {
    let mut pod = growing(&[], (NOON - 3000, NOON + 600), 1000.0, 0.0);
    for (at, value) in &mut pod.samples {
        *value = if *at >= NEW {
            5000.0
        } else if *at >= NOON - 120 {
            3.0
        } else {
            *value
        };
    }
    let up = target("up", (NOON - 3000, NOON + 600), 1.0);
    let start = target("start", (NOON - 3000, NOON + 600), (NOON - 130) as f64);
    let model = |targets| Model { streams: vec![pod.clone()], targets, ..Model::default() };
    let (known, _) = fact(&model([up.clone(), start].into()), NOON + 30);
    assert_eq!((booked(&known), known.trust), (4997.0, Trust::Counted));
    // Without the start of the process, only what is beyond the old life is sure.
    let (unknown, _) = fact(&model([up].into()), NOON + 30);
    assert_eq!((booked(&unknown), unknown.trust), (4000.0, Trust::Partial));
}

/// A recorded sum of pods, as its rule writes it every 30 s.
fn recorded(value: impl Fn(i64) -> f64) -> Model {
    let samples = (0..400).map(|n| NOON - 9000 + n * 30).map(|at| (at, value(at))).collect();
    let streams = vec![Stream { samples, ..Stream::default() }];
    Model { streams, recorded: true, ..Model::default() }
}

#[test]
fn the_member_of_a_recorded_sum_that_comes_back_brings_no_life() {
    let group = QueryGroup { form: Form::Aggregated, ..group() };
    let grown = |at: i64| 3_000_000.0 + ((at - NOON) / 30) as f64 * 40.0;
    let away = |at: i64| (NOON - 3600..NOON).contains(&at);
    let model = recorded(|at| grown(at) - if away(at) { 1_000_000.0 } else { 0.0 });
    let (facts, _) = run(&group, &model, (NOON - 7200, NOON + 600), &usual(40));
    let back = only(&facts, 0, NOON);
    assert_eq!((booked(&back), back.trust), (0.0, Trust::Partial));
    assert_eq!(sum(&facts, 0), 258.0 * 40.0, "all but the slots in which it left and came back");
    // Members that restart, and a burst that is larger than ever.
    let burst = |at: i64| if at >= NOON { 50_000.0 } else { 0.0 };
    let model = recorded(|at| if at < NOON - 600 { grown(at) } else { burst(at) + (at - NOON + 600) as f64 });
    let (facts, _) = run(&group, &model, (NOON - 300, NOON + 300), &usual(40));
    assert_eq!((booked(&only(&facts, 0, NOON)), only(&facts, 0, NOON).trust), (50_030.0, Trust::Counted));
}
