//! Webhook: Alertmanager's version "4" JSON by POST, with Damper's evidence, an idempotency key
//! and, if asked, a signature.
//!
//! # Verifying the signature
//!
//! With `hmacSecret` set, each request carries `Damper-Signature: t=<unix seconds>,v1=<hex>`.
//! The receiver computes the HMAC-SHA256, with the secret as key, over the bytes
//! `<t> "." <raw body>`, compares its hex with `v1` in constant time, and refuses a `t` more than a
//! few minutes from its own clock, which bounds replays. Retries are signed anew with a new `t`;
//! what they repeat is known by `Idempotency-Key`, which is the same for every attempt.
//!
//! ```python
//! fields = dict(part.split("=", 1) for part in headers["Damper-Signature"].split(","))
//! expected = hmac.new(secret, fields["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
//! assert hmac.compare_digest(expected, fields["v1"]) and abs(time.time() - int(fields["t"])) < 300
//! ```

mod evidence;
mod payload;
mod settings;
mod sign;

use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};

use super::http::{Client, judge, origin, read};
use super::outcome::{Outcome, Reason};
use super::problem::Problem;
use super::receiver::Receiver;
use crate::engine::notice::Notice;
use crate::secret::Secret;
use crate::slo::time::Ts;
pub use settings::{WebhookConfig, WebhookSettings};

/// A webhook, ready to send.
#[derive(Debug)]
pub struct Webhook {
    url: Url,
    hmac: Option<Secret>,
    client: Client,
    external_url: String,
}

impl Webhook {
    /// Builds the client; `at` is where the settings stand, `external_url` where people reach Damper.
    pub fn new(at: &str, config: &WebhookConfig, external_url: &str) -> Result<Self, Problem> {
        Ok(Self {
            url: config.url.clone(),
            hmac: config.hmac.clone(),
            client: Client::new(at, &config.http)?,
            external_url: external_url.to_owned(),
        })
    }

    async fn attempt(&self, notice: &Notice, now: Ts) -> Result<Outcome, Outcome> {
        let who = origin(&self.url);
        let body = payload::body(notice, &self.external_url).map_err(|error| {
            Outcome::permanent(Reason::Garbage, format!("{who}: cannot write JSON: {error}"))
        })?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("idempotency-key", header_safe(&notice.id));
        if let Some(secret) = &self.hmac {
            let key = read(&who, secret).await?;
            headers.insert("damper-signature", header_safe(&sign::signature(key.as_bytes(), now, &body)));
        }
        let reply = self.client.send(Method::POST, &self.url, headers, body).await?;
        Ok(judge(&who, &reply, now))
    }
}

impl Receiver for Webhook {
    fn deliver<'a>(&'a self, notice: &'a Notice, now: Ts) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.attempt(notice, now).await.unwrap_or_else(|outcome| outcome) })
    }
}

/// A text as a header value; bytes a header cannot hold are percent-encoded, so that no name of a
/// service, group or receiver can lose a page.
fn header_safe(text: &str) -> HeaderValue {
    let safe: String = text
        .bytes()
        .map(|b| match b {
            b'%' => "%25".into(),
            b' '..=b'~' => char::from(b).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    HeaderValue::try_from(safe).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests;
