//! An address that takes signed JSON: its settings, and how it is spoken to.
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

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;

use super::client::{Client, Reply, origin, read};
use super::failure::Failure;
use super::problem::{Problem, Problems};
use super::settings::{self, BasicAuthSettings, HttpConfig, HttpSettings, TlsSettings};
use super::sign::signature;
use crate::secret::Secret;
use crate::slo::time::Ts;

/// As written.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WebhookSettings {
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    hmac_secret: Option<Secret>,
    hmac_secret_file: Option<PathBuf>,
    bearer_token: Option<Secret>,
    bearer_token_file: Option<PathBuf>,
    basic_auth: Option<BasicAuthSettings>,
    timeout: Option<String>,
    #[serde(default)]
    tls: TlsSettings,
}

/// Checked.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// Where to POST.
    pub url: Url,
    /// The key of the signature; `None` sends none.
    pub hmac: Option<Secret>,
    /// Login, headers, TLS, timeout.
    pub http: HttpConfig,
}

impl WebhookSettings {
    /// Checks every key; `None` when one is wrong, with the problems noted under `at`.
    pub fn check(self, at: &str, problems: &mut Problems) -> Option<WebhookConfig> {
        let url = settings::url(&self.url, &format!("{at}.url"), problems);
        let hmac = settings::secret(
            (self.hmac_secret, "hmacSecret"),
            (self.hmac_secret_file, "hmacSecretFile"),
            at,
            problems,
        );
        let http = HttpSettings {
            headers: self.headers,
            bearer_token: self.bearer_token,
            bearer_token_file: self.bearer_token_file,
            basic_auth: self.basic_auth,
            tls: self.tls,
            timeout: self.timeout,
        };
        let http = http.check(at, problems);
        Some(WebhookConfig { url: url?, hmac: hmac?, http: http? })
    }
}

/// Ready to send.
#[derive(Debug)]
pub struct Webhook {
    url: Url,
    hmac: Option<Secret>,
    client: Client,
}

impl Webhook {
    /// Builds the client; `at` is where the settings stand.
    pub fn new(at: &str, config: &WebhookConfig) -> Result<Self, Problem> {
        let client = Client::new(at, &config.http)?;
        Ok(Self { url: config.url.clone(), hmac: config.hmac.clone(), client })
    }

    /// The address of the settings.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Sends JSON to `url`, which lies at or below the settings' address; `id` is the same each time
    /// that the same is sent.
    pub async fn post(&self, url: &Url, id: &str, body: Vec<u8>, now: Ts) -> Result<Reply, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("idempotency-key", header_safe(id));
        self.sign(&mut headers, &body, now).await?;
        self.client.send(Method::POST, url, headers, body).await
    }

    /// Asks `url`, which lies at or below the settings' address; signed as an empty body.
    pub async fn get(&self, url: &Url, now: Ts) -> Result<Reply, Failure> {
        let mut headers = HeaderMap::new();
        self.sign(&mut headers, &[], now).await?;
        self.client.send(Method::GET, url, headers, Vec::new()).await
    }

    async fn sign(&self, headers: &mut HeaderMap, body: &[u8], now: Ts) -> Result<(), Failure> {
        if let Some(secret) = &self.hmac {
            let key = read(&origin(&self.url), secret).await?;
            headers.insert("damper-signature", header_safe(&signature(key.as_bytes(), now, body)));
        }
        Ok(())
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
