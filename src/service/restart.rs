//! Takes up where the process before left off: alert states, ledger, and until when each SLO was judged.

use std::collections::BTreeMap;

use super::catchup::{self, Owed};
use super::clock;
use super::journal;
use super::planner::keeps;
use super::shared::Shared;
use crate::engine::alert::{AlertKey, AlertState};
use crate::engine::ledger::Ledger;
use crate::engine::plan::Plan;
use crate::engine::step::Control;
use crate::slo::time::Ts;
use crate::store::StoreError;

/// The alert states as the store has them. One that cannot be read is told and left out.
pub(super) async fn control(shared: &Shared) -> Result<Control, StoreError> {
    let mut control = Control::default();
    let states = shared.store.states().await?.into_iter();
    for (key, body) in states.filter(|(key, _)| super::kinds::is_alert(key)) {
        match (AlertKey::from_text(&key), serde_json::from_str::<AlertState>(&body)) {
            (Some(key), Ok(state)) => control.put(key, state),
            _ => tracing::error!(key, "the state of an alert in the store cannot be read; it begins anew"),
        }
    }
    Ok(control)
}

/// Brings the ledger back, as the plan needs it, and until when each SLO was judged.
pub(super) async fn restore(shared: &Shared, plan: Plan) -> Result<(), StoreError> {
    let mut ledger = Ledger::default();
    ledger.adopt(keeps(&plan, super::clock::now()));
    journal::restore(shared, &mut ledger).await?;
    super::changed::forget(shared, &mut ledger).await?;
    super::exclusions::restore(shared, &plan, &mut ledger).await?;
    let judged = judged(shared).await?;
    let mut world = shared.world.write();
    let owed = shared.owed.read();
    // Slices are journaled after the decisions made on them, or what is owed of them is noted before;
    // so what the ledger knows was judged, or will be summed up.
    world.judged = plan
        .slos
        .iter()
        .filter_map(|planned| {
            let known = catchup::known_until(&ledger, planned).or(owed.get(&planned.id).map(Owed::since))?;
            Some((planned.id.clone(), judged.get(&planned.id).map_or(known, |at| known.max(*at))))
        })
        .collect();
    world.plan = std::sync::Arc::new(plan);
    world.ledger = ledger;
    Ok(())
}

/// Until when each SLO was judged whose alerts changed: a journal that was lost with a decision made
/// on it must not have that moment judged twice. A time still to come is a clock's mistake.
pub(super) async fn judged(shared: &Shared) -> Result<BTreeMap<String, Ts>, StoreError> {
    let now = clock::now();
    let all = shared.store.judged().await?.into_iter();
    Ok(all.map(|row| (row.slo, Ts(row.at.div_euclid(1000)))).filter(|(_, at)| *at <= now).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::alert::Subject;
    use crate::engine::step::Delta;
    use crate::service::catchup::Debts;
    use crate::service::decide::decide;
    use crate::service::testing::Service;
    use crate::slo::model::{Labels, Severity};

    /// A decision about an alert.
    fn about(subject: Subject) -> Delta {
        let key = AlertKey { subject, severity: Severity::Page };
        Delta { changes: BTreeMap::from([(key, Some(AlertState::default()))]), ..Delta::default() }
    }

    #[tokio::test]
    async fn only_a_judgement_tells_until_when_an_slo_was_judged() {
        let service = Service::start().await;
        let shared = &service.shared;
        let slo = || "shop/one".to_owned();
        // It could not be judged, which is told, and its slices are still to be judged.
        decide(shared, &about(Subject::Unknown { slo: slo() }), vec![], Debts::default()).await.unwrap();
        assert!(judged(shared).await.unwrap().is_empty());
        let at = clock::now().minus(crate::slo::time::Span::from_mins(5));
        let burn = || about(Subject::Burn { slo: slo(), group: Labels::new() });
        decide(shared, &burn(), vec![(slo(), at), ("shop/quiet".into(), at)], Debts::default())
            .await
            .unwrap();
        assert_eq!(judged(shared).await.unwrap(), BTreeMap::from([(slo(), at)]));
        // A clock that was ahead when it was decided.
        decide(shared, &burn(), vec![(slo(), Ts(clock::now().0 + 3600))], Debts::default()).await.unwrap();
        assert!(judged(shared).await.unwrap().is_empty());
    }
}
