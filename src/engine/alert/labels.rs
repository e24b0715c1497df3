//! Names and labels of alerts.

use super::key::{AlertKey, Subject};
use crate::slo::model::{Labels, Slo};

/// What the names of an alert are made from.
pub struct Naming<'a> {
    /// The alert.
    pub key: &'a AlertKey,
    /// The definition, where the alert is about one.
    pub slo: Option<&'a Slo>,
    /// Labels of the rules that hold.
    pub rule_labels: Vec<&'a Labels>,
    /// `externalLabels` of the settings.
    pub external: &'a Labels,
}

/// `alertname, service, slo, severity`, then metadata, external and group labels. What comes first
/// stays; a group label that clashes gets `group_` before its name. Labels of the severity and of
/// rules may replace `severity` and what follows it.
pub fn alert_labels(naming: &Naming<'_>) -> Labels {
    let key = naming.key;
    let mut labels = Labels::from([
        ("alertname".to_owned(), alert_name(naming)),
        ("severity".to_owned(), key.severity.as_str().to_owned()),
    ]);
    if let Some(slo) = naming.slo {
        labels.insert("service".to_owned(), slo.id.service.clone());
        labels.insert("slo".to_owned(), slo.id.name.clone());
        let own = &slo.alerting.options(key.severity).labels;
        for (name, value) in naming.rule_labels.iter().copied().flatten().chain(own) {
            if !FIXED.contains(&name.as_str()) {
                labels.insert(name.clone(), value.clone());
            }
        }
        add(&mut labels, &slo.labels);
    }
    if let Subject::Blind { source } = &key.subject {
        labels.insert("source".to_owned(), source.clone());
    }
    if let Subject::Scaling { policy: Some(policy), .. } = &key.subject {
        labels.insert("policy".to_owned(), policy.clone());
    }
    add(&mut labels, naming.external);
    if let Subject::Burn { group, .. } = &key.subject {
        for (name, value) in group {
            let name = if labels.contains_key(name) { format!("group_{name}") } else { name.clone() };
            labels.insert(name, value.clone());
        }
    }
    labels
}

const FIXED: [&str; 3] = ["alertname", "service", "slo"];

fn alert_name(naming: &Naming<'_>) -> String {
    match (&naming.key.subject, naming.slo) {
        (Subject::Burn { .. }, Some(slo)) => slo.alerting.name.clone(),
        (Subject::Burn { .. }, None) => "ErrorBudgetBurn".to_owned(),
        (Subject::Absent { .. }, _) => "SLOAbsent".to_owned(),
        (Subject::Unknown { .. }, _) => "SLOUnknown".to_owned(),
        (Subject::Blind { .. }, _) => "SourceBlind".to_owned(),
        (Subject::Scaling { matter, .. }, _) => matter.name().to_owned(),
    }
}

fn add(labels: &mut Labels, more: &Labels) {
    for (name, value) in more {
        labels.entry(name.clone()).or_insert_with(|| value.clone());
    }
}
