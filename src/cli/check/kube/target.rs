//! A target in the cluster: is it there, who owns its count, and what will stand in Damper's way.

use super::Workload;
use super::rights::{self, Known};
use crate::cli::check::live::LISTED;
use crate::cli::check::place::Findings;
use crate::cluster::Fault;
use crate::cluster::kubernetes::{Kubernetes, Served};
use crate::engine::scale::{self, WriterKind};
use crate::slo::listed::listed;
use crate::slo::nearest;
use crate::slo::policy::{ScalePolicy, Target};

/// Controllers of Kubernetes itself and of KEDA, which set counts as autoscalers do.
const AUTOSCALERS: [&str; 2] = ["kube-controller-manager", "keda-operator"];

/// Looks at it. The error is that the cluster answers no more.
pub(super) async fn check(
    cluster: &Kubernetes,
    known: &mut Known,
    policy: &ScalePolicy,
    acts: bool,
    findings: &mut Findings,
) -> Result<Option<Workload>, Fault> {
    let target = &policy.target;
    let Target::Kubernetes { api_version, kind, namespace, .. } = target else { return Ok(None) };
    match cluster.served(target).await {
        Ok(Served::Whole) => {}
        Ok(Served::Not) => {
            let what = format!("the cluster has no {kind} in {api_version}");
            let hint =
                format!("`kubectl api-resources | grep {kind}` shows under which apiVersion it has one");
            findings.error(&["target", "kind"], what, Some(hint));
            return Ok(None);
        }
        Ok(Served::WithoutScale) => {
            let what = format!(
                "{kind} in {api_version} has no scale subresource, so nothing can set its replica count"
            );
            let hint = "a Deployment, a StatefulSet or what else has one can be scaled".to_owned();
            findings.error(&["target", "kind"], what, Some(hint));
            return Ok(None);
        }
        Err(fault) => return refused(fault, findings).map(|()| None),
    }
    let (seen, fault) = match cluster.look(target).await {
        Ok(seen) => (Some(seen), None),
        Err(fault) => (None, Some(fault)),
    };
    let lever = seen.as_ref().map(|seen| &seen.lever);
    let needed = cluster.rights(target, lever, acts).await?;
    let is_missing = rights::check(cluster, known, needed, namespace, findings).await?;
    match fault {
        // What it is not allowed to is told already.
        Some(Fault::Refused { status: Some(403), .. }) if is_missing => {}
        Some(Fault::Refused { status: Some(404), .. }) => absent(cluster, target, findings).await?,
        Some(fault) => refused(fault, findings)?,
        None => {}
    }
    if let Some(seen) = &seen {
        bounds(policy, seen, findings);
        state(seen, findings);
        writer(policy, seen, findings);
    }
    Ok(seen.as_ref().map(Workload::from))
}

/// What the cluster refuses is a problem of the target; anything else is one of the cluster.
fn refused(fault: Fault, findings: &mut Findings) -> Result<(), Fault> {
    match fault {
        Fault::Refused { why, .. } | Fault::Conflict { why, .. } => {
            findings.error(&["target"], why, None);
            Ok(())
        }
        fault => Err(fault),
    }
}

async fn absent(cluster: &Kubernetes, target: &Target, findings: &mut Findings) -> Result<(), Fault> {
    let Target::Kubernetes { kind, namespace, name, .. } = target else { return Ok(()) };
    if cluster.has_namespace(namespace).await? == Some(false) {
        findings.error(&["target", "namespace"], format!("there is no namespace {namespace}"), None);
        return Ok(());
    }
    let what = format!("there is no {kind} {name} in {namespace}");
    let names = match cluster.names(target).await {
        Ok(names) => names,
        Err(Fault::Refused { .. }) => Vec::new(),
        Err(fault) => return Err(fault),
    };
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let hint = match nearest::nearest(name, &all) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if names.is_empty() => None,
        None => Some(format!("there are: {}", listed(&names, LISTED))),
    };
    findings.error(&["target", "name"], what, hint);
    Ok(())
}

fn bounds(policy: &ScalePolicy, seen: &scale::Workload, findings: &mut Findings) {
    let (max, position) = (policy.replicas.max(), seen.position());
    if let Some(owner) = seen.owner().filter(|_| seen.most() < max) {
        let most = seen.most();
        let what =
            format!("{owner} allows {most} replicas at most, and this policy {max}: Damper stops at {most}");
        let hint = format!("raise the maximum of {owner} to {max}, or lower this");
        findings.notice(&["replicas", "max"], what, Some(hint));
    }
    if position > max {
        let what = format!(
            "it stands at {position}, above {max}: Damper leaves it alone until it is back in its bounds"
        );
        findings.notice(&["replicas", "max"], what, None);
    }
}

fn state(seen: &scale::Workload, findings: &mut Findings) {
    if seen.wanted == 0 {
        let what = "the workload is at zero replicas, which Damper neither ends nor begins".to_owned();
        findings.notice(&["target"], what, None);
    }
    if let Some(by) = &seen.paused {
        let what = format!("this policy is paused by {by}");
        findings.notice(&["target"], what, None);
    }
    if let Some(why) = &seen.blocked {
        let what = format!("replicas that were asked for cannot be had now: {why}");
        findings.notice(&["target"], what, None);
    }
}

/// What is written in Git is put back to that again and again.
fn writer(policy: &ScalePolicy, seen: &scale::Workload, findings: &mut Findings) {
    let is_scaler = |name: &str| AUTOSCALERS.iter().any(|own| name.starts_with(own));
    let Some(writer) = &seen.writer else { return };
    if writer.kind != WriterKind::Controller || is_scaler(&writer.name) {
        return;
    }
    let field = match seen.owner() {
        None => "spec.replicas".to_owned(),
        Some(owner) if owner.starts_with("ScaledObject") => format!("spec.minReplicaCount of {owner}"),
        Some(owner) => format!("spec.minReplicas of {owner}"),
    };
    let what = format!(
        "{} sets {field}, and puts back what Damper writes there; after two times within 10m Damper stops for {}",
        writer.name, policy.respect_override
    );
    let hint = "leave the field out of what it applies; in Argo CD, ignoreDifferences with \
                RespectIgnoreDifferences=true lets go of it";
    findings.notice(&["target"], what, Some(hint.to_owned()));
}
