//! Exclusions to the store and back, and into the ledger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{All, FORGET};
use crate::engine::digest::Digest;
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
    for (key, body) in store.states_under(PREFIX).await? {
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
            decisions.states.push(row(slo, exclusion));
        }
    }
}

fn row(slo: &str, exclusion: &Exclusion) -> StatePut {
    let row = Row { slo: slo.to_owned(), exclusion: exclusion.clone() };
    StatePut { key: key(exclusion), body: serde_json::to_string(&row).unwrap_or_default() }
}

/// By the numbers of exclusions: digests of the rows that were renewed last. Those of many groups are large,
/// and are not read to be compared; what is not in here is written once more.
pub(super) type Renewed = BTreeMap<i64, u64>;

/// Sums everything up anew as slices grow older, writes the ends that can still change where they did, and
/// forgets what is too old for every SLO.
pub(super) async fn renew(shared: &Shared, renewed: &mut Renewed) -> Result<(), StoreError> {
    let Some(epoch) = shared.epoch() else { return Ok(()) };
    let mut decisions = Decisions::default();
    let mut now_renewed = Renewed::new();
    let all = {
        let mut world = shared.world.write();
        swap(&mut world);
        let now = world.now();
        let newest = world.ledger.newest().unwrap_or_default();
        let mut all = super::all_of(&world);
        let old = |exclusion: &Exclusion| exclusion.to < now.minus(FORGET);
        for (slo, list) in &mut all {
            decisions.removed.extend(list.iter().filter(|exclusion| old(exclusion)).map(key));
            list.retain(|exclusion| !old(exclusion));
            for exclusion in list.iter().filter(|exclusion| exclusion.may_change(newest)) {
                let row = row(slo, exclusion);
                let digest = Digest::of(&[&row.body]).short();
                if renewed.get(&exclusion.id) != Some(&digest) {
                    decisions.states.push(row);
                }
                now_renewed.insert(exclusion.id, digest);
            }
        }
        all
    };
    if !decisions.states.is_empty() || !decisions.removed.is_empty() {
        shared.store.commit(epoch, &decisions).await?;
    }
    *renewed = now_renewed;
    if !decisions.removed.is_empty() {
        put(&mut shared.world.write(), all.into_iter().filter(|(_, list)| !list.is_empty()).collect());
    }
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
