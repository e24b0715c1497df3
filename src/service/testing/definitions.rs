//! SLOs as they are written, and the plans of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::plan::{Plan, PlanContext};
use crate::slo::problem::Level;
use crate::slo::time::Step;
use crate::slo::{Context, SourceFile, load};

/// The plan of these definitions, none of which has an error.
pub(in crate::service) fn plan(definitions: &str) -> Plan {
    let files = [SourceFile { path: "a.yaml".into(), text: definitions.into() }];
    let loaded = load(&files, &Context::without_settings(Step::DEFAULT));
    assert!(loaded.problems().all(|problem| problem.level != Level::Error), "{loaded:?}");
    let slos: Vec<_> = loaded.slos().cloned().map(Arc::new).collect();
    assert!(!slos.is_empty(), "{loaded:?}");
    let context = PlanContext {
        step: Step::DEFAULT,
        default_source: "local".into(),
        sources: BTreeMap::new(),
        intervals: BTreeMap::new(),
    };
    Plan::build(&slos, &context)
}

/// An SLO `shop/name` with this spec, each line of which ends and is indented by two spaces.
pub(in crate::service) fn document(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: {name}}}\nspec:\n  \
         service: shop\n{spec}"
    )
}

/// An SLO on the requests of a job.
pub(in crate::service) fn slo(name: &str) -> String {
    document(
        name,
        &format!(
            "  objective: 99\n  sli:\n    events: {{bad: 'r_total{{job=\"{name}\",code=\"500\"}}', \
             total: 'r_total{{job=\"{name}\"}}'}}\n"
        ),
    )
}

/// An SLO on how long the requests of a job take.
pub(in crate::service) fn latency(name: &str) -> String {
    document(
        name,
        &format!(
            "  sli:\n    latency: {{histogram: d_seconds, selector: '{{job=\"{name}\"}}', \
             unit: s, objectives: [{{percent: 99, within: 300ms}}]}}\n  alerting:\n    rules:\n      \
             - {{severity: page, burnRate: 2, long: 2m, short: 1m}}\n"
        ),
    )
}

/// An SLO on a ratio of its own.
pub(in crate::service) fn ratio(name: &str) -> String {
    document(
        name,
        &format!(
            "  objective: 99\n  sli:\n    ratio: {{query: '1 - avg_over_time(probe_success{{job=\"{name}\"}}\
             [{{{{.window}}}}])'}}\n"
        ),
    )
}

/// A policy on the SLO `shop/slo`, for the deployment of its own name.
pub(in crate::service) fn policy(name: &str, slo: &str) -> String {
    format!(
        "apiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {{name: {name}}}\nspec:\n  \
         slos: [shop/{slo}]\n  replicas: {{min: 3, max: 20}}\n  \
         target: {{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: {name}}}\n"
    )
}
