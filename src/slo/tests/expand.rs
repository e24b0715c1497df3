//! Latency: one definition, one SLO per objective, in exact counted events.

use super::*;

fn latency(rest: &str) -> String {
    sli(
        "description: d",
        &format!(
            "{{latency: {{histogram: h, selector: 'job=\"j\"', objectives: [{{percent: 99, within: 300ms}}]{rest}}}}}"
        ),
    )
}

fn of(rest: &str) -> (String, String) {
    let slos = good(&latency(rest));
    assert_eq!(slos.len(), 1);
    assert_eq!(slos[0].id.name, "a");
    // Every spelling of the bound is the bucket matcher's affair.
    let (bad, total) = counted_text(&slos[0]);
    let le = super::super::promql::bucket_bound_regex("0.3").unwrap().to_string();
    assert!(!bad.contains("_bucket") || bad.contains(&le), "{bad}");
    (bad.replace(&le, "LE"), total)
}

#[test]
fn errors_are_counted_like_everything_else_by_default() {
    let (bad, total) = of("");
    assert_eq!(bad, "-1 h_bucket{job=\"j\",LE} Counter\n+1 h_count{job=\"j\"} Counter");
    assert_eq!(total, "+1 h_count{job=\"j\"} Counter");
    assert_eq!(of(", errorsAre: counted"), (bad, total));
}

#[test]
fn excluded_errors_count_nowhere() {
    let (bad, total) = of(r#", errorsAre: excluded, errors: 'code=~"5.."'"#);
    assert_eq!(
        bad,
        "-1 h_bucket{code!~\"5..\",job=\"j\",LE} Counter\n+1 h_count{code!~\"5..\",job=\"j\"} Counter"
    );
    assert_eq!(total, "+1 h_count{code!~\"5..\",job=\"j\"} Counter");
}

#[test]
fn bad_errors_are_bad_however_fast() {
    let (bad, total) = of(r#", errorsAre: bad, errors: '{code=~"5.."}'"#);
    assert_eq!(bad, "-1 h_bucket{code!~\"5..\",job=\"j\",LE} Counter\n+1 h_count{job=\"j\"} Counter");
    assert_eq!(total, "+1 h_count{job=\"j\"} Counter");
}

#[test]
fn native_histograms_are_asked_for_what_is_above() {
    let (bad, total) = of(", native: true");
    assert_eq!(bad, r#"+1 h{job="j"} NativeAbove("0.3")"#);
    assert_eq!(total, r#"+1 h{job="j"} NativeCount"#);
    let (bad, total) = of(r#", native: true, errorsAre: bad, errors: 'code="500"'"#);
    assert_eq!(
        bad,
        "+1 h{code=\"500\",job=\"j\"} NativeCount\n+1 h{code!=\"500\",job=\"j\"} NativeAbove(\"0.3\")"
    );
    assert_eq!(total, r#"+1 h{job="j"} NativeCount"#);
    let (bad, total) = of(r#", native: true, errorsAre: excluded, errors: 'code="500"'"#);
    assert_eq!(bad, r#"+1 h{code!="500",job="j"} NativeAbove("0.3")"#);
    assert_eq!(total, r#"+1 h{code!="500",job="j"} NativeCount"#);
}

#[test]
fn the_unit_is_the_histograms() {
    let text = latency(", native: true, unit: ms");
    assert!(counted_text(&good(&text)[0]).0.contains(r#"NativeAbove("300")"#));
}

#[test]
fn several_objectives_become_several_slos() {
    let flow = "{latency: {histogram: h, objectives: [{percent: 99, within: 300ms}, {percent: 99.9, within: 1.5s}]}}";
    let slos = good(&sli("description: d", flow));
    let ids: Vec<String> = slos.iter().map(|s| format!("{} {}", s.id, s.objective)).collect();
    assert_eq!(ids, ["s/a.300ms 99%", "s/a.1.5s 99.9%"]);
}

#[test]
fn mistakes_of_a_latency_are_all_told() {
    let text = with_spec(
        "objective: 99\nsli:\n  latency:\n    histogram: h_bucket\n    unit: us\n    errorsAre: excluded\n    errors: 'a=\"1\",b=\"2\"'\n    objectives:\n    - {percent: 100, within: 300}\n    - {percent: 99, within: 1s}\n    - {percent: 98, within: 1000ms}",
    );
    assert_eq!(
        listed(&text),
        [
            "6:14 `spec.objective` cannot stand beside latency objectives",
            "9:18 `spec.sli.latency.histogram` names a part of a histogram",
            "10:13 `spec.sli.latency.unit` cannot be `us`",
            "12:15 `errors` must be exactly one label matcher, because its opposite is needed",
            "14:19 `spec.sli.latency.objectives[0].percent: 100`: an objective must be below 100: 100 leaves no error budget, so there is nothing to burn",
            "14:32 `spec.sli.latency.objectives[0].within: 300`: not a latency; write one number and one unit: 300ms, 2.5s, 500us",
            "16:9 `spec.sli.latency.objectives[2]` repeats a bound",
        ]
    );
}

#[test]
fn what_would_silently_count_nothing_is_refused() {
    for (from, to, what) in [
        ("histogram: h", "histogram: 'job:h:sum'", "names a recorded sum"),
        ("'job=\"j\"'", "'job=\"j\",le=\"0.3\"'", "must not match `le`"),
        ("'job=\"j\"'", "'up{job=\"j\"}'", "spec.sli.latency.selector"),
        ("'job=\"j\"'", "'a=\"b\"} or h{c=\"d\"'", "spec.sli.latency.selector"),
    ] {
        let problems = listed(&latency("").replace(from, to));
        assert!(problems.len() == 1 && problems[0].contains(what), "{to}: {problems:?}");
    }
}
