//! Killed at transactions that other nights do not come to: what was owed to a receiver that is gone,
//! and what people ask for through the API.

use std::collections::BTreeSet;

use super::LIMIT;
use crate::delivery::told::Told;
use crate::support::alertmanager::{Alertmanager, Version};
use crate::support::damper::Damper;
use crate::support::receiver::{Behaviour, Receiver, Request};
use crate::support::shop::Shop;
use crate::support::{now_ms, wait_until};

/// One for each of the places.
const SERVICES: [&str; 3] = ["cart", "pay", "ship"];
const PLACES: [&str; 3] = ["begin", "inside", "committed"];
const GIVE_UP: &str = "giving a delivery up";
const REMOVE: &str = "removing a level";
const QUEUE: &str = "queueing a delivery again";
const COMMAND: &str = "adding a command";
/// The transactions that these tests kill at.
pub const KILLED: [&str; 4] = [GIVE_UP, REMOVE, QUEUE, COMMAND];

#[tokio::test]
async fn killed_while_another_receiver_takes_over_it_tells_everything_once() {
    let shop = Shop::open(&SERVICES).await;
    let mut gone = Receiver::start();
    gone.behave(Behaviour::Fail(500, None));
    let alertmanager = Alertmanager::start(Version::New, None).await;
    let kinds = [
        format!("webhook: {{url: '{}', timeout: 1s}}", gone.url()),
        format!("alertmanager: {{urls: ['{}'], resend: 5s}}", alertmanager.url()),
    ];
    let mut all = kinds.map(|kind| (damper(&shop, "gone", &kind), Receiver::start()));
    for (damper, _) in &mut all {
        damper.start().await;
    }
    SERVICES.iter().for_each(|service| shop.fail(service, true));
    let tried = async || {
        let tried: BTreeSet<String> = gone.requests().iter().map(service).collect();
        (tried.len() == SERVICES.len() && alertmanager.alerts().await.len() == SERVICES.len()).then_some(())
    };
    wait_until(LIMIT, "every service to fire", tried).await;

    for ((damper, heir), doing) in all.iter_mut().zip([GIVE_UP, REMOVE]) {
        damper.kill();
        let heirs = settings(&shop, "heir", &format!("webhook: {{url: '{}', timeout: 1s}}", heir.url()));
        // A tick would tell the heir itself, and nothing would be left to take over.
        damper.settings(&heirs.replace(&shop.prometheus.url(), "http://127.0.0.1:9"));
        for place in PLACES {
            let point = format!("{place}/{doing}");
            damper.arm(&point, 1);
            damper.spawn();
            damper.died(LIMIT, &point).await;
        }
        damper.settings(&heirs);
        damper.start().await;
    }
    SERVICES.iter().for_each(|service| shop.fail(service, false));
    for (damper, heir) in &mut all {
        damper.settle(&shop, LIMIT).await;
        damper.stop().await;
        let told: BTreeSet<[String; 2]> =
            heir.accepted().iter().map(|one| [service(one), event(one)]).collect();
        let both =
            |service: &&str| ["firing", "resolved"].map(|event| [(*service).to_owned(), event.to_owned()]);
        assert_eq!(told, SERVICES.iter().flat_map(both).collect());
        let keys: BTreeSet<String> = heir.accepted().iter().map(|one| Told::read(one).key).collect();
        assert_eq!(keys.len(), told.len(), "each under one key");
    }
}

#[tokio::test]
async fn killed_while_somebody_asks_for_something_it_does_all_of_it_or_nothing() {
    let shop = Shop::open(&SERVICES).await;
    let receiver = Receiver::start();
    let mut damper = damper(&shop, "oncall", &format!("webhook: {{url: '{}', timeout: 1s}}", receiver.url()));
    damper.start().await;
    let began = now_ms() / 1000;
    shop.fail("pay", true);
    let firing = receiver.wait_for(LIMIT, "pay to fire", |one| event(one) == "firing").await;
    shop.fail("pay", false);
    damper.settle(&shop, LIMIT).await;

    let key = Told::read(&firing).key;
    let often = || receiver.accepted().iter().filter(|one| Told::read(one).key == key).count();
    let before = often();
    let resend = format!("/api/v1/deliveries/{key}/resend");
    dies_of(&mut damper, QUEUE, &resend, String::new(), async |place, damper| {
        damper.settle(&shop, LIMIT).await;
        assert_eq!(often(), before + usize::from(place == "committed"), "{place}");
    })
    .await;

    let to = began + 10;
    let exclude = format!("{{\"from\": {began}, \"to\": {to}, \"reason\": \"killed\", \"by\": \"ann\"}}");
    let path = "/api/v1/slos/pay/availability";
    dies_of(&mut damper, COMMAND, &format!("{path}/exclusions"), exclude, async |place, damper| {
        let count = usize::from(place == "committed");
        let taken_out =
            |view: &serde_json::Value| (view["exclusions"].as_array()?.len() == count).then_some(());
        damper.wait_for(LIMIT, &format!("{path}/ledger"), "what is taken out", taken_out).await;
    })
    .await;
}

/// It dies at each place of doing what is asked of it, is started again, and judged.
async fn dies_of(
    damper: &mut Damper,
    doing: &str,
    path: &str,
    body: String,
    judge: impl AsyncFn(&str, &Damper),
) {
    for place in PLACES {
        let point = format!("{place}/{doing}");
        damper.arm(&point, 1);
        let asked = reqwest::Client::new().post(damper.url(path)).body(body.clone()).send().await;
        assert!(asked.is_err(), "{point}: {asked:?}");
        damper.died(LIMIT, &point).await;
        damper.start().await;
        judge(place, damper).await;
    }
}

fn settings(shop: &Shop, receiver: &str, kind: &str) -> String {
    format!("{}receivers: [{{name: {receiver}, {kind}}}]\nroute: {{receiver: {receiver}}}\n", shop.settings())
}

fn damper(shop: &Shop, receiver: &str, kind: &str) -> Damper {
    let mut damper = Damper::new(&settings(shop, receiver, kind));
    for service in SERVICES {
        damper.definition(&format!("{service}.yaml"), &Shop::slo(service));
    }
    damper.mortal();
    damper
}

fn service(request: &Request) -> String {
    Told::read(request).labels["service"].as_str().unwrap().to_owned()
}

fn event(request: &Request) -> String {
    Told::read(request).event
}
