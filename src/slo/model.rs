//! What a checked definition says. Values of these types come only out of [`crate::slo::load`]
//! (or out of the store, where a loaded one was kept) and hold no nonsense.

use std::collections::BTreeMap;
use std::fmt;

use super::composite::Composite;
use super::period::Period;
use super::query::{Linear, Selector};
use super::time::Span;
use super::unit::{BurnRate, Events, Objective};

/// Sorted label names and values.
pub type Labels = BTreeMap<String, String>;

/// `service/name`: the identity of an SLO, its alerts and its history.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SloId {
    /// The service, `[a-z0-9]([-a-z0-9.]*[a-z0-9])?`.
    pub service: String,
    /// The name within the service, of the same form.
    pub name: String,
}

impl fmt::Display for SloId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.name)
    }
}

/// One service level objective, checked.
#[derive(Clone, PartialEq, Debug)]
pub struct Slo {
    /// `service/name`.
    pub id: SloId,
    /// Free text for people.
    pub description: String,
    /// `metadata.labels`, carried by alerts.
    pub labels: Labels,
    /// `metadata.annotations`, carried by alerts.
    pub annotations: Labels,
    /// Name of the Prometheus source asked; `None` means the first one configured.
    pub source: Option<String>,
    /// Share of good events promised.
    pub objective: Objective,
    /// The period the error budget is for.
    pub period: Period,
    /// What is measured.
    pub sli: Sli,
    /// Says that the workload is up although it serves nothing: `up{job="checkout"}`.
    pub alive: Option<Selector>,
    /// What a total without any series means.
    pub absent: Absent,
    /// One alert and budget per value of these labels.
    pub group_by: Option<GroupBy>,
    /// Rules and what their alerts carry.
    pub alerting: Alerting,
    /// Where it was written.
    pub place: Place,
}

/// A file and the line a document begins at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Path as given.
    pub file: String,
    /// First line of the definition, from 1.
    pub line: usize,
}

/// What is measured, reduced to the three ways it can be asked; or other SLOs as one.
#[derive(Clone, PartialEq, Debug)]
pub enum Sli {
    /// Bad and total events, each a sum of counted selectors: `events` and `latency`.
    Counted {
        /// Bad events. A definition with `good` becomes `total − good`.
        bad: Linear,
        /// All events.
        total: Linear,
    },
    /// One verdict per time slice: total 1, bad 0 or 1.
    Timeslice(Timeslice),
    /// An error ratio that is not additive, asked per window; time-weighted, no event counts.
    Direct {
        /// PromQL with `{{.window}}` where the window goes.
        error_ratio: String,
    },
    /// Other SLOs as one; nothing is asked for it.
    Composite(Composite),
}

/// Any PromQL, judged once per time slice and group.
#[derive(Clone, PartialEq, Debug)]
pub struct Timeslice {
    /// The query, as written.
    pub query: String,
    /// When the reduced value is good.
    pub good: Comparison,
    /// Length of a time slice; a multiple of the step.
    pub slice: Span,
    /// How the points inside one time slice become one value.
    pub reduce: Reduce,
}

/// `< 10000`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Comparison {
    /// The operator.
    pub op: CompareOp,
    /// The finite right-hand side.
    pub value: f64,
}

impl Comparison {
    /// Whether a finite value satisfies it.
    #[expect(clippy::float_cmp, reason = "== and != mean what PromQL means by them")]
    pub fn holds(self, left: f64) -> bool {
        match self.op {
            CompareOp::Less => left < self.value,
            CompareOp::LessOrEqual => left <= self.value,
            CompareOp::Greater => left > self.value,
            CompareOp::GreaterOrEqual => left >= self.value,
            CompareOp::Equal => left == self.value,
            CompareOp::NotEqual => left != self.value,
        }
    }
}

/// PromQL's comparison operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompareOp {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl CompareOp {
    /// As it is written in PromQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }
}

impl fmt::Display for CompareOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How several points of one time slice become one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reduce {
    /// The newest.
    #[default]
    Last,
    /// The mean.
    Avg,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// What it means when no series of `total` exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Absent {
    /// The reading.
    pub means: AbsentMeans,
    /// How long before `SLOAbsent` says so.
    pub after: Span,
    /// With which severity.
    pub severity: Severity,
}

/// How absence is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AbsentMeans {
    /// Nothing is known: states hold.
    Unknown,
    /// Nothing wrong: burn 0.
    Good,
    /// As if every event of the mean traffic failed.
    Bad,
    /// No work to do: burn 0, no `SLOAbsent`.
    Idle,
}

/// One budget and alert per combination of label values.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupBy {
    /// Label names, sorted, without repetition.
    pub labels: Vec<String>,
    /// Groups kept apart at most.
    pub limit: usize,
    /// What becomes of the groups beyond the limit.
    pub on_overflow: Overflow,
    /// A group without series for this long is forgotten.
    pub expire_after: Span,
    /// Other objectives for groups whose labels match; the first match counts.
    pub objectives: Vec<GroupObjective>,
}

/// What becomes of groups beyond the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overflow {
    /// Summed into one group whose label values are all `other`.
    Other,
    /// Left out, and said so.
    Drop,
}

/// An objective for some groups.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupObjective {
    /// Label values a group must have.
    pub matches: Labels,
    /// Its objective.
    pub objective: Objective,
}

/// Rules and what their alerts carry.
#[derive(Clone, PartialEq, Debug)]
pub struct Alerting {
    /// The alert's name; `ErrorBudgetBurn` by default.
    pub name: String,
    /// Whether anybody is told.
    pub mode: AlertMode,
    /// Page options.
    pub page: SeverityOptions,
    /// Ticket options.
    pub ticket: SeverityOptions,
    /// All rules that apply, fastest first.
    pub rules: Vec<Rule>,
}

impl Alerting {
    /// The options of a severity.
    pub fn options(&self, severity: Severity) -> &SeverityOptions {
        match severity {
            Severity::Page => &self.page,
            Severity::Ticket => &self.ticket,
        }
    }
}

/// Whether anybody is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AlertMode {
    /// Delivered.
    #[default]
    Live,
    /// Everything runs, nobody is told.
    Shadow,
}

/// What alerts of one severity carry.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SeverityOptions {
    /// Labels; `severity` among them replaces the severity's own name.
    pub labels: Labels,
    /// Annotations.
    pub annotations: Labels,
}

/// How urgent.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Wakes somebody.
    Page,
    /// Waits for working hours.
    Ticket,
}

impl Severity {
    /// `page` or `ticket`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One burn-rate rule: it holds while the burn over the long window, and over the short one where given, reaches the rate.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// How urgent.
    pub severity: Severity,
    /// The threshold.
    pub burn_rate: BurnRate,
    /// The long window; a multiple of the step.
    pub long: Span,
    /// The short window, shorter than the long one; a multiple of the step.
    pub short: Option<Span>,
    /// How long it must hold before it fires.
    pub hold_for: Span,
    /// How long it stays firing after it last held.
    pub keep_firing_for: Span,
    /// Bad events the long window needs at least.
    pub min_bad_events: Events,
    /// Labels added to the alert while this rule is the reason.
    pub labels: Labels,
}

impl Rule {
    /// Short and stable for people and timers: `page 14.4 over 1h and 5m`.
    pub fn name(&self) -> String {
        match self.short {
            Some(short) => format!("{} {} over {} and {short}", self.severity, self.burn_rate, self.long),
            None => format!("{} {} over {}", self.severity, self.burn_rate, self.long),
        }
    }
}
