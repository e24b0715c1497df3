//! Health, readiness and metrics.

use std::sync::Arc;

use serde_json::Value;

use super::Service;
use crate::engine::plan::Plan;
use crate::engine::scale::{Decision, Reason, State, Verdict};
use crate::engine::view::testing::Example;
use crate::service::clock;
use crate::service::scaling::{Kept, Last, Seen, SeenWorkload, id};
use crate::service::state::DefinitionProblem;
use crate::slo::time::Step;
use crate::slo::{Context, SourceFile, load_accepted};
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

/// A service with a policy that decided this a moment ago.
async fn scaled(reason: Reason, workload: Option<SeenWorkload>) -> Service {
    let service = service().await;
    let text = "apiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {name: web}\nspec:\n  \
                slos: [shop/availability]\n  replicas: {min: 3, max: 20}\n  \
                target: {actuator: local, name: web}\n";
    let file = SourceFile { path: "web.yaml".into(), text: text.into() };
    let loaded = load_accepted(&file, &Context::without_settings(Step::DEFAULT));
    let policy = loaded.policies().next().unwrap().clone();
    let now = clock::now();
    let decision = Decision { at: now, verdict: Verdict::Hold, reason, others: Vec::new(), adds: 0 };
    let missing = vec!["10.0.0.9 does not answer".to_owned()];
    let looked = workload.is_some().then_some(now);
    let seen = Seen { at: now, burns: vec![], workload, saturation: None, vetoes: vec![], missing };
    let state = State { base: Some(3), ..State::default() };
    let target = policy.target.clone();
    let kept = Kept { state, target, last: Some(Last { seen, decision }), looked, renewed: None };
    service.shared.scaling.write().policies.insert(id(&policy), kept);
    let mut world = service.shared.world.write();
    let slos = world.plan.slos.clone();
    world.plan = Arc::new(Plan { slos, policies: vec![Arc::new(policy)], ..Plan::default() });
    drop(world);
    service
}

fn at_rest() -> (Reason, Option<SeenWorkload>) {
    let workload = SeenWorkload {
        wanted: 5,
        ready: 4,
        position: 5,
        owner: None,
        most: None,
        version: None,
        since: None,
        writer: None,
    };
    (Reason::AtRest { at: 5, base: 3 }, Some(workload))
}

async fn scaling_of(service: &Service) -> (String, String) {
    let json = service.get("/healthz").await.json();
    let scaling = component(&json, "scaling");
    let text = |key: &str| scaling[key].as_str().unwrap().to_owned();
    (text("status"), text("detail"))
}

#[tokio::test]
async fn scaling_is_a_component_where_there_are_policies() {
    let json = service().await.get("/healthz").await.json();
    assert!(!json.to_string().contains("\"scaling\""), "{json}");
    let (reason, workload) = at_rest();
    let service = scaled(reason, workload).await;
    assert_eq!(scaling_of(&service).await, ("ok".into(), "1 policies, 0 of which act.".into()));
}

#[tokio::test]
async fn scaling_that_cannot_act_is_degraded_and_says_why() {
    let degraded = async |service: &Service, words: &str| {
        let (status, detail) = scaling_of(service).await;
        assert!(status == "degraded" && detail.contains(words), "{status}: {detail}");
    };
    let (reason, workload) = at_rest();
    let service = scaled(reason, workload).await;
    service.shared.scaling.write().stopped = Some("`damper scale stop`".into());
    degraded(&service, "Stopped by `damper scale stop`: nothing moves.").await;
    service.shared.trouble("scaling", Some("the disk is full".into()));
    degraded(&service, "Decisions cannot be committed, so nothing moves: the disk is full.").await;
    let silent = scaled(Reason::WorkloadUnknown, None).await;
    degraded(&silent, "1 of 1 workloads do not answer, such as that of web: 10.0.0.9 does not").await;
    let unfit = scaled(Reason::Misfit { why: "there is no SLO x/y any more".into() }, at_rest().1).await;
    degraded(&unfit, "1 of 1 policies do not fit, such as web: there is no SLO x/y any more.").await;
}

#[tokio::test]
async fn metrics_tell_of_policies_in_force_alone() {
    let (reason, workload) = at_rest();
    let service = scaled(reason, workload).await;
    let text = service.get("/metrics").await.text;
    for line in [
        "damper_scale_stopped 0\n",
        "damper_scale_verdict{policy=\"web\",code=\"atRest\"} 1\n",
        "damper_scale_replicas{policy=\"web\",of=\"ready\"} 4\n",
        "damper_scale_replicas{policy=\"web\",of=\"base\"} 3\n",
        "damper_scale_look_age_seconds{policy=\"web\"} ",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    // Gone, though what it raised is not put back yet.
    service.shared.world.write().plan = Arc::default();
    assert!(!service.get("/metrics").await.text.contains("policy=\"web\""));
}
