//! What a person may write about a source. Turned into a checked [`SourceConfig`](super::SourceConfig).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use crate::slo::time::Span;

/// One entry of `sources:`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceSettings {
    /// What definitions and messages call it.
    pub name: String,
    /// What answers there.
    #[serde(default)]
    pub kind: SourceKind,
    /// Where the API begins, `http` or `https`, with a path prefix where there is one; `/api/v1/…` is added.
    pub url: String,
    /// Added to every query: `{partial_response: "false"}`.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Added to every request: `{X-Scope-OrgID: team}`. Values may be secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// User and password; not together with a bearer token.
    #[serde(default)]
    pub basic_auth: Option<BasicAuthSettings>,
    /// Bearer token.
    #[serde(default)]
    pub bearer_token: Option<Secret>,
    /// The same, in a file that is read for each request.
    #[serde(default)]
    pub bearer_token_file: Option<PathBuf>,
    /// Certificates.
    #[serde(default)]
    pub tls: TlsSettings,
    /// How long after a moment its samples are there; slices are asked this much later.
    #[serde(default, with = "as_text")]
    pub delay: Span,
    /// How long a query may take at most, all retries included.
    #[serde(default = "default_timeout", with = "as_text")]
    pub timeout: Span,
    /// Queries in flight at once; backfill has a smaller number of its own.
    #[serde(default = "default_max_concurrent")]
    pub max_concurrent: usize,
    /// Longest answer read, in bytes after decompression.
    #[serde(default = "default_max_response_bytes")]
    pub max_response_bytes: usize,
}

impl SourceSettings {
    /// A Prometheus at this URL, all else by default: what `prometheus: {url: …}` means.
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: SourceKind::Prometheus,
            url: url.into(),
            params: BTreeMap::new(),
            headers: BTreeMap::new(),
            basic_auth: None,
            bearer_token: None,
            bearer_token_file: None,
            tls: TlsSettings::default(),
            delay: Span::ZERO,
            timeout: default_timeout(),
            max_concurrent: default_max_concurrent(),
            max_response_bytes: default_max_response_bytes(),
        }
    }
}

/// What answers at a source's address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// Prometheus, or anything that behaves as it does.
    #[default]
    Prometheus,
    /// Thanos Query or its query frontend.
    Thanos,
    /// VictoriaMetrics, single node or cluster.
    VictoriaMetrics,
    /// Grafana Mimir or Cortex.
    Mimir,
}

impl SourceKind {
    /// Whether a range selector leaves out a sample at its old edge, as Prometheus does since 3.0, by
    /// the version the server gives. `false` where that is not known: the others' versions are their own.
    pub fn has_left_open_ranges(self, version: Option<&str>) -> bool {
        let major = version.and_then(|v| v.trim_start_matches('v').split('.').next()?.parse::<u32>().ok());
        self == Self::Prometheus && major.is_some_and(|major| major >= 3)
    }
}

/// `basicAuth`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BasicAuthSettings {
    /// User name.
    pub username: String,
    /// Password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// The same, in a file that is read for each request.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

/// `tls`: PEM files, re-read within seconds of a change.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsSettings {
    /// The authorities trusted instead of the system's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Our certificate, with its chain; needs `key`.
    #[serde(default)]
    pub cert: Option<PathBuf>,
    /// The key of `cert`.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// The name the server's certificate must carry, where it is not the URL's host.
    #[serde(default)]
    pub server_name: Option<String>,
    /// Trusts any certificate. For experiments only: anybody on the way can then answer.
    #[serde(default)]
    pub insecure_skip_verify: bool,
}

const fn default_timeout() -> Span {
    Span::from_secs(10)
}

const fn default_max_concurrent() -> usize {
    4
}

const fn default_max_response_bytes() -> usize {
    32 * 1024 * 1024
}

/// Spans as people write them: `30s`.
mod as_text {
    use super::Span;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(span)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_reads_as_documented() {
        let text = "{name: global, kind: victoriametrics, url: 'https://vm', params: {a: b}, headers: {X-Scope-OrgID: t},
            basicAuth: {username: u, passwordFile: /p}, tls: {ca: /ca, serverName: n}, delay: 60s, timeout: 1m30s}";
        let source: SourceSettings = serde_saphyr::from_str(text).unwrap();
        assert_eq!(source.kind, SourceKind::VictoriaMetrics);
        assert_eq!((source.delay, source.timeout), (Span::from_secs(60), Span::from_secs(90)));
        assert_eq!((source.max_concurrent, source.max_response_bytes), (4, 33_554_432));
        let unknown = serde_saphyr::from_str::<SourceSettings>("{name: a, url: b, tiemout: 3s}");
        assert!(unknown.unwrap_err().to_string().contains("tiemout"));
        assert!(serde_saphyr::from_str::<SourceSettings>("{name: a, url: b, timeout: 30}").is_err());
        let none: SourceSettings = serde_saphyr::from_str("{name: a, url: b, delay: 0s}").unwrap();
        assert_eq!(none.delay, Span::ZERO);
    }

    #[test]
    fn ranges_are_left_open_since_prometheus_3() {
        for (kind, version, left_open) in [
            (SourceKind::Prometheus, Some("3.5.0"), true),
            (SourceKind::Prometheus, Some("v10.0"), true),
            (SourceKind::Prometheus, Some("2.42.0+ds"), false),
            (SourceKind::Prometheus, Some("dev"), false),
            (SourceKind::Prometheus, None, false),
            (SourceKind::Thanos, Some("3.0"), false),
        ] {
            assert_eq!(kind.has_left_open_ranges(version), left_open, "{kind:?} {version:?}");
        }
    }

    #[test]
    fn a_source_shows_no_secret() {
        let text = "{name: a, url: b, bearerToken: hunter2, headers: {X-Key: hunter2}, basicAuth: {username: u, password: hunter2}}";
        let source: SourceSettings = serde_saphyr::from_str(text).unwrap();
        let shown = format!("{source:?} {}", serde_json::to_string(&source).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
