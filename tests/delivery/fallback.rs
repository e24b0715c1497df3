//! Somebody is told: the fallback when the receiver takes nothing, and whoever was told "firing" is
//! told "resolved", each once.

use std::time::Duration;

use serde_json::Value;

use super::{LIMIT, delivery, events, on, taken};
use crate::support::alertmanager::{Alertmanager, Version};
use crate::support::receiver::{Behaviour, Receiver};
use crate::support::shop::Shop;
use crate::support::wait_until;

#[tokio::test]
async fn a_page_that_is_refused_for_too_long_goes_to_the_fallback_once_and_both_are_told_the_end() {
    let shop = Shop::open(&["pay"]).await;
    let (mut main, other) = (Receiver::start(), Receiver::start());
    main.behave(Behaviour::Refuse);
    let mut damper = on(&shop, "pay", &webhooks(&main, &other, "6s"));
    damper.start().await;
    shop.fail("pay", true);
    let told = taken(&other, "firing").await;
    let waiting = delivery(&damper, "receiver=main", "the page that waits", |i| i["event"] == "firing").await;
    assert_eq!(told.key, format!("{}-firing-other", told.incident), "as its own message would have");
    assert_eq!((waiting["status"].as_str(), events(&main).len()), (Some("pending"), 0));
    // Only what is marked is known to the next process; what was taken unmarked is told again.
    delivery(&damper, "receiver=other&status=delivered", "the mark", |i| i["event"] == "firing").await;
    // A new process knows who was told.
    damper.kill();
    damper.start().await;
    main.behave(Behaviour::Accept);
    assert_eq!(taken(&main, "firing").await.incident, told.incident);
    shop.fail("pay", false);
    taken(&main, "resolved").await;
    taken(&other, "resolved").await;
    damper.all_told(LIMIT).await;
    damper.stop().await;
    assert_eq!(events(&main), ["firing", "resolved"]);
    assert_eq!(events(&other), ["firing", "resolved"]);
}

#[tokio::test]
async fn a_receiver_that_asks_for_an_hour_delays_neither_the_fallback_nor_its_resolve() {
    let shop = Shop::open(&["pay"]).await;
    let (mut main, other) = (Receiver::start(), Receiver::start());
    main.behave(Behaviour::Fail(503, Some(3600)));
    let mut damper = on(&shop, "pay", &webhooks(&main, &other, "6s"));
    damper.start().await;
    shop.fail("pay", true);
    taken(&other, "firing").await;
    shop.fail("pay", false);
    taken(&other, "resolved").await;
    assert_eq!(main.requests().len(), 1, "it asked not to be asked");
    damper.stop().await;
    assert_eq!(events(&other), ["firing", "resolved"]);
}

#[tokio::test]
async fn a_page_that_is_refused_as_wrong_goes_to_an_alertmanager_at_once_and_is_tried_again() {
    let shop = Shop::open(&["pay"]).await;
    let mut main = Receiver::start();
    main.behave(Behaviour::Fail(404, None));
    let other = Alertmanager::start(Version::New, None).await;
    let settings = format!(
        "receivers:
  - {{name: main, webhook: {{url: '{}'}}}}
  - {{name: other, alertmanager: {{urls: ['{}'], resend: 5s}}}}
route: {{receiver: main, fallback: other, fallbackAfter: 1h}}
",
        main.url(),
        other.url()
    );
    let mut damper = on(&shop, "pay", &settings);
    damper.start().await;
    shop.fail("pay", true);
    active(&other, 1).await;
    let tried = |item: &Value| item["event"] == "firing" && item["attempts"].as_i64() >= Some(1);
    let waiting = delivery(&damper, "status=pending", "the page that waits", tried).await;
    assert!(waiting["lastError"].as_str().unwrap().contains("404"), "{waiting}");
    // It was only being deployed: it is told all.
    main.behave(Behaviour::Accept);
    taken(&main, "firing").await;
    shop.fail("pay", false);
    active(&other, 0).await;
    taken(&main, "resolved").await;
    damper.stop().await;
    assert_eq!(events(&main), ["firing", "resolved"]);
}

#[tokio::test]
async fn an_alertmanager_that_is_down_has_a_fallback_too() {
    let shop = Shop::open(&["pay"]).await;
    let mut main = Alertmanager::start(Version::Old, None).await;
    main.kill();
    let other = Receiver::start();
    let settings = format!(
        "receivers:
  - {{name: main, alertmanager: {{urls: ['{}'], resend: 5s}}}}
  - {{name: other, webhook: {{url: '{}'}}}}
route: {{receiver: main, fallback: other, fallbackAfter: 5s}}
",
        main.url(),
        other.url()
    );
    let mut damper = on(&shop, "pay", &settings);
    damper.start().await;
    shop.fail("pay", true);
    taken(&other, "firing").await;
    main.start_again().await;
    active(&main, 1).await;
    shop.fail("pay", false);
    active(&main, 0).await;
    taken(&other, "resolved").await;
    damper.stop().await;
    assert_eq!(events(&other), ["firing", "resolved"]);
}

async fn active(alertmanager: &Alertmanager, count: usize) {
    let what = format!("{count} active alerts");
    let is = async || (alertmanager.alerts().await.len() == count).then_some(());
    wait_until(LIMIT + Duration::from_secs(10), &what, is).await;
}

fn webhooks(main: &Receiver, other: &Receiver, after: &str) -> String {
    format!(
        "receivers:
  - {{name: main, webhook: {{url: '{}'}}}}
  - {{name: other, webhook: {{url: '{}'}}}}
route: {{receiver: main, fallback: other, fallbackAfter: {after}}}
",
        main.url(),
        other.url()
    )
}
