//! Stands in front of the API server: passes everything on, watches too, and does with writes of
//! counts what the test says.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use reqwest::Certificate;
use serde_json::json;
use tokio::sync::watch;

use super::{Kubernetes, identity};
use crate::support::now_ms;
use crate::support::server::Server;

/// What becomes of writes of counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Writes {
    /// They are passed on.
    Pass,
    /// So many of them are answered 409, as where somebody else wrote the object at the same time.
    Conflict(usize),
    /// They are answered 429 with so many seconds in `Retry-After`.
    Throttle(u32),
    /// They wait here until they are passed on.
    Hold,
    /// They are passed on, and what the API server says of them is kept back.
    Mute,
}

struct Inner {
    upstream: String,
    client: reqwest::Client,
    writes: watch::Sender<Writes>,
    /// When each write arrived, in milliseconds since the epoch.
    seen: Mutex<Vec<i64>>,
}

/// A proxy that speaks plain HTTP on its own side.
pub struct Front {
    server: Server,
    inner: Arc<Inner>,
    folder: PathBuf,
    upstream_kubeconfig: PathBuf,
}

impl Front {
    /// Starts in front of a cluster, for one of its roles.
    pub fn start(kubernetes: &Kubernetes, role: &str) -> Self {
        let folder = kubernetes.folder.path().to_owned();
        let authority = std::fs::read(folder.join(identity::AUTHORITY)).unwrap();
        let client =
            reqwest::Client::builder().tls_certs_only([Certificate::from_pem(&authority).unwrap()]).build();
        let inner = Arc::new(Inner {
            upstream: kubernetes.url(),
            client: client.unwrap(),
            writes: watch::Sender::new(Writes::Pass),
            seen: Mutex::default(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        let server = Server::start(router);
        Self { server, inner, folder, upstream_kubeconfig: kubernetes.kubeconfig(role) }
    }

    /// A kubeconfig file that leads here.
    pub fn kubeconfig(&self) -> PathBuf {
        let text = std::fs::read_to_string(&self.upstream_kubeconfig).unwrap();
        let path = self.folder.join("front.kubeconfig");
        let here = format!("http://{}", self.server.address());
        std::fs::write(&path, text.replace(&self.inner.upstream, &here)).unwrap();
        path
    }

    /// From now on this becomes of writes; those that are held are passed on unless it is `Hold`.
    pub fn writes(&self, writes: Writes) {
        self.inner.writes.send_replace(writes);
    }

    /// When each write arrived so far, in milliseconds since the epoch.
    pub fn seen(&self) -> Vec<i64> {
        self.inner.seen.lock().unwrap().clone()
    }
}

async fn pass(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let is_write = method == Method::PATCH && uri.path().ends_with("/scale");
    if is_write {
        inner.seen.lock().unwrap().push(now_ms());
        if let Some(answer) = refuse(&inner).await {
            return answer;
        }
    }
    let mut request = inner.client.request(method, format!("{}{uri}", inner.upstream)).body(body);
    for name in [header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let Ok(answer) = request.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    if is_write && *inner.writes.borrow() == Writes::Mute {
        std::future::pending::<()>().await;
    }
    let (status, kind) = (answer.status(), answer.headers().get(header::CONTENT_TYPE).cloned());
    let mut response = (status, Body::from_stream(answer.bytes_stream())).into_response();
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

/// The answer of a write that is not passed on.
async fn refuse(inner: &Inner) -> Option<Response> {
    let mut changes = inner.writes.subscribe();
    let writes = *changes.wait_for(|writes| *writes != Writes::Hold).await.ok()?;
    match writes {
        Writes::Pass | Writes::Hold | Writes::Mute => None,
        Writes::Conflict(left) => {
            inner.writes.send_replace(if left > 1 { Writes::Conflict(left - 1) } else { Writes::Pass });
            let message = "Operation cannot be fulfilled: the object has been modified";
            Some(status(StatusCode::CONFLICT, "Conflict", message))
        }
        Writes::Throttle(after) => {
            let message = "the server has received too many requests and has asked us to try again later";
            let mut answer = status(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after));
            Some(answer)
        }
    }
}

fn status(code: StatusCode, reason: &str, message: &str) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "reason": reason, "message": message, "code": code.as_u16(),
    });
    (code, axum::Json(body)).into_response()
}
