//! Decisions about one alert, as tests of this folder need them.

use std::collections::BTreeMap;

use crate::engine::alert::{AlertKey, AlertState, Firing, Subject, Timer};
use crate::engine::notice::{Alert, Event};
use crate::engine::step::{Delta, Transition};
use crate::slo::model::{Labels, Severity};
use crate::slo::time::{Span, Ts};

pub(super) fn key(severity: Severity) -> AlertKey {
    AlertKey { subject: Subject::Burn { slo: "shop/cart".into(), group: Labels::new() }, severity }
}

fn labels(severity: Severity) -> Labels {
    Labels::from([("severity".to_owned(), severity.as_str().to_owned())])
}

fn transition(severity: Severity, incident: &str, at: i64, event: Event) -> Transition {
    let alert = Alert {
        labels: labels(severity),
        annotations: Labels::new(),
        severity,
        starts_at: Ts(at),
        ends_at: (event == Event::Resolved).then_some(Ts(at)),
        evidence: None,
    };
    let (incident, told) = (incident.to_owned(), vec!["main".into()]);
    Transition { key: key(severity), event, at: Ts(at), incident, told, alert }
}

pub(super) fn fires(severity: Severity, incident: &str, at: i64) -> Delta {
    let firing = Firing {
        incident: incident.to_owned(),
        at: Ts(at),
        labels: labels(severity),
        annotations: Labels::new(),
        told: vec!["main".into()],
        targets: None,
        rules: vec![],
    };
    let state = AlertState { firing: Some(firing), at: Some(Ts(at)), ..AlertState::default() };
    let transitions = vec![transition(severity, incident, at, Event::Firing)];
    Delta { changes: BTreeMap::from([(key(severity), Some(state))]), transitions }
}

pub(super) fn ends(severity: Severity, incident: &str, at: i64) -> Delta {
    let transitions = vec![transition(severity, incident, at, Event::Resolved)];
    Delta { changes: BTreeMap::from([(key(severity), None)]), transitions }
}

pub(super) fn pending(severity: Severity, at: i64) -> Delta {
    let timer = Timer { since: Ts(at), frozen: Span::ZERO, held: Ts(at), firing: false };
    let timers = BTreeMap::from([("r".to_owned(), timer)]);
    let state = AlertState { timers, at: Some(Ts(at)), ..AlertState::default() };
    Delta { changes: BTreeMap::from([(key(severity), Some(state))]), transitions: vec![] }
}
