//! What templates may name: the notice as texts that are ready to be read.

use serde::Serialize;

use crate::engine::notice::{Alert, Event, Notice};
use crate::engine::reason::{Evidence, RuleEvidence, WindowEvidence};
use crate::engine::words;
use crate::notify::links;
use crate::slo::time::Ts;

/// A notice for people.
#[derive(Serialize, Debug)]
pub(super) struct View {
    /// `FIRING`, `RESOLVED` or `MISSED`.
    pub(super) state: String,
    /// Nobody is told; this shows what people would have been told.
    pub(super) shadow: bool,
    /// `page` or `ticket`.
    pub(super) severity: &'static str,
    /// `checkout/availability (route=/pay)`, or the alert's name where it is not about an SLO.
    pub(super) subject: String,
    /// How fast, over which window: `burn rate 27.5 over 1h`; empty when not about a burn.
    pub(super) speed: String,
    /// One sentence.
    pub(super) headline: String,
    /// Since when, and when it ended.
    pub(super) when: String,
    /// The rules that hold, or the first.
    pub(super) rules: Vec<RuleView>,
    /// The budget in one sentence; empty when not about a burn.
    pub(super) budget: String,
    /// What a composite is made of, a sentence for each part.
    pub(super) parts: Vec<String>,
    /// PromQL to paste: name and query.
    pub(super) queries: Vec<(&'static str, String)>,
    /// A link to the runbook.
    pub(super) runbook: Option<String>,
    /// A link to Damper; empty when nobody said where it is.
    pub(super) link: String,
    /// Annotations that are not told otherwise.
    pub(super) annotations: Vec<(String, String)>,
    /// All labels.
    pub(super) labels: Vec<(String, String)>,
    /// The incident's id.
    pub(super) incident: String,
}

/// A rule and its windows.
#[derive(Serialize, Debug)]
pub(super) struct RuleView {
    /// `The page rule at burn rate 14.4`.
    pub(super) title: String,
    /// Whether it holds.
    pub(super) holds: bool,
    /// One row per window.
    pub(super) windows: Vec<WindowView>,
}

/// A window, whole and in columns.
#[derive(Serialize, Debug)]
pub(super) struct WindowView {
    /// Everything in one sentence.
    pub(super) sentence: String,
    /// `1h`.
    pub(super) window: String,
    /// Bad events, or `–` for a time-weighted ratio.
    pub(super) bad: String,
    /// All events, likewise.
    pub(super) total: String,
    /// Bad of all in percent.
    pub(super) share: String,
    /// The burn rate.
    pub(super) burn: String,
}

impl View {
    pub(super) fn new(notice: &Notice, external_url: &str) -> Self {
        let alert = &notice.alert;
        let evidence = alert.evidence.as_ref();
        // The description of a burn says what rules, budget and queries show below.
        let told = |name: &str| match name {
            "summary" | "runbook" | "runbook_url" => true,
            "description" => evidence.is_some(),
            _ => false,
        };
        let pairs = |labels: &crate::slo::model::Labels| {
            labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
        };
        let mut annotations = pairs(&alert.annotations);
        annotations.retain(|(name, _)| !told(name));
        Self {
            state: notice.event.as_str().to_uppercase(),
            shadow: notice.shadow,
            severity: alert.severity.as_str(),
            subject: subject(alert),
            speed: evidence.map(speed).unwrap_or_default(),
            headline: headline(alert),
            when: when(notice),
            rules: evidence.map(rules).unwrap_or_default(),
            budget: evidence.map(words::budget_sentence).unwrap_or_default(),
            parts: evidence.map(words::parts).unwrap_or_default(),
            queries: evidence.map(queries).unwrap_or_default(),
            runbook: links::runbook(alert).map(String::from),
            link: links::generator_url(external_url, alert),
            annotations,
            labels: pairs(&alert.labels),
            incident: notice.incident.clone(),
        }
    }
}

fn subject(alert: &Alert) -> String {
    if let Some(evidence) = &alert.evidence {
        return words::subject(evidence);
    }
    let mut labels = alert.labels.clone();
    let name = labels.remove("alertname").unwrap_or_else(|| "alert".into());
    labels.remove("severity");
    if labels.is_empty() { name } else { format!("{name} ({})", words::pairs(&labels)) }
}

fn headline(alert: &Alert) -> String {
    match (&alert.evidence, alert.annotations.get("summary")) {
        (Some(evidence), _) => words::summary(evidence, alert.severity),
        (None, Some(summary)) => summary.clone(),
        (None, None) => subject(alert),
    }
}

fn when(notice: &Notice) -> String {
    let began = clock(notice.alert.starts_at);
    if notice.event == Event::Firing {
        return format!("Firing since {began}.");
    }
    let ended = notice.alert.ends_at.unwrap_or(notice.at);
    let lasted = words::duration(ended.since(notice.alert.starts_at));
    let seen = if notice.event == Event::Missed { " Nobody could be told while it fired." } else { "" };
    format!("Began {began}, ended {} after {lasted}.{seen}", clock(ended))
}

/// `2026-05-28 20:26:40 UTC`.
fn clock(at: Ts) -> String {
    at.to_datetime().map_or_else(|| at.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn shown(evidence: &Evidence) -> Vec<&RuleEvidence> {
    let holding: Vec<_> = evidence.rules.iter().filter(|rule| rule.holds).collect();
    if holding.is_empty() { evidence.rules.iter().take(1).collect() } else { holding }
}

fn speed(evidence: &Evidence) -> String {
    let long = shown(evidence).first().map(|rule| &rule.long);
    match long.and_then(|long| Some((long.burn?, long.window))) {
        Some((burn, window)) => {
            format!("burn rate {} over {}", words::significant(burn), words::duration(window))
        }
        None => String::new(),
    }
}

fn rules(evidence: &Evidence) -> Vec<RuleView> {
    let rows = |rule: &RuleEvidence| {
        let windows = std::iter::once(&rule.long).chain(&rule.short);
        windows.map(|seen| row(seen, evidence)).collect()
    };
    shown(evidence)
        .into_iter()
        .map(|rule| RuleView {
            title: format!("The {} rule at burn rate {}", rule.severity, rule.threshold),
            holds: rule.holds,
            windows: rows(rule),
        })
        .collect()
}

fn row(seen: &WindowEvidence, evidence: &Evidence) -> WindowView {
    let counted = words::counted(seen, evidence);
    let count = |value: Option<f64>| value.map_or_else(|| "–".into(), words::significant);
    // Events that did not happen were counted; where nothing is counted there are none.
    let none = (!evidence.time_weighted && evidence.composite.is_none()).then_some((0.0, 0.0));
    let counts = counted.or(none);
    WindowView {
        sentence: words::window(seen, evidence),
        window: words::duration(seen.window),
        bad: count(counts.map(|(bad, _)| bad)),
        total: count(counts.map(|(_, total)| total)),
        share: words::share(seen, evidence).unwrap_or_else(|| "–".into()),
        burn: seen.burn.map_or_else(|| "not known".into(), words::significant),
    }
}

fn queries(evidence: &Evidence) -> Vec<(&'static str, String)> {
    if evidence.composite.is_some() {
        return Vec::new();
    }
    vec![("Bad events", evidence.bad_query.clone()), ("All events", evidence.total_query.clone())]
}
