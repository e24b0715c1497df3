//! From a decision to the people it is for: what is owed arrives, whatever dies, hangs or lies in between.

mod alertmanager;
mod compare;
mod crash;
mod cut_off;
mod email;
mod fallback;
mod night;
mod restored;
mod store;
mod store_dead;
pub mod told;
mod truth;

use std::time::Duration;

use serde_json::Value;

use self::told::Told;
use crate::support::damper::Damper;
use crate::support::receiver::Receiver;
use crate::support::shop::Shop;
use crate::support::wait_until;

/// Long enough for a page or a resolve on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Damper on a shop, with its SLO of one service and further settings.
fn on(shop: &Shop, service: &str, settings: &str) -> Damper {
    let damper = Damper::new(&format!("{}{settings}", shop.settings()));
    damper.definition("slo.yaml", &Shop::slo(service));
    damper
}

/// Waits until a webhook receiver has taken this event.
async fn taken(receiver: &Receiver, event: &str) -> Told {
    let is = |request: &_| Told::read(request).event == event;
    Told::read(&receiver.wait_for(LIMIT, &format!("a message {event}"), is).await)
}

/// The events a receiver has taken, in order.
fn events(receiver: &Receiver) -> Vec<String> {
    receiver.accepted().iter().map(|request| Told::read(request).event).collect()
}

/// Waits for a delivery that satisfies `is`.
async fn delivery(damper: &Damper, query: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let found = |json: &Value| json["items"].as_array()?.iter().find(|item| is(item)).cloned();
    damper.wait_for(LIMIT, &format!("/api/v1/deliveries?{query}"), what, found).await
}

/// Waits until it goes on without its store.
async fn degraded(damper: &Damper) {
    let is_on = async || (damper.metric("damper_degraded").await? > 0.0).then_some(());
    wait_until(LIMIT, "degraded", is_on).await;
}
