//! `damper status`: how a Damper that runs fares, in lines.

use std::io::{self, Write as _};

use reqwest::Method;
use serde_json::Value;

use super::CommandError;
use super::args::RemoteArgs;
use super::check::Output;
use super::remote::ask;
use crate::slo::listed::counted;
use crate::slo::time::{Span, Ts};

/// Alerts that are listed.
const ALERTS: usize = 20;
/// SLOs that are named for each state.
const NAMED: usize = 5;
/// States that people should know of, and what they mean.
const STATES: [(&str, &str); 4] = [
    ("unknown", "nothing is known of"),
    ("absent", "no series at all for"),
    ("badNotPartOfTotal", "more bad events than events for"),
    ("idle", "no events so far for"),
];

/// Shows how it runs. The exit code is 1 where something is wrong.
pub(super) async fn status(args: RemoteArgs) -> Result<u8, CommandError> {
    let status = ask(&args, Method::GET, "api/v1/status", None).await?;
    let text = match args.output {
        Output::Json => format!("{status:#}\n"),
        Output::Text => {
            let mut text = described(&status);
            text.push_str(&slos(&args).await?);
            text.push_str(&alerts(
                &ask(&args, Method::GET, &format!("api/v1/alerts?limit={ALERTS}"), None).await?,
            ));
            text
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(u8::from(is_in_trouble(&status)))
}

/// The SLOs that have no numbers, by why.
async fn slos(args: &RemoteArgs) -> Result<String, CommandError> {
    let mut text = String::new();
    for (state, meaning) in STATES {
        let path = format!("api/v1/slos?state={state}&limit={NAMED}");
        text.push_str(&named(meaning, &ask(args, Method::GET, &path, None).await?));
    }
    Ok(text)
}

/// A line for each reason; those without one together.
fn named(meaning: &str, page: &Value) -> String {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for slo in items(at(page, "/items")) {
        let why = Some(at(slo, "/unknown/why")).filter(|why| why.is_string());
        let why = why.map_or_else(String::new, |why| format!(": {}", plain(why)));
        match lines.iter_mut().find(|(known, _)| *known == why) {
            Some((_, ids)) => ids.push(plain(at(slo, "/id"))),
            None => lines.push((why, vec![plain(at(slo, "/id"))])),
        }
    }
    if let Some((why, _)) = lines.last_mut().filter(|_| at(page, "/next").is_string()) {
        why.push_str(if why.is_empty() { " and more" } else { "; and more" });
    }
    lines.iter().map(|(why, ids)| format!("slos         {meaning} {}{why}\n", ids.join(", "))).collect()
}

fn alerts(page: &Value) -> String {
    let line = |alert: &Value| {
        let about = [at(alert, "/slo"), at(alert, "/labels/source")];
        let about = about.into_iter().find(|v| v.is_string()).map(plain).unwrap_or_default();
        let since = at(alert, "/firedAt").as_i64().or(at(alert, "/activeAt").as_i64());
        format!(
            "alert        {} {}: {about} {} since {}\n",
            plain(at(alert, "/severity")),
            plain(at(alert, "/labels/alertname")),
            plain(at(alert, "/state")),
            since.map_or_else(|| "now".to_owned(), |since| Ts(since).to_string()),
        )
    };
    let mut text: String = items(at(page, "/items")).map(line).collect();
    if at(page, "/next").is_string() {
        text.push_str("alert        and more; see /api/v1/alerts\n");
    }
    if text.is_empty() { "alerts       none\n".to_owned() } else { text }
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
    if is_true(at(status, "/shadow")) {
        lines.push(
            "alerts       SHADOW MODE: nobody is told of any; `alerting.mode: live` ends it".to_owned(),
        );
    }
    if let Some(by) = Some(at(status, "/scalingStopped")).filter(|by| by.is_string()) {
        lines.push(format!("scaling      STOPPED by {}: no policy moves anything", plain(by)));
    }
    let definitions = at(status, "/definitions");
    let slos = at(definitions, "/slos").as_u64().unwrap_or(0);
    lines.push(format!("definitions  revision {}, {}", at(definitions, "/revision"), counted(slos, "SLO")));
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
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fires_and_what_has_no_numbers_is_named() {
        assert_eq!(alerts(&json!({"items": [], "next": null})), "alerts       none\n");
        let alert = json!({
            "slo": "shop/a", "severity": "page", "state": "firing", "firedAt": 1_790_000_000, "activeAt": 1,
            "labels": {"alertname": "ErrorBudgetBurn"},
        });
        let text = alerts(&json!({"items": [alert], "next": "x"}));
        assert!(
            text.starts_with("alert        page ErrorBudgetBurn: shop/a firing since 2026-09-21T"),
            "{text}"
        );
        assert!(text.ends_with("and more; see /api/v1/alerts\n"), "{text}");
        let page = json!({"items": [{"id": "shop/a"}, {"id": "shop/b"}], "next": "shop/b"});
        assert_eq!(
            named("no events so far for", &page),
            "slos         no events so far for shop/a, shop/b and more\n"
        );
        assert_eq!(named("no events so far for", &json!({"items": []})), "");
        let why = |id: &str, why: &str| json!({"id": id, "unknown": {"since": 1, "why": why}});
        let items =
            [why("shop/a", "no answer"), why("shop/b", "it has no such group"), why("shop/c", "no answer")];
        assert_eq!(
            named("nothing is known of", &json!({"items": items, "next": "shop/c"})),
            "slos         nothing is known of shop/a, shop/c: no answer\n\
             slos         nothing is known of shop/b: it has no such group; and more\n"
        );
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
        definitions  revision 2, 1 SLO
        ");
        status["scalingStopped"] = json!("`damper scale stop`");
        let stopped = "scaling      STOPPED by `damper scale stop`: no policy moves anything\n";
        assert!(described(&status).contains(stopped), "{}", described(&status));
        assert!(!is_in_trouble(&status), "somebody wanted it so");
        status["definitions"]["problems"] = json!([{"file": "a.yaml", "line": 3, "column": 1, "error": true, "what": "wrong\u{1b}", "hint": "mend it"}]);
        assert!(is_in_trouble(&status));
        assert!(
            described(&status).contains("  error: a.yaml:3:1: wrong  (mend it)\n"),
            "{}",
            described(&status)
        );
    }
}
