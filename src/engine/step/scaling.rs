//! Alerts about scale policies: what they added, and why they cannot.

use std::collections::BTreeSet;

use super::Inputs;
use super::control::Control;
use super::delta::Delta;
use super::matters;
use super::transition::{Subjected, Telling, advance, resolve};
use crate::engine::alert::{AlertKey, Matter, RuleInput, Subject};
use crate::engine::condition::Verdict;
use crate::engine::scale::{Decision, Reason, State};
use crate::slo::model::{Labels, Severity};
use crate::slo::policy::ScalePolicy;
use crate::slo::time::Span;

/// One policy and what was decided about it.
#[derive(Clone, Copy, Debug)]
pub struct Scaled<'a> {
    /// The policy.
    pub policy: &'a ScalePolicy,
    /// What is remembered of it after the decision.
    pub state: &'a State,
    /// The decision.
    pub decision: &'a Decision,
    /// A page of one of its SLOs fires.
    pub pages: bool,
}

/// Moves the alerts of all policies; `common` says why all of them hold, where they do.
pub fn step_scaling(
    all: &[Scaled<'_>],
    common: Option<&Reason>,
    control: &Control,
    inputs: &Inputs<'_>,
) -> Delta {
    let mut delta = Delta::default();
    for scaled in all {
        let mut external = scaled.policy.labels.clone();
        external.extend(inputs.external.clone());
        let inputs = Inputs { external: &external, ..*inputs };
        for matter in [Matter::Added, Matter::Blocked, Matter::Overridden, Matter::Ineffective] {
            one(scaled, matter, severity_of(matter), control, &inputs, &mut delta);
        }
        for severity in [Severity::Page, Severity::Ticket] {
            one(scaled, Matter::SuspectVersion, severity, control, &inputs, &mut delta);
        }
    }
    let key = AlertKey {
        subject: Subject::Scaling { policy: None, matter: Matter::CommonCause },
        severity: Severity::Page,
    };
    let verdict = if common.is_some() { Verdict::Holds } else { Verdict::Clear };
    let rule = RuleInput {
        name: "scaling",
        hold_for: Span::ZERO,
        keep_firing_for: Span::ZERO,
        begins: verdict,
        goes_on: verdict,
    };
    let tell = || Telling { annotations: common.map(said).unwrap_or_default(), evidence: None };
    move_one(key, &[rule], tell, control, inputs, &mut delta);
    retire(all, control, inputs, &mut delta);
    delta
}

fn severity_of(matter: Matter) -> Severity {
    match matter {
        Matter::Ineffective | Matter::CommonCause => Severity::Page,
        Matter::Added | Matter::Blocked | Matter::Overridden | Matter::SuspectVersion => Severity::Ticket,
    }
}

fn one(
    scaled: &Scaled<'_>,
    matter: Matter,
    severity: Severity,
    control: &Control,
    inputs: &Inputs<'_>,
    delta: &mut Delta,
) {
    let subject = Subject::Scaling { policy: Some(scaled.policy.name.clone()), matter };
    let is_blind = inputs.observed.blind.values().any(|blind| *blind);
    let rules = matters::rules(scaled, matter, severity, is_blind);
    let tell = || {
        let mut annotations = scaled.policy.annotations.clone();
        annotations.extend(said(&matters::reason(scaled, matter)));
        Telling { annotations, evidence: None }
    };
    move_one(AlertKey { subject, severity }, &rules, tell, control, inputs, delta);
}

fn said(reason: &Reason) -> Labels {
    Labels::from([("summary".to_owned(), reason.say()), ("wouldChange".to_owned(), reason.changes())])
}

fn move_one(
    key: AlertKey,
    rules: &[RuleInput<'_>],
    tell: impl Fn() -> Telling,
    control: &Control,
    inputs: &Inputs<'_>,
    delta: &mut Delta,
) {
    let before = control.get(&key);
    advance(&Subjected { key, slo: None, rules, targets: None, tell }, before, inputs, delta);
}

/// Ends the alerts of policies that are not defined any more.
fn retire(all: &[Scaled<'_>], control: &Control, inputs: &Inputs<'_>, delta: &mut Delta) {
    let defined: BTreeSet<&str> = all.iter().map(|scaled| scaled.policy.name.as_str()).collect();
    for (key, state) in control.of_sources() {
        let Subject::Scaling { policy: Some(policy), .. } = &key.subject else { continue };
        if defined.contains(policy.as_str()) {
            continue;
        }
        if let Some(firing) = &state.firing {
            let why = format!("The policy {policy} was removed.");
            let annotations = Labels::from([("resolvedBecause".to_owned(), why)]);
            resolve(key, firing, Telling { annotations, evidence: None }, inputs.at, delta);
        }
        delta.changes.insert(key.clone(), None);
    }
}
