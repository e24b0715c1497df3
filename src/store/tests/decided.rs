//! A commit whose answer was lost: committed again it is written once, and it can be asked for.

use std::time::Duration;

use super::home::{Home, due, lead, message, state};
use super::on_both;
use crate::slo::model::Severity;
use crate::store::{Committed, Decisions, HistoryPut, LevelPut, LevelState, Store, StoreError};

on_both! {
    the_same_number_twice_is_one_decision
    whether_it_was_committed_can_be_asked
    a_commit_that_nobody_waited_for_is_settled_by_repeating_it
    old_numbers_are_forgotten
    a_number_of_an_earlier_lease_says_nothing
}

fn fired(number: i64) -> Decisions {
    Decisions {
        number: Some(number),
        states: vec![state("blind", &number.to_string())],
        outbox: vec![message(&format!("m{number}"), &format!("i{number}"), 5)],
        levels: vec![LevelPut {
            receiver: "am".into(),
            incident: "i".into(),
            payload: "{}".into(),
            subject: "i".into(),
            severity: Severity::Page,
            state: LevelState::Firing,
            since: number,
            resend_until: 9,
        }],
        history: vec![HistoryPut {
            at: number,
            kind: "firing".into(),
            subject: "s".into(),
            body: "{}".into(),
        }],
        ..Decisions::default()
    }
}

async fn lines(store: &Store) -> usize {
    store.history(None, None, 1000).await.unwrap().items.len()
}

async fn the_same_number_twice_is_one_decision(home: &Home) {
    let (store, epoch) = home.lead().await;
    let number = store.new_number();
    assert_ne!(number, store.new_number());
    let first = store.commit(epoch, &fired(number)).await.unwrap();
    assert_eq!(first, Committed { before: false, new_outbox: 1 });
    // Something later overwrites the state and tells the level: the repetition must bring neither back.
    let later = Decisions { states: vec![state("blind", "later")], ..Decisions::default() };
    store.commit(epoch, &later).await.unwrap();
    let told = store.levels_due("am", 9, 5, 10).await.unwrap();
    store.levels_sent(epoch, &told, 7).await.unwrap();

    let again = store.commit(epoch, &fired(number)).await.unwrap();
    assert_eq!(again, Committed { before: true, new_outbox: 0 });
    assert_eq!(due(&store, 9).await, [format!("m{number}")]);
    assert_eq!(lines(&store).await, 1);
    assert_eq!(store.states().await.unwrap(), [("blind".to_owned(), "later".to_owned())]);
    assert_eq!(store.levels_due("am", 9, 5, 10).await.unwrap(), []);
}

async fn whether_it_was_committed_can_be_asked(home: &Home) {
    let (store, epoch) = home.lead().await;
    let number = store.new_number();
    assert!(!store.is_decided(epoch, number).await.unwrap());
    store.commit(epoch, &fired(number)).await.unwrap();
    assert!(store.is_decided(epoch, number).await.unwrap());
    assert!(!store.is_decided(epoch, store.new_number()).await.unwrap());
}

/// Cut off at many different moments, the answer is certain and the repetition changes nothing more.
async fn a_commit_that_nobody_waited_for_is_settled_by_repeating_it(home: &Home) {
    let (store, epoch) = home.lead().await;
    let mut landed = 0;
    for round in 0..60 {
        let number = store.new_number();
        let decisions = fired(number);
        let wait = Duration::from_micros(round * 100);
        let answered = tokio::time::timeout(wait, store.commit(epoch, &decisions)).await.is_ok();
        let is_decided = store.is_decided(epoch, number).await.unwrap();
        assert!(is_decided || !answered, "answered, and not there");
        let again = store.commit(epoch, &decisions).await.unwrap();
        assert_eq!(again.before, is_decided);
        landed += usize::from(is_decided);
        assert_eq!(lines(&store).await, usize::try_from(round).unwrap() + 1);
    }
    assert!(landed < 60, "no commit was cut off");
    assert_eq!(due(&store, 9).await.len(), 60);
}

async fn old_numbers_are_forgotten(home: &Home) {
    let (store, epoch) = home.lead().await;
    for number in [1, 2, 1001] {
        store.commit(epoch, &fired(number)).await.unwrap();
    }
    assert!(!store.is_decided(epoch, 1).await.unwrap());
    assert!(store.is_decided(epoch, 2).await.unwrap());
}

async fn a_number_of_an_earlier_lease_says_nothing(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &fired(1)).await.unwrap();
    let next = lead(&store, 1_000_000).await;
    let refused = store.commit(epoch, &fired(1)).await.unwrap_err();
    assert!(matches!(refused, StoreError::LostLease { .. }) && !refused.is_in_doubt(), "{refused}");
    assert!(!store.is_decided(next, 1).await.unwrap());
    assert!(!store.commit(next, &fired(1)).await.unwrap().before);
}
