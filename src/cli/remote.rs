//! A Damper that runs, asked over its API; `damper reload`.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::{Client, Method, Url};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::CommandError;
use super::args::{ReloadArgs, RemoteArgs};
use super::check::Output;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Has the definitions read again.
pub(super) async fn reload(args: ReloadArgs) -> Result<u8, CommandError> {
    let body = json!({ "accept": args.accept });
    let answer = ask(&args.remote, Method::POST, "api/v1/reload", Some(&body)).await?;
    let text = match args.remote.output {
        Output::Json => format!("{answer:#}\n"),
        Output::Text => "the definitions are read again; `damper status` tells what came of it\n".to_owned(),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(0)
}

/// Asks for a path of the API; any answer but success is an error in words.
pub(super) async fn ask(
    args: &RemoteArgs,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, CommandError> {
    let peer = Peer::new(base(args)?, "--url", "Damper", None);
    peer.ask(method, path, body).await
}

/// Somebody who answers JSON over HTTP.
pub(super) struct Peer {
    base: Url,
    /// The flag that names it.
    flag: &'static str,
    /// What it should be.
    name: &'static str,
    token: Option<String>,
}

impl Peer {
    /// At an address that a flag gave, see [`address`].
    pub(super) const fn new(
        base: Url,
        flag: &'static str,
        name: &'static str,
        token: Option<String>,
    ) -> Self {
        Self { base, flag, name, token }
    }

    /// Asks for a path.
    pub(super) async fn get(&self, path: &str) -> Result<Value, CommandError> {
        self.ask(Method::GET, path, None).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, CommandError> {
        let Self { base, flag, name, token } = self;
        let client = Client::builder().timeout(PATIENCE).connect_timeout(PATIENCE).build()?;
        let mut request = client.request(method, base.join(path)?);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let unreachable = |error: &reqwest::Error| {
            if error.is_connect() {
                format!(
                    "nothing answers at {base}; is {name} running there? Name another address with {flag}"
                )
            } else if error.is_timeout() {
                format!("no answer from {base} within {PATIENCE:?}")
            } else {
                format!("asking {base} failed: {error}")
            }
        };
        let mut response = request.send().await.map_err(|error| unreachable(&error))?;
        let code = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_BODY {
                return Err(format!("{base} answers more than {MAX_BODY} bytes; is it {name}?").into());
            }
        }
        let answer: Value = serde_json::from_slice(&bytes)
            .map_err(|_| format!("{base} answers {code} without JSON; is it {name}?"))?;
        if code.is_success() {
            return Ok(answer);
        }
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let detail = text("detail").or(text("title")).unwrap_or_else(|| "it says no more".to_owned());
        let from = format!("{base} answers {code}");
        Err(Refused { from, detail, parameter: text("parameter") }.into())
    }
}

/// An answer that is no success, in words.
#[derive(Debug)]
pub(super) struct Refused {
    /// Who answers it, and the code.
    from: String,
    /// What is wrong.
    pub(super) detail: String,
    /// The parameter that is wrong, if one is.
    pub(super) parameter: Option<String>,
}

#[cfg(test)]
impl Refused {
    /// By a Damper, for tests.
    pub(super) fn new(detail: String, parameter: Option<&str>) -> Self {
        Self { from: "Damper answers 400".to_owned(), detail, parameter: parameter.map(str::to_owned) }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.from, self.detail)
    }
}

impl std::error::Error for Refused {}

/// An answer of the API in the shape that this version knows.
pub(super) fn read<T: DeserializeOwned>(answer: &Value) -> Result<T, CommandError> {
    T::deserialize(answer).map_err(|error| {
        format!("its answer is not in the shape that this version knows ({error}); does another version run there?").into()
    })
}

/// A name as one segment of a path.
pub(super) fn segment(name: &str) -> Result<String, CommandError> {
    if matches!(name, "" | "." | "..") {
        return Err(format!("{name:?} is no name of a policy").into());
    }
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    Ok(name.bytes().map(byte).collect())
}

/// Where it listens: `--url`, else `listen` of the settings where there are any, else the default.
fn base(args: &RemoteArgs) -> Result<Url, CommandError> {
    if let Some(url) = &args.url {
        return Ok(url.clone());
    }
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 9095));
    let listen = args.settings()?.map_or(default, |settings| settings.listen);
    Ok(Url::parse(&format!("http://{}/", reachable(listen)))?)
}

/// An address as a flag gives it, to which paths are added.
pub(super) fn address(text: &str) -> Result<Url, String> {
    let like = "write it like http://HOST:PORT";
    let mut url = Url::parse(text).map_err(|error| format!("is not a URL ({error}); {like}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("begins with neither http:// nor https://; {like}"));
    }
    url.set_path(&format!("{}/", url.path().trim_end_matches('/')));
    Ok(url)
}

/// An address that means "everywhere" is reached on this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_out_of_its_path() {
        assert_eq!(segment("check-out.v2").unwrap(), "check-out.v2");
        assert_eq!(segment("a/b c?").unwrap(), "a%2Fb%20c%3F");
        assert!(segment("..").is_err() && segment("").is_err());
    }

    #[test]
    fn an_address_is_a_whole_one() {
        assert_eq!(address("https://a:1/b").unwrap().join("api").unwrap().as_str(), "https://a:1/b/api");
        for wrong in ["foo", "foo:9095", "ftp://a", "http://"] {
            assert!(address(wrong).unwrap_err().contains("write it like http://HOST:PORT"), "{wrong}");
        }
    }

    #[test]
    fn an_address_that_means_everywhere_is_asked_here() {
        assert_eq!(reachable("0.0.0.0:9095".parse().unwrap()).to_string(), "127.0.0.1:9095");
        assert_eq!(reachable("[::]:9095".parse().unwrap()).to_string(), "[::1]:9095");
        assert_eq!(reachable("10.0.0.1:1".parse().unwrap()).to_string(), "10.0.0.1:1");
    }
}
