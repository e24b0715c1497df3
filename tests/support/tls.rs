//! HTTPS in front of an HTTP server, with a certificate that can expire and be renewed.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::port;

/// Nobody waits longer for a byte.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server at [`url`](Self::url), on a thread for each connection, which ends after one answer: so
/// each question sees the certificate as it is then.
pub struct Tls {
    address: SocketAddr,
    authority: CertifiedIssuer<'static, KeyPair>,
    config: Arc<Mutex<Arc<ServerConfig>>>,
    stop: Arc<AtomicBool>,
}

impl Tls {
    /// Starts in front of `http://host:port` with a certificate that is valid.
    pub fn start(upstream: &str) -> Self {
        // Whoever was first has installed it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let config = Arc::new(Mutex::new(certificate(&authority, false)));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port::free())).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (current, stopped) = (Arc::clone(&config), Arc::clone(&stop));
        let upstream: SocketAddr = upstream.trim_start_matches("http://").parse().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let config = Arc::clone(&current.lock().unwrap());
                // Whoever refuses the certificate hangs up: that is what is tested.
                std::thread::spawn(move || drop(serve(stream, config, upstream)));
            }
        });
        Self { address, authority, config, stop }
    }

    /// `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The authority's certificate.
    pub fn authority(&self) -> String {
        self.authority.pem()
    }

    /// From now on its certificate is one that expired.
    pub fn expire(&self) {
        *self.config.lock().unwrap() = certificate(&self.authority, true);
    }

    /// From now on its certificate is a new one.
    pub fn renew(&self) {
        *self.config.lock().unwrap() = certificate(&self.authority, false);
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn certificate(authority: &CertifiedIssuer<'static, KeyPair>, expired: bool) -> Arc<ServerConfig> {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    if expired {
        (params.not_before, params.not_after) =
            (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
    }
    let key = KeyPair::generate().unwrap();
    let cert = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = ServerConfig::builder().with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![cert.der().clone()], key).unwrap())
}

/// One request to the other side, and its answer back.
fn serve(stream: TcpStream, config: Arc<ServerConfig>, upstream: SocketAddr) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let request = request(&mut stream)?;
    let mut other = TcpStream::connect(upstream)?;
    other.set_read_timeout(Some(PATIENCE))?;
    other.write_all(&request)?;
    std::io::copy(&mut other, &mut stream)?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// A whole request, which asks to close the connection after it.
fn request(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&seen);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Ok(format!("{head}\r\nconnection: close\r\n\r\n{body}").into_bytes());
            }
        }
        match stream.read(&mut chunk)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => seen.extend_from_slice(&chunk[..read]),
        }
    }
}
