use super::net::{alert, groups, watched};
use crate::slo::model::{Labels, Slo};
use crate::slo::time::Step;
use crate::slo::{Context, SourceFile, load};

fn slos(spec: &str) -> Vec<Slo> {
    let text = format!(
        "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: pay, labels: {{team: a}}, annotations: {{runbook: 'x {{{{ y'}}}}\nspec:\n  service: shop\n{spec}"
    );
    let loaded =
        load(&[SourceFile { path: "a.yaml".into(), text }], &Context::without_settings(Step::DEFAULT));
    assert_eq!(loaded.problems().collect::<Vec<_>>(), Vec::<&crate::slo::problem::Problem>::new());
    loaded.slos().cloned().collect()
}

/// The rule of one SLO, as it is printed.
fn rule(spec: &str) -> String {
    let slos = slos(spec);
    let external = Labels::from([("cluster".into(), "eu".into())]);
    let rules = alert(&slos[0], &external, Step::DEFAULT, &watched("damper", None));
    serde_saphyr::to_string(&groups(rules.into_iter().collect())).unwrap()
}

#[test]
fn counters_are_asked_by_the_fastest_page_while_no_damper_ticks() {
    insta::assert_snapshot!(rule(
        "  objective: 99.9\n  sli: {events: {bad: 'r{code=~\"5..\"}', total: r}}\n"
    ));
}

#[test]
fn groups_keep_their_labels_and_the_mildest_objective_counts() {
    insta::assert_snapshot!(rule(
        "  objective: 99.9\n  sli: {events: {bad: 'r{code=~\"5..\"}', total: r}}\n  groupBy: {labels: [route, team], objectives: [{match: {route: /slow}, objective: 99}]}\n"
    ));
}

#[test]
fn what_is_not_good_is_bad_only_where_good_is_known() {
    insta::assert_snapshot!(rule(
        "  objective: 99.9\n  sli: {events: {good: 'r{code=~\"2..\"} + 0.5 * s', total: r + s}}\n"
    ));
}

#[test]
fn time_slices_and_ratios_are_asked_as_they_are() {
    let slice = rule(
        "  objective: 99\n  sli: {timeslice: {query: 'max(q)', good: '< 10', slice: 1m, reduce: max}}\n",
    );
    assert!(
        slice.contains("(1 - avg_over_time((max_over_time((max(q))[1m:30s]) < bool 10)[1h:1m])) >= 0.1344"),
        "{slice}"
    );
    let ratio = rule("  objective: 99\n  sli: {ratio: {query: 'avg_over_time(a[{{.window}}])'}}\n");
    assert!(ratio.contains("(avg_over_time(a[5m])) >= 0.1344"), "{ratio}");
}

#[test]
fn nobody_is_paged_who_was_not_to_be() {
    let sli = "  objective: 99.9\n  sli: {events: {bad: 'r{code=~\"5..\"}', total: r}}\n";
    for alerting in ["{mode: shadow}", "{page: {disable: true}}"] {
        assert_eq!(rule(&format!("{sli}  alerting: {alerting}\n")), "[]\n");
    }
}

#[test]
fn a_source_that_is_known_by_name_must_answer_too() {
    assert_eq!(
        watched("d", Some("eu")),
        "max(increase(damper_ticks_total{job=\"d\"}[5m])) > 0\nand on ()\nmax(damper_source_up{job=\"d\",source=\"eu\"}) == 1"
    );
}

#[test]
fn of_several_pages_the_fastest_counts_wherever_it_is_written() {
    let rules = "[{severity: page, burnRate: 5.6, long: 6h, short: 30m}, {severity: page, burnRate: 14, long: 1h, short: 5m}]";
    let fastest = rule(&format!(
        "  objective: 99.9\n  sli: {{events: {{bad: 'r{{code=~\"5..\"}}', total: r}}}}\n  alerting: {{rules: {rules}}}\n"
    ));
    assert!(fastest.contains("[1h]") && !fastest.contains("[6h]"), "{fastest}");
}

/// One idle series, or nothing but errors, is not a number times nothing, which no sum gets over.
#[test]
fn what_is_above_a_bound_is_counted_of_all_series_together_and_left_out_where_there_is_none() {
    let rule = rule(
        "  sli: {latency: {histogram: h, native: true, objectives: [{percent: 99, within: 300ms}], errorsAre: bad, errors: 'code=\"5\"'}}\n",
    );
    let above = r#"histogram_fraction(0.3, +Inf, sum(increase(h{code!="5"}[1h]))) * histogram_count(sum(increase(h{code!="5"}[1h]))) >= 0, "damper_term""#;
    assert!(rule.contains(above), "{rule}");
}

#[test]
fn a_comment_that_ends_a_ratio_ends_no_more() {
    let text = rule("  objective: 99\n  sli: {ratio: {query: 'avg_over_time(a[{{.window}}]) # note'}}\n");
    assert_eq!(text.matches("# note\n").count(), 2, "{text}");
}
