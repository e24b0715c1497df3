//! Who Damper is in the cluster. One task logs in, before the login runs out again, and where requests
//! say that it is refused; no request waits for that, and at most one login is under way.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use kube::Client;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Clock;
use super::connect::{Session, connect};
use crate::cluster::fault::Fault;
use crate::cluster::settings::KubernetesSettings;

/// The first requests wait for the first login, since most take no time.
const FIRST: Duration = Duration::from_secs(2);
/// How often it is made anew at most, where requests say that it is refused.
const RENEW: Duration = Duration::from_secs(30);
/// Pauses after a login that failed.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// The login at a cluster, kept from the first request on.
pub(super) struct Login {
    kept: Arc<Kept>,
    tasks: TaskTracker,
    stop: CancellationToken,
    began: OnceLock<Instant>,
}

struct Kept {
    settings: KubernetesSettings,
    clock: Clock,
    now: watch::Sender<Now>,
    refused: Notify,
}

#[derive(Default)]
struct Now {
    /// The last one that was made.
    client: Option<Client>,
    /// Why there is no newer one.
    trouble: Option<String>,
}

impl Login {
    /// Nothing is done yet. Its task runs on `tasks` until `stop`.
    pub(super) fn new(
        settings: &KubernetesSettings,
        clock: Clock,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let now = watch::Sender::new(Now::default());
        let kept = Kept { settings: settings.clone(), clock, now, refused: Notify::new() };
        Self { kept: Arc::new(kept), tasks, stop, began: OnceLock::new() }
    }

    /// Waits for the first login, however long it takes.
    pub(super) async fn first(&self) -> Result<(), String> {
        self.begin();
        let mut now = self.kept.now.subscribe();
        let tried = now.wait_for(Now::is_known).await;
        let now = tried.map_err(|error| error.to_string())?;
        if now.client.is_some() { Ok(()) } else { Err(now.trouble.clone().unwrap_or_default()) }
    }

    /// The last login that was made; without one, why there is none.
    pub(super) async fn client(&self) -> Result<Client, Fault> {
        let end = self.begin() + FIRST;
        let mut now = self.kept.now.subscribe();
        let Ok(Ok(now)) = timeout_at(end, now.wait_for(Now::is_known)).await else {
            return Err(Fault::unreachable("Damper is still logging in at Kubernetes"));
        };
        let why = || Fault::unreachable(now.trouble.clone().unwrap_or_default());
        now.client.clone().ok_or_else(why)
    }

    /// A request was refused for its login, or had no answer: files it is made of may be others by now.
    pub(super) fn refused(&self) {
        self.kept.refused.notify_one();
    }

    /// Why there is no newer login, if so.
    pub(super) fn trouble(&self) -> Option<String> {
        self.kept.now.borrow().trouble.clone()
    }

    fn begin(&self) -> Instant {
        *self.began.get_or_init(|| {
            let (kept, stop) = (Arc::clone(&self.kept), self.stop.clone());
            self.tasks.spawn(async move { stop.run_until_cancelled(kept.keep()).await });
            Instant::now()
        })
    }
}

impl Now {
    const fn is_known(&self) -> bool {
        self.client.is_some() || self.trouble.is_some()
    }
}

impl Kept {
    async fn keep(&self) {
        let schedule = || {
            let pauses = ExponentialBuilder::new().with_min_delay(PAUSES.0).with_max_delay(PAUSES.1);
            pauses.without_max_times().with_jitter().build()
        };
        let mut pauses = schedule();
        loop {
            match connect(&self.settings, self.clock).await {
                Ok(Session { client, lasts }) => {
                    pauses = schedule();
                    let before = self.now.send_replace(Now { client: Some(client), trouble: None });
                    if before.trouble.is_some() {
                        tracing::info!("logged in at Kubernetes again");
                    }
                    self.is_over(lasts).await;
                }
                Err(why) => {
                    let pause = pauses.next().unwrap_or(PAUSES.1);
                    self.tell(why, pause);
                    sleep(pause).await;
                }
            }
        }
    }

    /// Until two thirds of it have passed, or it is refused.
    async fn is_over(&self, lasts: Option<Duration>) {
        let made = Instant::now();
        let refused = async {
            self.refused.notified().await;
            tokio::time::sleep_until(made + RENEW).await;
        };
        let Some(lasts) = lasts else { return refused.await };
        let end = (lasts * 2 / 3).max(PAUSES.0);
        tokio::select! {
            () = refused => {}
            () = sleep(end) => {}
        }
    }

    /// The same words are not repeated each minute.
    fn tell(&self, why: String, pause: Duration) {
        let before = self.now.borrow().trouble.clone();
        if before.as_ref() == Some(&why) {
            tracing::debug!(why, ?pause, "still no login at Kubernetes");
        } else {
            tracing::warn!(why, again = ?pause, "no login at Kubernetes; policies for it hold");
        }
        self.now.send_modify(|now| now.trouble = Some(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kubeconfig whose user runs a program; nothing listens at its cluster.
    fn kubeconfig(path: &std::path::Path, script: &str) {
        let text = format!(
            "{{apiVersion: v1, kind: Config, current-context: c, \
             clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:9'}}}}], \
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}], \
             users: [{{name: u, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, \
             command: /bin/sh, args: ['-c', '{script}']}}}}}}]}}"
        );
        std::fs::write(path, text).unwrap();
    }

    fn login(path: &std::path::Path) -> (Login, tokio_util::sync::DropGuard) {
        let settings = KubernetesSettings { kubeconfig: Some(path.to_owned()), context: None };
        let stop = CancellationToken::new();
        (
            Login::new(&settings, crate::service::clock::now, TaskTracker::new(), stop.clone()),
            stop.drop_guard(),
        )
    }

    #[tokio::test]
    async fn a_login_that_hangs_holds_no_request_and_is_under_way_once() {
        let dir = tempfile::tempdir().unwrap();
        let (path, calls) = (dir.path().join("config"), dir.path().join("calls"));
        kubeconfig(&path, &format!("echo x >> {}; exec sleep 1000", calls.display()));
        let (login, _stop) = login(&path);
        let began = Instant::now();
        for _ in 0..20 {
            let why = login.client().await.err().unwrap().to_string();
            assert!(why.contains("still logging in"), "{why}");
            login.refused();
        }
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        assert_eq!(std::fs::read_to_string(&calls).unwrap(), "x\n");
    }

    #[tokio::test]
    async fn a_login_that_failed_is_tried_again_and_its_reason_is_told_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        let (login, _stop) = login(&path);
        let why = login.first().await.unwrap_err();
        assert!(why.contains(&path.display().to_string()), "{why}");
        assert_eq!(login.client().await.err(), Some(Fault::unreachable(why)));
        kubeconfig(&path, r#"echo "{\"status\": {\"token\": \"x\"}}""#);
        let mut now = login.kept.now.subscribe();
        let made = now.wait_for(|now| now.client.is_some());
        tokio::time::timeout(Duration::from_secs(60), made).await.unwrap().unwrap();
        assert!(login.client().await.is_ok() && login.trouble().is_none());
    }

    #[tokio::test]
    async fn a_login_is_made_anew_before_it_runs_out() {
        let dir = tempfile::tempdir().unwrap();
        let (path, calls) = (dir.path().join("config"), dir.path().join("calls"));
        let until = crate::service::clock::now().plus(crate::slo::time::Span::from_secs(6));
        let until = until.to_datetime().unwrap().to_rfc3339();
        let answer = format!(r#"{{\"status\": {{\"token\": \"x\", \"expirationTimestamp\": \"{until}\"}}}}"#);
        kubeconfig(&path, &format!(r#"echo x >> {}; echo "{answer}""#, calls.display()));
        let (login, _stop) = login(&path);
        login.first().await.unwrap();
        let mut now = login.kept.now.subscribe();
        now.mark_unchanged();
        tokio::time::timeout(Duration::from_secs(60), now.changed()).await.unwrap().unwrap();
        assert!(std::fs::read_to_string(&calls).unwrap().lines().count() >= 2);
        assert!(login.client().await.is_ok());
    }
}
