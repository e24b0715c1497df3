//! Who is told what was owed to somebody else: the fallback, and whoever follows a removed receiver.

use std::collections::BTreeMap;

use crate::engine::notice::{Event, Notice};
use crate::service::clock;
use crate::service::fallback::look;
use crate::service::shared::Shared;
use crate::service::testing::{
    FALLBACK, messages, notice, owed_since, page, pair, pending, receivers, service,
};
use crate::settings::Settings;
use crate::slo::model::Severity;
use crate::store::Status;

const LEVEL_MAIN: &str = "
receivers:
  - {name: main, alertmanager: {urls: ['http://127.0.0.1:9/']}}
  - {name: other, webhook: {url: 'http://127.0.0.1:9/'}}
route: {receiver: main, fallback: other}
";
const WEBHOOK: &str = "
receivers: [{name: new, webhook: {url: 'http://127.0.0.1:9/'}}]
route: {receiver: new}
";
const ALERTMANAGER: &str = "
receivers: [{name: new, alertmanager: {urls: ['http://127.0.0.1:9/']}}]
route: {receiver: new}
";
const NOBODY: &str = "";

/// The same service after a restart with other receivers.
fn restarted(before: Shared, those: &str) -> Shared {
    let epoch = before.epoch();
    let settings = Settings::parse("damper.yaml", &receivers(those), [], &[]).unwrap();
    let after = Shared::new(settings, before.store, BTreeMap::new(), 0);
    after.set_epoch(epoch);
    after
}

/// Owed an hour ago.
async fn owed(shared: &Shared, notices: Vec<Notice>) {
    owed_since(shared, 3_600_000, notices).await;
}

#[tokio::test]
async fn a_page_that_could_not_be_handed_on_is_handed_on_at_the_next_look() {
    for settings in [FALLBACK, LEVEL_MAIN] {
        let (shared, _folder) = service(settings).await;
        owed(&shared, vec![page("main", Event::Firing)]).await;
        let epoch = shared.epoch();
        shared.set_epoch(Some(99));
        look(&shared).await.unwrap_err();
        shared.set_epoch(epoch);
        look(&shared).await.unwrap();
        look(&shared).await.unwrap();
        assert_eq!(pending(&shared, "other").await, [pair("p", "firing")]);
    }
}

#[tokio::test]
async fn any_number_of_overdue_tickets_hides_no_page_from_the_fallback() {
    for settings in [FALLBACK, LEVEL_MAIN] {
        let (shared, _folder) = service(settings).await;
        let ticket = |n: i32| notice("main", &format!("t{n}"), Severity::Ticket, Event::Firing);
        owed(&shared, (0..600).map(ticket).collect()).await;
        owed(&shared, vec![page("main", Event::Firing)]).await;
        look(&shared).await.unwrap();
        assert_eq!(pending(&shared, "other").await, [pair("p", "firing")]);
    }
}

#[tokio::test]
async fn what_a_removed_receiver_is_owed_is_told_to_the_route() {
    let (shared, _folder) = service(WEBHOOK).await;
    owed(&shared, vec![page("old", Event::Firing), page("old", Event::Resolved)]).await;
    look(&shared).await.unwrap();
    look(&shared).await.unwrap();
    assert_eq!(pending(&shared, "new").await, [pair("p", "firing"), pair("p", "resolved")]);
    let old = messages(&shared, "old").await;
    assert_eq!((old[0].status, old[1].status), (Status::Dead, Status::Superseded));
    let why = old[0].last_error.as_deref();
    assert_eq!(why, Some("the receiver `old` is no longer in the settings; `new` is told instead"));
}

#[tokio::test]
async fn what_the_route_was_told_itself_is_not_told_again() {
    let (shared, _folder) = service(WEBHOOK).await;
    owed(&shared, vec![page("new", Event::Firing), page("old", Event::Firing)]).await;
    shared.store.delivered(shared.epoch().unwrap(), "p-firing-new", 1).await.unwrap();
    look(&shared).await.unwrap();
    assert_eq!(pending(&shared, "new").await, []);
    let old = &messages(&shared, "old").await[0];
    assert_eq!((old.status, old.superseded_by.as_deref()), (Status::Superseded, Some("p-firing-new")));
}

/// An alert that goes on firing is announced to a receiver that is new in the route.
#[tokio::test]
async fn what_was_handed_over_is_not_told_again_by_the_next_step() {
    let (shared, _folder) = service(WEBHOOK).await;
    owed(&shared, vec![page("old", Event::Firing)]).await;
    look(&shared).await.unwrap();
    owed(&shared, vec![page("new", Event::Firing)]).await;
    look(&shared).await.unwrap();
    assert_eq!(pending(&shared, "new").await, [pair("p", "firing")]);
    owed(&shared, vec![page("old", Event::Resolved), page("new", Event::Resolved)]).await;
    look(&shared).await.unwrap();
    assert_eq!(pending(&shared, "new").await, [pair("p", "firing"), pair("p", "resolved")]);
    assert_eq!(pending(&shared, "old").await, []);
}

#[tokio::test]
async fn a_fallback_that_takes_the_place_of_another_one_is_told() {
    for settings in [FALLBACK, LEVEL_MAIN] {
        let (before, _folder) = service(&settings.replace("other", "former")).await;
        owed(&before, vec![page("main", Event::Firing)]).await;
        look(&before).await.unwrap();
        assert_eq!(pending(&before, "former").await, [pair("p", "firing")]);
        let after = restarted(before, settings);
        look(&after).await.unwrap();
        look(&after).await.unwrap();
        assert_eq!(pending(&after, "other").await, [pair("p", "firing")]);
        assert_eq!(pending(&after, "former").await, []);
    }
}

#[tokio::test]
async fn without_a_route_what_is_owed_is_given_up_with_the_reason() {
    let (shared, _folder) = service(NOBODY).await;
    owed(&shared, vec![page("old", Event::Firing)]).await;
    look(&shared).await.unwrap();
    let old = &messages(&shared, "old").await[0];
    assert_eq!(old.status, Status::Dead);
    assert!(old.last_error.as_ref().unwrap().contains("no route"), "{old:?}");
}

#[tokio::test]
async fn the_states_of_a_removed_alertmanager_are_told_to_whoever_follows() {
    for (receivers, is_level) in [(WEBHOOK, false), (ALERTMANAGER, true)] {
        let (before, folder) = service(
            "
receivers: [{name: old, alertmanager: {urls: ['http://127.0.0.1:9/']}}]
route: {receiver: old}
",
        )
        .await;
        owed(&before, vec![page("old", Event::Firing)]).await;
        let rows = before.store.levels_due("old", i64::MAX, 0, 0, 10).await.unwrap();
        let epoch = before.epoch().unwrap();
        before.store.levels_sent(epoch, &rows, clock::now_ms()).await.unwrap();

        let after = restarted(before, receivers);
        look(&after).await.unwrap();
        assert!(!after.store.has_level("old", "p").await.unwrap());
        // The end is decided for whom the beginning was told.
        owed(&after, vec![page("old", Event::Resolved)]).await;
        if is_level {
            let rows = after.store.levels_due("new", i64::MAX, 0, 0, 10).await.unwrap();
            assert_eq!(rows[0].state.as_str(), "firing");
            look(&after).await.unwrap();
            let rows = after.store.levels_due("new", i64::MAX, 0, 0, 10).await.unwrap();
            assert_eq!((rows.len(), rows[0].state.as_str()), (1, "resolved"));
        } else {
            look(&after).await.unwrap();
            assert_eq!(pending(&after, "new").await, [pair("p", "firing"), pair("p", "resolved")]);
        }
        drop(folder);
    }
}

/// The former one is still in the settings, and takes as little as the receiver itself.
#[tokio::test]
async fn a_stand_in_that_waits_itself_is_no_reason_not_to_tell_the_new_fallback() {
    for settings in [FALLBACK, LEVEL_MAIN] {
        for kind in ["webhook: {url: 'http://127.0.0.1:9/'}", "alertmanager: {urls: ['http://127.0.0.1:9/']}"]
        {
            let with_both =
                settings.replace("receivers:", &format!("receivers:\n  - {{name: former, {kind}}}"));
            let (before, _folder) = service(&with_both.replace("fallback: other", "fallback: former")).await;
            owed(&before, vec![page("main", Event::Firing)]).await;
            look(&before).await.unwrap();
            let waits = before.store.waited_for().await.unwrap();
            assert!(waits.contains(&"former".to_owned()), "{waits:?}");
            let after = restarted(before, &with_both);
            look(&after).await.unwrap();
            look(&after).await.unwrap();
            assert_eq!(pending(&after, "other").await, [pair("p", "firing")]);
        }
    }
}

#[tokio::test]
async fn what_was_given_up_is_owed_again_when_its_stand_in_is_removed() {
    for former in ["webhook: {url: 'http://127.0.0.1:9/'}", "alertmanager: {urls: ['http://127.0.0.1:9/']}"] {
        let settings = FALLBACK.replace("{name: other, webhook: {url: 'http://127.0.0.1:9/'}}", "OTHER");
        let settings = settings.replace("OTHER", &format!("{{name: former, {former}}}"));
        let (before, _folder) = service(&settings.replace("fallback: other", "fallback: former")).await;
        owed(&before, vec![page("main", Event::Firing)]).await;
        look(&before).await.unwrap();
        let epoch = before.epoch().unwrap();
        before.store.dead(epoch, "p-firing-main", 1, "404").await.unwrap();
        let after = restarted(before, FALLBACK);
        look(&after).await.unwrap();
        look(&after).await.unwrap();
        assert_eq!(pending(&after, "main").await, [pair("p", "firing")]);
        assert_eq!(pending(&after, "other").await, [pair("p", "firing")]);
        assert_eq!(after.store.waited_for().await.unwrap().len(), 2);
    }
}

/// The page was given up, its end was told: nothing fires any more.
#[tokio::test]
async fn no_page_is_owed_again_after_its_end_was_told() {
    let (before, _folder) = service(&FALLBACK.replace("other", "former")).await;
    owed(&before, vec![page("main", Event::Firing)]).await;
    look(&before).await.unwrap();
    let epoch = before.epoch().unwrap();
    before.store.dead(epoch, "p-firing-main", 1, "404").await.unwrap();
    owed(&before, vec![page("main", Event::Resolved)]).await;
    before.store.delivered(epoch, "p-resolved-main", 2).await.unwrap();
    let after = restarted(before, FALLBACK);
    look(&after).await.unwrap();
    look(&after).await.unwrap();
    assert_eq!(after.store.waited_for().await.unwrap(), [""; 0]);
}

/// The natural thing to do when `main` is down; what goes on firing is announced to whom it is new.
#[tokio::test]
async fn a_fallback_that_becomes_the_receiver_is_told_once() {
    let (before, _folder) = service(FALLBACK).await;
    owed(&before, vec![page("main", Event::Firing)]).await;
    look(&before).await.unwrap();
    let epoch = before.epoch().unwrap();
    let told = messages(&before, "other").await.remove(0);
    before.store.delivered(epoch, &told.id, 1).await.unwrap();
    let after = restarted(before, &FALLBACK.replace("main, fallback: other", "other"));
    owed(&after, vec![page("other", Event::Firing)]).await;
    look(&after).await.unwrap();
    assert_eq!(pending(&after, "other").await, []);
    owed(&after, vec![page("main", Event::Resolved), page("other", Event::Resolved)]).await;
    look(&after).await.unwrap();
    assert_eq!(pending(&after, "other").await, [pair("p", "resolved")]);
    assert_eq!(messages(&after, "other").await.len(), 2);
}

#[tokio::test]
async fn a_fallback_that_became_the_receiver_is_told_of_what_it_was_given_up_for() {
    let (before, _folder) = service(FALLBACK).await;
    owed(&before, vec![page("main", Event::Firing)]).await;
    look(&before).await.unwrap();
    let epoch = before.epoch().unwrap();
    let told = messages(&before, "other").await.remove(0);
    before.store.dead(epoch, &told.id, 1, "404").await.unwrap();
    look(&before).await.unwrap();
    assert_eq!(pending(&before, "other").await, [], "given up is given up");
    let after = restarted(before, &FALLBACK.replace("main, fallback: other", "other"));
    owed(&after, vec![page("other", Event::Firing)]).await;
    assert_eq!(pending(&after, "other").await, [pair("p", "firing")]);
}

#[tokio::test]
async fn a_receiver_that_becomes_the_fallback_is_told_once() {
    let (before, _folder) = service(&FALLBACK.replace("main, fallback: other", "other")).await;
    owed(&before, vec![page("other", Event::Firing)]).await;
    let epoch = before.epoch().unwrap();
    before.store.delivered(epoch, "p-firing-other", 1).await.unwrap();
    let after = restarted(before, FALLBACK);
    owed(&after, vec![page("main", Event::Firing)]).await;
    look(&after).await.unwrap();
    assert_eq!(pending(&after, "other").await, []);
    assert_eq!(
        after.store.overdue("main", "other", clock::now_ms(), 10).await.unwrap(),
        [],
        "or it never ends"
    );
    owed(&after, vec![page("main", Event::Resolved), page("other", Event::Resolved)]).await;
    look(&after).await.unwrap();
    assert_eq!(messages(&after, "other").await.len(), 2);
}

/// What is only shown: nobody waits for it, and nobody may take it for a page.
#[tokio::test]
async fn what_shadow_mode_shows_is_told_nobody_else() {
    let shown = |receiver: &str| Notice { shadow: true, ..page(receiver, Event::Firing) };
    for settings in [FALLBACK, LEVEL_MAIN] {
        let (shared, _folder) = service(settings).await;
        owed(&shared, vec![shown("main")]).await;
        look(&shared).await.unwrap();
        let epoch = shared.epoch().unwrap();
        crate::service::owed::owe_fallback(&shared, epoch, &[shown("main")]).await.unwrap();
        assert_eq!(messages(&shared, "other").await, []);
    }
    let (shared, _folder) = service(WEBHOOK).await;
    owed(&shared, vec![shown("old")]).await;
    look(&shared).await.unwrap();
    assert_eq!(messages(&shared, "new").await, []);
    let old = messages(&shared, "old").await;
    assert!(
        old[0].status == Status::Dead && old[0].last_error.as_ref().unwrap().contains("only shown"),
        "{old:?}"
    );
    // The same where it was a state.
    let (shared, _folder) = service(LEVEL_MAIN).await;
    owed(&shared, vec![shown("main")]).await;
    let shared = restarted(shared, WEBHOOK);
    look(&shared).await.unwrap();
    assert_eq!(messages(&shared, "new").await, []);
    assert!(!shared.store.has_level("main", "p").await.unwrap());
}
