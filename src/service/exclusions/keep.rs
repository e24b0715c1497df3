//! Exclusions to the store and back, and into the ledger.

use serde::{Deserialize, Serialize};

use super::{All, FORGET};
use crate::engine::fact::SeriesIx;
use crate::engine::ledger::{Exclusion, Ledger};
use crate::engine::plan::Plan;
use crate::service::shared::Shared;
use crate::service::state::World;
use crate::store::{Decisions, StatePut, Store, StoreError};

/// What keys begin with.
pub(in crate::service) const PREFIX: &str = "exclusion/";

#[derive(Serialize, Deserialize)]
struct Row {
    slo: String,
    exclusion: Exclusion,
}

fn key(exclusion: &Exclusion) -> String {
    format!("{PREFIX}{}", exclusion.id)
}

/// Whether a row is what [`restore`] reads.
pub(crate) fn is_readable(body: &str) -> bool {
    serde_json::from_str::<Row>(body).is_ok()
}

/// All that the store keeps. One that cannot be read is told, and does not count as taken out.
async fn read(store: &Store) -> Result<All, StoreError> {
    let mut all = All::new();
    let rows = store.states().await?.into_iter();
    for (key, body) in rows.filter(|(key, _)| key.starts_with(PREFIX)) {
        match serde_json::from_str::<Row>(&body) {
            Ok(row) => all.entry(row.slo).or_default().push(row.exclusion),
            Err(error) => {
                tracing::error!(key, %error, "an exclusion in the store cannot be read; its time counts again");
            }
        }
    }
    Ok(all)
}

/// Puts what the store keeps into a ledger that was just restored.
pub(in crate::service) async fn restore(
    shared: &Shared,
    plan: &Plan,
    ledger: &mut Ledger,
) -> Result<(), StoreError> {
    let all = read(&shared.store).await?;
    for (slo, list) in all {
        ledger.exclude(&slo, list, &series_of(plan, &slo));
    }
    Ok(())
}

/// Reads everything again.
pub(super) async fn reload(shared: &Shared) -> Result<(), StoreError> {
    let all = read(&shared.store).await?;
    put(&mut shared.world.write(), all);
    Ok(())
}

/// Sums everything up anew: for a new plan, and for series that the store gave back.
pub(in crate::service) fn swap(world: &mut World) {
    let all = super::all_of(world);
    put(world, all);
}

/// Replaces what is taken out. An SLO that is not defined for the moment keeps its exclusions.
pub(super) fn put(world: &mut World, all: All) {
    let before: Vec<String> = world.ledger.all_excluded().keys().cloned().collect();
    for slo in before.iter().filter(|slo| !all.contains_key(*slo)) {
        world.ledger.exclude(slo, Vec::new(), &[]);
    }
    let plan = std::sync::Arc::clone(&world.plan);
    for (slo, list) in all {
        world.ledger.exclude(&slo, list, &series_of(&plan, &slo));
    }
}

/// Writes what differs.
pub(super) fn changes(before: &All, now: &All, decisions: &mut Decisions) {
    let old = |slo: &String| before.get(slo).into_iter().flatten();
    let new = |slo: &String| now.get(slo).into_iter().flatten();
    for slo in before.keys() {
        let gone = old(slo).filter(|old| !new(slo).any(|new| new.id == old.id));
        decisions.removed.extend(gone.map(key));
    }
    for (slo, list) in now {
        for exclusion in list.iter().filter(|new| !old(slo).any(|old| old == *new)) {
            let row = Row { slo: slo.clone(), exclusion: exclusion.clone() };
            let body = serde_json::to_string(&row).unwrap_or_default();
            decisions.states.push(StatePut { key: key(exclusion), body });
        }
    }
}

/// Sums everything up anew as slices grow older, writes what changed of the ends, and forgets what is
/// too old for every SLO.
pub(super) async fn renew(shared: &Shared) -> Result<(), StoreError> {
    let Some(epoch) = shared.epoch() else { return Ok(()) };
    let stored = read(&shared.store).await?;
    let mut all = {
        let mut world = shared.world.write();
        swap(&mut world);
        let now = world.now();
        let mut all = super::all_of(&world);
        let old = |exclusion: &Exclusion| exclusion.to < now.minus(FORGET);
        all.values_mut().for_each(|list| list.retain(|exclusion| !old(exclusion)));
        all
    };
    all.retain(|_, list| !list.is_empty());
    let mut decisions = Decisions::default();
    changes(&stored, &all, &mut decisions);
    if decisions.states.is_empty() && decisions.removed.is_empty() {
        return Ok(());
    }
    shared.store.commit(epoch, &decisions).await?;
    put(&mut shared.world.write(), all);
    Ok(())
}

fn series_of(plan: &Plan, slo: &str) -> Vec<SeriesIx> {
    let planned = plan.slos.iter().filter(|planned| planned.id == slo);
    let mut all: Vec<SeriesIx> =
        planned.flat_map(|planned| planned.bad.iter().chain(&planned.total).map(|(_, ix)| *ix)).collect();
    all.sort();
    all.dedup();
    all
}
