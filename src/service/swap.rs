//! Puts a new plan into force: what it asks as the old one did keeps what is known of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::journal;
use super::planner::keeps;
use super::shared::Shared;
use super::state::World;
use crate::engine::fact::SeriesIx;
use crate::engine::ledger::Series;
use crate::engine::plan::{Alive, AliveIx, Direct, DirectIx, Plan};
use crate::slo::time::Ts;

/// Puts an offered plan into force: series that stay keep their history, and what the store kept of
/// new ones comes back. The alerts of SLOs that went are resolved by the next tick.
pub(super) async fn swap_plan(shared: &Shared) {
    let Some(plan) = shared.take_plan() else { return };
    reach!(Swap, "a plan");
    let new = {
        let mut world = shared.world.write();
        let now = world.now();
        adopt(&mut world, Arc::new(plan), now)
    };
    reach!(Swapped, "a plan");
    // Without the store it is asked of the source again, and no tick waits.
    if shared.degraded.is_on() {
        return;
    }
    if let Err(error) = journal::revive(shared, &new).await {
        tracing::warn!(%error, "what the store kept of new series was not read; it is asked again");
    }
    super::exclusions::swap(&mut shared.world.write());
}

/// Gives back the series that nothing is known of.
pub(super) fn adopt(world: &mut World, plan: Arc<Plan>, now: Ts) -> Vec<SeriesIx> {
    world.ledger.adopt(keeps(&plan, now));
    let old = std::mem::replace(&mut world.plan, plan);
    let plan = Arc::clone(&world.plan);
    let observed = &mut world.observed;
    let alive = (targets(&old), targets(&plan));
    observed.alive = carried(std::mem::take(&mut observed.alive), &alive.0, &alive.1);
    let direct = (windows(&old), windows(&plan));
    observed.direct = carried(std::mem::take(&mut observed.direct), &direct.0, &direct.1);
    let defined: BTreeSet<&str> = plan.slos.iter().map(|p| p.id.as_str()).collect();
    world.judged.retain(|id, _| defined.contains(id.as_str()));
    world.observed.unanswered.retain(|id, _| defined.contains(id.as_str()));
    let never = |(ix, series): (u32, &Series)| series.answered().is_empty().then_some(SeriesIx(ix));
    (0..).zip(world.ledger.all()).filter_map(never).collect()
}

/// What is known, by what it is about, under its position in the new plan.
fn carried<K: Ord, Ix: Ord + Copy, T>(
    mut known: BTreeMap<Ix, T>,
    old: &BTreeMap<K, Ix>,
    new: &BTreeMap<K, Ix>,
) -> BTreeMap<Ix, T> {
    new.iter().filter_map(|(what, ix)| Some((*ix, known.remove(old.get(what)?)?))).collect()
}

fn targets(plan: &Plan) -> BTreeMap<(String, String), AliveIx> {
    let key = |alive: &Alive| (alive.source.clone(), alive.selector.to_string());
    (0..).zip(&plan.alive).map(|(ix, alive)| (key(alive), AliveIx(ix))).collect()
}

fn windows(plan: &Plan) -> BTreeMap<(String, String), DirectIx> {
    let how = |d: &Direct| format!("{} every {} by {:?}: {}", d.window, d.every, d.by, d.template);
    (0..).zip(&plan.direct).map(|(ix, direct)| ((direct.source.clone(), how(direct)), DirectIx(ix))).collect()
}
