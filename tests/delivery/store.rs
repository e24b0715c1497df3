//! The store is locked by somebody else: nothing is lost, nothing is told twice, and everybody who asks
//! is told.

use super::alertmanager::{self, active, gone, time};
use super::night::{Night, in_the_usual_time, lock, unlock};
use super::told::{self, Told};
use super::{LIMIT, events, on, taken};
use crate::support::alertmanager::{Alertmanager, Version};
use crate::support::receiver::Behaviour;
use crate::support::shop::Shop;
use crate::support::{now_ms, wait_until};

#[tokio::test]
async fn while_another_program_locks_the_store_nothing_is_lost_and_nothing_told_twice() {
    let mut night = Night::falls(None).await;
    night.start().await;
    // One message is under way when the lock comes: taken, but not to be marked.
    night.receiver.behave(Behaviour::Hang);
    night.shop.fail("pay", true);
    let arrives = async || (!night.receiver.requests().is_empty()).then_some(());
    in_the_usual_time("the first attempt", arrives).await;
    let lock = lock(&night.damper).await;
    night.receiver.behave(Behaviour::Accept);
    let is_taken = async || (!night.receiver.accepted().is_empty()).then_some(());
    in_the_usual_time("the attempt that is taken", is_taken).await;
    taken(&night.receiver, "firing").await;
    night.degraded(true).await;
    night.one_ended_and_another_one_pages().await;
    unlock(lock).await;
    night.with_it_again().await;
}

#[tokio::test]
async fn a_kill_while_the_store_is_locked_and_pages_are_told_without_it() {
    let mut night = Night::falls(None).await;
    night.start().await;
    let lock = lock(&night.damper).await;
    night.degraded(true).await;
    let page = night.pages("pay").await;
    // A receiver that does not take the other one: the next process owes it.
    night.receiver.behave(Behaviour::Fail(503, None));
    night.shop.fail("cart", true);
    let tried = async || {
        let all = night.receiver.requests();
        all.iter().map(Told::read).find(|told| told.labels["service"] == "cart")
    };
    let tried = in_the_usual_time("an attempt", tried).await;
    night.silent();
    night.damper.kill();
    drop(lock);
    night.receiver.behave(Behaviour::Accept);
    night.damper.start().await;
    let taken = async || (events(&night.receiver).len() == 2).then_some(());
    wait_until(LIMIT, "the page that was not taken", taken).await;
    let told: Vec<Told> = night.receiver.accepted().iter().map(Told::read).collect();
    assert_eq!((&told[0].key, &told[1].key), (&page.key, &tried.key), "under the same keys, each once");
    night.ends("pay").await;
    night.with_it_again().await;
}

/// What it is not told again, an Alertmanager takes to be over.
#[tokio::test]
async fn an_alertmanager_is_told_on_while_the_store_cannot_be_written() {
    let shop = Shop::open(&["pay"]).await;
    let alertmanager = Alertmanager::start(Version::New, None).await;
    let mut damper = on(&shop, "pay", &alertmanager::receiver(&[&alertmanager]));
    damper.start().await;
    shop.fail("pay", true);
    active(&alertmanager, "the alert").await;
    let lock = lock(&damper).await;
    // What was under way when the lock came may be the first one.
    let mut last = now_ms();
    for nth in ["first", "second"] {
        let told = async || {
            let at = time(alertmanager.alerts().await.first()?, "updatedAt");
            (at > last).then_some(at)
        };
        last = wait_until(LIMIT, &format!("the {nth} one told"), told).await;
    }
    unlock(lock).await;
    shop.fail("pay", false);
    gone(&alertmanager).await;
    damper.stop().await;
    let store = format!("sqlite:{}", damper.path("damper.db").display());
    told::begun_and_ended(&store, 1).await;
}
