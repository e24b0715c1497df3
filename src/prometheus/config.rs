//! A source that has been checked: what exists here can be asked. Nothing of it is read from disk yet.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};

use super::settings::{BasicAuthSettings, SourceKind, SourceSettings, TlsSettings};
use crate::engine::digest::Digest;
use crate::secret::Secret;
use crate::slo::time::Span;

/// Set by Damper for each query; settings may not.
const OWN_PARAMS: [&str; 6] = ["query", "time", "start", "end", "step", "timeout"];
/// Set by the HTTP client or by other settings.
const OWN_HEADERS: [&str; 7] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "accept-encoding",
    "upgrade",
];
const MAX_CONCURRENT: usize = 256;
const RESPONSE_BYTES: std::ops::RangeInclusive<usize> = 1024..=1024 * 1024 * 1024;
const MAX_TIMEOUT: Span = Span::from_mins(10);

/// A checked source.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    pub(super) name: String,
    pub(super) kind: SourceKind,
    /// Without user, query and fragment; its path ends in `/`.
    pub(super) base: Url,
    pub(super) params: Vec<(String, String)>,
    pub(super) headers: Vec<(HeaderName, Secret)>,
    pub(super) auth: Option<Auth>,
    pub(super) tls: Tls,
    pub(super) delay: Span,
    pub(super) timeout: Duration,
    pub(super) max_concurrent: usize,
    pub(super) max_response_bytes: usize,
}

/// Who we say we are.
#[derive(Clone, Debug)]
pub(super) enum Auth {
    Basic { username: String, password: Option<Secret> },
    Bearer(Secret),
}

/// Checked `tls`.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) ca: Option<PathBuf>,
    pub(super) identity: Option<(PathBuf, PathBuf)>,
    pub(super) server_name: Option<String>,
    pub(super) insecure: bool,
}

/// One thing wrong with a source's settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceProblem {
    /// The source's name, as written.
    pub source: String,
    /// The setting: `tls.key`.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for SourceProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "source `{}`, `{}`: {}", self.source, self.field, self.message)
    }
}

impl SourceConfig {
    /// Checks everything and reports every problem; needs neither network nor disk.
    pub fn check(settings: SourceSettings) -> Result<Self, Vec<SourceProblem>> {
        let mut problems = Problems { source: settings.name.clone(), found: Vec::new() };
        problems.check_name(&settings.name);
        problems.check_limits(&settings);
        let base = problems.check_url(&settings.url);
        for name in settings.params.keys().filter(|name| OWN_PARAMS.contains(&name.as_str())) {
            problems.add(format!("params.{name}"), "is set by Damper for each query; remove it");
        }
        let auth = problems.check_auth(&settings);
        let headers = problems.check_headers(&settings, auth.is_some());
        let tls = problems.check_tls(settings.tls, base.as_ref());
        match base {
            Some(base) if problems.found.is_empty() => Ok(Self {
                name: settings.name,
                kind: settings.kind,
                base,
                params: settings.params.into_iter().collect(),
                headers,
                auth,
                tls,
                delay: settings.delay,
                timeout: settings.timeout.to_duration(),
                max_concurrent: settings.max_concurrent,
                max_response_bytes: settings.max_response_bytes,
            }),
            _ => Err(problems.found),
        }
    }

    /// What definitions and messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A number made of all settings that decide whose data is answered: address, parameters, headers
    /// and login, with secrets as they are now. It is stored, and too short to guess a secret by.
    pub async fn fingerprint(&self) -> u16 {
        let mut parts = vec![self.base.to_string()];
        for (name, value) in &self.params {
            parts.extend([name.clone(), value.clone()]);
        }
        for (name, value) in &self.headers {
            parts.extend([name.to_string(), as_it_is(value).await]);
        }
        match &self.auth {
            Some(Auth::Basic { username, password }) => {
                parts.extend(["basic".to_owned(), username.clone()]);
                if let Some(password) = password {
                    parts.push(as_it_is(password).await);
                }
            }
            Some(Auth::Bearer(token)) => parts.extend(["bearer".to_owned(), as_it_is(token).await]),
            None => {}
        }
        let identity = self.tls.identity.as_ref().map(|(cert, _)| cert.display().to_string());
        parts.extend(identity);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let [high, low, ..] = Digest::of(&parts).short().to_le_bytes();
        u16::from_le_bytes([high, low])
    }
}

/// One that cannot be read is told when it is used.
async fn as_it_is(secret: &Secret) -> String {
    secret.read().await.unwrap_or_default()
}

struct Problems {
    source: String,
    found: Vec<SourceProblem>,
}

impl Problems {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.found.push(SourceProblem {
            source: self.source.clone(),
            field: field.into(),
            message: message.into(),
        });
    }

    fn check_name(&mut self, name: &str) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            self.add("name", "must be 1 to 64 letters, digits, `-`, `_` or `.`");
        }
    }

    fn check_limits(&mut self, settings: &SourceSettings) {
        if settings.timeout.is_zero() || settings.timeout > MAX_TIMEOUT {
            self.add("timeout", format!("must be between 1s and {MAX_TIMEOUT}"));
        }
        if settings.delay > Span::from_hours(1) {
            self.add("delay", "is longer than 1h: alerts would come that much late");
        }
        if !(1..=MAX_CONCURRENT).contains(&settings.max_concurrent) {
            self.add("maxConcurrent", format!("must be between 1 and {MAX_CONCURRENT}"));
        }
        if !RESPONSE_BYTES.contains(&settings.max_response_bytes) {
            self.add("maxResponseBytes", "must be between 1024 (1 KiB) and 1073741824 (1 GiB)");
        }
    }

    /// Never repeats the URL: it may hold a password.
    fn check_url(&mut self, text: &str) -> Option<Url> {
        let before = self.found.len();
        let mut url = match Url::parse(text.trim()) {
            Ok(url) => url,
            Err(why) => {
                self.add("url", format!("is not a URL ({why}); write it like http://prometheus:9090"));
                return None;
            }
        };
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            self.add("url", "must begin with http:// or https:// and name a host");
        }
        if !url.username().is_empty() || url.password().is_some() {
            self.add(
                "url",
                "holds a user or password, and URLs are shown; use `basicAuth` with `passwordFile`",
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            self.add("url", "must end before `?` and `#`; put parameters into `params`");
        }
        let path = url.path().trim_end_matches('/').to_owned();
        if path.ends_with("/api/v1") || path.ends_with("/query") || path.ends_with("/query_range") {
            self.add("url", "must end before `/api/v1`, which Damper adds");
        }
        url.set_path(&format!("{path}/"));
        (self.found.len() == before).then_some(url)
    }

    fn check_auth(&mut self, settings: &SourceSettings) -> Option<Auth> {
        let bearer =
            self.one_of("bearerToken", settings.bearer_token.as_ref(), settings.bearer_token_file.as_ref());
        let Some(BasicAuthSettings { username, password, password_file }) = &settings.basic_auth else {
            return bearer.map(Auth::Bearer);
        };
        if bearer.is_some() {
            self.add("basicAuth", "and a bearer token exclude each other; remove one");
        }
        if username.contains(':') {
            self.add("basicAuth.username", "must not contain `:`");
        }
        let password = self.one_of("basicAuth.password", password.as_ref(), password_file.as_ref());
        Some(Auth::Basic { username: username.clone(), password })
    }

    fn one_of(&mut self, field: &str, value: Option<&Secret>, file: Option<&PathBuf>) -> Option<Secret> {
        if value.is_some() && file.is_some() {
            self.add(field, format!("and `{field}File` exclude each other; remove one"));
        }
        value.cloned().or_else(|| file.cloned().map(Secret::File))
    }

    fn check_headers(&mut self, settings: &SourceSettings, authorized: bool) -> Vec<(HeaderName, Secret)> {
        let mut headers = Vec::new();
        for (name, value) in &settings.headers {
            let field = format!("headers.{name}");
            let Ok(header) = HeaderName::try_from(name.as_str()) else {
                self.add(field, "is not a header name");
                continue;
            };
            if OWN_HEADERS.contains(&header.as_str()) {
                self.add(field, "is set by Damper; remove it");
            } else if authorized && header == reqwest::header::AUTHORIZATION {
                self.add(field, "is given by `basicAuth` or the bearer token too; remove one");
            } else if matches!(value, Secret::Text(text) if HeaderValue::from_str(text).is_err()) {
                self.add(field, "holds a line break or another character that no header may hold");
            } else {
                headers.push((header, value.clone()));
            }
        }
        headers
    }

    fn check_tls(&mut self, tls: TlsSettings, base: Option<&Url>) -> Tls {
        if tls != TlsSettings::default() && base.is_some_and(|base| base.scheme() != "https") {
            self.add("tls", "is set, but `url` is not https; no certificate would be used");
        }
        if tls.insecure_skip_verify && (tls.ca.is_some() || tls.server_name.is_some()) {
            self.add("tls.insecureSkipVerify", "makes `ca` and `serverName` meaningless; remove it or them");
        }
        if tls.server_name.as_deref().is_some_and(|name| !is_dns_name(name)) {
            self.add("tls.serverName", "must be a host name such as prometheus.internal, not an address");
        }
        let identity = match (tls.cert, tls.key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => {
                self.add("tls.key", "is missing: `cert` needs its key");
                None
            }
            (None, Some(_)) => {
                self.add("tls.cert", "is missing: `key` needs its certificate");
                None
            }
        };
        Tls { ca: tls.ca, identity, server_name: tls.server_name, insecure: tls.insecure_skip_verify }
    }
}

fn is_dns_name(name: &str) -> bool {
    name.parse::<std::net::IpAddr>().is_err() && rustls::pki_types::DnsName::try_from(name.to_owned()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(change: impl FnOnce(&mut SourceSettings)) -> Vec<String> {
        let mut settings = SourceSettings::new("local", "https://prometheus:9090/prefix");
        change(&mut settings);
        match SourceConfig::check(settings) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_path_prefix_is_kept() {
        for url in ["http://h/prefix", "http://h/prefix/", " http://h/prefix//"] {
            let config = SourceConfig::check(SourceSettings::new("a", url)).unwrap();
            assert_eq!(config.base.join("api/v1/query").unwrap().as_str(), "http://h/prefix/api/v1/query");
        }
    }

    #[tokio::test]
    async fn whose_data_is_asked_for_changes_the_fingerprint_and_nothing_else_does() {
        let of = async |change: fn(&mut SourceSettings)| {
            let mut settings = SourceSettings::new("local", "https://prometheus:9090/prefix");
            change(&mut settings);
            SourceConfig::check(settings).unwrap().fingerprint().await
        };
        let same = of(|_| ()).await;
        assert_eq!(of(|s| s.timeout = Span::from_secs(9)).await, same);
        assert_eq!(of(|s| s.url = "https://prometheus:9090/prefix/".into()).await, same);
        for other in [
            of(|s| s.url = "https://prometheus:9090/other".into()).await,
            of(|s| drop(s.params.insert("tenant".into(), "a".into()))).await,
            of(|s| drop(s.headers.insert("X-Scope-OrgID".into(), Secret::Text("a".into())))).await,
            of(|s| drop(s.headers.insert("X-Scope-OrgID".into(), Secret::Text("b".into())))).await,
            of(|s| s.bearer_token = Some(Secret::Text("a".into()))).await,
            of(|s| {
                s.basic_auth =
                    Some(BasicAuthSettings { username: "a".into(), password: None, password_file: None });
            })
            .await,
        ] {
            assert_ne!(other, same);
        }
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let found = problems(|s| {
            s.name = "two words".into();
            s.url = "ftp://h".into();
            s.timeout = Span::ZERO;
            s.max_concurrent = 0;
            s.max_response_bytes = 1;
            s.params.insert("query".into(), "up".into());
            s.headers.insert("Host".into(), Secret::Text("a".into()));
            s.headers.insert("X-A".into(), Secret::Text("a\nb".into()));
            s.tls.cert = Some("/c".into());
        });
        assert_eq!(found.len(), 9, "{found:#?}");
        assert!(found.iter().all(|p| p.starts_with("source `two words`, `")), "{found:#?}");
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        let found = problems(|s| s.url = "https://user:hunter2@h".into());
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].contains("basicAuth") && !found[0].contains("hunter2"), "{found:#?}");
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let both = |s: &mut SourceSettings| {
            s.bearer_token = Some(Secret::Text("a".into()));
            s.bearer_token_file = Some("/a".into());
        };
        assert_eq!(problems(both).len(), 1);
        let basic = BasicAuthSettings { username: "u".into(), password: None, password_file: None };
        assert_eq!(problems(|s| s.basic_auth = Some(basic.clone())), Vec::<String>::new());
        let twice = problems(|s| {
            s.basic_auth = Some(basic.clone());
            s.bearer_token_file = Some("/a".into());
        });
        assert_eq!(twice.len(), 1, "{twice:?}");
        let header = problems(|s| {
            s.bearer_token_file = Some("/a".into());
            s.headers.insert("Authorization".into(), Secret::Text("x".into()));
        });
        assert_eq!(header.len(), 1, "{header:?}");
        let plain = problems(|s| {
            s.url = "http://h".into();
            s.tls.ca = Some("/ca".into());
        });
        assert_eq!(plain.len(), 1, "{plain:?}");
        assert_eq!(problems(|s| s.tls.server_name = Some("10.0.0.1".into())).len(), 1);
        assert_eq!(problems(|s| s.url = "https://h/api/v1/query".into()).len(), 1);
    }
}
