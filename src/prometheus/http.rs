//! The HTTP client of one source, rebuilt when its certificates change on disk.
//!
//! HTTP/1.1 only: a query has a connection of its own, so that a stuck one cannot hold up others,
//! and a timed-out one is thrown away with its connection.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Identity, redirect, retry};
use tokio::time::Instant;

use super::config::{SourceConfig, Tls};
use crate::secret::read_capped;

/// Longest wait for a connection, TLS included.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Below the idle limit of common load balancers, so that they do not hang up on a query.
const IDLE: Duration = Duration::from_secs(50);
/// How often certificate files are looked at, at most.
const RECHECK: Duration = Duration::from_secs(3);
const MAX_PEM_BYTES: usize = 1024 * 1024;

/// Why a client cannot be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("source `{source_name}`: {what}")]
pub struct ClientError {
    /// The source's name.
    pub source_name: String,
    /// What is wrong and what to do.
    pub what: String,
}

/// The client now in use.
pub(super) struct Http {
    current: ArcSwap<reqwest::Client>,
    loaded: Mutex<Loaded>,
}

struct Loaded {
    files: TlsFiles,
    /// What was last refused, so that it is tried and told once.
    refused: Option<TlsFiles>,
    next_check: Instant,
}

/// Content of the PEM files. Compared as a whole: a rotation may keep size and times.
#[derive(Clone, PartialEq, Eq, Default)]
struct TlsFiles {
    ca: Option<Vec<u8>>,
    cert: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
}

impl Http {
    /// Reads the certificates and builds the first client. Blocks for small files.
    pub(super) fn new(config: &SourceConfig) -> Result<Self, ClientError> {
        let error = |what| ClientError { source_name: config.name.clone(), what };
        let files = TlsFiles::read(&config.tls).map_err(error)?;
        let client = build(config, &files).map_err(error)?;
        let loaded = Loaded { files, refused: None, next_check: Instant::now() + RECHECK };
        Ok(Self { current: ArcSwap::from_pointee(client), loaded: Mutex::new(loaded) })
    }

    /// The client to use now. A changed set of files that cannot be used, such as a certificate
    /// whose key is not there yet, leaves the former client in use and is told in the log.
    pub(super) async fn current(&self, config: &SourceConfig) -> reqwest::Client {
        if config.tls.has_files() && self.is_due() {
            let tls = config.tls.clone();
            let read = tokio::task::spawn_blocking(move || TlsFiles::read(&tls)).await;
            match read.unwrap_or_else(|e| Err(e.to_string())) {
                Ok(files) => self.replace(config, files),
                Err(why) => tracing::warn!(source = config.name, why, "certificates cannot be re-read"),
            }
        }
        reqwest::Client::clone(&self.current.load())
    }

    fn is_due(&self) -> bool {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let due = now >= loaded.next_check;
        if due {
            loaded.next_check = now + RECHECK;
        }
        due
    }

    /// Does not wait for the next look at the files.
    #[cfg(test)]
    pub(super) fn check_now(&self) {
        self.loaded.lock().unwrap().next_check = Instant::now();
    }

    fn replace(&self, config: &SourceConfig, files: TlsFiles) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if files == loaded.files || Some(&files) == loaded.refused.as_ref() {
            return;
        }
        match build(config, &files) {
            Ok(client) => {
                self.current.store(client.into());
                loaded.files = files;
                loaded.refused = None;
                tracing::info!(source = config.name, "certificates changed, client rebuilt");
            }
            Err(why) => {
                loaded.refused = Some(files);
                tracing::warn!(source = config.name, why, "changed certificates refused, former ones kept");
            }
        }
    }
}

impl Tls {
    fn has_files(&self) -> bool {
        self.ca.is_some() || self.identity.is_some()
    }
}

impl TlsFiles {
    fn read(tls: &Tls) -> Result<Self, String> {
        let read = |field: &str, path: Option<&PathBuf>| match path {
            None => Ok(None),
            Some(path) => read_capped(path, MAX_PEM_BYTES)
                .map(Some)
                .map_err(|why| format!("cannot read `{field}` from {}: {why}", path.display())),
        };
        let (cert, key) = tls.identity.as_ref().map(|(cert, key)| (cert, key)).unzip();
        Ok(Self {
            ca: read("tls.ca", tls.ca.as_ref())?,
            cert: read("tls.cert", cert)?,
            key: read("tls.key", key)?,
        })
    }
}

fn build(config: &SourceConfig, files: &TlsFiles) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("damper/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE)
        .tcp_keepalive(Duration::from_secs(15))
        .tls_danger_accept_invalid_certs(config.tls.insecure);
    if let Some(ca) = &files.ca {
        let authorities =
            Certificate::from_pem_bundle(ca).map_err(|why| format!("`tls.ca`: {}", root(&why)))?;
        if authorities.is_empty() {
            return Err("`tls.ca` holds no PEM certificate".to_owned());
        }
        builder = builder.tls_certs_only(authorities);
    }
    if let (Some(cert), Some(key)) = (&files.cert, &files.key) {
        let pem = [cert.as_slice(), b"\n", key.as_slice()].concat();
        let identity = Identity::from_pem(&pem).map_err(|why| {
            format!("`tls.cert` and `tls.key` are no PEM certificate and key: {}", root(&why))
        })?;
        builder = builder.identity(identity);
    }
    if config.tls.server_name.is_some() {
        let host = config.base.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        builder = builder.dns_resolver(Elsewhere(host));
    }
    builder.build().map_err(|why| format!("`tls` cannot be used: {}", root(&why)))
}

/// Connects to this host whatever name is asked for: with `serverName` the URL carries the name
/// that the certificate must have.
struct Elsewhere(String);

impl Resolve for Elsewhere {
    fn resolve(&self, _: Name) -> Resolving {
        let host = self.0.clone();
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((host, 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The innermost reason, which is the one people can use.
fn root(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
