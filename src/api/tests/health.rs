//! Health, readiness and metrics.

use serde_json::Value;

use super::Service;
use crate::engine::view::testing::Example;
use crate::service::clock;
use crate::service::state::DefinitionProblem;
use crate::store::{Decisions, OutboxPut};

async fn service() -> Service {
    Service::of(Example::well(20)).await
}

fn component<'a>(json: &'a Value, name: &str) -> &'a Value {
    let components = json["components"].as_array().unwrap();
    components.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("{name} in {json}"))
}

#[tokio::test]
async fn a_healthy_service_says_so_of_each_component() {
    let reply = service().await.get("/healthz").await;
    let json = reply.json();
    assert_eq!((reply.status.as_u16(), &json["status"]), (200, &"ok".into()), "{json}");
    for name in ["ticks", "store", "definitions", "source local"] {
        assert_eq!(component(&json, name)["status"], "ok");
    }
    assert!(component(&json, "store")["latencySeconds"].is_f64());
}

#[tokio::test]
async fn trouble_outside_degrades_and_does_not_ask_for_a_restart() {
    let service = service().await;
    service.shared.world.write().observed.blind.insert("local".into(), true);
    service.shared.trouble("heartbeat", Some("no route to host".into()));
    service.shared.trouble("store", Some("the disk is full".into()));
    service.shared.definitions.write().problems.push(DefinitionProblem {
        file: "slos/shop.yaml".into(),
        line: 7,
        column: 3,
        error: true,
        what: "unknown field `windwo`".into(),
        hint: None,
    });
    let put = OutboxPut {
        id: "i".into(),
        receiver: "oncall".into(),
        incident: "i".into(),
        event: "firing".into(),
        severity: crate::slo::model::Severity::Page,
        created_at: clock::now_ms() - 3_600_000,
        not_before: 0,
        payload: "{}".into(),
        fallback_of: None,
    };
    let decisions = Decisions { outbox: vec![put], ..Decisions::default() };
    service.shared.store.commit(service.shared.epoch().unwrap(), &decisions).await.unwrap();
    let reply = service.get("/healthz").await;
    let json = reply.json();
    assert_eq!((reply.status.as_u16(), &json["status"]), (200, &"degraded".into()));
    for (name, word) in [
        ("source local", "does not answer"),
        ("heartbeat", "route"),
        ("store", "disk"),
        ("definitions", "slos/shop.yaml:7:3"),
        ("receiver oncall", "oldest for 1h"),
    ] {
        let component = component(&json, name);
        assert_eq!(component["status"], "degraded", "{component}");
        assert!(component["detail"].as_str().unwrap().contains(word), "{component}");
    }
}

#[tokio::test]
async fn a_dead_tick_loop_asks_for_a_restart_but_a_slow_one_does_not() {
    let service = service().await;
    let ago = |seconds: i64| clock::now_ms() - seconds * 1000;
    for (seconds, code, status) in [(20, 200, "ok"), (90, 200, "degraded"), (160, 503, "down")] {
        service.shared.ticks.write().done_at_ms = ago(seconds);
        let reply = service.get("/healthz").await;
        assert_eq!((reply.status.as_u16(), &reply.json()["status"]), (code, &status.into()), "{seconds}s");
    }
    // A replica that waits has no ticks to miss.
    service.shared.set_epoch(None);
    assert_eq!(service.get("/healthz").await.status.as_u16(), 200);
}

#[tokio::test]
async fn it_is_ready_once_it_leads_and_has_judged() {
    let service = service().await;
    assert_eq!(service.get("/readyz").await.status.as_u16(), 200);
    service.shared.ticks.write().completed = 0;
    assert!(service.get("/readyz").await.problem(503).contains("first tick"));
    let epoch = service.shared.epoch();
    service.shared.set_epoch(None);
    assert!(service.get("/readyz").await.problem(503).contains("lead"));
    service.shared.set_epoch(epoch);
    service.shared.shutdown.cancel();
    assert!(service.get("/readyz").await.problem(503).contains("shutting down"));
}

#[tokio::test]
async fn metrics_parse_line_by_line() {
    let service = service().await;
    let reply = service.get("/metrics").await;
    assert!(reply.headers["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    let mut samples = 0;
    for line in reply.text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let name = series.split('{').next().unwrap();
        assert!(name.starts_with("damper_"), "{line}");
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{line}");
        assert!(!series.contains('{') || series.ends_with('}'), "{line}");
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        samples += 1;
    }
    assert!(samples > 10, "{}", reply.text);
    assert!(reply.text.ends_with("# EOF\n"));
    let slo = "service=\"shop\",slo=\"availability\"";
    for line in [
        format!("damper_slo_burn_rate{{{slo},window=\"5m\"}} 0.0"),
        format!("damper_slo_objective_ratio{{{slo}}} 0.999"),
        format!("damper_slo_error_budget_remaining_ratio{{{slo}}} 1.0"),
    ] {
        assert!(reply.text.lines().any(|l| l == line), "{line} in\n{}", reply.text);
    }
}

#[tokio::test]
async fn what_is_not_known_has_no_series_in_the_metrics() {
    let service = Service::of(Example::new(&["availability"], &[])).await;
    let text = service.get("/metrics").await.text;
    assert!(text.contains("damper_slo_objective_ratio{"));
    assert!(!text.contains("damper_slo_burn_rate{") && !text.contains("remaining_ratio{"), "{text}");
}
