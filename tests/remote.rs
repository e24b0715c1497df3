//! `damper status` and `damper reload` against a Damper that runs, and what `/metrics` shows of it.

use std::process::Command;
use std::time::Duration;

use crate::support::damper::Damper;
use crate::support::{port, wait_until};

const LIMIT: Duration = Duration::from_secs(30);
const SLO: &str = "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {name: a}\nspec:\n  service: s\n  objective: 99\n  sli: {events: {bad: 'x_total{code=\"500\"}', total: x_total}}\n";

fn run(arguments: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_damper"));
    let output = command.args(arguments).current_dir(folder.path()).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), text)
}

#[tokio::test]
async fn status_and_reload_speak_to_a_running_damper() {
    let mut damper = Damper::new(&format!(
        "prometheus: {{url: http://127.0.0.1:{}}}\nstep: 5s\nreceivers: [{{name: oncall, webhook: {{url: 'http://127.0.0.1:1/'}}}}]",
        port::free()
    ));
    damper.definition("a.yaml", SLO);
    damper.start().await;
    let url = damper.url("");

    damper.definition("a.yaml", &SLO.replace("objective: 99", "objective: 100"));
    let (code, text) = run(&["reload", "--url", &url]);
    assert_eq!(code, 0, "{text}");
    wait_until(LIMIT, "the broken definition to be told", async || {
        let (code, text) = run(&["status", "--url", &url]);
        (code == 1 && text.contains("a.yaml:6:14")).then_some(())
    })
    .await;
    let (_, text) = run(&["status", "--url", &url, "--output", "json"]);
    let status: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status["definitions"]["slos"], 1, "the last good version is in force: {status:#}");

    wait_until(LIMIT, "the source to be blind in /metrics", async || {
        (damper.metric("damper_source_up{source=\"prometheus\"}").await? == 0.0).then_some(())
    })
    .await;
    assert_eq!(damper.metric("damper_outbox_oldest_seconds{receiver=\"oncall\"}").await, Some(0.0));
    assert_eq!(damper.metric("damper_alerts_firing{severity=\"page\"}").await, Some(0.0));
}

#[test]
fn where_nothing_listens_it_says_so() {
    let url = format!("http://127.0.0.1:{}", port::free());
    for command in ["status", "reload"] {
        let (code, text) = run(&[command, "--url", &url]);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("nothing answers at") && text.contains(&url), "{text}");
    }
    let (code, text) = run(&["status", "--url", "localhost"]);
    assert!(code == 2 && text.contains("write it like http://"), "{text}");
    let (code, text) = run(&["scale", "stop", "--config", "nofile.yaml"]);
    assert!(code == 1 && text.contains("nofile.yaml") && text.contains("cannot be read"), "{text}");
}
