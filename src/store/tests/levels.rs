//! Present states: told again and again, and a change is never lost behind a mark.

use super::home::Home;
use super::on_both;
use crate::slo::model::Severity;
use crate::store::{Decisions, LevelPut, LevelState, Store};

on_both! {
    levels_are_due_until_told_and_again_later
    pages_are_told_first_and_those_that_fail_hide_nobody
    a_clock_that_was_ahead_silences_nobody
    a_change_while_sending_is_told_next
    the_end_of_an_incident_is_not_told_while_the_same_alert_fires_again
    rows_without_a_subject_silence_nobody
    resolved_levels_are_forgotten_only_after_they_were_told
}

fn level(incident: &str, state: LevelState, since: i64) -> Decisions {
    let put = LevelPut {
        receiver: "am".into(),
        incident: incident.into(),
        payload: format!("{{\"since\":{since}}}"),
        subject: incident.into(),
        severity: Severity::Page,
        state,
        since,
        resend_until: since + 100,
    };
    Decisions { levels: vec![put], ..Decisions::default() }
}

const RESEND: i64 = 60_000;

async fn due(store: &Store, now: i64) -> Vec<String> {
    let rows = store.levels_due("am", now, RESEND, 0, 10).await.unwrap();
    rows.into_iter().map(|row| row.incident).collect()
}

async fn levels_are_due_until_told_and_again_later(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &level("i", LevelState::Firing, 10)).await.unwrap();
    store.commit(epoch, &level("j", LevelState::Firing, 10)).await.unwrap();
    let rows = store.levels_due("am", 10, RESEND, 0, 10).await.unwrap();
    assert_eq!(rows.len(), 2);
    store.levels_failed(epoch, &rows, "refused", 10).await.unwrap();
    assert_eq!(due(&store, 5009).await, [""; 0], "not asked all the time");
    let rows = store.levels_due("am", 5010, RESEND, 0, 10).await.unwrap();
    assert_eq!(rows[0].last_error.as_deref(), Some("refused"));
    store.levels_sent(epoch, &rows[..1], 6000).await.unwrap();
    assert_eq!(due(&store, 65_999).await, ["j"]);
    let rows = store.levels_due("am", 66_000, RESEND, 0, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| &*row.incident).collect::<Vec<_>>(), ["j", "i"]);
    assert_eq!(rows[1].last_error, None);
    assert_eq!(store.levels_due("other", 66_000, RESEND, 0, 10).await.unwrap(), []);
    // The same state with new words keeps its rhythm.
    store.commit(epoch, &level("i", LevelState::Firing, 10)).await.unwrap();
    assert_eq!(due(&store, 65_999).await, ["j"]);
}

async fn pages_are_told_first_and_those_that_fail_hide_nobody(home: &Home) {
    let (store, epoch) = home.lead().await;
    for n in 0..20 {
        let mut ticket = level(&format!("t{n:02}"), LevelState::Firing, 10);
        ticket.levels[0].severity = Severity::Ticket;
        store.commit(epoch, &ticket).await.unwrap();
    }
    store.commit(epoch, &level("z", LevelState::Firing, 90)).await.unwrap();
    let first = store.levels_due("am", 100, RESEND, 0, 10).await.unwrap();
    assert_eq!(first[0].incident, "z");
    store.levels_failed(epoch, &first, "refused", 100).await.unwrap();
    let tried: Vec<String> = first.into_iter().map(|row| row.incident).collect();
    let next = due(&store, 5100).await;
    assert_eq!(next[0], "z");
    assert!(next[1..].iter().all(|incident| !tried.contains(incident)), "{next:?} after {tried:?}");
}

async fn a_clock_that_was_ahead_silences_nobody(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &level("sent", LevelState::Firing, 10)).await.unwrap();
    store.commit(epoch, &level("tried", LevelState::Firing, 10)).await.unwrap();
    let rows = store.levels_due("am", 10, RESEND, 0, 10).await.unwrap();
    store.levels_sent(epoch, &rows[..1], 9_000_000).await.unwrap();
    store.levels_failed(epoch, &rows[1..], "503", 9_000_000).await.unwrap();
    assert_eq!(due(&store, 20).await, ["sent", "tried"]);
}

async fn a_change_while_sending_is_told_next(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &level("i", LevelState::Firing, 10)).await.unwrap();
    let sending = store.levels_due("am", 10, RESEND, 0, 10).await.unwrap();
    store.commit(epoch, &level("i", LevelState::Resolved, 20)).await.unwrap();
    store.levels_sent(epoch, &sending, 21).await.unwrap();
    store.levels_failed(epoch, &sending, "503", 21).await.unwrap();
    let rows = store.levels_due("am", 22, RESEND, 0, 10).await.unwrap();
    assert_eq!((rows[0].state, rows[0].last_sent_at), (LevelState::Resolved, None));
}

async fn the_end_of_an_incident_is_not_told_while_the_same_alert_fires_again(home: &Home) {
    let (store, epoch) = home.lead().await;
    let of_one = |incident, state, since| {
        let mut level = level(incident, state, since);
        level.levels[0].subject = "one".into();
        level
    };
    store.commit(epoch, &of_one("first", LevelState::Resolved, 20)).await.unwrap();
    store.commit(epoch, &level("other", LevelState::Resolved, 20)).await.unwrap();
    assert_eq!(due(&store, 20).await, ["first", "other"]);
    // At the same moment, as after catching up.
    store.commit(epoch, &of_one("second", LevelState::Firing, 20)).await.unwrap();
    assert_eq!(due(&store, 20).await, ["other", "second"]);
    store.commit(epoch, &of_one("second", LevelState::Resolved, 30)).await.unwrap();
    assert_eq!(due(&store, 30).await, ["other", "second"], "the later end tells both");
    // A clock that went back hides nothing that fires.
    store.commit(epoch, &of_one("third", LevelState::Firing, 5)).await.unwrap();
    assert_eq!(due(&store, 30).await, ["other", "third"]);
}

/// As written before there were subjects.
async fn rows_without_a_subject_silence_nobody(home: &Home) {
    let (store, epoch) = home.lead().await;
    for (incident, state) in [("burns", LevelState::Firing), ("ended", LevelState::Resolved)] {
        let mut old = level(incident, state, 10);
        old.levels[0].subject.clear();
        store.commit(epoch, &old).await.unwrap();
    }
    assert_eq!(due(&store, 20).await, ["burns", "ended"]);
    let rest = store.levels_due("am", 20, RESEND, 1, 10).await.unwrap();
    assert_eq!(rest.iter().map(|row| &*row.incident).collect::<Vec<_>>(), ["ended"]);
}

async fn resolved_levels_are_forgotten_only_after_they_were_told(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &level("firing", LevelState::Firing, 10)).await.unwrap();
    store.commit(epoch, &level("told", LevelState::Resolved, 20)).await.unwrap();
    store.commit(epoch, &level("untold", LevelState::Resolved, 30)).await.unwrap();
    let rows = store.levels_due("am", 30, RESEND, 0, 10).await.unwrap();
    let told: Vec<_> = rows.into_iter().filter(|row| row.incident != "untold").collect();
    store.levels_sent(epoch, &told, 40).await.unwrap();
    assert_eq!(store.prune_levels(epoch, 119, 0).await.unwrap(), 0);
    assert_eq!(store.prune_levels(epoch, 1000, 0).await.unwrap(), 1);
    assert_eq!(store.prune_levels(epoch, 1000, 31).await.unwrap(), 1);
    assert_eq!(due(&store, 100_000).await, ["firing"]);
}
