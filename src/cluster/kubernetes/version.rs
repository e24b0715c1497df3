//! The newest version of a workload, and when it began to be rolled out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::api::{Api, Ask};
use super::health::Kind;
use super::object::Object;
use super::resource::Resource;
use super::watch::list;
use crate::cluster::fault::Fault;
use crate::engine::scale::Version;
use crate::slo::time::Ts;

const REVISION: &str = "deployment.kubernetes.io/revision";
/// Earlier revisions that were the same: it was gone back to.
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
const APPS: &str = "/apis/apps/v1";
/// Workloads remembered at most.
const MOST: usize = 10_000;

/// When revisions began, which never changes once known.
#[derive(Default)]
pub(super) struct Versions(Mutex<HashMap<String, Version>>);

impl Versions {
    /// `None` where the kind has no revisions, or when one began may not be asked: that only costs
    /// the suspicion.
    pub(super) async fn of(&self, api: &Api, object: &Object, kind: Kind) -> Result<Option<Version>, Fault> {
        let Some(name) = name(object, kind) else { return Ok(None) };
        let known = |versions: &HashMap<String, Version>| versions.get(&object.metadata.uid).cloned();
        if let Some(known) = known(&self.lock()).filter(|known| known.name == name) {
            return Ok(Some(known));
        }
        let since = match kind {
            Kind::Deployment => deployment(api, object).await,
            _ => stateful_set(api, object).await,
        };
        let since = Fault::known(since, "when the newest version began")?.flatten();
        let Some(version) = since.map(|since| Version { since, name }) else { return Ok(None) };
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(object.metadata.uid.clone(), version.clone());
        Ok(Some(version))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Version>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(object: &Object, kind: Kind) -> Option<String> {
    let revision = match kind {
        Kind::Deployment => object.annotation(REVISION),
        Kind::StatefulSet => object.status.as_ref()?.update_revision.as_deref(),
        Kind::Other => None,
    };
    revision.map(|revision| format!("revision {revision}"))
}

async fn deployment(api: &Api, object: &Object) -> Result<Option<Ts>, Fault> {
    let selector = object.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let selector = selector.map(|selector| selector.to_query()).unwrap_or_default();
    let sets = Resource::new(APPS, "replicasets").all(&object.metadata.namespace);
    let (sets, _) = list(api, &sets, &[("labelSelector", &selector)]).await?;
    Ok(began(object, &sets))
}

/// When the replica set of the newest revision was made; of one that was gone back to, when the
/// Deployment last said how far it is.
fn began(object: &Object, sets: &[Object]) -> Option<Ts> {
    let revision = object.annotation(REVISION)?;
    let ours = |set: &&Object| {
        let owners = &set.metadata.owner_references;
        owners.iter().any(|owner| owner.kind == "Deployment" && owner.name == object.metadata.name)
    };
    let set = sets.iter().filter(ours).find(|set| set.annotation(REVISION) == Some(revision))?;
    let made = set.metadata.creation_timestamp?.0;
    let progress = object.condition("Progressing").and_then(|condition| Some(condition.last_update_time?.0));
    let is_back = set.annotation(HISTORY).is_some();
    Some(progress.filter(|_| is_back).map_or(made, |progress| progress.max(made)))
}

async fn stateful_set(api: &Api, object: &Object) -> Result<Option<Ts>, Fault> {
    let revision = object.status.as_ref().and_then(|status| status.update_revision.as_ref());
    let Some(revision) = revision else { return Ok(None) };
    let path = Resource::new(APPS, "controllerrevisions").one(&object.metadata.namespace, revision);
    let found = api.ask::<Object>(&Ask::Get, &path).await?;
    Ok(found.metadata.creation_timestamp.map(|made| made.0))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn deployment(revision: &str) -> Object {
        serde_json::from_value(json!({
            "metadata": {"name": "checkout", "annotations": {REVISION: revision}},
            "status": {"conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
                "lastUpdateTime": "2026-05-28T20:26:40Z"}]},
        }))
        .unwrap()
    }

    fn set(owner: &str, annotations: Value, made: &str) -> Object {
        serde_json::from_value(json!({"metadata": {
            "name": "set", "annotations": annotations, "creationTimestamp": made,
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": owner, "controller": true}],
        }}))
        .unwrap()
    }

    #[test]
    fn a_version_began_when_its_replica_set_was_made() {
        let sets = [
            set("other", json!({REVISION: "2"}), "2026-05-28T22:00:00Z"),
            set("checkout", json!({REVISION: "1"}), "2026-05-28T19:00:00Z"),
            set("checkout", json!({REVISION: "2"}), "2026-05-28T20:20:00Z"),
        ];
        assert_eq!(began(&deployment("2"), &sets), Some(Ts(1_779_999_600)));
        assert_eq!(began(&deployment("3"), &sets), None);
    }

    #[test]
    fn a_version_that_was_gone_back_to_is_as_old_as_the_going_back() {
        let back = json!({REVISION: "3", HISTORY: "1"});
        let sets = [set("checkout", back, "2026-05-01T00:00:00Z")];
        assert_eq!(began(&deployment("3"), &sets), Some(Ts(1_780_000_000)));
    }
}
