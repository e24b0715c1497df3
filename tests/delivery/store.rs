//! The store in trouble: nothing is lost, nothing is told twice, and everybody who asks is told.

use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::alertmanager::{self, active, gone, time};
use super::{LIMIT, all_told, events, on, taken};
use crate::support::alertmanager::{Alertmanager, Version};
use crate::support::damper::Damper;
use crate::support::now_ms;
use crate::support::receiver::{Behaviour, Receiver};
use crate::support::shop::Shop;
use crate::support::wait_until;

#[tokio::test]
async fn while_another_program_locks_the_store_nothing_is_lost_and_nothing_told_twice() {
    let shop = Shop::open(&["pay", "cart"]).await;
    let (mut receiver, heart) = (Receiver::start(), Receiver::start());
    let mut damper = on(&shop, "pay", &settings(&receiver, &heart));
    damper.definition("cart.yaml", &Shop::slo("cart"));
    damper.start().await;
    beats_on(&heart).await;

    // One message is under way when the lock comes: taken, but not to be marked.
    receiver.behave(Behaviour::Hang);
    shop.fail("pay", true);
    let arrives = async || (!receiver.requests().is_empty()).then_some(());
    wait_until(LIMIT, "an attempt", arrives).await;
    let mut lock = lock(&damper).await;
    receiver.behave(Behaviour::Accept);
    taken(&receiver, "firing").await;
    shop.fail("cart", true);
    store_is(&damper, "degraded").await;
    silent(&damper, &heart).await;
    let both = async || (events(&receiver) == ["firing", "firing"]).then_some(());
    wait_until(LIMIT, "the page of the cart, from memory", both).await;
    sqlx::query("rollback").execute(&mut lock).await.unwrap();
    lock.close().await.unwrap();

    store_is(&damper, "ok").await;
    beats_on(&heart).await;
    assert_eq!(events(&receiver), ["firing", "firing"], "taken once, though it could not be marked");
    shop.fail("pay", false);
    shop.fail("cart", false);
    let ends = async || (events(&receiver) == ["firing", "firing", "resolved", "resolved"]).then_some(());
    wait_until(LIMIT, "both resolves", ends).await;
    all_told(&damper).await;
    damper.stop().await;
    assert_eq!(events(&receiver).len(), 4);
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
    let mut lock = lock(&damper).await;
    // What was under way when the lock came may be the first one.
    let mut last = now_ms();
    for nth in ["first", "second"] {
        let told = async || {
            let at = time(alertmanager.alerts().await.first()?, "updatedAt");
            (at > last).then_some(at)
        };
        last = wait_until(LIMIT, &format!("the {nth} one told"), told).await;
    }
    sqlx::query("rollback").execute(&mut lock).await.unwrap();
    lock.close().await.unwrap();
    shop.fail("pay", false);
    gone(&alertmanager).await;
    damper.stop().await;
}

pub(super) fn settings(receiver: &Receiver, heart: &Receiver) -> String {
    format!(
        "receivers: [{{name: oncall, webhook: {{url: '{}', timeout: 1s}}}}]
heartbeat: {{url: '{}', timeout: 1s}}
",
        receiver.url(),
        heart.url()
    )
}

/// Locks the store for writing, as a backup script gone wrong does.
pub(super) async fn lock(damper: &Damper) -> SqliteConnection {
    let address = format!("sqlite:{}", damper.path("damper.db").display());
    let options = SqliteConnectOptions::from_str(&address).unwrap().busy_timeout(LIMIT);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("begin exclusive").execute(&mut connection).await.unwrap();
    connection
}

/// Waits until `/healthz` says so of the store; it must never ask for a restart, which mends nothing.
pub(super) async fn store_is(damper: &Damper, status: &str) {
    let what = format!("the store to be {status}");
    wait_until(LIMIT, &what, async || {
        let (code, text) = damper.try_get("/healthz").await?;
        assert!(code.is_success(), "{code}: {text}");
        let health: Value = serde_json::from_str(&text).unwrap();
        let store = health["components"].as_array()?.iter().find(|part| part["name"] == "store")?;
        (store["status"] == status).then_some(())
    })
    .await;
}

/// Waits for a heartbeat that is sent from now on.
pub(super) async fn beats_on(heart: &Receiver) {
    let now = now_ms();
    heart.wait_for(LIMIT, "a heartbeat", |beat| beat.at > now).await;
}

/// Two ticks pass without a heartbeat.
async fn silent(damper: &Damper, heart: &Receiver) {
    let completed = |json: &Value| json["ticks"]["completed"].as_i64();
    let before = completed(&damper.get("/api/v1/status").await).unwrap();
    let beats = heart.requests().len();
    let two = |json: &Value| (completed(json)? >= before + 2).then_some(());
    damper.wait_for(LIMIT + Duration::from_secs(30), "/api/v1/status", "two ticks", two).await;
    assert_eq!(heart.requests().len(), beats, "a heart that beats while no page could be committed");
}
