//! What is read of an object, whatever its kind. Everything else in it is dropped as it arrives, and
//! a field that is not what it is elsewhere (a custom resource may have its own ideas) is not there.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::selector::Selector;
use crate::slo::time::Ts;

pub(super) type Labels = BTreeMap<String, String>;

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Object {
    pub(super) metadata: Meta,
    #[serde(deserialize_with = "lenient")]
    pub(super) spec: Option<Spec>,
    #[serde(deserialize_with = "lenient")]
    pub(super) status: Option<Status>,
}

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) generation: i64,
    #[serde(deserialize_with = "lenient")]
    pub(super) creation_timestamp: Option<Time>,
    pub(super) annotations: Option<Labels>,
    pub(super) owner_references: Vec<Reference>,
    #[serde(deserialize_with = "lenient")]
    pub(super) managed_fields: Option<Vec<Managed>>,
}

/// Who set which of the fields that can be a lever, and when.
#[derive(Clone, Deserialize, Debug, PartialEq, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Managed {
    pub(super) manager: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) time: Option<Time>,
    #[serde(deserialize_with = "lenient", rename = "fieldsV1")]
    pub(super) fields: Option<Fields>,
}

#[derive(Clone, Deserialize, Debug, PartialEq, Default)]
#[serde(default)]
pub(super) struct Fields {
    #[serde(rename = "f:spec")]
    pub(super) spec: Option<Levers>,
}

#[derive(Clone, Deserialize, Debug, PartialEq, Default)]
#[serde(default)]
pub(super) struct Levers {
    #[serde(rename = "f:replicas")]
    pub(super) replicas: Option<IgnoredAny>,
    #[serde(rename = "f:minReplicas")]
    pub(super) min_replicas: Option<IgnoredAny>,
    #[serde(rename = "f:minReplicaCount")]
    pub(super) min_replica_count: Option<IgnoredAny>,
}

#[derive(Clone, Deserialize, Debug, Default, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Reference {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
}

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    // Workloads.
    #[serde(deserialize_with = "lenient")]
    pub(super) replicas: Option<u32>,
    #[serde(deserialize_with = "lenient")]
    pub(super) selector: Option<Selector>,
    #[serde(deserialize_with = "lenient")]
    pub(super) template: Option<Template>,
    #[serde(deserialize_with = "lenient")]
    pub(super) update_strategy: Option<UpdateStrategy>,
    // Autoscalers.
    #[serde(deserialize_with = "lenient")]
    pub(super) scale_target_ref: Option<Reference>,
    #[serde(deserialize_with = "lenient")]
    pub(super) min_replicas: Option<u32>,
    #[serde(deserialize_with = "lenient")]
    pub(super) max_replicas: Option<u32>,
    #[serde(deserialize_with = "lenient")]
    pub(super) min_replica_count: Option<u32>,
    #[serde(deserialize_with = "lenient")]
    pub(super) max_replica_count: Option<u32>,
    // Disruption budgets.
    #[serde(deserialize_with = "lenient")]
    pub(super) min_available: Option<Value>,
}

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(default)]
pub(super) struct Template {
    pub(super) metadata: Option<TemplateMeta>,
}

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(default)]
pub(super) struct TemplateMeta {
    pub(super) labels: Option<Labels>,
}

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UpdateStrategy {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) rolling_update: Option<RollingUpdate>,
}

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(default)]
pub(super) struct RollingUpdate {
    #[serde(deserialize_with = "lenient")]
    pub(super) partition: Option<u32>,
}

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Status {
    /// A text in Argo's Rollout.
    #[serde(deserialize_with = "number")]
    pub(super) observed_generation: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) replicas: Option<u32>,
    #[serde(deserialize_with = "lenient")]
    pub(super) ready_replicas: Option<u32>,
    #[serde(deserialize_with = "lenient")]
    pub(super) updated_replicas: Option<u32>,
    #[serde(deserialize_with = "lenient")]
    pub(super) current_revision: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) update_revision: Option<String>,
    /// A phase is what Argo's Rollout and pods have.
    #[serde(deserialize_with = "lenient")]
    pub(super) phase: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) conditions: Option<Vec<Condition>>,
    /// In the answer of a scale subresource: a selector as text.
    #[serde(deserialize_with = "lenient")]
    pub(super) selector: Option<String>,
}

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) last_update_time: Option<Time>,
}

/// A time as Kubernetes writes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Time(pub(super) Ts);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
        Ok(Self(Ts(at.timestamp())))
    }
}

impl Object {
    pub(super) fn annotation(&self, name: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(name).map(String::as_str)
    }

    /// Without what nobody here reads; annotations of others alone can be 256 KiB.
    pub(super) fn slim(mut self) -> Self {
        if let Some(annotations) = &mut self.metadata.annotations {
            let kept = ["damper.dev/", "deployment.kubernetes.io/", "autoscaling.keda.sh/paused"];
            annotations.retain(|name, _| kept.iter().any(|prefix| name.starts_with(prefix)));
        }
        if let Some(entries) = &mut self.metadata.managed_fields {
            entries.retain(|entry| entry.fields.as_ref().is_some_and(|fields| fields.spec.is_some()));
            entries.shrink_to_fit();
        }
        self
    }

    /// Whether it is a later version of the same object. Versions are numbers wherever etcd keeps them.
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        let version = |object: &Self| object.metadata.resource_version.parse::<u64>().ok();
        self.metadata.uid == other.metadata.uid && version(self) > version(other)
    }

    pub(super) fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.kind == kind)
    }

    /// Labels that its pods carry, as far as it says.
    pub(super) fn pod_labels(&self) -> Option<&Labels> {
        let spec = self.spec.as_ref()?;
        let template =
            spec.template.as_ref().and_then(|template| template.metadata.as_ref()?.labels.as_ref());
        template.or_else(|| spec.selector.as_ref().map(|selector| &selector.match_labels))
    }
}

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct List {
    #[serde(default)]
    pub(super) metadata: ListMeta,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) items: Vec<Object>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ListMeta {
    pub(super) resource_version: String,
    #[serde(rename = "continue")]
    pub(super) next: Option<String>,
}

fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(serde_json::from_value(value).ok())
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(value.as_i64().or_else(|| value.as_str()?.parse().ok()))
}
