//! Booked sums against an ideal observer of every series.

use proptest::prelude::*;

use super::model::{Model, Stream};
use super::*;

/// What happens at each scrape.
#[derive(Clone, Debug)]
enum Scrape {
    Grow(u32),
    Reset(u32),
    Dip,
    Miss,
}

fn scrape() -> impl Strategy<Value = Scrape> {
    prop_oneof![
        20 => (0u32..50).prop_map(Scrape::Grow),
        1 => (0u32..5).prop_map(Scrape::Reset),
        1 => Just(Scrape::Dip),
        3 => Just(Scrape::Miss),
    ]
}

/// A series born at some time, scraped at some distance, on the grid or off it.
fn stream() -> impl Strategy<Value = Stream> {
    let scrapes = prop::collection::vec(scrape(), 1..80);
    (0i64..1200, prop::sample::select(vec![5i64, 10, 15, 30, 45, 60, 90]), 0u32..2000, scrapes, 0..3u8)
        .prop_map(|(born, every, value, scrapes, route)| {
            let mut value = f64::from(value);
            let mut samples = Vec::new();
            for (i, scrape) in (0..).zip(&scrapes) {
                value = match scrape {
                    Scrape::Grow(by) => value + f64::from(*by),
                    Scrape::Reset(to) => f64::from(*to),
                    Scrape::Dip => (value - 1.0).max(0.0),
                    Scrape::Miss => continue,
                };
                samples.push((born + i * every, value));
            }
            Stream { labels: labels(&[("route", &route.to_string())]), samples, ended: None }
        })
}

/// Per series and slot: the newest sample against the newest before it, and what grew before a
/// reset in between. That is the ideal observer itself, unless a series restarts thrice in a slot, or
/// twice and not at once.
fn ideal(stream: &Stream, group: &QueryGroup, closed: bool, t: i64) -> f64 {
    let (s, l) = (30, group.lookback(Span::from_secs(30)).secs());
    let most = stream.largest(closed, t - s, t).unwrap_or_default();
    match (stream.last(closed, t - s, t), stream.last(closed, t - s - l, t - s)) {
        (Some(u), Some(p)) if u < 0.875 * most && most < 0.875 * p => u + most,
        (Some(u), Some(p)) if u < 0.875 * p.max(most) => u + (most - p).max(0.0),
        (Some(u), Some(p)) => (u - p).max(0.0),
        (Some(u), None) => u,
        (None, _) => 0.0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_slot_of_every_group_is_what_an_observer_of_each_series_counts(
        streams in prop::collection::vec(stream(), 1..6), closed: bool, grouped: bool
    ) {
        let by = if grouped { vec!["route".to_owned()] } else { vec![] };
        let group = QueryGroup { by, left_open: !closed, interval: Some(Span::from_secs(90)), ..group() };
        let model = Model { streams, closed, ..Model::default() };
        let (facts, _) = run(&group, &model, (0, 6000), &calm);
        for (t, state) in slots(&facts, 0) {
            let groups = if let SlotState::Known(groups) = state { groups } else { vec![] };
            for fact in &groups {
                let own = |s: &&Stream| !grouped || s.labels == fact.group;
                let want: f64 = model.streams.iter().filter(own).map(|s| ideal(s, &group, closed, t)).sum();
                prop_assert_eq!(booked(fact), want, "slot {} of {:?}", t, fact.group);
                prop_assert_eq!(fact.withheld, Events::ZERO);
            }
            let counted: f64 = groups.iter().map(booked).sum();
            let want: f64 = model.streams.iter().map(|s| ideal(s, &group, closed, t)).sum();
            prop_assert_eq!(counted, want, "slot {}", t);
        }
    }

    #[test]
    fn without_falls_the_sum_is_all_that_ever_happened(streams in prop::collection::vec(stream(), 1..6), closed: bool) {
        let grows = |mut s: Stream| {
            let mut largest = 0.0f64;
            for (_, v) in &mut s.samples {
                largest = largest.max(*v);
                *v = largest;
            }
            s
        };
        let streams: Vec<Stream> = streams.into_iter().map(grows).collect();
        let want: f64 = streams.iter().filter_map(|s| s.samples.last()).map(|(_, v)| v).sum();
        let group = QueryGroup { left_open: !closed, lookback: Span::from_hours(3), ..group() };
        let (facts, asked) = run(&group, &Model { streams, closed, ..Model::default() }, (-30, 9000), &calm);
        prop_assert_eq!(sum(&facts, 0), want);
        prop_assert!(asked.iter().all(|q| !q.contains("(0 * ")), "the cheap form proves it");
    }
}

#[test]
fn a_sample_exactly_on_the_edge_is_counted_once_on_both_kinds_of_range() {
    for closed in [false, true] {
        let samples = vec![(0, 5.0), (30, 9.0), (60, 9.0), (90, 20.0)];
        let model =
            Model { streams: vec![Stream { samples, ..Stream::default() }], closed, ..Model::default() };
        let (facts, _) = run(&QueryGroup { left_open: !closed, ..group() }, &model, (-30, 120), &calm);
        let counts: Vec<f64> = [0, 30, 60, 90, 120].map(|t| booked(&only(&facts, 0, t))).to_vec();
        assert_eq!(counts, [5.0, 4.0, 0.0, 11.0, 0.0], "closed: {closed}");
    }
}

#[test]
fn two_lives_that_end_in_one_slot_are_both_counted() {
    let of = |samples: &[(i64, f64)]| {
        let stream = Stream { samples: samples.to_vec(), ..Stream::default() };
        let (facts, _) = run(&group(), &Model { streams: vec![stream], ..Model::default() }, (30, 60), &calm);
        booked(&only(&facts, 0, 60))
    };
    assert_eq!(of(&[(28, 1000.0), (43, 50.0), (58, 20.0)]), 70.0);
    assert_eq!(of(&[(28, 1000.0), (43, 1010.0), (58, 20.0)]), 30.0, "one reset");
    assert_eq!(of(&[(28, 1000.0), (43, 990.0), (58, 20.0)]), 20.0, "a dip and a reset");
}

#[test]
fn only_what_fell_is_asked_again() {
    let steady =
        Stream { labels: labels(&[("route", "a")]), samples: vec![(10, 50.0), (40, 60.0)], ended: None };
    let reset =
        Stream { labels: labels(&[("route", "b")]), samples: vec![(10, 50.0), (40, 7.0)], ended: None };
    let group = QueryGroup { by: vec!["route".into()], ..group() };
    let model = Model { streams: vec![steady, reset], ..Model::default() };
    let (facts, asked) = run(&group, &model, (30, 60), &calm);
    assert_eq!(asked.len(), 2);
    assert!(asked[1].contains(r#"x{route="b"}"#) && !asked[1].contains(r#"route=~"#), "{}", asked[1]);
    let (_, state) = slots(&facts, 0).remove(0);
    let SlotState::Known(groups) = state else { panic!() };
    assert_eq!(groups.iter().map(booked).collect::<Vec<_>>(), [10.0, 7.0]);
}

#[test]
fn a_series_that_ended_is_looked_into_once_and_takes_nothing_away() {
    let grows = |until: i64| Stream {
        samples: (0..until).map(|i| (30 * i, 10.0 * i as f64 + 40.0)).collect(),
        ..Stream::default()
    };
    for closed in [false, true] {
        let model = Model { streams: vec![grows(60), grows(4)], closed, ..Model::default() };
        let (facts, asked) = run(&QueryGroup { left_open: !closed, ..group() }, &model, (120, 1500), &calm);
        assert!((150..=1500).step_by(30).all(|t| booked(&only(&facts, 0, t)) == 10.0), "closed: {closed}");
        assert_eq!(asked.len(), 2, "closed: {closed}");
    }
}

#[test]
fn a_fall_that_cannot_be_looked_into_leaves_only_its_group_unknown() {
    let steady =
        Stream { labels: labels(&[("route", "a")]), samples: vec![(10, 50.0), (40, 60.0)], ended: None };
    let reset =
        Stream { labels: labels(&[("route", "b")]), samples: vec![(10, 50.0), (40, 7.0)], ended: None };
    let model = Model { streams: vec![steady, reset.clone()], ..Model::default() };
    let grouped = QueryGroup { by: vec!["route".into()], ..group() };
    let main_only = |model: &Model, group: &QueryGroup| {
        let (model, group) = (model.clone(), group.clone());
        move |ask: &super::super::Ask| {
            if ask.query.promql.contains(r#""m", "", "")"#) { model.answer(&group, ask) } else { failed() }
        }
    };
    let (facts, _) = run_with(&grouped, (30, 60), &calm, main_only(&model, &grouped));
    let SlotState::Known(groups) = slots(&facts, 0).remove(0).1 else { panic!() };
    assert_eq!(groups.iter().map(|g| g.trust).collect::<Vec<_>>(), [Trust::Counted, Trust::Open]);

    let alone = Model { streams: vec![reset], ..Model::default() };
    let (facts, _) = run_with(&group(), (30, 60), &calm, main_only(&alone, &group()));
    assert_eq!(slots(&facts, 0), [(60, SlotState::Unknown)]);
}

#[test]
fn nothing_is_absent_and_failed_is_unknown() {
    let (facts, asked) = run(&group(), &Model::default(), (0, 60), &calm);
    assert_eq!(slots(&facts, 0), [(30, SlotState::Absent), (60, SlotState::Absent)]);
    assert_eq!(asked.len(), 1);
    let (facts, _) = run_with(&group(), (0, 60), &calm, |_| failed());
    assert_eq!(slots(&facts, 0), [(30, SlotState::Unknown), (60, SlotState::Unknown)]);
}

#[test]
fn a_deadline_may_cut_in_before_any_answer() {
    let (collect, asks) = Collect::begin(&Arc::new(group()), Tier::Fine, Ts(0), Ts(60));
    assert_eq!(asks.len(), 1);
    assert!(!collect.is_done());
    assert_eq!(slots(&collect.finish(), 0), [(30, SlotState::Unknown), (60, SlotState::Unknown)]);
}

#[test]
fn samples_that_stop_are_stale_and_a_quiet_service_is_not() {
    let stopped = Model {
        streams: vec![Stream { samples: (0..20).map(|i| (i * 15, 50.0)).collect(), ..Stream::default() }],
        ..Model::default()
    };
    let (facts, _) = run(&group(), &stopped, (240, 390), &calm);
    let trust: Vec<Trust> = [270, 300, 330, 360, 390].map(|t| only(&facts, 0, t).trust).to_vec();
    use Trust::{Counted, Stale};
    assert_eq!(trust, [Counted, Counted, Stale, Stale, Stale]);
    let mut bad = group();
    bad.members[0].wanted[0].role = Role { bad: true, ..Role::default() };
    let (facts, asked) = run(&bad, &stopped, (240, 390), &calm);
    assert_eq!(only(&facts, 0, 390).trust, Counted, "whether bad is fresh, its total says");
    assert_eq!(asked.len(), 1);
}

/// Scraped every 15 s, last at 285.
fn quiet(labels: Labels, ended: Option<i64>) -> Stream {
    Stream { labels, samples: (0..20).map(|i| (i * 15, 50.0)).collect(), ended }
}

#[test]
fn a_series_that_ended_is_absent_at_once() {
    let model = Model { streams: vec![quiet(Labels::new(), Some(300))], ..Model::default() };
    let (facts, asked) = run(&group(), &model, (240, 390), &calm);
    for (end, state) in slots(&facts, 0) {
        assert_eq!(state == SlotState::Absent, end > 300, "{end}: {state:?}");
    }
    assert_eq!(asked.len(), 2);
}

#[test]
fn samples_that_stop_stay_stale_when_the_source_forgets_them() {
    let model = Model { streams: vec![quiet(Labels::new(), None)], ..Model::default() };
    let (facts, _) = run(&group(), &model, (300, 720), &calm);
    for (end, state) in slots(&facts, 0) {
        assert!(matches!(&state, SlotState::Known(g) if g[0].trust == Trust::Stale), "{end}: {state:?}");
    }
    // The same when only the newest slots are asked, as a tick does.
    let stale = |_: SeriesIx, _: &Labels, at: Ts| Past {
        stale: at == Ts(660),
        ..calm(SeriesIx(0), &labels(&[]), at)
    };
    let (facts, _) = run(&group(), &model, (630, 720), &stale);
    assert_eq!(only(&facts, 0, 720).trust, Trust::Stale);
}

#[test]
fn a_group_that_ended_while_others_live_has_no_events() {
    let by_route = QueryGroup { by: vec!["route".into()], ..group() };
    let living = Stream {
        labels: labels(&[("route", "b")]),
        samples: (0..60).map(|i| (i * 15, 50.0)).collect(),
        ended: None,
    };
    let model =
        Model { streams: vec![quiet(labels(&[("route", "a")]), Some(300)), living], ..Model::default() };
    let (facts, _) = run(&by_route, &model, (240, 390), &calm);
    assert_eq!(only(&facts, 0, 390).group, labels(&[("route", "b")]));
    assert_eq!(only(&facts, 0, 390).trust, Trust::Counted);
}

#[test]
fn sums_too_large_to_be_exact_are_asked_joined() {
    let big = 9_007_199_254_740_000.0;
    let stream = Stream { samples: vec![(10, big), (40, big + 40.0)], ..Stream::default() };
    let (facts, asked) = run(&group(), &Model { streams: vec![stream], ..Model::default() }, (30, 60), &calm);
    assert_eq!(booked(&only(&facts, 0, 60)), 40.0);
    assert_eq!(asked.len(), 2);
}

#[test]
fn what_is_not_a_number_is_not_a_count() {
    let stream = Stream { samples: vec![(10, 5.0), (40, f64::NAN)], ..Stream::default() };
    let (facts, _) = run(&group(), &Model { streams: vec![stream], ..Model::default() }, (30, 60), &calm);
    assert_eq!(slots(&facts, 0), [(60, SlotState::Unknown)]);
}

#[test]
fn merged_members_go_their_own_ways() {
    let mut merged = group();
    merged.merge = Some("service".into());
    let wanted = |i| vec![Wanted { series: SeriesIx(i), ..merged.members[0].wanted[0] }];
    merged.members = vec![
        Member { value: Some("a".into()), wanted: wanted(0) },
        Member { value: Some("b".into()), wanted: wanted(1) },
    ];
    let stream = |service: &str| Stream {
        labels: labels(&[("service", service)]),
        samples: vec![(10, 50.0), (40, 60.0)],
        ended: None,
    };
    let model = Model { streams: vec![stream("a"), stream("other")], ..Model::default() };
    let (facts, _) = run(&merged, &model, (30, 60), &calm);
    assert_eq!(booked(&only(&facts, 0, 60)), 10.0);
    assert_eq!(slots(&facts, 1), [(60, SlotState::Absent)]);
}

#[test]
fn long_ranges_are_asked_in_pieces() {
    let (_, asks) = Collect::begin(&Arc::new(group()), Tier::Fine, Ts(0), Ts(30 * 2500));
    let points = |a: &super::super::Ask| (a.query.end.0 - a.query.start.0) / 30 + 1;
    assert_eq!(asks.iter().map(points).collect::<Vec<_>>(), [1001, 1001, 501]);
}

#[test]
fn good_events_that_cannot_be_read_do_not_turn_bad() {
    let mut good = QueryGroup { by: vec!["route".into()], ..group() };
    good.members[0].wanted[0].role = Role { good_of: Some(SeriesIx(7)), ..Role::default() };
    let reset =
        Stream { labels: labels(&[("route", "b")]), samples: vec![(10, 50.0), (40, 7.0)], ended: None };
    let model = Model { streams: vec![reset], ..Model::default() };
    let (facts, _) = run_with(&good, (30, 60), &calm, |ask| match ask.id.0 {
        0 => model.answer(&good, ask),
        _ => failed(),
    });
    assert_eq!(slots(&facts, 0), [(60, SlotState::Unknown)]);
}
