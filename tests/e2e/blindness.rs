//! Two minutes without a Prometheus, of three kinds, while the budget burns.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::shop::{PAGE, SOON, Shop, events, told, until_told, until_whole};
use super::truth::until_true;
use crate::support::damper::Damper;
use crate::support::prometheus::Version;
use crate::support::proxy::Proxy;
use crate::support::wait_until;

const OUTAGE: Duration = Duration::from_secs(120);
const SERVICES: [&str; 4] = ["burning", "healthy", "late", "passing"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outage {
    /// Connections are refused; nothing is scraped.
    Killed,
    /// Connections hang; nothing is scraped.
    Frozen,
    /// Connections are refused, but Prometheus goes on scraping: afterwards everything is known.
    CutOff,
}

#[tokio::test]
async fn two_minutes_of_blindness_fire_nothing_resolve_nothing_and_are_made_up_for() {
    tokio::join!(
        Box::pin(blindness(Version::Old, Outage::Killed)),
        Box::pin(blindness(Version::New, Outage::Frozen)),
        Box::pin(blindness(Version::New, Outage::CutOff)),
    );
}

async fn blindness(version: Version, outage: Outage) {
    let mut shop = Shop::open(version, &SERVICES).await;
    let mut proxy = Proxy::start(&shop.prometheus.url());
    let source = if outage == Outage::CutOff { proxy.url() } else { shop.prometheus.url() };
    let mut damper = shop.damper(&source);
    for service in SERVICES {
        damper.definition(&format!("{service}.yaml"), &Shop::slo(service, &[PAGE]));
    }
    damper.start().await;
    for service in SERVICES {
        until_whole(&damper, service).await;
    }
    shop.traffic.fail("burning", 5);
    until_told(&shop.receiver, SOON, "burning", "firing").await;

    match outage {
        Outage::Killed => shop.prometheus.kill(),
        Outage::Frozen => shop.prometheus.freeze(),
        Outage::CutOff => proxy.down(),
    }
    meanwhile(&shop, &damper, outage).await;
    match outage {
        Outage::Killed => shop.prometheus.start_again().await,
        Outage::Frozen => shop.prometheus.thaw(),
        Outage::CutOff => proxy.up(),
    }
    afterwards(&shop, &damper, outage).await;
}

/// Two minutes in which one service burns for a while and another until the end.
async fn meanwhile(shop: &Shop, damper: &Damper, outage: Outage) {
    let began = Instant::now();
    quiet_until(shop, began + Duration::from_secs(10)).await;
    shop.traffic.fail("passing", 8);
    quiet_until(shop, began + Duration::from_secs(50)).await;
    shop.traffic.fail("passing", 0);
    quiet_until(shop, began + Duration::from_secs(70)).await;
    shop.traffic.fail("late", 5);
    quiet_until(shop, began + OUTAGE).await;
    let blind = told(&shop.receiver, "SourceBlind", "ticket");
    assert_eq!(blind.len(), 1, "{outage:?}: {blind:?}");
    assert_eq!(blind[0].alert()["labels"]["source"], "local");
    // Of the SLOs nothing is known, and nothing else is said about them.
    let alerts = damper.get("/api/v1/alerts").await;
    let mut alerts: Vec<String> = alerts["items"].as_array().unwrap().iter().map(in_short).collect();
    alerts.sort();
    let known = ["ErrorBudgetBurn page firing", "SourceBlind page pending", "SourceBlind ticket firing"];
    assert_eq!(alerts, known, "{outage:?}");
}

/// All is made up for, and what burned is told once.
async fn afterwards(shop: &Shop, damper: &Damper, outage: Outage) {
    until_told(&shop.receiver, SOON, "SourceBlind", "resolved").await;
    until_told(&shop.receiver, SOON, "late", "firing").await;
    let burning = events(&shop.receiver, "burning", "page");
    assert_eq!(burning, ["firing"], "{outage:?}: it burns on, and everybody knows");
    for service in SERVICES {
        until_whole(damper, service).await;
        // The window over the outage too.
        until_true(&shop.prometheus, damper, service).await;
    }
    shop.traffic.fail("burning", 0);
    shop.traffic.fail("late", 0);
    for service in ["burning", "late"] {
        until_told(&shop.receiver, SOON, service, "resolved").await;
        assert_eq!(events(&shop.receiver, service, "page"), ["firing", "resolved"], "{outage:?}: {service}");
    }
    assert_eq!(events(&shop.receiver, "SourceBlind", "ticket"), ["firing", "resolved"], "{outage:?}");
    assert_eq!(events(&shop.receiver, "healthy", "page"), [""; 0], "{outage:?}");
    // Where nothing was scraped, all of it is booked at the return, and nobody can know that it was
    // over long before: whether that is still hot when Damper looks again decides, but it is told once.
    let told = wait_until(SOON, "the end of what passed", async || {
        Some(events(&shop.receiver, "passing", "page"))
            .filter(|told| told.last().is_some_and(|e| e != "firing"))
    });
    let passing = told.await;
    let page = outage != Outage::CutOff && passing == ["firing", "resolved"];
    assert!(page || passing == ["missed"], "{outage:?}: {passing:?}");
}

fn in_short(alert: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let name = text(&alert["labels"]["alertname"]);
    format!("{name} {} {}", text(&alert["severity"]), text(&alert["state"]))
}

/// Until then nothing is told, except that the source is blind.
async fn quiet_until(shop: &Shop, then: Instant) {
    let limit = then.saturating_duration_since(Instant::now()) + Duration::from_secs(5);
    wait_until(limit, "time to pass", async || {
        let told = shop.receiver.requests();
        let names = told.iter().map(|request| request.json()["commonLabels"]["alertname"].clone());
        let of_slos: Vec<_> = names.filter(|name| name != "SourceBlind").collect();
        assert_eq!(of_slos.len(), 1, "{of_slos:?}");
        (Instant::now() >= then).then_some(())
    })
    .await;
}
