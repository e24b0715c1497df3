//! What becomes of a number in the cluster, and others who move it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::SOON;
use crate::support::kubernetes::Kubernetes;
use crate::support::kubernetes::client::{Client, Patch};
use crate::support::wait::pass;
use crate::support::wait_until;

const OFTEN: Duration = Duration::from_millis(50);

/// Every value that a number of an object had, and since when. Ends when dropped.
pub(super) struct Moves {
    name: String,
    seen: Arc<Mutex<Vec<(Instant, u64)>>>,
    task: JoinHandle<()>,
}

impl Moves {
    pub(super) fn of(kubernetes: &Kubernetes, path: &str, pointer: &'static str) -> Self {
        let seen = Arc::new(Mutex::new(Vec::<(Instant, u64)>::new()));
        let (client, own, kept) = (kubernetes.admin().clone(), path.to_owned(), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            loop {
                if let Some(now) = number(&client, &own, pointer).await {
                    let mut seen = kept.lock().unwrap();
                    if seen.last().is_none_or(|(_, last)| *last != now) {
                        seen.push((Instant::now(), now));
                    }
                }
                pass(OFTEN).await;
            }
        });
        Self { name: path.to_owned(), seen, task }
    }

    /// The values in order.
    pub(super) fn values(&self) -> Vec<u64> {
        self.seen.lock().unwrap().iter().map(|(_, value)| *value).collect()
    }

    /// Waits until it is `value` now.
    pub(super) async fn until(&self, value: u64) {
        let what = format!("{value} in {}", self.name);
        let is = async || (self.values().last() == Some(&value)).then_some(());
        wait_until(SOON, &what, is).await;
    }

    /// Waits until it is above `value`.
    pub(super) async fn until_above(&self, value: u64) {
        let what = format!("more than {value} in {}", self.name);
        let is = async || self.values().last().is_some_and(|last| *last > value).then_some(());
        wait_until(SOON, &what, is).await;
    }

    /// No move came sooner than allowed after the one before it.
    pub(super) fn kept(&self, up: Duration, down: Duration) {
        let seen = self.seen.lock().unwrap();
        // The first entry is no move.
        for moved in seen.get(..).unwrap_or_default().windows(3) {
            let cooldown = if moved[1].1 > moved[0].1 { up } else { down };
            let gap = moved[2].0 - moved[1].0;
            // It is seen a little late, the first of the two too.
            assert!(gap + 4 * OFTEN >= cooldown, "{}: {gap:?} in {seen:?}", self.name);
        }
    }
}

impl Drop for Moves {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn number(client: &Client, path: &str, pointer: &str) -> Option<u64> {
    let answer = client.try_get(path).await.ok().filter(|answer| answer.status.is_success())?;
    answer.body.pointer(pointer)?.as_u64()
}

/// Another writer that looks often and acts on what it sees. Ends when dropped.
pub(super) struct Other(JoinHandle<()>);

impl Other {
    /// A controller that keeps a count as it is written in Git.
    pub(super) fn keeps(
        kubernetes: &Kubernetes,
        path: &str,
        how: Patch,
        manager: &str,
        object: &Value,
    ) -> Self {
        let (client, path, object) = (kubernetes.admin().clone(), path.to_owned(), object.clone());
        let force = if how == Patch::Apply { "&force=true" } else { "" };
        let write = format!("{path}?fieldManager={manager}{force}");
        Self(tokio::spawn(async move {
            let wanted = object.pointer("/spec/replicas").and_then(Value::as_u64);
            loop {
                if number(&client, &path, "/spec/replicas").await != wanted {
                    let _ = client.try_patch(&write, how, &object).await;
                }
                pass(OFTEN * 10).await;
            }
        }))
    }

    /// The controller of a Rollout, whose pods are all ready at once.
    pub(super) fn rolls_out(kubernetes: &Kubernetes, path: &str) -> Self {
        let (client, path) = (kubernetes.admin().clone(), path.to_owned());
        Self(tokio::spawn(async move {
            loop {
                let wanted = number(&client, &path, "/spec/replicas").await;
                if wanted.is_some() && wanted != number(&client, &path, "/status/HPAReplicas").await {
                    let status = json!({"status": {"HPAReplicas": wanted, "selector": "app=canary"}});
                    let _ = client.try_patch(&format!("{path}/status"), Patch::Merge, &status).await;
                }
                pass(OFTEN).await;
            }
        }))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.0.abort();
    }
}
