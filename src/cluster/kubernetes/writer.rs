//! Who set a lever last, as far as the API tells.

use super::object::{Levers, Managed, Object};
use crate::engine::scale::{Writer, WriterKind};

/// What Damper calls itself to the API server.
pub(super) const MANAGER: &str = "damper";

/// Beginnings of the names of controllers that set what is written elsewhere.
const CONTROLLERS: [&str; 10] = [
    "argocd",
    "argo-cd",
    "flux",
    "kustomize-controller",
    "helm-controller",
    "gotk-",
    "keda-operator",
    "kube-controller-manager",
    "fleet",
    "configsync",
];

/// Whether a set of fields holds the lever.
pub(super) type Holds = fn(&Levers) -> bool;

pub(super) fn replicas(levers: &Levers) -> bool {
    levers.replicas.is_some()
}

pub(super) fn min_replicas(levers: &Levers) -> bool {
    levers.min_replicas.is_some()
}

pub(super) fn min_replica_count(levers: &Levers) -> bool {
    levers.min_replica_count.is_some()
}

/// The manager of the lever; of several that share it the latest.
pub(super) fn writer(object: &Object, holds: Holds) -> Option<Writer> {
    let held = |entry: &&Managed| {
        let levers = entry.fields.as_ref().and_then(|fields| fields.spec.as_ref());
        levers.is_some_and(holds)
    };
    let entries = object.metadata.managed_fields.as_ref()?.iter().filter(held);
    let (at, name) = entries.filter_map(|entry| Some((entry.time?.0, &entry.manager))).max()?;
    Some(Writer { name: name.clone(), kind: kind(name), at })
}

fn kind(name: &str) -> WriterKind {
    if name == MANAGER {
        return WriterKind::Damper;
    }
    let is_controller = CONTROLLERS.iter().any(|controller| name.starts_with(controller));
    if is_controller { WriterKind::Controller } else { WriterKind::Person }
}

/// What was seen of a lever at the last look, to notice a move that the API does not attribute:
/// Kubernetes before 1.21 leaves the former manager in place when a count is set through `/scale`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Attributed {
    position: u32,
    told: Option<Writer>,
    believed: Option<Writer>,
}

impl Attributed {
    /// The writer to believe in, with what to remember until the next look.
    pub(super) fn next(last: Option<&Self>, position: u32, told: Option<Writer>) -> Self {
        let believed = match last {
            Some(last) if last.told == told && last.position != position => None,
            Some(last) if last.told == told => last.believed.clone(),
            _ => told.clone(),
        };
        Self { position, told, believed }
    }

    pub(super) fn writer(&self) -> Option<Writer> {
        self.believed.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::slo::time::Ts;

    fn object(entries: Value) -> Object {
        serde_json::from_value(json!({"metadata": {"name": "x", "managedFields": entries}})).unwrap()
    }

    fn entry(manager: &str, time: &str, spec: Value) -> Value {
        json!({"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "time": time,
               "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": spec}})
    }

    #[test]
    fn the_latest_manager_of_the_lever_is_its_writer() {
        let object = object(json!([
            entry("kubectl-client-side-apply", "2026-05-28T20:00:00Z", json!({"f:replicas": {}})),
            entry("argocd-controller", "2026-05-28T20:26:40Z", json!({"f:replicas": {}, "f:template": {"f:x": {}}})),
            entry("kubectl-edit", "2026-05-28T21:00:00Z", json!({"f:template": {}})),
            {"manager": "kube-controller-manager", "operation": "Update", "time": "2026-05-28T22:00:00Z",
             "fieldsV1": {"f:status": {"f:replicas": {}}}},
        ]));
        let found = writer(&object, replicas).unwrap();
        assert_eq!((found.name.as_str(), found.kind), ("argocd-controller", WriterKind::Controller));
        assert_eq!(found.at, Ts(1_780_000_000));
        assert_eq!(writer(&object, min_replicas), None);
    }

    #[test]
    fn a_count_set_through_the_scale_subresource_has_its_writer() {
        // As Kubernetes writes it since 1.22, of `kubectl scale`.
        let mut scaled = entry("kubectl", "2026-05-28T20:26:40Z", json!({"f:replicas": {}}));
        scaled["subresource"] = json!("scale");
        let applied = entry("kubectl-client-side-apply", "2026-05-28T20:00:00Z", json!({"f:template": {}}));
        let found = writer(&object(json!([applied, scaled])), replicas).unwrap();
        assert_eq!((found.name.as_str(), found.kind), ("kubectl", WriterKind::Person));
    }

    #[test]
    fn kinds_of_writers_are_told_apart() {
        for name in
            ["argocd-application-controller", "kustomize-controller", "helm-controller", "flux-client"]
        {
            assert_eq!(kind(name), WriterKind::Controller, "{name}");
        }
        assert_eq!(kind("damper"), WriterKind::Damper);
        for name in ["kubectl", "kubectl-edit", "damper-clone", "Mozilla"] {
            assert_eq!(kind(name), WriterKind::Person, "{name}");
        }
    }

    #[test]
    fn a_move_without_a_new_manager_is_nobodys() {
        let told = |at| Some(Writer { name: "kubectl".into(), kind: WriterKind::Person, at: Ts(at) });
        let first = Attributed::next(None, 3, told(10));
        assert_eq!(first.writer(), told(10));
        let moved = Attributed::next(Some(&first), 5, told(10));
        assert_eq!(moved.writer(), None);
        assert_eq!(Attributed::next(Some(&moved), 5, told(10)).writer(), None, "and stays so");
        let attributed = Attributed::next(Some(&moved), 7, told(20));
        assert_eq!(attributed.writer(), told(20));
    }
}
