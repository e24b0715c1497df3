//! A policy as the store kept it is judged by itself.

use super::*;
use crate::slo::fit::{Asks, misfits};
use crate::slo::{load_accepted, model::Slo};

#[test]
fn a_policy_that_was_accepted_needs_no_slo_beside_it() {
    let file = files(&[("a.yaml", policy("a", ""))]).remove(0);
    let loaded = load_accepted(&file, &context());
    assert_eq!((names(&loaded), loaded.problems().count()), (vec!["a"], 0));
    // Beside nothing it has no SLO.
    assert_eq!(load(&[file], &context()).policies().count(), 0);
}

#[test]
fn what_is_in_force_is_judged_without_its_file() {
    let policy = good(&policy("a", "mode: auto\nsaturation: none")).remove(0);
    let asks = Asks::from(&policy);
    let of = |text: &str| loaded(text).slos().next().cloned().unwrap();
    let judge = |slo: Option<&Slo>| misfits(&asks, &[slo]).into_iter().map(|m| m.what).collect::<Vec<_>>();
    assert!(judge(Some(&of(SLO))).is_empty());
    assert!(judge(None).is_empty(), "of what is not known nothing is told");
    let ratio =
        SLO.replace("{events: {bad: 'r{code=\"5\"}', total: r}}", "{ratio: {query: 'rate(x[{{.window}}])'}}");
    assert_eq!(
        judge(Some(&of(&ratio))),
        ["`shop/pay` is a ratio without event counts, which drives no replicas"]
    );
}
