//! SLOs and series for tests; each changes what it is about.

use super::fact::{SeriesKey, What};
use super::ledger::Keep;
use crate::slo::model::{
    Absent, AbsentMeans, AlertMode, Alerting, GroupBy, Labels, Overflow, Place, Rule, Severity,
    SeverityOptions, Sli, Slo, SloId,
};
use crate::slo::period::Period;
use crate::slo::query::{Atom, Counting, Linear, Selector, Term};
use crate::slo::time::{Span, Step};
use crate::slo::unit::Events;

/// A counter without matchers.
pub(crate) fn atom(metric: &str) -> Atom {
    Atom { selector: Selector { metric: metric.into(), matchers: vec![] }, counting: Counting::Counter }
}

/// That counter alone.
pub(crate) fn linear(metric: &str) -> Linear {
    Linear { terms: vec![Term { weight: 1_000_000, atom: atom(metric) }] }
}

/// A rule that fires at once, from three bad events on.
pub(crate) fn rule(severity: Severity, rate: &str, long: Span, short: Option<Span>) -> Rule {
    Rule {
        severity,
        burn_rate: rate.parse().unwrap(),
        long,
        short,
        hold_for: Span::ZERO,
        keep_firing_for: Span::ZERO,
        min_bad_events: Events::whole(3),
        labels: Labels::new(),
    }
}

/// 99.9 % of four weeks, ungrouped.
pub(crate) fn slo(service: &str, name: &str, sli: Sli, rules: Vec<Rule>) -> Slo {
    Slo {
        id: SloId { service: service.into(), name: name.into() },
        description: String::new(),
        labels: Labels::from([("team".into(), "payments".into())]),
        annotations: Labels::new(),
        source: None,
        objective: "99.9".parse().unwrap(),
        period: Period::Rolling(Span::from_days(28)),
        sli,
        alive: None,
        absent: Absent {
            means: AbsentMeans::Unknown,
            after: Span::from_mins(10),
            severity: Severity::Ticket,
        },
        group_by: None,
        alerting: Alerting {
            name: "ErrorBudgetBurn".into(),
            mode: AlertMode::Live,
            page: SeverityOptions::default(),
            ticket: SeverityOptions::default(),
            rules,
        },
        place: Place::default(),
    }
}

/// Many groups, kept for a day.
pub(crate) fn group_by(labels: &[&str]) -> GroupBy {
    GroupBy {
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        limit: 500,
        on_overflow: Overflow::Other,
        expire_after: Span::from_hours(24),
        objectives: vec![],
    }
}

/// Four weeks of a series with many groups.
pub(crate) fn keep(what: What, by: &[String]) -> Keep {
    Keep {
        key: SeriesKey { source: "local".into(), what, by: by.to_vec(), step: Step::DEFAULT },
        span: Span::from_days(28),
        reach: Span::from_mins(10),
        limit: 500,
        overflow: Overflow::Other,
        follows: Vec::new(),
        beside: Vec::new(),
        cuts: Vec::new(),
    }
}
