//! The safety net: one plain Prometheus rule for each SLO that pages, in force while no Damper ticks.

use serde::Serialize;

use super::events::window;
use crate::engine::alert::{AlertKey, Naming, Subject, alert_labels};
use crate::slo::model::{AlertMode, GroupBy, Labels, Rule, Severity, Slo};
use crate::slo::query::Quoted;
use crate::slo::time::{Span, Step};
use crate::slo::unit::{BurnRate, Events, Objective};

/// What holds before it is told: a Damper that is restarted is back by then.
const HOLD: Span = Span::from_mins(2);
/// Rules of a group.
const TOGETHER: usize = 100;
/// Says of an alert that it comes from the net, so that routes can tell.
const NET: &str = "damper_safety_net";

/// Rules that are evaluated one after the other.
#[derive(Serialize)]
pub(super) struct Group {
    name: String,
    interval: String,
    rules: Vec<Alert>,
}

/// One rule.
#[derive(Serialize)]
pub(super) struct Alert {
    alert: String,
    expr: String,
    r#for: String,
    labels: Labels,
    annotations: Labels,
}

/// Why an SLO has no rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Without {
    /// Nobody is to be paged.
    Pages,
    /// It is a composite: no plain rule says what its parts are together, and they have their own.
    Events,
}

/// The rule of one SLO's fastest page.
pub(super) fn alert(slo: &Slo, external: &Labels, step: Step, watched: &str) -> Result<Alert, Without> {
    let pages = slo.alerting.rules.iter().filter(|rule| rule.severity == Severity::Page);
    let fastest = pages.min_by_key(|rule| rule.long);
    let rule = fastest.filter(|_| slo.alerting.mode == AlertMode::Live).ok_or(Without::Pages)?;
    let key = AlertKey {
        subject: Subject::Burn { slo: slo.id.to_string(), group: Labels::new() },
        severity: Severity::Page,
    };
    let naming = Naming { key: &key, slo: Some(slo), rule_labels: vec![&rule.labels], external };
    let mut labels = alert_labels(&naming);
    let alert = labels.remove("alertname").unwrap_or_else(|| slo.alerting.name.clone());
    labels.insert(NET.to_owned(), "true".to_owned());
    let expr = expr(slo, rule, step, &labels, watched).ok_or(Without::Events)?;
    let short = rule.short.unwrap_or(rule.long);
    let mut annotations = slo.annotations.clone();
    annotations.extend(slo.alerting.page.annotations.clone());
    annotations.insert(
        "summary".to_owned(),
        format!(
            "{} burns its error budget at {} times the pace or more, and no Damper sees it.",
            slo.id, rule.burn_rate
        ),
    );
    annotations.insert(
        "description".to_owned(),
        format!(
            "Over {} and {short}, by a plain Prometheus rule. Look at the service, then at Damper.",
            rule.long
        ),
    );
    let literal = |all: Labels| all.into_iter().map(|(name, value)| (name, literal(&value))).collect();
    Ok(Alert {
        alert,
        expr,
        r#for: rule.hold_for.max(HOLD).to_string(),
        labels: literal(labels),
        annotations: literal(annotations),
    })
}

/// Rules of a group are evaluated one after the other, so that there are several; each minute: a net need
/// not be faster, and should cost little.
pub(super) fn groups(rules: Vec<Alert>) -> Vec<Group> {
    let mut rules = rules.into_iter().peekable();
    let mut groups = Vec::new();
    while rules.peek().is_some() {
        let name = format!("damper-safety-net-{}", groups.len() + 1);
        groups.push(Group {
            name,
            interval: "1m".to_owned(),
            rules: rules.by_ref().take(TOGETHER).collect(),
        });
    }
    groups
}

fn expr(slo: &Slo, rule: &Rule, step: Step, labels: &Labels, watched: &str) -> Option<String> {
    let by: Vec<&str> = slo.group_by.iter().flat_map(|group| &group.labels).map(String::as_str).collect();
    let threshold = threshold(rule.burn_rate, mildest(slo));
    let windows = std::iter::once(rule.long).chain(rule.short);
    let mut all: Vec<String> = Vec::new();
    for over in windows {
        let asked = window(&slo.sli, &by, over, step.span())?;
        all.push(format!("{} >= {threshold}", asked.ratio));
        if let Some(bad) = asked.bad.filter(|_| over == rule.long && rule.min_bad_events > Events::ZERO) {
            all.push(format!("{bad} >= {}", rule.min_bad_events.as_f64()));
        }
    }
    let burns = apart(all.join("\nand\n"), &by, labels);
    Some(format!("(\n{burns}\n)\nunless on ()\n({watched})"))
}

/// Holds while a Damper ticks, and its source answers where that is known by name.
pub(super) fn watched(job: &str, source: Option<&str>) -> String {
    let job = Quoted(job);
    let ticks = format!("max(increase(damper_ticks_total{{job={job}}}[5m])) > 0");
    match source.map(Quoted) {
        Some(source) => {
            format!("{ticks}\nand on ()\nmax(damper_source_up{{job={job},source={source}}}) == 1")
        }
        None => ticks,
    }
}

/// A group's label that a label of the alert has the name of would be overwritten, and all groups be one.
fn apart(burns: String, by: &[&str], labels: &Labels) -> String {
    by.iter().filter(|label| labels.contains_key(**label)).fold(burns, |burns, label| {
        format!(
            "label_replace({burns}, {}, \"$1\", {}, \"(.*)\")",
            Quoted(&format!("group_{label}")),
            Quoted(label)
        )
    })
}

/// Of all objectives that groups have, the one with the largest budget: better no page for a group than a
/// false one.
fn mildest(slo: &Slo) -> Objective {
    let groups = slo.group_by.iter().flat_map(|GroupBy { objectives, .. }| objectives);
    groups.map(|group| group.objective).chain([slo.objective]).min().unwrap_or(slo.objective)
}

/// `burn · budget`, exact to 15 digits.
fn threshold(burn: BurnRate, objective: Objective) -> String {
    let parts = u128::from(burn.millionths()) * u128::from(objective.budget_ppb());
    let whole = 1_000_000_000_000_000;
    let text = format!("{}.{:015}", parts / whole, parts % whole);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// As it stands: Prometheus would take braces for a template.
fn literal(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}
