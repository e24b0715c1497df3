//! Commits that fail, or seem to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::alert::{AlertKey, AlertState, Firing, Subject};
use crate::engine::step::Delta;
use crate::service::catchup::Debts;
use crate::service::decide::{decide, make_sure};
use crate::service::degraded::Doubt;
use crate::service::testing::{NOWHERE, Rig, slo};
use crate::slo::model::{Labels, Severity};
use crate::slo::time::Span;
use crate::store::{Decisions, StatePut};

#[tokio::test]
async fn what_was_committed_unseen_is_not_decided_a_second_time() {
    let mut rig = Rig::of(&slo("cart"), NOWHERE).await;
    // Blind for a minute.
    rig.tick().await;
    rig.tick().await;
    let before = rig.shared.world.read().control.clone();
    rig.tick().await;
    let told = rig.owed().await;
    assert_eq!(told.len(), 1, "{told:?}");

    // As after a commit whose answer did not come: the store has it, memory has not.
    rig.shared.world.write().control = before;
    *rig.shared.in_doubt.write() = Some(Doubt::default());
    assert_eq!(rig.tick().await.uncommitted, 0);
    assert_eq!(rig.owed().await, told, "no second incident");
    let key = AlertKey { subject: Subject::Blind { source: "local".into() }, severity: Severity::Ticket };
    let firing = rig.shared.world.read().control.get(&key).unwrap().firing.clone().unwrap();
    assert_eq!(firing.incident, told[0].1);
}

#[tokio::test]
async fn nothing_is_decided_until_it_is_known_what_became_of_the_last_commit() {
    let mut rig = Rig::of(&slo("cart"), NOWHERE).await;
    rig.tick().await;
    rig.shared.set_epoch(Some(rig.epoch + 1));
    assert!(rig.tick().await.uncommitted > 0);
    assert!(rig.shared.in_doubt.read().is_some());
    assert!(rig.tick().await.uncommitted > 0);
    assert_eq!(rig.owed().await, []);
    rig.shared.set_epoch(Some(rig.epoch));
    assert_eq!(rig.tick().await.uncommitted, 0);
    assert!(rig.shared.in_doubt.read().is_none());
    assert_eq!(rig.owed().await, [], "time that was not decided about does not count");
    rig.tick().await;
    assert_eq!(rig.owed().await.len(), 1);
}

#[tokio::test]
async fn alerts_of_an_slo_that_went_are_resolved_as_soon_as_the_store_takes_it() {
    let mut rig = Rig::of(&slo("cart"), NOWHERE).await;
    let key = AlertKey { subject: Subject::Unknown { slo: "shop/gone".into() }, severity: Severity::Ticket };
    let firing = Firing {
        incident: "i".into(),
        at: rig.at,
        labels: Labels::new(),
        annotations: Labels::new(),
        told: vec!["oncall".into()],
        targets: None,
        rules: vec![],
    };
    let state = AlertState { firing: Some(firing), ..AlertState::default() };
    let put = StatePut { key: key.to_text(), body: serde_json::to_string(&state).unwrap() };
    let states = Decisions { states: vec![put], ..Decisions::default() };
    rig.shared.store.commit(rig.epoch, &states).await.unwrap();
    rig.shared.world.write().control.put(key.clone(), state);

    // Its definition cannot be read: nobody removed it.
    let shared = Arc::clone(&rig.shared);
    let hold = |held: &[&str]| {
        let mut world = shared.world.write();
        Arc::make_mut(&mut world.plan).held = held.iter().map(|slo| (*slo).to_owned()).collect();
    };
    hold(&["shop/gone"]);
    rig.tick().await;
    assert!(rig.shared.world.read().control.get(&key).is_some());
    assert_eq!(rig.owed().await, []);

    hold(&[]);
    rig.shared.set_epoch(Some(rig.epoch + 1));
    assert!(rig.tick().await.uncommitted > 0);
    assert!(rig.shared.world.read().control.get(&key).is_some());
    rig.shared.set_epoch(Some(rig.epoch));
    rig.tick().await;
    assert!(rig.shared.world.read().control.get(&key).is_none());
    assert_eq!(rig.owed().await, [("resolved".to_owned(), "i".to_owned())]);
}

#[tokio::test]
async fn what_was_judged_by_a_commit_without_an_answer_is_not_judged_again() {
    let rig = Rig::of(&slo("cart"), NOWHERE).await;
    let shared = &rig.shared;
    let subject = Subject::Burn { slo: "shop/cart".into(), group: Labels::new() };
    let key = AlertKey { subject, severity: Severity::Page };
    // The end of an alert, and until when that was judged.
    let ended = Delta { changes: BTreeMap::from([(key, None)]), transitions: vec![] };
    let judged = |at| BTreeMap::from([("shop/cart".to_owned(), at)]);
    let before = rig.at.minus(Span::from_mins(5));
    decide(shared, &ended, judged(rig.at).into_iter().collect(), Debts::default()).await.unwrap();
    shared.world.write().judged = judged(before);
    *shared.in_doubt.write() = Some(Doubt::default());
    make_sure(shared).await.unwrap();
    assert_eq!(shared.world.read().judged, judged(rig.at));
    // Nothing was written of what was judged since.
    shared.world.write().judged = judged(rig.at.plus(Span::from_mins(1)));
    *shared.in_doubt.write() = Some(Doubt::default());
    make_sure(shared).await.unwrap();
    assert_eq!(shared.world.read().judged, judged(rig.at.plus(Span::from_mins(1))));
}
