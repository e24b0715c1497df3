//! A scale policy as `damper check` lists it.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::kube::Workload;
use super::live::Asked;
use crate::slo::policy::{ScaleMode, ScalePolicy, Target, Watched};

/// For people: what it is, what the cluster and the server say of it now, and with all its rules where
/// asked.
pub(super) fn describe(
    policy: &ScalePolicy,
    asked: Option<&Asked>,
    found: Option<&Workload>,
    verbose: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
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
    if let Some(found) = found {
        writeln!(out, "  {found}")?;
    }
    if verbose {
        rules(policy, out)?;
    }
    numbers(policy, asked, out)?;
    writeln!(out)
}

fn rules(policy: &ScalePolicy, out: &mut dyn Write) -> io::Result<()> {
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
    )
}

/// What its queries say now, beside what that is held to.
fn numbers(policy: &ScalePolicy, asked: Option<&Asked>, out: &mut dyn Write) -> io::Result<()> {
    let Some(asked) = asked else { return Ok(()) };
    let now = |value: Option<f64>| value.map_or_else(|| "has no number".to_owned(), |v| format!("is {v:.2}"));
    if let Some(saturation) = &policy.saturation {
        let (above, below) = (saturation.scale_above.get(), saturation.shrink_below.get());
        let now = now(asked.saturation);
        writeln!(out, "  saturation {now} now; {above} or more adds, below {below} gives back")?;
    }
    for (veto, value) in policy.unless.iter().zip(&asked.unless) {
        writeln!(out, "  `{}` {} now; above {} forbids adding", veto.query, now(*value), veto.above.get())?;
    }
    Ok(())
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
