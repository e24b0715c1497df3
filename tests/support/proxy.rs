//! Stands between Damper and a Prometheus: records what is asked, and spoils answers on command.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::{TimeDelta, Utc};
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::now_ms;
use super::server::Server;
use super::wait::pass as let_pass;

/// How an answer begins that never ends.
const BEGIN: &str = r#"{"status":"success","data":{"resultType":"matrix","result":["#;

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
    /// The beginning of an answer, and nothing more.
    Cut,
    /// A byte a second.
    Drip,
    /// So many bytes.
    Flood(u64),
    /// The real answer, changed.
    Change(fn(&mut Value)),
}

/// When which answers are spoiled.
#[derive(Clone)]
struct Rule {
    /// What a query must contain.
    part: String,
    spoil: Spoil,
    /// One of two answers, as a second server at the same address gives.
    some: bool,
}

/// A server's clock against the real one, in seconds.
#[derive(Clone, Copy, Default)]
struct Apart {
    /// What its `Date` says.
    date: i64,
    /// What its samples say.
    samples: i64,
    /// One of two answers is of this clock.
    some: bool,
}

struct Inner {
    upstream: String,
    client: reqwest::Client,
    questions: Mutex<Vec<Question>>,
    spoiled: Mutex<Vec<Rule>>,
    apart: Mutex<Apart>,
    /// What is asked for in every request; 401 without it.
    required: Mutex<Option<(String, String)>>,
    served: AtomicU64,
}

/// A proxy at [`url`](Self::url).
pub struct Proxy {
    server: Server,
    inner: Arc<Inner>,
    /// A socket whose queue is full, and what is in it.
    stalled: Option<(TcpListener, Vec<TcpStream>)>,
}

impl Proxy {
    /// Starts in front of `upstream` (`http://host:port`).
    pub fn start(upstream: &str) -> Self {
        let inner = Arc::new(Inner {
            upstream: upstream.to_owned(),
            client: reqwest::Client::new(),
            questions: Mutex::default(),
            spoiled: Mutex::default(),
            apart: Mutex::default(),
            required: Mutex::default(),
            served: AtomicU64::new(0),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        Self { server: Server::start(router), inner, stalled: None }
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
        let rule = Rule { part: part.to_owned(), spoil, some: false };
        self.inner.spoiled.lock().unwrap().push(rule);
    }

    /// From now on one of two answers is that of a second server at the same address.
    pub fn spoil_some(&self, spoil: Spoil) {
        let rule = Rule { part: String::new(), spoil, some: true };
        self.inner.spoiled.lock().unwrap().push(rule);
    }

    /// From now on its clock, by its `Date` and its samples, is so many seconds ahead.
    pub fn clock(&self, ahead: i64) {
        *self.inner.apart.lock().unwrap() = Apart { date: ahead, samples: ahead, some: false };
    }

    /// From now on one of two answers is that of a second server with such a clock.
    pub fn clock_of_some(&self, ahead: i64) {
        *self.inner.apart.lock().unwrap() = Apart { date: ahead, samples: ahead, some: true };
    }

    /// From now on requests without this header are not authorized.
    pub fn require(&self, header: &str, value: &str) {
        *self.inner.required.lock().unwrap() = Some((header.to_owned(), value.to_owned()));
    }

    /// All answers are Prometheus's own again.
    pub fn heal(&self) {
        self.inner.spoiled.lock().unwrap().clear();
        *self.inner.apart.lock().unwrap() = Apart::default();
    }

    /// Connections hang from now on: nobody takes them, and the queue is full.
    pub async fn stall(&mut self) {
        self.server.down();
        let address: SocketAddr = self.server.address().parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut queued = Vec::new();
        let moment = Duration::from_millis(200);
        while let Ok(Ok(stream)) = tokio::time::timeout(moment, TcpStream::connect(address)).await {
            queued.push(stream);
        }
        self.stalled = Some((listener, queued));
    }

    /// Connections are refused from now on.
    pub fn down(&mut self) {
        self.server.down();
    }

    /// Listens again.
    pub fn up(&mut self) {
        self.stalled = None;
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
    let spoil = inner.spoil(question.query());
    inner.questions.lock().unwrap().push(question.clone());
    if !inner.is_authorized(&headers) {
        return (StatusCode::UNAUTHORIZED, "no org id").into_response();
    }
    match &spoil {
        Some(Spoil::Say(status, text)) => {
            return (StatusCode::from_u16(*status).unwrap(), text.clone()).into_response();
        }
        Some(Spoil::Hang) => std::future::pending().await,
        Some(Spoil::Cut) => return streamed(stream::iter([Bytes::from(BEGIN)]).chain(stream::pending())),
        Some(Spoil::Drip) => return streamed(drip()),
        Some(Spoil::Flood(bytes)) => return streamed(flood(*bytes)),
        Some(Spoil::Change(_)) | None => {}
    }
    let apart = inner.apart();
    let mut request = inner.client.request(method, format!("{}{uri}", inner.upstream));
    request = match apart.samples {
        0 => request.body(body),
        ahead => request.body(earlier(&question.parameters, ahead)),
    };
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    let Ok(answer) = request.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, kind) = (answer.status(), answer.headers().get(header::CONTENT_TYPE).cloned());
    let Ok(mut body) = answer.bytes().await else { return StatusCode::BAD_GATEWAY.into_response() };
    if let Some(Spoil::Change(change)) = spoil {
        body = changed(&body, change);
    }
    if apart.samples != 0 {
        body = changed(&body, |answer| later(&mut answer["data"]["result"], apart.samples));
    }
    let mut response = (status, body).into_response();
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    if apart.date != 0 {
        let date = Utc::now() + TimeDelta::seconds(apart.date);
        let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        response.headers_mut().insert(header::DATE, HeaderValue::try_from(date).unwrap());
    }
    response
}

impl Inner {
    fn spoil(&self, query: &str) -> Option<Spoil> {
        let other = self.is_other();
        let spoiled = self.spoiled.lock().unwrap();
        let rule = spoiled.iter().find(|rule| query.contains(&rule.part) && (!rule.some || other));
        rule.map(|rule| rule.spoil.clone())
    }

    fn apart(&self) -> Apart {
        let apart = *self.apart.lock().unwrap();
        if apart.some && !self.is_other() { Apart::default() } else { apart }
    }

    /// Whether the other one of two servers answers: the top bit of multiples of the golden ratio, half
    /// of all and in no short cycle.
    fn is_other(&self) -> bool {
        let served = self.served.fetch_add(1, Ordering::Relaxed);
        served.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63 == 1
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let required = self.required.lock().unwrap();
        required.as_ref().is_none_or(|(name, value)| headers.get(name).is_some_and(|has| has == value))
    }
}

fn streamed(chunks: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    Body::from_stream(chunks.map(Ok::<_, Infallible>)).into_response()
}

fn drip() -> impl Stream<Item = Bytes> {
    stream::unfold(0, |at| async move {
        let_pass(Duration::from_secs(1)).await;
        Some((Bytes::from(BEGIN.get(at..=at)?), at + 1))
    })
}

/// The beginning of an answer, and then one value after the other.
fn flood(bytes: u64) -> impl Stream<Item = Bytes> {
    let chunk = Bytes::from("[1,\"1\"],".repeat(8192));
    let chunks = bytes / u64::try_from(chunk.len()).unwrap();
    let begin = format!("{BEGIN}{{\"metric\":{{}},\"values\":[");
    let rest = stream::iter(0..chunks).map(move |_| chunk.clone());
    stream::iter([Bytes::from(begin)]).chain(rest)
}

/// The form that asks for so many seconds before.
fn earlier(parameters: &BTreeMap<String, String>, ahead: i64) -> String {
    let mut url = reqwest::Url::parse("http://form/").unwrap();
    for (name, value) in parameters {
        let time = ["time", "start", "end"].contains(&name.as_str()).then(|| value.parse::<i64>().unwrap());
        let value = time.map_or_else(|| value.clone(), |time| (time - ahead).to_string());
        url.query_pairs_mut().append_pair(name, &value);
    }
    url.query().unwrap_or_default().to_owned()
}

/// Moves the times of points, the first of two elements each.
fn later(result: &mut Value, ahead: i64) {
    match result {
        Value::Array(list) if list.len() == 2 && list[0].is_number() => {
            let time = list[0].as_f64().unwrap();
            #[expect(clippy::cast_precision_loss, reason = "an hour")]
            let later = time + ahead as f64;
            list[0] = later.into();
        }
        Value::Array(list) => list.iter_mut().for_each(|each| later(each, ahead)),
        Value::Object(fields) => fields.values_mut().for_each(|each| later(each, ahead)),
        _ => {}
    }
}

fn changed(body: &[u8], change: impl Fn(&mut Value)) -> Bytes {
    let Ok(mut answer) = serde_json::from_slice::<Value>(body) else { return Bytes::copy_from_slice(body) };
    change(&mut answer);
    answer.to_string().into()
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
