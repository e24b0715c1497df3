//! One client per address: sends a request within its timeouts and reads a bounded answer.

use std::path::Path;
use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};

use super::failure::{Failure, Reason};
use super::problem::Problem;
use super::settings::{Auth, HttpConfig, TlsConfig};
use crate::secret::{Secret, read_capped};
use crate::slo::time::Ts;

/// Most bytes of an answer that are read.
pub const MAX_BODY: usize = 64 * 1024;

/// Longest wait for a connection, within the total timeout.
const CONNECT: Duration = Duration::from_secs(5);

/// Longest wait for the rest of an answer once its status is known.
const BODY_PATIENCE: Duration = Duration::from_secs(2);

/// Longest wait for a secret's file: file systems hang too.
const SECRET_PATIENCE: Duration = Duration::from_secs(2);

/// What is needed of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// `Retry-After`, as sent.
    pub retry_after: Option<String>,
    /// Where a redirect points, as sent.
    pub location: Option<String>,
    /// The server's clock, where it tells.
    pub date: Option<Ts>,
    /// At most [`MAX_BODY`] bytes; what was read until the timeout.
    pub body: Vec<u8>,
}

/// A client for one address, with its headers, login and TLS.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
    auth: Auth,
    headers: Vec<(HeaderName, Secret)>,
}

impl Client {
    /// Reads certificates and keys and builds the client. `at` is where the settings stand.
    pub fn new(at: &str, config: &HttpConfig) -> Result<Self, Problem> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("damper/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT.min(config.timeout))
            .timeout(config.timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy();
        let builder = with_tls(at, builder, &config.tls)?;
        let inner = builder.build().map_err(|error| Problem {
            at: at.into(),
            message: format!("the HTTP client cannot be made: {error}"),
        })?;
        Ok(Self { inner, auth: config.auth.clone(), headers: config.headers.clone() })
    }

    /// Sends one request and reads the answer.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Reply, Failure> {
        let who = origin(url);
        let mut request = self.inner.request(method, url.clone()).headers(headers).body(body);
        for (name, value) in &self.headers {
            request = request.header(name, read(&who, value).await?);
        }
        request = match &self.auth {
            Auth::None => request,
            Auth::Bearer(token) => request.bearer_auth(read(&who, token).await?),
            Auth::Basic { username, password } => {
                request.basic_auth(username, Some(read(&who, password).await?))
            }
        };
        let response = request.send().await.map_err(|error| Failure::of(&who, &error))?;
        let text = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).map(String::from);
        let (status, retry_after, location) = (response.status(), text(RETRY_AFTER), text(LOCATION));
        let date = text(DATE).and_then(|text| DateTime::parse_from_rfc2822(&text).ok());
        let date = date.map(|date| Ts(date.timestamp()));
        Ok(Reply { status, retry_after, location, date, body: capped(response).await })
    }
}

/// A secret, or that there is none: somebody may be putting the file in its place right now.
pub(crate) async fn read(who: &str, secret: &Secret) -> Result<String, Failure> {
    let unread = |why: String| Failure::passing(Reason::AuthError, format!("{who} was not asked: {why}"));
    match tokio::time::timeout(SECRET_PATIENCE, secret.read()).await {
        Ok(read) => read.map_err(|error| unread(error.to_string())),
        Err(_) => Err(unread(format!("reading {secret} hangs"))),
    }
}

/// Scheme, host and port: what may be shown, because the rest of a webhook's address is often its secret.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// What can be read of the body within the cap and [`BODY_PATIENCE`]. The status has already said
/// what matters, so a body that stalls or breaks is no error and holds up nobody's page.
async fn capped(mut response: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = MAX_BODY - body.len();
            body.extend(chunk.iter().take(room));
            if body.len() == MAX_BODY {
                break;
            }
        }
    };
    // What was read before the patience ended is kept either way.
    let _ = tokio::time::timeout(BODY_PATIENCE, read).await;
    body
}

fn with_tls(
    at: &str,
    mut builder: reqwest::ClientBuilder,
    tls: &TlsConfig,
) -> Result<reqwest::ClientBuilder, Problem> {
    let problem = |key: &str, why: String| Problem { at: format!("{at}.tls.{key}"), message: why };
    if let Some(path) = &tls.ca {
        let pem = read_pem(path).map_err(|why| problem("ca", why))?;
        let roots = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|_| problem("ca", format!("{} holds no PEM certificate", path.display())))?;
        if roots.is_empty() {
            return Err(problem("ca", format!("{} holds no PEM certificate", path.display())));
        }
        builder = builder.tls_certs_only(roots);
    }
    if let Some((cert, key)) = &tls.identity {
        let mut pem = read_pem(cert).map_err(|why| problem("cert", why))?;
        pem.push(b'\n');
        pem.extend(read_pem(key).map_err(|why| problem("key", why))?);
        let identity = reqwest::Identity::from_pem(&pem).map_err(|_| {
            problem("cert", "cert and key must be PEM files: a certificate chain and its private key".into())
        })?;
        builder = builder.identity(identity);
    }
    Ok(builder.tls_danger_accept_invalid_certs(tls.insecure_skip_verify))
}

/// A PEM file of at most 1 MiB.
pub(crate) fn read_pem(path: &Path) -> Result<Vec<u8>, String> {
    read_capped(path, 1024 * 1024).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HttpSettings, Problems};
    use crate::notify::testing::{Behaviour, Mock};

    #[tokio::test]
    async fn an_answer_without_end_is_read_up_to_the_cap() {
        let long: &'static str = Box::leak("x".repeat(10 * MAX_BODY).into_boxed_str());
        let mock = Mock::start(Behaviour::Answer(500, vec![], long)).await;
        let config = HttpSettings::default().check("x", &mut Problems::default()).unwrap();
        let client = Client::new("x", &config).unwrap();
        let url = Url::parse(&mock.url).unwrap();
        let reply = client.send(Method::GET, &url, HeaderMap::new(), Vec::new()).await.unwrap();
        assert_eq!(reply.body.len(), MAX_BODY);
    }

    #[test]
    fn certificates_that_cannot_be_used_are_told_by_key_and_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("not-a.pem");
        std::fs::write(&path, "hello").unwrap();
        let mut config = HttpSettings::default().check("x", &mut Problems::default()).unwrap();
        config.tls.ca = Some(path.clone());
        let problem = Client::new("receivers.a.webhook", &config).unwrap_err().to_string();
        assert!(
            problem.starts_with("receivers.a.webhook.tls.ca: ") && problem.contains("not-a.pem"),
            "{problem}"
        );
        config.tls = TlsConfig { identity: Some((path.clone(), path)), ..TlsConfig::default() };
        let problem = Client::new("receivers.a.webhook", &config).unwrap_err().to_string();
        assert!(problem.starts_with("receivers.a.webhook.tls.cert: "), "{problem}");
    }
}
