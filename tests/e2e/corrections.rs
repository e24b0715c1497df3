//! Time taken out of an SLO by hand: after a load test the budget is as if it had not been, over kills
//! and restarts, and exactly as before once the time is put back. Nobody is paged by either.

use std::process::Command;

use damper::store::{Options, Store};
use serde_json::Value;

use super::shop::{SOON, Shop, events, until_told, until_whole};
use crate::support::damper::Damper;
use crate::support::prometheus::Version;
use crate::support::wait_until;

const LEDGER: &str = "/api/v1/slos/shop/busy/ledger";

#[tokio::test]
async fn a_load_test_is_taken_out_and_put_back_over_kills() {
    let shop = Shop::open(Version::New, &["busy", "calm"]).await;
    let mut damper = shop.watched(&shop.prometheus.url(), &["busy", "calm"]);
    damper.start().await;
    until_whole(&damper, "busy").await;
    shop.traffic.fail("busy", 5);
    until_told(&shop.receiver, SOON, "busy", "firing").await;
    shop.traffic.fail("busy", 0);
    until_told(&shop.receiver, SOON, "busy", "resolved").await;
    let burnt = group(&damper).await;
    assert!(
        burnt["raw"]["bad"].as_f64() > Some(0.0) && burnt["budgetRemaining"].as_f64() < Some(0.9),
        "{burnt}"
    );
    let calm = budget(&damper, "calm").await;

    let told =
        ledger(&damper, &["exclude", "shop/busy", "--from", "5m", "--to", "now", "--reason", "load test"]);
    assert!(told.contains("taken out of shop/busy"), "{told}");
    let id = told.split(':').next().unwrap().strip_prefix("number ").unwrap().to_owned();
    until_budget(&damper, "what was burnt to be taken out", |left| left == 1.0).await;
    for clean in [false, true] {
        if clean {
            damper.stop().await;
        } else {
            damper.kill();
        }
        damper.start().await;
        until_budget(&damper, "it to be taken out after a restart", |left| left == 1.0).await;
    }
    let group = group(&damper).await;
    assert_eq!(group["counted"]["bad"], 0.0);
    assert_eq!(group["excluded"]["bad"], burnt["raw"]["bad"], "{group}");
    assert!(budget(&damper, "calm").await >= calm, "another SLO counts on");
    let shown = ledger(&damper, &["show", "shop/busy", "--from", "6m"]);
    for part in ["load test", "taken out", "ann", &format!("\n{id} ")] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    // Asked for and killed at once: it is carried out by the next process.
    ledger(&damper, &["include", &id]);
    damper.kill();
    damper.start().await;
    until_budget(&damper, "what was burnt to count again", |left| left < 0.9).await;
    let back = self::group(&damper).await;
    assert_eq!((&back["counted"], &back["excludedSeconds"]), (&back["raw"], &0.into()));
    assert_eq!(back["raw"]["bad"], burnt["raw"]["bad"]);
    assert_eq!(events(&shop.receiver, "busy", "page"), ["firing", "resolved"], "nobody is told anew");
    assert_eq!(events(&shop.receiver, "calm", "page"), [""; 0]);

    damper.stop().await;
    let store = format!("sqlite:{}", damper.path("damper.db").display());
    let store = Store::open(&store, Options::default()).await.unwrap();
    let lines = store.history(Some("shop/busy"), None, 10).await.unwrap().items;
    let kinds: Vec<&str> = lines.iter().map(|line| line.kind.as_str()).collect();
    assert_eq!(kinds, ["included", "excluded", "resolved", "firing"]);
    let excluded: Value = serde_json::from_str(&lines[1].body).unwrap();
    assert_eq!((excluded["by"].as_str(), excluded["reason"].as_str()), (Some("ann"), Some("load test")));
}

/// Runs `damper ledger` as somebody's hand.
fn ledger(damper: &Damper, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_damper"));
    command.arg("ledger").args(arguments).args(["--url", &damper.url("")]);
    let output = command.env("USER", "ann").output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

async fn group(damper: &Damper) -> Value {
    damper.get(LEDGER).await["groups"][0].clone()
}

async fn budget(damper: &Damper, slo: &str) -> f64 {
    let view = damper.get(&format!("/api/v1/slos/shop/{slo}")).await;
    view["groups"][0]["budgetRemaining"].as_f64().unwrap()
}

async fn until_budget(damper: &Damper, what: &str, is: impl Fn(f64) -> bool) {
    wait_until(SOON, what, async || {
        let left = damper.get(LEDGER).await["groups"][0]["budgetRemaining"].as_f64()?;
        is(left).then_some(())
    })
    .await;
}
