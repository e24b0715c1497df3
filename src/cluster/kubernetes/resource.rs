//! Where objects of a kind are: what the API server serves, asked once and again when that was wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use super::api::{Api, Ask};
use crate::cluster::fault::Fault;

/// How long an answer is believed.
const BELIEVED: Duration = Duration::from_secs(300);
/// Kinds remembered at most.
const MOST: usize = 1000;

/// A kind that is served, with objects in namespaces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Resource {
    /// `/apis/apps/v1`
    base: String,
    /// `deployments`
    plural: String,
    /// Whether it has a scale subresource.
    pub(super) has_scale: bool,
}

impl Resource {
    pub(super) fn new(base: &str, plural: &str) -> Self {
        Self { base: base.to_owned(), plural: plural.to_owned(), has_scale: false }
    }

    /// `deployments`
    pub(super) fn plural(&self) -> &str {
        &self.plural
    }

    /// All of a namespace.
    pub(super) fn all(&self, namespace: &str) -> String {
        format!("{}/namespaces/{}/{}", self.base, segment(namespace), self.plural)
    }

    /// All of all namespaces.
    pub(super) fn everywhere(&self) -> String {
        format!("{}/{}", self.base, self.plural)
    }

    /// One.
    pub(super) fn one(&self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.all(namespace), segment(name))
    }
}

/// A text as one segment of a path or one value of a query.
pub(super) fn segment(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => safe.push(char::from(byte)),
            // Two dots would lead out of the path.
            b'.' if text != "." && text != ".." => safe.push('.'),
            _ => safe.push_str(&format!("%{byte:02X}")),
        }
    }
    safe
}

#[derive(Deserialize)]
struct ResourceList {
    #[serde(default)]
    resources: Vec<Served>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Served {
    name: String,
    kind: String,
    namespaced: bool,
}

type Known = HashMap<(String, String), (Instant, Option<Arc<Resource>>)>;

/// What is known of the kinds that were asked for.
#[derive(Default)]
pub(super) struct Resources(Mutex<Known>);

impl Resources {
    /// The resource of a kind; `None` where the API server has none such.
    pub(super) async fn find(
        &self,
        api: &Api,
        version: &str,
        kind: &str,
    ) -> Result<Option<Arc<Resource>>, Fault> {
        let key = (version.to_owned(), kind.to_owned());
        let known = self.lock().get(&key).filter(|(at, _)| at.elapsed() < BELIEVED).cloned();
        if let Some((_, found)) = known {
            return Ok(found);
        }
        let base = base(version)?;
        let list = match api.ask::<ResourceList>(&Ask::Get, &base).await {
            Ok(list) => list.resources,
            Err(fault) if fault.is_missing() => Vec::new(),
            Err(fault) => return Err(fault),
        };
        let found = read(&base, kind, &list).map(Arc::new);
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, (Instant::now(), found.clone()));
        Ok(found)
    }

    /// Forgets a kind, because what was believed of it proved wrong.
    pub(super) fn forget(&self, version: &str, kind: &str) {
        self.lock().remove(&(version.to_owned(), kind.to_owned()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `/apis/apps/v1` of `apps/v1`, `/api/v1` of `v1`.
fn base(version: &str) -> Result<String, Fault> {
    match version.split_once('/') {
        Some((group, version)) if !group.is_empty() && !version.is_empty() => {
            Ok(format!("/apis/{}/{}", segment(group), segment(version)))
        }
        None if !version.is_empty() => Ok(format!("/api/{}", segment(version))),
        _ => Err(Fault::refused(format!("{version:?} is no apiVersion; write one as apps/v1"))),
    }
}

fn read(base: &str, kind: &str, list: &[Served]) -> Option<Resource> {
    let served = list.iter().find(|r| r.kind == kind && r.namespaced && !r.name.contains('/'))?;
    let scale = format!("{}/scale", served.name);
    let has_scale = list.iter().any(|resource| resource.name == scale);
    Some(Resource { base: base.to_owned(), plural: served.name.clone(), has_scale })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_among_what_is_served() {
        // As kube-apiserver 1.20 answers `GET /apis/apps/v1`, shortened.
        let list: ResourceList = serde_json::from_value(serde_json::json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "apps/v1",
            "resources": [
                {"name": "daemonsets", "singularName": "", "namespaced": true, "kind": "DaemonSet", "verbs": ["get"]},
                {"name": "daemonsets/status", "singularName": "", "namespaced": true, "kind": "DaemonSet", "verbs": ["get"]},
                {"name": "deployments", "singularName": "", "namespaced": true, "kind": "Deployment",
                 "verbs": ["create", "get", "list", "patch", "watch"], "shortNames": ["deploy"]},
                {"name": "deployments/scale", "singularName": "", "namespaced": true, "group": "autoscaling",
                 "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"]},
            ],
        }))
        .unwrap();
        let found = |kind| read("/apis/apps/v1", kind, &list.resources);
        let deployment = found("Deployment").unwrap();
        assert!(deployment.has_scale && !found("DaemonSet").unwrap().has_scale);
        assert_eq!(deployment.one("shop", "checkout"), "/apis/apps/v1/namespaces/shop/deployments/checkout");
        assert_eq!((found("Scale"), found("Rollout")), (None, None));
    }

    #[test]
    fn no_name_leads_out_of_its_path() {
        let resource = Resource::new("/api/v1", "pods");
        assert_eq!(resource.one("a/b", ".."), "/api/v1/namespaces/a%2Fb/pods/%2E%2E");
        assert_eq!(base("v1").unwrap(), "/api/v1");
        assert_eq!(base("argoproj.io/v1alpha1").unwrap(), "/apis/argoproj.io/v1alpha1");
        for wrong in ["", "/v1", "apps/"] {
            assert!(base(wrong).is_err(), "{wrong}");
        }
        assert_eq!(base("apps/v1/../../x").unwrap(), "/apis/apps/v1%2F..%2F..%2Fx");
    }
}
