//! The Kubernetes API over plain HTTP, so that tests of a client do not rest on that client.

use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Method, StatusCode};
use serde_json::Value;

use super::{LIMIT, identity, text};
use crate::support::wait_until;

/// How a PATCH is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patch {
    /// Operations; `test` makes it compare-and-set.
    Json,
    /// The fields to change.
    Merge,
    /// The same, with lists merged by their keys; not for custom resources.
    Strategic,
    /// Server-side apply: the fields that the writer owns.
    Apply,
}

impl Patch {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

/// What the API said.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The object, or a `Status` that says why not; a string where it is no JSON.
    pub body: Value,
    asked: String,
}

impl Answer {
    /// The object; fails the test if it was refused.
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{}: {}: {:#}", self.asked, self.status, self.body);
        self.body
    }

    /// Why it was refused; fails the test unless it was, with this status.
    pub fn refused(self, status: StatusCode) -> String {
        assert_eq!(self.status, status, "{}: {:#}", self.asked, self.body);
        text(&self.body, "/message")
    }
}

/// The API as one role sees it.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    pub(super) fn new(url: &str, role: &str, folder: &Path) -> Self {
        let authority = std::fs::read(folder.join(identity::AUTHORITY)).unwrap();
        let http = reqwest::Client::builder()
            .tls_certs_only([Certificate::from_pem(&authority).unwrap()])
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        Self { http, url: url.to_owned(), token: identity::token(role) }
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// `GET path` of a server that may not be there.
    pub async fn try_get(&self, path: &str) -> reqwest::Result<Answer> {
        self.try_send(Method::GET, path, None).await
    }

    /// `POST path`.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(("application/json", body))).await
    }

    /// `PATCH path`.
    pub async fn patch(&self, path: &str, how: Patch, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some((how.content_type(), body))).await
    }

    /// `PATCH path` of a server that may not be there.
    pub async fn try_patch(&self, path: &str, how: Patch, body: &Value) -> reqwest::Result<Answer> {
        self.try_send(Method::PATCH, path, Some((how.content_type(), body))).await
    }

    /// `DELETE path`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Makes an object.
    pub async fn create(&self, object: &Value) -> Answer {
        self.post(&self.collection(object).await, object).await
    }

    /// Server-side apply: an unknown field is refused, what exists is changed. A dry run changes nothing.
    pub async fn apply(&self, object: &Value, dry_run: bool) -> Answer {
        let query = if dry_run { "&dryRun=All" } else { "" };
        let path = format!("{}?fieldManager=test&force=true{query}", self.path(object).await);
        self.patch(&path, Patch::Apply, object).await
    }

    /// Where an object lies, by its kind, namespace and name.
    pub async fn path(&self, object: &Value) -> String {
        format!("{}/{}", self.collection(object).await, text(object, "/metadata/name"))
    }

    /// Whether this role may do it, by the server's own word.
    pub async fn may(&self, verb: &str, group: &str, resource: &str) -> bool {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let attributes = serde_json::json!({
            "verb": verb, "group": group, "resource": resource, "subresource": subresource
        });
        let review = serde_json::json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes}
        });
        let answer = self.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await;
        answer.ok()["status"]["allowed"] == true
    }

    /// Waits until what lies at `path` satisfies `is`, which picks what the test wants from it.
    pub async fn wait_for<T>(&self, path: &str, what: &str, is: impl Fn(&Value) -> Option<T>) -> T {
        wait_until(LIMIT, what, async || {
            let answer = self.try_get(path).await.ok()?;
            answer.status.is_success().then(|| is(&answer.body))?
        })
        .await
    }

    /// The folder of an object's kind, which the server knows the plural of.
    async fn collection(&self, object: &Value) -> String {
        let (version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
        let api = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        let known = self.get(&api).await.ok();
        let is_it = |one: &&Value| one["kind"] == *kind && !text(one, "/name").contains('/');
        let found = known["resources"].as_array().into_iter().flatten().find(is_it);
        let found = found.unwrap_or_else(|| panic!("{api} has no {kind}: {known:#}"));
        let plural = text(found, "/name");
        if found["namespaced"] == true {
            format!("{api}/namespaces/{}/{plural}", text(object, "/metadata/namespace"))
        } else {
            format!("{api}/{plural}")
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<(&str, &Value)>) -> Answer {
        let sent = self.try_send(method, path, body).await;
        sent.unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> reqwest::Result<Answer> {
        let asked = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some((content_type, body)) = body {
            request = request.header("Content-Type", content_type).body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, body, asked })
    }
}
