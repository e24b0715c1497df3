//! Real connections: slow ones, and the end.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::server::{Limits, serve_within};

const PATIENCE: Duration = Duration::from_secs(20);
const ASK: &[u8] = b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n";

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    /// Lets the handler answer.
    go: CancellationToken,
    /// The handler has begun.
    begun: CancellationToken,
}

async fn server(limits: Limits) -> Server {
    let (go, begun, shutdown) =
        (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let (wait, begin) = (go.clone(), begun.clone());
    let router = Router::new().route(
        "/slow",
        get(move || async move {
            begin.cancel();
            wait.cancelled().await;
            "done"
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = TaskTracker::new().spawn(serve_within(limits, listener, router, shutdown.clone()));
    Server { address, shutdown, task, go, begun }
}

const QUICK: Limits = Limits { headers: Duration::from_millis(200), connections: 2, drain: PATIENCE };

async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut text)).await.expect("the server closes");
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn slow_headers_do_not_hold_a_connection_for_ever() {
    let server = server(QUICK).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    silent.write_all(b"GET /slow HTTP/1.1\r\nho").await.unwrap();
    let idle = TcpStream::connect(server.address).await.unwrap();
    assert!(!rest(silent).await.contains("200 OK"));
    assert_eq!(rest(idle).await, "");
    // Both places are free again.
    server.go.cancel();
    let mut good = TcpStream::connect(server.address).await.unwrap();
    good.write_all(ASK).await.unwrap();
    assert!(rest(good).await.contains("done"));
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_end() {
    let server = server(Limits { headers: PATIENCE, ..QUICK }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(ASK).await.unwrap();
    timeout(PATIENCE, server.begun.cancelled()).await.unwrap();
    server.shutdown.cancel();
    assert!(!server.task.is_finished());
    server.go.cancel();
    assert!(rest(stream).await.contains("done"));
    timeout(PATIENCE, server.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_the_end() {
    let limits = Limits { headers: PATIENCE, connections: 2, drain: Duration::from_millis(100) };
    let server = server(limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(ASK).await.unwrap();
    timeout(PATIENCE, server.begun.cancelled()).await.unwrap();
    server.shutdown.cancel();
    timeout(PATIENCE, server.task).await.unwrap().unwrap();
}
