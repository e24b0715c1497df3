//! Some queries hang or are refused, in every tick, while the rest of a healthy Prometheus answers.

use serde_json::Value;

use super::shop::{PAGE, SOON, Shop, events, told, until_told, until_whole};
use super::truth::{Truth, ms};
use crate::support::damper::Damper;
use crate::support::now_ms;
use crate::support::prometheus::Version;
use crate::support::proxy::{Proxy, Spoil};
use crate::support::traffic::REQUESTS;

/// A step and a second, in milliseconds.
const PROMISE: i64 = 6000;
/// Half a step, in which everything must be asked, and a second for the rest of a tick.
const TICK: f64 = 3.5;
/// All are asked in one query, the one that hangs and the one that burns among them.
const SERVICES: [&str; 8] = ["stuck", "burning", "ok1", "ok2", "ok3", "ok4", "ok5", "ok6"];

#[tokio::test]
async fn queries_that_hang_delay_no_page_of_others() {
    let shop = Shop::open(Version::New, &SERVICES).await;
    let proxy = Proxy::start(&shop.prometheus.url());
    let mut damper = shop.watched(&proxy.url(), &SERVICES);
    for name in ["a", "b", "c", "d"] {
        damper.definition(&format!("{name}.yaml"), &hanging(name));
    }
    damper.start().await;
    until_whole(&damper, "burning").await;

    let skipped = skipped(&damper).await;
    let began = now_ms() / 1000;
    proxy.spoil("stuck", Spoil::Hang);
    proxy.spoil("hanging_", Spoil::Hang);
    until_known(&damper, "burning", began + 10).await;
    let asked = proxy.questions();
    let hangs = |name: &str| asked.iter().any(|q| q.at / 1000 > began && q.query().contains(name));
    assert!(["stuck", "hanging_a", "hanging_b", "hanging_c", "hanging_d"].into_iter().all(hangs));

    pages_in_time(&shop, &damper, skipped).await;
}

#[tokio::test]
async fn a_query_that_is_refused_delays_no_page_of_others() {
    let shop = Shop::open(Version::New, &SERVICES).await;
    let proxy = Proxy::start(&shop.prometheus.url());
    let mut damper = shop.watched(&proxy.url(), &SERVICES);
    damper.start().await;
    until_whole(&damper, "burning").await;
    let skipped = skipped(&damper).await;
    let refused = r#"{"status":"error","errorType":"execution","error":"no"}"#;
    proxy.spoil("stuck", Spoil::Say(422, refused.to_owned()));
    pages_in_time(&shop, &damper, skipped).await;
    let asked = proxy.questions();
    let alone = asked.iter().any(|q| q.query().contains("stuck") && !q.query().contains("burning"));
    assert!(alone, "the one that is refused was found");
}

/// Ticks skipped so far: what happened while all began is not what these tests are about.
async fn skipped(damper: &Damper) -> Value {
    damper.get("/api/v1/status").await["ticks"]["skipped"].clone()
}

/// One service burns: its page comes as soon as ever, no tick took longer than it may, and no more
/// were skipped.
async fn pages_in_time(shop: &Shop, damper: &Damper, skipped: Value) {
    let began = now_ms();
    shop.traffic.fail("burning", 5);
    let page = until_told(&shop.receiver, SOON, "burning", "firing").await;
    let truth = Truth::of(&shop.prometheus, "burning").await;
    let hot = |at: i64| truth.burns(at, 14.4, &[60, 20]);
    let late = page.request.at - truth.first_scrape(began, hot);
    assert!(late <= PROMISE, "the page came {late} ms after the scrape");
    assert!(hot(ms(&page.alert()["damper"]["at"])));

    let ticks = damper.get("/api/v1/status").await["ticks"].clone();
    assert!(ticks["seconds"].as_f64() < Some(TICK), "{ticks}");
    assert_eq!(ticks["skipped"], skipped, "{ticks}");
    assert_eq!(events(&shop.receiver, "burning", "page"), ["firing"]);
    assert_eq!(told(&shop.receiver, "SourceBlind", "ticket").len(), 0);
}

/// Waits until an SLO is known in whole, up to a moment later than this.
async fn until_known(damper: &Damper, slo: &str, later: i64) {
    let path = format!("/api/v1/slos/shop/{slo}");
    damper
        .wait_for(SOON, &path, "answers while others hang", |view| {
            let whole = view["groups"][0]["counts"]["5m"]["coverage"] == 1.0;
            (whole && view["at"].as_i64()? > later).then_some(())
        })
        .await;
}

/// An SLO with a query of its own.
fn hanging(name: &str) -> String {
    Shop::slo(name, &[PAGE]).replace(REQUESTS, &format!("hanging_{name}_total"))
}
