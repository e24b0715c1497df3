//! No text panics, and every SLO that comes out keeps the rules.

use proptest::prelude::*;

use super::*;
use crate::slo::model::Severity;
use crate::slo::problem::Level;

const SEEDS: [&str; 3] = [
    "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {name: a, labels: {x: y}}\nspec:\n  service: s\n  objective: 99.9\n  window: 28d\n  sli: {events: {bad: 'r{code=~\"5..\"}', total: r}, absent: {means: bad}}\n  groupBy: {labels: [a], limit: 5}\n  alerting: {rules: [{severity: page, burnRate: 2, long: 1h, short: 5m}]}\n",
    "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata:\n  name: b\nspec:\n  service: s\n  window: {calendar: week, timeZone: UTC}\n  sli:\n    latency:\n      histogram: h\n      selector: |\n        job=\"x\"\n      objectives:\n      - {percent: 99, within: 300ms}\n      - {percent: 95, within: 1s}\n",
    "---\napiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: &m {name: c}\nspec:\n  service: s\n  objective: 99\n  window: 1h\n  sli: {timeslice: {query: 'up', good: \"> 0\", slice: 5m}}\n---\n<<: *m\n",
];

/// Pieces that mean something to YAML or to us.
const PIECES: [&str; 24] = [
    "---\n",
    "...\n",
    "\n",
    "  ",
    "\t",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "&a ",
    "*a",
    "<<: ",
    "| ",
    "#",
    "\r",
    "\u{feff}",
    "99999999999999999999",
    "1s",
    "null",
    "\u{0}",
];

fn keeps_the_rules(slo: &Slo) {
    let step = Step::DEFAULT.secs();
    assert!(!slo.id.service.is_empty() && !slo.id.name.is_empty() && slo.place.line > 0);
    let period = slo.period.nominal();
    for rule in &slo.alerting.rules {
        assert!(rule.burn_rate.reachable(slo.objective));
        assert!(rule.long <= period && rule.long.secs() % step == 0 && !rule.long.is_zero());
        assert!(rule.short.is_none_or(|s| s < rule.long && s.secs() % step == 0 && !s.is_zero()));
    }
    if let Some(group) = &slo.group_by {
        assert!(!group.labels.is_empty() && group.labels.is_sorted() && (1..=10_000).contains(&group.limit));
    }
    match &slo.sli {
        Sli::Counted { bad, total } => {
            assert!(bad != total && !bad.terms.is_empty() && !total.terms.is_empty());
            for linear in [bad, total] {
                assert!(linear.terms.is_sorted() && linear.terms.iter().all(|t| t.weight != 0));
            }
        }
        Sli::Timeslice(t) => assert!(t.slice.secs() % step == 0 && t.good.value.is_finite()),
        Sli::Direct { error_ratio } => assert!(error_ratio.contains("{{.window}}")),
        Sli::Composite(composite) => {
            assert!((1..=20).contains(&composite.of.len()) && slo.group_by.is_none() && slo.source.is_none());
            assert!(composite.of.iter().all(|part| part.slo != slo.id && part.weight.millionths() > 0));
        }
    }
    let _ = slo.alerting.options(Severity::Page);
}

fn holds(text: &str) {
    let loaded = loaded(text);
    loaded.slos().for_each(keeps_the_rules);
    for problem in loaded.problems() {
        assert!(problem.line > 0 && problem.column > 0, "{problem:?}");
        let _ = super::super::problem::render(problem, text);
    }
    for document in &loaded.documents {
        let refused = document.problems.iter().any(|p| p.level == Level::Error);
        assert_eq!(document.slos.is_none(), refused);
    }
}

#[test]
fn the_seeds_are_definitions() {
    for seed in SEEDS {
        assert!(loaded(seed).slos().count() > 0, "{}", rendered(seed));
    }
}

/// One of the seeds with pieces put in, and bits taken out where they are.
pub(super) fn mutated(
    seeds: &'static [&'static str],
    pieces: &'static [&'static str],
) -> impl Strategy<Value = String> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, 0..pieces.len()), 1..6);
    (0..seeds.len(), edits).prop_map(|(seed, edits)| {
        let mut text: Vec<char> = seeds[seed].chars().collect();
        for (at, cut, piece) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + cut).min(text.len());
            text.splice(at..end, pieces[piece].chars());
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_text_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        holds(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn mutations_of_definitions_never_panic_and_keep_the_rules(text in mutated(&SEEDS, &PIECES)) {
        holds(&text);
    }

    #[test]
    fn mixed_pieces_never_panic(pieces in prop::collection::vec(0..PIECES.len(), 0..200)) {
        holds(&pieces.into_iter().map(|i| PIECES[i]).collect::<String>());
    }

    #[test]
    fn swapped_scalars_never_panic(words in prop::collection::vec("[a-z0-9.:{}\\[\\]\"'-]{0,12}", 8)) {
        let [a, b, c, d, e, f, g, h] = words.as_slice() else { unreachable!() };
        holds(&format!(
            "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: {a}}}\nspec:\n  service: {b}\n  objective: {c}\n  window: {d}\n  sli: {{events: {{bad: {e}, total: {f}}}}}\n  alerting: {{rules: [{{severity: page, burnRate: {g}, long: {h}}}]}}\n"
        ));
    }
}
