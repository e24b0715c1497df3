//! Which setting of another writer ends a fight over a field, in that writer's own words.

/// What to change at `by`, a field manager, so that it leaves the field to Damper. `owner` is the
/// autoscaler whose floor is fought over; `None` where it is the replica count itself.
pub(super) fn setting(by: Option<&str>, owner: Option<&str>) -> String {
    let field = match owner {
        Some(owner) if owner.starts_with("ScaledObject") => "/spec/minReplicaCount",
        Some(_) => "/spec/minReplicas",
        None => "/spec/replicas",
    };
    let by = by.unwrap_or_default();
    let begins = |names: &[&str]| names.iter().any(|name| by.starts_with(name));
    if begins(&["argocd", "argo-cd"]) {
        return format!(
            "`ignoreDifferences` with jsonPointers [{field}] in the Argo CD Application, and \
             RespectIgnoreDifferences=true in its `syncPolicy.syncOptions`"
        );
    }
    if begins(&["helm-controller"]) {
        return format!("`driftDetection.ignore` with paths [{field}] in the Flux HelmRelease");
    }
    if begins(&["kustomize-controller", "flux", "gotk-"]) {
        return format!(
            "{field} taken out of the manifest in Git, or `driftIgnoreRules` with paths [{field}] in the \
             Flux Kustomization"
        );
    }
    format!("{field} left out of what the other controller writes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_writer_is_told_its_own_setting_for_the_field_that_is_fought_over() {
        let hpa = Some("HorizontalPodAutoscaler web");
        for (by, owner, expected) in [
            (Some("argocd-controller"), None, "jsonPointers [/spec/replicas]"),
            (Some("argocd-application-controller"), hpa, "RespectIgnoreDifferences=true"),
            (Some("kustomize-controller"), hpa, "`driftIgnoreRules` with paths [/spec/minReplicas]"),
            (Some("helm-controller"), None, "`driftDetection.ignore` with paths [/spec/replicas]"),
            (Some("fleet-agent"), Some("ScaledObject web"), "/spec/minReplicaCount left out"),
            (None, None, "/spec/replicas left out"),
        ] {
            let said = setting(by, owner);
            assert!(said.contains(expected), "{by:?}: {said}");
        }
    }
}
