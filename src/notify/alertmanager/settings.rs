//! `alertmanager:` in the settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::Url;
use serde::Deserialize;

use crate::http::{self, BasicAuthSettings, HttpConfig, HttpSettings, Problems, TlsSettings};
use crate::secret::Secret;
use crate::slo::time::Span;

/// As written.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AlertmanagerSettings {
    urls: Vec<String>,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    bearer_token: Option<Secret>,
    bearer_token_file: Option<PathBuf>,
    basic_auth: Option<BasicAuthSettings>,
    #[serde(default)]
    tls: TlsSettings,
    timeout: Option<String>,
    resend: Option<String>,
}

/// Checked.
#[derive(Clone, Debug)]
pub struct AlertmanagerConfig {
    /// The API address of every instance, path included.
    pub endpoints: Vec<Url>,
    /// How often the caller tells the present state again; 1m by default.
    pub resend: Span,
    /// Login, headers, TLS, timeout.
    pub http: HttpConfig,
}

impl AlertmanagerSettings {
    /// Checks every key; `None` when one is wrong, with the problems noted under `at`.
    pub fn check(self, at: &str, problems: &mut Problems) -> Option<AlertmanagerConfig> {
        let endpoints = endpoints(&self.urls, at, problems);
        let resend = match &self.resend {
            Some(text) => {
                let within = Span::from_secs(5)..=Span::from_hours(1);
                http::span(text, within, &format!("{at}.resend"), problems)
            }
            None => Some(Span::from_mins(1)),
        };
        let http = HttpSettings {
            headers: self.headers,
            bearer_token: self.bearer_token,
            bearer_token_file: self.bearer_token_file,
            basic_auth: self.basic_auth,
            tls: self.tls,
            timeout: self.timeout,
        };
        let http = http.check(at, problems);
        Some(AlertmanagerConfig { endpoints: endpoints?, resend: resend?, http: http? })
    }
}

fn endpoints(urls: &[String], at: &str, problems: &mut Problems) -> Option<Vec<Url>> {
    if urls.is_empty() {
        problems.add(format!("{at}.urls"), "empty; write every instance of the cluster, not a load balancer");
        return None;
    }
    let checked: Vec<_> = urls
        .iter()
        .enumerate()
        .filter_map(|(i, text)| endpoint(text, &format!("{at}.urls[{i}]"), problems))
        .collect();
    (checked.len() == urls.len()).then_some(checked)
}

/// The address with `/api/v2/alerts` after its path prefix.
fn endpoint(text: &str, at: &str, problems: &mut Problems) -> Option<Url> {
    let mut url = http::url(text, at, problems)?;
    if url.path().contains("/api/v") {
        problems.add(at, "write the address of Alertmanager without /api/…; Damper adds /api/v2/alerts");
        return None;
    }
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["api", "v2", "alerts"]);
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<AlertmanagerConfig, Vec<String>> {
        let settings: AlertmanagerSettings = serde_json::from_str(json).unwrap();
        let mut problems = Problems::default();
        let config = settings.check("am", &mut problems);
        config.ok_or_else(|| problems.0.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_path_prefix_is_kept() {
        let config =
            check(r#"{"urls": ["http://a:9093", "https://b/prefix/am/"], "resend": "30s"}"#).unwrap();
        let urls: Vec<_> = config.endpoints.iter().map(Url::as_str).collect();
        assert_eq!(urls, ["http://a:9093/api/v2/alerts", "https://b/prefix/am/api/v2/alerts"]);
        assert_eq!(config.resend, Span::from_secs(30));
    }

    #[test]
    fn every_problem_is_told_with_its_key() {
        let problems = check(
            r#"{"urls": ["localhost:9093", "http://a/api/v1/alerts", "http://u:p@b"], "resend": "1s",
                "timeout": "1h", "bearerToken": "x", "bearerTokenFile": "/y", "headers": {"Host": "z"}}"#,
        );
        let problems = problems.unwrap_err();
        insta::assert_snapshot!(problems.join("\n"), @r"
        am.urls[0]: the URL must begin with http:// or https://
        am.urls[1]: write the address of Alertmanager without /api/…; Damper adds /api/v2/alerts
        am.urls[2]: a login does not belong into the URL; use basicAuth
        am.resend: 1s is out of bounds; write 5s to 1h
        am: bearerToken and bearerTokenFile exclude each other; keep one
        am.headers.Host: this header is set by Damper; for a login use bearerToken or basicAuth
        am.timeout: 1h is out of bounds; write 1s to 5m
        ");
    }
}
