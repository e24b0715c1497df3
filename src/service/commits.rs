//! The commits of one tick, and the doubt that one without an answer leaves: it may have been written
//! all the same, and until that is known nothing else is decided.

use super::catchup::Debts;
use super::decide::{decide, make_sure};
use super::degraded;
use super::shared::Shared;
use crate::engine::step::Delta;
use crate::slo::time::Ts;
use crate::store::StoreError;

/// What became of the decisions of a tick.
pub(super) struct Commits<'a> {
    shared: &'a Shared,
    /// Whether the store was not found silent in this tick.
    store_answers: bool,
    /// Decisions that were not committed.
    failed: u64,
    /// Why the first of them was not.
    why: Option<String>,
}

impl<'a> Commits<'a> {
    /// Of a tick that begins.
    pub(super) fn of(shared: &'a Shared) -> Self {
        Self { shared, store_answers: true, failed: 0, why: None }
    }

    /// Whether decisions can be made: not while nobody knows what became of the last one. A store
    /// that does not answer is asked once in a tick, for each time it may take as long as a query.
    pub(super) async fn is_sure(&mut self) -> bool {
        if self.shared.degraded.is_on() {
            return true;
        }
        if self.store_answers {
            let sure = Box::pin(make_sure(self.shared)).await;
            self.store_answers = self.note(sure).await;
        }
        self.store_answers
    }

    /// Commits a decision, with until when SLOs are judged then; whether it succeeded.
    pub(super) async fn commit(&mut self, delta: &Delta, judged: Vec<(String, Ts)>) -> bool {
        self.commit_owing(delta, judged, Debts::default()).await
    }

    /// The same with what is owed of gaps from then on.
    pub(super) async fn commit_owing(
        &mut self,
        delta: &Delta,
        judged: Vec<(String, Ts)>,
        debts: Debts,
    ) -> bool {
        if Box::pin(degraded::take(self.shared, delta, &judged, &debts)).await {
            return true;
        }
        let committed = Box::pin(decide(self.shared, delta, judged, debts)).await;
        self.note(committed).await
    }

    /// Tells how the store is, once for the whole tick: a batch with nothing to commit does not say
    /// that it is well. Gives back how many decisions were not committed.
    pub(super) fn end(&mut self) -> u64 {
        let degraded = self.shared.degraded.why();
        self.failed = self.failed.max(u64::from(degraded.is_some()));
        self.shared.trouble("store", degraded.or(self.why.take()));
        self.failed
    }

    /// Whether it succeeded, or from now on goes without the store.
    async fn note(&mut self, committed: Result<(), StoreError>) -> bool {
        let Err(error) = committed else { return true };
        tracing::error!(%error, "decisions were not committed");
        self.why.get_or_insert(error.to_string());
        self.failed += 1;
        Box::pin(degraded::enter(self.shared, &error)).await
    }
}
