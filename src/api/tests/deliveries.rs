//! Deliveries: listing, filters, sending again.

use serde_json::Value;

use super::Service;
use crate::engine::view::testing::Example;
use crate::store::{Decisions, OutboxPut};

async fn with_messages(count: i64) -> Service {
    let service = Service::of(Example::well(2)).await;
    let put = |n: i64| OutboxPut {
        id: format!("inc{n}-firing-oncall"),
        receiver: if n % 2 == 0 { "oncall".into() } else { "chat".into() },
        incident: format!("inc{n}"),
        event: "firing".into(),
        severity: crate::slo::model::Severity::Page,
        created_at: n,
        not_before: n,
        payload: "{}".into(),
        fallback_of: None,
    };
    let decisions = Decisions { outbox: (0..count).map(put).collect(), ..Decisions::default() };
    service.shared.store.commit(service.shared.epoch().unwrap(), &decisions).await.unwrap();
    service
}

fn ids(json: &Value) -> Vec<String> {
    json["items"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn messages_come_newest_first_in_pages_and_filtered() {
    let service = with_messages(5).await;
    let first = service.get("/api/v1/deliveries?limit=3").await.json();
    assert_eq!(ids(&first), ["inc4-firing-oncall", "inc3-firing-oncall", "inc2-firing-oncall"]);
    let next = first["next"].as_str().unwrap();
    let second = service.get(&format!("/api/v1/deliveries?limit=3&next={next}")).await.json();
    assert_eq!(ids(&second), ["inc1-firing-oncall", "inc0-firing-oncall"]);
    assert!(second["next"].is_null());
    let chat = service.get("/api/v1/deliveries?receiver=chat&status=pending").await.json();
    assert_eq!(ids(&chat), ["inc3-firing-oncall", "inc1-firing-oncall"]);
    assert!(ids(&service.get("/api/v1/deliveries?status=dead").await.json()).is_empty());
    let row = &first["items"][0];
    assert_eq!((&row["status"], &row["createdAtMs"]), (&"pending".into(), &4.into()));
    assert!(row["lastError"].is_null() && row["finishedAtMs"].is_null());
}

#[tokio::test]
async fn a_dead_letter_is_sent_again_once_asked() {
    let service = with_messages(1).await;
    let (id, epoch) = ("inc0-firing-oncall", service.shared.epoch().unwrap());
    let path = format!("/api/v1/deliveries/{id}/resend");
    assert!(service.post(&path, "").await.problem(409).contains("waits"));
    service.shared.store.dead(epoch, id, 5, "410 Gone").await.unwrap();
    let dead = service.get("/api/v1/deliveries?status=dead").await.json();
    assert_eq!(dead["items"][0]["lastError"], "410 Gone");
    let reply = service.post(&path, "").await;
    assert_eq!(reply.status.as_u16(), 202, "{}", reply.text);
    assert_eq!(reply.json()["id"], id);
    let row = service.shared.store.outbox_row(id).await.unwrap().unwrap();
    assert_eq!((row.status.as_str(), row.attempts), ("pending", 0));
}

#[tokio::test]
async fn what_is_not_there_or_not_ours_is_not_sent_again() {
    let service = with_messages(0).await;
    assert!(service.post("/api/v1/deliveries/nope/resend", "").await.problem(404).contains("nope"));
    service.shared.set_epoch(None);
    assert!(service.post("/api/v1/deliveries/nope/resend", "").await.problem(503).contains("lead"));
}
