//! What becomes of messages of the outbox.

use futures_util::future::BoxFuture;

use super::super::fallback::look;
use super::*;
use crate::notify::Reason;
use crate::service::testing::{FALLBACK, messages, notice, owed_since, page, pair, pending, service};
use crate::slo::time::Ts;
use crate::store::Status;

struct Refuses;

impl Receiver for Refuses {
    fn deliver<'a>(&'a self, _: &'a Notice, _: Ts) -> BoxFuture<'a, Outcome> {
        Box::pin(async { Outcome::permanent(Reason::ClientError, "404") })
    }
}

struct IsDown;

impl Receiver for IsDown {
    fn deliver<'a>(&'a self, _: &'a Notice, _: Ts) -> BoxFuture<'a, Outcome> {
        Box::pin(async { Outcome::retry(Reason::ServerError, "503") })
    }
}

fn queue(shared: Shared) -> Queue {
    Queue::new(Arc::new(shared), "main".into(), Arc::new(Refuses))
}

#[tokio::test]
async fn what_is_refused_is_tried_again_and_of_a_page_the_fallback_is_told_at_once() {
    let (shared, _folder) = service(FALLBACK).await;
    let ticket = notice("main", "t", Severity::Ticket, Event::Firing);
    let end = notice("main", "e", Severity::Page, Event::Resolved);
    owed_since(&shared, 0, vec![page("main", Event::Firing), ticket, end]).await;
    let queue = queue(shared);
    queue.drain().await.unwrap();
    for row in messages(&queue.shared, "main").await {
        assert!(row.attempts >= 1 && row.status == Status::Pending, "{row:?}");
    }
    assert_eq!(pending(&queue.shared, "other").await, [pair("p", "firing")]);
}

/// As a receiver does that was out of reach for long and is being deployed when it comes back.
#[tokio::test]
async fn only_what_is_refused_for_an_hour_from_its_first_refusal_on_is_given_up() {
    let (shared, _folder) = service(FALLBACK).await;
    owed_since(&shared, 2 * 3_600_000, vec![page("main", Event::Firing)]).await;
    let mut queue = queue(shared);
    assert_eq!(tried(&queue).await, Status::Pending);
    assert_eq!(pending(&queue.shared, "other").await, [pair("p", "firing")]);
    refused_for_long(&queue);
    queue.receiver = Arc::new(IsDown);
    assert_eq!(tried(&queue).await, Status::Pending);
    queue.receiver = Arc::new(Refuses);
    assert_eq!(tried(&queue).await, Status::Pending, "it was away in between");
    refused_for_long(&queue);
    assert_eq!(tried(&queue).await, Status::Dead);
    assert!(queue.refused.read().is_empty());
}

/// An hour ahead, when the attempt failed.
#[tokio::test]
async fn what_a_clock_put_off_that_has_gone_back_is_not_put_off() {
    let (shared, _folder) = service(FALLBACK).await;
    owed_since(&shared, 0, vec![page("main", Event::Firing)]).await;
    let mut queue = queue(shared);
    queue.receiver = Arc::new(IsDown);
    queue.drain().await.unwrap();
    let epoch = queue.shared.epoch().unwrap();
    let attempts = async |queue: &Queue| messages(&queue.shared, "main").await[0].attempts;
    for restart in [false, true] {
        let before = attempts(&queue).await;
        let ahead = clock::now_ms() + 3_600_000;
        queue.shared.store.failed(epoch, "p-firing-main", before, ahead, "503").await.unwrap();
        queue.drain().await.unwrap();
        assert_eq!(attempts(&queue).await, before, "it may have been asked for");
        *queue.seen.write() = (!restart).then(|| (ahead, Instant::now()));
        queue.drain().await.unwrap();
        assert_eq!(attempts(&queue).await, before + 1, "restart: {restart}");
    }
}

#[tokio::test]
async fn what_is_sent_again_by_hand_has_its_time_again() {
    for receiver in [Arc::new(Refuses) as Arc<dyn Receiver>, Arc::new(IsDown)] {
        let (shared, _folder) = service(FALLBACK).await;
        owed_since(&shared, FAILED_FOR_MS + 1000, vec![page("main", Event::Firing)]).await;
        let epoch = shared.epoch().unwrap();
        shared.store.dead(epoch, "p-firing-main", 1, "given up").await.unwrap();
        shared.store.resend(epoch, "p-firing-main", clock::now_ms()).await.unwrap();
        let mut queue = queue(shared);
        queue.receiver = receiver;
        for _ in 0..5 {
            assert_eq!(tried(&queue).await, Status::Pending);
        }
    }
}

#[tokio::test]
async fn what_fails_for_days_is_given_up() {
    let (shared, _folder) = service(FALLBACK).await;
    owed_since(&shared, FAILED_FOR_MS + 1000, vec![page("main", Event::Firing)]).await;
    let epoch = shared.epoch().unwrap();
    shared.store.failed(epoch, "p-firing-main", LEAST_ATTEMPTS, 0, "503").await.unwrap();
    let mut queue = queue(shared);
    queue.receiver = Arc::new(IsDown);
    assert_eq!(tried(&queue).await, Status::Dead);
    assert_eq!(pending(&queue.shared, "other").await, [pair("p", "firing")]);
}

/// Also when its end was told already and somebody sends the page again by hand.
#[tokio::test]
async fn of_a_page_that_is_over_when_it_is_refused_nobody_else_is_told() {
    let (shared, _folder) = service(FALLBACK).await;
    owed_since(&shared, 0, vec![page("main", Event::Firing), page("main", Event::Resolved)]).await;
    let queue = queue(shared);
    assert_eq!(tried(&queue).await, Status::Pending);
    look(&queue.shared).await.unwrap();
    let epoch = queue.shared.epoch().unwrap();
    queue.shared.store.delivered(epoch, "p-resolved-main", 1).await.unwrap();
    assert_eq!(tried(&queue).await, Status::Pending);
    look(&queue.shared).await.unwrap();
    assert_eq!(messages(&queue.shared, "other").await, []);
}

/// Where the page stands after one more attempt.
async fn tried(queue: &Queue) -> Status {
    let row = messages(&queue.shared, "main").await.remove(0);
    let recovered = queue.shared.degraded.recovered();
    queue.send(queue.shared.epoch().unwrap(), &row, recovered).await.unwrap();
    messages(&queue.shared, "main").await[0].status
}

fn refused_for_long(queue: &Queue) {
    let since = Instant::now().checked_sub(REFUSED_FOR + Duration::from_secs(1)).unwrap();
    *queue.refused.write().get_mut("p-firing-main").unwrap() = since;
}
