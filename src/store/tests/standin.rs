//! Who stands in for whom: found in what was told, whichever kinds of receivers the two are.

use super::home::{Home, message, owing};
use super::on_both;
use crate::slo::model::Severity;
use crate::store::{Decisions, LevelPut, LevelState, OutboxPut, Store, Superseded};

on_both! {
    a_page_that_waits_is_overdue_until_somebody_was_told_or_it_is_over
    any_number_of_tickets_that_wait_hides_no_page
    what_told_nobody_is_no_reason_not_to_tell_the_fallback
    what_another_one_was_owed_and_did_not_take_told_nobody
    a_state_never_taken_is_overdue_until_somebody_was_told
    resolves_are_passed_on_to_whoever_stands_in
    a_stand_in_is_kept_until_it_is_owed_the_resolve
}

fn stand_in(incident: &str) -> OutboxPut {
    let id = format!("{incident}-for-other");
    OutboxPut {
        receiver: "other".into(),
        fallback_of: Some(format!("{incident}-f")),
        ..message(&id, incident, 0)
    }
}

fn resolve(incident: &str) -> OutboxPut {
    let payload = format!("{incident} ended");
    OutboxPut { event: "resolved".into(), payload, ..message(&format!("{incident}-r"), incident, 20) }
}

fn level(receiver: &str, incident: &str, state: LevelState) -> Decisions {
    let put = LevelPut {
        receiver: receiver.into(),
        incident: incident.into(),
        payload: format!("{incident} at {receiver}"),
        subject: incident.into(),
        severity: Severity::Page,
        state,
        since: 10,
        resend_until: 99,
    };
    Decisions { levels: vec![put], ..Decisions::default() }
}

async fn overdue(store: &Store) -> Vec<String> {
    let rows = store.overdue("hook", "other", 10, 100).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

async fn a_page_that_waits_is_overdue_until_somebody_was_told_or_it_is_over(home: &Home) {
    let (store, epoch) = home.lead().await;
    let all = [("a", 10), ("b", 10), ("c", 10), ("young", 11), ("d", 10)];
    let all: Vec<OutboxPut> = all.iter().map(|(i, at)| message(&format!("{i}-f"), i, *at)).collect();
    store.commit(epoch, &owing(&all)).await.unwrap();
    assert_eq!(overdue(&store).await, ["a-f", "b-f", "c-f", "d-f"]);
    store.commit(epoch, &owing(&[stand_in("a"), resolve("b")])).await.unwrap();
    store.commit(epoch, &level("am", "c", LevelState::Firing)).await.unwrap();
    assert_eq!(overdue(&store).await, ["c-f", "d-f"]);
    let told = store.levels_due("am", 10, 0, 0, 10).await.unwrap();
    store.levels_sent(epoch, &told, 11).await.unwrap();
    assert_eq!(overdue(&store).await, ["d-f"]);
    store.delivered(epoch, "d-f", 12).await.unwrap();
    assert_eq!(overdue(&store).await, Vec::<String>::new());
}

async fn any_number_of_tickets_that_wait_hides_no_page(home: &Home) {
    let (store, epoch) = home.lead().await;
    let ticket =
        |n: i64| OutboxPut { severity: Severity::Ticket, ..message(&format!("t{n}"), &format!("t{n}"), 5) };
    let all: Vec<_> = (0..50).map(ticket).chain([message("page", "p", 6)]).collect();
    store.commit(epoch, &owing(&all)).await.unwrap();
    assert_eq!(store.overdue("hook", "other", 10, 5).await.unwrap()[0].id, "page");
    for n in 0..50 {
        let mut waits = level("am", &format!("t{n}"), LevelState::Firing);
        waits.levels[0].severity = Severity::Ticket;
        store.commit(epoch, &waits).await.unwrap();
    }
    store.commit(epoch, &level("am", "z", LevelState::Firing)).await.unwrap();
    let rows = store.levels_overdue("am", "other", 10, 5).await.unwrap();
    assert_eq!(rows.iter().map(|row| &*row.incident).collect::<Vec<_>>(), ["z"]);
}

async fn what_told_nobody_is_no_reason_not_to_tell_the_fallback(home: &Home) {
    let (store, epoch) = home.lead().await;
    let heir = OutboxPut { fallback_of: Some("a-f-of-old".into()), ..message("a-f", "a", 0) };
    store.commit(epoch, &owing(&[heir, message("b-f", "b", 0), message("c-f", "c", 0)])).await.unwrap();
    assert_eq!(overdue(&store).await, ["a-f", "b-f", "c-f"], "a stand-in may need one itself");
    let former = |incident: &str| OutboxPut {
        receiver: "former".into(),
        id: format!("{incident}-for-former"),
        ..stand_in(incident)
    };
    store.commit(epoch, &owing(&[former("b"), former("c")])).await.unwrap();
    assert_eq!(overdue(&store).await, ["a-f", "b-f", "c-f"], "what waits told nobody yet");
    let superseded = vec![Superseded { id: "b-for-former".into(), by: "b-f".into() }];
    store.commit(epoch, &Decisions { superseded, ..Decisions::default() }).await.unwrap();
    store.dead(epoch, "c-for-former", 3, "the receiver is no more").await.unwrap();
    assert_eq!(overdue(&store).await, ["a-f", "b-f", "c-f"]);
    // What the fallback itself was owed is never owed again, or this would not end.
    store.commit(epoch, &owing(&[stand_in("a"), stand_in("b"), stand_in("c")])).await.unwrap();
    store.dead(epoch, "a-for-other", 4, "410").await.unwrap();
    assert_eq!(overdue(&store).await, [""; 0]);
}

async fn what_another_one_was_owed_and_did_not_take_told_nobody(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &owing(&[message("a-f", "a", 0), message("b-f", "b", 0)])).await.unwrap();
    store.commit(epoch, &level("hook2", "a", LevelState::Firing)).await.unwrap();
    store.commit(epoch, &level("other", "b", LevelState::Firing)).await.unwrap();
    assert_eq!(overdue(&store).await, ["a-f"], "the fallback is owed it already");
    let rows = store.levels_due("hook2", 10, 0, 0, 10).await.unwrap();
    store.levels_sent(epoch, &rows, 11).await.unwrap();
    assert_eq!(overdue(&store).await, [""; 0]);
    // In its own right, and not only in another one's stead.
    let own = OutboxPut { fallback_of: None, ..stand_in("c") };
    store.commit(epoch, &owing(&[message("c-f", "c", 0), own])).await.unwrap();
    assert_eq!(overdue(&store).await, [""; 0]);
    store.dead(epoch, "c-for-other", 4, "410").await.unwrap();
    assert_eq!(overdue(&store).await, ["c-f"]);
    store.commit(epoch, &owing(&[stand_in("c")])).await.unwrap();
    store.dead(epoch, "c-for-other", 5, "410").await.unwrap();
    assert_eq!(overdue(&store).await, [""; 0], "or this would not end");
}

async fn a_state_never_taken_is_overdue_until_somebody_was_told(home: &Home) {
    let (store, epoch) = home.lead().await;
    for (incident, state) in
        [("a", LevelState::Firing), ("b", LevelState::Firing), ("c", LevelState::Resolved)]
    {
        store.commit(epoch, &level("am", incident, state)).await.unwrap();
    }
    assert_eq!(store.levels_overdue("am", "other", 9, 10).await.unwrap(), []);
    let rows = store.levels_overdue("am", "other", 10, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| &*row.incident).collect::<Vec<_>>(), ["a", "b"]);
    store.levels_sent(epoch, &rows[..1], 11).await.unwrap();
    store.commit(epoch, &owing(&[stand_in("b")])).await.unwrap();
    assert_eq!(store.levels_overdue("am", "other", 10, 10).await.unwrap(), []);
}

async fn resolves_are_passed_on_to_whoever_stands_in(home: &Home) {
    let (store, epoch) = home.lead().await;
    let expect = async |expected: &[(&str, &str)]| {
        let mut found = store.resolves_to_pass_on().await.unwrap();
        found.sort();
        let expected: Vec<(String, String)> =
            expected.iter().map(|(payload, to)| ((*payload).to_owned(), (*to).to_owned())).collect();
        assert_eq!(found, expected);
    };
    // a: webhook for webhook; b: webhook for Alertmanager; c: Alertmanager for webhook; d: nobody stands in.
    store.commit(epoch, &owing(&[stand_in("a"), stand_in("b"), message("d-f", "d", 0)])).await.unwrap();
    store.commit(epoch, &level("am", "b", LevelState::Firing)).await.unwrap();
    store.commit(epoch, &level("am", "c", LevelState::Firing)).await.unwrap();
    expect(&[]).await;
    store.commit(epoch, &owing(&[resolve("a"), resolve("c"), resolve("d")])).await.unwrap();
    store.commit(epoch, &level("am", "b", LevelState::Resolved)).await.unwrap();
    expect(&[("a ended", "other"), ("b at am", "other"), ("c ended", "am")]).await;
    let told = |i: &str| OutboxPut { event: "resolved".into(), id: format!("{i}-r-o"), ..stand_in(i) };
    store.commit(epoch, &owing(&[told("a"), told("b")])).await.unwrap();
    store.commit(epoch, &level("am", "c", LevelState::Resolved)).await.unwrap();
    expect(&[]).await;
}

async fn a_stand_in_is_kept_until_it_is_owed_the_resolve(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &owing(&[message("a-f", "a", 0), stand_in("a")])).await.unwrap();
    for id in ["a-f", "a-for-other"] {
        store.delivered(epoch, id, 10).await.unwrap();
    }
    assert_eq!(store.prune_outbox(epoch, 1_000_000).await.unwrap(), 1, "weeks later it still fires");
    store.commit(epoch, &owing(&[resolve("a")])).await.unwrap();
    let owed = store.resolves_to_pass_on().await.unwrap();
    assert_eq!(owed, [("a ended".to_owned(), "other".to_owned())]);
    let told = OutboxPut { event: "resolved".into(), id: "a-r-o".into(), ..stand_in("a") };
    store.commit(epoch, &owing(&[told])).await.unwrap();
    assert_eq!(store.prune_outbox(epoch, 1_000_000).await.unwrap(), 1, "now nobody needs it");
}
