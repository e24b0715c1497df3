//! `damper status` and `damper reload`: a Damper that runs, asked over its API.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::{Client, Method, Url};
use serde_json::{Value, json};

use super::CommandError;
use super::args::{ReloadArgs, RemoteArgs};
use super::check::Output;
use crate::settings::Settings;
use crate::slo::time::Span;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Shows how it runs. The exit code is 1 where something is wrong.
pub(super) async fn status(args: RemoteArgs) -> Result<u8, CommandError> {
    let status = ask(&args, Method::GET, "api/v1/status", None).await?;
    let text = match args.output {
        Output::Json => format!("{status:#}\n"),
        Output::Text => described(&status),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(u8::from(is_in_trouble(&status)))
}

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

async fn ask(
    args: &RemoteArgs,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, CommandError> {
    let base = base(args)?;
    let client = Client::builder().timeout(PATIENCE).connect_timeout(PATIENCE).build()?;
    let mut request = client.request(method, base.join(path)?);
    if let Some(body) = body {
        request = request.json(body);
    }
    let unreachable = |error: &reqwest::Error| {
        if error.is_connect() {
            format!("nothing answers at {base}; is Damper running there? Name another address with --url")
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
            return Err(format!("{base} answers more than {MAX_BODY} bytes; is it Damper?").into());
        }
    }
    let answer: Value = serde_json::from_slice(&bytes)
        .map_err(|_| format!("{base} answers {code} without JSON; is it Damper?"))?;
    if code.is_success() {
        return Ok(answer);
    }
    let detail =
        answer.get("detail").or(answer.get("title")).and_then(Value::as_str).unwrap_or("it says no more");
    Err(format!("{base} answers {code}: {detail}").into())
}

/// Where it listens: `--url`, else `listen` of the settings where there are any, else the default.
fn base(args: &RemoteArgs) -> Result<Url, CommandError> {
    if let Some(url) = &args.url {
        let mut url = Url::parse(url)
            .map_err(|error| format!("--url {url}: {error}; write it like http://127.0.0.1:9095"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("--url {url}: must begin with http:// or https://").into());
        }
        url.set_path(&format!("{}/", url.path().trim_end_matches('/')));
        return Ok(url);
    }
    let listen = if args.config.exists() {
        Settings::load(&args.config, &[])?.listen
    } else {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 9095))
    };
    Ok(Url::parse(&format!("http://{}/", reachable(listen)))?)
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

fn is_in_trouble(status: &Value) -> bool {
    let blind = |source: &Value| is_true(at(source, "/blind"));
    let error = |problem: &Value| is_true(at(problem, "/error"));
    let any =
        |list: &Value, is: &dyn Fn(&Value) -> bool| list.as_array().is_some_and(|all| all.iter().any(is));
    any(at(status, "/sources"), &blind)
        || any(at(status, "/definitions/problems"), &error)
        || at(status, "/definitions/waitingForAccept").as_array().is_some_and(|waiting| !waiting.is_empty())
        || at(status, "/troubles").as_object().is_some_and(|troubles| !troubles.is_empty())
}

/// The status in lines.
fn described(status: &Value) -> String {
    let mut lines = vec![
        format!("Damper {}, {}", plain(at(status, "/version")), plain(at(status, "/store"))),
        format!(
            "ticks        {} completed, {} skipped, {} not committed; lag {:.2}s",
            at(status, "/ticks/completed"),
            at(status, "/ticks/skipped"),
            at(status, "/ticks/uncommitted"),
            at(status, "/ticks/lagSeconds").as_f64().unwrap_or(0.0)
        ),
    ];
    for source in items(at(status, "/sources")) {
        let state = if is_true(at(source, "/blind")) { "BLIND" } else { "answers" };
        let version =
            at(source, "/version").as_str().map_or_else(String::new, |version| format!(" {version}"));
        lines.push(format!(
            "source       {}: {}{version}, {state}; {} queries failed",
            plain(at(source, "/name")),
            plain(at(source, "/kind")),
            at(source, "/failures")
        ));
    }
    let definitions = at(status, "/definitions");
    lines.push(format!(
        "definitions  revision {}, {} SLOs",
        at(definitions, "/revision"),
        at(definitions, "/slos")
    ));
    for problem in items(at(definitions, "/problems")) {
        let level = if is_true(at(problem, "/error")) { "error" } else { "notice" };
        let place =
            format!("{}:{}:{}", plain(at(problem, "/file")), at(problem, "/line"), at(problem, "/column"));
        let hint = Some(at(problem, "/hint")).filter(|hint| hint.is_string());
        let hint = hint.map_or_else(String::new, |hint| format!(" ({})", plain(hint)));
        lines.push(format!("  {level}: {place}: {}{hint}", plain(at(problem, "/what"))));
    }
    for slo in items(at(definitions, "/waitingForAccept")) {
        lines.push(format!("  {} would be removed; damper reload --accept does it", plain(slo)));
    }
    let left = at(status, "/backfill/leftSeconds").as_i64().unwrap_or(0);
    if left > 0 {
        // Of all series together, and to the hour: it is an outlook, not a measure.
        let left = Span::from_secs_saturating((left + 3599) / 3600 * 3600);
        let series = at(status, "/backfill/seriesLeft");
        lines.push(format!("backfill     {left} of history to ask for, for {series} series together"));
    }
    for (component, why) in at(status, "/troubles").as_object().into_iter().flatten() {
        lines.push(format!("trouble      {component}: {}", plain(why)));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// What stands at a JSON pointer; null where nothing does.
fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true)
}

/// Text without quotes and control characters.
fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_means_everywhere_is_asked_here() {
        assert_eq!(reachable("0.0.0.0:9095".parse().unwrap()).to_string(), "127.0.0.1:9095");
        assert_eq!(reachable("[::]:9095".parse().unwrap()).to_string(), "[::1]:9095");
        assert_eq!(reachable("10.0.0.1:1".parse().unwrap()).to_string(), "10.0.0.1:1");
    }

    #[test]
    fn trouble_is_shown_and_ends_with_one() {
        let mut status = json!({
            "version": "0.1.0", "store": "SQLite store damper.db",
            "ticks": {"completed": 3, "skipped": 0, "uncommitted": 0, "lagSeconds": 0.25},
            "sources": [{"name": "local", "kind": "prometheus", "version": "3.5.0", "blind": false, "failures": 0}],
            "definitions": {"revision": 2, "slos": 1, "problems": [], "waitingForAccept": []},
            "backfill": {"seriesLeft": 0, "leftSeconds": 0}, "troubles": {},
        });
        assert!(!is_in_trouble(&status));
        insta::assert_snapshot!(described(&status), @r"
        Damper 0.1.0, SQLite store damper.db
        ticks        3 completed, 0 skipped, 0 not committed; lag 0.25s
        source       local: prometheus 3.5.0, answers; 0 queries failed
        definitions  revision 2, 1 SLOs
        ");
        status["definitions"]["problems"] = json!([{"file": "a.yaml", "line": 3, "column": 1, "error": true, "what": "wrong\u{1b}", "hint": "mend it"}]);
        assert!(is_in_trouble(&status));
        assert!(
            described(&status).contains("  error: a.yaml:3:1: wrong  (mend it)\n"),
            "{}",
            described(&status)
        );
    }
}
