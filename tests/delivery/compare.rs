//! Damper in shadow mode beside rules of Prometheus that page through a real Alertmanager: nobody is
//! told by Damper, and `damper compare-alerts` says who would have been, by whom first.

use std::process::Command;

use serde_json::Value;

use super::{LIMIT, Told, taken};
use crate::support::alertmanager::{Alertmanager, Version};
use crate::support::damper::Damper;
use crate::support::receiver::Receiver;
use crate::support::shop::Shop;
use crate::support::wait_until;

/// What a team had before: one rule that is slower than Damper, one that pages for nothing, one that is
/// silenced, and one that is about no SLO. Nothing watches `cart`.
const RULES: &str = r#"
groups:
  - name: theirs
    interval: 1s
    rules:
      - alert: PayBurns
        expr: sum(rate(requests_total{service="pay",code="500"}[30s])) / sum(rate(requests_total{service="pay"}[30s])) > 0.144
        for: 20s
        labels: {severity: critical, sloth_service: pay, sloth_slo: availability}
      - alert: MailIsThere
        expr: sum(requests_total{service="mail"}) > 0
        labels: {severity: page, team: mail}
      - alert: Hushed
        expr: vector(1)
        labels: {severity: page, service: pay, slo: availability}
      - alert: NodeDown
        expr: vector(1)
        labels: {severity: warning}
"#;

#[tokio::test]
async fn shadow_mode_tells_nobody_and_shows_what_it_would_have_told_beside_theirs() {
    let people = Receiver::start();
    let alertmanager = Alertmanager::start(Version::Old, Some(&people.url())).await;
    alertmanager.silence("Hushed").await;
    let at = alertmanager.url().replace("http://", "");
    let shop = Shop::open_with(&["pay", "cart", "mail"], |prometheus| {
        std::fs::write(prometheus.folder().join("rules.yml"), RULES).unwrap();
        prometheus
            .config("rule_files: [rules.yml]")
            .config(&format!("alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{at}']}}]}}]}}"))
    })
    .await;
    let (oncall, chat) = (Receiver::start(), Receiver::start());
    let mut damper = Damper::new(&format!(
        "{}receivers:\n  - {{name: oncall, webhook: {{url: '{}'}}}}\n  - {{name: chat, webhook: {{url: '{}'}}}}\n\
         alerting: {{mode: shadow, shadowReceiver: chat}}\n",
        shop.settings(),
        oncall.url(),
        chat.url()
    ));
    for service in ["pay", "cart", "mail"] {
        damper.definition(&format!("{service}.yaml"), &Shop::slo(service));
    }
    damper.start().await;
    shop.fail("pay", true);
    shop.fail("cart", true);

    let shown = taken(&chat, "firing").await;
    assert_eq!((&shown.labels["severity"], &shown.labels["shadow"]), (&"shadow".into(), &"true".into()));
    assert_eq!(shown.labels["shadow_severity"], "page");
    let is_theirs = |request: &crate::support::receiver::Request| {
        request.json()["alerts"][0]["labels"]["alertname"] == "PayBurns"
    };
    people.wait_for(LIMIT, "their page", is_theirs).await;
    shop.fail("pay", false);
    shop.fail("cart", false);
    chat.wait_for(LIMIT, "the end of both", |_| ends(&chat) == 2).await;

    let ask = |more: &[&str]| compared(&damper, &alertmanager.url(), more);
    let report = wait_until(LIMIT, "everything to be decided", async || {
        let report: Value = serde_json::from_str(&ask(&["--output", "json"]).1).unwrap();
        let counts = [&report["both"], &report["onlyDamper"], &report["onlyTheirs"]];
        (counts == [1, 1, 1]).then_some(report)
    })
    .await;
    let slo = |name: &str| report["slos"].as_array().unwrap().iter().find(|slo| slo["slo"] == name).unwrap();
    let pay = slo("pay/availability");
    assert_eq!((&pay["both"], &pay["onlyDamper"], &pay["onlyTheirs"]), (&1.into(), &0.into(), &0.into()));
    let lead = pay["lead"]["worst"].as_i64().unwrap();
    assert!((5..60).contains(&lead), "theirs waits 20s: {pay:#}");
    let besides = &pay["incidents"][0]["theirsBesides"];
    assert_eq!(
        (&besides[0]["labels"]["alertname"], &besides[0]["weight"]),
        (&"Hushed".into(), &"silenced".into())
    );
    assert_eq!(slo("cart/availability")["onlyDamper"], 1);
    assert_eq!(slo("mail/availability")["onlyTheirs"], 1);
    assert_eq!(report["withoutSlo"][0]["alertname"], "NodeDown");
    assert_eq!(report["complete"], true, "{report:#}");

    let (code, text) = ask(&[]);
    assert!(code == 1 && text.contains("1 of these pages Damper would not have sent"), "{text}");
    let (code, text) = ask(&["--slo", "pay/availability"]);
    assert!(code == 0 && text.contains("Damper would have paged each time"), "{text}");
    let (code, text) = ask(&["--slo", "pay/availabilty"]);
    assert!(code == 1 && text.contains("did you mean `pay/availability`?"), "{text}");
    assert!(oncall.requests().is_empty(), "Damper told somebody");
    damper.stop().await;
}

/// How many alerts ended that were shown.
fn ends(chat: &Receiver) -> usize {
    chat.accepted().iter().filter(|request| Told::read(request).event == "resolved").count()
}

fn compared(damper: &Damper, alertmanager: &str, more: &[&str]) -> (i32, String) {
    let config = damper.path("damper.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_damper"));
    command.args(["compare-alerts", "--since", "1h", "--resolution", "1s", "--tolerance", "15s"]);
    command.args(["--match", r#"mail/availability=team="mail""#, "--alertmanager", alertmanager, "--config"]);
    let output = command.arg(config).args(more).current_dir(damper.path("")).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout);
    (output.status.code().unwrap(), format!("{text}{errors}"))
}
