//! When definitions are read: when their files change, on SIGHUP, when somebody says so at the API
//! of any replica, and every minute whatever else happens.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::asked::Asked;
use super::definitions::Definitions;
use super::shared::Shared;
use super::watch::Watch;

/// Files are read again at least this often, whatever events say.
const EVERY: Duration = Duration::from_secs(60);
/// How often it is looked for what was asked at another replica.
const LOOK: Duration = Duration::from_secs(2);
/// Events of one edit come in bursts; what they mean is looked at when they pause, or after a while.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_millis(600);

/// Runs until shutdown.
pub(super) async fn run(shared: Arc<Shared>, mut definitions: Definitions, mut watch: Watch) {
    let mut clock = Clock::start();
    loop {
        let read = tokio::select! {
            () = shared.shutdown.cancelled() => return,
            () = shared.reload_wake.notified() => { pause(&shared).await; true }
            tick = clock.tick() => match tick {
                Tick::Minute => true,
                Tick::Look => Asked::read(&shared).await.is_ok_and(|asked| !asked.is_empty()),
            },
            read = definitions.due(&shared) => read,
        };
        if read {
            watch.refresh(&shared.settings.definitions);
            definitions.read(&shared).await;
        }
    }
}

/// What comes by itself. No event starts it anew, or many events would keep it from ever coming.
struct Clock {
    every: Interval,
    look: Interval,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tick {
    /// A minute has passed.
    Minute,
    /// Time to look for what was asked elsewhere.
    Look,
}

impl Clock {
    fn start() -> Self {
        let [every, look] = [EVERY, LOOK].map(|period| {
            let mut interval = interval_at(Instant::now() + period, period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        Self { every, look }
    }

    async fn tick(&mut self) -> Tick {
        tokio::select! {
            _ = self.every.tick() => Tick::Minute,
            _ = self.look.tick() => Tick::Look,
        }
    }
}

/// Waits until events pause.
async fn pause(shared: &Shared) {
    let end = Instant::now() + LONGEST;
    while Instant::now() < end {
        let quiet = (Instant::now() + PAUSE).min(end);
        if tokio::time::timeout_at(quiet, shared.reload_wake.notified()).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::service::asked::ACCEPT;
    use crate::service::clock;
    use crate::service::survey::survey;
    use crate::service::testing::{Service, wait_until};

    /// Runs the reload loop and what measures the sources, until the service is dropped.
    async fn run_loops(service: &Service) {
        let (survey, surveyor) = survey();
        let watch = Watch::start(&service.shared);
        let definitions = Definitions::start(&service.shared, survey).await.unwrap();
        service.shared.tasks.spawn(surveyor.run(Arc::clone(&service.shared)));
        service.shared.tasks.spawn(run(Arc::clone(&service.shared), definitions, watch));
    }

    #[tokio::test]
    async fn an_edit_is_live_at_once_while_the_sources_do_not_answer() {
        // It takes connections, and says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Service::asking(silent.local_addr().unwrap()).await;
        service.slo("one", "99.9");
        run_loops(&service).await;
        let (asking, _) = silent.accept().await.unwrap();
        service.slo("one", "99");
        let live = async || service.objectives() == ["99%"];
        wait_until(Duration::from_secs(2), "the edit to be live", live).await;
        drop(asking);
    }

    #[tokio::test]
    async fn what_was_asked_at_another_replica_is_found() {
        let service = Service::start().await;
        for name in ["a", "b", "c", "d"] {
            service.slo(name, "99.9");
        }
        run_loops(&service).await;
        for name in ["a", "b", "c", "d"] {
            service.remove(name);
        }
        let waits = async || service.shared.definitions.read().waiting_for_accept.len() == 4;
        wait_until(Duration::from_secs(10), "the removal to wait", waits).await;
        // Only the store tells of it.
        service.shared.store.put_command(ACCEPT, "{}", clock::now_ms()).await.unwrap();
        let gone = async || service.objectives().is_empty();
        wait_until(Duration::from_secs(10), "the removal", gone).await;
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_never_end_keep_no_minute_from_coming() {
        let mut clock = Clock::start();
        let begin = Instant::now();
        loop {
            tokio::select! {
                tick = clock.tick() => if tick == Tick::Minute { break },
                () = tokio::time::sleep(Duration::from_millis(700)) => {}
            }
            assert!(begin.elapsed() < EVERY * 2, "the minute never comes");
        }
    }
}
