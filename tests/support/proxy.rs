//! Stands between Damper and a Prometheus: records what is asked, and spoils answers on command.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::now_ms;
use super::server::Server;

/// One question as it passed.
#[derive(Clone, Debug)]
pub struct Question {
    /// Milliseconds since the epoch.
    pub at: i64,
    /// `/api/v1/query_range` and the like.
    pub path: String,
    /// Parameters of the address and of the form.
    pub parameters: BTreeMap<String, String>,
}

impl Question {
    /// The PromQL.
    pub fn query(&self) -> &str {
        self.parameters.get("query").map_or("", String::as_str)
    }

    /// A time among the parameters, in seconds.
    pub fn seconds(&self, name: &str) -> Option<f64> {
        self.parameters.get(name)?.parse().ok()
    }
}

/// An answer instead of the real one.
#[derive(Clone, Debug)]
pub enum Spoil {
    /// This status with this body.
    Say(u16, String),
    /// No answer at all.
    Hang,
}

struct Inner {
    upstream: String,
    client: reqwest::Client,
    questions: Mutex<Vec<Question>>,
    /// What a query must contain, and what is said then.
    spoiled: Mutex<Vec<(String, Spoil)>>,
}

/// A proxy at [`url`](Self::url).
pub struct Proxy {
    server: Server,
    inner: Arc<Inner>,
}

impl Proxy {
    /// Starts in front of `upstream` (`http://host:port`).
    pub fn start(upstream: &str) -> Self {
        let inner = Arc::new(Inner {
            upstream: upstream.to_owned(),
            client: reqwest::Client::new(),
            questions: Mutex::default(),
            spoiled: Mutex::default(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        Self { server: Server::start(router), inner }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Everything that was asked so far.
    pub fn questions(&self) -> Vec<Question> {
        self.inner.questions.lock().unwrap().clone()
    }

    /// Forgets what was asked so far.
    pub fn forget(&self) {
        self.inner.questions.lock().unwrap().clear();
    }

    /// From now on queries that contain `part` are answered so.
    pub fn spoil(&self, part: &str, spoil: Spoil) {
        self.inner.spoiled.lock().unwrap().push((part.to_owned(), spoil));
    }

    /// All answers are Prometheus's own again.
    pub fn heal(&self) {
        self.inner.spoiled.lock().unwrap().clear();
    }

    /// Connections are refused from now on.
    pub fn down(&mut self) {
        self.server.down();
    }

    /// Listens again.
    pub fn up(&mut self) {
        self.server.up();
    }
}

async fn pass(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let question =
        Question { at: now_ms(), path: uri.path().to_owned(), parameters: parameters(&uri, &body) };
    let spoil = {
        let spoiled = inner.spoiled.lock().unwrap();
        spoiled.iter().find(|(part, _)| question.query().contains(part)).map(|(_, spoil)| spoil.clone())
    };
    inner.questions.lock().unwrap().push(question);
    match spoil {
        Some(Spoil::Say(status, text)) => {
            return (StatusCode::from_u16(status).unwrap(), text).into_response();
        }
        Some(Spoil::Hang) => std::future::pending().await,
        None => {}
    }
    let mut request = inner.client.request(method, format!("{}{uri}", inner.upstream)).body(body);
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    let Ok(answer) = request.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, kind) = (answer.status(), answer.headers().get(header::CONTENT_TYPE).cloned());
    let Ok(body) = answer.bytes().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let mut response = (status, body).into_response();
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

fn parameters(uri: &Uri, form: &[u8]) -> BTreeMap<String, String> {
    let text = format!(
        "http://form/?{}&{}",
        uri.query().unwrap_or_default(),
        std::str::from_utf8(form).unwrap_or_default()
    );
    let url = reqwest::Url::parse(&text).unwrap();
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}
