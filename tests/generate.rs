//! `damper generate --safety-net`: rules that Prometheus takes, and that page while no Damper ticks.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::prometheus::Version;

const SLOS: &str = r#"
apiVersion: damper.dev/v1
kind: ServiceLevelObjective
metadata: {name: availability, labels: {team: payments}, annotations: {runbook: 'https://run/{{x}}'}}
spec:
  service: shop
  objective: 99.9
  sli: {events: {bad: 'requests_total{job="shop",code=~"5.."}', total: 'requests_total{job="shop"}'}}
---
apiVersion: damper.dev/v1
kind: ServiceLevelObjective
metadata: {name: routes, labels: {route: all}}
spec:
  service: shop
  objective: 99.9
  sli: {events: {good: 'requests_total{job="shop",code!~"5.."} + 0.5 * jobs_total', total: 'requests_total{job="shop"} + jobs_total'}}
  groupBy: [route]
---
apiVersion: damper.dev/v1
kind: ServiceLevelObjective
metadata: {name: latency}
spec:
  service: shop
  sli: {latency: {histogram: seconds, objectives: [{percent: 99, within: 300ms}]}}
---
apiVersion: damper.dev/v1
kind: ServiceLevelObjective
metadata: {name: queue}
spec:
  service: shop
  objective: 99
  sli: {timeslice: {query: 'max(queue_length)', good: '< 10', slice: 1m}}
---
apiVersion: damper.dev/v1
kind: ServiceLevelObjective
metadata: {name: elsewhere}
spec:
  service: shop
  source: far
  objective: 99.9
  sli: {ratio: {query: 'sum(rate(bad_total[{{.window}}])) / sum(rate(all_total[{{.window}}])) # of all'}}
"#;

/// 10 requests a second of which one fails, for two hours, and no Damper from the 90th minute on.
const TESTS: &str = r#"
rule_files: [net.yaml, far.yaml]
evaluation_interval: 1m
tests:
  - name: a Damper that is blind to the source does not see it either
    interval: 1m
    input_series:
      - {series: 'up{job="damper",instance="a"}', values: '1x150'}
      - {series: 'damper_ticks_total{job="damper",instance="a"}', values: '0+2x150'}
      - {series: 'damper_source_up{job="damper",instance="a",source="far"}', values: '1x90 0x60'}
      - {series: 'bad_total', values: '0+60x150'}
      - {series: 'all_total', values: '0+600x150'}
    alert_rule_test:
      - {eval_time: 85m, alertname: ErrorBudgetBurn}
      - eval_time: 105m
        alertname: ErrorBudgetBurn
        exp_alerts:
          - exp_labels: {severity: page, service: shop, slo: elsewhere, damper_safety_net: "true"}
            exp_annotations:
              summary: shop/elsewhere burns its error budget at 13.44 times the pace or more, and no Damper sees it.
              description: Over 1h and 5m, by a plain Prometheus rule. Look at the service, then at Damper.
  - name: a fault is Damper's to tell, until it is gone
    interval: 1m
    input_series:
      - {series: 'up{job="damper",instance="a"}', values: '1x90 _x60'}
      - {series: 'damper_ticks_total{job="damper",instance="a"}', values: '0+2x90 _x60'}
      - {series: 'requests_total{job="shop",code="200",route="/a"}', values: '0+540x150'}
      - {series: 'requests_total{job="shop",code="500",route="/a"}', values: '0+60x150'}
      - {series: 'requests_total{job="shop",code="200",route="/b"}', values: '0+600x150'}
      - {series: 'seconds_bucket{job="shop",le="0.3"}', values: '0+599x150'}
      - {series: 'seconds_bucket{job="shop",le="+Inf"}', values: '0+600x150'}
      - {series: 'seconds_count{job="shop"}', values: '0+600x150'}
      - {series: 'queue_length{job="shop"}', values: '12x150'}
    alert_rule_test:
      - {eval_time: 85m, alertname: ErrorBudgetBurn}
      - eval_time: 105m
        alertname: DamperDown
        exp_alerts:
          - exp_labels: {severity: page, job: damper}
            exp_annotations:
              summary: No Damper answers.
              description: SLO alerts are not judged. See the log of the unit damper, and whether Prometheus scrapes the job `damper`.
      - eval_time: 105m
        alertname: ErrorBudgetBurn
        exp_alerts:
          - exp_labels: {severity: page, service: shop, slo: availability, team: payments, damper_safety_net: "true"}
            exp_annotations:
              runbook: 'https://run/{{x}}'
              summary: shop/availability burns its error budget at 13.44 times the pace or more, and no Damper sees it.
              description: Over 1h and 5m, by a plain Prometheus rule. Look at the service, then at Damper.
          - exp_labels: {severity: page, service: shop, slo: routes, route: all, group_route: /a, damper_safety_net: "true"}
            exp_annotations:
              summary: shop/routes burns its error budget at 13.44 times the pace or more, and no Damper sees it.
              description: Over 1h and 5m, by a plain Prometheus rule. Look at the service, then at Damper.
          - exp_labels: {severity: page, service: shop, slo: queue, damper_safety_net: "true"}
            exp_annotations:
              summary: shop/queue burns its error budget at 13.44 times the pace or more, and no Damper sees it.
              description: Over 1h and 5m, by a plain Prometheus rule. Look at the service, then at Damper.
"#;

fn generate(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_damper"));
    command.args(["generate", "--safety-net", "slos.yaml"]).args(more).current_dir(folder).output().unwrap()
}

#[test]
fn the_safety_net_is_taken_by_prometheus_and_pages_only_while_no_damper_ticks() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    put("slos.yaml", SLOS.as_bytes());
    put("test.yaml", TESTS.as_bytes());
    let net = generate(folder.path(), &[]);
    let said = String::from_utf8_lossy(&net.stderr).into_owned();
    assert_eq!((net.status.code(), said.trim()), (Some(0), "1 SLOs are of other sources, see --source: far"));
    put("net.yaml", &net.stdout);
    let far = generate(folder.path(), &["--source", "far"]);
    assert_eq!(far.status.code(), Some(0));
    // Without the rules that watch Damper, which `net.yaml` has.
    let far = String::from_utf8(far.stdout).unwrap();
    let own = far.split_once("  - name: damper-safety-net-1").unwrap().1;
    put("far.yaml", format!("groups:\n  - name: far\n{own}").replacen("\n\n", "\n", 1).as_bytes());
    for version in Version::ALL {
        version.promtool().run(&["check", "rules", "net.yaml", "far.yaml"], folder.path());
        version.promtool().run(&["test", "rules", "test.yaml"], folder.path());
    }
    let json: Value = serde_json::from_slice(&generate(folder.path(), &["--output", "json"]).stdout).unwrap();
    let names: Vec<&str> =
        json["groups"].as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["damper", "damper-safety-net-1"]);
    let other = String::from_utf8(generate(folder.path(), &["--job", "slo-engine"]).stdout).unwrap();
    assert!(other.contains("up{job=\"slo-engine\"}") && !other.contains("job=\"damper\""), "{other}");
    assert!(other.contains("the job `slo-engine`") && !other.contains("job `damper`"), "{other}");
    let odd = generate(folder.path(), &["--job", "a: b"]);
    assert_eq!((odd.status.code(), odd.stdout.len()), (Some(2), 0));
}

#[test]
fn a_damper_in_shadow_mode_has_a_net_that_pages_for_no_slo() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("slos.yaml"), SLOS.replace("  source: far\n", "")).unwrap();
    let settings =
        "prometheus: {url: 'http://127.0.0.1:9'}\ndefinitions: [slos.yaml]\nalerting: {mode: shadow}\n";
    std::fs::write(folder.path().join("damper.yaml"), settings).unwrap();
    let net = generate(folder.path(), &["--config", "damper.yaml"]);
    let (text, said) = (String::from_utf8_lossy(&net.stdout), String::from_utf8_lossy(&net.stderr));
    assert!(text.contains("DamperDown") && !text.contains("ErrorBudgetBurn"), "{text}");
    assert!(net.status.success() && said.contains("alerting.mode: shadow"), "{said}");
}

#[test]
fn a_net_with_holes_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("slos.yaml"), SLOS.replacen("objective: 99.9", "objective: 100", 1))
        .unwrap();
    let net = generate(folder.path(), &[]);
    let said = String::from_utf8_lossy(&net.stderr).into_owned();
    assert_eq!((net.status.code(), net.stdout.len()), (Some(1), 0), "{said}");
    assert!(said.contains("slos.yaml:7:"), "{said}");
    let nothing = generate(&folder.path().join(".."), &[]);
    assert_eq!(nothing.status.code(), Some(2));
}
