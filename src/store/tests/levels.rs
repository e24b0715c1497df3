//! Present states: told again and again, and a change is never lost behind a mark.

use super::home::Home;
use super::on_both;
use crate::store::{Decisions, LevelPut, LevelState};

on_both! {
    levels_are_due_until_told_and_again_later
    a_change_while_sending_is_told_next
    resolved_levels_are_forgotten_only_after_they_were_told
}

fn level(incident: &str, state: LevelState, since: i64) -> Decisions {
    let put = LevelPut {
        receiver: "am".into(),
        incident: incident.into(),
        payload: format!("{{\"since\":{since}}}"),
        state,
        since,
        resend_until: since + 100,
    };
    Decisions { levels: vec![put], ..Decisions::default() }
}

async fn levels_are_due_until_told_and_again_later(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &level("i", LevelState::Firing, 10)).await.unwrap();
    store.commit(epoch, &level("j", LevelState::Firing, 10)).await.unwrap();
    let rows = store.levels_due("am", 0, 10).await.unwrap();
    assert_eq!(rows.len(), 2);
    store.levels_failed(epoch, &rows, "refused").await.unwrap();
    let rows = store.levels_due("am", 0, 10).await.unwrap();
    assert_eq!(rows[0].last_error.as_deref(), Some("refused"));
    store.levels_sent(epoch, &rows[..1], 60).await.unwrap();
    let rows = store.levels_due("am", 59, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| &*row.incident).collect::<Vec<_>>(), ["j"]);
    let rows = store.levels_due("am", 60, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| &*row.incident).collect::<Vec<_>>(), ["j", "i"]);
    assert_eq!(rows[1].last_error, None);
    assert_eq!(store.levels_due("other", 60, 10).await.unwrap(), []);
    // The same state with new words keeps its rhythm.
    store.commit(epoch, &level("i", LevelState::Firing, 10)).await.unwrap();
    assert_eq!(store.levels_due("am", 59, 10).await.unwrap().len(), 1);
}

async fn a_change_while_sending_is_told_next(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &level("i", LevelState::Firing, 10)).await.unwrap();
    let sending = store.levels_due("am", 0, 10).await.unwrap();
    store.commit(epoch, &level("i", LevelState::Resolved, 20)).await.unwrap();
    store.levels_sent(epoch, &sending, 21).await.unwrap();
    let rows = store.levels_due("am", 0, 10).await.unwrap();
    assert_eq!((rows[0].state, rows[0].last_sent_at), (LevelState::Resolved, None));
}

async fn resolved_levels_are_forgotten_only_after_they_were_told(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &level("firing", LevelState::Firing, 10)).await.unwrap();
    store.commit(epoch, &level("told", LevelState::Resolved, 20)).await.unwrap();
    store.commit(epoch, &level("untold", LevelState::Resolved, 30)).await.unwrap();
    let rows = store.levels_due("am", 0, 10).await.unwrap();
    let told: Vec<_> = rows.into_iter().filter(|row| row.incident != "untold").collect();
    store.levels_sent(epoch, &told, 40).await.unwrap();
    assert_eq!(store.prune_levels(epoch, 119, 0).await.unwrap(), 0);
    assert_eq!(store.prune_levels(epoch, 1000, 0).await.unwrap(), 1);
    assert_eq!(store.prune_levels(epoch, 1000, 31).await.unwrap(), 1);
    assert_eq!(store.levels_due("am", 1000, 10).await.unwrap()[0].incident, "firing");
}
