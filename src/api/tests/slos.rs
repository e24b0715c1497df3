//! SLOs, their series, and alerts.

use insta::assert_yaml_snapshot;
use serde_json::Value;

use super::Service;
use crate::engine::view::testing::{Example, S, START};

fn burning() -> Example {
    let mut example = Example::well(1440);
    for _ in 0..10 {
        example.tick(100, 50);
    }
    example
}

fn items(json: &Value) -> Vec<String> {
    json["items"].as_array().unwrap().iter().map(|slo| slo["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn one_slo_has_the_documented_shape() {
    let service = Service::of(burning()).await;
    let reply = service.get("/api/v1/slos/shop/availability").await;
    assert!(!reply.headers.contains_key("x-graceful-fallback"));
    let mut json = reply.json();
    // The other windows look like this one.
    for part in ["burn", "counts"] {
        let windows = json["groups"][0][part].as_object_mut().unwrap();
        windows.retain(|window, _| window == "5m");
    }
    assert_yaml_snapshot!(json, @r#"
    alerts: []
    at: 1790046300
    composite: ~
    description: Requests answered without a server error.
    groups:
      - alerts:
          - firedAt: 1790046120
            kind: burn
            rules:
              - page 13.44 over 1h and 5m
            severity: page
            since: 1790046120
            state: firing
          - firedAt: ~
            kind: burn
            rules:
              - ticket 1 over 6h and 30m
            severity: ticket
            since: 1790046060
            state: pending
        budgetCoverage: 1
        budgetInterval:
          high: -2.4482758620689653
          low: -2.4482758620689653
        budgetRemaining: -2.4482758620689653
        burn:
          5m: 500
        counts:
          5m:
            bad: 500
            coverage: 1
            from: 1790046000
            to: 1790046300
            total: 1000
        coverage: 1
        exhaustsIn: ~
        labels: {}
        objective: "99.9"
        state: ok
    groupsFolded: 0
    id: shop/availability
    labels:
      team: payments
    name: availability
    objective: "99.9"
    service: shop
    source: local
    state: ok
    timeWeighted: false
    unknown: ~
    window: 28d
    "#);
}

#[tokio::test]
async fn what_is_not_known_is_null() {
    let service = Service::of(Example::new(&["availability"], &[])).await;
    let json = service.get("/api/v1/slos/shop/availability").await.json();
    assert_eq!(json["state"], "unknown");
    let group = &json["groups"][0];
    for field in ["budgetRemaining", "budgetInterval", "budgetCoverage", "exhaustsIn"] {
        assert!(group.get(field).is_some_and(Value::is_null), "{field}: {group}");
    }
    assert!(group["burn"]["5m"].is_null() && group["counts"]["1h"]["total"].is_null());
}

#[tokio::test]
async fn the_list_comes_in_pages_by_id() {
    let names = ["e", "b", "d", "a", "c"];
    let service = Service::of(Example::new(&names, &[])).await;
    let first = service.get("/api/v1/slos?limit=2").await.json();
    assert_eq!(items(&first), ["shop/a", "shop/b"]);
    let mut next = first["next"].as_str().map(str::to_owned);
    let mut seen = items(&first);
    while let Some(after) = next {
        let page = service.get(&format!("/api/v1/slos?limit=2&next={after}")).await.json();
        seen.extend(items(&page));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, ["shop/a", "shop/b", "shop/c", "shop/d", "shop/e"]);
    let whole = service.get("/api/v1/slos?limit=5").await.json();
    assert!(whole["next"].is_null(), "a full last page has no next one");
}

#[tokio::test]
async fn the_list_is_filtered_by_service_and_state() {
    let service = Service::of(burning()).await;
    for (query, found) in [
        ("service=shop", 1),
        ("service=other", 0),
        ("state=ok", 1),
        ("state=firing", 1),
        ("state=unknown", 0),
    ] {
        let json = service.get(&format!("/api/v1/slos?{query}")).await.json();
        assert_eq!(items(&json).len(), found, "{query}");
    }
}

#[tokio::test]
async fn a_series_has_the_points_asked_for() {
    let service = Service::of(burning()).await;
    let end = START + 1450 * S;
    let path = "/api/v1/slos/shop/availability/series";
    let json = service.get(&format!("{path}?from={}&to={end}&step=5m", end - 1800)).await.json();
    assert_eq!(json["step"], 300);
    let points = json["points"].as_array().unwrap();
    assert_eq!(points.len(), 6);
    assert_yaml_snapshot!(points[5], @r"
    bad: 500
    budgetRemaining: -2.4482758620689653
    burn: 500
    coverage: 1
    errorRatio: 0.5
    t: 1790046300
    total: 1000
    ");
    // Without parameters it is the day before, in no more points than allowed.
    let json = service.get(path).await.json();
    assert!(json["points"].as_array().unwrap().len() <= 1000);
    assert_eq!(json["step"], 300);
    assert!(json["points"][0]["total"].is_null(), "nothing was known a day ago");
}

#[tokio::test]
async fn a_series_of_a_grouped_slo_needs_its_group() {
    let mut example = Example::new(&["latency"], &["latency"]);
    example.now += S;
    example.tell(0, &[("/a", 100, 1)]);
    let service = Service::of(example).await;
    let path = "/api/v1/slos/shop/latency/series";
    let reply = service.get(path).await;
    assert!(reply.problem(400).contains("`group.route` is needed") && reply.text.contains("there are: /a."));
    assert_eq!(reply.json()["parameter"], "group.route");
    assert!(service.get(&format!("{path}?group.path=/a")).await.problem(400).contains("group.route"));
    let other = service.get(&format!("{path}?group.route=/b")).await.problem(404);
    assert!(other.contains("no group route=/b; did you mean route=/a?"), "{other}");
    // The ledger lists all of them, or the one that is named, and none for another.
    let ledger = "/api/v1/slos/shop/latency/ledger";
    for (group, status) in
        [("", 200), ("?group.route=/a", 200), ("?group.route=/zzz", 404), ("?group.path=/a", 400)]
    {
        let reply = service.get(&format!("{ledger}{group}")).await;
        assert_eq!(reply.status.as_u16(), status, "{group}: {}", reply.text);
    }
    let json = service.get(&format!("{path}?group.route=/a&step=30s")).await.json();
    assert_eq!(json["labels"]["route"], "/a");
}

#[tokio::test]
async fn alerts_come_with_their_evidence_and_in_pages() {
    let service = Service::of(burning()).await;
    let json = service.get("/api/v1/alerts").await.json();
    let alerts = json["items"].as_array().unwrap();
    assert_eq!(alerts.len(), 2);
    assert_eq!((&alerts[0]["severity"], &alerts[0]["state"]), (&"page".into(), &"firing".into()));
    assert_eq!(alerts[0]["evidence"]["rules"][0]["rule"], "page 13.44 over 1h and 5m");
    assert_eq!((&alerts[1]["state"], &alerts[1]["firedAt"]), (&"pending".into(), &Value::Null));
    let first = service.get("/api/v1/alerts?limit=1").await.json();
    let next: String = first["next"].as_str().unwrap().bytes().map(|b| format!("%{b:02x}")).collect();
    let second = service.get(&format!("/api/v1/alerts?limit=1&next={next}")).await.json();
    assert_eq!(second["items"][0]["severity"], "ticket");
    assert!(second["next"].is_null());
}

#[tokio::test]
async fn what_is_held_says_so_and_since_when() {
    let mut example = burning();
    example.observed.blind.insert("local".into(), true);
    let at = example.now;
    let service = Service::of(example).await;
    for path in ["/api/v1/slos", "/api/v1/slos/shop/availability", "/api/v1/alerts", "/api/v1/status"] {
        let reply = service.get(path).await;
        assert_eq!(reply.headers["x-graceful-fallback"], "true", "{path}");
        assert_eq!(reply.json()["asOf"], at, "{path}");
    }
    service.shared.world.write().observed.blind.insert("local".into(), false);
    let reply = service.get("/api/v1/slos").await;
    assert!(!reply.headers.contains_key("x-graceful-fallback") && reply.json().get("asOf").is_none());
    service.shared.trouble("store", Some("the disk is full".into()));
    assert_eq!(service.get("/api/v1/slos").await.headers["x-graceful-fallback"], "true");
}
