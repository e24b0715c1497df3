//! Definitions, commands, history, and the schema.

use super::home::{Home, lead};
use super::on_both;
use crate::store::{Decisions, Document, HistoryPut, Options, Revision, Store, StoreError};

on_both! {
    accepted_definitions_come_back
    more_definitions_than_one_statement_takes_come_and_go_together
    commands_have_a_limit_and_an_order
    history_pages_and_is_pruned
    the_history_of_alerts_is_of_a_span_and_of_alerts_alone
    a_newer_schema_is_refused
    opening_again_changes_nothing
}

fn document(doc_id: &str, revision: i64) -> Document {
    Document {
        doc_id: doc_id.into(),
        revision,
        hash: format!("h{revision}"),
        text: "kind: ServiceLevelObjective\n".into(),
        file: "slos/a.yaml".into(),
        accepted_at: revision * 10,
    }
}

fn revision(number: i64) -> Revision {
    Revision { number, hash: format!("h{number}"), at: number * 10, summary: "1 changed".into() }
}

async fn accepted_definitions_come_back(home: &Home) {
    let (store, epoch) = home.lead().await;
    let command = store.put_command("reload", "{}", 1).await.unwrap();
    let other = store.put_command("reload", "{}", 2).await.unwrap();
    store.accept(epoch, &revision(1), &[document("a", 1), document("b", 1)], &[], &[]).await.unwrap();
    store.accept(epoch, &revision(2), &[document("a", 2)], &["b".into()], &[command]).await.unwrap();
    assert_eq!(store.documents().await.unwrap(), [document("a", 2)]);
    assert_eq!(store.revisions(10).await.unwrap(), [revision(2), revision(1)]);
    store.accept(epoch, &revision(1_500), &[], &[], &[]).await.unwrap();
    assert_eq!(store.revisions(10).await.unwrap(), [revision(1_500)]);
    assert!(matches!(
        store.accept(epoch - 1, &revision(3), &[], &[], &[other]).await,
        Err(StoreError::LostLease { .. })
    ));
    let waiting: Vec<i64> = store.commands(10).await.unwrap().iter().map(|command| command.id).collect();
    assert_eq!(waiting, [other], "one was carried out with a revision, the other's was refused");
}

async fn more_definitions_than_one_statement_takes_come_and_go_together(home: &Home) {
    let (store, epoch) = home.lead().await;
    let names: Vec<String> = (0..1_201).map(|n| format!("d{n:04}")).collect();
    let all = |revision: i64| names.iter().map(|name| document(name, revision)).collect::<Vec<_>>();
    store.accept(epoch, &revision(1), &all(1), &[], &[]).await.unwrap();
    assert_eq!(store.documents().await.unwrap(), all(1));
    store.accept(epoch, &revision(2), &all(2)[1_100..], &names[..1_100], &[]).await.unwrap();
    assert_eq!(store.documents().await.unwrap(), all(2)[1_100..]);
}

async fn commands_have_a_limit_and_an_order(home: &Home) {
    let store = home.open_with(Options { command_rows: 3, ..Options::default() }).await;
    let epoch = lead(&store, 0).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(store.put_command("silence", &format!("{{\"n\":{n}}}"), n).await.unwrap());
    }
    assert!(matches!(store.put_command("silence", "{}", 9).await, Err(StoreError::Full { limit: 3, .. })));
    let read: Vec<_> = store.commands(10).await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(read, ids);
    store
        .commit(epoch, &Decisions { commands_done: ids[..1].to_vec(), ..Decisions::default() })
        .await
        .unwrap();
    assert!(store.put_command("silence", "{}", 9).await.unwrap() > ids[2]);
}

async fn history_pages_and_is_pruned(home: &Home) {
    let (store, epoch) = home.lead().await;
    let line =
        |at| HistoryPut { at, kind: "alert".into(), subject: format!("s{}", at % 2), body: "{}".into() };
    store
        .commit(epoch, &Decisions { history: (0..10).map(line).collect(), ..Decisions::default() })
        .await
        .unwrap();
    let page = store.history(Some("s1"), None, 3).await.unwrap();
    assert_eq!(page.items.iter().map(|row| row.at).collect::<Vec<_>>(), [9, 7, 5]);
    let page = store.history(Some("s1"), page.next, 3).await.unwrap();
    assert_eq!(page.items.iter().map(|row| row.at).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(page.next, None);
    assert_eq!(store.prune_history(epoch, 8).await.unwrap(), 8);
    assert_eq!(store.history(None, None, 100).await.unwrap().items.len(), 2);
}

async fn the_history_of_alerts_is_of_a_span_and_of_alerts_alone(home: &Home) {
    let (store, epoch) = home.lead().await;
    assert_eq!(store.watched_since().await.unwrap(), None);
    let line = |at: i64| HistoryPut {
        at,
        kind: ["firing", "resolved", "missed", "scale"][usize::try_from(at % 4).unwrap()].into(),
        subject: format!("s{}", at % 2),
        body: "{}".into(),
    };
    store
        .commit(epoch, &Decisions { history: (0..12).map(line).collect(), ..Decisions::default() })
        .await
        .unwrap();
    let at = |page: &crate::store::Page<crate::store::HistoryRow>| {
        page.items.iter().map(|row| row.at).collect::<Vec<_>>()
    };
    let page = store.alert_history(None, (1, 9), None, 4).await.unwrap();
    assert_eq!(at(&page), [9, 8, 6, 5]);
    let page = store.alert_history(None, (1, 9), page.next, 4).await.unwrap();
    assert_eq!((at(&page), page.next), (vec![4, 2, 1], None));
    assert_eq!(at(&store.alert_history(Some("s1"), (0, 8), None, 9).await.unwrap()), [5, 1]);
    store.accept(epoch, &revision(3), &[], &[], &[]).await.unwrap();
    store.accept(epoch, &revision(4), &[], &[], &[]).await.unwrap();
    assert_eq!(store.watched_since().await.unwrap(), Some(30));
}

async fn a_newer_schema_is_refused(home: &Home) {
    let store = home.open().await;
    let newer = "insert into schema_version (version, name) values (99, '9.9.9')";
    match &store {
        Store::Sqlite(db) => drop(sqlx::raw_sql(newer).execute(&db.writer).await.unwrap()),
        Store::Postgres(db) => drop(sqlx::raw_sql(newer).execute(&db.writer).await.unwrap()),
    }
    store.close().await;
    let error = Store::open(&home.url, Options::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 99, known: 1..99, .. }), "{error}");
}

async fn opening_again_changes_nothing(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.close().await;
    let store = home.open().await;
    store.ping().await.unwrap();
    store.renew(epoch, 1, 1).await.unwrap();
}

/// Replicas that start together on an empty database.
#[tokio::test]
async fn replicas_migrate_one_after_the_other() {
    let home = Home::postgres();
    let (a, b, c) = tokio::join!(home.open(), home.open(), home.open());
    for store in [a, b, c] {
        store.ping().await.unwrap();
    }
}
