//! Alerts about not knowing: `SLOAbsent`, `SLOUnknown`, `SourceBlind`; and about definitions that went.

use std::collections::BTreeSet;

use super::Inputs;
use super::burn::Seen;
use super::control::{Alerts, Control};
use super::delta::Delta;
use super::transition::{Subjected, Telling, advance, resolve};
use crate::engine::alert::{AlertKey, RuleInput, Subject};
use crate::engine::condition::Verdict;
use crate::engine::plan::Planned;
use crate::engine::status::Standing;
use crate::slo::model::{AbsentMeans, Labels, Severity};
use crate::slo::time::{Span, Ts};

/// How long one SLO may be unknown although its source answers.
const UNKNOWN_AFTER: Span = Span::from_mins(5);
/// How long a source may be blind before a ticket, and before a page.
const BLIND_TICKET_AFTER: Span = Span::from_mins(1);
const BLIND_PAGE_AFTER: Span = Span::from_mins(10);

/// `SLOAbsent` and `SLOUnknown` of one SLO.
pub(super) fn step_health(
    planned: &Planned,
    seen: &Seen,
    alerts: Option<&Alerts>,
    inputs: &Inputs<'_>,
    delta: &mut Delta,
) {
    let standings = &*seen.standings;
    let absent = planned.slo.absent;
    let says_so = matches!(absent.means, AbsentMeans::Unknown | AbsentMeans::Bad);
    let subject = |slo| Subject::Absent { slo };
    let verdict = if says_so { is_absent(standings) } else { Verdict::Clear };
    let text = || {
        format!(
            "No series of the total of {} exists for {}: the query matches nothing, the workload is gone, or it is not scraped. Its other alerts hold.",
            planned.id, absent.after
        )
    };
    let about = About { planned, subject, severity: absent.severity, name: "absent", after: absent.after };
    about.advance(verdict, &text, alerts, inputs, delta);
    // The severity may have been edited while it fired.
    let other = if absent.severity == Severity::Page { Severity::Ticket } else { Severity::Page };
    About { severity: other, ..about }.advance(Verdict::Clear, &text, alerts, inputs, delta);

    let subject = |slo| Subject::Unknown { slo };
    let stale = inputs.observed.stale_window(planned, inputs.at).map(|(window, _)| window);
    let verdict = is_unknown(seen, stale.is_some());
    let text = || {
        let id = &planned.id;
        if let Some(why) = &seen.why {
            return format!(
                "Not all is known about {id}. {why}. Its alerts fire by what is known, and none ends."
            );
        }
        let why = match stale {
            _ if standings.contains(&Standing::BadNotPartOfTotal) => {
                "it counts more bad events than events: bad is not a part of total"
            }
            _ if seen.withheld != Verdict::Clear => {
                "much of what its newest slices count may be older, and a question about that has no answer or no proof"
            }
            Some(window) if !standings.iter().all(|s| *s == Standing::Unknown) => {
                return format!(
                    "The error ratio of {id} over {window} is not known: its query fails. Alerts that need it hold."
                );
            }
            _ => "its query fails or its samples have stopped",
        };
        format!("Nothing is known about {id}: {why}. Its other alerts hold.")
    };
    let severity = Severity::Ticket;
    let about = About { planned, subject, severity, name: "unknown", after: UNKNOWN_AFTER };
    about.advance(verdict, &text, alerts, inputs, delta);
}

/// One SLO whose queries were not answered: its burn alerts stay as they are, and only the alerts
/// about not knowing move. The slice is judged later, when it is known.
pub fn step_unanswered(planned: &Planned, control: &Control, inputs: &Inputs<'_>) -> Delta {
    let mut delta = Delta::default();
    let seen = Seen::of(vec![Standing::Unknown], inputs.observed.is_blind(&planned.source));
    step_health(planned, &seen, control.of_slo(&planned.id), inputs, &mut delta);
    delta
}

/// `SourceBlind` of every source.
pub fn step_sources(control: &Control, inputs: &Inputs<'_>) -> Delta {
    let mut delta = Delta::default();
    let gone = |key: &AlertKey| match &key.subject {
        Subject::Blind { source } if !inputs.observed.blind.contains_key(source) => Some(source.clone()),
        _ => None,
    };
    let removed = control.of_sources().filter_map(|(key, _)| gone(key)).map(|source| (source, false));
    let sources: Vec<(String, bool)> =
        inputs.observed.blind.iter().map(|(s, b)| (s.clone(), *b)).chain(removed).collect();
    for (source, blind) in sources {
        for (severity, after) in [(Severity::Ticket, BLIND_TICKET_AFTER), (Severity::Page, BLIND_PAGE_AFTER)]
        {
            let key = AlertKey { subject: Subject::Blind { source: source.clone() }, severity };
            let before = control.get(&key);
            let verdict = if blind { Verdict::Holds } else { Verdict::Clear };
            let tell = || Telling {
                annotations: Labels::from([(
                    "summary".to_owned(),
                    format!(
                        "Source {source} leaves most or all questions unanswered for {after}: the SLOs it does not answer for are unknown, and their alerts hold."
                    ),
                )]),
                evidence: None,
            };
            let rules = [rule("blind", after, verdict)];
            advance(
                &Subjected { key, slo: None, rules: &rules, targets: None, tell },
                before,
                inputs,
                &mut delta,
            );
        }
    }
    delta
}

/// Ends the alerts of SLOs that are not defined any more: who was told "firing" is told "resolved".
pub fn retire(defined: &BTreeSet<&str>, control: &Control, at: Ts) -> Delta {
    let mut delta = Delta::default();
    for (key, state) in control.iter() {
        let Some(slo) = key.subject.slo().filter(|slo| !defined.contains(slo)) else { continue };
        if let Some(firing) = &state.firing {
            let why = format!("The definition of {slo} was removed.");
            let annotations = Labels::from([("resolvedBecause".to_owned(), why)]);
            resolve(key, firing, Telling { annotations, evidence: None }, at, &mut delta);
        }
        delta.changes.insert(key.clone(), None);
    }
    delta
}

fn is_absent(standings: &[Standing]) -> Verdict {
    if standings.iter().all(|s| *s == Standing::Absent) {
        Verdict::Holds
    } else if standings.iter().all(|s| matches!(s, Standing::Absent | Standing::Unknown)) {
        Verdict::Unknown
    } else {
        Verdict::Clear
    }
}

fn is_unknown(seen: &Seen, stale: bool) -> Verdict {
    let standings = &seen.standings;
    if standings.contains(&Standing::BadNotPartOfTotal) {
        Verdict::Holds
    } else if seen.blind {
        Verdict::Unknown
    } else if stale || standings.iter().all(|s| *s == Standing::Unknown) {
        Verdict::Holds
    } else {
        seen.withheld
    }
}

/// An alert of one SLO with one rule.
struct About<'a> {
    planned: &'a Planned,
    subject: fn(String) -> Subject,
    severity: Severity,
    name: &'static str,
    after: Span,
}

impl About<'_> {
    /// Costs nothing while nothing is wrong: every SLO comes here in every tick.
    fn advance(
        &self,
        verdict: Verdict,
        text: &dyn Fn() -> String,
        alerts: Option<&Alerts>,
        inputs: &Inputs<'_>,
        delta: &mut Delta,
    ) {
        if alerts.is_none() && verdict != Verdict::Holds {
            return;
        }
        let key = AlertKey { subject: (self.subject)(self.planned.id.clone()), severity: self.severity };
        let before = alerts.and_then(|alerts| alerts.get(&key));
        let tell = || Telling { annotations: Labels::from([("summary".to_owned(), text())]), evidence: None };
        let rules = [rule(self.name, self.after, verdict)];
        let slo = Some(&*self.planned.slo);
        advance(&Subjected { key, slo, rules: &rules, targets: None, tell }, before, inputs, delta);
    }
}

fn rule(name: &str, hold_for: Span, verdict: Verdict) -> RuleInput<'_> {
    RuleInput { name, hold_for, keep_firing_for: Span::ZERO, begins: verdict, goes_on: verdict }
}
