//! The document and the routes are one list.

use axum::body::Body;
use axum::http::Request;

use super::Service;
use crate::engine::view::testing::Example;

const ROUTES: [(&str, &str); 20] = [
    ("/api/v1/alerts", "get"),
    ("/api/v1/alerts/history", "get"),
    ("/api/v1/deliveries", "get"),
    ("/api/v1/deliveries/{id}/resend", "post"),
    ("/api/v1/exclusions/{id}", "delete"),
    ("/api/v1/reload", "post"),
    ("/api/v1/scale", "get"),
    ("/api/v1/scale/{policy}", "get"),
    ("/api/v1/scale/{policy}/{word}", "post"),
    ("/api/v1/scaling/{word}", "post"),
    ("/api/v1/slos", "get"),
    ("/api/v1/slos/{service}/{name}", "get"),
    ("/api/v1/slos/{service}/{name}/exclusions", "post"),
    ("/api/v1/slos/{service}/{name}/ledger", "get"),
    ("/api/v1/slos/{service}/{name}/series", "get"),
    ("/api/v1/status", "get"),
    ("/healthz", "get"),
    ("/metrics", "get"),
    ("/openapi.json", "get"),
    ("/readyz", "get"),
];

#[tokio::test]
async fn the_document_lists_every_route_and_only_those() {
    let service = Service::of(Example::well(2)).await;
    let reply = service.get("/openapi.json").await;
    assert_eq!(reply.headers["content-type"], "application/json");
    let json = reply.json();
    assert!(json["openapi"].as_str().unwrap().starts_with("3."));
    let listed: Vec<(String, String)> = json["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(|method| (path.clone(), method.clone()))
        })
        .collect();
    assert_eq!(listed, ROUTES.map(|(path, method)| (path.to_owned(), method.to_owned())));
    for (path, method) in ROUTES {
        let path = path.replace("{service}", "shop").replace("{name}", "availability").replace("{id}", "x");
        let request = Request::builder().method(method.to_uppercase().as_str()).uri(&path);
        let reply = service.send(request.body(Body::empty()).unwrap()).await;
        let routed = reply.status.as_u16() != 405 && !reply.text.contains("nothing at this path");
        assert!(routed, "{method} {path}: {}", reply.text);
    }
}

#[tokio::test]
async fn every_schema_that_is_referred_to_is_there() {
    let service = Service::of(Example::well(2)).await;
    let reply = service.get("/openapi.json").await;
    let json = reply.json();
    let schemas = json["components"]["schemas"].as_object().unwrap();
    let mut found = 0;
    for part in reply.text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
        found += 1;
    }
    assert!(found > 20, "{found}");
}
