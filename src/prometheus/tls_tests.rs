//! Certificates: whom we trust, who we are, what is said when it does not fit, and rotation.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tokio::io::AsyncWriteExt;

use super::test_peer::{client, failed, install_provider, instant, nothing, response};
use super::{Client, SourceConfig, SourceSettings};
use crate::engine::sample::{Answer, FailureKind};

const DEADLINE: Duration = Duration::from_secs(4);

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for these names and its key.
struct Leaf {
    cert: rcgen::Certificate,
    key: KeyPair,
}

fn leaf(authority: &Authority, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let cert = params.signed_by(&key, authority).unwrap();
    Leaf { cert, key }
}

/// An HTTPS server on a thread of its own: answers nothing to a request with the right host.
struct TlsPeer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl TlsPeer {
    fn start(leaf: &Leaf, clients_of: Option<&Authority>) -> Self {
        install_provider();
        let builder = match clients_of {
            None => ServerConfig::builder().with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from(authority.der().to_vec())).unwrap();
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
                ServerConfig::builder().with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::try_from(leaf.key.serialize_der()).unwrap();
        let config = Arc::new(builder.with_single_cert(vec![leaf.cert.der().clone()], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                serve(StreamOwned::new(connection, stream.unwrap()), address);
            }
        });
        Self { address, stop }
    }

    fn settings(&self) -> SourceSettings {
        SourceSettings::new("local", format!("https://{}", self.address))
    }
}

impl Drop for TlsPeer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: StreamOwned<ServerConnection, TcpStream>, address: SocketAddr) {
    stream.sock.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains("time=") {
        match stream.read(&mut chunk) {
            Ok(n) if n > 0 => seen.extend_from_slice(&chunk[..n]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&seen).into_owned();
    let right_host = request.contains(&format!("host: {address}\r\n"));
    let answer = if right_host { nothing() } else { response("400 Bad Request", "", &request) };
    let _ = stream.write_all(answer.as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

/// PEM files that last as long as the folder.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, pem: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    }
}

async fn ask(settings: SourceSettings) -> Answer {
    client(settings).ask(&instant("up"), DEADLINE).await
}

#[track_caller]
fn refused(answer: Answer, words: &str) {
    let (kind, message) = failed(answer);
    assert_eq!(kind, FailureKind::Unreachable, "{message}");
    assert!(message.contains(words), "{message}");
}

#[tokio::test]
async fn only_the_given_authority_is_trusted() {
    let (own, other, files) = (authority(), authority(), Files::new());
    let peer = TlsPeer::start(&leaf(&own, "127.0.0.1", |_| ()), None);
    let mut settings = peer.settings();
    refused(ask(settings.clone()).await, "give the right one in `tls.ca`");
    settings.tls.ca = Some(files.write("other.pem", &other.pem()));
    refused(ask(settings.clone()).await, "give the right one in `tls.ca`");
    // A bundle, as while authorities change.
    settings.tls.ca = Some(files.write("both.pem", &(other.pem() + &own.pem())));
    let answer = ask(settings.clone()).await;
    assert!(matches!(answer, Answer::Frames { .. }), "{answer:?}");
    settings.tls.ca = None;
    settings.tls.insecure_skip_verify = true;
    assert!(matches!(ask(settings).await, Answer::Frames { .. }));
}

#[tokio::test]
async fn a_certificate_for_another_name_needs_server_name() {
    let (own, files) = (authority(), Files::new());
    let peer = TlsPeer::start(&leaf(&own, "prometheus.internal", |_| ()), None);
    let mut settings = peer.settings();
    settings.tls.ca = Some(files.write("ca.pem", &own.pem()));
    refused(ask(settings.clone()).await, "set `tls.serverName`");
    settings.tls.server_name = Some("prometheus.internal".into());
    let answer = ask(settings.clone()).await;
    assert!(matches!(answer, Answer::Frames { .. }), "{answer:?}");
    settings.tls.server_name = Some("other.internal".into());
    refused(ask(settings).await, "set `tls.serverName`");
}

#[tokio::test]
async fn an_expired_certificate_is_told_as_such() {
    let (own, files) = (authority(), Files::new());
    let old = leaf(&own, "127.0.0.1", |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let peer = TlsPeer::start(&old, None);
    let mut settings = peer.settings();
    settings.tls.ca = Some(files.write("ca.pem", &own.pem()));
    refused(ask(settings).await, "expired");
}

#[tokio::test]
async fn a_server_that_wants_a_client_certificate_gets_one() {
    let (own, files) = (authority(), Files::new());
    let peer = TlsPeer::start(&leaf(&own, "127.0.0.1", |_| ()), Some(&own));
    let mut settings = peer.settings();
    settings.tls.ca = Some(files.write("ca.pem", &own.pem()));
    refused(ask(settings.clone()).await, "wants a client certificate");
    let stranger = leaf(&authority(), "damper", |_| ());
    let write = |leaf: &Leaf, settings: &mut SourceSettings| {
        settings.tls.cert = Some(files.write("cert.pem", &leaf.cert.pem()));
        settings.tls.key = Some(files.write("key.pem", &leaf.key.serialize_pem()));
    };
    write(&stranger, &mut settings);
    refused(ask(settings.clone()).await, "check `tls.cert`");
    write(&leaf(&own, "damper", |_| ()), &mut settings);
    let answer = ask(settings).await;
    assert!(matches!(answer, Answer::Frames { .. }), "{answer:?}");
}

#[tokio::test]
async fn changed_certificates_take_effect_and_broken_ones_do_not() {
    let (own, other, files) = (authority(), authority(), Files::new());
    let peer = TlsPeer::start(&leaf(&own, "127.0.0.1", |_| ()), None);
    let mut settings = peer.settings();
    settings.tls.ca = Some(files.write("ca.pem", &other.pem()));
    let client = client(settings);
    refused(client.ask(&instant("up"), DEADLINE).await, "`tls.ca`");
    files.write("ca.pem", &own.pem());
    for content in [own.pem().as_str(), "half a", "-----BEGIN CERTIFICATE-----"] {
        files.write("ca.pem", content);
        client.http().check_now();
        let answer = client.ask(&instant("up"), DEADLINE).await;
        assert!(matches!(answer, Answer::Frames { .. }), "{content:?} {answer:?}");
    }
    files.write("ca.pem", &other.pem());
    client.http().check_now();
    refused(client.ask(&instant("up"), DEADLINE).await, "`tls.ca`");
}

#[tokio::test]
async fn tls_and_plain_http_that_meet_are_told_apart() {
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = SourceSettings::new("local", format!("https://{}", plain.local_addr().unwrap()));
    let serve = async {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    };
    tokio::select! {
        answer = ask(settings) => refused(answer, "begin with http:// instead"),
        () = serve => panic!("ended"),
    }
    let peer = TlsPeer::start(&leaf(&authority(), "127.0.0.1", |_| ()), None);
    let settings = SourceSettings::new("local", format!("http://{}", peer.address));
    refused(ask(settings).await, "source `local`");
}

#[test]
fn certificates_that_cannot_be_used_are_told_at_the_start() {
    install_provider();
    let (own, files) = (authority(), Files::new());
    let new = |change: &dyn Fn(&mut SourceSettings)| {
        let mut settings = SourceSettings::new("local", "https://prometheus");
        change(&mut settings);
        Client::new(SourceConfig::check(settings).unwrap()).err().map(|e| e.to_string()).unwrap_or_default()
    };
    let missing = new(&|s| s.tls.ca = Some("/no/such/ca.pem".into()));
    assert!(missing.contains("`tls.ca` from /no/such/ca.pem"), "{missing}");
    let empty = files.write("empty.pem", "# nothing\n");
    let none = new(&|s| s.tls.ca = Some(empty.clone()));
    assert!(none.contains("holds no PEM certificate"), "{none}");
    let (one, two) = (leaf(&own, "a", |_| ()), leaf(&own, "a", |_| ()));
    let cert = files.write("cert.pem", &one.cert.pem());
    let key = files.write("key.pem", &two.key.serialize_pem());
    let mismatch = new(&|s| {
        s.tls.cert = Some(cert.clone());
        s.tls.key = Some(key.clone());
    });
    assert!(mismatch.starts_with("source `local`: `tls`"), "{mismatch}");
}
