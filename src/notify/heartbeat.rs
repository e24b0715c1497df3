//! The dead man's switch: a request to somebody else's service after each completed tick, so that
//! silence means that Damper is dead. The caller decides when.

use std::collections::BTreeMap;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use serde::Deserialize;

use super::answer::judge;
use super::outcome::Outcome;
use crate::http::{self, Client, HttpConfig, HttpSettings, Problem, Problems, TlsSettings, origin};
use crate::secret::Secret;
use crate::slo::time::Ts;

/// As written.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HeartbeatSettings {
    url: String,
    #[serde(default)]
    method: HeartbeatMethod,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    bearer_token: Option<Secret>,
    #[serde(default)]
    tls: TlsSettings,
    timeout: Option<String>,
}

/// `GET`, or `POST` without a body.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Default, Debug)]
#[serde(rename_all = "UPPERCASE")]
pub enum HeartbeatMethod {
    /// What every such service takes.
    #[default]
    Get,
    /// For those that want it.
    Post,
}

/// Checked.
#[derive(Clone, Debug)]
pub struct HeartbeatConfig {
    /// What to ask for.
    pub url: Url,
    /// How.
    pub method: HeartbeatMethod,
    /// Login, headers, TLS, timeout.
    pub http: HttpConfig,
}

impl HeartbeatSettings {
    /// Checks every key; `None` when one is wrong, with the problems noted under `at`.
    pub fn check(self, at: &str, problems: &mut Problems) -> Option<HeartbeatConfig> {
        let url = http::url(&self.url, &format!("{at}.url"), problems);
        // A heart that hangs must not delay the next tick's.
        let timeout = self.timeout.or_else(|| Some("5s".into()));
        let http = HttpSettings {
            headers: self.headers,
            bearer_token: self.bearer_token,
            tls: self.tls,
            timeout,
            ..HttpSettings::default()
        };
        let http = http.check(at, problems);
        Some(HeartbeatConfig { url: url?, method: self.method, http: http? })
    }
}

/// Ready to beat.
#[derive(Debug)]
pub struct Heartbeat {
    config: HeartbeatConfig,
    client: Client,
}

impl Heartbeat {
    /// Builds the client; `at` is where the settings stand.
    pub fn new(at: &str, config: &HeartbeatConfig) -> Result<Self, Problem> {
        Ok(Self { client: Client::new(at, &config.http)?, config: config.clone() })
    }

    /// One beat, within its timeout. A failed one is not repeated: the next tick beats again.
    pub async fn beat(&self, now: Ts) -> Outcome {
        let method = match self.config.method {
            HeartbeatMethod::Get => Method::GET,
            HeartbeatMethod::Post => Method::POST,
        };
        match self.client.send(method, &self.config.url, HeaderMap::new(), Vec::new()).await {
            Ok(reply) => judge(&origin(&self.config.url), &reply, now),
            Err(failure) => failure.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::notify::outcome::Reason;
    use crate::notify::testing::{Behaviour, Mock, NOW, PATIENCE};

    fn heartbeat(timeout: Duration, url: &str, more: &str) -> Heartbeat {
        let json = format!(r#"{{"url": "{url}/ping/uuid" {more}}}"#);
        let settings: HeartbeatSettings = serde_json::from_str(&json).unwrap();
        let mut config = settings.check("heartbeat", &mut Problems::default()).unwrap();
        config.http.timeout = timeout;
        Heartbeat::new("heartbeat", &config).unwrap()
    }

    #[tokio::test]
    async fn it_beats_as_it_is_told() {
        let mock = Mock::start(Behaviour::Answer(200, vec![], "OK")).await;
        assert_eq!(heartbeat(PATIENCE, &mock.url, "").beat(NOW).await, Outcome::DELIVERED);
        let post = heartbeat(PATIENCE, &mock.url, r#", "method": "POST", "headers": {"X-Key": "k"}"#);
        assert_eq!(post.beat(NOW).await, Outcome::DELIVERED);
        let seen = mock.seen();
        assert_eq!((seen[0].method.as_str(), seen[0].uri.path()), ("GET", "/ping/uuid"));
        assert_eq!((seen[1].method.as_str(), &seen[1].headers["x-key"]), ("POST", &"k".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_service_that_hangs_costs_its_timeout_and_no_more() {
        let mock = Mock::start(Behaviour::Hang).await;
        let outcome = heartbeat(Duration::from_millis(300), &mock.url, "").beat(NOW).await;
        assert_eq!(outcome.failure().map(|f| f.0), Some(Reason::Timeout));
    }
}
