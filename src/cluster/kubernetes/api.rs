//! One exchange with the API server: within a time, with an answer of bounded length, and with what
//! it said in the terms of [`Fault`].

use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Clock;
use super::login::Login;
use crate::cluster::fault::Fault;
use crate::cluster::retry::{Asks, persist};
use crate::cluster::settings::KubernetesSettings;
use crate::http::{excerpt, told};

/// For one attempt to read.
const ATTEMPT: Duration = Duration::from_secs(5);
/// For all attempts to read one answer.
const LIMIT: Duration = Duration::from_secs(8);
/// For a write: webhooks of the cluster, which are asked about it, may
/// take 10 seconds each, and an attempt that is given up is not made. Below the time that a decided write
/// stays valid.
const WRITE: Duration = Duration::from_secs(15);
/// Most bytes of one answer; a page of a list has up to 500 objects.
const LONGEST: usize = 64 * 1024 * 1024;

/// A cluster's API server.
pub(super) struct Api {
    login: Login,
}

/// An answer of success, whose body is still to be read.
pub(super) type Answer = http::Response<Body>;

/// What is sent.
pub(super) enum Ask {
    Get,
    Create(Value),
    /// JSON Patch: a list of operations, made all together or not at all.
    Patch(Value),
}

impl Api {
    /// Nothing is asked, nor logged in to, before the first question. The login is kept on `tasks`
    /// until `stop`.
    pub(super) fn new(
        settings: &KubernetesSettings,
        clock: Clock,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self { login: Login::new(settings, clock, tasks, stop) }
    }

    /// Waits for the first login; the error is for people.
    pub(super) async fn log_in(&self) -> Result<(), String> {
        self.login.first().await
    }

    /// Asks until there is an answer, within [`LIMIT`]; a write is made once, within [`WRITE`].
    pub(super) async fn ask<T: DeserializeOwned>(&self, ask: &Ask, path: &str) -> Result<T, Fault> {
        if matches!(ask, Ask::Patch(_)) {
            return self.attempt(ask, path).await;
        }
        persist("the Kubernetes API", LIMIT, Asks::Read, || self.attempt(ask, path)).await
    }

    /// Asks once; for what the caller repeats itself.
    pub(super) async fn attempt<T: DeserializeOwned>(&self, ask: &Ask, path: &str) -> Result<T, Fault> {
        let whole = async {
            let answer = self.open(ask, path).await?;
            let body = read(answer).await?;
            serde_json::from_slice(&body).map_err(|error| {
                Fault::unreachable(format!(
                    "the Kubernetes API answered {path} with no JSON to read: {error}"
                ))
            })
        };
        let limit = if matches!(ask, Ask::Patch(_)) { WRITE } else { ATTEMPT };
        let why = || Fault::unreachable(format!("the Kubernetes API did not answer {path} within {limit:?}"));
        tokio::time::timeout(limit, whole).await.unwrap_or_else(|_| Err(why()))
    }

    /// Asks and leaves the body to the caller, as a watch has it. The caller sets the timeout.
    pub(super) async fn open(&self, ask: &Ask, path: &str) -> Result<Answer, Fault> {
        let request = request(ask, path)?;
        let client = self.login.client().await?;
        let more = || self.login.trouble().map(|why| format!("; {why}")).unwrap_or_default();
        let answer = client.send(request).await.map_err(|error| {
            // The files that the login is made of may have been renewed.
            self.login.refused();
            Fault::unreachable(format!("the Kubernetes API cannot be asked: {}{}", told(&error), more()))
        })?;
        let is_refused = answer.status() == StatusCode::UNAUTHORIZED;
        let judged = judge(path, answer).await;
        if !is_refused {
            return judged;
        }
        self.login.refused();
        judged.map_err(|fault| Fault::Refused {
            status: Some(StatusCode::UNAUTHORIZED.as_u16()),
            why: format!("{fault}{}", more()),
        })
    }
}

fn request(ask: &Ask, path: &str) -> Result<Request<Body>, Fault> {
    let (method, kind, body) = match ask {
        Ask::Get => (Method::GET, None, Vec::new()),
        Ask::Create(body) => (Method::POST, Some("application/json"), body.to_string().into_bytes()),
        Ask::Patch(body) => {
            (Method::PATCH, Some("application/json-patch+json"), body.to_string().into_bytes())
        }
    };
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, concat!("damper/", env!("CARGO_PKG_VERSION")));
    if let Some(kind) = kind {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    request
        .body(Body::from(body))
        .map_err(|error| Fault::refused(format!("{path:?} cannot be asked: {error}")))
}

async fn read(answer: Answer) -> Result<Vec<u8>, Fault> {
    let body = Limited::new(answer.into_body(), LONGEST).collect().await;
    body.map(|whole| whole.to_bytes().to_vec()).map_err(|error| {
        if error.is::<LengthLimitError>() {
            return Fault::refused(format!("the Kubernetes API answered with more than {LONGEST} bytes"));
        }
        Fault::unreachable(format!("the Kubernetes API broke off its answer: {}", told(&*error)))
    })
}

/// What the API server says when it does not do something.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    message: String,
}

async fn judge(path: &str, answer: Answer) -> Result<Answer, Fault> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let wish = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = read(answer).await.unwrap_or_default();
    Err(fault(path, status, wish.map(Duration::from_secs), &body))
}

fn fault(path: &str, status: StatusCode, after: Option<Duration>, body: &[u8]) -> Fault {
    let said: Status = serde_json::from_slice(body).unwrap_or_default();
    let said = if said.message.is_empty() { excerpt(body) } else { excerpt(said.message.as_bytes()) };
    let path = path.split('?').next().unwrap_or_default();
    let mut why = format!("Kubernetes answered {status} to {path}: {said}");
    if status == StatusCode::FORBIDDEN {
        why += &format!("; the role {} of deploy/kubernetes allows it", role(path, &said));
    }
    match status {
        StatusCode::CONFLICT => Fault::Conflict { at: None, why },
        StatusCode::TOO_MANY_REQUESTS => Fault::Throttled { after, why },
        StatusCode::REQUEST_TIMEOUT => Fault::Unreachable { why },
        status if status.is_server_error() => Fault::Unreachable { why },
        status => Fault::Refused { status: Some(status.as_u16()), why },
    }
}

/// The shipped role that allows what was refused.
fn role(path: &str, said: &str) -> &'static str {
    match said.contains("cannot patch") {
        true if path.ends_with("/scale") => "damper-direct",
        true => "damper-floor",
        false => "damper-observe",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, message: &str) -> Fault {
        let body = serde_json::json!({"kind": "Status", "status": "Failure", "message": message});
        fault("/apis/x?a=b", StatusCode::from_u16(status).unwrap(), None, body.to_string().as_bytes())
    }

    #[test]
    fn what_the_api_server_says_becomes_a_fault_with_its_words() {
        let forbidden = said(403, "deployments.apps \"checkout\" is forbidden: User \"damper\" cannot patch");
        assert_eq!(forbidden.status(), Some(403));
        let text = forbidden.to_string();
        assert!(text.starts_with("Kubernetes answered 403 Forbidden to /apis/x: deployments.apps"), "{text}");
        assert!(text.ends_with("; the role damper-floor of deploy/kubernetes allows it"), "{text}");
        assert!(matches!(said(409, "modified"), Fault::Conflict { .. }));
        assert!(matches!(said(429, "busy"), Fault::Throttled { .. }));
        assert!(matches!(said(500, "etcd"), Fault::Unreachable { .. }));
        assert!(matches!(said(422, "invalid"), Fault::Refused { status: Some(422), .. }));
    }
}
