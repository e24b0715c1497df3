//! Memory and outbox send the same message once.

use super::*;

/// A receiver that hangs until it is let.
#[derive(Default)]
struct Slow {
    ears: Ears,
    gate: Notify,
}

impl Receiver for Slow {
    fn deliver<'a>(&'a self, notice: &'a Notice, at: Ts) -> BoxFuture<'a, Outcome> {
        let outcome = self.ears.deliver(notice, at);
        Box::pin(async {
            self.gate.notified().await;
            outcome.await
        })
    }
}

const LIMIT: Duration = Duration::from_secs(20);

impl Ears {
    async fn heard(&self, what: &[&str]) {
        wait_until(LIMIT, "what is heard", async || *self.heard.read() == what).await;
    }
}

impl Night {
    /// Its outbox and its memory send to "main".
    fn outbox(&self, to: &Arc<Slow>) {
        let to: Arc<dyn Receiver> = Arc::clone(to) as Arc<dyn Receiver>;
        let outbox = crate::service::deliver::run(Arc::clone(&self.shared), "main".into(), to);
        self.shared.tasks.spawn(outbox);
    }

    fn memory(&self, to: &Arc<Slow>) {
        let (shared, to) = (Arc::clone(&self.shared), Arc::clone(to));
        self.shared.tasks.spawn(async move { deliver::look(&shared, "main", &*to).await });
    }

    async fn all_delivered(&self) {
        let all = async || self.rows("main").await.iter().all(|(_, status)| *status == Status::Delivered);
        wait_until(LIMIT, "all to be delivered", all).await;
    }
}

#[tokio::test]
async fn a_page_on_its_way_from_memory_is_not_sent_by_an_outbox_that_can_be_read_again() {
    for stored in [true, false] {
        let (night, memory, outbox) = (Night::begin().await, Arc::<Slow>::default(), Arc::<Slow>::default());
        if stored {
            assert!(night.tick(fires(Page, "p", 30)).await);
            night.degrade(fires(Ticket, "t", 60)).await;
            without_outbox(&night.shared, "main");
        } else {
            night.degrade(fires(Page, "p", 30)).await;
            assert!(night.tick(fires(Ticket, "t", 60)).await);
        }
        night.memory(&memory);
        memory.ears.heard(&["p-firing-main"]).await;
        night.find();
        recover(&night.shared).await.unwrap();
        night.outbox(&outbox);
        // Both are due, the page first.
        outbox.ears.heard(&["t-firing-main"]).await;
        outbox.gate.notify_one();
        memory.gate.notify_one();
        night.all_delivered().await;
        outbox.ears.heard(&["t-firing-main"]).await;
        assert_eq!(night.rows("main").await.len(), 2, "stored: {stored}");
    }
}

#[tokio::test]
async fn a_page_on_its_way_from_the_outbox_is_not_sent_from_memory_too_nor_after_it_was_taken() {
    let (night, outbox, memory) = (Night::begin().await, Arc::<Slow>::default(), Ears::default());
    assert!(night.tick(fires(Page, "p", 30)).await);
    night.outbox(&outbox);
    outbox.ears.heard(&["p-firing-main"]).await;
    night.degrade(fires(Ticket, "t", 60)).await;
    without_outbox(&night.shared, "main");
    assert_eq!(night.deliver("main", &memory).await, [""; 0], "on its way");
    outbox.gate.notify_one();
    let taken = async || night.shared.degraded.is_taken("p-firing-main");
    wait_until(LIMIT, "it to be taken", taken).await;
    assert_eq!(night.deliver("main", &memory).await, [""; 0], "taken, and not to be marked");
    night.find();
    recover(&night.shared).await.unwrap();
    assert_eq!(night.rows("main").await[0], row("p-firing-main", Status::Delivered));
}

#[tokio::test]
async fn a_page_that_waits_in_an_outbox_that_cannot_be_read_is_sent_from_memory() {
    let night = Night::begin().await;
    assert!(night.tick(fires(Page, "p", 30)).await);
    without_outbox(&night.shared, "main");
    assert_eq!(night.deliver("main", &Ears::default()).await, [""; 0], "its own loop sends it");
    night.degrade(fires(Ticket, "t", 60)).await;
    without_outbox(&night.shared, "main");
    assert_eq!(night.deliver("main", &Ears::default()).await, ["p-firing-main"]);
    without_outbox(&night.shared, "main");
    assert_eq!(night.deliver("main", &Ears::default()).await, [""; 0], "once");
    // A death does not forget it.
    night.find();
    let night = Box::pin(night.die()).await;
    assert_eq!(night.rows("main").await, [row("p-firing-main", Status::Delivered)]);
    assert_eq!(night.history().await, [line("p", "firing")]);
}

#[tokio::test]
async fn what_was_taken_from_the_outbox_or_is_over_is_not_sent_from_memory() {
    for over in [true, false] {
        let night = Night::begin().await;
        assert!(night.tick(fires(Page, "p", 30)).await);
        if over {
            assert!(night.tick(ends(Page, "p", 60)).await);
        } else {
            is_finished(&night.shared, "p-firing-main");
        }
        night.degrade(fires(Ticket, "t", 90)).await;
        without_outbox(&night.shared, "main");
        assert_eq!(night.deliver("main", &Ears::default()).await, [""; 0], "over: {over}");
    }
}
