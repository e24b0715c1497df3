//! The watches that are needed: one for each kind in each namespace that a target or its autoscaler
//! is in, until nobody asks for it any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Api, Resource, Watch};

/// A watch that nobody asked for so long is ended.
const UNUSED: Duration = Duration::from_secs(600);
/// Watches at most, each a connection; what is beyond is asked for each time.
const MOST: usize = 500;

pub(in super::super) struct Watches {
    tasks: TaskTracker,
    stop: CancellationToken,
    held: Mutex<HashMap<String, Arc<Watch>>>,
}

impl Watches {
    pub(in super::super) fn new(tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self { tasks, stop, held: Mutex::default() }
    }

    /// The watch of a kind in a namespace.
    pub(in super::super) fn of(&self, api: &Arc<Api>, resource: &Resource, namespace: &str) -> Arc<Watch> {
        let key = resource.all(namespace);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = held.get(&key) {
            return Arc::clone(watch);
        }
        held.retain(|_, watch| watch.unused() < UNUSED);
        let tasks = (held.len() < MOST).then_some((&self.tasks, &self.stop));
        let watch = Arc::new(Watch::new(api, resource, namespace, tasks));
        if tasks.is_some() {
            held.insert(key, Arc::clone(&watch));
        }
        watch
    }
}
