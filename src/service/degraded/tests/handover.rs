//! What one replica told without the store, another one takes up.

use super::*;

/// One told a page without the store and handed it over once the store was back.
async fn handed_over(incident: &str) -> Night {
    let (night, ears) = (Night::begin().await, Ears::default());
    night.degrade(fires(Page, incident, 30)).await;
    night.deliver("main", &ears).await;
    night.find();
    super::super::hand_over(&night.shared).await;
    night
}

/// Takes up what was handed over, as the one that leads does.
async fn take_up(night: &Night) {
    super::super::handover::look(&night.shared).await.unwrap();
    super::super::take_over(&night.shared).await;
}

/// The folder of a container that is made anew is empty.
#[tokio::test]
async fn what_a_replica_told_is_handed_over_before_it_ends() {
    let night = handed_over("p").await;
    let night = Box::pin(night.die()).await;
    assert_eq!(night.fires(), None, "nothing is left in its folder");
    take_up(&night).await;
    assert_eq!(night.fires().as_deref(), Some("p"));
    assert_eq!(night.rows("main").await, [row("p-firing-main", Status::Delivered)]);
}

/// What it could hand over only in part it hands over once more.
#[tokio::test]
async fn what_is_handed_over_twice_is_taken_up_once() {
    let night = handed_over("p").await;
    for command in night.shared.store.commands(10).await.unwrap() {
        night.shared.store.put_command(&command.kind, &command.body, 0).await.unwrap();
    }
    let night = Box::pin(night.die()).await;
    take_up(&night).await;
    assert_eq!(night.fires().as_deref(), Some("p"));
    assert_eq!(night.history().await, [line("p", "firing")], "and no end");
    assert_eq!(night.rows("main").await, [row("p-firing-main", Status::Delivered)]);
}

/// Else the state of the incident that the store has would be that of the other one, and it would never end.
#[tokio::test]
async fn nothing_is_taken_over_while_it_is_in_doubt_what_the_store_has() {
    let night = handed_over("theirs").await;
    let night = Box::pin(night.die()).await;
    // The answer was lost, not the commit.
    assert!(night.tick(fires(Page, "own", 60)).await);
    night.shared.world.write().control = Default::default();
    *night.shared.in_doubt.write() =
        Some(super::super::Doubt { delta: fires(Page, "own", 60), ..super::super::Doubt::default() });
    for _ in 0..2 {
        take_up(&night).await;
        assert!(night.tick(Delta::default()).await);
        assert_eq!(night.fires().as_deref(), Some("own"));
    }
    let all = [line("own", "firing"), line("theirs", "firing"), line("theirs", "resolved")];
    assert_eq!(night.history().await, all);
}

#[tokio::test]
async fn a_process_that_cannot_write_what_was_told_says_that_it_is_degraded() {
    let night = Night::begin().await;
    night.degrade(fires(Page, "p", 30)).await;
    night.find();
    let Night { shared, folder } = night;
    Arc::into_inner(shared).unwrap().store.close().await;
    let night = Night::of(Box::pin(again(&folder, FALLBACK)).await, folder);
    night.lose();
    Box::pin(resume(&night.shared)).await.unwrap();
    assert!(night.shared.degraded.is_on());
    assert_eq!(night.shared.metrics.degraded.get(), 1);
}

#[tokio::test]
async fn what_a_replica_told_that_leads_no_more_the_leader_tells_the_end_of() {
    let (night, ears) = (Night::begin().await, Ears::default());
    night.degrade(fires(Page, "p", 30)).await;
    night.deliver("main", &ears).await;
    night.find();
    // It comes back as one that stands by.
    let Night { shared, folder } = night;
    let shared = Arc::into_inner(shared).unwrap();
    shared.store.close().await;
    drop(shared.degraded);
    let night = Night::of(Box::pin(again(&folder, FALLBACK)).await, folder);
    super::super::hand_over(&night.shared).await;
    assert_eq!(std::fs::read(night.folder.path().join("spill")).unwrap(), super::super::record::HEADER);
    // The one that leads.
    take_up(&night).await;
    assert_eq!(night.fires().as_deref(), Some("p"));
    assert!(night.shared.store.commands(10).await.unwrap().is_empty());
    assert_eq!(night.rows("main").await, [row("p-firing-main", Status::Delivered)]);
    assert!(night.tick(ends(Page, "p", 90)).await);
    assert_eq!(night.history().await, [line("p", "firing"), line("p", "resolved")]);
}
