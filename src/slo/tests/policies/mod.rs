//! Policy documents in, policies or problems out.

mod accepted;
mod accepted_before;
mod properties;
mod refused;
mod set;

use super::{context, listed, loaded, rendered};
use crate::slo::policy::ScalePolicy;
use crate::slo::problem::Level;
use crate::slo::{Context, Loaded, SourceFile, load};

/// The SLO `shop/pay` of 99.9 %, counted.
const SLO: &str = "---\napiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {name: pay}\nspec:\n  service: shop\n  objective: 99.9\n  sli: {events: {bad: 'r{code=\"5\"}', total: r}}\n";

/// A policy with these lines in its `spec`, each indented by two.
fn with_spec(name: &str, lines: &str) -> String {
    let indented: String = lines.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "---\napiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {{name: {name}}}\nspec:\n{indented}"
    )
}

/// What every policy needs, on the deployment of this name; six lines, beginning with the sixth.
fn needed(name: &str) -> String {
    format!(
        "slos: [shop/pay]\ntarget: {{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: {name}}}\nreplicas: {{min: 3, max: 20}}\n"
    )
}

/// A whole policy with these further lines.
fn policy(name: &str, lines: &str) -> String {
    with_spec(name, &format!("{}{lines}", needed(name)))
}

/// The policies of a text without problems, which has the SLO `shop/pay` behind it.
fn good(text: &str) -> Vec<ScalePolicy> {
    let text = format!("{text}{SLO}");
    let loaded = loaded(&text);
    assert_eq!(loaded.problems().count(), 0, "{}", rendered(&text));
    loaded.policies().cloned().collect()
}

/// `what` of every error of a text that has the SLO `shop/pay` behind it.
fn errors(text: &str) -> Vec<String> {
    let loaded = loaded(&format!("{text}{SLO}"));
    loaded.problems().filter(|p| p.level == Level::Error).map(|p| p.what.clone()).collect()
}

fn files(files: &[(&str, String)]) -> Vec<SourceFile> {
    files.iter().map(|(path, text)| SourceFile { path: (*path).into(), text: text.clone() }).collect()
}

/// Names of the good policies.
fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.policies().map(|policy| policy.name.as_str()).collect()
}
