//! The nights on which the process, its clock or its machine stops: what was owed is told, once and
//! under the same key, nothing else is, and the ledger is what it would have been.

mod clock;
mod handover;
mod lane;
mod ledger;
mod matrix;
mod pause;
mod points;

use std::time::Duration;

use serde_json::Value;

use crate::support::damper::Damper;
use crate::support::shop::Shop;
use crate::support::wait_until;

/// For what a busy machine takes its time for.
const LIMIT: Duration = Duration::from_secs(120);

/// Waits until every service is well again, every alert is over and nothing waits to be told.
async fn settle(damper: &Damper, shop: &Shop) {
    let over = async || shop.phases().iter().all(|phase| phase.to.is_some()).then_some(());
    wait_until(LIMIT, "every service to be well", over).await;
    let last = shop.phases().iter().filter_map(|phase| phase.to).max().unwrap();
    let judged = |json: &Value| (json["ticks"]["at"].as_i64()? * 1000 > last + 15_000).then_some(());
    damper.wait_for(LIMIT, "/api/v1/status", "the present to be judged", judged).await;
    let none = |json: &Value| json["items"].as_array()?.is_empty().then_some(());
    damper.wait_for(LIMIT, "/api/v1/alerts", "no alert", none).await;
    damper.wait_for(LIMIT, "/api/v1/deliveries?status=pending", "nothing pending", none).await;
}
