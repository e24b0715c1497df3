//! What is owed of gaps is a row of the store for each SLO: written together with the decision that
//! went on without the gap, or before the slices of it, and gone together with what it came to. So a
//! process that dies in between owes it still, and knows what people were told meanwhile.

use std::collections::BTreeSet;

use super::{Arrears, Owed};
use crate::engine::alert::Subject;
use crate::engine::step::Delta;
use crate::service::shared::Shared;
use crate::store::{Decisions, StatePut, Store, StoreError};

/// What keys of the store begin with.
pub(in crate::service) const PREFIX: &str = "owed/";

/// How a decision changes what is owed.
#[derive(Clone, Default, Debug)]
pub(in crate::service) struct Debts {
    /// Gaps as they are owed from then on, by SLO.
    pub owed: Arrears,
    /// SLOs that nothing is owed for any more.
    pub paid: BTreeSet<String>,
}

impl Debts {
    /// Gaps that nobody owed before.
    pub(in crate::service) fn of(owed: Arrears) -> Self {
        Self { owed, paid: BTreeSet::new() }
    }

    /// Gaps that a decision sums up.
    pub(in crate::service) fn paid(paid: BTreeSet<String>) -> Self {
        Self { owed: Arrears::new(), paid }
    }

    /// With what people are told by a decision, which is not told again.
    #[must_use]
    pub(in crate::service) fn told(mut self, delta: &Delta, arrears: &Arrears) -> Self {
        for transition in &delta.transitions {
            let Subject::Burn { slo, .. } = &transition.key.subject else { continue };
            if self.paid.contains(slo) {
                continue;
            }
            if let (false, Some(known)) = (self.owed.contains_key(slo), arrears.get(slo)) {
                self.owed.insert(slo.clone(), known.clone());
            }
            if let Some(owed) = self.owed.get_mut(slo) {
                owed.note(transition);
            }
        }
        self
    }

    /// Whether nothing changes.
    pub(in crate::service) fn is_empty(&self) -> bool {
        self.owed.is_empty() && self.paid.is_empty()
    }

    /// Into the transaction of the decision.
    pub(in crate::service) fn write(&self, decisions: &mut Decisions) {
        decisions.removed.extend(self.paid.iter().map(|slo| format!("{PREFIX}{slo}")));
        decisions.states.extend(rows(&self.owed));
    }

    /// Into memory, once that is committed.
    pub(in crate::service) fn apply(self, arrears: &mut Arrears) {
        arrears.retain(|slo, _| !self.paid.contains(slo));
        arrears.extend(self.owed);
    }
}

/// As the store keeps them.
pub(in crate::service) fn rows(arrears: &Arrears) -> impl Iterator<Item = StatePut> {
    arrears.iter().filter_map(|(slo, owed)| {
        Some(StatePut { key: format!("{PREFIX}{slo}"), body: serde_json::to_string(owed).ok()? })
    })
}

/// Whether a row is what [`restore`] reads.
pub(in crate::service) fn is_readable(body: &str) -> bool {
    serde_json::from_str::<Owed>(body).is_ok()
}

/// Takes up what the store says is owed.
pub(in crate::service) async fn restore(shared: &Shared) -> Result<(), StoreError> {
    let arrears = read(&shared.store).await?;
    *shared.owed.write() = arrears;
    Ok(())
}

async fn read(store: &Store) -> Result<Arrears, StoreError> {
    let mut arrears = Arrears::new();
    for (key, body) in store.states_under(PREFIX).await? {
        let Some(slo) = key.strip_prefix(PREFIX) else { continue };
        match serde_json::from_str::<Owed>(&body) {
            Ok(owed) => drop(arrears.insert(slo.to_owned(), owed)),
            Err(error) => {
                tracing::error!(slo, %error, "what is owed of a gap cannot be read; what burned in it is not told");
            }
        }
    }
    Ok(arrears)
}
