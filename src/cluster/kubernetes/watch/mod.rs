//! What is known of the objects of one kind in one namespace, kept up to date by a watch.
//!
//! A watch can die without a sign: a connection whose other end is gone is merely silent. So what it
//! brought counts only while it is heard of, and a single object that a decision rests on is asked
//! for where the watch was silent for more than a few seconds.

mod all;
mod keep;
mod known;
mod lines;
mod list;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::DropGuard;

use super::api::{Api, Ask};
use super::object::Object;
use super::resource::Resource;
use crate::cluster::fault::Fault;
pub(super) use all::Watches;
use known::State;
pub(super) use list::list;

/// An object is asked for where nothing was heard of it for so long.
const FRESH: Duration = Duration::from_secs(5);
/// A list is asked for where nothing was heard for so long; the API server says once a minute that
/// nothing happened.
const HEARD: Duration = Duration::from_secs(75);
/// Objects of one kind in one namespace at most.
const MOST: usize = 20_000;

/// One kind in one namespace. Its task ends with it.
pub(super) struct Watch {
    kept: Arc<Kept>,
    _stop: Option<DropGuard>,
}

struct Kept {
    api: Arc<Api>,
    resource: Resource,
    namespace: String,
    state: Mutex<State>,
}

impl Watch {
    pub(super) fn new(
        api: &Arc<Api>,
        resource: &Resource,
        namespace: &str,
        tasks: Option<(&tokio_util::task::TaskTracker, &tokio_util::sync::CancellationToken)>,
    ) -> Self {
        let state = State::new();
        let kept = Arc::new(Kept {
            api: Arc::clone(api),
            resource: resource.clone(),
            namespace: namespace.to_owned(),
            state: Mutex::new(state),
        });
        let stop = tasks.map(|(tasks, stop)| {
            let stop = stop.child_token();
            let (kept, stopped) = (Arc::clone(&kept), stop.clone());
            tasks.spawn(async move { stopped.run_until_cancelled(kept.keep()).await });
            stop.drop_guard()
        });
        Self { kept, _stop: stop }
    }

    /// How long nobody asked.
    pub(super) fn unused(&self) -> Duration {
        self.kept.lock().used.elapsed()
    }

    /// All objects, as the watch has them while it is heard of, else asked for.
    pub(super) async fn all(&self) -> Result<Vec<Arc<Object>>, Fault> {
        {
            let mut state = self.kept.lock();
            state.used = Instant::now();
            if state.heard.is_some_and(|heard| heard.elapsed() < HEARD) {
                return Ok(state.items.values().map(|item| Arc::clone(&item.object)).collect());
            }
        }
        let (objects, _) = self.kept.list().await?;
        Ok(objects.into_iter().map(Arc::new).collect())
    }

    /// One object, not older than [`FRESH`].
    pub(super) async fn one(&self, name: &str) -> Result<Arc<Object>, Fault> {
        {
            let mut state = self.kept.lock();
            state.used = Instant::now();
            let heard = state.heard;
            let found = state.items.get(name).filter(|item| {
                let last = heard.max(heard.and(item.asked));
                !item.doubted && last.is_some_and(|last| last.elapsed() < FRESH)
            });
            if let Some(item) = found {
                return Ok(Arc::clone(&item.object));
            }
        }
        self.ask(name).await
    }

    /// One object, as it is now.
    pub(super) async fn ask(&self, name: &str) -> Result<Arc<Object>, Fault> {
        let path = self.kept.resource.one(&self.kept.namespace, name);
        let object = self.kept.api.ask::<Object>(&Ask::Get, &path).await?;
        Ok(self.kept.lock().take_in(object, Some(Instant::now())))
    }

    /// What is known of an object does not count any more: it was written to.
    pub(super) fn doubt(&self, name: &str) {
        if let Some(item) = self.kept.lock().items.get_mut(name) {
            item.doubted = true;
        }
    }
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self) -> String {
        self.resource.all(&self.namespace)
    }

    /// All objects and the version that a watch goes on from.
    async fn list(&self) -> Result<(Vec<Object>, String), Fault> {
        list(&self.api, &self.path(), &[]).await
    }
}
