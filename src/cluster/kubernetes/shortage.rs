//! Pods that a StatefulSet's controller does not make. Unlike a ReplicaSet's it says so in Events alone,
//! and some versions leave its status as it was: what remains is that nothing moves for long.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::health::Kind;
use super::object::Object;

/// A controller that goes on makes the next pod within seconds.
const LONG: Duration = Duration::from_secs(120);
/// Objects that are remembered at most.
const MOST: usize = 10_000;

/// Since when pods are missing, by object.
#[derive(Default)]
pub(super) struct Shortages(Mutex<HashMap<String, Instant>>);

impl Shortages {
    /// Why pods are missing, where they are for long. `key` names the object.
    pub(super) fn why(&self, key: &str, object: &Object, kind: Kind, wanted: u32) -> Option<String> {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(made) = all_serve(object).filter(|made| kind == Kind::StatefulSet && *made < wanted) else {
            since.remove(key);
            return None;
        };
        if since.len() >= MOST {
            since.clear();
        }
        let began = *since.entry(key.to_owned()).or_insert_with(Instant::now);
        (began.elapsed() >= LONG).then(|| {
            format!(
                "{made} of {wanted} pods are made and serve, and no more are made: its Events say why \
                 (a quota, or a webhook of the cluster that refuses them)"
            )
        })
    }
}

/// How many pods there are, if all of them serve: one that does not is what the next one waits for.
fn all_serve(object: &Object) -> Option<u32> {
    let status = object.status.as_ref()?;
    let made = status.replicas.unwrap_or_default();
    (status.ready_replicas.unwrap_or_default() == made).then_some(made)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::advance;

    use super::*;

    fn set(made: u32, ready: u32) -> Object {
        serde_json::from_value(json!({"status": {"replicas": made, "readyReplicas": ready}})).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stateful_set_whose_pods_are_not_made_for_long_is_short() {
        let short = Shortages::default();
        let why = |made, ready| short.why("queue", &set(made, ready), Kind::StatefulSet, 4);
        assert_eq!(why(2, 2), None, "the next one comes in a moment");
        advance(LONG).await;
        let said = why(2, 2).unwrap();
        assert!(said.starts_with("2 of 4 pods are made") && said.contains("quota"), "{said}");
        assert_eq!(short.why("queue", &set(2, 2), Kind::Deployment, 4), None, "which says so itself");
        assert_eq!(why(2, 2), None, "it is counted anew");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_that_starts_slowly_is_no_shortage() {
        let short = Shortages::default();
        let why = |made, ready| short.why("queue", &set(made, ready), Kind::StatefulSet, 4);
        for _ in 0..10 {
            assert_eq!(why(3, 2), None);
            advance(LONG).await;
        }
        assert_eq!(why(3, 3), None);
        advance(LONG / 2).await;
        assert_eq!(why(4, 3), None);
        advance(LONG).await;
        assert_eq!(why(4, 4), None);
    }
}
