//! Whether policies can do what they say as things are now. A definition was judged beside the others
//! when it was taken; since then an SLO may have gone, have become another one or not be readable any
//! more, and a policy whose file is broken stays in force beside the one that was to replace it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::plan::{Plan, Planned};
use crate::slo::fit::{Asks, misfits};
use crate::slo::model::Slo;
use crate::slo::policy::{ScaleMode, ScalePolicy};

/// Why policies cannot do what they say, in the plan's order; `None` where they can.
pub(super) fn unfit(plan: &Plan) -> Vec<Option<String>> {
    let slos: BTreeMap<&str, &Planned> = plan.slos.iter().map(|slo| (slo.id.as_str(), slo)).collect();
    let mut owners: BTreeMap<[&str; 4], Vec<&ScalePolicy>> = BTreeMap::new();
    for policy in &plan.policies {
        owners.entry(policy.target.workload()).or_default().push(policy);
    }
    let why = |policy: &Arc<ScalePolicy>| {
        let sharing = owners.get(&policy.target.workload()).into_iter().flatten();
        shared(policy, sharing).or_else(|| watches_nothing(policy, plan, &slos))
    };
    plan.policies.iter().map(why).collect()
}

/// Whichever came first: nobody can say which of them is meant, and the two would undo each other.
fn shared<'p>(policy: &ScalePolicy, mut all: impl Iterator<Item = &'p &'p ScalePolicy>) -> Option<String> {
    let other = all.find(|other| other.name != policy.name)?;
    let place = format!("{}:{}", other.place.file, other.place.line);
    Some(format!(
        "policy {} at {place} scales {} too, and one workload has one policy",
        other.name, policy.target
    ))
}

fn watches_nothing(policy: &ScalePolicy, plan: &Plan, slos: &BTreeMap<&str, &Planned>) -> Option<String> {
    let mut found: Vec<Option<&Slo>> = Vec::new();
    for watched in &policy.slos {
        let id = watched.slo.to_string();
        match slos.get(id.as_str()) {
            Some(planned) => found.push(Some(&planned.slo)),
            None if plan.holds(&id) => {
                return Some(format!("the definition of {id} cannot be read any more"));
            }
            None => return Some(format!("there is no SLO {id} any more")),
        }
    }
    // A dry run shows what would be done: what moves nothing in earnest moves nothing there either.
    let asks = Asks { mode: ScaleMode::Auto, ..Asks::from(policy) };
    misfits(&asks, &found).into_iter().next().map(|misfit| format!("{}; {}", misfit.what, misfit.hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing::{policy, ratio, slo};
    use crate::slo::time::Step;
    use crate::slo::{Context, SourceFile, load_accepted};

    /// What is in force of these SLOs, and of policies that were taken at other times.
    fn plan(slos: &str, policies: &[String]) -> Plan {
        let context = Context::without_settings(Step::DEFAULT);
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        let taken = policies.iter().zip(1..).flat_map(|(text, i)| {
            load_accepted(&file(&format!("p{i}.yaml"), text), &context)
                .policies()
                .cloned()
                .collect::<Vec<_>>()
        });
        Plan { policies: taken.map(Arc::new).collect(), ..crate::service::testing::plan(slos) }
    }

    fn only(plan: &Plan) -> Option<String> {
        unfit(plan).pop().unwrap()
    }

    #[test]
    fn a_policy_that_fits_is_not_held() {
        assert_eq!(only(&plan(&slo("one"), &[policy("web", "one")])), None);
    }

    #[test]
    fn an_slo_that_is_gone_or_cannot_be_read_is_named() {
        let mut plan = plan(&slo("one"), &[policy("web", "two")]);
        assert_eq!(only(&plan).unwrap(), "there is no SLO shop/two any more");
        plan.held = vec!["shop/two".into()];
        assert_eq!(only(&plan).unwrap(), "the definition of shop/two cannot be read any more");
    }

    #[test]
    fn an_slo_that_became_another_one_holds_its_policy() {
        let why = only(&plan(&ratio("one"), &[policy("web", "one")])).unwrap();
        assert!(why.starts_with("`shop/one` is a ratio without event counts"), "{why}");
        let named = policy("web", "one").replace("[shop/one]", "[{slo: shop/one, group: {route: /pay}}]");
        let why = only(&plan(&slo("one"), std::slice::from_ref(&named))).unwrap();
        assert!(why.starts_with("`shop/one` has no groups"), "{why}");
        let grouped =
            slo("one").replace("  objective: 99\n", "  objective: 99\n  groupBy: {labels: [zone]}\n");
        let why = only(&plan(&grouped, &[named])).unwrap();
        assert!(why.starts_with("the groups of `shop/one` are by: zone"), "{why}");
        let lax = slo("one").replace("objective: 99", "objective: 50");
        let lax = lax + "  alerting: {page: {disable: true}}\n";
        let why = only(&plan(&lax, &[policy("web", "one")])).unwrap();
        assert!(why.starts_with("no SLO of this policy can burn"), "{why}");
    }

    #[test]
    fn of_two_policies_on_one_workload_neither_moves_and_each_names_the_other() {
        let other =
            policy("also", "one").replace("namespace: shop, name: also", "namespace: shop, name: web");
        let plan = plan(&slo("one"), &[policy("web", "one"), other, policy("third", "one")]);
        let why = unfit(&plan);
        assert!(
            why[0]
                .as_ref()
                .unwrap()
                .starts_with("policy also at p2.yaml:1 scales apps/v1 Deployment shop/web too")
        );
        assert!(why[1].as_ref().unwrap().starts_with("policy web at p1.yaml:1 scales"), "{why:?}");
        assert_eq!(why[2], None);
    }
}
