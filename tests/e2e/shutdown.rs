//! SIGTERM while an alert cannot be delivered.

use std::time::Duration;

use reqwest::StatusCode;
use rustix::process::Signal;

use super::shop::{PAGE, SOON, Shop, events, until_told, until_whole};
use crate::support::prometheus::Version;
use crate::support::receiver::Behaviour;
use crate::support::wait_until;

#[tokio::test]
async fn sigterm_ends_in_seconds_is_not_ready_first_and_keeps_what_is_owed() {
    let mut shop = Shop::open(Version::New, &["burning"]).await;
    let mut damper = shop.damper(&shop.prometheus.url());
    damper.definition("burning.yaml", &Shop::slo("burning", &[PAGE]));
    damper.start().await;
    until_whole(&damper, "burning").await;
    shop.receiver.behave(Behaviour::Hang);
    shop.traffic.fail("burning", 5);
    let attempt = wait_until(SOON, "an attempt", async || shop.receiver.requests().pop()).await;

    damper.process().signal(Signal::TERM);
    let answer = wait_until(SOON, "readiness to end", async || {
        let answer = damper.try_get("/readyz").await.expect("the API answers until deliveries have ended");
        (answer.0 != StatusCode::OK).then_some(answer)
    })
    .await;
    assert_eq!(answer.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.1.contains("shutting down"), "{}", answer.1);
    let limit = Duration::from_secs(10);
    let status = wait_until(limit, "the end", async || damper.process().ended()).await;
    assert!(status.success(), "{status}");
    assert!(!damper.log().contains("did not end in time"), "{}", damper.log());

    damper.kill();
    shop.receiver.behave(Behaviour::Accept);
    damper.start().await;
    let told = until_told(&shop.receiver, SOON, "burning", "firing").await;
    assert_eq!(told.request.header("Idempotency-Key"), attempt.header("Idempotency-Key"));
    assert_eq!(told.request.body, attempt.body);

    // With a receiver that answers, what is decided is delivered and the end is quick.
    shop.traffic.fail("burning", 0);
    until_told(&shop.receiver, SOON, "burning", "resolved").await;
    damper.stop().await;
    assert_eq!(events(&shop.receiver, "burning", "page"), ["firing", "resolved"]);
}
