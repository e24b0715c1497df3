//! What is refused, and how it is told.

use super::*;

const TEN_MISTAKES: &str = r#"apiVersion: damper.dev/v1
kind: ServiceLevelObjektive
metadata:
  name: Availability
  label: {team: payments}
  annotations: {run-book: x}
spec:
  service: checkout
  objective: 100
  windwo: 28d
  sli:
    events:
      bad: http_requests_total{job="checkout",code=~"5..}
      total: http_requests_total{job="checkout"}
    absent: {means: fine, after: 10x}
  groupBy: [route, route]
  alerting:
    mode: shaddow
    rules:
      - {severity: page, burnRate: 14.4, long: 5m, short: 1h}
      - {severity: page, burnRate: -1, long: 45s}
---
apiVersion: damper.dev/v1
kind: ServiceLevelObjective
metadata: {name: ''}
spec:
  service: checkout
  objective: 90
  sli: {ratio: {query: ']'}}
  alerting: {mode: off, rules: [{severity: page, burnRate: 10, long: 1h, for: soon}]}
"#;

#[test]
fn a_file_with_many_mistakes_tells_all_of_them_in_one_run() {
    let problems = listed(TEN_MISTAKES);
    let expected = [
        (2, "`kind: ServiceLevelObjektive` is not known"),
        (4, "`metadata.name: Availability` is not a name"),
        (5, "unknown field `label` in metadata"),
        (6, "`metadata.annotations.run-book` is not a valid label name"),
        (9, "an objective must be below 100"),
        (10, "unknown field `windwo` in spec"),
        (13, "`spec.sli.events.bad`"),
        (15, "`spec.sli.absent.means` cannot be `fine`"),
        (15, "`spec.sli.absent.after: 10x`: not a duration"),
        (16, "`route` is written twice in spec.groupBy"),
        (18, "`spec.alerting.mode` cannot be `shaddow`"),
        (20, "`spec.alerting.rules[0].short: 1h` is not shorter than long: 5m"),
        (21, "`spec.alerting.rules[1].burnRate: -1`"),
        (21, "`spec.alerting.rules[1].long: 45s` is not"),
        (25, "`metadata.name: ` is not a name"),
        (29, "`spec.sli.ratio.query`"),
        (30, "`spec.alerting.mode` cannot be `off`"),
        (30, "this rule can never fire"),
        (30, "`spec.alerting.rules[0].for: soon`"),
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, (line, what)) in problems.iter().zip(expected) {
        assert!(problem.starts_with(&format!("{line}:")) && problem.contains(what), "{problem} / {what}");
    }
    assert!(loaded(TEN_MISTAKES).slos().next().is_none());
}

#[test]
fn problems_are_told_with_the_line_a_caret_and_a_hint() {
    let text = "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {name: a}\nspec:\n  service: s\n  objective: 1e2\n  windwo: 28d\n  sli: {composite: {of: []}}\n";
    insta::assert_snapshot!(rendered(text), @r"
    error: `spec.objective: 1e2`: not a plain decimal number with few enough decimals
     --> slos/checkout.yaml:6:14
      |
    6 |   objective: 1e2
      |              ^^^
      = hint: percent of good events as a plain number, such as 99.9, at most seven decimals

    error: unknown field `windwo` in spec
     --> slos/checkout.yaml:7:3
      |
    7 |   windwo: 28d
      |   ^^^^^^
      = hint: did you mean `window`?

    error: `spec.sli.composite.as` is missing
     --> slos/checkout.yaml:8:20
      |
    8 |   sli: {composite: {of: []}}
      |                    ^
      = hint: worst, or weighted

    error: `spec.sli.composite.of` needs 1 to 20 SLOs
     --> slos/checkout.yaml:8:25
      |
    8 |   sli: {composite: {of: []}}
      |                         ^
    ");
}

#[test]
fn a_window_within_a_label_is_told_with_its_place_and_what_to_write() {
    let text = sli("objective: 99", r#"{events: {bad: 'x{on="a{{.window}}"}', total: x}}"#);
    insta::assert_snapshot!(rendered(&text), @r#"
    error: `spec.sli.events.bad`: {{.window}} stands for a range or an offset, and "a{{.window}}" is neither
     --> slos/checkout.yaml:7:23
      |
    7 |   sli: {events: {bad: 'x{on="a{{.window}}"}', total: x}}
      |                       ^^
      = hint: write the name or value itself; a range is rate(x[{{.window}}]), an offset x offset {{.window}}
    "#);
}

#[test]
fn numbers_that_are_no_objective_are_refused() {
    for written in
        ["100", "100.0", "0", "-1", ".nan", ".inf", "1e2", "99,9", "99.9%", "[99]", "99.99999999", "''"]
    {
        let text = counted("").replace("99.9", written);
        assert_eq!(listed(&text).len(), 1, "{written}: {:?}", listed(&text));
        assert!(loaded(&text).documents[0].slos.is_none(), "{written}");
    }
    let fraction = counted("").replace("99.9", "0.999");
    assert!(rendered(&fraction).contains("write 99.9, not 0.999"));
}

#[test]
fn each_of_these_is_one_clear_problem() {
    let events = |flow: &str| sli("objective: 99", &format!("{{events: {flow}}}"));
    for (text, what) in [
        (counted("window: 30m"), "is not between 1h and 400d"),
        (counted("window: 401d"), "is not between 1h and 400d"),
        (counted("window: 1h1m"), "not a multiple of 5m"),
        (counted("window: 8d30m"), "not a multiple of 1h"),
        (counted("window: {calendar: year}"), "cannot be `year`"),
        (counted("window: {calendar: month, timeZone: Mars/Olympus}"), "not a known time zone"),
        (counted("groupBy: {labels: [a], limit: 10001}"), "not a whole number from 1 to 10000"),
        (counted("groupBy: {labels: [a], limit: 0}"), "not a whole number from 1 to 10000"),
        (counted("groupBy: []"), "needs 1 to 10 labels"),
        (counted("groupBy: [a-b]"), "is not a label name"),
        (counted("groupBy: [le]"), "cannot be a group"),
        (
            counted("groupBy: {labels: [a], objectives: [{match: {b: x}, objective: 99}]}"),
            "not one of the group's labels",
        ),
        (counted("alerting: {rules: []}"), "needs 1 to 20 rules"),
        (
            counted("alerting: {rules: [{severity: page, burnRate: 1000, long: 1h}]}"),
            "this rule can never fire",
        ),
        (
            counted("alerting: {rules: [{severity: page, burnRate: 2, long: 29d}]}"),
            "is not between 1m and 28d",
        ),
        (
            counted("alerting: {rules: [{severity: page, burnRate: 2, long: 1h, for: 2d}]}"),
            "is not between 0s and 1d",
        ),
        (
            counted(
                "alerting: {rules: [{severity: page, burnRate: 2, long: 1h}, {severity: page, burnRate: 2.0, long: 60m}]}",
            ),
            "repeats an earlier rule",
        ),
        (counted("alerting: {page: {labels: {alertname: x}}}"), "cannot be set here"),
        (counted("alerting: {name: ''}"), "is not an alert name"),
        (counted("").replace("99.9", "80"), "no default page rule can fire with objective 80%"),
        (events(r#"{bad: 'r{a="b"}', total: 'r{a="b"}'}"#), "every event would be bad"),
        (events(r#"{good: r, total: 'sum(rate(r[5m]))'}"#), "no event could ever be bad"),
        (events("{bad: a, good: b, total: c}"), "`bad` and `good` cannot stand together"),
        (events("{total: c}"), "needs one of: bad, good"),
        (events("{bad: a}"), "`spec.sli.events.total` is missing"),
        (events("{bad: a, total: b, counter: raw}"), "cannot be `raw`"),
        (events(r#"{bad: 'r{on="a{{.window}}"}', total: r}"#), "and \"a{{.window}}\" is neither"),
        (events("{bad: 'kind{{ .window }}', total: r}"), "and kind{{.window}} is neither"),
        (events("{good: 'avg(r{on=~`{{.window}}.`})', total: r}"), "is neither"),
        (
            sli("objective: 99", r#"{ratio: {query: 'rate(x{a="{{.window}}"}[{{.window}}])'}}"#),
            "and \"{{.window}}\" is neither",
        ),
        (
            sli("objective: 99", r#"{timeslice: {query: 'x{a="{{.window}}"}', good: '< 1'}}"#),
            "{{.window}} has no meaning here",
        ),
        (
            sli("objective: 99", "{events: {bad: a, total: b}, alive: 'up{job=\"{{.window}}\"}'}"),
            "a selector has no window",
        ),
        (
            sli(
                "window: 28d",
                r#"{latency: {histogram: h, selector: 'job="{{.window}}"', unit: s, objectives: [{percent: 99, within: 300ms}]}}"#,
            ),
            "a selector has no window",
        ),
        (
            sli("objective: 99", "{events: {bad: a, total: b}, ratio: {query: x}}"),
            "`events` and `ratio` cannot stand together",
        ),
        (sli("objective: 99", "{ratio: {query: 'sum(rate(e[5m]))'}}"), "window"),
        (sli("objective: 99", "{timeslice: {query: q, good: '10'}}"), "is not a comparison"),
        (sli("objective: 99", "{timeslice: {query: q, good: '< NaN'}}"), "is not a comparison"),
        (
            sli("objective: 99", "{timeslice: {query: q, good: '< 1', slice: 45s}}"),
            "must be a multiple of the step",
        ),
        (sli("objective: 99", "{alive: up}"), "needs one of: events, latency, timeslice, ratio, composite"),
        (with_spec("objective: 99\nsli:"), "`spec.sli` is empty"),
        (counted("<<: {window: 7d}"), "merge keys"),
        (counted("objective: 99"), "written twice"),
    ] {
        let errors: Vec<String> = loaded(&text)
            .problems()
            .filter(|p| p.level == super::super::problem::Level::Error)
            .map(|p| p.what.clone())
            .collect();
        assert!(errors.len() == 1 && errors[0].contains(what), "{what}: {errors:?}\n{text}");
    }
}

#[test]
fn a_source_that_is_not_configured_is_refused_where_sources_are_known() {
    let text = counted("source: globl");
    let file = SourceFile { path: "f".into(), text };
    let context = Context { sources: vec!["local".into(), "global".into()], ..context() };
    let loaded = load(&[file], &context);
    let problem = loaded.problems().next().unwrap();
    assert_eq!(problem.hint.as_deref(), Some("did you mean `global`?"));
}
