//! Policies: their rules and holds, unknown names, and a replica that stands by.

use std::sync::Arc;

use serde_json::json;

use super::Service;
use crate::api::PolicyView;
use crate::engine::plan::Plan;
use crate::engine::view::testing::Example;
use crate::slo::time::Step;
use crate::slo::{Context, SourceFile, load};
use crate::store::{Decisions, StatePut};

const FILE: &str = "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {name: a}\nspec:\n  service: s\n  objective: 99.9\n  sli: {timeslice: {query: up, good: '> 0'}}\n---\napiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {name: checkout}\nspec:\n  slos: [s/a]\n  target: {actuator: local, name: shop}\n  replicas: {min: 3, max: 20}\n  minBadEvents: 2\n  saturation: {query: 'max(cpu)'}\n  unless: [{query: db, above: 0.9}]\n";

async fn service() -> Service {
    let service = Service::of(Example::well(2)).await;
    let file = SourceFile { path: "a.yaml".to_owned(), text: FILE.to_owned() };
    let loaded = load(&[file], &Context::without_settings(Step::DEFAULT));
    let policies: Vec<_> = loaded.policies().cloned().map(Arc::new).collect();
    assert_eq!(policies.len(), 1, "{:?}", loaded.problems().collect::<Vec<_>>());
    let mut world = service.shared.world.write();
    world.plan = Arc::new(Plan { policies, ..Plan::clone(&world.plan) });
    drop(world);
    service
}

#[tokio::test]
async fn a_policy_is_told_with_its_rules_before_anything_is_decided() {
    let service = service().await;
    let answer = service.get("/api/v1/scale/checkout").await.json();
    assert_eq!((&answer["decision"], &answer["seen"]), (&json!(null), &json!(null)));
    assert_eq!(answer["rule"]["up"][0], json!({"burnRate": 2.0, "add": 2, "cooldownSeconds": 180}));
    assert_eq!((&answer["rule"]["shortSeconds"], &answer["rule"]["longSeconds"]), (&json!(120), &json!(300)));
    assert_eq!(answer["rule"]["saturation"]["scaleAbove"], 0.7);
    assert_eq!(answer["rule"]["unless"][0], json!({"query": "db", "above": 0.9}));
    assert_eq!(answer["holds"]["writes"], 0);
    let view: PolicyView = serde_json::from_value(answer).unwrap();
    assert_eq!((view.name.as_str(), view.mode.as_str()), ("checkout", "dryRun"));
}

#[tokio::test]
async fn an_unknown_policy_is_refused_with_those_there_are() {
    let service = service().await;
    let near = service.get("/api/v1/scale/chekout").await.problem(404);
    assert_eq!(near, "There is no policy `chekout`; did you mean `checkout`? (in force: checkout)");
    let far = service.post("/api/v1/scale/payments/pause", "").await.problem(404);
    assert_eq!(far, "There is no policy `payments`; in force: checkout.");
    let word = service.post("/api/v1/scale/checkout/stop", "").await.problem(404);
    assert!(word.contains("none of pause, resume, release"), "{word}");
    assert_eq!(service.post("/api/v1/scale/checkout/pause", "").await.status, 202);
    service.shared.world.write().plan = Arc::new(Plan::default());
    let none = service.get("/api/v1/scale/checkout").await.problem(404);
    assert_eq!(none, "There is no policy `checkout`; no policy is in force.");
}

#[tokio::test]
async fn a_replica_that_stands_by_takes_what_is_asked_and_says_that_it_knows_no_decisions() {
    let service = service().await;
    let state =
        StatePut { key: "scaling/policy/shop at local of checkout".to_owned(), body: "{}".to_owned() };
    let decisions = Decisions { states: vec![state], ..Decisions::default() };
    let epoch = service.shared.epoch().unwrap();
    service.shared.store.commit(epoch, &decisions).await.unwrap();
    // A replica that stands by has no plan.
    service.shared.world.write().plan = Arc::new(Plan::default());
    service.shared.set_epoch(None);
    for path in ["/api/v1/scale", "/api/v1/scale/checkout"] {
        assert!(service.get(path).await.problem(503).contains("only the leader decides"), "{path}");
    }
    assert_eq!(service.post("/api/v1/scale/checkout/pause", "").await.status, 202);
    assert_eq!(service.post("/api/v1/scaling/stop", "").await.status, 202);
    let unknown = service.post("/api/v1/scale/chekout/pause", "").await.problem(404);
    assert!(unknown.contains("did you mean `checkout`?"), "{unknown}");
    assert_eq!(service.shared.store.commands(10).await.unwrap().len(), 2);
}
