//! What one window held, and which windows are shown.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::burn::burn;
use crate::engine::plan::Planned;
use crate::engine::status::Standing;
use crate::engine::window::Counts;
use crate::slo::time::Span;
use crate::slo::unit::{Events, Objective};

/// Shown for every SLO whose period is as long, whatever its rules are.
const ALWAYS: [Span; 4] = [Span::from_mins(5), Span::from_hours(1), Span::from_hours(6), Span::from_days(1)];

/// What one window held.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct CountsView {
    /// Bad events; null where nothing of the window is known, or where there are no counts because the ratio is time-weighted.
    pub bad: Option<f64>,
    /// All events; null as for `bad`.
    pub total: Option<f64>,
    /// Known share of the window, 0 to 1.
    pub coverage: f64,
    /// The real old edge, in seconds since the epoch: long windows begin on a full five minutes or hour.
    pub from: i64,
    /// The new edge, in seconds since the epoch.
    pub to: i64,
    /// Seconds of the window that somebody took out by hand: nothing in them counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded: Option<i64>,
}

impl CountsView {
    pub(super) fn of(counts: &Counts, time_weighted: bool) -> Self {
        let known = |events: Events| (counts.covered > 0 && !time_weighted).then(|| events.as_f64());
        Self {
            bad: known(counts.bad),
            total: known(counts.total),
            coverage: counts.coverage(),
            from: counts.from.0,
            to: counts.to.0,
            excluded: (counts.excluded > 0).then_some(counts.excluded),
        }
    }
}

/// The windows of the rules and the usual ones, those that fit the period, shortest first.
pub(super) fn windows(planned: &Planned) -> Vec<Span> {
    let rules = planned.slo.alerting.rules.iter().flat_map(|rule| [Some(rule.long), rule.short]).flatten();
    let longest = planned.slo.period.nominal();
    let mut windows: Vec<Span> =
        rules.chain(ALWAYS.into_iter().filter(|window| *window <= longest)).collect();
    windows.sort();
    windows.dedup();
    windows
}

/// The burn rate as shown: 0 where the window is known and nothing happened, `None` where nothing is known.
pub(super) fn shown_burn(counts: &Counts, objective: Objective, standing: Standing) -> Option<f64> {
    let known = counts.covered > 0 || standing == Standing::Idle && counts.absent > 0;
    burn(counts, objective).or_else(|| known.then_some(0.0))
}
