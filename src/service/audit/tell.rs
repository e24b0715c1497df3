//! What people and metrics are told of the audit.

use std::collections::BTreeMap;

use super::turns::Turns;
use crate::engine::audit::{Compared, Drift};
use crate::engine::fact::What;
use crate::engine::plan::Read;
use crate::service::shared::Shared;
use crate::service::state::{Guarded, World};
use crate::slo::listed::listed;
use crate::telemetry::labels::QueryLabels;

/// SLOs named in one message.
const NAMED: usize = 3;

/// What differs, by source: people are told of all of it together.
#[derive(Default)]
pub(super) struct Told(Guarded<BTreeMap<String, Vec<Drift>>>);

impl Told {
    /// Tells how one source's audit stands.
    pub(super) fn tell(&self, shared: &Shared, source: &str, turns: &Turns) {
        let mut all = self.0.write();
        let before = all.insert(source.to_owned(), turns.certain()).map_or(0, |before| before.len());
        let drifts: Vec<&Drift> = all.values().flatten().collect();
        shared.metrics.drift_slices.set(i64::try_from(drifts.len()).unwrap_or(i64::MAX));
        let apart = drifts.iter().map(|drift| drift.asked.minus(drift.booked).as_f64().abs());
        shared.metrics.drift_events.set(apart.sum());
        let newest = drifts.iter().max_by_key(|drift| drift.end);
        let trouble = newest.map(|newest| words(&shared.world.read(), newest, drifts.len()));
        if let Some(trouble) = &trouble
            && turns.certain().len() > before
        {
            tracing::warn!(source, drift = trouble, "the ledger is not what its source says");
        }
        shared.trouble("audit", trouble);
    }
}

/// Counts what one answer came to.
pub(super) fn count(shared: &Shared, source: &str, compared: &Compared) {
    let add = |outcome: &str, slices: usize| {
        let counter = shared.metrics.drift_checks.get_or_create(&QueryLabels::new(source, outcome));
        counter.inc_by(u64::try_from(slices).unwrap_or(0));
    };
    add("equal", compared.equal.len());
    add("gone", compared.gone.len());
    add("different", compared.different.len());
}

/// Counts a question without an answer.
pub(super) fn unanswered(shared: &Shared, source: &str) {
    shared.metrics.drift_checks.get_or_create(&QueryLabels::new(source, "unanswered")).inc();
}

/// Which slice of which SLO and series, the two numbers, what it may be and what to do.
fn words(world: &World, drift: &Drift, all: usize) -> String {
    let Drift { end, width, booked, asked, .. } = drift;
    let ix = world.ledger.find(drift.series);
    let slos: Vec<&str> =
        world.plan.readers_of(ix.map(Read::Series)).map(|planned| planned.id.as_str()).collect();
    let key = ix.and_then(|ix| world.ledger.series(ix)).map(|series| &series.keep().key);
    let what = match key.map(|key| &key.what) {
        Some(What::Atom(atom)) => atom.selector.to_string(),
        Some(What::Timeslice { query, .. }) => query.clone(),
        Some(What::Direct { error_ratio, .. }) => error_ratio.clone(),
        None => "a series".to_owned(),
    };
    let group: Vec<String> = drift.group.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    let group = if group.is_empty() { String::new() } else { format!(" of {{{}}}", group.join(", ")) };
    let source = key.map_or("", |key| key.source.as_str());
    let of_all = if all == 1 { "1 settled slice is".to_owned() } else { format!("{all} settled slices are") };
    format!(
        "{of_all} not what the source says now. The newest: {}, `{what}`{group}, the {width} \
         that end at {end}: {} booked, {} asked again of source `{source}`. Samples that came after a slice had \
         settled look like this, a source that lost a part of its data, and a store that was changed by hand. \
         Budgets and alerts go by what is booked, and nothing is rewritten. If it is what was booked that is \
         wrong, take the time out with `damper ledger exclude`.",
        listed(&slos, NAMED),
        booked.as_f64(),
        asked.as_f64(),
    )
}
