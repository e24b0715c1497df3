//! The webhook against a receiver that behaves as told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use rustls::server::WebPkiClientVerifier;
use serde_json::Value;
use tokio::time::Instant;

use super::*;
use crate::http::Problems;
use crate::notify::testing::{Behaviour, Mock, NOW, PATIENCE, firing, refusing, tls_server};

fn webhook(url: &str, more: Value) -> Webhook {
    webhook_within(PATIENCE, url, more)
}

fn webhook_within(timeout: Duration, url: &str, more: Value) -> Webhook {
    let mut settings = serde_json::json!({"url": format!("{url}/alerts?token=hush")});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let settings: WebhookSettings = serde_json::from_value(settings).unwrap();
    let mut problems = Problems::default();
    let mut config = settings.check("receivers.oncall.webhook", &mut problems).unwrap();
    assert!(problems.0.is_empty(), "{problems:?}");
    config.http.timeout = timeout;
    Webhook::new("receivers.oncall.webhook", &config, "http://damper:9095/").unwrap()
}

async fn outcome(behaviour: Behaviour) -> Outcome {
    outcome_within(PATIENCE, behaviour).await
}

async fn outcome_within(timeout: Duration, behaviour: Behaviour) -> Outcome {
    let mock = Mock::start(behaviour).await;
    webhook_within(timeout, &mock.url, serde_json::json!({})).deliver(&firing(), NOW).await
}

fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> Behaviour {
    Behaviour::Answer(status, headers.to_vec(), "said so")
}

#[tokio::test]
async fn answers_become_outcomes() {
    assert_eq!(outcome(answer(200, &[])).await, Outcome::DELIVERED);
    assert!(matches!(
        outcome(answer(400, &[])).await,
        Outcome::Permanent { reason: Reason::ClientError, error } if error.ends_with("400 Bad Request: said so")
    ));
    assert!(matches!(outcome(answer(401, &[])).await, Outcome::Permanent { reason: Reason::AuthError, .. }));
    assert!(matches!(
        outcome(answer(500, &[])).await,
        Outcome::Retry { reason: Reason::ServerError, after: None, .. }
    ));
    assert!(matches!(
        outcome(answer(429, &[("retry-after", "7")])).await,
        Outcome::Retry { reason: Reason::RateLimited, after: Some(after), .. } if after.as_secs() == 7
    ));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_is_named() {
    let target = Mock::start(answer(200, &[])).await;
    let location: &'static str = Box::leak(target.url.clone().into_boxed_str());
    let got = outcome(answer(302, &[("location", location)])).await;
    let Outcome::Permanent { reason: Reason::ClientError, error } = got else { panic!("{got:?}") };
    assert!(error.contains("redirects are not followed") && error.contains(location), "{error}");
    assert!(target.seen().is_empty());
}

#[tokio::test]
async fn no_receiver_holds_an_attempt_beyond_its_timeout() {
    let began = Instant::now();
    let outcome = async |behaviour| outcome_within(Duration::from_secs(1), behaviour).await;
    assert!(matches!(outcome(Behaviour::Hang).await, Outcome::Retry { reason: Reason::Timeout, .. }));
    // The status has said it: a body that never comes takes nothing back.
    assert_eq!(outcome(Behaviour::HangInBody(200)).await, Outcome::DELIVERED);
    assert!(matches!(
        outcome(Behaviour::HangInBody(503)).await,
        Outcome::Retry { reason: Reason::ServerError, .. }
    ));
    assert!(began.elapsed() < Duration::from_secs(6));
}

#[tokio::test]
async fn nobody_listening_is_unreachable_and_the_token_stays_secret() {
    let url = refusing().await;
    let got = webhook(&url, serde_json::json!({})).deliver(&firing(), NOW).await;
    let Outcome::Retry { reason: Reason::Unreachable, error, .. } = got else { panic!("{got:?}") };
    assert!(error.contains(&url) && !error.contains("hush"), "{error}");
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_a_tls_failure() {
    let dir = tempfile::tempdir().unwrap();
    let (url, pem) = https(dir.path(), false);
    let strange = webhook(&url, serde_json::json!({})).deliver(&firing(), NOW).await;
    assert!(matches!(&strange, Outcome::Retry { reason: Reason::Tls, .. }), "{strange:?}");
    for tls in [serde_json::json!({"ca": pem.0}), serde_json::json!({"insecureSkipVerify": true})] {
        let got = webhook(&url, serde_json::json!({"tls": tls})).deliver(&firing(), NOW).await;
        assert_eq!(got, Outcome::DELIVERED);
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_certificate_gets_ours() {
    let dir = tempfile::tempdir().unwrap();
    let (url, (cert, key)) = https(dir.path(), true);
    let without = serde_json::json!({"tls": {"ca": cert}});
    let got = webhook(&url, without).deliver(&firing(), NOW).await;
    assert!(matches!(got, Outcome::Retry { .. }), "{got:?}");
    let with = serde_json::json!({"tls": {"ca": cert, "cert": cert, "key": key}});
    assert_eq!(webhook(&url, with).deliver(&firing(), NOW).await, Outcome::DELIVERED);
}

/// An HTTPS server and the files of its certificate and key, which a client may show as its own.
fn https(dir: &Path, asks_for_certificate: bool) -> (String, (PathBuf, PathBuf)) {
    let pair = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    std::fs::write(&cert, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = if asks_for_certificate {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(pair.cert.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let secret = pair.signing_key.serialize_der().try_into().unwrap();
    let server = builder.with_single_cert(vec![pair.cert.der().clone()], secret).unwrap();
    (tls_server(server), (cert, key))
}

#[tokio::test]
async fn requests_carry_key_login_headers_and_a_signature_others_can_verify() {
    let mock = Mock::start(answer(200, &[])).await;
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("hmac");
    std::fs::write(&secret, "first\n").unwrap();
    let hook = webhook(
        &mock.url,
        serde_json::json!({
            "hmacSecretFile": secret,
            "basicAuth": {"username": "damper", "password": "pa:ss"},
            "headers": {"X-Team": "payments"},
        }),
    );
    let mut notice = firing();
    notice.id = "checkout:zürich\r\nEvil: 1".into();
    assert_eq!(hook.deliver(&notice, NOW).await, Outcome::DELIVERED);
    std::fs::write(&secret, "second").unwrap();
    assert_eq!(hook.deliver(&notice, NOW).await, Outcome::DELIVERED);

    let seen = mock.seen();
    for (request, key) in seen.iter().zip(["first", "second"]) {
        assert_eq!(request.method, "POST");
        assert_eq!(request.uri.to_string(), "/alerts?token=hush");
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers["idempotency-key"], "checkout:z%C3%BCrich%0D%0AEvil: 1");
        assert_eq!(request.headers["authorization"], "Basic ZGFtcGVyOnBhOnNz");
        assert_eq!(request.headers["x-team"], "payments");
        assert!(!request.headers.contains_key("evil"));
        // As the documentation tells a receiver to.
        let header = request.headers["damper-signature"].to_str().unwrap();
        let (t, v1) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        let signed = [t.as_bytes(), b".", &request.body].concat();
        let tag: Vec<u8> =
            (0..v1.len()).step_by(2).map(|i| u8::from_str_radix(&v1[i..i + 2], 16).unwrap()).collect();
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), &signed, &tag).unwrap();
        assert_eq!(t, "1780000000");
    }
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn a_secret_that_is_missing_right_now_is_tried_again() {
    let mock = Mock::start(answer(200, &[])).await;
    let hook = webhook(&mock.url, serde_json::json!({"bearerTokenFile": "/nonexistent/token"}));
    let got = hook.deliver(&firing(), NOW).await;
    let Outcome::Retry { reason: Reason::AuthError, error, .. } = got else { panic!("{got:?}") };
    assert!(error.contains("/nonexistent/token"), "{error}");
    assert!(mock.seen().is_empty());
}
