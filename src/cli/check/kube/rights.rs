//! Whether Damper may do what it does: exactly the verbs of the policy's mode and lever, and no more.

use std::collections::{BTreeMap, HashMap};

use futures_util::StreamExt as _;

use crate::cli::check::place::Findings;
use crate::cluster::Fault;
use crate::cluster::kubernetes::{Kubernetes, Right, Role};

/// Questions at a time.
const AT_ONCE: usize = 8;
/// What the shipped roles have rules for.
const SHIPPED: [&str; 7] = ["", "apps", "argoproj.io", "autoscaling", "events.k8s.io", "keda.sh", "policy"];

/// What was answered, by right and namespace: policies share most of them.
pub(super) type Known = HashMap<(Right, String), bool>;

/// Tells what is missing, by the role that grants it; whether any of it is needed.
pub(super) async fn check(
    cluster: &Kubernetes,
    known: &mut Known,
    rights: Vec<Right>,
    namespace: &str,
    findings: &mut Findings,
) -> Result<bool, Fault> {
    let key = |right: &Right| (right.clone(), namespace.to_owned());
    let new: Vec<Right> = rights.iter().filter(|right| !known.contains_key(&key(right))).cloned().collect();
    let one = |right: Right| async move {
        let may = cluster.may(&right, namespace).await?;
        Ok::<_, Fault>(((right, namespace.to_owned()), may))
    };
    let mut answers = futures_util::stream::iter(new).map(one).buffered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        known.extend([answer?]);
    }
    let missing = rights.into_iter().filter(|right| known.get(&key(right)) == Some(&false));
    let mut by_role: BTreeMap<(bool, Role), Vec<Right>> = BTreeMap::new();
    for right in missing {
        by_role.entry((right.is_needed, right.role)).or_default().push(right);
    }
    let is_needed = by_role.keys().any(|(is_needed, _)| *is_needed);
    // Whoever grants a role for what is needed grants the rest of it too.
    let told: Vec<Role> = by_role.keys().filter(|(is_needed, _)| *is_needed).map(|(_, role)| *role).collect();
    by_role.retain(|(is_needed, role), _| *is_needed || !told.contains(role));
    for ((is_needed, role), rights) in by_role {
        tell(is_needed, role, &rights, namespace, findings);
    }
    Ok(is_needed)
}

fn tell(is_needed: bool, role: Role, rights: &[Right], namespace: &str, findings: &mut Findings) {
    let list = listed(rights);
    let own: Vec<String> = rights.iter().filter(|r| !SHIPPED.contains(&r.group.as_str())).map(of).collect();
    let name = role.name();
    let hint = if own.is_empty() {
        format!(
            "`kubectl apply -k deploy/kubernetes/{name}` grants it to Damper; this login was asked about, so log in as Damper to know what Damper may"
        )
    } else {
        format!("add a rule for {} to deploy/kubernetes/components/{name}/rights.yaml", own.join(", "))
    };
    if is_needed {
        let what = format!("the login of the kubeconfig may not {list} in {namespace}");
        findings.error(&["target"], what, Some(hint));
    } else {
        let what = format!(
            "the login of the kubeconfig may not {list} in {namespace}; Damper scales, and says less"
        );
        findings.notice(&["target"], what, Some(hint));
    }
}

/// `get, list and watch deployments.apps; patch deployments.apps/scale`
fn listed(rights: &[Right]) -> String {
    let mut verbs: Vec<(String, Vec<&str>)> = Vec::new();
    for right in rights {
        let resource = of(right);
        match verbs.iter_mut().find(|(known, _)| *known == resource) {
            Some((_, verbs)) => verbs.push(right.verb),
            None => verbs.push((resource, vec![right.verb])),
        }
    }
    let one = |(resource, verbs): &(String, Vec<&str>)| match verbs.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last} {resource}", first.join(", ")),
        verbs => format!("{} {resource}", verbs.join(", ")),
    };
    verbs.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// As `kubectl auth can-i` takes it: `deployments.apps/scale`.
fn of(right: &Right) -> String {
    let (resource, below) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
    let group = if right.group.is_empty() { String::new() } else { format!(".{}", right.group) };
    let below = if below.is_empty() { String::new() } else { format!("/{below}") };
    format!("{resource}{group}{below}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_listed_by_resource_as_kubectl_names_it() {
        let right = |verb, group: &str, resource: &str| Right {
            verb,
            group: group.to_owned(),
            resource: resource.to_owned(),
            role: Role::Direct,
            is_needed: true,
        };
        let all = [
            right("get", "apps", "deployments"),
            right("list", "apps", "deployments"),
            right("watch", "apps", "deployments"),
            right("list", "", "pods"),
            right("get", "apps", "deployments/scale"),
            right("patch", "apps", "deployments/scale"),
        ];
        assert_eq!(
            listed(&all),
            "get, list and watch deployments.apps; list pods; get and patch deployments.apps/scale"
        );
    }
}
