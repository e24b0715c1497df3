//! What the settings of everybody who is spoken to over HTTP have in common: login, headers, TLS, timeout.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::problem::Problems;
use crate::secret::Secret;
use crate::slo::time::Span;

/// Headers that Damper or the protocol sets itself.
const RESERVED: [&str; 8] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "damper-signature",
    "host",
    "idempotency-key",
    "transfer-encoding",
];

/// Checked: what a client is built from.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// How to log in.
    pub auth: Auth,
    /// Headers of every request; a value may be a secret.
    pub headers: Vec<(HeaderName, Secret)>,
    /// Certificates.
    pub tls: TlsConfig,
    /// From connecting to the end of the answer.
    pub timeout: Duration,
}

/// How to log in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Auth {
    /// Not at all.
    None,
    /// `Authorization: Bearer …`.
    Bearer(Secret),
    /// `Authorization: Basic …`.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
}

/// Certificates, by file.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TlsConfig {
    /// The only authorities trusted, instead of the system's.
    pub ca: Option<PathBuf>,
    /// Client certificate chain and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Accept any certificate.
    pub insecure_skip_verify: bool,
}

/// The common keys as written; each user passes on its own.
#[derive(Clone, Default, Debug)]
pub struct HttpSettings {
    /// `headers`
    pub headers: BTreeMap<String, Secret>,
    /// `bearerToken`
    pub bearer_token: Option<Secret>,
    /// `bearerTokenFile`
    pub bearer_token_file: Option<PathBuf>,
    /// `basicAuth`
    pub basic_auth: Option<BasicAuthSettings>,
    /// `tls`
    pub tls: TlsSettings,
    /// `timeout`
    pub timeout: Option<String>,
}

/// `basicAuth`
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BasicAuthSettings {
    username: String,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
}

/// `tls`
#[derive(Clone, Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct TlsSettings {
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    insecure_skip_verify: bool,
}

impl HttpSettings {
    /// Checks every key; `None` when one is wrong, with the problems noted under `at`.
    pub fn check(self, at: &str, problems: &mut Problems) -> Option<HttpConfig> {
        let auth = self.auth(at, problems);
        let headers = headers(&self.headers, at, problems);
        let tls = self.tls.check(at, problems);
        let timeout = timeout(self.timeout.as_deref(), Duration::from_secs(10), at, problems);
        Some(HttpConfig { auth: auth?, headers: headers?, tls: tls?, timeout: timeout? })
    }

    fn auth(&self, at: &str, problems: &mut Problems) -> Option<Auth> {
        let token = secret(
            (self.bearer_token.clone(), "bearerToken"),
            (self.bearer_token_file.clone(), "bearerTokenFile"),
            at,
            problems,
        )?;
        match (token, &self.basic_auth) {
            (None, None) => Some(Auth::None),
            (Some(token), None) => Some(Auth::Bearer(token)),
            (Some(_), Some(_)) => {
                problems.add(at, "bearerToken and basicAuth are two ways to log in; keep one");
                None
            }
            (None, Some(basic)) => {
                let at = format!("{at}.basicAuth");
                let password = secret(
                    (basic.password.clone(), "password"),
                    (basic.password_file.clone(), "passwordFile"),
                    &at,
                    problems,
                )?;
                let Some(password) = password else {
                    problems.add(&at, "a password is missing: write password or passwordFile");
                    return None;
                };
                Some(Auth::Basic { username: basic.username.clone(), password })
            }
        }
    }
}

impl TlsSettings {
    fn check(self, at: &str, problems: &mut Problems) -> Option<TlsConfig> {
        let identity = match (self.cert, self.key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => {
                problems.add(format!("{at}.tls"), "cert and key belong together; give both or neither");
                return None;
            }
        };
        Some(TlsConfig { ca: self.ca, identity, insecure_skip_verify: self.insecure_skip_verify })
    }
}

/// A secret written inline or by file, not both. The outer `None` means a problem was noted.
pub fn secret(
    (text, key): (Option<Secret>, &str),
    (file, file_key): (Option<PathBuf>, &str),
    at: &str,
    problems: &mut Problems,
) -> Option<Option<Secret>> {
    match (text, file) {
        (Some(_), Some(_)) => {
            problems.add(at, format!("{key} and {file_key} exclude each other; keep one"));
            None
        }
        (Some(Secret::Text(text)), None) if text.is_empty() => {
            problems.add(format!("{at}.{key}"), "empty; write the secret or leave the key out");
            None
        }
        (Some(secret), None) => Some(Some(secret)),
        (None, file) => Some(file.map(Secret::File)),
    }
}

/// An address with scheme `http` or `https`, a host, and no login inside.
pub fn url(text: &str, at: &str, problems: &mut Problems) -> Option<Url> {
    let parsed =
        Url::parse(text).map_err(|error| format!("not a URL ({error}); write http://host:port/path"));
    let url = problems.keep(at, parsed)?;
    let wrong = if !matches!(url.scheme(), "http" | "https") {
        Some("the URL must begin with http:// or https://".to_owned())
    } else if url.host_str().is_none_or(str::is_empty) {
        Some("the URL has no host".to_owned())
    } else if !url.username().is_empty() || url.password().is_some() {
        Some("a login does not belong into the URL; use basicAuth".to_owned())
    } else {
        None
    };
    match wrong {
        Some(message) => {
            problems.add(at, message);
            None
        }
        None => Some(url),
    }
}

/// A timeout, `timeout:` under `at`, from one second to five minutes.
pub fn timeout(text: Option<&str>, default: Duration, at: &str, problems: &mut Problems) -> Option<Duration> {
    let Some(text) = text else { return Some(default) };
    let within = Span::from_secs(1)..=Span::from_mins(5);
    span(text, within, &format!("{at}.timeout"), problems).map(Span::to_duration)
}

/// A duration as Prometheus writes it, within bounds.
pub fn span(text: &str, within: RangeInclusive<Span>, at: &str, problems: &mut Problems) -> Option<Span> {
    let span = problems.keep(at, text.parse::<Span>())?;
    if !within.contains(&span) {
        problems.add(at, format!("{text} is out of bounds; write {} to {}", within.start(), within.end()));
        return None;
    }
    Some(span)
}

fn headers(
    written: &BTreeMap<String, Secret>,
    at: &str,
    problems: &mut Problems,
) -> Option<Vec<(HeaderName, Secret)>> {
    let mut checked = Vec::new();
    for (name, value) in written {
        match header(name, value) {
            Ok(name) => checked.push((name, value.clone())),
            Err(message) => problems.add(format!("{at}.headers.{name}"), message),
        }
    }
    (checked.len() == written.len()).then_some(checked)
}

fn header(name: &str, value: &Secret) -> Result<HeaderName, &'static str> {
    let name = HeaderName::try_from(name).map_err(|_| "not a header name")?;
    if RESERVED.contains(&name.as_str()) {
        return Err("this header is set by Damper; for a login use bearerToken or basicAuth");
    }
    match value {
        Secret::Text(text) if HeaderValue::try_from(text.as_str()).is_err() => {
            Err("the value has characters that a header cannot hold")
        }
        _ => Ok(name),
    }
}
