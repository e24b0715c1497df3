//! Messages: in order per incident, due when they may, kept until delivered.

use super::home::{Home, due, message, owing};
use super::on_both;
use crate::slo::model::Severity;
use crate::store::{Backlog, Decisions, OutboxFilter, OutboxPut, Status, Superseded};

on_both! {
    a_resolve_never_overtakes_its_firing
    marks_of_finished_or_unknown_messages_change_nothing
    other_incidents_do_not_wait
    pages_leave_before_tickets
    a_clock_that_was_ahead_delays_nothing_for_long
    a_message_is_given_up_once
    messages_of_one_incident_are_found
    what_was_given_up_tells_nobody
    what_was_given_up_is_sent_again_once_it_is_owed_again
    what_is_over_is_not_owed_again
    a_superseded_message_is_not_sent
    nothing_is_superseded_by_a_message_that_is_not_there
    a_finished_message_can_be_sent_again
    listings_filter_and_page
    the_backlog_tells_ages
    pruning_takes_only_what_is_finished
    hostile_error_texts_are_stored
}

async fn a_resolve_never_overtakes_its_firing(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &owing(&[message("fire", "i", 10)])).await.unwrap();
    store.commit(epoch, &owing(&[message("resolve", "i", 20)])).await.unwrap();
    assert_eq!(store.next_due("hook").await.unwrap(), Some(10));
    assert_eq!(due(&store, 9).await, [""; 0]);
    assert_eq!(due(&store, 30).await, ["fire"]);
    // It fails and waits: the resolve waits behind it, and nobody is woken for the resolve.
    assert!(store.failed(epoch, "fire", 1, 500, "503").await.unwrap());
    assert_eq!(due(&store, 30).await, [""; 0]);
    assert_eq!(store.next_due("hook").await.unwrap(), Some(500));
    let row = store.outbox_row("fire").await.unwrap().unwrap();
    assert_eq!((row.attempts, row.next_at, row.last_error.as_deref()), (1, 500, Some("503")));
    assert!(store.delivered(epoch, "fire", 501).await.unwrap());
    assert_eq!(due(&store, 501).await, ["resolve"]);
}

async fn marks_of_finished_or_unknown_messages_change_nothing(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &owing(&[message("fire", "i", 10)])).await.unwrap();
    assert!(store.delivered(epoch, "fire", 501).await.unwrap());
    assert!(!store.delivered(epoch, "fire", 502).await.unwrap());
    assert!(!store.failed(epoch, "fire", 9, 0, "late").await.unwrap());
    assert!(!store.delivered(epoch, "nothing", 502).await.unwrap());
    assert_eq!(store.outbox_row("fire").await.unwrap().unwrap().finished_at, Some(501));
}

async fn other_incidents_do_not_wait(home: &Home) {
    let (store, epoch) = home.lead().await;
    let other = OutboxPut { receiver: "mail".into(), ..message("m4", "i", 0) };
    let all = [message("m1", "i", 0), message("m2", "i", 0), message("m3", "j", 0), other];
    store.commit(epoch, &owing(&all)).await.unwrap();
    assert_eq!(due(&store, 0).await, ["m1", "m3"]);
    assert_eq!(store.due("mail", 0, 10).await.unwrap()[0].id, "m4");
    assert_eq!(store.due("hook", 0, 1).await.unwrap().len(), 1);
    assert_eq!(store.next_due("nobody").await.unwrap(), None);
}

async fn pages_leave_before_tickets(home: &Home) {
    let (store, epoch) = home.lead().await;
    let ticket =
        |n: i64| OutboxPut { severity: Severity::Ticket, ..message(&format!("t{n}"), &format!("t{n}"), n) };
    let all: Vec<_> = (0..20).map(ticket).chain([message("page", "p", 50)]).collect();
    store.commit(epoch, &owing(&all)).await.unwrap();
    let four: Vec<String> = store.due("hook", 100, 4).await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(four, ["page", "t0", "t1", "t2"]);
    assert_eq!(store.next_due("hook").await.unwrap(), Some(0));
    store.failed(epoch, "page", 1, 500, "503").await.unwrap();
    assert_eq!(store.due("hook", 100, 1).await.unwrap()[0].id, "t0");
    assert_eq!(store.next_due("hook").await.unwrap(), Some(0));
}

async fn a_clock_that_was_ahead_delays_nothing_for_long(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &owing(&[message("far", "i", 0), message("near", "j", 0)])).await.unwrap();
    store.failed(epoch, "far", 1, 90_000_000, "503").await.unwrap();
    store.failed(epoch, "near", 1, 5000, "503").await.unwrap();
    assert_eq!(store.hasten(epoch, "hook", 100, 60_000).await.unwrap(), 1);
    assert_eq!(due(&store, 100).await, ["far"]);
    assert_eq!(store.next_due("hook").await.unwrap(), Some(100));
}

async fn a_message_is_given_up_once(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &owing(&[message("m", "i", 0)])).await.unwrap();
    assert!(store.dead(epoch, "m", 7, "410 Gone").await.unwrap());
    assert_eq!(due(&store, 10).await, [""; 0]);
    assert!(!store.dead(epoch, "m", 8, "another word").await.unwrap());
    let row = store.outbox_row("m").await.unwrap().unwrap();
    assert_eq!((row.status, row.last_error.as_deref()), (Status::Dead, Some("410 Gone")));
}

async fn messages_of_one_incident_are_found(home: &Home) {
    let (store, epoch) = home.lead().await;
    let end = OutboxPut { event: "resolved".into(), ..message("end", "i", 1) };
    let mail = OutboxPut { receiver: "mail".into(), ..message("mail", "i", 2) };
    let all = [message("m", "i", 0), message("other", "j", 0), end, mail];
    store.commit(epoch, &owing(&all)).await.unwrap();
    let row = async |id| store.outbox_row(id).await.unwrap().unwrap();
    let behind = async |id| store.waits_behind(&row(id).await).await.unwrap();
    assert_eq!(behind("m").await.as_deref(), Some("end"));
    assert_eq!((behind("end").await, behind("other").await), (None, None));
    store.delivered(epoch, "end", 3).await.unwrap();
    assert_eq!(behind("m").await, None, "nothing that was sent tells it");
    let told = async |receiver, event| store.told_as(receiver, "i", event).await.unwrap();
    assert_eq!(told("hook", "resolved").await.as_deref(), Some("end"));
    assert_eq!(told("mail", "firing").await.as_deref(), Some("mail"));
    assert_eq!(told("mail", "resolved").await, None);
}

async fn what_was_given_up_tells_nobody(home: &Home) {
    let (store, epoch) = home.lead().await;
    let mail = OutboxPut { receiver: "mail".into(), ..message("mail", "i", 2) };
    let end = OutboxPut { event: "resolved".into(), ..message("end", "i", 1) };
    store.commit(epoch, &owing(&[message("m", "i", 0), end, mail])).await.unwrap();
    let told = async |receiver| store.told_as(receiver, "i", "firing").await.unwrap();
    let supersede = async |id: &str, by: &str| {
        let superseded = vec![Superseded { id: id.into(), by: by.into() }];
        store.commit(epoch, &Decisions { superseded, ..Decisions::default() }).await.unwrap();
    };
    supersede("m", "end").await;
    assert_eq!(told("hook").await.as_deref(), Some("m"), "by its own end");
    supersede("mail", "end").await;
    assert_eq!(told("mail").await, None, "somebody else is told");
    store.resend(epoch, "mail", 3).await.unwrap();
    assert_eq!(told("mail").await.as_deref(), Some("mail"));
    store.dead(epoch, "mail", 4, "404").await.unwrap();
    assert_eq!(told("mail").await, None);
}

async fn what_was_given_up_is_sent_again_once_it_is_owed_again(home: &Home) {
    let (store, epoch) = home.lead().await;
    let owe = async |puts: &[OutboxPut]| store.commit(epoch, &owing(puts)).await.unwrap().new_outbox;
    let m = |i: &str| message(&format!("m-{i}"), i, 5);
    let stand_in = |i: &str| OutboxPut { fallback_of: Some("x".into()), ..m(i) };
    assert_eq!(owe(&[m("a"), m("b"), stand_in("c"), m("d")]).await, 4);
    store.delivered(epoch, "m-a", 6).await.unwrap();
    assert_eq!(owe(&[m("a"), m("b")]).await, 0, "told, or waiting");
    store.failed(epoch, "m-b", 7, 900, "503").await.unwrap();
    store.dead(epoch, "m-b", 7, "404").await.unwrap();
    let superseded = vec![Superseded { id: "m-c".into(), by: "m-d".into() }];
    store.commit(epoch, &Decisions { superseded, ..Decisions::default() }).await.unwrap();
    assert_eq!(owe(&[m("b")]).await, 0, "a repeat of its own decision");
    assert_eq!(due(&store, 10).await, ["m-d"]);
    // Twice in one commit, as two ends of one incident are.
    assert_eq!(owe(&[stand_in("b"), m("c"), m("e"), stand_in("b")]).await, 3);
    assert_eq!(due(&store, 10).await, ["m-b", "m-c", "m-d", "m-e"]);
    let b = store.outbox_row("m-b").await.unwrap().unwrap();
    assert_eq!((b.attempts, b.finished_at, b.fallback_of.as_deref()), (0, None, Some("x")));
    let c = store.outbox_row("m-c").await.unwrap().unwrap();
    assert_eq!((c.superseded_by, c.fallback_of), (None, None));
}

async fn what_is_over_is_not_owed_again(home: &Home) {
    let (store, epoch) = home.lead().await;
    let end = OutboxPut { event: "resolved".into(), ..message("end", "i", 9) };
    store.commit(epoch, &owing(&[message("m", "i", 0), end.clone()])).await.unwrap();
    store.dead(epoch, "m", 8, "404").await.unwrap();
    store.delivered(epoch, "end", 10).await.unwrap();
    let stand_in = OutboxPut { fallback_of: Some("x".into()), ..message("m", "i", 11) };
    let again = store.commit(epoch, &owing(&[message("m", "i", 11), stand_in, end])).await.unwrap();
    assert_eq!((again.new_outbox, due(&store, 20).await.len()), (0, 0));
}

async fn a_superseded_message_is_not_sent(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &owing(&[message("old", "i", 0), message("mid", "i", 1)])).await.unwrap();
    let by = |id: &str| Superseded { id: id.into(), by: "sum".into() };
    let decisions = Decisions { superseded: vec![by("old"), by("mid")], ..owing(&[message("sum", "i", 9)]) };
    store.commit(epoch, &decisions).await.unwrap();
    assert_eq!(due(&store, 9).await, ["sum"]);
    let old = store.outbox_row("old").await.unwrap().unwrap();
    assert_eq!((old.status, old.superseded_by.as_deref()), (Status::Superseded, Some("sum")));
    // One that was under way and arrived is told as it is.
    assert!(store.delivered(epoch, "old", 10).await.unwrap());
    assert_eq!(store.outbox_row("old").await.unwrap().unwrap().status, Status::Delivered);
}

async fn nothing_is_superseded_by_a_message_that_is_not_there(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &owing(&[message("m", "i", 0)])).await.unwrap();
    let rows = ["ghost", "m"].map(|by| Superseded { id: "m".into(), by: by.into() });
    store.commit(epoch, &Decisions { superseded: rows.to_vec(), ..Decisions::default() }).await.unwrap();
    assert_eq!(due(&store, 0).await, ["m"]);
}

async fn a_finished_message_can_be_sent_again(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &owing(&[message("m", "i", 0)])).await.unwrap();
    assert!(!store.resend(epoch, "m", 5).await.unwrap());
    store.dead(epoch, "m", 5, "410").await.unwrap();
    assert!(store.resend(epoch, "m", 50).await.unwrap());
    assert_eq!(due(&store, 49).await, [""; 0]);
    assert_eq!(due(&store, 50).await, ["m"]);
    let row = store.outbox_row("m").await.unwrap().unwrap();
    assert_eq!((row.attempts, row.finished_at), (0, None));
}

async fn listings_filter_and_page(home: &Home) {
    let (store, epoch) = home.lead().await;
    let all: Vec<_> = (0..1200).map(|n| message(&format!("m{n}"), &format!("i{}", n % 2), 0)).collect();
    assert_eq!(store.commit(epoch, &owing(&all)).await.unwrap().new_outbox, 1200);
    let filter =
        OutboxFilter { incident: Some("i1".into()), status: Some(Status::Pending), ..Default::default() };
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = store.outbox(&filter, before, 250).await.unwrap();
        seen.extend(page.items.into_iter().map(|row| row.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..1200).rev().filter(|n| n % 2 == 1).map(|n| format!("m{n}")).collect();
    assert_eq!(seen, expected);
    let none = OutboxFilter { receiver: Some("mail".into()), ..Default::default() };
    assert_eq!(store.outbox(&none, None, 10).await.unwrap().items, []);
    // A page is bounded whatever is asked for.
    assert_eq!(store.outbox(&OutboxFilter::default(), None, i64::MAX).await.unwrap().items.len(), 1000);
}

async fn the_backlog_tells_ages(home: &Home) {
    let (store, epoch) = home.lead().await;
    let mail = OutboxPut { receiver: "mail".into(), ..message("m4", "k", 3) };
    let all = [message("m1", "i", 30), message("m2", "j", 20), message("m3", "k", 10), mail];
    store.commit(epoch, &owing(&all)).await.unwrap();
    store.delivered(epoch, "m3", 40).await.unwrap();
    store.dead(epoch, "m4", 40, "no").await.unwrap();
    let row = |receiver: &str, pending, oldest_pending, dead| Backlog {
        receiver: receiver.into(),
        pending,
        oldest_pending,
        dead,
        shed: 0,
    };
    assert_eq!(store.backlog().await.unwrap(), [row("hook", 2, Some(20), 0), row("mail", 0, None, 1)]);
}

async fn pruning_takes_only_what_is_finished(home: &Home) {
    let (store, epoch) = home.lead().await;
    let all = [message("m1", "i", 0), message("m2", "j", 0), message("m3", "k", 0), message("m4", "l", 0)];
    store.commit(epoch, &owing(&all)).await.unwrap();
    store.delivered(epoch, "m1", 10).await.unwrap();
    store.dead(epoch, "m2", 20, "no").await.unwrap();
    store.delivered(epoch, "m3", 30).await.unwrap();
    assert_eq!(store.prune_outbox(epoch, 25).await.unwrap(), 2);
    let left = store.outbox(&OutboxFilter::default(), None, 10).await.unwrap().items;
    assert_eq!(left.iter().map(|row| &*row.id).collect::<Vec<_>>(), ["m4", "m3"]);
}

async fn hostile_error_texts_are_stored(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &owing(&[message("m", "i", 0)])).await.unwrap();
    let hostile = format!("'; drop table outbox; --\0{}", "é".repeat(100_000));
    store.failed(epoch, "m", 1, 1, &hostile).await.unwrap();
    let error = store.outbox_row("m").await.unwrap().unwrap().last_error.unwrap();
    assert!(error.starts_with("'; drop") && error.chars().count() == 2000);
}
