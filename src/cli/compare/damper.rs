//! What a running Damper knows: its SLOs, what their alerts did, and what fires now.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::Value;

use super::episode::{Episode, ours};
use crate::api::AlertEventView;
use crate::cli::CommandError;
use crate::cli::args::RemoteArgs;
use crate::cli::remote::{ask as get, read};
use crate::slo::model::Labels;
use crate::slo::time::Ts;

/// Items of a page.
const PAGE: usize = 1000;
/// The same of SLOs, each of which may have fifty groups: a page must stay below what is read of one.
const SLOS: usize = 100;
/// Entries of one list at most.
const MOST: usize = 200_000;

/// What Damper knows.
#[derive(Debug, Default)]
pub(super) struct Ours {
    /// SLOs in force.
    pub(super) slos: BTreeSet<String>,
    /// Since when it watches.
    pub(super) since: Option<Ts>,
    /// What fired, by SLO.
    pub(super) episodes: BTreeMap<String, Vec<Episode>>,
    /// Labels of what fires now.
    pub(super) firing: Vec<Labels>,
}

/// Asks it all.
pub(super) async fn ask(remote: &RemoteArgs, from: Ts) -> Result<Ours, CommandError> {
    let mut all = Ours::default();
    let (mut events, mut fires): (Vec<AlertEventView>, _) = (Vec::new(), BTreeSet::new());
    // What fires is read first: what ends meanwhile is then in the history.
    for alert in list(remote, "api/v1/alerts", PAGE, "", |_| {}).await? {
        if let Some(event) = firing(&alert) {
            all.firing.push(event.labels.clone());
            fires.insert(event.incident.clone());
            events.push(event);
        }
    }
    let mut since = None;
    let span = format!("&from={}", from.0);
    let history = list(remote, "api/v1/alerts/history", PAGE, &span, |answer| {
        since = answer.get("since").and_then(Value::as_i64);
    });
    for event in history.await? {
        events.push(read(&event)?);
    }
    all.since = since.map(Ts);
    for slo in list(remote, "api/v1/slos", SLOS, "", |_| {}).await? {
        all.slos.extend(slo.get("id").and_then(Value::as_str).map(str::to_owned));
    }
    all.episodes = ours(events, &fires);
    Ok(all)
}

/// A list, page after page.
async fn list(
    remote: &RemoteArgs,
    path: &str,
    page: usize,
    query: &str,
    mut answered: impl FnMut(&Value),
) -> Result<Vec<Value>, CommandError> {
    let mut items = Vec::new();
    let mut next = String::new();
    for _ in 0..MOST / page {
        let mut answer = get(remote, Method::GET, &format!("{path}?limit={page}{query}{next}"), None).await?;
        answered(&answer);
        if let Some(Value::Array(more)) = answer.get_mut("items").map(Value::take) {
            items.extend(more);
        }
        match answer.get("next").and_then(Value::as_str) {
            None => return Ok(items),
            Some(after) => {
                let bytes = after.bytes().map(|byte| format!("%{byte:02X}"));
                next = format!("&next={}", bytes.collect::<String>());
            }
        }
    }
    Err(format!("{path} has more than {MOST} entries; compare a shorter time with --since").into())
}

/// What fires, as the history would tell it; `None` for what is only pending.
fn firing(alert: &Value) -> Option<AlertEventView> {
    let text = |name: &str| alert.get(name).and_then(Value::as_str).map(str::to_owned);
    let fired_at = alert.get("firedAt")?.as_i64()?;
    Some(AlertEventView {
        at: fired_at,
        event: "firing".into(),
        slo: text("slo"),
        severity: serde_json::from_value(alert.get("severity")?.clone()).ok()?,
        incident: text("incident")?,
        labels: serde_json::from_value(alert.get("labels")?.clone()).ok()?,
        summary: alert.pointer("/annotations/summary").and_then(Value::as_str).map(str::to_owned),
        fired_at,
        ended_at: None,
        told: vec![],
        shown: vec![],
    })
}
