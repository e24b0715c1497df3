//! `damper generate --safety-net`: rules that Prometheus takes, and that page while no Damper ticks.

mod cases;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use self::cases::{BLIND, GONE, STALLED, Watched, cases};
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

const SETTINGS: &str = "
sources: [{name: near, url: 'http://127.0.0.1:9'}, {name: far, url: 'http://127.0.0.1:9'}]
definitions: [slos.yaml]
";

fn generate(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_damper"));
    command.args(["generate", "--safety-net", "slos.yaml"]).args(more).current_dir(folder).output().unwrap()
}

/// Writes the rules of both sources and tests them.
fn try_net(folder: &Path, more: &[&str], all: &[Watched]) {
    let rules = |source: &[&str]| {
        let made = generate(folder, &[more, source].concat());
        assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap()
    };
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    put("net.yaml", &rules(&[]));
    // Without the rules that watch Damper, which `net.yaml` has.
    let far = rules(&["--source", "far"]);
    let own = far.split_once("  - name: damper-safety-net-1").unwrap().1;
    put("far.yaml", &format!("groups:\n  - name: far\n{own}").replacen("\n\n", "\n", 1));
    put("test.yaml", &cases(all));
    for version in Version::ALL {
        version.promtool().run(&["check", "rules", "net.yaml", "far.yaml"], folder);
        version.promtool().run(&["test", "rules", "test.yaml"], folder);
    }
}

#[test]
fn the_safety_net_is_taken_by_prometheus_and_pages_only_while_no_damper_sees_the_fault() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    put("slos.yaml", SLOS);
    put("damper.yaml", SETTINGS);
    // Which source is asked by default is not known without settings, and so not whether it answers.
    try_net(folder.path(), &[], &[GONE, STALLED]);
    try_net(folder.path(), &["--config", "damper.yaml"], &[GONE, STALLED, BLIND]);
}

#[test]
fn what_is_printed_says_what_it_leaves_out_and_for_which_job_it_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("slos.yaml"), SLOS).unwrap();
    let net = generate(folder.path(), &[]);
    let said = String::from_utf8_lossy(&net.stderr).into_owned();
    assert_eq!((net.status.code(), said.trim()), (Some(0), "1 SLOs are of other sources, see --source: far"));
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
