//! Several instances, some of them unwell.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::http::Problems;
use crate::notify::testing::{Behaviour, Mock, NOW, PATIENCE, firing, refusing};

fn cluster(urls: &[&str]) -> Alertmanager {
    cluster_within(PATIENCE, urls)
}

fn cluster_within(timeout: Duration, urls: &[&str]) -> Alertmanager {
    let settings: AlertmanagerSettings = serde_json::from_value(json!({"urls": urls})).unwrap();
    let mut config = settings.check("am", &mut Problems::default()).unwrap();
    config.http.timeout = timeout;
    Alertmanager::new("am", &config).unwrap()
}

fn alerts(count: usize) -> Vec<AmAlert> {
    let alert = AmAlert::new(&firing().alert, "http://damper");
    (0..count)
        .map(|i| {
            let mut alert = alert.clone();
            alert.labels.insert("number".into(), i.to_string());
            alert
        })
        .collect()
}

fn posted(mock: &Mock) -> Vec<Value> {
    mock.seen().iter().flat_map(|seen| serde_json::from_slice::<Vec<Value>>(&seen.body).unwrap()).collect()
}

#[tokio::test]
async fn every_instance_is_told_at_once_and_one_is_enough() {
    let good = Mock::start(Behaviour::Answer(200, vec![], "")).await;
    let hanging = [Mock::start(Behaviour::Hang).await, Mock::start(Behaviour::Hang).await];
    let refusing = refusing().await;
    let prefixed = format!("{}/prefix", good.url);
    let (began, timeout) = (Instant::now(), Duration::from_secs(2));
    let all = cluster_within(timeout, &[&hanging[0].url, &refusing, &hanging[1].url, &prefixed]);
    let report = all.post_alerts(&alerts(1), NOW).await;
    assert!(began.elapsed() < timeout * 2, "one after the other");

    let reasons: Vec<_> = report.addresses.iter().map(|a| a.outcome.failure().map(|f| f.0)).collect();
    assert_eq!(reasons, [Some(Reason::Timeout), Some(Reason::Unreachable), Some(Reason::Timeout), None]);
    let Outcome::Delivered { note: Some(note) } = report.outcome() else { panic!("{report:?}") };
    for down in [&hanging[0].url, &refusing, &hanging[1].url] {
        assert!(note.contains(down.as_str()), "{note}");
    }
    assert_eq!(good.seen()[0].uri, "/prefix/api/v2/alerts");
    let alert = &posted(&good)[0];
    assert_eq!(alert["startsAt"], "2026-05-28T20:26:30Z");
    assert_eq!(alert["endsAt"], "2026-05-28T20:41:40Z");
    assert_eq!(alert["generatorURL"], "http://damper/api/v1/slos/checkout/availability");
}

#[tokio::test]
async fn when_none_takes_it_a_retry_is_worth_more_than_a_refusal() {
    let gone = Mock::start(Behaviour::Answer(404, vec![], "")).await;
    let busy = Mock::start(Behaviour::Answer(503, vec![("retry-after", "9")], "")).await;
    let outcome = cluster(&[&gone.url, &busy.url]).post_alerts(&alerts(1), NOW).await.outcome();
    assert!(
        matches!(&outcome, Outcome::Retry { after: Some(after), reason: Reason::ServerError, .. } if after.as_secs() == 9),
        "{outcome:?}"
    );
    let outcome = cluster(&[&gone.url]).post_alerts(&alerts(1), NOW).await.outcome();
    assert!(matches!(outcome, Outcome::Permanent { reason: Reason::ClientError, .. }));
}

#[tokio::test]
async fn a_refused_batch_is_split_down_to_the_alerts_at_fault() {
    let mock = Mock::start(Behaviour::RefuseContaining("BAD", "\"label value is not for me\"")).await;
    let mut five = alerts(5);
    five[3].labels.insert("number".into(), "BAD".into());
    let report = cluster(&[&mock.url]).post_alerts(&five, NOW).await;
    let Outcome::Delivered { note: Some(note) } = report.outcome() else { panic!("{report:?}") };
    assert!(note.contains("refused 1 of 5") && note.contains("not for me"), "{note}");
    assert_eq!(report.addresses[0].refused[0].labels["number"], "BAD");
    assert_eq!(report.refused().count(), 1, "nobody has it");
    let other = Mock::start(Behaviour::Answer(200, vec![], "")).await;
    let report = cluster(&[&mock.url, &other.url]).post_alerts(&five, NOW).await;
    assert_eq!(report.refused().count(), 0, "somebody has it");

    let report = cluster(&[&mock.url]).post_alerts(&five[3..4], NOW).await;
    assert!(matches!(report.outcome(), Outcome::Permanent { .. }), "a lone refused alert is not delivered");
}

#[tokio::test]
async fn many_alerts_are_sent_in_batches() {
    let mock = Mock::start(Behaviour::Answer(200, vec![], "")).await;
    let report = cluster(&[&mock.url]).post_alerts(&alerts(600), NOW).await;
    assert_eq!(report.outcome(), Outcome::DELIVERED);
    assert_eq!(mock.seen().len(), 3);
    assert_eq!(posted(&mock).len(), 600);
}
