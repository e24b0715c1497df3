//! Looking at the world for a moment: the lock is held for one SLO at a time, never over an await.

use std::sync::Arc;

use super::params::cut;
use super::problem::Problem;
use crate::engine::plan::{Plan, Planned};
use crate::engine::view::Look;
use crate::service::clock;
use crate::service::shared::Shared;
use crate::service::state::World;
use crate::slo::nearest;
use crate::slo::time::Ts;

/// Until when the newest slices were judged; before the first tick the newest slice's end.
pub(super) fn newest(shared: &Shared) -> Ts {
    match shared.ticks.read().at {
        0 => shared.settings.step.floor(clock::now()),
        at => Ts(at),
    }
}

/// One SLO as of when it was judged.
pub(super) fn at_slo<'a>(shared: &'a Shared, world: &'a World, id: &str, newest: Ts) -> Look<'a> {
    Look {
        ledger: &world.ledger,
        control: &world.control,
        observed: &world.observed,
        external: &shared.settings.external_labels,
        at: world.judged.get(id).copied().unwrap_or(newest),
    }
}

/// Reads one SLO; 404 when it is not defined. `place` is where it probably is in the plan.
pub(super) fn with_slo<T>(
    shared: &Shared,
    id: &str,
    place: Option<usize>,
    read: impl FnOnce(&Planned, &Look<'_>) -> T,
) -> Result<T, Problem> {
    let newest = newest(shared);
    let world = shared.world.read();
    let plan = Arc::clone(&world.plan);
    let guessed = place.and_then(|place| plan.slos.get(place)).filter(|planned| planned.id == id);
    let planned = guessed.or_else(|| plan.slos.iter().find(|planned| planned.id == id));
    let Some(planned) = planned else {
        // No tick waits until all names are compared.
        drop(world);
        return Err(no_slo(&plan, id));
    };
    Ok(read(planned, &at_slo(shared, &world, id, newest)))
}

/// 404: no SLO is called so; which may be meant.
fn no_slo(plan: &Plan, id: &str) -> Problem {
    let known: Vec<&str> = plan.slos.iter().map(|planned| planned.id.as_str()).collect();
    Problem::not_found(format!("There is no SLO `{}`; {}", cut(id), nearest::hint_of_ids(id, &known)))
}

/// Runs what may take milliseconds off the runtime's threads, so that no tick waits for it.
pub(super) async fn aside<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> T + Send + 'static,
) -> Result<T, Problem> {
    let shared = Arc::clone(shared);
    tokio::task::spawn_blocking(move || work(&shared)).await.map_err(|_| Problem::internal())
}
