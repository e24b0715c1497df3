//! History is filled whatever else is wrong: a dead source and a query at fault stop nobody else's.

use super::shop::{PAGE, SOON, Shop};
use crate::support::damper::Damper;
use crate::support::port;
use crate::support::prometheus::Version;
use crate::support::proxy::{Proxy, Spoil};

#[tokio::test]
async fn history_is_filled_beside_a_dead_source_and_a_query_at_fault() {
    let services = ["evil", "fine", "good"];
    let shop = Shop::open(Version::New, &services).await;
    let proxy = Proxy::start(&shop.prometheus.url());
    let refused = r#"{"status":"error","errorType":"execution","error":"too many samples"}"#;
    proxy.spoil("evil", Spoil::Say(422, refused.to_owned()));
    let mut damper = Damper::new(&format!(
        "step: 5s\nsources:\n  - {{name: local, url: \"{}\"}}\n  - {{name: dead, url: \"http://127.0.0.1:{}\"}}\n\
         receivers:\n  - name: oncall\n    webhook: {{url: \"{}\"}}\nroute: {{receiver: oncall}}",
        proxy.url(),
        port::free(),
        shop.receiver.url(),
    ));
    for service in services {
        damper.definition(&format!("{service}.yaml"), &Shop::slo(service, &[PAGE]));
    }
    let dead = Shop::slo("dead", &[PAGE]).replace("  service: shop", "  service: shop\n  source: dead");
    damper.definition("dead.yaml", &dead);
    damper.start().await;
    for service in ["fine", "good"] {
        until_filled(&damper, service).await;
    }
    let status = damper.get("/api/v1/status").await;
    assert!(status["backfill"]["leftSeconds"].as_i64() > Some(0), "the others wait: {status}");
    assert!(status["backfill"]["waiting"].is_string(), "and people are told why: {status}");
    proxy.heal();
    until_filled(&damper, "evil").await;
}

/// Waits until the quarter of an hour before Damper began is counted, far beyond what ticks ask.
async fn until_filled(damper: &Damper, service: &str) {
    let what = format!("the history of {service}");
    let path = format!("/api/v1/slos/shop/{service}");
    damper
        .wait_for(SOON * 3, &path, &what, |view| {
            (view["groups"][0]["counts"]["1d"]["total"].as_f64()? > 80_000.0).then_some(())
        })
        .await;
}
