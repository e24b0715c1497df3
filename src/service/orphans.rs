//! Messages to receivers that are no longer in the settings: renamed, replaced or removed while
//! something was owed to them. The route's receiver is told instead, so that no page and no end of
//! one waits for ever. Where nobody is left, messages are given up and listed with the reason, and
//! states are forgotten; so is what shadow mode only shows.

use super::clock;
use super::owed::{commit, is_level, stand_in};
use super::shared::Shared;
use crate::engine::notice::Notice;
use crate::store::{Decisions, LevelRow, LevelState, OutboxRow, StoreError, Superseded};

/// Messages of one receiver handed over in one look; the rest follows in the next one.
const MOST: i64 = 100;

/// Hands over what waits for receivers that are not there.
pub(super) async fn hand_over(shared: &Shared, epoch: i64) -> Result<(), StoreError> {
    for name in shared.store.waited_for().await? {
        if shared.settings.receivers.iter().any(|receiver| receiver.name == name) {
            continue;
        }
        for row in shared.store.due(&name, i64::MAX, MOST).await? {
            message(shared, epoch, &row).await?;
        }
        for row in shared.store.levels_due(&name, i64::MAX, 0, 0, MOST).await? {
            level(shared, epoch, &row).await?;
        }
    }
    Ok(())
}

async fn message(shared: &Shared, epoch: i64, row: &OutboxRow) -> Result<(), StoreError> {
    let gone = format!("the receiver `{}` is no longer in the settings", row.receiver);
    let heir = shared.settings.route.as_ref().map(|route| route.receiver.as_str());
    let reason = match (heir, serde_json::from_str::<Notice>(&row.payload)) {
        (_, Ok(notice)) if notice.shadow => format!("{gone}, and what is only shown nobody else is told"),
        (None, _) => format!("{gone}, and no route names another one"),
        (_, Err(_)) => format!("{gone}, and the message in the store cannot be read"),
        (Some(heir), Ok(notice)) => {
            if let Some(by) = told_as(shared, heir, &notice).await? {
                let superseded = vec![Superseded { id: row.id.clone(), by }];
                let decisions = Decisions { superseded, ..Decisions::default() };
                return shared.store.commit(epoch, &decisions).await.map(drop);
            }
            let mut owed = Decisions::default();
            stand_in(shared, &notice, heir, &mut owed).await?;
            commit(shared, epoch, &owed).await?;
            format!("{gone}; `{heir}` is told instead")
        }
    };
    tracing::warn!(id = row.id, "{reason}");
    shared.store.dead(epoch, &row.id, clock::now_ms(), &reason).await.map(drop)
}

/// A state that was told to a receiver which is gone is news to the one that follows it.
async fn level(shared: &Shared, epoch: i64, row: &LevelRow) -> Result<(), StoreError> {
    let heir = shared.settings.route.as_ref().map(|route| route.receiver.as_str());
    let over = row.state == LevelState::Resolved && row.last_sent_at.is_some();
    let notice = serde_json::from_str::<Notice>(&row.payload).ok().filter(|notice| !notice.shadow);
    if let (Some(heir), Some(notice), false) = (heir, notice, over)
        && told_as(shared, heir, &notice).await?.is_none()
    {
        let mut owed = Decisions::default();
        stand_in(shared, &notice, heir, &mut owed).await?;
        commit(shared, epoch, &owed).await?;
    }
    tracing::warn!(
        receiver = row.receiver,
        incident = row.incident,
        heir,
        "the receiver is no longer in the settings"
    );
    shared.store.remove_level(epoch, &row.receiver, &row.incident).await
}

/// The message by which a receiver is told the same, if there is one that was not given up.
async fn told_as(shared: &Shared, receiver: &str, notice: &Notice) -> Result<Option<String>, StoreError> {
    if is_level(shared, receiver) {
        return Ok(None);
    }
    shared.store.told_as(receiver, &notice.incident, notice.event.as_str()).await
}
