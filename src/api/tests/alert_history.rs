//! What alerts did, as a client reads it.

use serde_json::{Value, json};

use super::Service;
use crate::api::AlertHistoryView;
use crate::engine::notice::Alert;
use crate::engine::view::testing::Example;
use crate::slo::model::{Labels, Severity};
use crate::slo::time::Ts;
use crate::store::{Decisions, HistoryPut, Revision};

fn line(at: i64, kind: &str, subject: &str, told: Value) -> HistoryPut {
    let alert = Alert {
        labels: Labels::from([("alertname".into(), "ErrorBudgetBurn".into())]),
        annotations: Labels::from([("summary".into(), "it burns".into())]),
        severity: Severity::Page,
        starts_at: Ts(100),
        ends_at: (kind != "firing").then_some(Ts(at)),
        evidence: None,
    };
    let body = json!({"alert": alert, "incident": "i", "told": told}).to_string();
    HistoryPut { at: at * 1000, kind: kind.into(), subject: subject.into(), body }
}

async fn with_history() -> Service {
    let service = Service::of(Example::well(2)).await;
    let epoch = service.shared.epoch().unwrap();
    let history = vec![
        line(100, "firing", "shop/pay", json!([{"shadow": "chat"}])),
        line(150, "firing", "sources", json!(["oncall"])),
        HistoryPut { at: 160_000, kind: "scale".into(), subject: "web".into(), body: "{}".into() },
        line(200, "resolved", "shop/pay", json!(["oncall", {"shadow": "chat"}])),
    ];
    service.shared.store.commit(epoch, &Decisions { history, ..Decisions::default() }).await.unwrap();
    let revision = Revision { number: 1, hash: "h".into(), at: 50_000, summary: String::new() };
    service.shared.store.accept(epoch, &revision, &[], &[], &[]).await.unwrap();
    service
}

#[tokio::test]
async fn what_alerts_did_is_told_newest_first_with_who_was_told_and_who_was_shown() {
    let service = with_history().await;
    let first = service.get("/api/v1/alerts/history?limit=1").await.json();
    let view: AlertHistoryView = serde_json::from_value(first.clone()).unwrap();
    assert_eq!(view.since, Some(50));
    let [ended] = &view.items[..] else { panic!("{first:#}") };
    assert_eq!((ended.event.as_str(), ended.slo.as_deref(), ended.at), ("resolved", Some("shop/pay"), 200));
    assert_eq!((ended.fired_at, ended.ended_at, ended.severity), (100, Some(200), Severity::Page));
    assert_eq!((&ended.told[..], &ended.shown[..]), (&["oncall".to_owned()][..], &["chat".to_owned()][..]));
    assert_eq!(ended.summary.as_deref(), Some("it burns"));
    let rest = service.get(&format!("/api/v1/alerts/history?next={}", view.next.unwrap())).await.json();
    let rest: AlertHistoryView = serde_json::from_value(rest).unwrap();
    let slos: Vec<_> = rest.items.iter().map(|event| event.slo.as_deref()).collect();
    assert_eq!((slos, rest.next), (vec![None, Some("shop/pay")], None));
}

#[tokio::test]
async fn a_span_and_an_slo_narrow_it() {
    let service = with_history().await;
    let count = async |query: &str| {
        let answer = service.get(&format!("/api/v1/alerts/history?{query}")).await.json();
        answer["items"].as_array().unwrap().len()
    };
    assert_eq!(count("from=100&to=200").await, 3);
    assert_eq!(count("from=101").await, 2);
    assert_eq!(count("to=1970-01-01T00:02:30Z").await, 2);
    assert_eq!(count("slo=shop/pay").await, 2);
    assert!(service.get("/api/v1/alerts/history?from=yesterday").await.problem(400).contains("from"));
    assert!(service.get("/api/v1/alerts/history?since=1").await.problem(400).contains("since"));
}
