//! A full queue: nobody else feels it, tickets give way, pages and decisions never do.

use super::home::{Home, due, lead, message, owing, state};
use super::on_both;
use crate::slo::model::Severity;
use crate::store::{Decisions, Options, OutboxFilter, OutboxPut, Status, Store};

on_both! {
    a_full_queue_is_felt_by_nobody_else_and_refuses_no_decision
    the_oldest_tickets_give_way_and_are_counted
    no_page_gives_way
    a_firing_gives_way_to_its_own_end
    the_end_of_a_told_ticket_gives_way_last
}

fn ticket(id: &str, incident: &str) -> OutboxPut {
    OutboxPut { severity: Severity::Ticket, ..message(id, incident, 7) }
}

fn end(put: OutboxPut) -> OutboxPut {
    OutboxPut { id: format!("{}-r", put.incident), event: "resolved".into(), ..put }
}

async fn full_at(home: &Home, rows: i64) -> (Store, i64) {
    let store = home.open_with(Options { outbox_rows: rows, ..Options::default() }).await;
    let epoch = lead(&store, 0).await;
    (store, epoch)
}

async fn ids(store: &Store, status: Status) -> Vec<String> {
    let filter = OutboxFilter { status: Some(status), ..OutboxFilter::default() };
    let rows = store.outbox(&filter, None, 1000).await.unwrap().items;
    rows.into_iter().rev().map(|row| row.id).collect()
}

async fn a_full_queue_is_felt_by_nobody_else_and_refuses_no_decision(home: &Home) {
    let (store, epoch) = full_at(home, 3).await;
    let dead =
        |n: i64| OutboxPut { receiver: "dead".into(), ..message(&format!("d{n}"), &format!("d{n}"), 0) };
    store.commit(epoch, &owing(&(0..10).map(dead).collect::<Vec<_>>())).await.unwrap();
    let fired = Decisions { states: vec![state("a", "1")], ..owing(&[message("page", "p", 0), dead(10)]) };
    store.commit(epoch, &fired).await.unwrap();
    assert_eq!(store.states().await.unwrap().len(), 1);
    assert_eq!(due(&store, 9).await, ["page"]);
    assert_eq!(store.due("dead", 9, 100).await.unwrap().len(), 11, "pages");
}

async fn the_oldest_tickets_give_way_and_are_counted(home: &Home) {
    let (store, epoch) = full_at(home, 3).await;
    let all: Vec<_> = (0..5).map(|n| ticket(&format!("t{n}"), &format!("t{n}"))).collect();
    store.commit(epoch, &owing(&all)).await.unwrap();
    assert_eq!(ids(&store, Status::Dead).await, ["t0", "t1"]);
    store.commit(epoch, &owing(&[message("page", "p", 8)])).await.unwrap();
    assert_eq!(ids(&store, Status::Dead).await, ["t0", "t1", "t2"]);
    assert_eq!(due(&store, 9).await, ["page", "t3", "t4"]);
    // A repeat of what was decided brings nothing back.
    store.commit(epoch, &owing(&all)).await.unwrap();
    assert_eq!(ids(&store, Status::Pending).await, ["t3", "t4", "page"]);
    let row = store.outbox_row("t2").await.unwrap().unwrap();
    assert!(row.last_error.unwrap().contains("make room") && row.finished_at == Some(8));
    let backlog = &store.backlog().await.unwrap()[0];
    assert_eq!((backlog.pending, backlog.dead, backlog.shed), (3, 3, 3));
    // The count outlives the rows.
    store.prune_outbox(epoch, 100).await.unwrap();
    assert_eq!(store.backlog().await.unwrap()[0].shed, 3);
}

async fn no_page_gives_way(home: &Home) {
    let (store, epoch) = full_at(home, 2).await;
    let all: Vec<_> = (0..4).map(|n| message(&format!("p{n}"), &format!("p{n}"), 0)).collect();
    store.commit(epoch, &owing(&all)).await.unwrap();
    store.commit(epoch, &owing(&[ticket("t", "t")])).await.unwrap();
    assert_eq!(ids(&store, Status::Pending).await, ["p0", "p1", "p2", "p3"]);
    assert_eq!(ids(&store, Status::Dead).await, ["t"]);
}

async fn a_firing_gives_way_to_its_own_end(home: &Home) {
    let (store, epoch) = full_at(home, 2).await;
    let page = |n: i64| message(&format!("p{n}"), &format!("p{n}"), 0);
    store
        .commit(epoch, &owing(&[page(0), page(1), ticket("t", "t"), end(page(0)), end(page(1))]))
        .await
        .unwrap();
    assert_eq!(ids(&store, Status::Pending).await, ["p0-r", "p1-r"]);
    assert_eq!(ids(&store, Status::Superseded).await, ["p0", "p1"]);
    assert_eq!(store.outbox_row("p1").await.unwrap().unwrap().superseded_by.as_deref(), Some("p1-r"));
}

async fn the_end_of_a_told_ticket_gives_way_last(home: &Home) {
    let (store, epoch) = full_at(home, 1).await;
    store.commit(epoch, &owing(&[ticket("told", "a")])).await.unwrap();
    store.delivered(epoch, "told", 8).await.unwrap();
    store.commit(epoch, &owing(&[end(ticket("told", "a")), ticket("t", "t")])).await.unwrap();
    assert_eq!(ids(&store, Status::Pending).await, ["a-r"]);
}
