//! A service whose process goes away: after its time `SLOAbsent` says so, and nothing else does.

use std::time::Duration;

use super::shop::{PAGE, SOON, Shop, events, told, until_told, until_whole};
use crate::support::now_ms;
use crate::support::prometheus::Version;

/// `absent: {after: 1m}`, and what it takes to see that there is no young sample.
const IN_TIME: Duration = Duration::from_secs(60 + 20);

#[tokio::test]
async fn a_service_that_went_is_told_as_absent_in_time_and_never_as_unknown() {
    tokio::join!(Box::pin(absence(Version::Old)), Box::pin(absence(Version::New)));
}

async fn absence(version: Version) {
    let mut shop = Shop::open(version, &["cart"]).await;
    let mut damper = shop.damper(&shop.prometheus.url());
    let slo = Shop::slo("cart", &[PAGE]).replace("  alerting:", "    absent: {after: 1m}\n  alerting:");
    assert!(slo.contains("absent:"), "{slo}");
    damper.definition("cart.yaml", &slo);
    damper.start().await;
    until_whole(&damper, "cart").await;

    shop.exporter.down();
    let went = now_ms();
    let absent = until_told(&shop.receiver, IN_TIME * 2, "cart", "firing").await;
    assert_eq!(absent.alert()["labels"]["alertname"], "SLOAbsent");
    let took = absent.request.at - went;
    assert!(
        took >= 60_000 && i128::from(took) <= IN_TIME.as_millis().cast_signed(),
        "{version:?}: {took} ms"
    );

    shop.exporter.up();
    until_told(&shop.receiver, SOON, "cart", "resolved").await;
    // What was counted meanwhile came with the first scrape: the gap is closed.
    until_whole(&damper, "cart").await;
    assert_eq!(events(&shop.receiver, "cart", "ticket"), ["firing", "resolved"], "{version:?}");
    assert_eq!(told(&shop.receiver, "cart", "page").len(), 0, "{version:?}");
}
