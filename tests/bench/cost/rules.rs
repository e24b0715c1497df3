//! The same SLO as recording and alerting rules, of the shape that Sloth generates for 30 days:
//! eight ratios, seven of metadata, two alerts.

use std::fmt::Write as _;

/// The windows whose ratio is recorded from events; the ninth, of 30 days, from the first of these.
const WINDOWS: [&str; 7] = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];
const BUDGET: &str = "0.0009999999999999432";
/// Short and long window and burn rate: two pairs each for page and ticket.
const PAGE: [(&str, &str, &str); 2] = [("5m", "1h", "14.4"), ("30m", "6h", "6")];
const TICKET: [(&str, &str, &str); 2] = [("2h", "1d", "3"), ("6h", "3d", "1")];

/// How often a group is evaluated while it is measured. It costs the same at any pace.
pub const EVERY: u64 = 5;

/// A rule file: one group for each service, given by number and matchers.
pub fn file(services: &[(usize, String)]) -> String {
    let mut text = String::from("groups:\n");
    for (number, matchers) in services {
        writeln!(text, "- name: sloth-{number}\n  interval: {EVERY}s\n  rules:").unwrap();
        for (name, expression) in group(*number, matchers) {
            writeln!(text, "  - {name}\n    expr: '{expression}'").unwrap();
        }
    }
    text
}

/// Name and labels of each rule, and its expression.
fn group(number: usize, matchers: &str) -> Vec<(String, String)> {
    let id = format!("sloth_id=\"api-{number}-availability\"");
    let labels = format!(
        "labels: {{sloth_id: api-{number}-availability, sloth_service: api-{number}, sloth_slo: availability}}"
    );
    let windowed = |window: &str| labels.replace('}', &format!(", sloth_window: {window}}}"));
    let own = format!("{{{id}, sloth_service=\"api-{number}\", sloth_slo=\"availability\"}}");
    let same = "on(sloth_id, sloth_slo, sloth_service) group_left";
    let mut rules: Vec<(String, String)> = WINDOWS
        .iter()
        .map(|window| {
            let sum = |metric: &str| format!("sum(rate({metric}{{{matchers}}}[{window}]))");
            let ratio = format!("({}) / ({})", sum("http_errors_total"), sum("http_requests_total"));
            (record(&format!("sli_error:ratio_rate{window}"), &windowed(window)), ratio)
        })
        .collect();
    let recorded = format!("slo:sli_error:ratio_rate5m{own}[30d]");
    let month = format!("sum_over_time({recorded}) / ignoring (sloth_window) count_over_time({recorded})");
    rules.push((record("sli_error:ratio_rate30d", &windowed("30d")), month));

    let burn =
        |window: &str| format!("slo:sli_error:ratio_rate{window}{own} / {same} slo:error_budget:ratio{own}");
    let metadata = [
        ("objective:ratio", "vector(0.9990000000000001)".to_owned()),
        ("error_budget:ratio", "vector(1 - 0.9990000000000001)".to_owned()),
        ("time_period:days", "vector(30)".to_owned()),
        ("current_burn_rate:ratio", burn("5m")),
        ("period_burn_rate:ratio", burn("30d")),
        ("period_error_budget_remaining:ratio", format!("1 - slo:period_burn_rate:ratio{own}")),
    ];
    rules.extend(metadata.map(|(name, expression)| (record(name, &labels), expression)));
    rules.push((format!("record: sloth_slo_info\n    {labels}"), "vector(1)".to_owned()));
    for (severity, pairs) in [("page", PAGE), ("ticket", TICKET)] {
        let name = format!("alert: ErrorBudgetBurn\n    labels: {{sloth_severity: {severity}}}");
        rules.push((name, pairs.map(|pair| exceeds(&id, number, pair)).join(" or ")));
    }
    rules
}

fn record(name: &str, labels: &str) -> String {
    format!("record: slo:{name}\n    {labels}")
}

fn exceeds(id: &str, number: usize, (short, long, factor): (&str, &str, &str)) -> String {
    let over = |window: &str| {
        let ratio = format!(
            "slo:sli_error:ratio_rate{window}{{{id}, sloth_service=\"api-{number}\", sloth_slo=\"availability\"}}"
        );
        format!("max({ratio} > ({factor} * {BUDGET})) without (sloth_window)")
    };
    format!("({} and {})", over(short), over(long))
}
