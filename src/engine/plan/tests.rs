//! What is asked for which SLOs, to the letter.

use std::collections::BTreeMap;

use super::*;
use crate::engine::fact::{SeriesIx, What};
use crate::engine::testing;
use crate::slo::model::*;
use crate::slo::period::Period;
use crate::slo::query::{Atom, Counting, Linear, MatchOp, Matcher, Selector, Term};
use crate::slo::time::{Step, Ts};

const SLOT: Span = Span::from_secs(30);

fn selector(metric: &str, matchers: &[(&str, MatchOp, &str)]) -> Selector {
    let matcher = |(label, op, value): &(&str, MatchOp, &str)| Matcher {
        label: (*label).into(),
        op: *op,
        value: (*value).into(),
    };
    let mut matchers: Vec<Matcher> = matchers.iter().map(matcher).collect();
    matchers.sort();
    Selector { metric: metric.into(), matchers }
}

fn linear(terms: &[(i64, Selector, Counting)]) -> Linear {
    let term = |(weight, selector, counting): &(i64, Selector, Counting)| Term {
        weight: *weight,
        atom: Atom { selector: selector.clone(), counting: counting.clone() },
    };
    Linear { terms: terms.iter().map(term).collect() }
}

fn one(selector: Selector) -> Linear {
    linear(&[(1_000_000, selector, Counting::Counter)])
}

fn slo(name: &str, sli: Sli, by: &[&str]) -> Arc<Slo> {
    let rule = |long, short| testing::rule(Severity::Page, "14.4", long, Some(short));
    let rules =
        vec![rule(Span::from_hours(1), Span::from_mins(5)), rule(Span::from_days(3), Span::from_hours(6))];
    Arc::new(Slo {
        alive: Some(selector("up", &[("job", MatchOp::Equal, name)])),
        group_by: (!by.is_empty()).then(|| testing::group_by(by)),
        ..testing::slo("shop", name, sli, rules)
    })
}

fn context() -> PlanContext {
    PlanContext {
        step: Step::DEFAULT,
        default_source: "local".into(),
        sources: BTreeMap::new(),
        intervals: BTreeMap::new(),
    }
}

fn requests(job: &str) -> Selector {
    selector("http_requests_total", &[("job", MatchOp::Equal, job)])
}

fn availability(job: &str, by: &[&str]) -> Arc<Slo> {
    let errors =
        selector("http_requests_total", &[("job", MatchOp::Equal, job), ("code", MatchOp::Regex, "5..")]);
    slo(job, Sli::Counted { bad: one(errors), total: one(requests(job)) }, by)
}

fn text(group: &QueryGroup) -> String {
    let text = form::main(group, group.selector(), SLOT);
    promql_parser::parser::parse(&text).unwrap();
    text
}

#[test]
fn services_of_one_shape_are_two_queries() {
    let slos: Vec<_> = ["cart", "shop.eu", "pay"].iter().map(|job| availability(job, &[])).collect();
    let plan = Plan::build(&slos, &context());
    assert_eq!(plan.series.len(), 6);
    assert_eq!(plan.groups.len(), 2);
    assert_eq!(
        text(&plan.groups[0]),
        concat!(
            r#"label_replace(sum by (job) (last_over_time(http_requests_total{code=~"5..",job=~"cart|pay|shop\\.eu"}[10m])), "damper_part", "a", "", "") or "#,
            r#"label_replace(sum by (job) (max_over_time(http_requests_total{code=~"5..",job=~"cart|pay|shop\\.eu"}[10m30s])), "damper_part", "m", "", "")"#,
        )
    );
    let again = Plan::build(&slos, &context());
    assert_eq!(plan.groups, again.groups);
    assert_eq!(plan.alive_groups.len(), 1);
    let alive = plan.alive_groups[0].query(Ts(0)).promql;
    promql_parser::parser::parse(&alive).unwrap();
    assert_eq!(alive, r#"count_values by (job) ("damper_part", up{job=~"cart|pay|shop\\.eu"} == bool 1)"#);
}

#[test]
fn what_two_slos_count_alike_is_one_series_kept_for_the_longer() {
    let strict = availability("cart", &[]);
    let long = Slo { period: Period::Rolling(Span::from_days(90)), ..(*strict).clone() };
    let plan = Plan::build(&[strict, Arc::new(long)], &context());
    assert_eq!(plan.series.len(), 2);
    assert!(plan.series.iter().all(|s| s.keep == Span::from_days(90)));
    assert_eq!(plan.slos[0].bad, plan.slos[1].bad);
    assert_eq!((plan.series[0].role.bad, plan.series[1].role.total), (true, true));
    assert_eq!(plan.alive.len(), 1);
}

#[test]
fn grouping_sources_and_intervals_keep_queries_apart() {
    let measured = ("local".to_owned(), requests("pay"));
    let context = PlanContext { intervals: BTreeMap::from([(measured, Span::from_mins(6))]), ..context() };
    let other = Slo { source: Some("other".into()), ..(*availability("cart", &[])).clone() };
    let slos = [
        availability("cart", &[]),
        availability("pay", &[]),
        availability("cart", &["route"]),
        Arc::new(other),
    ];
    let plan = Plan::build(&slos, &context);
    let totals: Vec<_> = plan.groups.iter().filter(|g| !g.base.to_string().contains("code")).collect();
    assert_eq!(totals.len(), 4);
    let slow = totals.iter().find(|g| g.interval.is_some()).unwrap();
    assert_eq!(slow.lookback(SLOT), Span::from_secs(750));
    assert_eq!(slow.young(SLOT), Span::from_mins(12));
}

#[test]
fn a_merged_query_splits_into_its_members() {
    let plan = Plan::build(&[availability("cart", &[]), availability("pay", &[])], &context());
    let singles = plan.groups[1].split();
    let texts: Vec<String> = singles.iter().map(|g| g.selector().to_string()).collect();
    assert_eq!(texts, [r#"http_requests_total{job="cart"}"#, r#"http_requests_total{job="pay"}"#]);
    assert_eq!(singles[1].members[0].wanted, plan.groups[1].members[1].wanted);
    assert_eq!(singles[1].labels(), Vec::<&str>::new());
    text(&singles[0]);
}

#[test]
fn good_events_know_their_total() {
    let good =
        selector("http_requests_total", &[("job", MatchOp::Equal, "cart"), ("code", MatchOp::Regex, "2..")]);
    let bad =
        linear(&[(1_000_000, requests("cart"), Counting::Counter), (-1_000_000, good, Counting::Counter)]);
    let plan =
        Plan::build(&[slo("cart", Sli::Counted { bad, total: one(requests("cart")) }, &[])], &context());
    assert_eq!(plan.series[0].role, Role { total: true, ..Role::default() });
    assert_eq!(plan.series[1].role, Role { good_of: Some(SeriesIx(0)), ..Role::default() });
}

#[test]
fn a_native_histogram_is_one_request_for_count_and_bounds() {
    let seconds = selector("latency_seconds", &[("job", MatchOp::Equal, "cart")]);
    let sli = |bound: &str| Sli::Counted {
        bad: linear(&[(1_000_000, seconds.clone(), Counting::NativeAbove(bound.into()))]),
        total: linear(&[(1_000_000, seconds.clone(), Counting::NativeCount)]),
    };
    let slos = [slo("cart", sli("0.3"), &[]), slo("fast", sli("0.1"), &[])];
    let left_open = SourceTraits { left_open: true, ..SourceTraits::default() };
    let context = |traits| PlanContext { sources: BTreeMap::from([("local".into(), traits)]), ..context() };
    let plan = Plan::build(&slos, &context(left_open));
    assert_eq!((plan.series.len(), plan.groups.len()), (3, 1));
    let takes: Vec<Take> = plan.groups[0].members[0].wanted.iter().map(|w| w.take).collect();
    assert_eq!(takes, [Take::Above(1), Take::Whole, Take::Above(0)]);
    let x = r#"latency_seconds{job="cart"}"#;
    let (u, p) = (format!("last_over_time({x}[30s])"), format!("last_over_time({x}[10m] offset 30s)"));
    let (cu, cp) = (format!("histogram_count({u})"), format!("histogram_count({p})"));
    let d = format!(
        "sum((({u} - {p}) and (({cu} - {cp}) >= 0)) or ({u} and ({cu} < 0.875 * {cp})) or ({u} unless {p}))"
    );
    let want = [
        format!(r#"label_replace(count(last_over_time({x}[10m30s])), "damper_part", "n", "", "")"#),
        format!(r#"label_replace(histogram_count({d}), "damper_part", "d", "", "")"#),
        format!(r#"label_replace(histogram_fraction(0.1, +Inf, {d}), "damper_part", "f0", "", "")"#),
        format!(r#"label_replace(histogram_fraction(0.3, +Inf, {d}), "damper_part", "f1", "", "")"#),
        format!(r#"label_replace(count(({cu} < 0.875 * {cp})), "damper_part", "r", "", "")"#),
    ];
    assert_eq!(text(&plan.groups[0]), want.join(" or "));

    let old = text(&Plan::build(&slos, &context(SourceTraits::default())).groups[0]);
    let p = format!("({x} offset 30s or {x} offset 5m30s)");
    let (cu, cp) = (format!("histogram_count({x})"), format!("histogram_count({p})"));
    let d = format!("sum({x} unless (({cu} < {cp}) >= 0.875 * {cp}))");
    let e = format!("sum({p} and (({cu} - {cp}) >= 0))");
    for part in [
        format!("histogram_count({d})"),
        format!("histogram_count({e})"),
        format!("histogram_fraction(0.3, +Inf, {e})"),
    ] {
        assert!(old.contains(&part), "{old}");
    }
    for traits in [left_open, SourceTraits::default()] {
        let group = &Plan::build(&slos, &context(traits)).groups[0];
        let narrow = Narrow { members: [0].into(), ..Narrow::default() };
        let resets = form::joined(group, &narrow, SLOT);
        promql_parser::parser::parse(&resets).unwrap();
        assert!(resets.contains(&format!("max_over_time((histogram_count({x}))[30s:5s])")), "{resets}");
        promql_parser::parser::parse(&evidence::newborn(group, &narrow, SLOT)).unwrap();
        promql_parser::parser::parse(&evidence::evidence(group, &narrow, SLOT)).unwrap();
    }
}

#[test]
fn other_ways_to_count_have_their_own_forms() {
    let ask = |counting, kind, left_open| {
        let sli = Sli::Counted {
            bad: linear(&[(1_000_000, selector("m", &[]), counting)]),
            total: one(requests("cart")),
        };
        let traits = SourceTraits { kind, left_open, ..SourceTraits::default() };
        let context = PlanContext { sources: BTreeMap::from([("local".into(), traits)]), ..context() };
        text(&Plan::build(&[slo("cart", sli, &["route"])], &context).groups[0])
    };
    let prometheus = SourceKind::Prometheus;
    assert_eq!(
        ask(Counting::Aggregated, prometheus, true),
        r#"label_replace(sum by (route) (((last_over_time(m[30s]) - last_over_time(m[10m] offset 30s)) >= 0) or (0 * last_over_time(m[10m30s]))), "damper_part", "d", "", "")"#
    );
    let presence =
        r#" or label_replace(count by (route) (last_over_time(m[10m30s])), "damper_part", "n", "", "")"#;
    let d =
        |of: &str| format!(r#"label_replace(sum by (route) ({of}), "damper_part", "d", "", ""){presence}"#);
    assert_eq!(ask(Counting::GaugeSum, prometheus, true), d("sum_over_time(m[30s])"));
    assert_eq!(ask(Counting::GaugeCount, prometheus, false), d("count_over_time(m[29999ms])"));
    assert_eq!(ask(Counting::Counter, SourceKind::Thanos, false), d("increase(m[30s])"));
}

#[test]
fn follow_ups_are_promql() {
    let plan = Plan::build(&[availability("cart", &["route"]), availability("pay", &["route"])], &context());
    let group = &plan.groups[1];
    let route = |r: &str| Labels::from([("route".to_owned(), r.to_owned())]);
    let narrow = Narrow { members: [0].into(), groups: [route("/a"), route("/b?")].into() };
    let joined = form::joined(group, &narrow, SLOT);
    assert!(joined.contains(r#"http_requests_total{job="cart",route=~"/a|/b\\?"}[30s]"#), "{joined}");
    for text in [
        joined,
        form::young(group, &narrow, SLOT),
        evidence::newborn(group, &narrow, SLOT),
        evidence::evidence(group, &narrow, SLOT),
        evidence::returning(group, &narrow, SLOT),
        group.interval_query(Ts(0)).unwrap().promql,
    ] {
        promql_parser::parser::parse(&text).unwrap();
    }
    let evidence = evidence::evidence(group, &narrow, SLOT);
    assert!(
        evidence.contains(r#"up{job="cart"}[10m] offset 30s"#) && !evidence.contains("route=~"),
        "{evidence}"
    );
}

#[test]
fn direct_and_timeslice_pairs_come_from_one_query() {
    let direct = slo("cart", Sli::Direct { error_ratio: "sum(rate(e[{{.window}}]))".into() }, &[]);
    let timeslice = slo(
        "lag",
        Sli::Timeslice(Timeslice {
            query: "max(lag)".into(),
            good: Comparison { op: CompareOp::Less, value: 10.0 },
            slice: Span::from_mins(1),
            reduce: Reduce::Last,
        }),
        &[],
    );
    let plan = Plan::build(&[direct, timeslice], &context());
    assert_eq!((plan.series.len(), plan.groups.len()), (4, 2));
    assert!(matches!(plan.series[0].key.what, What::Direct { bad: true, .. }));
    let windows: Vec<(Span, Span)> = plan.direct.iter().map(|d| (d.window, d.every)).collect();
    let spans = |a, b| (Span::from_secs(a), Span::from_secs(b));
    let readers = plan.readers_of([Read::Direct(DirectIx(3))]).map(|planned| planned.slo.id.name.as_str());
    assert_eq!(readers.collect::<Vec<_>>(), ["cart"]);
    assert_eq!(windows, [spans(300, 30), spans(3600, 60), spans(21_600, 360), spans(259_200, 4320)]);
    assert_eq!(plan.direct[0].query(Ts(60)).promql, "sum(rate(e[5m]))");
    assert_eq!(
        form::main(&plan.groups[0], plan.groups[0].selector(), Span::from_mins(5)),
        "sum(rate(e[5m]))"
    );
}

#[test]
fn a_bucket_knows_its_count() {
    let of = |suffix: &str, le: &[(&str, MatchOp, &str)]| selector(&format!("latency_seconds_{suffix}"), le);
    let count = of("count", &[]);
    let bucket = of("bucket", &[("le", MatchOp::Regex, "0.3|0.30")]);
    let bad =
        linear(&[(1_000_000, count.clone(), Counting::Counter), (-1_000_000, bucket, Counting::Counter)]);
    let plan = Plan::build(&[slo("cart", Sli::Counted { bad, total: one(count) }, &["route"])], &context());
    let [pair] = plan.buckets.as_slice() else { panic!("{:?}", plan.buckets) };
    assert_eq!((pair.count, pair.bucket), (SeriesIx(0), SeriesIx(1)));
    assert_eq!((plan.pair_of(SeriesIx(1)), plan.pair_of(SeriesIx(0))), (Some(pair), None));
    let query = pair.query(crate::engine::fact::Tier::Fine, (Ts(30), Ts(60)));
    promql_parser::parser::parse(&query.promql).unwrap();
    let part = r#"label_replace(count by (route) (max without (le) (last_over_time(latency_seconds_bucket{le=~"0.3|0.30"}[2m]))), "damper_part", "bucket", "", "")"#;
    assert!(query.promql.ends_with(part), "{}", query.promql);
}

#[test]
fn a_composite_asks_nothing_and_keeps_what_it_is_made_of_for_as_long_as_it_looks_back() {
    use crate::slo::composite::{Combine, Composite, Part};
    use crate::slo::unit::Weight;
    let part = |name: &str| {
        let slo = SloId { service: "shop".into(), name: name.into() };
        Part { slo, group: None, weight: Weight::ONE }
    };
    let members = [availability("cart", &[]), availability("pay", &["route"])];
    let before = Plan::build(&members, &context());
    let of = vec![part("cart"), part("pay"), part("gone")];
    let whole = Slo {
        period: Period::Rolling(Span::from_days(90)),
        alive: None,
        ..Slo::clone(&slo("whole", Sli::Composite(Composite { how: Combine::Worst, of }), &[]))
    };
    // Wherever it stands.
    let plan = Plan::build(&[Arc::new(whole), members[0].clone(), members[1].clone()], &context());
    assert_eq!(plan.groups.len(), before.groups.len());
    let texts = |plan: &Plan| plan.groups.iter().map(|group| text(group)).collect::<Vec<_>>();
    assert_eq!(texts(&plan), texts(&before));
    assert!(plan.series.iter().all(|series| series.keep == Span::from_days(90)));
    assert_eq!(plan.alive, before.alive);
    let [planned, ..] = &plan.slos[..] else { panic!() };
    assert_eq!((planned.sources(), planned.targets()), (vec!["local"], vec![AliveIx(0), AliveIx(1)]));
    assert_eq!((planned.bad.len(), planned.total.len()), (2, 2));
    let readers = |what: &[Read]| -> Vec<&str> {
        plan.readers_of(what.iter().copied()).map(|planned| planned.slo.id.name.as_str()).collect()
    };
    let all: Vec<Read> = (0..4).map(|ix| Read::Series(SeriesIx(ix))).collect();
    assert_eq!((plan.series.len(), readers(&all)), (4, vec!["whole", "cart", "pay"]), "each once");
    assert_eq!((readers(&all[..1]), readers(&[])), (vec!["whole", "cart"], vec![]));
    assert_eq!(readers(&[Read::Alive(AliveIx(1))]), ["pay"], "a composite has no targets of its own");
    let missing = &planned.parts.as_ref().unwrap().parts[2].member;
    assert_eq!(missing.as_ref().unwrap_err(), "no definition of shop/gone is in force");
}
