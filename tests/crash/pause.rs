//! A process that stands still, as when its machine is suspended: what it missed it catches up with, and
//! what it finds changed it did not see begin or end.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::{LIMIT, ledger};
use crate::delivery::told::{self, Told};
use crate::support::alertmanager::{Alertmanager, Version};
use crate::support::damper::Damper;
use crate::support::long::either;
use crate::support::receiver::Receiver;
use crate::support::shop::Shop;
use crate::support::wait::pass;
use crate::support::{now_ms, postgres, wait_until};

const SERVICES: [&str; 3] = ["cart", "pay", "ship"];

#[tokio::test]
async fn a_pause_fires_and_resolves_nothing_and_is_caught_up_with() {
    // Longer than a lease lasts.
    let pause = Duration::from_secs(either(25, 600));
    let shop = Shop::open(&SERVICES).await;
    let (receiver, shared) = (Receiver::start(), Receiver::start());
    let people = Receiver::start();
    let alertmanager = Alertmanager::start(Version::New, Some(&people.url())).await;
    let address = postgres::fresh_database();
    let mut alone = damper(&shop, &webhook(&receiver));
    let mut level = damper(
        &shop,
        &format!("{{name: oncall, alertmanager: {{urls: ['{}'], resend: 5s}}}}", alertmanager.url()),
    );
    let mut leader = on(&shop, &webhook(&shared), &address);
    let mut standby = on(&shop, &webhook(&shared), &address);
    let mut whole = ledger::whole(&shop, &SERVICES);
    for one in [&mut whole, &mut alone, &mut level, &mut leader] {
        one.start().await;
    }
    standby.spawn();
    let began = now_ms() / 1000;
    shop.fail("pay", true);
    for receiver in [&receiver, &shared, &people] {
        fires(receiver, "pay").await;
    }

    for one in [&mut alone, &mut level, &mut leader] {
        one.process().signal(Signal::STOP);
    }
    shop.fail("cart", true);
    pass(pause).await;
    for one in [&mut alone, &mut level, &mut leader] {
        one.process().signal(Signal::CONT);
    }
    let ended = wait_until(LIMIT, "the leader that was replaced to end", async || leader.ended()).await;
    assert!(!ended.success(), "it says so");
    leader.kill();
    for receiver in [&receiver, &shared, &people] {
        fires(receiver, "cart").await;
        assert!(!receiver.accepted().iter().any(|one| status(&one.json()) == "resolved"), "nothing is over");
    }
    assert_eq!(alertmanager.alerts().await.len(), 2);
    ["pay", "cart"].iter().for_each(|service| shop.fail(service, false));
    let well = now_ms() / 1000;
    for (one, store) in [(&mut alone, None), (&mut level, None), (&mut standby, Some(&*address))] {
        one.settle(&shop, LIMIT).await;
        ledger::same(one, &whole, &SERVICES, (began, well)).await;
        one.stop().await;
        let file = format!("sqlite:{}", one.path("damper.db").display());
        assert_eq!(told::decided(store.unwrap_or(&file)).await.len(), 4);
    }
    let none = async || alertmanager.alerts().await.is_empty().then_some(());
    wait_until(LIMIT, "no alert in the Alertmanager", none).await;
    let store = format!("sqlite:{}", alone.path("damper.db").display());
    told::check(&store, &receiver, &shop.phases()).await;
    for receiver in [&receiver, &shared] {
        // One that was paused between a message and its mark has it told again under the same key.
        let accepted = receiver.accepted();
        let told = accepted.iter().map(Told::read).map(|told| (told.key, told.event));
        let told: BTreeSet<(String, String)> = told.collect();
        let ends = told.iter().filter(|(_, event)| event == "resolved").count();
        assert_eq!((told.len(), ends), (4, 2), "{told:?}");
    }
}

fn webhook(receiver: &Receiver) -> String {
    format!("{{name: oncall, webhook: {{url: '{}', timeout: 1s}}}}", receiver.url())
}

fn damper(shop: &Shop, receiver: &str) -> Damper {
    with(Damper::new(&format!("{}receivers: [{receiver}]\n", shop.settings())))
}

fn on(shop: &Shop, receiver: &str, store: &str) -> Damper {
    with(Damper::new(&format!("{}receivers: [{receiver}]\nstore: '{store}'\n", shop.settings())))
}

fn with(damper: Damper) -> Damper {
    for service in SERVICES {
        damper.definition(&format!("{service}.yaml"), &Shop::slo(service));
    }
    damper
}

fn status(body: &Value) -> &str {
    body["status"].as_str().unwrap()
}

async fn fires(receiver: &Receiver, service: &str) {
    let is = |body: &Value| {
        status(body) == "firing"
            && body["alerts"].as_array().unwrap().iter().any(|a| a["labels"]["service"] == service)
    };
    receiver.wait_for(LIMIT, &format!("{service} to fire"), |request| is(&request.json())).await;
}
