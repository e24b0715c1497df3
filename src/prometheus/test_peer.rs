//! A server for tests that answers byte by byte what it is told, which no real Prometheus would.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Client, SourceConfig, SourceSettings};
use crate::engine::sample::{Answer, FailureKind, Query};
use crate::slo::time::{Span, Ts};

/// Ends with its tasks when dropped.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    requests: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Peer {
    /// Calls `answer` with each connection, its first request, and the number of requests before it.
    pub(super) async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(TcpStream, String, usize) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let (count, answer) = (Arc::clone(&requests), Arc::new(answer));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let (count, answer) = (Arc::clone(&count), Arc::clone(&answer));
                connections.spawn(async move {
                    let request = request(&mut stream).await;
                    let before = count.fetch_add(1, Ordering::SeqCst);
                    answer(stream, request, before).await;
                });
            }
        });
        Self { address, requests, _tasks: tasks }
    }

    /// Answers every request with these bytes and hangs up.
    pub(super) async fn says(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |mut stream, _, _| {
            let bytes = bytes.clone();
            async move {
                let _ = stream.write_all(&bytes).await;
            }
        })
        .await
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(super) fn settings(&self) -> SourceSettings {
        SourceSettings::new("local", format!("http://{}", self.address))
    }

    pub(super) fn client(&self) -> Client {
        client(self.settings())
    }
}

pub(super) fn client(settings: SourceSettings) -> Client {
    install_provider();
    Client::new(SourceConfig::check(settings).unwrap()).unwrap()
}

/// Another test may have been first.
pub(super) fn install_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Head and form of a request; empty if the client hung up.
pub(super) async fn request(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|l| l.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |l| l.parse().unwrap()) {
                return text;
            }
        }
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => seen.extend_from_slice(&chunk[..n]),
            _ => return String::new(),
        }
    }
}

/// A whole HTTP response.
pub(super) fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
}

/// The answer to an instant query that finds nothing.
pub(super) fn nothing() -> String {
    response("200 OK", "", r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#)
}

pub(super) fn instant(promql: &str) -> Query {
    Query {
        source: "local".into(),
        promql: promql.into(),
        start: Ts(1_795_337_155),
        end: Ts(1_795_337_155),
        every: Span::from_secs(30),
    }
}

#[track_caller]
pub(super) fn failed(answer: Answer) -> (FailureKind, String) {
    match answer {
        Answer::Failed(failure) => (failure.kind, failure.message),
        other @ Answer::Frames { .. } => panic!("{other:?}"),
    }
}

/// For what comes at once, on however busy a machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// For what never comes.
const DEADLINE: Duration = Duration::from_millis(600);

/// Asks a peer that answers or refuses.
pub(super) async fn ask(client: &Client) -> Answer {
    client.ask(&instant("up"), PATIENCE).await
}

/// Asks a peer that hangs, and makes sure that the deadline holds.
pub(super) async fn ask_in_vain(client: &Client) -> (FailureKind, String) {
    let began = tokio::time::Instant::now();
    let answer = client.ask(&instant("up"), DEADLINE).await;
    assert!(began.elapsed() < DEADLINE * 4, "answered only after {:?}", began.elapsed());
    failed(answer)
}
