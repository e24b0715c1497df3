//! One step's decisions: all or nothing, and twice is once.

use sqlx::Executor;
use tokio::time::Instant;

use super::home::{Home, due, message, state};
use super::on_both;
use crate::slo::model::Severity;
use crate::store::{Committed, Decisions, HistoryPut, JudgedPut, LevelPut, LevelState, Store, StoreError};

on_both! {
    everything_comes_back_after_a_restart
    the_same_decision_twice_owes_one_message
    what_is_not_committed_leaves_nothing
    a_failed_part_undoes_the_whole
    repeated_keys_in_one_commit_keep_the_last
    ten_thousand_states_in_one_commit
}

fn everything() -> Decisions {
    Decisions {
        states: vec![state("a", "1"), state("b", "2")],
        outbox: vec![message("m1", "i1", 5)],
        levels: vec![LevelPut {
            receiver: "am".into(),
            incident: "i1".into(),
            payload: "{}".into(),
            subject: "i1".into(),
            severity: Severity::Page,
            state: LevelState::Firing,
            since: 5,
            resend_until: 9,
        }],
        history: vec![HistoryPut { at: 5, kind: "alert".into(), subject: "s/a".into(), body: "{}".into() }],
        judged: vec![JudgedPut { slo: "s/a".into(), at: 5 }],
        ..Decisions::default()
    }
}

async fn everything_comes_back_after_a_restart(home: &Home) {
    let (store, epoch) = home.lead().await;
    let command = store.put_command("reload", "{}", 1).await.unwrap();
    let kept = store.put_command("silence", "{}", 2).await.unwrap();
    let decisions = Decisions { commands_done: vec![command], ..everything() };
    assert_eq!(store.commit(epoch, &decisions).await.unwrap(), Committed { new_outbox: 1 });
    let removal = Decisions { removed: vec!["a".into(), "never".into()], ..Decisions::default() };
    store.commit(epoch, &removal).await.unwrap();
    store.close().await;

    let store = home.open().await;
    assert_eq!(store.states().await.unwrap(), [("b".to_owned(), "2".to_owned())]);
    assert_eq!(due(&store, 5).await, ["m1"]);
    assert_eq!(store.levels_due("am", 9, 5, 0, 10).await.unwrap()[0].since, 5);
    assert_eq!(store.history(Some("s/a"), None, 10).await.unwrap().items[0].kind, "alert");
    assert_eq!(store.judged().await.unwrap(), [JudgedPut { slo: "s/a".into(), at: 5 }]);
    let waiting = store.commands(10).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].id, &*waiting[0].kind), (1, kept, "silence"));
}

async fn the_same_decision_twice_owes_one_message(home: &Home) {
    let (store, epoch) = home.lead().await;
    assert_eq!(store.commit(epoch, &everything()).await.unwrap().new_outbox, 1);
    assert!(store.delivered(epoch, "m1", 6).await.unwrap());
    // Decided again, as after a commit whose answer was lost: neither doubled nor brought back.
    assert_eq!(store.commit(epoch, &everything()).await.unwrap().new_outbox, 0);
    assert_eq!(due(&store, 100).await, [""; 0]);
    let mut twice = everything();
    twice.outbox = vec![message("m2", "i1", 5), message("m2", "i1", 5)];
    assert_eq!(store.commit(epoch, &twice).await.unwrap().new_outbox, 1);
}

async fn what_is_not_committed_leaves_nothing(home: &Home) {
    let (store, epoch) = home.lead().await;
    // A transaction cut off in the middle, as by a crash, and one cancelled from outside.
    match &store {
        Store::Sqlite(db) => {
            let mut tx = db.begin_under(epoch).await.unwrap();
            tx.execute("insert into states values ('half', '1')").await.unwrap();
        }
        Store::Postgres(db) => {
            let mut tx = db.begin_under(epoch).await.unwrap();
            tx.execute("insert into states values ('half', '1')").await.unwrap();
        }
    }
    let many =
        Decisions { states: (0..5000).map(|n| state(&n.to_string(), "x")).collect(), ..Decisions::default() };
    let cancelled =
        tokio::time::timeout(std::time::Duration::from_millis(3), store.commit(epoch, &many)).await;
    let rows = store.states().await.unwrap().len();
    assert!(rows == 0 || rows == 5000 && cancelled.is_ok(), "{rows} rows");
    // The connection is whole again.
    store.commit(epoch, &everything()).await.unwrap();
}

async fn a_failed_part_undoes_the_whole(home: &Home) {
    let (store, epoch) = home.lead().await;
    // The history comes after states and messages.
    let broken = "drop table history";
    match &store {
        Store::Sqlite(db) => drop(db.writer.execute(broken).await.unwrap()),
        Store::Postgres(db) => drop(db.writer.execute(broken).await.unwrap()),
    }
    let error = store.commit(epoch, &everything()).await.unwrap_err();
    assert!(matches!(error, StoreError::Database { .. }), "{error}");
    assert_eq!(store.states().await.unwrap(), []);
    assert_eq!(due(&store, 100).await, [""; 0]);
}

async fn repeated_keys_in_one_commit_keep_the_last(home: &Home) {
    let (store, epoch) = home.lead().await;
    let mut decisions = everything();
    decisions.states = vec![state("a", "old"), state("a", "new")];
    let mut again = decisions.levels[0].clone();
    again.payload = "new".into();
    decisions.judged.push(JudgedPut { slo: "s/a".into(), at: 6 });
    decisions.levels.push(again);
    store.commit(epoch, &decisions).await.unwrap();
    assert_eq!(store.states().await.unwrap()[0].1, "new");
    assert_eq!(store.levels_due("am", 9, 5, 0, 10).await.unwrap()[0].payload, "new");
    assert_eq!(store.judged().await.unwrap()[0].at, 6);
}

async fn ten_thousand_states_in_one_commit(home: &Home) {
    let (store, epoch) = home.lead().await;
    let body = "x".repeat(300);
    let states = |n: usize| Decisions {
        states: (0..n).map(|n| state(&format!("checkout/availability-{n}"), &body)).collect(),
        ..Decisions::default()
    };
    let all = states(10_000);
    for round in ["new", "overwritten"] {
        let begun = Instant::now();
        store.commit(epoch, &all).await.unwrap();
        println!(
            "{}: 10,000 states {round} in {:?}",
            if home.is_sqlite() { "SQLite" } else { "PostgreSQL" },
            begun.elapsed()
        );
    }
    assert_eq!(store.states().await.unwrap().len(), 10_000);
}
