//! What the net is tried with, as `promtool test rules` takes it: services that fail all the time, and a
//! Damper that sees it but for half an hour.

/// Ten requests a second on each of three routes. On two of them one in ten fails, one in five is slow, a
/// queue is long, and far away one in ten fails as well, all the time.
const FAULT: &str = r#"
      - {series: 'requests_total{job="shop",code="200",route="/a"}', values: '0+540x150'}
      - {series: 'requests_total{job="shop",code="500",route="/a"}', values: '0+60x150'}
      - {series: 'requests_total{job="shop",code="200",route="/b"}', values: '0+600x150'}
      - {series: 'requests_total{job="shop",code="200",route="/c"}', values: '0+540x150'}
      - {series: 'requests_total{job="shop",code="500",route="/c"}', values: '0+60x150'}
      - {series: 'seconds_bucket{job="shop",le="0.3"}', values: '0+480x150'}
      - {series: 'seconds_bucket{job="shop",le="+Inf"}', values: '0+600x150'}
      - {series: 'seconds_count{job="shop"}', values: '0+600x150'}
      - {series: 'queue_length{job="shop"}', values: '12x150'}
      - {series: 'bad_total', values: '0+60x150'}
      - {series: 'all_total', values: '0+600x150'}
"#;

/// The labels of each alert and the annotations of its SLO.
const PAGES: [(&str, &str); 6] = [
    ("slo: availability, team: payments", "runbook: 'https://run/{{x}}', "),
    ("slo: routes, route: all, group_route: /a", ""),
    ("slo: routes, route: all, group_route: /c", ""),
    ("slo: latency", ""),
    ("slo: queue", ""),
    ("slo: elsewhere", ""),
];

/// What Prometheus has of Damper: all is well, but from the 91st minute to the 120th.
pub struct Watched {
    why: &'static str,
    up: &'static str,
    ticks: &'static str,
    source_up: &'static str,
    also: &'static str,
}

pub const GONE: Watched = Watched {
    why: "no Damper answers",
    up: "1x90 _x30 1x30",
    ticks: "0+2x90 _x30 0+2x30",
    source_up: "1x90 _x30 1x30",
    also: r"
      - eval_time: 98m
        alertname: DamperDown
        exp_alerts:
          - exp_labels: {severity: page, job: damper}
            exp_annotations:
              summary: No Damper answers.
              description: SLO alerts are not judged. See the log of the unit damper, and whether Prometheus scrapes the job `damper`.
",
};
pub const STALLED: Watched = Watched {
    why: "it answers, and its ticks stand still",
    up: "1x150",
    ticks: "0+2x90 180x29 182+2x30",
    source_up: "1x150",
    also: "",
};
pub const BLIND: Watched = Watched {
    why: "it ticks, and is blind to the source",
    up: "1x150",
    ticks: "0+2x150",
    source_up: "1x90 0x29 1x30",
    also: "",
};

/// The fault is Damper's to tell for an hour and a half, the net's for half an hour, and Damper's again.
fn case(watched: &Watched) -> String {
    let Watched { why, up, ticks, source_up, also } = watched;
    let damper = |metric: &str, more: &str, values: &str| {
        format!("\n      - {{series: '{metric}{{job=\"damper\",instance=\"a\"{more}}}', values: '{values}'}}")
    };
    let series = damper("up", "", up)
        + &damper("damper_ticks_total", "", ticks)
        + &damper("damper_source_up", ",source=\"near\"", source_up)
        + &damper("damper_source_up", ",source=\"far\"", source_up);
    let page = |(labels, annotations): (&str, &str)| {
        let slo = labels.split([' ', ',']).nth(1).unwrap();
        format!(
            "\n          - exp_labels: {{severity: page, service: shop, {labels}, damper_safety_net: \"true\"}}
            exp_annotations: {{{annotations}summary: 'shop/{slo} burns its error budget at 13.44 times the pace or more, and no Damper sees it.', description: 'Over 1h and 5m, by a plain Prometheus rule. Look at the service, then at Damper.'}}"
        )
    };
    let pages: String = PAGES.into_iter().map(page).collect();
    let silent = |at: &str| format!("\n      - {{eval_time: {at}, alertname: ErrorBudgetBurn}}");
    let loud = |at: &str| {
        format!("\n      - eval_time: {at}\n        alertname: ErrorBudgetBurn\n        exp_alerts:{pages}")
    };
    let told = [silent("85m"), silent("91m"), loud("98m"), loud("120m"), silent("125m")].concat();
    format!(
        "\n  - name: {why}\n    interval: 1m\n    input_series:{series}{FAULT}    alert_rule_test:{told}{also}"
    )
}

/// The cases as a file.
pub fn cases(all: &[Watched]) -> String {
    let cases: String = all.iter().map(case).collect();
    format!("rule_files: [net.yaml, far.yaml]\nevaluation_interval: 1m\ntests:{cases}\n")
}
