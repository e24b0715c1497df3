//! Who owns the replica count: nobody, or an autoscaler whose floor is moved instead.

use std::sync::Arc;

use super::object::{Object, Reference};
use super::writer::{Holds, min_replica_count, min_replicas};
use crate::cluster::fault::Fault;

/// What an autoscaler is, and where its floor is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scaler {
    /// `HorizontalPodAutoscaler`
    Hpa,
    /// KEDA's `ScaledObject`
    ScaledObject,
}

impl Scaler {
    pub(super) const ALL: [Self; 2] = [Self::Hpa, Self::ScaledObject];

    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Hpa => "HorizontalPodAutoscaler",
            Self::ScaledObject => "ScaledObject",
        }
    }

    /// Served by every version since long, with the floor under the same name.
    pub(super) const fn version(self) -> &'static str {
        match self {
            Self::Hpa => "autoscaling/v1",
            Self::ScaledObject => "keda.sh/v1alpha1",
        }
    }

    /// Where the floor is written.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Hpa => "/spec/minReplicas",
            Self::ScaledObject => "/spec/minReplicaCount",
        }
    }

    pub(super) fn holds(self) -> Holds {
        match self {
            Self::Hpa => min_replicas,
            Self::ScaledObject => min_replica_count,
        }
    }

    /// The floor as written.
    pub(super) fn written(self, object: &Object) -> Option<u32> {
        let spec = object.spec.as_ref()?;
        match self {
            Self::Hpa => spec.min_replicas,
            Self::ScaledObject => spec.min_replica_count,
        }
    }

    /// Where the floor is; what it is when it is not written.
    pub(super) fn floor(self, object: &Object) -> u32 {
        let absent = match self {
            Self::Hpa => 1,
            Self::ScaledObject => 0,
        };
        self.written(object).unwrap_or(absent)
    }

    pub(super) fn most(self, object: &Object) -> u32 {
        let spec = object.spec.as_ref();
        match self {
            Self::Hpa => spec.and_then(|spec| spec.max_replicas).unwrap_or(1),
            Self::ScaledObject => spec.and_then(|spec| spec.max_replica_count).unwrap_or(100),
        }
    }

    /// `HorizontalPodAutoscaler checkout`
    pub(super) fn named(self, name: &str) -> String {
        format!("{} {name}", self.kind())
    }
}

/// The autoscaler of a workload. Of two, neither's floor may be moved: they fight already.
pub(super) fn owner(
    target: &Reference,
    hpas: &[Arc<Object>],
    scaled_objects: &[Arc<Object>],
) -> Result<Option<(Scaler, Arc<Object>)>, Fault> {
    let ours = |object: &&Arc<Object>| {
        let aimed = object.spec.as_ref().and_then(|spec| spec.scale_target_ref.as_ref());
        aimed.is_some_and(|aimed| is_same(aimed, target))
    };
    let scaled: Vec<_> = scaled_objects.iter().filter(ours).collect();
    // KEDA makes an HPA of its own, which it puts back when somebody edits it.
    let own = |hpa: &&Arc<Object>| {
        of_keda(hpa).is_none_or(|name| !scaled.iter().any(|scaled| scaled.metadata.name == name))
    };
    let found = scaled.iter().map(|object| (Scaler::ScaledObject, Arc::clone(object)));
    let found = found.chain(hpas.iter().filter(ours).filter(own).map(|hpa| (Scaler::Hpa, Arc::clone(hpa))));
    let mut found: Vec<_> = found.collect();
    if let [(first, one), (second, other), ..] = found.as_slice() {
        let (one, other) = (first.named(&one.metadata.name), second.named(&other.metadata.name));
        return Err(Fault::refused(format!(
            "{one} and {other} both scale {} {}: they fight over it, so Damper leaves it alone; remove one",
            target.kind, target.name
        )));
    }
    let found = found.pop();
    if let Some((Scaler::Hpa, hpa)) = &found
        && let Some(name) = of_keda(hpa)
    {
        return Err(Fault::refused(format!(
            "{} belongs to ScaledObject {name}, which was not found for {} {}: its scaleTargetRef may be wrong",
            Scaler::Hpa.named(&hpa.metadata.name),
            target.kind,
            target.name
        )));
    }
    Ok(found)
}

/// The ScaledObject that an HPA was made for.
pub(super) fn of_keda(hpa: &Object) -> Option<&str> {
    let owners = &hpa.metadata.owner_references;
    owners.iter().find(|owner| owner.kind == "ScaledObject").map(|owner| owner.name.as_str())
}

/// Same kind and name, in any version of the same group. KEDA may leave out kind and version.
fn is_same(aimed: &Reference, target: &Reference) -> bool {
    let kind = if aimed.kind.is_empty() { "Deployment" } else { &aimed.kind };
    aimed.name == target.name
        && kind == target.kind
        && group(&aimed.api_version) == group(&target.api_version)
}

fn group(version: &str) -> &str {
    match version.split_once('/') {
        // Where Deployments were once.
        Some(("extensions", _)) => "apps",
        Some((group, _)) => group,
        None if version.is_empty() => "apps",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn target() -> Reference {
        Reference { api_version: "apps/v1".into(), kind: "Deployment".into(), name: "checkout".into() }
    }

    fn hpa(name: &str, aimed: Value, owners: Value) -> Arc<Object> {
        Arc::new(
            serde_json::from_value(json!({
                "metadata": {"name": name, "ownerReferences": owners},
                "spec": {"scaleTargetRef": aimed, "minReplicas": 2, "maxReplicas": 10},
            }))
            .unwrap(),
        )
    }

    fn aimed(version: &str, kind: &str, name: &str) -> Value {
        json!({"apiVersion": version, "kind": kind, "name": name})
    }

    fn scaled(name: &str, aimed: Value) -> Arc<Object> {
        let written = json!({"metadata": {"name": name}, "spec": {"scaleTargetRef": aimed}});
        Arc::new(serde_json::from_value(written).unwrap())
    }

    fn of(name: &str) -> Value {
        json!([{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": name, "uid": "u"}])
    }

    fn found(hpas: &[Arc<Object>], scaled: &[Arc<Object>]) -> Result<Option<String>, String> {
        let found = owner(&target(), hpas, scaled).map_err(|fault| fault.to_string())?;
        Ok(found.map(|(scaler, object)| scaler.named(&object.metadata.name)))
    }

    #[test]
    fn an_hpa_owns_what_it_aims_at() {
        let ours = hpa("a", aimed("apps/v1", "Deployment", "checkout"), json!([]));
        assert_eq!(found(&[], &[]), Ok(None));
        assert_eq!(found(&[Arc::clone(&ours)], &[]), Ok(Some("HorizontalPodAutoscaler a".into())));
        assert_eq!((Scaler::Hpa.floor(&ours), Scaler::Hpa.most(&ours)), (2, 10));
        for other in [
            aimed("apps/v1", "Deployment", "cart"),
            aimed("apps/v1", "StatefulSet", "checkout"),
            aimed("argoproj.io/v1alpha1", "Deployment", "checkout"),
        ] {
            assert_eq!(found(&[hpa("a", other.clone(), json!([]))], &[]), Ok(None), "{other}");
        }
        for same in ["apps/v1beta2", "extensions/v1beta1"] {
            assert!(
                found(&[hpa("a", aimed(same, "Deployment", "checkout"), json!([]))], &[]).unwrap().is_some()
            );
        }
    }

    #[test]
    fn the_hpa_that_keda_made_is_not_touched_but_its_scaled_object() {
        let made = hpa("keda-hpa-so", aimed("apps/v1", "Deployment", "checkout"), of("so"));
        let so = scaled("so", json!({"name": "checkout"}));
        let owner = found(&[Arc::clone(&made)], &[Arc::clone(&so)]);
        assert_eq!(owner, Ok(Some("ScaledObject so".into())), "kind and version may be left out");
        assert_eq!((Scaler::ScaledObject.floor(&so), Scaler::ScaledObject.most(&so)), (0, 100));
        assert!(found(&[made], &[]).unwrap_err().contains("ScaledObject so, which was not found"));
    }

    #[test]
    fn two_owners_are_refused_by_name() {
        let one = hpa("a", aimed("apps/v1", "Deployment", "checkout"), json!([]));
        let other = hpa("b", aimed("apps/v1", "Deployment", "checkout"), json!([]));
        let why = found(&[Arc::clone(&one), other], &[]).unwrap_err();
        assert!(
            why.contains("HorizontalPodAutoscaler") && why.contains("both scale Deployment checkout"),
            "{why}"
        );
        let so = scaled("so", json!({"kind": "Deployment", "apiVersion": "apps/v1", "name": "checkout"}));
        assert!(found(&[one], &[so]).unwrap_err().contains("ScaledObject so and HorizontalPodAutoscaler a"));
    }
}
