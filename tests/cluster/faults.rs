//! An API server that hangs, dies and comes back.

use std::time::Duration;

use damper::cluster::Fault;
use tokio::time::Instant;

use super::{SHOP, checkout, count, hands, number, seen, set, shop};
use crate::support::kubernetes::objects::deployment;

#[tokio::test]
async fn an_api_server_that_hangs_holds_nobody_and_nothing_stale_is_told() {
    let kubernetes = shop().await;
    kubernetes.admin().create(&deployment("shop", "checkout", 3)).await.ok();
    let (damper, _stop) = hands(&kubernetes, "direct").await;
    damper.look(&checkout()).await.unwrap();
    kubernetes.hang();
    let began = Instant::now();
    // What the watch brought may serve for a few seconds, and no longer.
    while began.elapsed() < Duration::from_secs(20) && damper.look(&checkout()).await.is_ok() {
        crate::support::wait::pass(Duration::from_millis(200)).await;
    }
    let stale = began.elapsed();
    assert!(stale < Duration::from_secs(16), "still told after {stale:?}");
    let began = Instant::now();
    let fault = damper.write(&checkout(), &count(3, 5)).await.unwrap_err();
    assert!(matches!(fault, Fault::Unreachable { .. }), "{fault}");
    assert!(began.elapsed() < Duration::from_secs(25));
    kubernetes.resume();
    let found = seen(&damper, &checkout(), "an answer again", |_| true).await;
    // A write that was sent into the silence may be made once it ends; it was one write, at most.
    assert!(matches!(found.wanted, 3 | 5), "{}", found.wanted);
}

#[tokio::test]
async fn an_api_server_that_was_restarted_is_watched_again() {
    let mut kubernetes = shop().await;
    kubernetes.admin().create(&deployment("shop", "checkout", 3)).await.ok();
    let (damper, _stop) = hands(&kubernetes, "direct").await;
    damper.look(&checkout()).await.unwrap();
    kubernetes.kill();
    let fault = damper.look(&checkout()).await;
    assert!(!matches!(fault, Err(Fault::Refused { .. })), "{fault:?}");
    kubernetes.start_again().await;
    set(&kubernetes, &format!("{SHOP}/deployments/checkout"), "/spec/replicas", 4).await;
    let found = seen(&damper, &checkout(), "the new count", |w| w.wanted == 4).await;
    damper.write(&checkout(), &super::order(&found, 5)).await.unwrap();
    assert_eq!(number(&kubernetes, &format!("{SHOP}/deployments/checkout"), "/spec/replicas").await, Some(5));
}
