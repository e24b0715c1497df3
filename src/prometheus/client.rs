//! One source's query API: a query goes out, an answer or a reason comes back, in time.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use chrono::DateTime;
use reqwest::header::{ACCEPT_ENCODING, CACHE_CONTROL, DATE, HOST, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::config::{Auth, SourceConfig};
use super::decode::decode;
use super::fault::{Fault, from_transport};
use super::http::{ClientError, Http};
use super::refusal::excerpt;
use crate::engine::sample::{Answer, Failure, FailureKind, Query};
use crate::slo::time::Ts;

/// Error pages need no more.
const MAX_ERROR_BYTES: usize = 256 * 1024;
/// Answers beyond this are decoded off the runtime's threads.
const LARGE_BYTES: usize = 256 * 1024;

/// Answers of so few points are not worth compressing: it costs Prometheus over a millisecond of
/// processor time for each answer, more than a tick's query itself.
const FEW_POINTS: i64 = 10;

/// Asks one source. Cheap to share; holds its connections.
pub struct Client {
    config: SourceConfig,
    http: Http,
    /// Large answers are decoded one at a time, also those that nobody waits for any more: as they are
    /// decoded they take more memory than on the wire.
    decoding: Arc<Semaphore>,
}

/// An answer and what came with it.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) answer: Answer,
    /// Bytes of the answer after decompression.
    pub(super) bytes: u64,
    /// The server's `Date`, and when its headers were here.
    pub(super) date: Option<(Ts, Instant)>,
}

impl Client {
    /// Reads the source's certificates; needs no network. A TLS provider must be installed.
    pub fn new(config: SourceConfig) -> Result<Self, ClientError> {
        let http = Http::new(&config)?;
        Ok(Self { config, http, decoding: Arc::new(Semaphore::new(1)) })
    }

    /// The checked settings.
    pub fn config(&self) -> &SourceConfig {
        &self.config
    }

    #[cfg(test)]
    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// Asks, and answers within `deadline` or the source's timeout, whichever is shorter.
    pub async fn ask(&self, query: &Query, deadline: Duration) -> Answer {
        self.exchange(query, deadline).await.answer
    }

    /// As [`Client::ask`]. A connection that breaks, also behind a gateway, is tried again, twice at
    /// most, within the same time.
    pub(super) async fn exchange(&self, query: &Query, deadline: Duration) -> Reply {
        let limit = deadline.min(self.config.timeout);
        let end = Instant::now() + limit;
        let timed_out = || {
            let message = format!("gave no whole answer within {limit:?}; it is slow, or the query is heavy");
            Fault::lasting(FailureKind::Timeout, message)
        };
        let outcome = tokio::time::timeout_at(end, self.attempts(query, end)).await;
        let mut reply = outcome.unwrap_or_else(|_| Err(timed_out())).unwrap_or_else(|fault| Reply {
            answer: Answer::Failed(fault.failure),
            bytes: 0,
            date: None,
        });
        if let Answer::Failed(failure) = &mut reply.answer {
            let what = &failure.message;
            failure.message = format!("source `{}` at {} {what}", self.config.name, self.config.base);
        }
        reply
    }

    /// What the server says it is, such as `2.42.0`; `None` where it does not say, or is not there.
    /// Servers other than Prometheus give versions of their own.
    pub async fn version(&self, deadline: Duration) -> Option<String> {
        #[derive(Deserialize)]
        struct BuildInfo {
            data: Version,
        }
        #[derive(Deserialize)]
        struct Version {
            version: String,
        }
        let asked = async {
            let request = self.request(Method::GET, "api/v1/status/buildinfo").await.ok()?;
            let response = request.send().await.ok().filter(|r| r.status().is_success())?;
            let body = read_body(response, MAX_ERROR_BYTES).await.ok()?;
            Some(excerpt(&serde_json::from_slice::<BuildInfo>(&body).ok()?.data.version))
        };
        tokio::time::timeout(deadline.min(self.config.timeout), asked).await.ok().flatten()
    }

    async fn attempts(&self, query: &Query, end: Instant) -> Result<Reply, Fault> {
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(100))
            .with_factor(3.0)
            .with_max_times(2)
            .with_jitter()
            .build();
        loop {
            match self.attempt(query, end).await {
                Err(fault) if fault.retry => match pauses.next().map(|pause| Instant::now() + pause) {
                    // Without time for another attempt, the reason says more than a timeout would.
                    Some(again) if again < end => tokio::time::sleep_until(again).await,
                    _ => return Err(fault),
                },
                outcome => return outcome,
            }
        }
    }

    async fn attempt(&self, query: &Query, end: Instant) -> Result<Reply, Fault> {
        let path = if query.start == query.end { "api/v1/query" } else { "api/v1/query_range" };
        let left = left(end);
        let mut request = self.request(Method::POST, path).await?.form(&self.form(query, left));
        if points(query) <= FEW_POINTS {
            request = request.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let response = request.send().await.map_err(|e| from_transport(&e))?;
        let date = date(response.headers()).map(|date| (date, Instant::now()));
        let code = response.status();
        let to = location(&response);
        let body = if code.is_success() {
            read_body(response, self.config.max_response_bytes).await?
        } else {
            read_head(response, MAX_ERROR_BYTES).await?
        };
        let bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let mut answer = self.decoded(code.as_u16(), body, query).await;
        if let (Answer::Failed(failure), Some(to)) = (&mut answer, to) {
            failure.message.push_str(&to);
        }
        match answer {
            // A gateway found nobody behind it. There may be others, and the next one may be there.
            Answer::Failed(failure) if code == StatusCode::BAD_GATEWAY => Err(Fault { failure, retry: true }),
            answer => Ok(Reply { answer, bytes, date }),
        }
    }

    /// A request with credentials and headers as they are now.
    async fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Fault> {
        let config = &self.config;
        let unreadable = |why: String| Fault { retry: true, ..Fault::lasting(FailureKind::Unreachable, why) };
        let mut url = config.base.join(path).map_err(|e| unreadable(e.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(name) = &config.tls.server_name {
            headers.insert(HOST, authority(&url).map_err(unreadable)?);
            url.set_host(Some(name)).map_err(|e| unreadable(e.to_string()))?;
        }
        for (name, secret) in &config.headers {
            let text = secret.read().await.map_err(|e| unreadable(e.to_string()))?;
            let invalid =
                || unreadable(format!("the header `{name}` holds a character that no header may hold"));
            let mut value = HeaderValue::from_str(&text).map_err(|_| invalid())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let request = self.http.current(config).await.request(method, url).headers(headers);
        Ok(match &config.auth {
            None => request,
            Some(Auth::Bearer(token)) => {
                request.bearer_auth(token.read().await.map_err(|e| unreadable(e.to_string()))?)
            }
            Some(Auth::Basic { username, password: None }) => request.basic_auth(username, None::<&str>),
            Some(Auth::Basic { username, password: Some(password) }) => request
                .basic_auth(username, Some(password.read().await.map_err(|e| unreadable(e.to_string()))?)),
        })
    }

    /// Large answers take milliseconds to decode, which would hold up everything else on this thread.
    async fn decoded(&self, code: u16, body: Vec<u8>, query: &Query) -> Answer {
        if body.len() < LARGE_BYTES {
            return decode(code, &body, query);
        }
        let turn = Arc::clone(&self.decoding).acquire_owned().await;
        let query = query.clone();
        let decoding = tokio::task::spawn_blocking(move || {
            let answer = decode(code, &body, &query);
            drop((body, turn));
            answer
        });
        decoding.await.unwrap_or_else(|why| {
            let message = format!("cannot be decoded: {why}");
            Answer::Failed(Failure { kind: FailureKind::Garbage, message })
        })
    }

    /// `timeout` makes the server give up when we do. `nocache` and `latency_offset` are for
    /// VictoriaMetrics, which otherwise answers flat copies for the newest slices; they are always
    /// sent, because others ignore them and a `kind` left at its default must not give false counts.
    fn form(&self, query: &Query, left: Duration) -> Vec<(String, String)> {
        let mut form =
            vec![("query", query.promql.clone()), ("timeout", format!("{}ms", left.as_millis().max(1)))];
        if query.start == query.end {
            form.push(("time", query.start.0.to_string()));
        } else {
            form.push(("start", query.start.0.to_string()));
            form.push(("end", query.end.0.to_string()));
            form.push(("step", query.every.secs().max(1).to_string()));
        }
        let quirks = [("nocache", "1"), ("latency_offset", "1ms")];
        let unset = |name: &str| !self.config.params.iter().any(|(set, _)| set == name);
        form.extend(quirks.into_iter().filter(|(name, _)| unset(name)).map(|(name, v)| (name, v.to_owned())));
        let own = form.into_iter().map(|(name, value)| (name.to_owned(), value));
        own.chain(self.config.params.iter().cloned()).collect()
    }
}

/// How long it is until then.
pub(super) fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

fn points(query: &Query) -> i64 {
    query.end.since(query.start).secs() / query.every.secs().max(1) + 1
}

fn location(response: &Response) -> Option<String> {
    let to = response.headers().get(LOCATION)?.to_str().ok()?;
    Some(format!(" (it points to {})", excerpt(to)))
}

fn authority(url: &Url) -> Result<HeaderValue, String> {
    let host = url.host_str().unwrap_or_default();
    let text = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    HeaderValue::from_str(&text).map_err(|e| e.to_string())
}

fn date(headers: &HeaderMap) -> Option<Ts> {
    let text = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| Ts(date.timestamp()))
}

/// The body, up to `limit` bytes after decompression.
async fn read_body(mut response: Response, limit: usize) -> Result<Vec<u8>, Fault> {
    let too_large = || {
        let message =
            format!("answered more than {limit} bytes; narrow the query, or raise `maxResponseBytes`");
        Fault::lasting(FailureKind::TooLarge, message)
    };
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |announced| announced > limit) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| from_transport(&e))? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The beginning of an error page; its end does not matter.
async fn read_head(mut response: Response, most: usize) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while body.len() < most {
        let Some(chunk) = response.chunk().await.map_err(|e| from_transport(&e))? else { break };
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
