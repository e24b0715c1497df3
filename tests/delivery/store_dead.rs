//! The store dies, each time in another way: pages still arrive in the usual time and under their keys,
//! ends wait for the store and are told once.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::alertmanager::{self, active, gone};
use super::store::{beats_on, lock, settings, store_is};
use super::told::{self, Told};
use super::{LIMIT, all_told, degraded, events, none_fires, on};
use crate::support::alertmanager::{Alertmanager, Version};
use crate::support::damper::Damper;
use crate::support::receiver::{Behaviour, Receiver};
use crate::support::shop::Shop;
use crate::support::wait_until;
use crate::support::{outage, postgres};

/// From a service's failure to its page. The short window needs some of it, a tick is due every five
/// seconds, and the machine is busy; a store that is asked costs ten seconds and more each time.
const USUAL: Duration = Duration::from_secs(20);

/// A Damper on two services, with what it tells.
struct Night {
    shop: Shop,
    receiver: Receiver,
    heart: Receiver,
    damper: Damper,
    store: String,
}

impl Night {
    /// Not started; `store` is a line of its settings.
    async fn falls(store: Option<&str>) -> Self {
        let shop = Shop::open(&["pay", "cart"]).await;
        let (receiver, heart) = (Receiver::start(), Receiver::start());
        let line = store.map_or_else(String::new, |store| format!("store: '{store}'\n"));
        let damper = on(&shop, "pay", &format!("{}{line}", settings(&receiver, &heart)));
        damper.definition("cart.yaml", &Shop::slo("cart"));
        let file = || format!("sqlite:{}", damper.path("damper.db").display());
        let store = store.map_or_else(file, str::to_owned);
        Self { shop, receiver, heart, damper, store }
    }

    async fn start(&mut self) {
        self.damper.start().await;
        beats_on(&self.heart).await;
    }

    /// Waits until Damper says that it goes on without its store, or with it again.
    async fn degraded(&self, is: bool) {
        let what = format!("degraded: {is}");
        wait_until(LIMIT + LIMIT, &what, async || {
            let says = self.damper.metric("damper_degraded").await?;
            (says == f64::from(u8::from(is))).then_some(())
        })
        .await;
    }

    /// A service fails; its page arrives in the usual time.
    async fn pages(&self, service: &str) -> Told {
        let began = Instant::now();
        self.shop.fail(service, true);
        let what = format!("the page of {service}");
        let page = async || {
            let told = self.receiver.accepted().iter().map(Told::read).collect::<Vec<_>>();
            told.into_iter().find(|told| told.event == "firing" && told.labels["service"] == service)
        };
        let told = wait_until(LIMIT, &what, page).await;
        eprintln!("the page of {service} came after {:?}", began.elapsed());
        assert!(began.elapsed() < USUAL, "{:?} until the page of {service}", began.elapsed());
        told
    }

    /// A service is well again, and Damper knows it.
    async fn ends(&self, service: &str) {
        self.shop.fail(service, false);
        let over = |json: &Value| {
            let mut items = json["items"].as_array()?.iter();
            items.all(|item| item["labels"]["service"] != service).then_some(())
        };
        self.damper.wait_for(LIMIT, "/api/v1/alerts", &format!("{service} to be well"), over).await;
    }

    /// One page came and went, another one still lasts, all without the store.
    async fn without_its_store(&self) {
        self.degraded(true).await;
        store_is(&self.damper, "degraded").await;
        self.pages("pay").await;
        self.ends("pay").await;
        self.pages("cart").await;
        assert_eq!(events(&self.receiver), ["firing", "firing"], "no end without the store");
    }

    /// The store is back: ends are told, each once, and the store holds what happened.
    async fn with_it_again(&mut self) {
        self.degraded(false).await;
        self.ends("cart").await;
        let both = async || (events(&self.receiver).len() >= 4).then_some(());
        wait_until(LIMIT, "both ends", both).await;
        store_is(&self.damper, "ok").await;
        beats_on(&self.heart).await;
        all_told(&self.damper).await;
        self.damper.stop().await;
        let mut all = events(&self.receiver);
        all.sort();
        assert_eq!(all, ["firing", "firing", "resolved", "resolved"]);
        told::check(&self.store, &self.receiver, &self.shop.phases()).await;
    }
}

#[tokio::test]
async fn a_file_that_is_taken_away_and_put_back() {
    let mut night = Night::falls(None).await;
    night.start().await;
    let (file, away) = (night.damper.path("damper.db"), night.damper.path("away.db"));
    std::fs::rename(&file, &away).unwrap();
    night.without_its_store().await;
    let (_, health) = night.damper.try_get("/healthz").await.unwrap();
    assert!(
        health.contains("the file was removed") && health.contains("told from memory (2 so far)"),
        "{health}"
    );
    std::fs::rename(&away, &file).unwrap();
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
    let tried = wait_until(LIMIT, "an attempt", tried).await;
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

/// Every write that makes a file longer fails with an error that is none of a full disk.
#[tokio::test]
async fn a_disk_that_fails_every_write() {
    let mut night = Night::falls(None).await;
    // A process that may not write on is killed, unless it says otherwise.
    night.damper.begin_with("trap '' XFSZ", false);
    night.start().await;
    let id = night.damper.process().id().to_string();
    let limit = |bytes: &str| {
        let done = Command::new("prlimit").args(["--pid", &id, &format!("--fsize={bytes}")]).status();
        assert!(done.expect("prlimit (package util-linux)").success());
    };
    // What is there can be written over, and the log goes on beside it.
    let wal = std::fs::metadata(night.damper.path("damper.db-wal")).unwrap().len();
    limit(&format!("{wal}:unlimited"));
    night.without_its_store().await;
    limit("unlimited:unlimited");
    night.with_it_again().await;
}

#[tokio::test]
async fn a_server_that_is_stopped_and_started_again() {
    let address = postgres::fresh_database();
    let mut night = Night::falls(Some(&address)).await;
    night.start().await;
    outage::stop(&address);
    night.without_its_store().await;
    outage::start_again(&address);
    night.with_it_again().await;
}

#[tokio::test]
async fn a_page_that_waits_in_a_server_that_vanishes_is_sent_from_memory() {
    let address = postgres::fresh_database();
    let mut night = Night::falls(Some(&address)).await;
    night.start().await;
    night.receiver.behave(Behaviour::Fail(503, None));
    night.shop.fail("pay", true);
    let tried = async || night.receiver.requests().first().map(Told::read);
    let tried = wait_until(LIMIT, "an attempt", tried).await;
    outage::stop(&address);
    night.receiver.behave(Behaviour::Accept);
    let taken = async || night.receiver.accepted().first().map(Told::read);
    let taken = wait_until(LIMIT, "the page from memory", taken).await;
    assert_eq!(taken.key, tried.key);
    night.degraded(true).await;
    outage::start_again(&address);
    night.degraded(false).await;
    night.ends("pay").await;
    let end = async || (events(&night.receiver) == ["firing", "resolved"]).then_some(());
    wait_until(LIMIT, "its end", end).await;
    all_told(&night.damper).await;
    night.damper.stop().await;
    told::check(&night.store, &night.receiver, &night.shop.phases()).await;
}

/// A disk of its own, as an unprivileged user can make one.
#[tokio::test]
async fn a_full_disk_costs_no_page_and_one_without_any_reserve_left_none_either() {
    let mut night = Night::falls(Some("sqlite:disk/damper.db")).await;
    std::fs::create_dir(night.damper.path("disk")).unwrap();
    night.damper.begin_with("mount -t tmpfs -o size=64m none disk", true);
    night.start().await;
    let disk = format!("/proc/{}/root{}", night.damper.process().id(), night.damper.path("disk").display());
    let fill = |name: &str| {
        let to = format!("of={disk}/{name}");
        // It ends with "no space left".
        Command::new("dd").args(["if=/dev/zero", &to, "bs=4k", "status=none"]).output().expect("dd");
    };
    fill("first");
    // The journal is shed first, and the reserve gives decisions their space.
    let part = |name: &'static str| {
        move |json: &Value| {
            let parts = json["components"].as_array()?.iter();
            parts.clone().find(|part| part["name"] == name).map(|part| part["detail"].to_string())
        }
    };
    let words = night.damper.wait_for(LIMIT, "/healthz", "the journal to be shed", part("journal")).await;
    assert!(words.contains("full or nearly so"), "{words}");
    night.pages("pay").await;
    assert_eq!(night.damper.metric("damper_degraded").await, Some(0.0), "committed as ever");
    // Then that is gone too.
    fill("second");
    night.degraded(true).await;
    night.pages("cart").await;
    night.ends("pay").await;
    assert_eq!(events(&night.receiver), ["firing", "firing"]);
    for name in ["first", "second"] {
        std::fs::remove_file(format!("{disk}/{name}")).unwrap();
    }
    night.degraded(false).await;
    let reserve = format!("{disk}/damper.db.reserve");
    let kept = async || std::fs::metadata(&reserve).ok().filter(|file| file.len() == 16 << 20);
    wait_until(LIMIT, "the reserve to be kept again", kept).await;
    night.ends("cart").await;
    let both =
        async || (events(&night.receiver) == ["firing", "firing", "resolved", "resolved"]).then_some(());
    wait_until(LIMIT, "both ends", both).await;
    all_told(&night.damper).await;
    night.damper.stop().await;
    assert_eq!(events(&night.receiver).len(), 4);
}

/// It keeps what it is told, and needs to be told on; what fires, ends and fires again is one alert.
#[tokio::test]
async fn an_alertmanager_is_told_what_begins_and_no_end_before_the_store_is_back() {
    let shop = Shop::open(&["pay"]).await;
    let alertmanager = Alertmanager::start(Version::New, None).await;
    let mut damper = on(&shop, "pay", &alertmanager::receiver(&[&alertmanager]));
    damper.start().await;
    let (file, away) = (damper.path("damper.db"), damper.path("away.db"));
    // What ended just before is repeated by the store for a quarter of an hour.
    shop.fail("pay", true);
    active(&alertmanager, "the alert before").await;
    shop.fail("pay", false);
    gone(&alertmanager).await;
    std::fs::rename(&file, &away).unwrap();
    degraded(&damper).await;
    shop.fail("pay", true);
    let first = active(&alertmanager, "the alert from memory").await;
    shop.fail("pay", false);
    none_fires(&damper, LIMIT).await;
    // It is told on, by now more than once, and its end is ahead.
    let told_on = async || {
        let alert = alertmanager.alerts().await.into_iter().next()?;
        (alertmanager::time(&alert, "updatedAt") > alertmanager::time(&first, "updatedAt") + 12_000)
            .then_some(alert)
    };
    let later = wait_until(LIMIT, "the alert told on", told_on).await;
    assert_eq!(first["startsAt"], later["startsAt"]);
    std::fs::rename(&away, &file).unwrap();
    gone(&alertmanager).await;
    damper.stop().await;
}
