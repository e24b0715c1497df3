//! What a real Prometheus cannot be made to do: each ends in time, with the right culprit and words.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use super::test_peer::{PATIENCE, Peer, ask, ask_in_vain, client, failed, instant, nothing, response};
use super::{SourceConfig, SourceSettings};
use crate::engine::sample::{Answer, FailureKind, Query};
use crate::secret::Secret;
use crate::slo::time::{Span, Ts};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

/// Asks a peer that says these bytes and hangs up.
async fn said(bytes: impl Into<Vec<u8>>) -> (FailureKind, String) {
    failed(ask(&Peer::says(bytes).await.client()).await)
}

/// Asks a peer that says these bytes and then keeps the connection open.
async fn hangs_after(bytes: &'static str) -> FailureKind {
    let peer = Peer::start(move |mut stream, _, _| async move {
        let _ = stream.write_all(bytes.as_bytes()).await;
        std::future::pending::<()>().await;
    })
    .await;
    ask_in_vain(&peer.client()).await.0
}

#[tokio::test]
async fn a_peer_that_hangs_at_any_point_is_a_timeout() {
    for bytes in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"status\":"] {
        assert_eq!(hangs_after(bytes).await, FailureKind::Timeout, "{bytes:?}");
    }
}

#[tokio::test]
async fn a_host_that_takes_no_connection_is_a_timeout() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts: once the queue is full, connecting hangs.
    let mut queued = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await
    {
        queued.push(stream);
    }
    let settings = SourceSettings::new("local", format!("http://{address}"));
    let (kind, message) = ask_in_vain(&client(settings)).await;
    assert_eq!(kind, FailureKind::Timeout, "{message}");
}

#[tokio::test]
async fn a_tls_handshake_that_hangs_is_a_timeout() {
    let peer = Peer::start(|_stream, _, _| std::future::pending()).await;
    let settings = SourceSettings::new("local", format!("https://{}", peer.address));
    assert_eq!(ask_in_vain(&client(settings)).await.0, FailureKind::Timeout);
}

#[tokio::test]
async fn a_byte_at_a_time_is_a_timeout() {
    let peer = Peer::start(|mut stream, _, _| async move {
        for byte in nothing().bytes() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    })
    .await;
    assert_eq!(ask_in_vain(&peer.client()).await.0, FailureKind::Timeout);
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_the_limit() {
    let peer = Peer::start(|mut stream, _, _| async move {
        let _ = stream.write_all(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).await;
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    let mut settings = peer.settings();
    settings.max_response_bytes = 1 << 20;
    let (kind, message) = failed(ask(&client(settings)).await);
    assert_eq!(kind, FailureKind::TooLarge);
    assert!(message.contains("maxResponseBytes"), "{message}");
}

#[tokio::test]
async fn two_announced_gigabytes_are_not_waited_for() {
    let (kind, _) = said(format!("{HEAD}Content-Length: 2147483648\r\n\r\n ")).await;
    assert_eq!(kind, FailureKind::TooLarge);
}

#[tokio::test]
async fn a_small_answer_that_unpacks_to_a_large_one_is_cut_too() {
    // 200,000 blanks, compressed to 230 bytes.
    let mut packed = hex("1f8b08000000000002ffedc13101000000c2a02aeb9fd20cfe4001");
    packed.resize(230 - 10, 0);
    packed.extend(hex("af0131616210400d0300"));
    let mut settings = gzipped(&packed).await;
    assert_eq!(
        failed(ask(&client(settings.1.clone())).await).0,
        FailureKind::Garbage,
        "blanks are no answer"
    );
    settings.1.max_response_bytes = 100_000;
    assert_eq!(failed(ask(&client(settings.1)).await).0, FailureKind::TooLarge);
}

#[tokio::test]
async fn compressed_answers_are_read_and_broken_ones_are_garbage() {
    let packed = hex(concat!(
        "1f8b0800000000000203ab562a2e492c292d56b2522a2e4d4e4e2d2e56d2514a492c4954b2aa562a4a2d2ecd2909a92c",
        "48054a97a52697e417016521a24a56d1b1b5b500a40052393f000000"
    ));
    let whole = gzipped(&packed).await;
    assert!(matches!(ask(&client(whole.1)).await, Answer::Frames { .. }));
    for broken in [&packed[..40], &packed[20..], &[]] {
        let peer = gzipped(broken).await;
        let (kind, message) = failed(ask(&client(peer.1)).await);
        assert!(matches!(kind, FailureKind::Garbage | FailureKind::Unreachable), "{kind:?} {message}");
    }
}

async fn gzipped(body: &[u8]) -> (Peer, SourceSettings) {
    let mut bytes = format!(
        "{HEAD}Content-Encoding: gzip\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    let peer = Peer::says(bytes).await;
    let settings = peer.settings();
    (peer, settings)
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

#[tokio::test]
async fn what_is_not_http_or_far_too_much_of_it_speaks_against_the_source() {
    for bytes in [
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        format!("{HEAD}X-Long: {}\r\n\r\n", "a".repeat(2_000_000)),
        format!("{HEAD}{}\r\n", "X-Many: a\r\n".repeat(2000)),
        String::new(),
    ] {
        let (kind, message) = said(bytes).await;
        assert_eq!(kind, FailureKind::Unreachable, "{message}");
        assert!(message.starts_with("source `local` at http://127.0.0.1:"), "{message}");
    }
}

#[tokio::test]
async fn foreign_answers_say_what_to_do() {
    for (bytes, kind, words) in [
        (
            response("302 Found", "Location: http://elsewhere/login\r\n", ""),
            FailureKind::ServerError,
            "elsewhere",
        ),
        (response("401 Unauthorized", "", "who?"), FailureKind::ServerError, "bearer token"),
        (response("502 Bad Gateway", "", "<html>bad</html>"), FailureKind::ServerError, "bad"),
        (response("200 OK", "", "<html>please log in</html>"), FailureKind::Garbage, "please log in"),
        (response("500 Oops", "", &"x".repeat(2_000_000)), FailureKind::ServerError, "xxx"),
    ] {
        let (seen, message) = said(bytes).await;
        assert_eq!(seen, kind, "{message}");
        assert!(message.contains(words), "{message}");
        assert!(message.len() < 800, "{message}");
    }
}

#[tokio::test]
async fn nobody_there_is_told_as_such() {
    let peer = Peer::says("").await;
    let settings = peer.settings();
    drop(peer);
    let (kind, message) = failed(ask(&client(settings)).await);
    assert_eq!(kind, FailureKind::Unreachable);
    assert!(message.contains("refuses connections"), "{message}");
    let client = client(SourceSettings::new("local", "http://no-such-host.invalid"));
    let (kind, message) = failed(client.ask(&instant("up"), Duration::from_secs(1)).await);
    assert!(matches!(kind, FailureKind::Unreachable | FailureKind::Timeout), "{message}");
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again_and_a_refusal_is_not() {
    let flaky = Peer::start(|mut stream, _, before| async move {
        if before > 0 {
            let _ = stream.write_all(nothing().as_bytes()).await;
        }
    })
    .await;
    let answer = ask(&flaky.client()).await;
    assert!(matches!(answer, Answer::Frames { .. }), "{answer:?}");
    assert_eq!(flaky.requests(), 2);

    let dead = Peer::says("").await;
    assert_eq!(failed(ask(&dead.client()).await).0, FailureKind::Unreachable);
    assert_eq!(dead.requests(), 3);

    let gateway = Peer::start(|mut stream, _, before| async move {
        let answer = if before > 0 { nothing() } else { response("502 Bad Gateway", "", "no upstream") };
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    let answer = ask(&gateway.client()).await;
    assert!(matches!(answer, Answer::Frames { .. }), "one of two servers behind it is dead: {answer:?}");
    assert_eq!(gateway.requests(), 2);

    let refusing = Peer::says(response("400 Bad Request", "", "no")).await;
    assert_eq!(failed(ask(&refusing.client()).await).0, FailureKind::QueryError);
    assert_eq!(refusing.requests(), 1);
}

/// Answers nothing, but only to a request that `accepts`; 400 with the request otherwise.
async fn expecting(accepts: fn(&str, usize) -> bool) -> Peer {
    Peer::start(move |mut stream, request, before| async move {
        let answer = match accepts(&request, before) {
            true => nothing(),
            false => response("400 Bad Request", "", &request),
        };
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await
}

#[tokio::test]
async fn a_query_is_posted_as_a_form_with_all_that_the_settings_say() {
    let peer = expecting(|request, _| {
        let parts = [
            "POST /prefix/api/v1/query HTTP/1.1\r\n",
            "query=up&timeout=",
            "&time=1795337155&latency_offset=1ms&nocache=0",
            "x-scope-orgid: team\r\n",
            "authorization: Basic dTpw\r\n",
            "cache-control: no-store\r\n",
            "accept-encoding: identity\r\n",
        ];
        parts.iter().all(|part| request.contains(part))
    })
    .await;
    let mut settings = peer.settings();
    settings.url.push_str("/prefix");
    settings.params.insert("nocache".into(), "0".into());
    settings.headers.insert("X-Scope-OrgID".into(), Secret::Text("team".into()));
    settings.basic_auth = Some(super::BasicAuthSettings {
        username: "u".into(),
        password: Some(Secret::Text("p".into())),
        password_file: None,
    });
    let answer = ask(&client(settings)).await;
    assert!(matches!(answer, Answer::Frames { .. }), "{answer:?}");
}

#[tokio::test]
async fn only_long_answers_are_asked_for_compressed() {
    for (points, encoding) in [(10u32, "accept-encoding: identity\r\n"), (11, "accept-encoding: gzip\r\n")] {
        let requested = Peer::start(move |mut stream, request, _| async move {
            let empty = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
            let asked = if request.contains(encoding) {
                response("200 OK", "", empty)
            } else {
                response("400 Bad Request", "", "")
            };
            let _ = stream.write_all(asked.as_bytes()).await;
        })
        .await;
        let start = Ts(0);
        let end = start.plus(Span::from_secs(30 * (points - 1)));
        let query = Query { start, end, every: Span::from_secs(30), ..instant("up") };
        let answer = requested.client().ask(&query, PATIENCE).await;
        assert!(matches!(answer, Answer::Frames { .. }), "{points}: {answer:?}");
    }
}

#[tokio::test]
async fn a_range_is_asked_as_one() {
    let peer = expecting(|request, _| {
        request.starts_with("POST /api/v1/query_range ") && request.contains("&start=100&end=160&step=30")
    })
    .await;
    let mut query = instant("up");
    (query.start, query.end, query.every) = (Ts(100), Ts(160), Span::from_secs(30));
    let (kind, message) = failed(peer.client().ask(&query, PATIENCE).await);
    assert_eq!(kind, FailureKind::Garbage, "a vector is no answer to a range: {message}");
}

#[tokio::test]
async fn a_token_file_is_read_for_each_request() {
    let peer = expecting(|request, before| {
        request.contains(if before == 0 {
            "authorization: Bearer old\r\n"
        } else {
            "authorization: Bearer new\r\n"
        })
    })
    .await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut settings = peer.settings();
    settings.bearer_token_file = Some(file.path().into());
    let client = client(settings);
    for token in ["old\n", "new\n"] {
        std::fs::write(file.path(), token).unwrap();
        let answer = ask(&client).await;
        assert!(matches!(answer, Answer::Frames { .. }), "{token} {answer:?}");
    }
    drop(file);
    let (kind, message) = failed(ask(&client).await);
    assert_eq!(kind, FailureKind::Unreachable);
    assert!(message.contains("cannot read a secret"), "{message}");
}

#[tokio::test]
async fn the_version_is_known_where_the_server_says_it() {
    let body = r#"{"status":"success","data":{"version":"2.42.0+ds","revision":"x","goVersion":"go1.19.8"}}"#;
    let peer = Peer::says(response("200 OK", "", body)).await;
    assert_eq!(peer.client().version(PATIENCE).await.as_deref(), Some("2.42.0+ds"));
    for bytes in [response("404 Not Found", "", body), response("200 OK", "", "<html>"), String::new()] {
        assert_eq!(Peer::says(bytes).await.client().version(PATIENCE).await, None);
    }
}

#[test]
fn a_source_config_hides_its_secrets() {
    let mut settings = SourceSettings::new("a", "http://h");
    settings.bearer_token = Some(Secret::Text("hunter2".into()));
    assert!(!format!("{:?}", SourceConfig::check(settings)).contains("hunter2"));
}
