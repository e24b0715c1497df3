//! What people and machines are shown: the present numbers of every SLO, alert and window.
//!
//! Pure, and no second way of computing anything: every number comes out of the functions that
//! [`step`](super::step) decides with. Numbers that are not known are `None` and become `null`.
//! Times are seconds since the epoch, lengths are seconds.

mod alert;
mod composite;
mod counts;
mod group;
mod ledger;
mod pooled;
mod series;
mod slo;

pub use alert::{AlertKind, AlertPhase, AlertView, GroupAlert, alert_view};
pub use composite::{CompositeView, PartView};
pub use counts::CountsView;
pub use group::{BudgetInterval, GroupView};
pub use ledger::{EventsView, ExclusionView, LedgerGroup, LedgerView, SlotView, ledger_view, slots};
pub use pooled::{Pooled, pooled};
pub use series::{MOST_POINTS, Point, SeriesView, series};
pub use slo::{MOST_GROUPS, SloView, UnknownView, slo_view, standing_of};

use super::ledger::Ledger;
use super::step::{Control, Observed};
use crate::slo::model::Labels;
use crate::slo::time::Ts;

/// What a view is made of, besides the SLO.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// Events per slice.
    pub ledger: &'a Ledger,
    /// Alerts that are at least pending.
    pub control: &'a Control,
    /// What else was seen.
    pub observed: &'a Observed,
    /// `externalLabels` of the settings, for alerts that were not told yet.
    pub external: &'a Labels,
    /// End of the newest slice judged.
    pub at: Ts,
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
