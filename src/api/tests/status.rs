//! Status and reload.

use std::time::Duration;

use super::Service;
use crate::engine::view::testing::Example;
use crate::service::asked;

#[tokio::test]
async fn the_status_tells_version_leadership_definitions_and_ticks() {
    let service = Service::of(Example::well(2)).await;
    service.shared.definitions.write().revision = 7;
    service.shared.ticks.write().lag_seconds = 0.25;
    let json = service.get("/api/v1/status").await.json();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&json["leader"], &json["epoch"]), (&true.into(), &service.shared.epoch().into()));
    assert_eq!((&json["definitions"]["revision"], &json["stepSeconds"]), (&7.into(), &30.into()));
    assert_eq!((&json["ticks"]["completed"], &json["ticks"]["lagSeconds"]), (&1.into(), &0.25.into()));
    assert!(json["backfill"]["seriesLeft"].is_number());
    let source = &json["sources"][0];
    assert_eq!((&source["name"], &source["kind"]), (&"local".into(), &"prometheus".into()));
    assert_eq!((&source["breaker"], &source["blind"]), (&"closed".into(), &false.into()));
    assert_eq!((&source["queries"]["ok"], &source["failures"]), (&0.into(), &0.into()));
    assert!(source["version"].is_null() && source["skewSeconds"].is_null());
    service.shared.versions.write().insert("local".into(), "2.42.0".into());
    let json = service.get("/api/v1/status").await.json();
    assert_eq!(json["sources"][0]["version"], "2.42.0");
    assert!(json["scalingStopped"].is_null());
    service.shared.scaling.write().stopped = Some("`damper scale stop`".into());
    service.shared.set_epoch(None);
    let json = service.get("/api/v1/status").await.json();
    assert_eq!(json["scalingStopped"], "`damper scale stop`");
    assert!(json["epoch"].is_null());
}

#[tokio::test]
async fn a_reload_wakes_the_loop_and_an_acceptance_waits_in_the_store() {
    let service = Service::of(Example::well(2)).await;
    let woken = || tokio::time::timeout(Duration::from_secs(10), service.shared.reload_wake.notified());
    let reply = service.post("/api/v1/reload", "").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["accept"]), (202, &false.into()));
    woken().await.unwrap();
    assert!(service.shared.store.commands(10).await.unwrap().is_empty());
    let reply = service.post("/api/v1/reload", "{\"accept\": true}").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["accept"]), (202, &true.into()));
    woken().await.unwrap();
    let commands = service.shared.store.commands(10).await.unwrap();
    assert_eq!(commands.iter().map(|c| c.kind.as_str()).collect::<Vec<_>>(), [asked::ACCEPT]);
    service.shared.set_epoch(None);
    assert_eq!(service.post("/api/v1/reload", "").await.status.as_u16(), 202);
    let commands = service.shared.store.commands(10).await.unwrap();
    assert_eq!(commands.last().map(|c| c.kind.as_str()), Some(asked::READ), "the leader is told");
}
