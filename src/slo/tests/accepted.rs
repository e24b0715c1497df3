//! What a person may write.

use super::*;
use crate::slo::model::{AbsentMeans, AlertMode, CompareOp, Overflow, Reduce, Severity};
use crate::slo::period::{CalendarUnit, Period, Zone};
use crate::slo::time::Span;
use crate::slo::unit::Events;

const WHOLE: &str = r#"
apiVersion: damper.dev/v1
kind: ServiceLevelObjective
metadata:
  name: availability
  labels: {team: payments}
  annotations: {runbook: https://run/checkout}
spec:
  service: checkout
  description: Requests answered without a server error.
  source: global                  # default: the first source
  objective: 99.9                 # percent
  window: {calendar: month, timeZone: Asia/Shanghai}
  sli:
    events:                       # one of events | latency | timeslice | ratio | composite
      bad: http_requests_total{job="checkout",code=~"5.."}      # or good:; selectors, rate() and windows are ours
      total: http_requests_total{job="checkout"}
    alive: up{job="checkout"}     # default: the job matcher of total
    absent: {means: idle, after: 15m, severity: page}
  groupBy: {labels: [route, az], limit: 50, onOverflow: drop, expireAfter: 12h, objectives: [{match: {route: /pay}, objective: 99.99}]}
  alerting:                       # all optional; default: the Workbook's set
    name: CheckoutBurn
    mode: shadow                  # live | shadow
    minBadEvents: 5
    page: {labels: {severity: critical}, annotations: {dashboard: d}, disable: false, minBadEvents: 7}
    ticket: {}
    rules:                        # instead of the default set
      - {severity: page, burnRate: 1.5, long: 5m}
      - {severity: ticket, burnRate: 2, long: 6h, short: 30m, for: 1m, keepFiringFor: 10m, labels: {tier: slow}, minBadEvents: 9}
"#;

#[test]
fn every_field_of_the_format_arrives() {
    let slos = good(WHOLE);
    let [slo] = slos.as_slice() else { panic!("{slos:?}") };
    assert_eq!(slo.id.to_string(), "checkout/availability");
    assert_eq!((slo.place.file.as_str(), slo.place.line), ("slos/checkout.yaml", 2));
    assert_eq!(slo.objective.to_string(), "99.9%");
    assert_eq!(slo.source.as_deref(), Some("global"));
    assert_eq!(slo.labels["team"], "payments");
    assert_eq!(slo.annotations["runbook"], "https://run/checkout");
    let zone = Zone::named("Asia/Shanghai").unwrap();
    assert_eq!(slo.period, Period::Calendar { unit: CalendarUnit::Month, zone });
    assert_eq!(slo.alive.as_ref().unwrap().to_string(), r#"up{job="checkout"}"#);
    assert_eq!(
        (slo.absent.means, slo.absent.after, slo.absent.severity),
        (AbsentMeans::Idle, Span::from_mins(15), Severity::Page)
    );
    let (bad, total) = counted_text(slo);
    assert_eq!(bad, r#"+1 http_requests_total{code=~"5..",job="checkout"} Counter"#);
    assert_eq!(total, r#"+1 http_requests_total{job="checkout"} Counter"#);
    let group = slo.group_by.as_ref().unwrap();
    assert_eq!(
        (group.labels.join(","), group.limit, group.on_overflow),
        ("az,route".into(), 50, Overflow::Drop)
    );
    assert_eq!(group.objectives[0].matches["route"], "/pay");
    assert_eq!(group.objectives[0].objective.to_string(), "99.99%");
    assert_eq!((slo.alerting.name.as_str(), slo.alerting.mode), ("CheckoutBurn", AlertMode::Shadow));
    assert_eq!(slo.alerting.page.labels["severity"], "critical");
    assert_eq!(names(&slo.alerting.rules), ["page 1.5 over 5m", "ticket 2 over 6h and 30m"]);
    let [page, ticket] = slo.alerting.rules.as_slice() else { panic!() };
    assert_eq!((page.min_bad_events, ticket.min_bad_events), (Events::whole(7), Events::whole(9)));
    assert_eq!((ticket.hold_for, ticket.keep_firing_for), (Span::from_mins(1), Span::from_mins(10)));
    assert_eq!(ticket.labels["tier"], "slow");
}

#[test]
fn the_shortest_definition_has_the_documented_defaults() {
    let slos = good(&counted(""));
    let slo = &slos[0];
    assert_eq!(slo.period, Period::Rolling(Span::from_days(28)));
    assert_eq!(slo.alive.as_ref().unwrap().to_string(), r#"up{job="j"}"#);
    assert_eq!(slo.absent.means, AbsentMeans::Unknown);
    assert_eq!((slo.source.as_ref(), slo.group_by.as_ref()), (None, None));
    assert_eq!(slo.alerting.name, "ErrorBudgetBurn");
    assert_eq!(
        names(&slo.alerting.rules),
        [
            "page 13.44 over 1h and 5m",
            "page 5.6 over 6h and 30m",
            "ticket 2.8 over 1d and 2h",
            "ticket 1 over 3d and 6h"
        ]
    );
    let least: Vec<_> = slo.alerting.rules.iter().map(|r| r.min_bad_events.thousandths()).collect();
    assert_eq!(least, [3000, 3000, 1000, 1000]);
}

#[test]
fn objectives_are_exact_whether_number_or_string() {
    for written in ["99.9", "'99.9'", "\"99.90\""] {
        let text = counted("").replace("99.9", written);
        assert_eq!(good(&text)[0].objective.budget_ppb(), 1_000_000, "{written}");
    }
}

#[test]
fn good_events_become_total_minus_good() {
    let text = sli("objective: 99", r#"{events: {good: 'r{job="j",code!~"5.."}', total: 'r{job="j"}'}}"#);
    let (bad, _) = counted_text(&good(&text)[0]);
    assert_eq!(bad, "-1 r{code!~\"5..\",job=\"j\"} Counter\n+1 r{job=\"j\"} Counter");
}

#[test]
fn a_timeslice_has_a_verdict_and_defaults() {
    let text = sli("objective: 99", r#"{timeslice: {query: 'max(queue)', good: "<= 1e4", reduce: max}}"#);
    let slos = good(&text);
    let Sli::Timeslice(timeslice) = &slos[0].sli else { panic!() };
    assert_eq!((timeslice.good.op, timeslice.good.value), (CompareOp::LessOrEqual, 10_000.0));
    assert_eq!((timeslice.slice, timeslice.reduce), (Span::from_mins(1), Reduce::Max));
    assert!(slos[0].alerting.rules.iter().all(|r| r.min_bad_events == Events::whole(1)));
    assert_eq!(slos[0].alive, None);
}

#[test]
fn short_windows_of_the_default_set_hold_a_whole_time_slice() {
    let slos = good(&sli("objective: 99", r#"{timeslice: {query: q, good: "< 1", slice: 30m}}"#));
    assert_eq!(
        names(&slos[0].alerting.rules),
        [
            "page 13.44 over 1h and 30m",
            "page 5.6 over 6h and 30m",
            "ticket 2.8 over 1d and 2h",
            "ticket 1 over 3d and 6h"
        ]
    );
}

#[test]
fn what_is_not_additive_is_asked_as_one_ratio_and_said_so() {
    let bad = r#"max(rate(e[{{.window}}]))"#;
    let text = sli(
        "objective: 99",
        &format!("{{events: {{bad: '{bad}', total: 'sum(rate(t[{{{{.window}}}}]))'}}}}"),
    );
    let slos = good(&text);
    let Sli::Direct { error_ratio } = &slos[0].sli else { panic!("{:?}", slos[0].sli) };
    assert_eq!(error_ratio, "(max(rate(e[{{.window}}]))) / (sum(rate(t[{{.window}}])))");
    assert!(listed(&text)[0].contains("weighted by time"), "{:?}", listed(&text));

    let good_side = text.replace("bad:", "good:");
    let slos = good(&good_side);
    let Sli::Direct { error_ratio } = &slos[0].sli else { panic!() };
    assert!(error_ratio.starts_with("1 - (max("));

    let ratio =
        sli("objective: 99", "{ratio: {query: 'sum(rate(e[{{ .window }}])) / sum(rate(t[{{.window}}]))'}}");
    assert!(matches!(&good(&ratio)[0].sli, Sli::Direct { .. }));
}

#[test]
fn severities_can_be_disabled() {
    let page_only = good(&counted("alerting: {ticket: {disable: true}}"));
    assert!(page_only[0].alerting.rules.iter().all(|r| r.severity == Severity::Page));
    let none = good(&counted("alerting: {page: {disable: true}, ticket: {disable: true}}"));
    assert!(none[0].alerting.rules.is_empty());
}

#[test]
fn default_rules_that_can_never_fire_are_left_out_with_a_notice() {
    // 13.44 · 0.1 > 1, 5.6 · 0.1 < 1.
    let text = counted("").replace("99.9", "90");
    assert_eq!(good(&text)[0].alerting.rules.len(), 3);
    assert_eq!(listed(&text).len(), 1);
    assert!(listed(&text)[0].contains("default rule `page 13.44 over 1h and 5m` is left out"));
}

#[test]
fn queries_that_do_not_fit_together_are_noticed() {
    let events = |flow: &str| sli("objective: 99", &format!("{{events: {flow}}}"));
    for (text, what) in [
        (
            events(r#"{bad: 'sum(rate(e[5m]))', total: 'sum(increase(t[5m]))'}"#),
            "one is per second, the other per window",
        ),
        (events(r#"{bad: 'r', total: 'r{job="a"}'}"#), "selects events that `total` does not"),
    ] {
        assert_eq!(good(&text).len(), 1);
        let problems = listed(&text);
        assert!(problems.len() == 1 && problems[0].contains(what), "{problems:?}");
    }
}
