//! What another process told without the store, taken up before anything else is decided: at a start
//! what the one before left, and from a replica that could not reach the store what it hands over.

use std::collections::BTreeSet;

use super::memory::{Memory, Told};
use super::messages::Message;
use super::record::Record;
use super::recover::recover;
use super::{Degraded, Inner};
use crate::engine::notice::Event;
use crate::engine::step::Control;
use crate::service::clock;
use crate::service::decide::subject_of;
use crate::service::shared::Shared;
use crate::store::{Delivered, StoreError};

/// Takes up what the spill file holds.
pub(in crate::service) async fn resume(shared: &Shared) -> Result<(), StoreError> {
    let left = std::mem::take(&mut *shared.degraded.left.write());
    take_up(shared, left, Vec::new()).await
}

/// Takes up records, and writes them if the store takes it, with the `commands` that they came by;
/// else Damper goes on degraded. What the store has already was written by a process that died before
/// it emptied its file.
pub(super) async fn take_up(
    shared: &Shared,
    records: Vec<Record>,
    commands: Vec<i64>,
) -> Result<(), StoreError> {
    if records.is_empty() && commands.is_empty() {
        return Ok(());
    }
    let stored = stored(shared, &records).await?;
    {
        let mut inner = shared.degraded.inner.write();
        let mut world = shared.world.write();
        inner.memory = Memory::of(world.control.clone());
        inner.why = "The store did not take what was told while it was away".to_owned();
        inner.since = Some(clock::now());
        inner.commands = commands;
        inner.take_up(records, &stored, &mut world.control);
        let mut owed = shared.owed.write();
        for Told { transition, .. } in inner.memory.told() {
            if let Some(gap) = transition.key.subject.slo().and_then(|slo| owed.get_mut(slo)) {
                gap.note(transition);
            }
        }
        tracing::warn!(pages = inner.memory.told().len(), "another process told pages without the store");
    }
    shared.metrics.degraded.set(1);
    shared.degraded.begin();
    if let Err(error) = recover(shared).await {
        tracing::error!(%error, "what was told without the store is not written yet");
        shared.degraded.inner.write().why = error.to_string();
    }
    Ok(())
}

impl Inner {
    fn take_up(&mut self, records: Vec<Record>, stored: &BTreeSet<String>, control: &mut Control) {
        let before = control.clone();
        for record in records {
            match record {
                // One that was handed over in two attempts comes twice.
                Record::Told(told) if self.memory.has_told(&told.transition.incident) => {}
                Record::Told(told) if !stored.contains(&told.transition.incident) => {
                    for notice in told.transition.notices() {
                        self.messages.owe(notice, None, told.at);
                    }
                    let key = told.transition.key.clone();
                    self.memory.resume(*told, before.get(&key), clock::now());
                    if let Some(state) = self.memory.moved(&key) {
                        control.put(key, state);
                    }
                }
                Record::StandIn { notice, fallback_of, at } if !stored.contains(&notice.incident) => {
                    self.messages.owe(*notice, Some(fallback_of), at);
                }
                Record::Taken { id, at } if self.messages.taken(&id, at) => {}
                // The store has the message, and perhaps not that it was taken.
                Record::Taken { id, at } => self.delivered.push(Delivered { id, at }),
                Record::Told(_) | Record::StandIn { .. } => {}
            }
        }
        self.messages.noted();
        self.generation += 1;
    }

    /// All of it as it is noted.
    fn records(&self) -> Vec<Record> {
        let told = self.memory.told().iter().map(|told| Record::Told(Box::new(told.clone())));
        let taken = |message: &Message| {
            message.taken_at.map(|at| Record::Taken { id: message.notice.id.clone(), at })
        };
        let stand_in = |message: &Message| {
            let (notice, at) = (Box::new(message.notice.clone()), message.at);
            let fallback_of = message.fallback_of.clone()?;
            Some(Record::StandIn { notice, fallback_of, at })
        };
        let messages = self.messages.all().flat_map(|one| stand_in(one).into_iter().chain(taken(one)));
        let delivered =
            self.delivered.iter().map(|Delivered { id, at }| Record::Taken { id: id.clone(), at: *at });
        told.chain(messages).chain(delivered).collect()
    }
}

/// Incidents whose beginning the store has.
async fn stored(shared: &Shared, records: &[Record]) -> Result<BTreeSet<String>, StoreError> {
    let mut stored = BTreeSet::new();
    for record in records {
        let Record::Told(told) = record else { continue };
        let (subject, incident) = (subject_of(&told.transition.key.subject), &told.transition.incident);
        if shared.store.is_told(subject, Event::Firing.as_str(), incident).await? {
            stored.insert(incident.clone());
        }
    }
    Ok(stored)
}

impl Degraded {
    /// What an earlier process told and nobody took up yet, and what this one tells.
    pub(super) fn records(&self) -> Vec<Record> {
        let mut all = self.left.read().clone();
        if self.is_on() {
            all.extend(self.inner.read().records());
        }
        all
    }
}
