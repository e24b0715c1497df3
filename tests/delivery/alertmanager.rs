//! A real Alertmanager holds the state: active while it fires, through resends and a killed Damper,
//! and resolved when it is.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{LIMIT, on};
use crate::support::alertmanager::{Alertmanager, Version};
use crate::support::now_ms;
use crate::support::receiver::Receiver;
use crate::support::shop::Shop;
use crate::support::wait::pass;
use crate::support::wait_until;

/// Time for two resends of five seconds, and the longest look between them.
const RESENDS: Duration = Duration::from_secs(16);

#[tokio::test]
async fn an_alert_is_active_through_resends_and_a_kill_and_then_resolved() {
    let shop = Shop::open(&["pay"]).await;
    for version in Version::ALL {
        let people = Receiver::start();
        let alertmanager = Alertmanager::start(version, Some(&people.url())).await;
        let mut damper = on(&shop, "pay", &receiver(&[&alertmanager]));
        damper.start().await;

        shop.fail("pay", true);
        let first = active(&alertmanager, "the alert").await;
        assert_eq!(first["labels"]["alertname"], "ErrorBudgetBurn", "{version:?}");
        assert_eq!(
            (&first["labels"]["slo"], &first["labels"]["severity"]),
            (&"availability".into(), &"page".into())
        );
        far_ahead(&first);
        pass(RESENDS).await;
        let later = active(&alertmanager, "the alert, resent").await;
        assert!(time(&later, "updatedAt") - time(&first, "updatedAt") >= 5000, "not resent: {first} {later}");
        same(&first, &later);

        damper.kill();
        pass(RESENDS).await;
        far_ahead(&active(&alertmanager, "the alert while Damper is dead").await);
        damper.start().await;
        let again = async || {
            let alert = alertmanager.alerts().await.into_iter().next()?;
            (time(&alert, "updatedAt") > time(&later, "updatedAt")).then_some(alert)
        };
        same(&first, &wait_until(LIMIT, "the alert told by the new process", again).await);
        assert_eq!(statuses(&people), ["firing"], "{version:?}: Damper's death is no resolve");

        shop.fail("pay", false);
        gone(&alertmanager).await;
        let resolved = |request: &_| status(request) == "resolved";
        people.wait_for(LIMIT, "Alertmanager's own resolve", resolved).await;
        assert_eq!(statuses(&people), ["firing", "resolved"], "{version:?}");
        damper.stop().await;
    }
}

#[tokio::test]
async fn an_instance_that_was_down_gets_the_state_when_it_is_back() {
    let shop = Shop::open(&["pay"]).await;
    let people = Receiver::start();
    let one = Alertmanager::start(Version::Old, None).await;
    let mut other = Alertmanager::start(Version::New, Some(&people.url())).await;
    other.kill();
    let mut damper = on(&shop, "pay", &receiver(&[&one, &other]));
    damper.start().await;

    shop.fail("pay", true);
    active(&one, "the alert at the instance that is up").await;
    other.start_again().await;
    active(&other, "the alert at the instance that came back").await;

    other.kill();
    shop.fail("pay", false);
    gone(&one).await;
    // What it knew was in memory; it must not take the resend of what is over for an alert.
    other.start_again().await;
    pass(RESENDS).await;
    assert_eq!(other.alerts().await, Vec::<Value>::new());
    damper.stop().await;
}

/// Within the quarter of an hour in which an end is repeated.
#[tokio::test]
async fn an_alert_that_fires_again_is_not_ended_by_the_end_before() {
    let shop = Shop::open(&["pay"]).await;
    for version in Version::ALL {
        let people = Receiver::start();
        let alertmanager = Alertmanager::start(version, Some(&people.url())).await;
        let mut damper = on(&shop, "pay", &receiver(&[&alertmanager]));
        damper.start().await;
        shop.fail("pay", true);
        let first = active(&alertmanager, "the alert").await;
        shop.fail("pay", false);
        gone(&alertmanager).await;
        shop.fail("pay", true);
        let again = active(&alertmanager, "the alert that fires again").await;
        assert_ne!(first["startsAt"], again["startsAt"]);
        let until = Instant::now() + RESENDS;
        while Instant::now() < until {
            let alerts = alertmanager.alerts().await;
            assert_eq!(alerts.len(), 1, "{version:?}: ended by the resend of an end that is over");
            assert_eq!(alerts[0]["startsAt"], again["startsAt"], "{version:?}");
            pass(Duration::from_millis(200)).await;
        }
        shop.fail("pay", false);
        gone(&alertmanager).await;
        damper.stop().await;
    }
}

pub(super) fn receiver(instances: &[&Alertmanager]) -> String {
    let urls: Vec<String> = instances.iter().map(|instance| instance.url()).collect();
    format!("receivers: [{{name: am, alertmanager: {{urls: ['{}'], resend: 5s}}}}]\n", urls.join("', '"))
}

pub(super) async fn active(alertmanager: &Alertmanager, what: &str) -> Value {
    wait_until(LIMIT, what, async || alertmanager.alerts().await.into_iter().next()).await
}

pub(super) async fn gone(alertmanager: &Alertmanager) {
    let none = async || alertmanager.alerts().await.is_empty().then_some(());
    wait_until(LIMIT, "the alert to be resolved", none).await;
}

/// Damper's death must not soon read as "resolved".
fn far_ahead(alert: &Value) {
    let ahead = time(alert, "endsAt") - now_ms();
    assert!(ahead > 14 * 60_000, "ends {ahead} ms from now: {alert}");
}

fn same(one: &Value, other: &Value) {
    for field in ["fingerprint", "labels", "startsAt"] {
        assert_eq!(one[field], other[field], "{field}");
    }
}

pub(super) fn time(alert: &Value, field: &str) -> i64 {
    let text = alert[field].as_str().unwrap();
    chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

fn status(request: &crate::support::receiver::Request) -> String {
    request.json()["status"].as_str().unwrap().to_owned()
}

/// What people were told, repetitions left out.
fn statuses(people: &Receiver) -> Vec<String> {
    let mut all: Vec<String> = people.accepted().iter().map(status).collect();
    all.dedup();
    all
}
