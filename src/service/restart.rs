//! Takes up where the process before left off: alert states, ledger, and until when each SLO was judged.

use std::collections::BTreeMap;

use super::clock;
use super::journal;
use super::planner::keeps;
use super::shared::Shared;
use crate::engine::alert::{AlertKey, AlertState};
use crate::engine::ledger::Ledger;
use crate::engine::plan::Plan;
use crate::engine::step::Control;
use crate::engine::window::Book;
use crate::slo::model::Labels;
use crate::slo::time::Ts;
use crate::store::StoreError;

/// Fills the world with what the store kept.
pub(super) async fn restore(shared: &Shared, plan: Plan) -> Result<(), StoreError> {
    let control = control(shared).await?;
    let mut ledger = Ledger::default();
    ledger.adopt(keeps(&plan, super::clock::now()));
    journal::restore(shared, &mut ledger).await?;
    let decided = decided(shared).await?;
    let mut world = shared.world.write();
    // Slices are journaled after the decisions made on them, so what the ledger knows was judged.
    world.judged = plan
        .slos
        .iter()
        .filter_map(|planned| {
            let book = Book::open(&ledger, &planned.bad, &planned.total, &Labels::new())?;
            let known = book.known_until()?;
            Some((planned.id.clone(), decided.get(&planned.id).map_or(known, |at| known.max(*at))))
        })
        .collect();
    world.plan = std::sync::Arc::new(plan);
    world.ledger = ledger;
    world.control = control;
    let alerts = world.control.iter().count();
    tracing::info!(alerts, slos = world.plan.slos.len(), "state restored");
    Ok(())
}

/// The alert states as the store has them. One that cannot be read is told and left out.
pub(super) async fn control(shared: &Shared) -> Result<Control, StoreError> {
    let mut control = Control::default();
    for (key, body) in shared.store.states().await? {
        match (AlertKey::from_text(&key), serde_json::from_str::<AlertState>(&body)) {
            (Some(key), Ok(state)) => control.put(key, state),
            _ => tracing::error!(key, "the state of an alert in the store cannot be read; it begins anew"),
        }
    }
    Ok(control)
}

/// Until when something was decided about each SLO: a journal that was lost with a decision made on
/// it must not have that moment judged twice. A time still to come is a clock's mistake.
async fn decided(shared: &Shared) -> Result<BTreeMap<String, Ts>, StoreError> {
    let now = clock::now();
    let all = shared.store.last_decided().await?.into_iter();
    Ok(all.map(|(slo, ms)| (slo, Ts(ms.div_euclid(1000)))).filter(|(_, at)| *at <= now).collect())
}
