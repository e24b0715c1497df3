//! What is booked, taken out and put back.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::Service;
use crate::engine::view::testing::{Example, S};
use crate::service::exclusions::consume;

const LEDGER: &str = "/api/v1/slos/shop/availability/ledger";
const EXCLUSIONS: &str = "/api/v1/slos/shop/availability/exclusions";

/// An hour of 100 events a slice, the last ten slices half bad; and where the newest ends.
async fn service() -> (Service, i64) {
    let mut example = Example::well(120);
    for _ in 0..10 {
        example.tick(100, 50);
    }
    let now = example.now;
    (Service::of(example).await, now)
}

async fn exclude(service: &Service, from: i64, to: i64) -> Value {
    let body = json!({"from": from, "to": to, "reason": "load test", "by": "ann"});
    let reply = service.post(EXCLUSIONS, &body.to_string()).await;
    assert_eq!(reply.status.as_u16(), 202, "{}", reply.text);
    reply.json()
}

async fn include(service: &Service, id: i64) -> super::Reply {
    let path = format!("/api/v1/exclusions/{id}?by=bob");
    service.send(Request::delete(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn time_is_taken_out_and_put_back() {
    let (service, now) = service().await;
    let before = service.get(LEDGER).await.json();
    assert_eq!(before["groups"][0]["raw"], json!({"bad": 500.0, "total": 13_000.0}));
    assert_eq!(before["exclusions"], json!([]));

    let asked = exclude(&service, now - 10 * S, now).await;
    assert_eq!(
        (asked["from"].as_i64().unwrap() % 300, asked["to"].as_i64()),
        (0, Some(now)),
        "not into the future"
    );
    let id = asked["id"].as_i64().unwrap();
    assert_eq!(service.get(LEDGER).await.json(), before, "not before it is carried out");
    consume(&service.shared).await.unwrap();
    let after = service.get(&format!("{LEDGER}?from={}&to={now}", now - 2 * S)).await.json();
    let group = &after["groups"][0];
    assert_eq!((&group["raw"], &group["counted"]["bad"]), (&before["groups"][0]["raw"], &json!(0.0)));
    assert_eq!((&group["budgetRemaining"], &group["coverage"]), (&json!(1.0), &json!(1.0)));
    assert_eq!(group["budgetRemainingRaw"], before["groups"][0]["budgetRemaining"]);
    let exclusion = &after["exclusions"][0];
    assert_eq!(
        (&exclusion["id"], &exclusion["reason"], &exclusion["by"]),
        (&json!(id), &json!("load test"), &json!("ann"))
    );
    assert_eq!(exclusion["events"], group["excluded"]);
    let slots = after["slots"].as_array().unwrap();
    assert_eq!((slots.len(), &slots[1]["bad"], &slots[1]["excluded"]), (2, &json!(50.0), &json!(S)));
    let slo = service.get("/api/v1/slos/shop/availability").await.json();
    assert_eq!(slo["groups"][0]["budgetRemaining"], json!(1.0));
    assert!(slo["groups"][0]["counts"]["1h"]["excluded"].as_i64().unwrap() >= 10 * S);

    assert_eq!(include(&service, id).await.status.as_u16(), 202);
    consume(&service.shared).await.unwrap();
    assert_eq!(service.get(LEDGER).await.json(), before);
    assert!(include(&service, id).await.problem(404).contains("is not taken out"));
}

#[tokio::test]
async fn what_cannot_be_taken_out_is_told_at_once() {
    let (service, now) = service().await;
    let post = async |body: Value| service.post(EXCLUSIONS, &body.to_string()).await;
    let one = |from: i64, to: i64| json!({"from": from, "to": to, "reason": "load test"});
    assert!(post(one(now, now - 60)).await.problem(409).contains("not after"));
    assert!(post(one(now, now + 86_400)).await.problem(409).contains("still to come"));
    assert!(post(json!({"from": now - 60, "to": now, "reason": " "})).await.problem(409).contains("reason"));
    assert!(post(json!({"from": now - 60})).await.problem(400).contains("missing field"));
    assert!(post(json!({"from": "then", "to": now, "reason": "x"})).await.problem(400).contains("`from`"));
    exclude(&service, now - 1200, now - 900).await;
    consume(&service.shared).await.unwrap();
    assert!(post(one(now - 1300, now - 1000)).await.problem(409).contains("in common with number"));
    // So is what has time in common with what was asked for and is not carried out yet.
    let waits = exclude(&service, now - 600, now - 300).await["id"].as_i64().unwrap();
    let told = post(one(now - 500, now - 200)).await.problem(409);
    assert!(told.contains(&format!("in common with number {waits}")), "{told}");
    exclude(&service, now - 300, now).await;
    consume(&service.shared).await.unwrap();
    assert_eq!(include(&service, waits).await.status.as_u16(), 202);
    exclude(&service, now - 600, now - 300).await;
    consume(&service.shared).await.unwrap();
    let left = service.get(LEDGER).await.json()["exclusions"].as_array().unwrap().len();
    assert_eq!(left, 3, "all that was accepted was carried out");
    let missing = service.post("/api/v1/slos/shop/nothing/exclusions", &one(now - 60, now).to_string()).await;
    let told = missing.problem(404);
    assert_eq!(told, "There is no SLO `shop/nothing`; there are: shop/availability.");
    let grouped = service.get(&format!("{LEDGER}?group.route=/a")).await.problem(400);
    assert!(grouped.contains("is no group label of this SLO, which is not grouped"), "{grouped}");
    assert!(service.get(&format!("{LEDGER}?from=x")).await.problem(400).contains("`from`"));
    service.shared.set_epoch(None);
    for detail in [post(one(now - 60, now)).await.problem(503), service.get(LEDGER).await.problem(503)] {
        assert!(detail.contains("does not lead"), "{detail}");
    }
}
