//! What is known of the objects of one kind in one namespace, kept up to date by a watch.
//!
//! A watch can die without a sign: a connection whose other end is gone is merely silent. So what it
//! brought counts only while it is heard of, and a single object that a decision rests on is asked
//! for where the watch was silent for more than a few seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};
use tokio_util::sync::DropGuard;

use super::api::{Api, Ask};
use super::lines::{Event, Lines};
use super::object::{List, Object};
use super::resource::{Resource, segment};
use crate::cluster::fault::Fault;

/// An object is asked for where nothing was heard of it for so long.
const FRESH: Duration = Duration::from_secs(5);
/// A list is asked for where nothing was heard for so long; the API server says once a minute that
/// nothing happened.
const HEARD: Duration = Duration::from_secs(75);
/// A silent watch is given up.
const SILENT: Duration = Duration::from_secs(100);
/// Longest wait for a watch to begin.
const OPEN: Duration = Duration::from_secs(10);
/// How long the API server lets a watch last.
const LASTS: u32 = 300;
const PAGE: usize = 500;
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

struct State {
    items: HashMap<String, Item>,
    /// When the watch brought something last; `None` while there is none.
    heard: Option<Instant>,
    used: Instant,
}

struct Item {
    object: Arc<Object>,
    /// When it was asked for last.
    asked: Option<Instant>,
    /// It was written to since; only an answer ends the doubt, since the watch may lag behind.
    doubted: bool,
}

enum End {
    /// As announced: the next begins where it ended.
    Over(String),
    /// What it would begin at is too old, or it broke.
    Broken(String),
}

impl Watch {
    pub(super) fn new(
        api: &Arc<Api>,
        resource: &Resource,
        namespace: &str,
        tasks: Option<(&tokio_util::task::TaskTracker, &tokio_util::sync::CancellationToken)>,
    ) -> Self {
        let state = State { items: HashMap::new(), heard: None, used: Instant::now() };
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

    /// Watches, again and again with growing pauses.
    async fn keep(&self) {
        let schedule = || {
            ExponentialBuilder::new()
                .with_min_delay(Duration::from_secs(1))
                .with_max_delay(Duration::from_secs(60))
                .without_max_times()
                .with_jitter()
                .build()
        };
        let mut pauses = schedule();
        loop {
            let began = Instant::now();
            let why = match self.list().await {
                Ok((objects, version)) => {
                    self.lock().replace(objects, began);
                    self.follow(version).await
                }
                Err(fault) => fault.to_string(),
            };
            self.lock().heard = None;
            if began.elapsed() > SILENT {
                pauses = schedule();
            }
            let pause = pauses.next().unwrap_or(Duration::from_secs(60));
            tracing::debug!(
                path = self.path(),
                why,
                ?pause,
                "a watch ended; its objects are asked for until it is back"
            );
            tokio::time::sleep(pause).await;
        }
    }

    /// Watch after watch, each from where the one before ended; returns why that goes no further.
    async fn follow(&self, mut version: String) -> String {
        loop {
            match self.watch(version).await {
                End::Over(reached) => version = reached,
                End::Broken(why) => return why,
            }
        }
    }

    async fn watch(&self, mut version: String) -> End {
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={LASTS}&resourceVersion={}",
            self.path(),
            segment(&version)
        );
        let began = Instant::now();
        let answer = match timeout(OPEN, self.api.open(&Ask::Get, &path)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(fault)) => return End::Broken(fault.to_string()),
            Err(_) => return End::Broken(format!("it did not begin within {OPEN:?}")),
        };
        let (mut body, mut lines) = (answer.into_body(), Lines::default());
        loop {
            let frame = match timeout(SILENT, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return End::Broken(crate::http::told(&error)),
                // One that ends at once would be begun again without a pause.
                Ok(None) if began.elapsed() < OPEN => return End::Broken("it ended at once".to_owned()),
                Ok(None) => return End::Over(version),
                Err(_) => return End::Broken(format!("it was silent for {SILENT:?}")),
            };
            let Ok(bytes) = frame.into_data() else { continue };
            let events = match lines.push(&bytes) {
                Ok(events) => events,
                Err(why) => return End::Broken(why),
            };
            if let Some(why) = self.lock().hear(events, &mut version) {
                return End::Broken(why);
            }
        }
    }

    /// All objects and the version that a watch goes on from.
    async fn list(&self) -> Result<(Vec<Object>, String), Fault> {
        list(&self.api, &self.path(), &[]).await
    }
}

/// All objects at a path that a query selects, page by page, with the version they are of.
pub(super) async fn list(
    api: &Api,
    path: &str,
    query: &[(&str, &str)],
) -> Result<(Vec<Object>, String), Fault> {
    let query: String = query.iter().map(|(name, value)| format!("&{name}={}", segment(value))).collect();
    let mut objects = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let from = next.map(|next| format!("&continue={}", segment(&next))).unwrap_or_default();
        let page: List = api.ask(&Ask::Get, &format!("{path}?limit={PAGE}{query}{from}")).await?;
        objects.extend(page.items.into_iter().map(Object::slim));
        if objects.len() > MOST {
            return Err(Fault::refused(format!(
                "{path} holds more than {MOST} objects, which is too many to watch"
            )));
        }
        match page.metadata.next.filter(|next| !next.is_empty()) {
            Some(token) => next = Some(token),
            None => return Ok((objects, page.metadata.resource_version)),
        }
    }
}

impl State {
    fn replace(&mut self, objects: Vec<Object>, at: Instant) {
        let item = |object: Object| {
            (object.metadata.name.clone(), Item { object: Arc::new(object), asked: None, doubted: false })
        };
        self.items = objects.into_iter().map(item).collect();
        self.heard = Some(at);
    }

    /// Why the watch goes no further, if so.
    fn hear(&mut self, events: Vec<Event>, version: &mut String) -> Option<String> {
        for event in events {
            match event {
                Event::Is(object) => {
                    version.clone_from(&object.metadata.resource_version);
                    self.take_in(object, None);
                    if self.items.len() > MOST {
                        return Some(format!("there are more than {MOST} objects"));
                    }
                }
                Event::Gone(object) => {
                    version.clone_from(&object.metadata.resource_version);
                    self.items.remove(&object.metadata.name);
                }
                Event::Bookmark(reached) => *version = reached,
                Event::Error(code) => return Some(format!("the API server ended it with {code}")),
            }
            self.heard = Some(Instant::now());
        }
        None
    }

    /// Keeps the newer one: what was asked for may be ahead of the watch.
    fn take_in(&mut self, object: Object, asked: Option<Instant>) -> Arc<Object> {
        let object = object.slim();
        let name = object.metadata.name.clone();
        let held = self.items.get(&name);
        let doubted = asked.is_none() && held.is_some_and(|held| held.doubted);
        let newer = held.filter(|held| held.object.is_newer_than(&object));
        let object = newer.map_or_else(|| Arc::new(object), |held| Arc::clone(&held.object));
        self.items.insert(name, Item { object: Arc::clone(&object), asked, doubted });
        object
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, version: &str, replicas: u32) -> Object {
        let meta = json!({"name": name, "uid": "u", "resourceVersion": version});
        serde_json::from_value(json!({"metadata": meta, "spec": {"replicas": replicas}})).unwrap()
    }

    fn state() -> State {
        State { items: HashMap::new(), heard: None, used: Instant::now() }
    }

    fn replicas(state: &State, name: &str) -> Option<u32> {
        state.items.get(name)?.object.spec.as_ref()?.replicas
    }

    #[tokio::test]
    async fn events_move_what_is_known_and_where_the_next_watch_begins() {
        let (mut state, mut version) = (state(), "100".to_owned());
        state.replace(vec![object("a", "90", 1), object("b", "95", 1)], Instant::now());
        let events = vec![
            Event::Is(object("a", "101", 2)),
            Event::Gone(object("b", "102", 1)),
            Event::Is(object("c", "103", 7)),
            Event::Bookmark("200".into()),
        ];
        assert_eq!(state.hear(events, &mut version), None);
        assert_eq!(
            (replicas(&state, "a"), replicas(&state, "b"), replicas(&state, "c")),
            (Some(2), None, Some(7))
        );
        assert_eq!(version, "200");
        assert!(state.hear(vec![Event::Error(410)], &mut version).unwrap().contains("410"));
    }

    #[tokio::test]
    async fn an_older_event_does_not_undo_what_was_asked_for() {
        let (mut state, mut version) = (state(), "9".to_owned());
        state.take_in(object("a", "12", 5), Some(Instant::now()));
        state.hear(vec![Event::Is(object("a", "11", 3))], &mut version);
        assert_eq!(replicas(&state, "a"), Some(5));
        let mut other = object("a", "3", 1);
        other.metadata.uid = "made anew".into();
        state.hear(vec![Event::Is(other)], &mut version);
        assert_eq!(replicas(&state, "a"), Some(1), "another object of the same name");
    }

    #[tokio::test]
    async fn what_was_written_to_is_asked_for_though_the_watch_is_heard_of() {
        let (mut state, mut version) = (state(), "9".to_owned());
        state.replace(vec![object("a", "12", 3)], Instant::now());
        state.items.get_mut("a").unwrap().doubted = true;
        state.hear(vec![Event::Is(object("a", "13", 3))], &mut version);
        assert!(state.items["a"].doubted, "an event may be of before the write");
        state.take_in(object("a", "14", 5), Some(Instant::now()));
        assert!(!state.items["a"].doubted);
    }
}
