//! Pages that the store holds and nobody took yet, kept in memory too: a server that goes away takes its
//! outbox with it, and people wait for what is in there. Who finds that it cannot be read has them sent
//! from here, under the same ids.
//!
//! Noted before the commit, so that whoever delivers it finds it here and strikes it out.

use std::collections::BTreeMap;

use crate::engine::notice::{Event, Notice};
use crate::engine::step::Delta;
use crate::service::owed::is_level;
use crate::service::shared::Shared;
use crate::slo::model::Severity;

/// Pages kept at most; beyond it they wait for the store.
const MOST: usize = 1000;

/// By id: the page, and when it was decided, in milliseconds since the epoch.
#[derive(Clone, Default, Debug)]
pub(super) struct Untaken(BTreeMap<String, (Notice, i64)>);

impl Untaken {
    fn note(&mut self, notice: &Notice, at: i64) {
        let is_page = notice.event == Event::Firing && notice.alert.severity == Severity::Page;
        if is_page && !notice.shadow && self.0.len() < MOST {
            self.0.entry(notice.id.clone()).or_insert_with(|| (notice.clone(), at));
        }
    }

    fn is_over(&mut self, incident: &str) {
        self.0.retain(|_, (notice, _)| notice.incident != incident);
    }

    fn strike_out(&mut self, id: &str) {
        self.0.remove(id);
    }

    fn of<'a>(&'a self, receiver: &'a str) -> impl Iterator<Item = &'a (Notice, i64)> {
        self.0.values().filter(move |(notice, _)| notice.receiver == receiver)
    }
}

/// A decision is about to be stored: what begins is to be delivered, and what ended is told by its end.
pub(in crate::service) fn owes(shared: &Shared, delta: &Delta, at: i64) {
    for transition in &delta.transitions {
        if transition.event == Event::Resolved {
            shared.degraded.untaken.write().is_over(&transition.incident);
        }
        transition.notices().for_each(|notice| waits(shared, &notice, at));
    }
}

/// A message waits for its receiver in the store. An Alertmanager is told all that fires anyway.
pub(in crate::service) fn waits(shared: &Shared, notice: &Notice, at: i64) {
    if !is_level(shared, &notice.receiver) && !shared.degraded.is_taken(&notice.id) {
        shared.degraded.untaken.write().note(notice, at);
    }
}

/// The commit of a decision had no answer: what it begins is told as what is in doubt.
pub(in crate::service) fn is_in_doubt(shared: &Shared, delta: &Delta) {
    let mut untaken = shared.degraded.untaken.write();
    let begun = delta.transitions.iter().filter(|transition| transition.event == Event::Firing);
    begun.flat_map(|transition| transition.notices()).for_each(|notice| untaken.strike_out(&notice.id));
}

/// Nobody waits for a message any more: it was taken, or given up.
pub(in crate::service) fn is_finished(shared: &Shared, id: &str) {
    shared.degraded.untaken.write().strike_out(id);
}

/// The outbox cannot be read: while Damper is degraded, what waits there is sent from memory. What is
/// over by what people know has its end in there as well.
pub(in crate::service) fn without_outbox(shared: &Shared, receiver: &str) {
    let untaken: Vec<(Notice, i64)> = shared.degraded.untaken.read().of(receiver).cloned().collect();
    let mut inner = shared.degraded.inner.write();
    if untaken.is_empty() || !shared.degraded.is_on() {
        return;
    }
    let mut new = 0;
    for (notice, at) in untaken {
        let goes_on = inner.memory.knows(&notice.incident);
        new += usize::from(goes_on && inner.messages.take_over(notice, at));
    }
    if new > 0 {
        inner.generation += 1;
        drop(inner);
        tracing::warn!(
            receiver,
            pages = new,
            "the outbox cannot be read: what waits there is sent from memory"
        );
        shared.degraded.wake.notify_waiters();
    }
}
