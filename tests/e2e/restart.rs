//! A restart goes on where the process before stopped, and asks only for the gap.

use std::time::Duration;

use serde_json::{Value, json};

use super::shop::{PAGE, SOON, Shop, events, told, until_told, until_whole};
use super::truth::{ms, until_true};
use crate::support::damper::Damper;
use crate::support::prometheus::Version;
use crate::support::proxy::Proxy;
use crate::support::wait_until;

/// As the page, but it must hold for a while.
const WAITS: &str = "{severity: page, burnRate: 14.4, long: 1m, short: 20s, for: 90s}";
/// The newest slices are always asked again.
const AGAIN: i64 = 60;
const SERVICES: [&str; 3] = ["burning", "waiting", "healthy"];

#[tokio::test]
async fn a_restart_asks_only_for_the_gap_and_goes_on_where_it_was() {
    let shop = Shop::open(Version::New, &SERVICES).await;
    let proxy = Proxy::start(&shop.prometheus.url());
    let mut damper = shop.damper(&proxy.url());
    for (service, rule) in SERVICES.into_iter().zip([PAGE, WAITS, PAGE]) {
        damper.definition(&format!("{service}.yaml"), &Shop::slo(service, &[rule]));
    }
    damper.start().await;
    until_whole(&damper, "healthy").await;
    backfilled(&damper).await;
    shop.traffic.fail("burning", 5);
    shop.traffic.fail("waiting", 5);
    until_told(&shop.receiver, SOON, "burning", "firing").await;
    let alerts = damper
        .wait_for(SOON, "/api/v1/alerts", "the second alert to wait", |alerts| {
            (alerts["items"].as_array()?.len() == 2).then(|| states(alerts))
        })
        .await;

    for clean in [true, false] {
        let last = damper.get("/api/v1/status").await["ticks"]["at"].as_i64().unwrap();
        let past =
            format!("/api/v1/slos/shop/burning/series?from={}&to={}&step=5s", last - 600, last - AGAIN);
        let before = damper.get(&past).await;
        if clean {
            damper.stop().await;
        } else {
            damper.kill();
        }
        shop.target.scraped(10, SOON).await;
        proxy.forget();
        damper.start().await;
        until_whole(&damper, "burning").await;
        assert_eq!(states(&damper.get("/api/v1/alerts").await), alerts, "clean: {clean}");
        assert_eq!(damper.get(&past).await["points"], before["points"], "clean: {clean}");
        backfilled(&damper).await;
        asked_only_for_the_gap(&proxy, last);
        until_true(&shop.prometheus, &damper, "burning").await;
    }

    let fired = until_told(&shop.receiver, Duration::from_secs(120), "waiting", "firing").await;
    let since = alerts.iter().find(|alert| alert["slo"] == "shop/waiting").unwrap()["activeAt"].as_i64();
    let fired_at = ms(&fired.alert()["damper"]["at"]) / 1000;
    assert_eq!(fired_at, since.unwrap() + 90, "two restarts neither stopped nor restarted the clock");
    let incident = told(&shop.receiver, "burning", "page")[0].incident().to_owned();
    shop.traffic.fail("burning", 0);
    shop.traffic.fail("waiting", 0);
    let resolved = until_told(&shop.receiver, SOON, "burning", "resolved").await;
    assert_eq!(resolved.incident(), incident);
    until_told(&shop.receiver, SOON, "waiting", "resolved").await;
    for service in ["burning", "waiting"] {
        assert_eq!(events(&shop.receiver, service, "page"), ["firing", "resolved"], "{service}");
    }
    assert_eq!(events(&shop.receiver, "healthy", "page"), [""; 0]);
    budget_survives(shop, &mut damper).await;
}

/// With no more traffic nothing moves, and a crash moves nothing either.
async fn budget_survives(shop: Shop, damper: &mut Damper) {
    drop(shop.traffic);
    let path = "/api/v1/slos/shop/burning";
    let view = |view: &Value| {
        let group = &view["groups"][0];
        json!([group["budgetRemaining"], group["counts"]["1d"]["bad"], group["counts"]["1d"]["total"]])
    };
    // The last requests are scraped, asked for and settled when nothing has moved for some ticks.
    let mut seen = (Value::Null, 0);
    let before = wait_until(SOON, "the counts to stand still", async || {
        let now = damper.get(path).await;
        let at = now["at"].as_i64()?;
        if seen.0 != view(&now) {
            seen = (view(&now), at);
        }
        (at - seen.1 >= 15).then(|| seen.0.clone())
    })
    .await;
    assert!(before[0].is_f64() && before[1].as_f64() > Some(0.0), "{before}");
    damper.kill();
    damper.start().await;
    assert_eq!(view(&damper.get(path).await), before);
}

async fn backfilled(damper: &Damper) {
    damper
        .wait_for(SOON, "/api/v1/status", "the backfill to be done", |status| {
            let done = status["backfill"]["leftSeconds"] == 0 && status["backfill"]["doneSeconds"].is_i64();
            done.then_some(())
        })
        .await;
}

/// What must survive of each alert.
fn states(alerts: &Value) -> Vec<Value> {
    let state = |alert: &Value| {
        json!({
            "slo": alert["slo"], "state": alert["state"], "activeAt": alert["activeAt"],
            "firedAt": alert["firedAt"], "incident": alert["incident"],
        })
    };
    alerts["items"].as_array().unwrap().iter().map(state).collect()
}

fn asked_only_for_the_gap(proxy: &Proxy, last: i64) {
    let questions = proxy.questions();
    let ranges: Vec<_> = questions.iter().filter(|q| q.path.ends_with("query_range")).collect();
    assert!(!ranges.is_empty());
    for question in ranges {
        let start = question.seconds("start").unwrap();
        #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
        let earliest = (last - AGAIN) as f64;
        assert!(start >= earliest, "{start} is {}s before the last slice: {}", last, question.query());
    }
}
