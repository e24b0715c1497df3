//! On a server another replica leads while this one cannot reach the store and pages all the same. What
//! it told then becomes the leader's business: it hands that over as commands, which need no lease, and
//! the leader takes them up between two ticks. So the end of every page is told, whoever told the page.
//! It does so before it ends, and what it could not hand over then, or did not live to, the next process
//! finds in the spill file: a container that is made anew has none.

use super::record::Record;
use super::resume::take_up;
use crate::service::clock;
use crate::service::shared::Shared;
use crate::store::{Command, StoreError};

/// The kind of these commands.
pub(super) const TOLD: &str = "told-without-store";
/// Commands looked at at once.
const MOST: i64 = 1000;

/// Hands over to the replica that leads what this process told without the store, and what its spill
/// file held at the start.
pub(in crate::service) async fn hand_over(shared: &Shared) {
    let records = shared.degraded.records();
    if records.is_empty() {
        return;
    }
    match put(shared, &records).await {
        Ok(()) => {
            tracing::info!(
                records = records.len(),
                "what was told without the store is handed to the leader"
            );
            shared.degraded.left.write().clear();
            shared.degraded.empty().await;
        }
        Err(error) => tracing::warn!(%error, "what was told without the store is not handed over yet"),
    }
}

async fn put(shared: &Shared, records: &[Record]) -> Result<(), StoreError> {
    for record in records {
        let body = serde_json::to_string(record).unwrap_or_default();
        shared.store.put_command(TOLD, &body, clock::now_ms()).await?;
    }
    Ok(())
}

/// Notes what other replicas handed over, for the next tick.
pub(super) async fn look(shared: &Shared) -> Result<(), StoreError> {
    let all = shared.store.commands(MOST).await?.into_iter();
    *shared.degraded.handed.write() = all.filter(|command| command.kind == TOLD).collect();
    Ok(())
}

/// Takes up what was handed over; between ticks, as it moves alerts. Not while it is in doubt how these
/// stand: an incident that the store has would be written over, and never end.
pub(in crate::service) async fn take_over(shared: &Shared) {
    let handed = std::mem::take(&mut *shared.degraded.handed.write());
    if handed.is_empty() || shared.degraded.is_on() || shared.in_doubt.read().is_some() {
        return;
    }
    let ids = handed.iter().map(|command| command.id).collect();
    let records = handed.iter().filter_map(read).collect();
    if let Err(error) = take_up(shared, records, ids).await {
        tracing::warn!(%error, "what another replica told is not taken up yet");
    }
}

fn read(command: &Command) -> Option<Record> {
    let record = serde_json::from_str(&command.body);
    record.inspect_err(|error| tracing::error!(%error, "what another replica told cannot be read")).ok()
}
