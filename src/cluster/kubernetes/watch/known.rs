//! The objects that a watch knows of: what lists, events and answers make of them.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::super::object::Object;
use super::MOST;
use super::lines::Event;

pub(super) struct State {
    pub(super) items: HashMap<String, Item>,
    /// When the watch brought something last; `None` while there is none.
    pub(super) heard: Option<Instant>,
    pub(super) used: Instant,
}

pub(super) struct Item {
    pub(super) object: Arc<Object>,
    /// When it was asked for last.
    pub(super) asked: Option<Instant>,
    /// It was written to since; only an answer ends the doubt, since the watch may lag behind.
    pub(super) doubted: bool,
}

impl State {
    pub(super) fn new() -> Self {
        Self { items: HashMap::new(), heard: None, used: Instant::now() }
    }

    /// A whole list, asked for at `at`. What was written to meanwhile stays doubted: the list may be
    /// of before the write.
    pub(super) fn replace(&mut self, objects: Vec<Object>, at: Instant) {
        let mut before = std::mem::take(&mut self.items);
        for object in objects {
            let held = before.remove(&object.metadata.name).filter(|held| held.doubted);
            let name = object.metadata.name.clone();
            self.items.insert(name, Item { object: Arc::new(object), asked: None, doubted: held.is_some() });
        }
        self.heard = Some(at);
    }

    /// Why the watch goes no further, if so.
    pub(super) fn hear(&mut self, events: Vec<Event>, version: &mut String) -> Option<String> {
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
    pub(super) fn take_in(&mut self, object: Object, asked: Option<Instant>) -> Arc<Object> {
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

    fn replicas(state: &State, name: &str) -> Option<u32> {
        state.items.get(name)?.object.spec.as_ref()?.replicas
    }

    #[tokio::test]
    async fn events_move_what_is_known_and_where_the_next_watch_begins() {
        let (mut state, mut version) = (State::new(), "100".to_owned());
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
        let (mut state, mut version) = (State::new(), "9".to_owned());
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
        let (mut state, mut version) = (State::new(), "9".to_owned());
        state.replace(vec![object("a", "12", 3)], Instant::now());
        state.items.get_mut("a").unwrap().doubted = true;
        state.hear(vec![Event::Is(object("a", "13", 3))], &mut version);
        assert!(state.items["a"].doubted, "an event may be of before the write");
        state.replace(vec![object("a", "13", 3)], Instant::now());
        assert!(state.items["a"].doubted, "and so may a list");
        state.take_in(object("a", "14", 5), Some(Instant::now()));
        assert!(!state.items["a"].doubted);
    }
}
