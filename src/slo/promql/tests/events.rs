//! Which events queries are counted, how, and why others are not.

use crate::slo::promql::{EventsQuery, Form, form, read_events};

/// The sum, printed; panics when the query is not additive.
fn sum(text: &str) -> String {
    match read_events(text, false) {
        Ok(EventsQuery::Additive(linear)) => linear.to_string().replace("{{.window}}", "w"),
        other => panic!("{text}: {other:?}"),
    }
}

fn direct(text: &str) -> String {
    match read_events(text, false) {
        Ok(EventsQuery::Direct { template, why }) => {
            assert!(template.contains("{{.window}}"), "{template}");
            why
        }
        other => panic!("{text}: {other:?}"),
    }
}

fn refused(text: &str) -> String {
    let error = read_events(text, false).unwrap_err();
    format!("{} ({})", error.message, error.hint.unwrap())
}

#[test]
fn what_people_write_for_requests_is_counted() {
    let all = "sum(increase(hits_total{app=\"shop\"}[w]))";
    for text in [
        "hits_total{app=\"shop\"}",
        "sum(rate(hits_total{app=\"shop\"}[{{.window}}]))",
        "sum(rate(hits_total{app=\"shop\"}[5m]))",
        "sum(increase(hits_total{app=\"shop\"}[{{ .window }}]))",
        "(sum by (zone, pod) (rate(hits_total{app='shop'}[{{.window}}])))",
        "sum without (pod) (sum(rate({__name__=\"hits_total\", app=`shop`}[1h]))) or vector(0)",
        "sum(rate({\"hits_total\", app=\"shop\"}[{{.window}}])) OR on() vector(0)",
        "(sum(rate(hits_total{app=\"shop\"}[{{.window}}])) or (vector((0)))) # all hits )))",
        "300 * sum(rate(hits_total{app=\"shop\"}[{{.window}}])) / 300",
        "--hits_total{app=\"shop\"}",
    ] {
        assert_eq!(sum(text), all, "{text}");
    }
}

#[test]
fn sums_differences_and_constants_become_weights() {
    assert_eq!(
        sum(
            "(\n  sum(rate(calls_count{verb!=\"LIST\"}[{{.window}}]))\n  -\n  sum(rate(calls_bucket{le=\"0.4\",verb!=\"LIST\"}[{{.window}}]))\n)"
        ),
        "-sum(increase(calls_bucket{le=\"0.4\",verb!=\"LIST\"}[w])) + sum(increase(calls_count{verb!=\"LIST\"}[w]))"
    );
    assert_eq!(sum("0.5 * sum(rate(a[5m])) + rate(a[1m])"), "1.5 * sum(increase(a[w]))");
    assert_eq!(sum("0.1 * a + 0.2 * a"), "0.3 * sum(increase(a[w]))");
    assert_eq!(
        sum("a - (b - c) / 4"),
        "sum(increase(a[w])) - 0.25 * sum(increase(b[w])) + 0.25 * sum(increase(c[w]))"
    );
    assert_eq!(sum("a + b - a"), "sum(increase(b[w]))");
    assert_eq!(sum("-(2 + 2) * 0.25 * a"), "-sum(increase(a[w]))");
}

#[test]
fn gauges_and_native_histograms_are_counted() {
    assert_eq!(
        sum("sum(count_over_time(probe[{{.window}}])) - sum(sum_over_time(probe[{{.window}}]))"),
        "-sum(sum_over_time(probe[w])) + sum(count_over_time(probe[w]))"
    );
    assert_eq!(
        sum("histogram_count(sum by (job) (rate(lat[5m])))"),
        "histogram_count(sum(increase(lat[w])))"
    );
    assert_eq!(sum("sum(histogram_count(rate(lat[5m])))"), "histogram_count(sum(increase(lat[w])))");
    let above =
        "(histogram_fraction(0.2, +Inf, sum(increase(lat[w]))) * histogram_count(sum(increase(lat[w]))))";
    assert_eq!(
        sum("histogram_fraction(0.2, Inf, sum(rate(lat[5m]))) * histogram_count(sum(rate(lat[5m])))"),
        above
    );
    assert_eq!(
        sum("histogram_count(rate(lat[5m])) * (histogram_fraction(0.20, +Inf, rate(lat[5m])))"),
        above
    );
    assert_eq!(
        sum("histogram_fraction(0, 0.2, rate(lat[5m])) * histogram_count(rate(lat[5m]))"),
        format!("histogram_count(sum(increase(lat[w]))) - {above}")
    );
    let other =
        "histogram_fraction(0.2, +Inf, rate(lat[{{.window}}])) * histogram_count(rate(x[{{.window}}]))";
    assert!(direct(other).contains("one and the same"));
}

#[test]
fn what_slices_do_not_add_up_to_is_asked_per_window() {
    for (text, why) in [
        ("sum_over_time((count(wifi_quality < 0.7))[{{.window}}:]) OR on() vector(0)", "subquery"),
        ("1 - sum(sum_over_time(q[{{.window}}])) / sum(count_over_time(q[{{.window}}]))", "ratio"),
        ("avg(rate(a[{{.window}}]))", "avg"),
        ("topk(3, rate(a[{{.window}}]))", "topk"),
        ("sum(rate(a[{{.window}}])) > 5", "comparison"),
        ("sum(rate(a[{{.window}}] offset 5m))", "offset"),
        ("sum(rate(a[{{.window}}] @ 100))", "offset"),
        ("sum(irate(a[{{.window}}]))", "irate"),
        ("clamp_max(sum(rate(a[{{.window}}])), 5)", "clamp_max"),
        ("rate(a[{{.window}}]) - on(pod) rate(b[{{.window}}])", "pair"),
        ("rate(a[{{.window}}]) - ignoring(le) group_left rate(b[{{.window}}])", "pair"),
        ("sum(rate(a[{{.window}}])) or sum(rate(b[{{.window}}]))", "`or`"),
        ("sum(rate(a[{{.window}}])) or vector(1)", "`or`"),
        ("sum(rate(a[{{.window}}])) + 1", "constant"),
        ("sum(rate(a[{{.window}}])) / 3", "0.333"),
        ("sum(rate(a[{{.window}}])) * 1e9", "1000000000"),
        ("sum(rate(a[{{.window}}])) / 0", "inf"),
        ("rate(a[{{.window}}]) * rate(b[{{.window}}])", "multiplied"),
        ("sum(rate(a[{{.window}}])) ^ 2", "`^`"),
        ("histogram_quantile(0.9, sum by (le) (rate(a_bucket[{{.window}}])))", "histogram_quantile"),
    ] {
        let reason = direct(text);
        assert!(reason.contains(why), "{text}: {reason}");
        let fixed = refused(&text.replace("{{.window}}", "5m"));
        assert!(fixed.contains(why), "{text}: {fixed}");
    }
}

#[test]
fn mistakes_are_refused_with_or_without_a_window() {
    for (text, what) in [
        (
            "sum(rate(a[{{.window}}])) + sum(increase(b[{{.window}}]))",
            "rate (events per second) and increase",
        ),
        ("sum(rate(a[5m])) - b", "plain selectors"),
        ("sum(rate({__name__=~\"a|b\"}[{{.window}}]))", "add them with +"),
        ("sum by (job) (increase({job=\"x\"}[{{.window}}])) or vector(0)", "add them with +"),
        ("sum(rate(a[{{.window}}])) + sum(rate({__name__=~\"b.*\"}[{{.window}}]))", "several metrics"),
        ("sum(sum_over_time({__name__!=\"a\",job=\"x\"}[{{.window}}]))", "several metrics"),
        ("histogram_count(sum(rate({__name__=~\"a|b\"}[{{.window}}])))", "several metrics"),
        ("{__name__=~\"a|b\"}", "Prometheus refuses a rate of both"),
        ("sum(increase(a[{{.window}}])) + sum(increase(b[5m]))", "different lengths"),
        ("5", "constant alone"),
        ("vector(0)", "constant alone"),
        ("a - a", "nothing is left"),
        ("0 * sum(rate(a[{{.window}}]))", "nothing is left"),
        ("a[{{.window}}]", "range alone"),
        ("job:errors:rate5m", "counter: aggregated"),
        ("sum(rate(job:errors:sum[{{.window}}]))", "counter: aggregated"),
        ("sum(rate(a[$__rate_interval]))", "{{.window}}"),
        ("", "empty"),
        ("sum(rate(a[5m])", "not PromQL"),
        ("sum(rate(a[5m] offset {{.window}}))", "remove offset"),
        ("x{on=\"a{{.window}}\"}", "\"a{{.window}}\" is neither (write the name or value itself"),
        ("kind{{.window}}", "kind{{.window}} is neither"),
        ("sum(rate({__name__=\"b\",on='{{ .window }}'}[{{.window}}]))", "is neither"),
        ("max(rate(a{b=~\".{{.window}}\"}[{{.window}}]))", "is neither"),
        ("sum(rate(a[{{.window}}])) * {{.window}}", "is neither"),
        ("sum(rate(a[1h{{.window}}]))", "is neither"),
        ("x{on=\"{\\u007b.window}}\"}", "is neither"),
        ("sum(range_median(a[{{.window}}]))", "MetricsQL"),
        ("a default 0", "MetricsQL"),
    ] {
        let error = refused(text);
        assert!(error.contains(what), "{text}: {error}");
    }
}

#[test]
fn recorded_sums_are_counted_where_it_is_said() {
    let text = "sum(rate(job:errors:sum[5m]))";
    let Ok(EventsQuery::Additive(linear)) = read_events(text, true) else { panic!() };
    assert_eq!(format!("{:?}", linear.terms[0].atom.counting), "Aggregated");
    assert!(read_events("histogram_count(rate(job:lat:sum[5m]))", true).is_err());
}

#[test]
fn bad_and_total_can_be_compared_by_their_form() {
    assert_eq!(form("errors_total"), Some(Form::Plain));
    assert_eq!(form("sum(rate(errors_total[{{.window}}]))"), Some(Form::PerSecond));
    assert_eq!(form("sum(increase(job:errors:sum[{{.window}}]))"), Some(Form::PerWindow));
    assert_eq!(form("sum(sum_over_time(up[5m]))"), Some(Form::PerWindow));
    assert_eq!(form("avg(up)"), None);
    assert!(!Form::PerSecond.agrees_with(Form::PerWindow));
    assert!(Form::PerSecond.agrees_with(Form::Plain) && Form::PerWindow.agrees_with(Form::PerWindow));
}
