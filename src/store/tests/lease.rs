//! Who leads, and what a leader that was replaced can still do: nothing.

use super::home::{Home, due, message, owing, state};
use super::on_both;
use crate::store::{Decisions, Lease, StoreError};

on_both! {
    each_takeover_has_a_higher_epoch
    a_stale_leader_writes_nothing
    a_released_epoch_is_void
}

async fn each_takeover_has_a_higher_epoch(home: &Home) {
    let store = home.open().await;
    assert_eq!(store.acquire("a", 1_000, 500).await.unwrap(), Lease::Acquired { epoch: 1 });
    if home.is_sqlite() {
        // The file's lock proves that the holder is gone.
        assert_eq!(store.acquire("b", 1_100, 500).await.unwrap(), Lease::Acquired { epoch: 2 });
        return;
    }
    let held = Lease::HeldBy { holder: "a".into(), until_ms: 1_500 };
    assert_eq!(store.acquire("b", 1_499, 500).await.unwrap(), held);
    store.renew(1, 1_400, 500).await.unwrap();
    assert!(matches!(store.acquire("b", 1_899, 500).await.unwrap(), Lease::HeldBy { .. }));
    assert_eq!(store.acquire("b", 1_900, 500).await.unwrap(), Lease::Acquired { epoch: 2 });
    assert!(matches!(store.renew(1, 1_901, 500).await, Err(StoreError::LostLease { .. })));
    // The same name can only be a dead predecessor's.
    assert_eq!(store.acquire("b", 1_902, 500).await.unwrap(), Lease::Acquired { epoch: 3 });
}

async fn a_stale_leader_writes_nothing(home: &Home) {
    let (store, old) = home.lead().await;
    store.commit(old, &owing(&[message("m1", "i1", 0)])).await.unwrap();
    let new = super::home::lead(&store, 1_000_000).await;

    let late = Decisions {
        removed: vec!["x".into()],
        states: vec![state("slo", "{}")],
        outbox: vec![message("m2", "i2", 0)],
        ..Decisions::default()
    };
    let error = store.commit(old, &late).await.unwrap_err();
    assert!(matches!(error, StoreError::LostLease { .. }) && !error.is_retryable(), "{error}");
    for refused in [
        store.delivered(old, "m1", 5).await.map(drop),
        store.failed(old, "m1", 1, 9, "no").await.map(drop),
        store.dead(old, "m1", 5, "no").await.map(drop),
        store.append_slices(old, &[], &[]).await,
        store.prune_outbox(old, 99).await.map(drop),
        store.release(old).await,
    ] {
        assert!(matches!(refused, Err(StoreError::LostLease { .. })), "{refused:?}");
    }
    assert_eq!(due(&store, 0).await, ["m1"]);
    assert_eq!(store.states().await.unwrap(), []);
    // The new leader is not disturbed.
    store.commit(new, &late).await.unwrap();
    assert_eq!(due(&store, 0).await, ["m1", "m2"]);
}

async fn a_released_epoch_is_void(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.release(epoch).await.unwrap();
    assert!(matches!(store.commit(epoch, &Decisions::default()).await, Err(StoreError::LostLease { .. })));
    let Lease::Acquired { epoch: next } = store.acquire("b", 1, 500).await.unwrap() else { panic!("free") };
    assert!(next > epoch);
}

/// Two replicas on one server: every transaction either belongs to the leader of the moment or fails.
#[tokio::test]
async fn two_replicas_never_both_commit_under_one_reign() {
    let home = Home::postgres();
    let (a, b) = (home.open().await, home.open().await);
    let mut written = Vec::new();
    for round in 0..20_i64 {
        let now = round * 100;
        let (leader, other) = if round % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let Lease::Acquired { epoch } = leader.acquire("x", now, 100).await.unwrap() else { panic!("ended") };
        let put =
            |by: i64| Decisions { states: vec![state("last", &by.to_string())], ..Decisions::default() };
        // The leader of this round and the one of the round before, at the same time.
        let (put_new, put_old) = (put(epoch), put(epoch - 1));
        let (new, old) = tokio::join!(leader.commit(epoch, &put_new), other.commit(epoch - 1, &put_old));
        new.unwrap();
        assert!(matches!(old, Err(StoreError::LostLease { .. })));
        written.push(other.states().await.unwrap()[0].1.clone());
    }
    let expected: Vec<_> = (1..=20).map(|epoch| epoch.to_string()).collect();
    assert_eq!(written, expected);
}
