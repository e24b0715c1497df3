//! Alerts about scale policies: what they added, and why they cannot.

use std::collections::BTreeSet;

use super::Inputs;
use super::control::Control;
use super::delta::Delta;
use super::transition::{Subjected, Telling, advance, resolve};
use crate::engine::alert::{AlertKey, Matter, RuleInput, Subject};
use crate::engine::condition::Verdict;
use crate::engine::scale::{Decision, Reason, State};
use crate::slo::model::{Labels, Severity};
use crate::slo::policy::{ScaleMode, ScalePolicy};
use crate::slo::time::Span;

/// How long a policy may be unable to act before somebody is told.
const BLOCKED_AFTER: Span = Span::from_mins(5);

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
    let tell = || Telling { annotations: common.map(said).unwrap_or_default(), evidence: None };
    move_one(key, verdict, Span::ZERO, tell, control, inputs, &mut delta);
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
    let holds = scaled.policy.mode == ScaleMode::Auto && holds(scaled, matter, severity);
    let verdict = if holds { Verdict::Holds } else { Verdict::Clear };
    let after = if matter == Matter::Blocked { BLOCKED_AFTER } else { Span::ZERO };
    let tell = || {
        let mut annotations = scaled.policy.annotations.clone();
        annotations.extend(said(&reason_of(scaled, matter)));
        Telling { annotations, evidence: None }
    };
    move_one(AlertKey { subject, severity }, verdict, after, tell, control, inputs, delta);
}

fn holds(scaled: &Scaled<'_>, matter: Matter, severity: Severity) -> bool {
    let (state, now) = (scaled.state, scaled.decision.at);
    let reasons =
        || [Some(&scaled.decision.reason), scaled.decision.runner_up.as_ref()].into_iter().flatten();
    match matter {
        Matter::Added => {
            // What was refused once is told once it is there.
            let intent = state.intent.filter(|_| state.refused.is_none());
            let at = intent.map(|intent| intent.to).or(state.seen);
            at.zip(state.base).is_some_and(|(at, base)| at > base)
        }
        Matter::Blocked => state.refused.is_some() || reasons().any(blocks),
        Matter::Overridden => state.overridden.as_ref().is_some_and(|other| now < other.until),
        Matter::Ineffective => state.is_useless(now),
        Matter::SuspectVersion => {
            let is_suspect = reasons().any(|reason| matches!(reason, Reason::SuspectVersion { .. }));
            // Burn that pages nobody does not wake anybody for its cause either.
            is_suspect && (severity == Severity::Page) == scaled.pages
        }
        Matter::CommonCause => false,
    }
}

/// Whether it is one of those that keep a policy from acting until somebody does something.
fn blocks(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::Blocked { .. }
            | Reason::AtMax { .. }
            | Reason::Fight { .. }
            | Reason::WorkloadUnknown
            | Reason::Misfit { .. }
            | Reason::RateLimit { .. }
            | Reason::FleetLimit { .. }
    )
}

/// What the alert tells: of the decision's two reasons the one that it is about.
fn reason_of(scaled: &Scaled<'_>, matter: Matter) -> Reason {
    let (state, decision) = (scaled.state, scaled.decision);
    let useless = state.useless.and_then(|useless| {
        let until = useless.hold_until?;
        Some(Reason::Useless { before: useless.before, after: useless.after, until })
    });
    let overridden = state.overridden.clone().map(|other| Reason::Overridden {
        by: other.by,
        to: other.to,
        until: other.until,
    });
    let refused = state.refused.clone().map(|why| {
        let until = state.cooldown_until.unwrap_or(decision.at);
        Reason::Refused { why, until }
    });
    let own = match matter {
        Matter::Ineffective => useless,
        Matter::Overridden => overridden,
        Matter::Blocked if refused.is_some() => refused,
        Matter::Blocked => {
            let runner_up = decision.runner_up.as_ref().filter(|reason| blocks(reason));
            runner_up.filter(|_| !blocks(&decision.reason)).cloned()
        }
        Matter::SuspectVersion => {
            let is_own = |reason: &&Reason| matches!(reason, Reason::SuspectVersion { .. });
            decision.runner_up.as_ref().filter(is_own).cloned()
        }
        Matter::Added | Matter::CommonCause => None,
    };
    own.unwrap_or_else(|| decision.reason.clone())
}

fn said(reason: &Reason) -> Labels {
    Labels::from([("summary".to_owned(), reason.say()), ("wouldChange".to_owned(), reason.changes())])
}

fn move_one(
    key: AlertKey,
    verdict: Verdict,
    after: Span,
    tell: impl Fn() -> Telling,
    control: &Control,
    inputs: &Inputs<'_>,
    delta: &mut Delta,
) {
    let before = control.get(&key);
    if before.is_none() && verdict != Verdict::Holds {
        return;
    }
    let rules = [RuleInput {
        name: "scaling",
        hold_for: after,
        keep_firing_for: Span::ZERO,
        begins: verdict,
        goes_on: verdict,
    }];
    advance(&Subjected { key, slo: None, rules: &rules, targets: None, tell }, before, inputs, delta);
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
