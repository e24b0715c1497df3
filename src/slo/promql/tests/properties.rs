//! Over arbitrary selectors, sums and text.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::slo::promql::{
    EventsQuery, form, parse, read_any, read_events, read_selector, read_template, with_window,
};
use crate::slo::query::{Atom, Counting, Linear, MatchOp, Matcher, Selector, Term};
use crate::slo::time::Span;

fn any_metric() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z_:][a-zA-Z0-9_:]{0,12}",
        "[a-z.é \"\\\\\n{}(#']{1,12}",
        proptest::sample::select(WORDS).prop_map(str::to_owned),
    ]
}

const WORDS: &[&str] = &[
    "and",
    "or",
    "unless",
    "atan2",
    "sum",
    "avg",
    "count",
    "min",
    "max",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "count_values",
    "quantile",
    "limitk",
    "limit_ratio",
    "offset",
    "smoothed",
    "anchored",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "start",
    "end",
    "step",
    "fill",
    "fill_left",
    "fill_right",
    "inf",
    "NaN",
    "BOOL",
    "rate",
    "vector",
    "ON",
];

fn any_matcher() -> impl Strategy<Value = Matcher> {
    let label = prop_oneof![
        "[a-z_][a-z0-9_]{0,8}",
        "[a-z.é \"\\\\\n]{1,8}",
        proptest::sample::select(WORDS).prop_map(str::to_owned),
    ];
    let text = prop_oneof![any::<String>(), "[\"'`\\\\\n\r\t{}#$(a]{0,12}"];
    let regex = proptest::sample::select(
        &["5..", "a|b", "", ".*", "[\"\\\\n]+", "\\d{3}", "x{a}", "(?i)é\\.", "\n"][..],
    );
    let value = prop_oneof![
        (prop_oneof![Just(MatchOp::Equal), Just(MatchOp::NotEqual)], text),
        (prop_oneof![Just(MatchOp::Regex), Just(MatchOp::NotRegex)], regex.prop_map(str::to_owned)),
    ];
    (label.prop_filter("names the metric", |l| l != "__name__"), value)
        .prop_map(|(label, (op, value))| Matcher { label, op, value })
}

fn any_selector() -> impl Strategy<Value = Selector> {
    (any_metric(), proptest::collection::btree_set(any_matcher(), 0..5))
        .prop_map(|(metric, matchers)| Selector { metric, matchers: matchers.into_iter().collect() })
}

/// Metrics with a colon are recorded sums, which are read by another rule.
fn any_raw_linear(counting: impl Strategy<Value = Counting>) -> impl Strategy<Value = Linear> {
    any_linear(counting).prop_map(|mut linear| {
        for term in &mut linear.terms {
            term.atom.selector.metric = term.atom.selector.metric.replace(':', "_");
        }
        linear.terms.sort_by(|a, b| a.atom.cmp(&b.atom));
        linear.terms.dedup_by(|a, b| a.atom == b.atom);
        linear
    })
}

fn any_linear(counting: impl Strategy<Value = Counting>) -> impl Strategy<Value = Linear> {
    let weight = prop_oneof![Just(1_000_000i64), Just(-1_000_000), -1_000_000_000_000..=1_000_000_000_000i64];
    let atom = (any_selector(), counting).prop_map(|(selector, counting)| Atom { selector, counting });
    proptest::collection::btree_map(atom, weight.prop_filter("counts", |w| *w != 0), 1..5).prop_map(
        |terms: BTreeMap<_, _>| Linear {
            terms: terms.into_iter().map(|(atom, weight)| Term { weight, atom }).collect(),
        },
    )
}

fn any_counting() -> impl Strategy<Value = Counting> {
    prop_oneof![
        Just(Counting::Counter),
        Just(Counting::GaugeSum),
        Just(Counting::GaugeCount),
        Just(Counting::NativeCount),
        (-1e12..1e12f64).prop_map(|bound| Counting::NativeAbove(bound.to_string())),
        Just(Counting::NativeAbove("0.3".into())),
    ]
}

/// Queries of many shapes, to be mutated.
const SEEDS: &[&str] = &[
    "sum(rate(a{b=\"c\",d=~\"5..\"}[{{.window}}])) - 0.5 * sum by (x) (increase(e[5m] offset 1h))",
    "histogram_fraction(0.2, +Inf, sum(rate(h[5m]))) * histogram_count(sum(rate(h[5m])))",
    "sum_over_time((count(g < 0.75))[{{ .window }}:1m] @ end()) OR on() vector(0)",
    "a + ignoring(le) group_left(x) b or {\"é.b\",'c'!~`d`} # note\n unless -c ^ 2 == bool 1e3",
    "label_replace(x, \"a\", \"$1\", \"b\", \"(.*)\\\\n\") atan2 {__name__=~\"a|b\" or c=\"d\"}",
];

fn mutated() -> impl Strategy<Value = String> {
    let edit = (
        any::<prop::sample::Index>(),
        0..6usize,
        prop_oneof![any::<String>(), "[-+({\\[\"'`#$1e.,:=!~a}\\])]{0,4}"],
    );
    (proptest::sample::select(SEEDS), proptest::collection::vec(edit, 1..5)).prop_map(|(seed, edits)| {
        let mut chars: Vec<char> = seed.chars().collect();
        for (at, removed, inserted) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + removed).min(chars.len());
            chars.splice(at..end, inserted.chars());
        }
        chars.into_iter().collect()
    })
}

/// Reads a text in every way; what is counted must print as what it is.
fn read_everything(text: &str) {
    let _ = (parse(text), read_template(text), form(text));
    if let Ok(selector) = read_selector(text) {
        assert_eq!(read_selector(&selector.to_string()), Ok(selector));
    }
    if let Ok(canonical) = read_any(text) {
        assert_eq!(read_any(&canonical).as_deref(), Ok(canonical.as_str()));
    }
    for aggregated in [false, true] {
        if let Ok(EventsQuery::Additive(linear)) = read_events(text, aggregated) {
            assert_eq!(read_events(&linear.to_string(), aggregated), Ok(EventsQuery::Additive(linear)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_selector_reads_back_as_itself(selector in any_selector()) {
        let printed = selector.to_string();
        prop_assert_eq!(read_selector(&printed), Ok(selector), "{}", printed);
    }

    #[test]
    fn a_sum_reads_back_as_itself(linear in any_raw_linear(any_counting()), secs in 1..100_000_000u32) {
        let template = linear.to_string();
        prop_assert_eq!(read_events(&template, false), Ok(EventsQuery::Additive(linear.clone())), "{}", template);
        let printed = linear.to_promql(Span::from_secs(secs));
        prop_assert_eq!(read_events(&printed, false), Ok(EventsQuery::Additive(linear)), "{}", printed);
    }

    #[test]
    fn a_sum_of_recorded_sums_reads_back_as_itself(linear in any_linear(Just(Counting::Aggregated))) {
        let printed = linear.to_promql(Span::from_mins(5));
        prop_assert_eq!(read_events(&printed, true), Ok(EventsQuery::Additive(linear)), "{}", printed);
    }

    #[test]
    fn no_text_makes_reading_panic(text in prop_oneof![any::<String>(), "[-+*/^({\\[\"'`#$0-9e.,:=!~a-z}\\]) ]{0,40}"]) {
        read_everything(&text);
    }

    #[test]
    fn no_mutation_makes_reading_panic(text in mutated()) {
        read_everything(&text);
        read_everything(&with_window(&text, Span::from_mins(5)));
    }
}
