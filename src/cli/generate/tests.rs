use super::net::{Without, alert, groups, watched};
use super::{Wanted, without_rule};
use crate::cli::check::Checked;
use crate::slo::model::{Labels, Slo};
use crate::slo::time::Step;
use crate::slo::{Context, SourceFile, load};

const SLI: &str = "  objective: 99.9\n  sli: {events: {bad: 'r{code=~\"5..\"}', total: r}}\n";

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
    let rule = alert(&slos[0], &external, Step::DEFAULT, &watched("damper", None));
    serde_saphyr::to_string(&groups(vec![rule.ok().unwrap()])).unwrap()
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
    for alerting in ["{mode: shadow}", "{page: {disable: true}}"] {
        let slos = slos(&format!("{SLI}  alerting: {alerting}\n"));
        let made = alert(&slos[0], &Labels::new(), Step::DEFAULT, &watched("damper", None));
        assert_eq!(made.err(), Some(Without::Pages), "{alerting}");
    }
}

#[test]
fn who_has_no_rule_is_told_with_the_reason() {
    let quiet = [(Without::Events, "a"), (Without::Pages, "b"), (Without::Events, "c")];
    assert_eq!(
        without_rule(&quiet.map(|(why, slo)| (why, format!("shop/{slo}")))),
        [
            "without a rule, because nobody is paged (1 SLO): shop/b",
            "without a rule, but for those of the parts that page (2 composites): shop/a, shop/c",
        ]
    );
    assert_eq!(without_rule(&[]), [""; 0]);
}

#[test]
fn a_net_that_would_hold_no_slo_is_refused() {
    let document = |name: &str, source: &str| {
        let head = "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective";
        format!("---\n{head}\nmetadata: {{name: {name}}}\nspec:\n  service: shop\n{SLI}{source}")
    };
    let (far, none) = (document("a", "  source: far\n"), document("b", ""));
    let both = format!("{far}{none}");
    for (text, source, said) in [
        ("# nothing\n", None, Some("no SLO is defined there")),
        ("# nothing\n", Some("far"), Some("no SLO is defined there")),
        (&far, None, Some("each SLO names a source: choose one with --source (far)")),
        (&far, Some("fra"), Some("no SLO names the source fra; did you mean `far`?")),
        (&none, Some("far"), Some("nor any other: leave --source out")),
        (&both, None, None),
        (&both, Some("far"), None),
    ] {
        let context = Context::without_settings(Step::DEFAULT);
        let files = vec![SourceFile { path: "a.yaml".into(), text: text.to_owned() }];
        let loaded = load(&files, &context);
        let checked = Checked { files, loaded, more: Vec::new(), live: None, kube: None };
        let source = source.map(str::to_owned);
        let wanted = Wanted { context, external: Labels::new(), shadow: false, first: None, source };
        let told = wanted.lack(&checked);
        let fits = told.as_deref().zip(said).is_some_and(|(told, said)| told.contains(said));
        assert!(fits || (told.is_none() && said.is_none()), "{source:?}: {told:?}", source = wanted.source);
        // Of a source that the settings name there need not be any SLO.
        let known = Wanted { first: Some("near".to_owned()), source: Some("east".to_owned()), ..wanted };
        assert_eq!(known.lack(&checked).is_some(), text.starts_with('#'));
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
