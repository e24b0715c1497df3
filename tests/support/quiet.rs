//! Waiting for a Damper to go on, and to have nothing left to say.

use std::time::Duration;

use serde_json::Value;

use super::damper::Damper;
use super::shop::{Phase, Shop};
use super::wait_until;

const STATUS: &str = "/api/v1/status";

impl Damper {
    /// Waits until the process that lives now has completed so many ticks.
    pub async fn ticked(&self, limit: Duration, ticks: i64) {
        let are_done = |status: &Value| (completed(status)? >= ticks).then_some(());
        self.wait_for(limit, STATUS, &format!("tick {ticks}"), are_done).await;
    }

    /// Waits for so many more ticks.
    pub async fn ticks_on(&self, limit: Duration, more: i64) {
        let so_far = self.wait_for(limit, STATUS, "the ticks so far", completed).await;
        self.ticked(limit, so_far + more).await;
    }

    /// Waits until no alert fires, by what Damper itself says.
    pub async fn none_fires(&self, limit: Duration) {
        self.wait_for(limit, "/api/v1/alerts", "no alert", nothing).await;
    }

    /// Waits until nothing waits to be told.
    pub async fn all_told(&self, limit: Duration) {
        self.wait_for(limit, "/api/v1/deliveries?status=pending", "nothing pending", nothing).await;
    }

    /// Waits until every service is well again, every alert is over and nothing waits to be told; so long
    /// for each.
    pub async fn settle(&self, shop: &Shop, limit: Duration) {
        let over = async || shop.phases().iter().all(|phase| phase.to.is_some()).then_some(());
        wait_until(limit, "every service to be well", over).await;
        let last = shop.phases().iter().filter_map(|phase| phase.to).max().unwrap();
        let judged =
            |status: &Value| (status["ticks"]["at"].as_i64()? * 1000 > last + Phase::FIRES_ON).then_some(());
        self.wait_for(limit, STATUS, "the present to be judged", judged).await;
        self.none_fires(limit).await;
        self.all_told(limit).await;
    }
}

fn completed(status: &Value) -> Option<i64> {
    status["ticks"]["completed"].as_i64()
}

fn nothing(page: &Value) -> Option<()> {
    page["items"].as_array()?.is_empty().then_some(())
}
