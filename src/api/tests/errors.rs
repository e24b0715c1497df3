//! Every error is a problem document that says what to do.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;

use super::super::layers::around;
use super::{Service, send};
use crate::engine::view::testing::Example;

async fn service() -> Service {
    Service::of(Example::well(2)).await
}

#[tokio::test]
async fn unknown_paths_and_slos_are_not_found() {
    let service = service().await;
    assert!(service.get("/api/v1/nope").await.problem(404).contains("openapi.json"));
    assert!(service.get("/").await.problem(404).contains("nothing"));
    assert!(service.get("/api/v1/slos/shop/nope").await.problem(404).contains("shop/nope"));
    let long = format!("/api/v1/slos/shop/{}", "x".repeat(5000));
    assert!(service.get(&long).await.problem(404).len() < 200);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let service = service().await;
    let reply = service.post("/api/v1/slos", "").await;
    assert!(reply.problem(405).contains("method"));
    assert!(reply.headers["allow"].to_str().unwrap().contains("GET"));
    let reply = service.get("/api/v1/reload").await;
    reply.problem(405);
    assert_eq!(reply.headers["allow"], "POST");
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let service = service().await;
    let series = "slos/shop/availability/series";
    for (path, parameter) in [
        ("slos?limit=0", "limit"),
        ("slos?limit=1001", "limit"),
        ("slos?limit=ten", "limit"),
        ("slos?state=broken", "state"),
        ("slos?sevice=shop", "sevice"),
        ("slos?service=a&service=b", "service"),
        ("alerts?next=nope", "next"),
        ("deliveries?status=lost", "status"),
        ("deliveries?next=nope", "next"),
        ("status?verbose=1", "verbose"),
        (&format!("{series}?from=yesterday"), "from"),
        (&format!("{series}?to=1e9"), "to"),
        (&format!("{series}?from=20&to=10"), "from"),
        (&format!("{series}?step=0"), "step"),
        (&format!("{series}?step=-5m"), "step"),
        (&format!("{series}?group.route=x"), "group.route"),
    ] {
        let reply = service.get(&format!("/api/v1/{path}")).await;
        assert_eq!(reply.status.as_u16(), 400, "{path}: {}", reply.text);
        assert!(reply.problem(400).contains(parameter), "{path}: {}", reply.text);
        assert_eq!(reply.json()["parameter"], parameter, "{path}");
    }
}

#[tokio::test]
async fn extreme_times_are_answered() {
    let service = service().await;
    for query in [
        format!("from={}&to={}", i64::MIN, i64::MAX),
        format!("from={}", i64::MAX - 1),
        format!("to={}", i64::MIN + 1),
        "from=0&step=1s".to_owned(),
        "from=1970-01-01T00:00:00Z&to=9999-12-31T23:59:59Z".to_owned(),
    ] {
        let reply = service.get(&format!("/api/v1/slos/shop/availability/series?{query}")).await;
        assert_eq!(reply.status.as_u16(), 200, "{query}: {}", reply.text);
        assert!(reply.json()["points"].as_array().unwrap().len() <= 1000, "{query}");
    }
}

#[tokio::test]
async fn a_body_too_large_or_not_json_is_refused() {
    let service = service().await;
    let large = format!("{{\"accept\": true{}}}", " ".repeat(70 * 1024));
    assert!(service.post("/api/v1/reload", &large).await.problem(413).contains("65536"));
    for body in ["{\"accept\": 1}", "{\"acept\": true}", "accept", "[", "{\"accept\": true} x"] {
        assert!(service.post("/api/v1/reload", body).await.problem(400).contains("accept"), "{body}");
    }
}

#[tokio::test]
async fn a_handler_that_hangs_or_panics_ends_as_a_problem() {
    async fn panics() -> &'static str {
        panic!("a secret of the inside")
    }
    let service = service().await;
    let routes = Router::new()
        .route("/hangs", get(std::future::pending::<&'static str>))
        .route("/panics", get(panics));
    let router = around(routes).with_state(Arc::clone(&service.shared));
    let ask = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let reply = send(router.clone(), ask("/panics")).await;
    assert!(!reply.problem(500).contains("secret"));
    tokio::time::pause();
    assert!(send(router, ask("/hangs")).await.problem(408).contains("too long"));
}

#[tokio::test]
async fn every_answer_carries_a_request_id_and_keeps_the_callers() {
    let service = service().await;
    let first = service.get("/api/v1/nope").await.headers["x-request-id"].clone();
    let second = service.get("/healthz").await.headers["x-request-id"].clone();
    assert_ne!(first, second);
    let request = Request::get("/healthz").header("x-request-id", "mine").body(Body::empty()).unwrap();
    assert_eq!(service.send(request).await.headers["x-request-id"], "mine");
}
