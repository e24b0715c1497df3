//! Webhook: Alertmanager's version "4" JSON by POST, with Damper's evidence, an idempotency key
//! and, if asked, a signature, which `http/webhook.rs` says how to verify.

mod evidence;
mod payload;

use futures_util::future::BoxFuture;

use super::answer::judge;
use super::outcome::{Outcome, Reason};
use super::receiver::Receiver;
use crate::engine::notice::Notice;
use crate::http::{self, Problem, origin};
pub use crate::http::{WebhookConfig, WebhookSettings};
use crate::slo::time::Ts;

/// A webhook, ready to send.
#[derive(Debug)]
pub struct Webhook {
    to: http::Webhook,
    external_url: String,
}

impl Webhook {
    /// Builds the client; `at` is where the settings stand, `external_url` where people reach Damper.
    pub fn new(at: &str, config: &WebhookConfig, external_url: &str) -> Result<Self, Problem> {
        Ok(Self { to: http::Webhook::new(at, config)?, external_url: external_url.to_owned() })
    }

    async fn attempt(&self, notice: &Notice, now: Ts) -> Result<Outcome, Outcome> {
        let who = origin(self.to.url());
        let body = payload::body(notice, &self.external_url).map_err(|error| {
            Outcome::permanent(Reason::Garbage, format!("{who}: cannot write JSON: {error}"))
        })?;
        let reply = self.to.post(self.to.url(), &notice.id, body, now).await?;
        Ok(judge(&who, &reply, now))
    }
}

impl Receiver for Webhook {
    fn deliver<'a>(&'a self, notice: &'a Notice, now: Ts) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.attempt(notice, now).await.unwrap_or_else(|outcome| outcome) })
    }
}

#[cfg(test)]
mod tests;
