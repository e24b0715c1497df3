//! Alertmanager: level-triggered. It is told the present state of every alert, again each `resend`,
//! at every instance of its cluster; it de-duplicates by labels.
//!
//! Who calls must also repeat a resolved alert for at least five minutes (Prometheus does for
//! fifteen): an instance that was down at the resolve would otherwise keep it until its end.

mod alert;
mod report;
mod settings;

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};

use super::answer::judge;
use super::outcome::{Outcome, Reason};
use crate::http::{Client, Problem, Reply, origin};
use crate::slo::time::{Span, Ts};
pub use alert::{AmAlert, subject};
pub use report::{AddressReport, PostReport, Refused};
pub use settings::{AlertmanagerConfig, AlertmanagerSettings};

/// How long it is waited for what time it is: what fires is told without it, too.
const SOON: Duration = Duration::from_secs(2);
/// Alerts in one request.
const BATCH: usize = 256;

/// All instances of one Alertmanager cluster, ready to be told.
#[derive(Debug)]
pub struct Alertmanager {
    config: AlertmanagerConfig,
    client: Client,
}

impl Alertmanager {
    /// Builds the client; `at` is where the settings stand.
    pub fn new(at: &str, config: &AlertmanagerConfig) -> Result<Self, Problem> {
        Ok(Self { client: Client::new(at, &config.http)?, config: config.clone() })
    }

    /// How often the state is to be told again.
    pub const fn resend(&self) -> Span {
        self.config.resend
    }

    /// Tells the state of `alerts` to every instance at once; ends within the timeout.
    pub async fn post_alerts(&self, alerts: &[AmAlert], now: Ts) -> PostReport {
        let posts = self.config.endpoints.iter().map(|url| self.post_to(url, alerts, now));
        PostReport { addresses: join_all(posts).await }
    }

    /// What time it is by the instances' clocks, the latest of them; `None` where none says it soon.
    pub async fn time(&self) -> Option<Ts> {
        let asked = self.config.endpoints.iter().map(async |url| {
            let status = url.join("status").ok()?;
            let ask = self.client.send(Method::GET, &status, HeaderMap::new(), Vec::new());
            tokio::time::timeout(SOON, ask).await.ok()?.ok()?.date
        });
        join_all(asked).await.into_iter().flatten().max()
    }

    async fn post_to(&self, url: &Url, alerts: &[AmAlert], now: Ts) -> AddressReport {
        let address = origin(url);
        let (mut refused, mut date) = (Vec::new(), None);
        let told = self.tell(url, alerts, now, &mut refused, &mut date);
        let told = tokio::time::timeout(self.config.http.timeout, told);
        let outcome = match told.await {
            Ok(Ok(())) => report::with_refusals(&address, alerts.len(), &refused),
            Ok(Err(outcome)) => outcome,
            Err(_) => Outcome::retry(Reason::Timeout, format!("{address} did not take all alerts in time")),
        };
        AddressReport { address, outcome, date, refused }
    }

    /// Batch by batch. A batch that is answered 400 was stored without its invalid alerts, one
    /// answered 413 not at all; either is sent again in halves, down to the alert that is at fault.
    /// Sending a valid alert twice does no harm.
    async fn tell(
        &self,
        url: &Url,
        alerts: &[AmAlert],
        now: Ts,
        refused: &mut Vec<Refused>,
        date: &mut Option<Ts>,
    ) -> Result<(), Outcome> {
        // Taken from the end: the first alerts are the most urgent.
        let mut pending: Vec<&[AmAlert]> = alerts.chunks(BATCH).rev().collect();
        while let Some(batch) = pending.pop() {
            let reply = self.send(url, batch, now).await?;
            *date = reply.date.or(*date);
            let at_fault = matches!(reply.status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE);
            match batch {
                [alert] if at_fault => refused.push(Refused::new(alert, &reply.body)),
                _ if at_fault => {
                    let (left, right) = batch.split_at(batch.len() / 2);
                    pending.extend([right, left]);
                }
                _ => match judge(&origin(url), &reply, now) {
                    Outcome::Delivered { .. } => {}
                    failed => return Err(failed),
                },
            }
        }
        Ok(())
    }

    async fn send(&self, url: &Url, batch: &[AmAlert], now: Ts) -> Result<Reply, Outcome> {
        let json: Vec<_> = batch.iter().map(|alert| alert.json(self.config.resend, now)).collect();
        let body = serde_json::to_vec(&json).map_err(|error| {
            Outcome::permanent(Reason::Garbage, format!("{}: cannot write JSON: {error}", origin(url)))
        })?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self.client.send(Method::POST, url, headers, body).await?)
    }
}

#[cfg(test)]
mod tests;
