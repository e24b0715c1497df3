//! `kill -9` at any moment loses no page and no resolve, and invents none.

use std::time::Duration;

use super::told;
use crate::support::damper::Damper;
use crate::support::random::Random;
use crate::support::receiver::{Behaviour, Receiver};
use crate::support::shop::Shop;
use crate::support::wait::pass;
use crate::support::wait_until;

const SERVICES: [&str; 6] = ["cart", "checkout", "login", "pay", "search", "ship"];
/// The last attempts before the receiver came back may have put the next ones off for two minutes.
const SETTLED: Duration = Duration::from_secs(240);

#[tokio::test]
async fn fifty_kills_while_alerts_fire_and_resolve_lose_nothing_and_invent_nothing() {
    let seed = Random::seed();
    let mut random = Random::of(seed);
    let shop = Shop::open(&SERVICES).await;
    let mut receiver = Receiver::start();
    let mut damper = damper(&shop, &receiver, "");
    damper.start().await;
    shop.flap(seed);
    for _ in 0..50 {
        pass(Duration::from_millis(random.between(300, 4000).unsigned_abs())).await;
        damper.kill();
        receiver.behave(behaviour(&mut random));
        damper.spawn();
    }
    receiver.behave(Behaviour::Accept);
    shop.calm();
    settle(&damper, &shop).await;
    damper.stop().await;
    told::check(&damper, &receiver, &shop.phases()).await;
}

fn damper(shop: &Shop, receiver: &Receiver, more: &str) -> Damper {
    let webhook = format!("{{url: '{}', timeout: 1s}}", receiver.url());
    let damper = Damper::new(&format!(
        "{}receivers: [{{name: oncall, webhook: {webhook}}}]\nlog: {{level: 'info,damper=debug'}}\n{more}",
        shop.settings()
    ));
    for service in SERVICES {
        damper.definition(&format!("{service}.yaml"), &Shop::slo(service));
    }
    damper
}

/// A receiver is well half of the time.
fn behaviour(random: &mut Random) -> Behaviour {
    let all = [
        Behaviour::Accept,
        Behaviour::Accept,
        Behaviour::Accept,
        Behaviour::Refuse,
        Behaviour::Hang,
        Behaviour::Fail(500, None),
    ];
    random.pick(&all).clone()
}

/// Waits until every service is well again, every alert is over and nothing waits to be told.
async fn settle(damper: &Damper, shop: &Shop) {
    let over = async || shop.phases().iter().all(|phase| phase.to.is_some()).then_some(());
    wait_until(SETTLED, "every service to be well", over).await;
    let last = shop.phases().iter().filter_map(|phase| phase.to).max().unwrap();
    let judged = |json: &serde_json::Value| (json["ticks"]["at"].as_i64()? * 1000 > last + 15_000).then_some(());
    damper.wait_for(SETTLED, "/api/v1/status", "the present to be judged", judged).await;
    let none = |json: &serde_json::Value| json["items"].as_array()?.is_empty().then_some(());
    damper.wait_for(SETTLED, "/api/v1/alerts", "no alert", none).await;
    damper.wait_for(SETTLED, "/api/v1/deliveries?status=pending", "nothing pending", none).await;
}
