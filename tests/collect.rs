//! The queries that count events, asked of a real Prometheus, old and new.

#![allow(clippy::cast_precision_loss, reason = "small whole numbers, exact in a float")]

use std::collections::BTreeMap;
use std::sync::Arc;

use damper::engine::collect::{Ask, AskId, Collect, Doubt, LookUp, Past};
use damper::engine::fact::{Facts, GroupFact, SeriesIx, SlotState, Tier, Trust};
use damper::engine::plan::{BucketPair, Form, Member, QueryGroup, Role, Take, Wanted};
use damper::engine::sample::{Answer, Frame, Reading};
use damper::slo::model::Labels;
use damper::slo::query::{MatchOp, Matcher, Selector};
use damper::slo::time::{Span, Step, Ts};
use damper::slo::unit::{Events, Finite};

use crate::support::native::Native;
use crate::support::now_ms;
use crate::support::prometheus::{Prometheus, Version};
use crate::support::remote_write::STALE;
use crate::support::tsdb::Series;

/// Four days ago, on a slot's edge: every test's data begins there.
fn begin() -> i64 {
    now_ms() / 1000 / 3600 * 3600 - 4 * 86_400
}

fn group(version: Version, metric: &str) -> QueryGroup {
    let role = Role { total: true, ..Role::default() };
    QueryGroup {
        source: "local".into(),
        form: Form::Counter,
        step: Step::DEFAULT,
        base: Selector { metric: metric.into(), matchers: vec![] },
        merge: None,
        by: vec![],
        members: vec![Member {
            value: None,
            wanted: vec![Wanted { series: SeriesIx(0), take: Take::Whole, role }],
        }],
        left_open: version == Version::New,
        lookback: Span::from_mins(10),
        interval: Some(Span::from_secs(15)),
    }
}

fn usual(largest: i64) -> impl Fn(SeriesIx, &Labels, Ts) -> Past {
    move |_, _, _| Past { largest: Events::whole(largest), begun: true, ..Past::default() }
}

async fn ask(prometheus: &Prometheus, ask: &Ask) -> Answer {
    let (from, to, every) = (ask.query.start.0 * 1000, ask.query.end.0 * 1000, ask.query.every.secs() * 1000);
    let reading = |value: f64| Finite::new(value).map_or(Reading::NotANumber, Reading::Value);
    let frame = |series: Series| Frame {
        labels: series.labels,
        points: series.samples.into_iter().map(|(at, value)| (Ts(at / 1000), reading(value))).collect(),
    };
    let series = prometheus.range(&ask.query.promql, from, to, every).await;
    Answer::Frames { frames: series.into_iter().map(frame).collect(), notes: vec![] }
}

async fn run(
    prometheus: &Prometheus,
    group: &QueryGroup,
    tier: Tier,
    (from, to): (i64, i64),
    past: LookUp<'_>,
) -> (Vec<Facts>, usize) {
    let (mut collect, mut asks) = Collect::begin(&Arc::new(group.clone()), tier, Ts(from), Ts(to));
    let mut asked = 0;
    while let Some(next) = asks.pop() {
        asked += 1;
        let answer = ask(prometheus, &next).await;
        asks.extend(collect.answer(next.id, answer, past));
    }
    (collect.finish(), asked)
}

/// Booked per group and slot.
fn booked(facts: &[Facts], series: u32) -> BTreeMap<(Labels, i64), f64> {
    let own = facts.iter().find(|f| f.series == SeriesIx(series)).unwrap();
    let groups = |state: &SlotState| match state {
        SlotState::Known(groups) => groups.clone(),
        _ => vec![],
    };
    let fact = |end: Ts, g: GroupFact| ((g.group.clone(), end.0), g.raw.minus(g.withheld).as_f64());
    own.slots.iter().flat_map(|s| groups(&s.state).into_iter().map(move |g| fact(s.end, g))).collect()
}

fn only(facts: &[Facts], series: u32, end: i64) -> GroupFact {
    let own = facts.iter().find(|f| f.series == SeriesIx(series)).unwrap();
    let slot = own.slots.iter().find(|slot| slot.end == Ts(end)).unwrap();
    match &slot.state {
        SlotState::Known(groups) if groups.len() == 1 => groups[0].clone(),
        other => panic!("{end}: {other:?}"),
    }
}

fn value(fact: &GroupFact) -> f64 {
    fact.raw.minus(fact.withheld).as_f64()
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Twelve series of three services and two routes, scraped every 15 s at different phases (some
/// exactly on slot edges), with bursts, resets, dips, gaps, late births and early deaths.
fn fleet(t0: i64) -> Vec<Series> {
    let mut dice = Dice(7);
    let one = |i: usize| {
        let (service, route) = (["cart", "pay.eu", "web"][i % 3], ["/a", "/b?"][i % 2]);
        let pod = format!("pod-{i}");
        let series = Series::new(
            "req",
            &[("service", service), ("route", route), ("instance", &pod), ("job", "shop")],
        );
        let phase = if i.is_multiple_of(4) { 0 } else { dice.roll(15_000) };
        let (born, died) = (dice.roll(100), 480 - dice.roll(120));
        let mut count = dice.roll(1000) as f64;
        let mut samples = Vec::new();
        for n in born..died {
            count += match dice.roll(40) {
                0 => 500.0,
                1 => -1.0,
                _ => dice.roll(20) as f64,
            };
            if dice.roll(100) == 0 {
                count = dice.roll(10) as f64;
            }
            if dice.roll(20) > 0 && !(i == 5 && (200..225).contains(&n)) {
                samples.push((t0 * 1000 + n * 15_000 + phase, count.max(0.0)));
            }
        }
        series.with(samples)
    };
    (0..12).map(one).collect()
}

/// What an observer of one series counts in the slot that ends at `t`.
fn observed(series: &Series, closed: bool, t: i64, l: i64) -> Option<f64> {
    let range = |from: i64, to: i64| {
        let inside = move |at: i64| at > from * 1000 - i64::from(closed) && at <= to * 1000;
        series.samples.iter().filter(move |(at, _)| inside(*at)).map(|(_, v)| *v)
    };
    let last = |from: i64, to: i64| range(from, to).next_back();
    let most = range(t - 30, t).fold(0.0, f64::max);
    match (last(t - 30, t), last(t - 30 - l, t - 30)) {
        (Some(u), Some(p)) if u < 0.875 * most && most < 0.875 * p => Some(u + most),
        (Some(u), Some(p)) if u < 0.875 * p.max(most) => Some(u + (most - p).max(0.0)),
        (Some(u), Some(p)) => Some((u - p).max(0.0)),
        (Some(u), None) => Some(u),
        (None, p) => p.map(|_| 0.0),
    }
}

#[tokio::test]
async fn merged_and_grouped_counters_are_what_an_observer_of_each_series_counts() {
    let t0 = begin();
    let fleet = fleet(t0);
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).data(&fleet).start().await;
        let mut group = group(version, "req");
        group.by = vec!["route".into()];
        group.merge = Some("service".into());
        group.members = ["cart", "pay.eu", "web"]
            .iter()
            .zip(0..)
            .map(|(service, i)| Member {
                value: Some((*service).into()),
                wanted: vec![Wanted { series: SeriesIx(i), ..group.members[0].wanted[0] }],
            })
            .collect();
        let (facts, asked) = run(&prometheus, &group, Tier::Fine, (t0, t0 + 7200), &usual(1_000_000)).await;
        assert!(asked <= 3, "{asked}");
        for (i, service) in (0..).zip(["cart", "pay.eu", "web"]) {
            let got = booked(&facts, i);
            let mut want: BTreeMap<(Labels, i64), f64> = BTreeMap::new();
            for series in fleet.iter().filter(|s| s.labels["service"] == service) {
                for n in 1..=240 {
                    let t = t0 + n * 30;
                    let Some(count) = observed(series, version == Version::Old, t, 600) else { continue };
                    let key = (Labels::from([("route".into(), series.labels["route"].clone())]), t);
                    *want.entry(key).or_default() += count;
                }
            }
            assert!(want.len() > 200);
            assert_eq!(got, want, "{version:?} {service}");
        }
    }
}

fn scrapes(series: Series, (from, to): (i64, i64), first: f64, each: f64) -> Series {
    series.with((0..(to - from) / 15).map(|i| ((from + i * 15) * 1000, first + each * i as f64)))
}

#[tokio::test]
async fn nothing_that_only_looks_newborn_is_booked() {
    let t0 = begin();
    let noon = t0 + 43_200;
    let target = [("job", "shop"), ("instance", "pod-1")];
    let with = |name: &str, extra: &[(&str, &str)]| Series::new(name, &[&target, extra].concat());
    let day = (t0, noon + 3600);
    let new = (noon + 15, noon + 3600);
    let end = noon + 30;
    let old_process = scrapes(with("process_start_time_seconds", &[]), day, (t0 - 5000) as f64, 0.0);
    let new_process =
        |of: &str| Series::new("process_start_time_seconds", &[("job", of), ("instance", "pod-1")]);
    let data = [
        scrapes(with("up", &[]), day, 1.0, 0.0),
        old_process,
        // A label is added to an old counter.
        scrapes(with("relabelled", &[]), (t0, noon + 15), 1_000_000.0, 10.0),
        scrapes(with("relabelled", &[("env", "prod")]), new, 1_028_810.0, 10.0),
        // An error is born on a target that was up.
        scrapes(with("born", &[("code", "500")]), new, 5000.0, 10.0),
        // The first scrape of a service that has long been running, and of one that has just begun.
        scrapes(Series::new("long", &[("job", "long"), ("instance", "pod-1")]), new, 1_000_000.0, 10.0),
        scrapes(new_process("long"), new, t0 as f64, 0.0),
        scrapes(Series::new("fresh", &[("job", "fresh"), ("instance", "pod-1")]), new, 5000.0, 10.0),
        scrapes(new_process("fresh"), new, noon as f64 - 20.0, 0.0),
        // A series that falls while its process runs on, a dip by one, a true reset.
        scrapes(with("fell", &[]), (t0, noon + 15), 1_000_000.0, 0.0),
        scrapes(with("fell", &[]), new, 600_000.0, 10.0),
        scrapes(with("dip", &[]), (t0, noon + 15), 1_000_030.0, 0.0),
        scrapes(with("dip", &[]), new, 1_000_029.0, 0.0),
        scrapes(with("reset", &[]), (t0, noon + 15), 1_000_000.0, 0.0),
        scrapes(with("reset", &[]), new, 40.0, 10.0),
        // A target back after twenty minutes.
        scrapes(with("back", &[]), (t0, noon - 1185), 1_000_000.0, 1.0),
        scrapes(with("back", &[]), new, 1_009_001.0, 1.0),
    ];
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).data(&data).start().await;
        let check = async |metric: &str| {
            let mut group = group(version, metric);
            group.base.matchers = vec![];
            let (facts, _) = run(&prometheus, &group, Tier::Fine, (noon, end), &usual(100)).await;
            let fact = only(&facts, 0, end);
            let total: f64 = booked(&facts, 0).values().sum();
            (value(&fact), fact.trust, total)
        };
        let here = async |metric: &str| {
            let (value, trust, _) = check(metric).await;
            (value, trust)
        };
        assert_eq!(here("relabelled").await, (20.0, Trust::Counted), "{version:?}");
        assert_eq!(here("born").await, (5010.0, Trust::Counted));
        assert_eq!(here("long").await, (0.0, Trust::Partial));
        assert_eq!(here("fresh").await, (5010.0, Trust::Counted));
        assert_eq!(here("fell").await, (0.0, Trust::Partial));
        assert_eq!(here("dip").await, (0.0, Trust::Counted));
        assert_eq!(here("reset").await, (50.0, Trust::Counted));
        let (_, trust, total) = check("back").await;
        assert_eq!(trust, Trust::Estimated);
        // From 1,000,000 + 2,800 (its last scrape) to 1,009,002.
        let last = data.iter().find(|s| s.labels["__name__"] == "back").unwrap().samples.last().unwrap().1;
        assert!((total - (1_009_002.0 - last)).abs() < 0.01, "{version:?} {total}");
    }
}

#[tokio::test]
async fn gauges_count_each_sample_once_and_recorded_sums_never_book_a_fall() {
    let t0 = begin();
    let gauge = Series::new("probe", &[]).with((0..400).map(|i| ((t0 + i * 30) * 1000, 1.0)));
    let sum = Series::new("job:req:sum", &[]).with((0..400).map(|i| {
        let count = 3_000_000 + i * 40 - if i >= 200 { 1_000_000 } else { 0 };
        ((t0 + i * 30) * 1000, count as f64)
    }));
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).data(&[gauge.clone(), sum.clone()]).start().await;
        for form in [Form::GaugeCount, Form::GaugeSum] {
            let group = QueryGroup { form, ..group(version, "probe") };
            let (facts, _) = run(&prometheus, &group, Tier::Fine, (t0, t0 + 600), &usual(100)).await;
            assert!(booked(&facts, 0).values().all(|count| *count == 1.0), "{version:?}");
        }
        let group = QueryGroup { form: Form::Aggregated, ..group(version, "job:req:sum") };
        let (facts, _) = run(&prometheus, &group, Tier::Fine, (t0 + 5700, t0 + 6300), &usual(100)).await;
        let counts: Vec<f64> = booked(&facts, 0).into_values().collect();
        assert_eq!(counts.iter().filter(|c| **c == 40.0).count(), 19);
        assert_eq!(counts.iter().filter(|c| **c == 0.0).count(), 1);
    }
}

#[tokio::test]
async fn five_minute_slots_are_counted_by_the_same_machine() {
    let t0 = begin();
    let series = scrapes(Series::new("req", &[("job", "shop")]), (t0, t0 + 7200), 1_000_000.0, 10.0);
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).data(std::slice::from_ref(&series)).start().await;
        let first = |_: SeriesIx, _: &Labels, _: Ts| Past::default();
        let (facts, asked) =
            run(&prometheus, &group(version, "req"), Tier::FiveMinutes, (t0 - 3600, t0 + 6900), &first).await;
        let counts: Vec<f64> = booked(&facts, 0).into_values().collect();
        assert!(counts[1..].iter().all(|c| *c == 200.0), "{version:?} {counts:?}");
        assert_eq!(counts[0], 0.0, "the first books differences only");
        assert!(asked <= 3, "{asked}");
    }
}

#[tokio::test]
async fn native_histograms_are_counted_by_guarded_differences() {
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).receives_remote_write().native_histograms().start().await;
        let t0 = now_ms() / 30_000 * 30 - 3000;
        // One series that resets once, one that is born later with observations in it.
        let (mut one, mut two) = (Native::new(3), Native::new(3));
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for i in 0..160 {
            if i == 80 {
                one = Native::new(3);
            }
            if !(20..40).contains(&i) {
                one.observe(0.2, 9);
                one.observe(4.0, 1);
            }
            first.push(((t0 + i * 15 + 5) * 1000, one.clone()));
            if i >= 100 {
                two.observe(4.0, 2);
                second.push(((t0 + i * 15 + 7) * 1000, two.clone()));
            }
        }
        prometheus.write_native(&Series::new("latency", &[("pod", "1")]), &first).await;
        prometheus.write_native(&Series::new("latency", &[("pod", "2")]), &second).await;

        let mut group =
            QueryGroup { form: Form::Native { above: vec!["1".into()] }, ..group(version, "latency") };
        let above =
            Wanted { series: SeriesIx(1), take: Take::Above(0), role: Role { bad: true, ..Role::default() } };
        group.members[0].wanted.push(above);
        let (facts, _) = run(&prometheus, &group, Tier::Fine, (t0, t0 + 2400), &usual(1000)).await;
        let (all, bad) = (booked(&facts, 0), booked(&facts, 1));
        let at = |map: &BTreeMap<(Labels, i64), f64>, i: i64| map[&(Labels::new(), t0 + i * 30)];
        assert_eq!((at(&all, 2), at(&bad, 2)), (20.0, 2.0), "{version:?} {all:?}");
        assert_eq!((at(&all, 15), at(&bad, 15)), (0.0, 0.0), "idle");
        assert_eq!((at(&all, 41), at(&bad, 41)), (20.0, 2.0), "reset");
        assert_eq!((at(&all, 51), at(&bad, 51)), (24.0, 6.0), "born");
        assert_eq!(all.values().sum::<f64>(), 140.0 * 10.0 + 120.0);
        let slow: f64 = bad.values().sum();
        assert!((slow - 260.0).abs() < 1e-6, "{slow}");
    }
}

#[tokio::test]
async fn a_narrowed_follow_up_asks_only_for_what_fell() {
    let t0 = begin();
    let fleet = fleet(t0);
    let prometheus = Prometheus::of(Version::New).data(&fleet).start().await;
    let mut group = group(Version::New, "req");
    group.base.matchers = vec![Matcher { label: "service".into(), op: MatchOp::Equal, value: "cart".into() }];
    group.by = vec!["instance".into(), "route".into()];
    let (facts, _) = run(&prometheus, &group, Tier::Fine, (t0, t0 + 7200), &usual(1_000_000)).await;
    let want: f64 = (1..=240)
        .flat_map(|n| fleet.iter().map(move |s| (s, t0 + n * 30)))
        .filter(|(s, _)| s.labels["service"] == "cart")
        .filter_map(|(s, t)| observed(s, false, t, 600))
        .sum();
    assert_eq!(booked(&facts, 0).values().sum::<f64>(), want);
}

#[tokio::test]
async fn a_series_that_ends_inside_a_slot_keeps_what_it_did() {
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).receives_remote_write().start().await;
        let t0 = now_ms() / 30_000 * 30 - 3000;
        // Thirty pods that live for a minute each and crash with a burst, a staleness marker after the last scrape.
        let pod = |i: i64| {
            let born = t0 + 60 + i * 20;
            let at = |n: i64| (born + n * 5) * 1000;
            let alive = (0..12).map(move |n| (at(n), (n * 3) as f64));
            let burst = [(at(12), 136.0), (at(13), STALE)];
            Series::new("err", &[("pod", &format!("p{i}"))]).with(alive.chain(burst))
        };
        prometheus.write(&(0..30).map(pod).collect::<Vec<_>>()).await;
        let (facts, _) =
            run(&prometheus, &group(version, "err"), Tier::Fine, (t0, t0 + 1500), &usual(1000)).await;
        assert_eq!(booked(&facts, 0).values().sum::<f64>(), 30.0 * 136.0, "{version:?}");
    }
}

#[tokio::test]
async fn a_newborn_native_histogram_without_proof_is_withheld() {
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).receives_remote_write().native_histograms().start().await;
        let t0 = now_ms() / 30_000 * 30 - 3000;
        let mut native = Native::new(3);
        native.observe(0.2, 9000);
        native.observe(4.0, 1000);
        let samples: Vec<_> = (0..4).map(|i| ((t0 + 5 + i * 15) * 1000, native.clone())).collect();
        prometheus.write_native(&Series::new("latency", &[("job", "shop")]), &samples).await;
        let mut group =
            QueryGroup { form: Form::Native { above: vec!["1".into()] }, ..group(version, "latency") };
        let above =
            Wanted { series: SeriesIx(1), take: Take::Above(0), role: Role { bad: true, ..Role::default() } };
        group.members[0].wanted.push(above);
        let (facts, asked) = run(&prometheus, &group, Tier::Fine, (t0, t0 + 30), &usual(10)).await;
        assert_eq!(asked, 3, "main, newborn, evidence");
        for series in [0, 1] {
            let fact = only(&facts, series, t0 + 30);
            assert_eq!((value(&fact), fact.trust), (0.0, Trust::Partial), "{version:?}");
            assert!(fact.raw >= Events::whole(1000));
        }
    }
}

#[tokio::test]
async fn a_bucket_that_half_of_the_pods_lack_is_noticed() {
    let t0 = begin();
    let series =
        |name: &str, extra: &[(&str, &str)]| scrapes(Series::new(name, extra), (t0, t0 + 3600), 1000.0, 10.0);
    let data = [
        series("latency_count", &[("pod", "a")]),
        series("latency_count", &[("pod", "b")]),
        series("latency_bucket", &[("pod", "a"), ("le", "0.3")]),
        series("latency_bucket", &[("pod", "b"), ("le", "0.30")]),
        series("size_count", &[("pod", "a")]),
        series("size_count", &[("pod", "b")]),
        series("size_bucket", &[("pod", "a"), ("le", "0.3")]),
    ];
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).data(&data).start().await;
        for (name, whole) in [("latency", true), ("size", false)] {
            let le = Matcher { label: "le".into(), op: MatchOp::Regex, value: "0.3|0.30".into() };
            let mut bucket = group(version, &format!("{name}_bucket"));
            bucket.base.matchers = vec![le];
            bucket.members[0].wanted[0].series = SeriesIx(1);
            let metric = group(version, &format!("{name}_count"));
            let range = (t0 + 1200, t0 + 1290);
            let (mut facts, _) = run(&prometheus, &metric, Tier::Fine, range, &usual(1000)).await;
            let (good, _) = run(&prometheus, &bucket, Tier::Fine, range, &usual(1000)).await;
            facts.extend(good);
            let (count, good) = facts.split_at_mut(1);
            let doubt = Doubt::raise(&count[0], &good[0], &|_, _| Events::ZERO);
            assert_eq!(doubt.is_none(), whole, "{version:?} {name}");
            let Some(doubt) = doubt else { continue };
            let pair = BucketPair {
                count: SeriesIx(0),
                bucket: SeriesIx(1),
                by: vec![],
                source: "local".into(),
                selectors: (metric.base, bucket.base),
                step: Step::DEFAULT,
                interval: None,
            };
            let query = doubt.query(&pair).unwrap();
            let answer = ask(&prometheus, &Ask { id: AskId(0), query }).await;
            doubt.settle(&pair, &answer, &mut good[0]);
            assert!(good[0].slots.iter().all(|slot| slot.state == SlotState::Unknown), "{version:?}");
        }
    }
}
