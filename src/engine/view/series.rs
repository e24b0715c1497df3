//! One SLO and group over time, out of the ledger's tiers.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::burn::burn;
use crate::engine::composite::{Value, Whole};
use crate::engine::ledger::{FINE_REACH, FIVE_REACH, Ledger, Series, edge};
use crate::engine::plan::Planned;
use crate::engine::step::{Observed, budget_of, objective_of};
use crate::engine::window::Book;
use crate::slo::model::{Labels, Sli};
use crate::slo::period::Period;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Objective;

/// Most points of one answer.
pub const MOST_POINTS: i64 = 1000;

const FIVE: Span = Span::from_mins(5);
const HOUR: Span = Span::from_hours(1);
/// A day, less the hour that an edge may be moved outward.
const SPARE: Span = Span::from_hours(23);

/// One SLO and group over time.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeriesView {
    /// The group's label values; empty without grouping.
    pub labels: Labels,
    /// Where the first point begins, in seconds since the epoch.
    pub from: i64,
    /// Where the last point ends.
    pub to: i64,
    /// Seconds from point to point: as asked, or longer where that many points are too many, or
    /// where so fine a grid is not kept for so long.
    pub step: i64,
    /// Oldest first.
    pub points: Vec<Point>,
}

/// What happened in `(t − step, t]`. Numbers that are not known are null.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// The end, in seconds since the epoch.
    pub t: i64,
    /// Bad events.
    pub bad: Option<f64>,
    /// All events.
    pub total: Option<f64>,
    /// Share of bad events.
    pub error_ratio: Option<f64>,
    /// Error ratio over budget.
    pub burn: Option<f64>,
    /// Budget left over the period that ends at `t`; null where the period began before what is kept.
    pub budget_remaining: Option<f64>,
    /// Known share of the time, 0 to 1.
    pub coverage: f64,
}

/// Points from `from` to `to`, `step` apart or the next step that is possible; `at` is the end of
/// the newest slice. `None` when a series of the SLO is not of this ledger.
pub fn series(
    planned: &Planned,
    ledger: &Ledger,
    group: &Labels,
    (from, to): (Ts, Ts),
    step: Span,
    at: Ts,
) -> Option<SeriesView> {
    let whole = Whole::read(planned, ledger, &Observed::default(), at);
    let reads = match &whole {
        Some(whole) => Reads::Parts(whole),
        None => Reads::Events(Book::of(ledger, planned, group)?),
    };
    let kept = planned.total.iter().filter_map(|(_, ix)| ledger.series(*ix)).map(Series::keep);
    let Some(keep) = kept.min_by_key(|keep| keep.span) else {
        // A composite of which no part is in force.
        let step = step.secs().max(1);
        return Some(SeriesView { labels: group.clone(), from: to.0, to: to.0, step, points: Vec::new() });
    };
    let slice = keep.key.step.span();
    let oldest = at.minus(keep.span);
    let to = to.clamp(oldest, at);
    let from = from.clamp(oldest, to);
    let unit = unit_at(from, at, slice);
    let step = fitting(step, unit, to.since(from));
    let (first, last) = (from.floor_to(step), to.floor_to(step));
    let objective = objective_of(&planned.slo, group);
    let kept = Kept { at, slice, since: oldest, begun: reads.begun() };
    let count = last.since(first).secs() / step.secs();
    let points = (1..=count.min(MOST_POINTS))
        .map(|n| {
            let t = Ts(first.0.saturating_add(n.saturating_mul(step.secs())));
            let point = reads.point(planned, (t.minus(step), t), objective);
            Point { budget_remaining: kept.budget(planned, &reads, objective, t), ..point }
        })
        .collect();
    Some(SeriesView { labels: group.clone(), from: first.0, to: last.0, step: step.secs(), points })
}

/// Where the numbers come from.
enum Reads<'a> {
    /// Counts of events.
    Events(Book<'a>),
    /// The parts of a composite.
    Parts(&'a Whole<'a>),
}

impl Reads<'_> {
    fn begun(&self) -> Option<Ts> {
        match self {
            Self::Events(book) => book.begun(),
            Self::Parts(whole) => whole.begun(),
        }
    }

    /// What happened between two moments, but for the budget.
    fn point(&self, planned: &Planned, (from, to): (Ts, Ts), objective: Objective) -> Point {
        let (counts, burn, coverage) = match self {
            Self::Events(book) => {
                let counts = book.between(from, to);
                let known = counts.covered > 0;
                let has_counts = known && !matches!(planned.slo.sli, Sli::Direct { .. });
                let burn = burn(&counts, objective).filter(|_| known);
                (has_counts.then_some((counts.bad, counts.total)), burn, counts.coverage())
            }
            Self::Parts(whole) => {
                let seen = whole.between(from, to);
                let burn = match seen.ratio {
                    Value::Ratio(ratio) => Some(ratio / objective.budget()),
                    Value::Idle | Value::Unknown => None,
                };
                (None, burn, seen.coverage)
            }
        };
        Point {
            t: to.0,
            bad: counts.map(|(bad, _)| bad.as_f64()),
            total: counts.map(|(_, total)| total.as_f64()),
            error_ratio: burn.map(|burn| burn * objective.budget()),
            burn,
            budget_remaining: None,
            coverage,
        }
    }

    fn left(&self, planned: &Planned, objective: Objective, t: Ts) -> Option<f64> {
        match self {
            Self::Events(book) => budget_of(planned, book, objective, t).map(|budget| budget.remaining),
            Self::Parts(whole) => whole.left_at(objective, t),
        }
    }
}

/// The grid of the finest tier that reaches back to `from`.
pub(super) fn unit_at(from: Ts, at: Ts, slice: Span) -> Span {
    let age = at.since(from);
    if age <= FINE_REACH {
        slice
    } else if age <= FIVE_REACH {
        FIVE
    } else {
        HOUR
    }
}

/// The least step of at least `step` that cuts `length` into few enough points and lies on the
/// grid `unit`; one point is spared for an old edge that is moved outward. Longer steps are whole
/// five minutes or hours, so that an edge moved outward is still held by the coarser tier.
pub(super) fn fitting(step: Span, unit: Span, length: Span) -> Span {
    let least = length.secs() / (MOST_POINTS - 1) + 1;
    let wanted = step.secs().max(least).max(unit.secs()).max(1);
    let grid =
        [unit, FIVE, HOUR].map(Span::secs).into_iter().filter(|g| *g <= wanted).max().unwrap_or(wanted);
    Span::from_secs_saturating((wanted + grid - 1) / grid * grid)
}

/// What the ledger still holds.
struct Kept {
    at: Ts,
    slice: Span,
    since: Ts,
    begun: Option<Ts>,
}

impl Kept {
    /// The budget at `t`, if the ledger still holds the whole period before it.
    fn budget(&self, planned: &Planned, reads: &Reads<'_>, objective: Objective, t: Ts) -> Option<f64> {
        let period = &planned.slo.period;
        let (start, _) = period.bounds(t);
        let start = match period {
            Period::Rolling(span) => edge(t.minus(*span), t),
            Period::Calendar { .. } => edge(start, t),
        };
        // Whole hours are held for a day more than the series is kept for.
        let forgotten = start < self.since.minus(SPARE) && self.begun? <= self.since;
        let on_grid = start.floor_to(unit_at(start, self.at, self.slice)) == start;
        if forgotten || !on_grid {
            return None;
        }
        reads.left(planned, objective, t)
    }
}
