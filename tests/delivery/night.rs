//! A Damper whose store dies while services fail, with all that it tells, and what must hold each time.

use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tokio::time::Instant;

use super::told::{self, Told};
use super::{LIMIT, events, on};
use crate::support::damper::Damper;
use crate::support::receiver::Receiver;
use crate::support::shop::Shop;
use crate::support::wait_until;

/// From a service's failure to its page. The short window needs some of it, a tick is due every five
/// seconds, and the machine is busy; a store that is asked costs ten seconds and more each time.
pub(super) const USUAL: Duration = Duration::from_secs(20);

/// A Damper on two services, with what it tells.
pub(super) struct Night {
    pub(super) shop: Shop,
    pub(super) receiver: Receiver,
    pub(super) heart: Receiver,
    pub(super) damper: Damper,
    pub(super) store: String,
    /// How often the heart had beaten when Damper began to go on without its store.
    beats: usize,
}

impl Night {
    /// Not started; `store` is a line of its settings.
    pub(super) async fn falls(store: Option<&str>) -> Self {
        let shop = Shop::open(&["pay", "cart"]).await;
        let (receiver, heart) = (Receiver::start(), Receiver::start());
        let line = store.map_or_else(String::new, |store| format!("store: '{store}'\n"));
        let damper = on(&shop, "pay", &format!("{}{line}", settings(&receiver, &heart)));
        damper.definition("cart.yaml", &Shop::slo("cart"));
        let file = || format!("sqlite:{}", damper.path("damper.db").display());
        let store = store.map_or_else(file, str::to_owned);
        Self { shop, receiver, heart, damper, store, beats: 0 }
    }

    pub(super) async fn start(&mut self) {
        self.damper.start().await;
        self.heart.beats_on(LIMIT).await;
    }

    /// Waits until Damper says that it goes on without its store, or with it again.
    pub(super) async fn degraded(&mut self, is: bool) {
        let what = format!("degraded: {is}");
        wait_until(LIMIT + LIMIT, &what, async || {
            let says = self.damper.metric("damper_degraded").await?;
            (says == f64::from(u8::from(is))).then_some(())
        })
        .await;
        self.beats = self.heart.requests().len();
    }

    /// No heartbeat since it went on without its store.
    pub(super) fn silent(&self) {
        let beats = self.heart.requests().len() - self.beats;
        assert_eq!(beats, 0, "a heart that beats while no page could be committed");
    }

    /// A service fails; its page arrives in the usual time.
    pub(super) async fn pages(&self, service: &str) -> Told {
        self.shop.fail(service, true);
        let page = async || {
            let told = self.receiver.accepted().iter().map(Told::read).collect::<Vec<_>>();
            told.into_iter().find(|told| told.event == "firing" && told.labels["service"] == service)
        };
        in_the_usual_time(&format!("the page of {service}"), page).await
    }

    /// A service is well again, and Damper knows it.
    pub(super) async fn ends(&self, service: &str) {
        self.shop.fail(service, false);
        let over = |json: &Value| {
            let mut items = json["items"].as_array()?.iter();
            items.all(|item| item["labels"]["service"] != service).then_some(())
        };
        self.damper.wait_for(LIMIT, "/api/v1/alerts", &format!("{service} to be well"), over).await;
    }

    /// One page came and went, another one still lasts, all without the store.
    pub(super) async fn without_its_store(&mut self) {
        self.degraded(true).await;
        self.pages("pay").await;
        self.one_ended_and_another_one_pages().await;
    }

    /// The page of one service, which was told, ends, and another service fails.
    pub(super) async fn one_ended_and_another_one_pages(&self) {
        store_is(&self.damper, "degraded").await;
        self.ends("pay").await;
        self.pages("cart").await;
        assert_eq!(events(&self.receiver), ["firing", "firing"], "no end without the store");
        self.silent();
    }

    /// The store is back: ends are told, each once, and the store holds what happened.
    pub(super) async fn with_it_again(&mut self) {
        self.recovers().await;
        self.damper.stop().await;
        self.store_holds_it().await;
    }

    /// The store is back: ends are told, each once.
    pub(super) async fn recovers(&mut self) {
        self.degraded(false).await;
        self.ends("cart").await;
        let both = async || (events(&self.receiver).len() >= 4).then_some(());
        wait_until(LIMIT, "both ends", both).await;
        store_is(&self.damper, "ok").await;
        self.heart.beats_on(LIMIT).await;
        self.damper.all_told(LIMIT).await;
        let mut all = events(&self.receiver);
        all.sort();
        assert_eq!(all, ["firing", "firing", "resolved", "resolved"]);
    }

    /// The store, which nobody uses any more, holds exactly what was told.
    pub(super) async fn store_holds_it(&self) {
        told::check(&self.store, &self.receiver, &self.shop.phases()).await;
        told::stored(&self.store, &self.receiver).await;
    }
}

/// Waits for what follows from a failure that began just now.
pub(super) async fn in_the_usual_time<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    let found = wait_until(LIMIT, what, ask).await;
    eprintln!("{what} came after {:?}", began.elapsed());
    assert!(began.elapsed() < USUAL, "{:?} until {what}", began.elapsed());
    found
}

pub(super) fn settings(receiver: &Receiver, heart: &Receiver) -> String {
    format!(
        "receivers: [{{name: oncall, webhook: {{url: '{}', timeout: 1s}}}}]\n{}",
        receiver.url(),
        heart.heartbeat()
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

/// Ends that.
pub(super) async fn unlock(mut lock: SqliteConnection) {
    sqlx::query("rollback").execute(&mut lock).await.unwrap();
    lock.close().await.unwrap();
}

/// Waits until `/healthz` says so of the store; it must never ask for a restart, which mends nothing.
/// Gives its words.
pub(super) async fn store_is(damper: &Damper, status: &str) -> String {
    let what = format!("the store to be {status}");
    wait_until(LIMIT, &what, async || {
        let (code, text) = damper.try_get("/healthz").await?;
        assert!(code.is_success(), "{code}: {text}");
        let health: Value = serde_json::from_str(&text).unwrap();
        let store = health["components"].as_array()?.iter().find(|part| part["name"] == "store")?;
        (store["status"] == status).then(|| store["detail"].to_string())
    })
    .await
}
