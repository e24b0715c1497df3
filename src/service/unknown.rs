//! Since when and why SLOs, or some of their rules, cannot be judged, for people.

use std::collections::BTreeMap;

use super::faults::Faults;
use super::single::direct_id;
use super::state::World;
use crate::engine::fact::SeriesIx;
use crate::engine::plan::{Plan, Planned};
use crate::engine::step::Unanswered;
use crate::slo::time::Ts;

/// A tick, once all is answered that is.
pub(super) struct Unknown<'a> {
    pub plan: &'a Plan,
    pub world: &'a World,
    /// The moment that an SLO is judged at.
    pub at: &'a dyn Fn(&Planned) -> Ts,
}

impl Unknown<'_> {
    /// By SLO: of `slos`, by index, no newest slice is known, each for its `failures`; of others a
    /// window that some rule needs.
    pub(super) fn all(
        &self,
        slos: &[usize],
        failures: &BTreeMap<SeriesIx, String>,
        faults: &Faults,
    ) -> BTreeMap<String, Unanswered> {
        let plan = self.plan;
        let windows = plan.slos.iter().filter_map(|planned| self.of_window(planned, faults));
        let slices = slos.iter().filter_map(|ix| plan.slos.get(*ix));
        // The slices come last: they count for more.
        windows.chain(slices.map(|planned| self.of_slices(planned, failures))).collect()
    }

    fn of_slices(&self, planned: &Planned, failures: &BTreeMap<SeriesIx, String>) -> (String, Unanswered) {
        let before = self.world.observed.unanswered.get(&planned.id);
        let mut series = planned.bad.iter().chain(&planned.total);
        let why = series
            .find_map(|(_, ix)| failures.get(ix).cloned())
            // A query at fault rests between two attempts.
            .or_else(|| before.map(|before| before.why.clone()))
            .unwrap_or_else(|| "its newest slices hold no number that can be counted".to_owned());
        let judged = self.world.judged.get(&planned.id).copied();
        let since = judged.or(before.map(|before| before.since)).unwrap_or_else(|| (self.at)(planned));
        (planned.id.clone(), Unanswered { since, why })
    }

    fn of_window(&self, planned: &Planned, faults: &Faults) -> Option<(String, Unanswered)> {
        let at = (self.at)(planned);
        let observed = &self.world.observed;
        let (window, ix) = observed.stale_window(planned, at)?;
        let direct = self.plan.direct.get(usize::try_from(ix.0).ok()?)?;
        let why = faults.why(direct_id(direct)).unwrap_or("it was not asked yet");
        let why = format!("its ratio over {window} is not known: {why}");
        let before = observed.unanswered.get(&planned.id).map(|before| before.since);
        let fresh_until = observed.direct.get(&ix).map(|seen| seen.fresh_until.min(at));
        Some((planned.id.clone(), Unanswered { since: fresh_until.or(before).unwrap_or(at), why }))
    }
}
