//! `webhook:` in the settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::Url;
use serde::Deserialize;

use crate::notify::http::{self, BasicAuthSettings, HttpConfig, HttpSettings, TlsSettings};
use crate::notify::problem::Problems;
use crate::secret::Secret;

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
        let url = http::url(&self.url, &format!("{at}.url"), problems);
        let hmac = http::secret(
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
