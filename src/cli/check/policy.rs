//! A scale policy as `damper check` lists it.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::slo::policy::{ScaleMode, ScalePolicy, Target, Watched};

/// For people.
pub(super) fn describe(policy: &ScalePolicy, out: &mut dyn Write) -> io::Result<()> {
    let bounds = policy.replicas;
    writeln!(
        out,
        "policy {}  {} of {}, {} to {} replicas  ({}:{})",
        policy.name,
        mode(policy.mode),
        target(&policy.target),
        bounds.min(),
        bounds.max(),
        policy.place.file,
        policy.place.line
    )?;
    for watched in &policy.slos {
        writeln!(out, "  watches {}", slo(watched))?;
    }
    for step in &policy.up {
        writeln!(out, "  burn {} adds {}, then waits {}", step.burn_rate, step.add, step.cooldown)?;
    }
    let down = policy.down;
    writeln!(
        out,
        "  burn below {} for {} gives back 1, then waits {}",
        down.burn_rate, down.calm, down.cooldown
    )?;
    writeln!(out)
}

/// For programs.
pub(super) fn as_json(policy: &ScalePolicy) -> Value {
    json!({
        "name": policy.name,
        "slos": policy.slos.iter().map(slo).collect::<Vec<_>>(),
        "target": target(&policy.target),
        "mode": mode(policy.mode),
        "replicas": { "min": policy.replicas.min(), "max": policy.replicas.max() },
        "file": policy.place.file,
        "line": policy.place.line,
    })
}

/// `shop/availability`, with its group where one is named: `shop/availability{route="/pay"}`.
fn slo(watched: &Watched) -> String {
    let Some(group) = &watched.group else { return watched.slo.to_string() };
    let labels: Vec<String> = group.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{}{{{}}}", watched.slo, labels.join(","))
}

fn target(target: &Target) -> String {
    match target {
        Target::Kubernetes { api_version, kind, namespace, name } => {
            format!("{api_version} {kind} {namespace}/{name}")
        }
        Target::Webhook { actuator, name } => format!("{name} at actuator {actuator}"),
    }
}

fn mode(mode: ScaleMode) -> &'static str {
    match mode {
        ScaleMode::DryRun => "dryRun",
        ScaleMode::Auto => "auto",
    }
}
