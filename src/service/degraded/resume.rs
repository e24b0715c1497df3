//! At a start: what the process before told without its store, taken up before anything else is
//! decided.

use std::collections::BTreeSet;

use super::memory::Memory;
use super::record::Record;
use super::recover::recover;
use crate::engine::notice::Event;
use crate::service::clock;
use crate::service::decide::subject_of;
use crate::service::shared::Shared;
use crate::store::{Delivered, StoreError};

/// Takes up what the spill file holds, and writes it if the store takes it; else Damper begins
/// degraded. What the store has already was written by a process that died before it emptied the file.
pub(in crate::service) async fn resume(shared: &Shared) -> Result<(), StoreError> {
    let left = std::mem::take(&mut *shared.degraded.left.write());
    if left.is_empty() {
        return Ok(());
    }
    let stored = stored(shared, &left).await?;
    {
        let mut inner = shared.degraded.inner.write();
        let mut world = shared.world.write();
        inner.memory = Memory::of(world.control.clone());
        inner.why = "The store took nothing before the last restart".to_owned();
        inner.since = Some(clock::now());
        for record in left {
            match record {
                Record::Told(told) if !stored.contains(&told.transition.incident) => {
                    for notice in told.transition.notices() {
                        inner.messages.owe(notice, None, told.at);
                    }
                    let key = told.transition.key.clone();
                    let before = world.control.get(&key).cloned();
                    inner.memory.resume(*told, before.as_ref(), clock::now());
                    if let Some(state) = inner.memory.moved(&key) {
                        world.control.put(key, state);
                    }
                }
                Record::StandIn { notice, fallback_of, at } if !stored.contains(&notice.incident) => {
                    inner.messages.owe(*notice, Some(fallback_of), at);
                }
                Record::Taken { id, at } if inner.messages.taken(&id, at) => {}
                // The store has the message, and perhaps not that it was taken.
                Record::Taken { id, at } => inner.delivered.push(Delivered { id, at }),
                Record::Told(_) | Record::StandIn { .. } => {}
            }
        }
        inner.messages.noted();
        inner.generation += 1;
        tracing::warn!(pages = inner.memory.told().len(), "the process before told pages without its store");
    }
    shared.degraded.begin();
    if let Err(error) = recover(shared).await {
        tracing::error!(%error, "what was told without the store is not written yet");
        shared.degraded.inner.write().why = error.to_string();
    }
    Ok(())
}

/// Incidents whose beginning the store has.
async fn stored(shared: &Shared, left: &[Record]) -> Result<BTreeSet<String>, StoreError> {
    let mut stored = BTreeSet::new();
    for record in left {
        let Record::Told(told) = record else { continue };
        let (subject, incident) = (subject_of(&told.transition.key.subject), &told.transition.incident);
        if shared.store.is_told(subject, Event::Firing.as_str(), incident).await? {
            stored.insert(incident.clone());
        }
    }
    Ok(stored)
}
