//! The store dies, each time in another way: pages still arrive in the usual time and under their keys,
//! ends wait for the store and are told once.

use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use super::alertmanager::{self, active, gone};
use super::night::{Night, in_the_usual_time, store_is};
use super::told::{self, Told};
use super::{LIMIT, degraded, events, on};
use crate::support::alertmanager::{Alertmanager, Version};
use crate::support::receiver::{Behaviour, Receiver};
use crate::support::shop::Shop;
use crate::support::wait_until;
use crate::support::{outage, postgres};

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
    let tried = in_the_usual_time("an attempt", tried).await;
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
    night.damper.all_told(LIMIT).await;
    night.damper.stop().await;
    night.store_holds_it().await;
}

/// A disk of its own, as an unprivileged user can make one.
#[tokio::test]
async fn a_full_disk_costs_no_page_and_one_without_any_reserve_left_none_either() {
    let mut night = Night::falls(Some("sqlite:disk/damper.db")).await;
    // What is told of it does not fit behind what the spill file holds, in the block that it has.
    let name = "{name: availability}";
    let long = format!("{{name: availability, annotations: {{note: {}}}}}", "x".repeat(8192));
    assert!(Shop::slo("cart").contains(name));
    night.damper.definition("cart.yaml", &Shop::slo("cart").replace(name, &long));
    std::fs::create_dir(night.damper.path("disk")).unwrap();
    night.damper.begin_with("mount -t tmpfs -o size=64m none disk", true);
    night.start().await;
    let id = night.damper.process().id();
    let disk = format!("/proc/{id}/root{}", night.damper.path("disk").display());
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
    let words = store_is(&night.damper, "degraded").await;
    assert!(words.contains("What is told is forgotten by a restart: "), "{words}");
    assert_eq!(events(&night.receiver), ["firing", "firing"]);
    night.silent();
    for name in ["first", "second"] {
        std::fs::remove_file(format!("{disk}/{name}")).unwrap();
    }
    night.degraded(false).await;
    let reserve = format!("{disk}/damper.db.reserve");
    let kept = async || std::fs::metadata(&reserve).ok().filter(|file| file.len() == 16 << 20);
    wait_until(LIMIT, "the reserve to be kept again", kept).await;
    night.recovers().await;
    // Its disk goes with the process.
    night.damper.process().signal(Signal::STOP);
    let stands_still = async || {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        status.contains("State:\tT").then_some(())
    };
    wait_until(LIMIT, "it to stand still", stands_still).await;
    for file in ["damper.db", "damper.db-wal"] {
        std::fs::copy(format!("{disk}/{file}"), night.damper.path(file)).unwrap();
    }
    night.damper.process().signal(Signal::CONT);
    night.damper.stop().await;
    night.store = format!("sqlite:{}", night.damper.path("damper.db").display());
    night.store_holds_it().await;
}

/// It keeps what it is told, and needs to be told on; what fires, ends and fires again is one alert.
#[tokio::test]
async fn an_alertmanager_is_told_what_begins_and_no_end_before_the_store_is_back() {
    let shop = Shop::open(&["pay"]).await;
    let alertmanager = Alertmanager::start(Version::New, None).await;
    let heart = Receiver::start();
    let settings = format!("{}{}", alertmanager::receiver(&[&alertmanager]), heart.heartbeat());
    let mut damper = on(&shop, "pay", &settings);
    damper.start().await;
    heart.beats_on(LIMIT).await;
    let (file, away) = (damper.path("damper.db"), damper.path("away.db"));
    // What ended just before is repeated by the store for a quarter of an hour.
    shop.fail("pay", true);
    active(&alertmanager, "the alert before").await;
    shop.fail("pay", false);
    gone(&alertmanager).await;
    std::fs::rename(&file, &away).unwrap();
    degraded(&damper).await;
    let beats = heart.requests().len();
    shop.fail("pay", true);
    let first = async || alertmanager.alerts().await.into_iter().next();
    let first = in_the_usual_time("the alert from memory", first).await;
    shop.fail("pay", false);
    damper.none_fires(LIMIT).await;
    // It is told on, by now more than once, and its end is ahead.
    let told_on = async || {
        let alert = alertmanager.alerts().await.into_iter().next()?;
        (alertmanager::time(&alert, "updatedAt") > alertmanager::time(&first, "updatedAt") + 12_000)
            .then_some(alert)
    };
    let later = wait_until(LIMIT, "the alert told on", told_on).await;
    assert_eq!(first["startsAt"], later["startsAt"]);
    assert_eq!(heart.requests().len(), beats, "a heart that beats while no page could be committed");
    std::fs::rename(&away, &file).unwrap();
    gone(&alertmanager).await;
    heart.beats_on(LIMIT).await;
    damper.stop().await;
    told::begun_and_ended(&format!("sqlite:{}", file.display()), 2).await;
}
