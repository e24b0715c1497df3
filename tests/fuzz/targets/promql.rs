//! Queries as people write them: read in every way, and what is made of them reads back as the same.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use damper::engine::plan::SourceKind;
use damper::slo::model::Slo;
use damper::slo::promql::{
    EventsQuery, form, parse, read_any, read_events, read_selector, read_template, with_window,
};
use damper::slo::query::{Linear, Selector};
use damper::slo::time::Span;
use promql_parser::parser::VectorSelector;

use super::plans::{is_asked_as_written, loaded, name, parsed, plan, selectors};

/// A query that takes longer is read once.
const SLOW: Duration = Duration::from_millis(50);

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let began = Instant::now();
    let _ = parse(text);
    // A regex at its bound takes a moment to compile, and what follows compiles it thirty times.
    if began.elapsed() > SLOW {
        return;
    }
    let _ = form(text);
    if let Ok(selector) = read_selector(text) {
        assert_eq!(read_selector(&selector.to_string()), Ok(selector), "{text}");
    }
    if let Ok(canonical) = read_any(text) {
        assert_eq!(read_any(&canonical).as_deref(), Ok(canonical.as_str()), "{text}");
    }
    if let Ok(template) = read_template(text) {
        parsed(&with_window(&template, Span::from_mins(5)));
    }
    for aggregated in [false, true] {
        match read_events(text, aggregated) {
            Ok(EventsQuery::Additive(linear)) => is_the_same(text, linear, aggregated),
            Ok(EventsQuery::Direct { template, .. }) => {
                parsed(&with_window(&template, Span::from_hours(6)));
            }
            Err(error) => assert!(!error.message.is_empty()),
        }
    }
    as_definition(text);
}

/// What is counted prints as what it is, and asks for nothing that was not written.
fn is_the_same(text: &str, linear: Linear, aggregated: bool) {
    let written = with_window(text, Span::from_mins(5));
    if let Ok(expr) = parse(&written) {
        let mut found = Vec::new();
        selectors(&expr, &mut found);
        for term in &linear.terms {
            let wanted = &term.atom.selector;
            let is_written = found.iter().any(|selector| asks_for_the_same(selector, wanted));
            assert!(is_written, "{wanted} is not what {text} asks for");
            assert_ne!(term.weight, 0, "{text}");
        }
    }
    let again = read_events(&linear.to_string(), aggregated);
    assert_eq!(again, Ok(EventsQuery::Additive(linear)), "{text}");
}

/// Whether each matcher of the one is one of the other.
fn asks_for_the_same(written: &VectorSelector, wanted: &Selector) -> bool {
    let matchers = written.matchers.matchers.iter().filter(|matcher| matcher.name != "__name__");
    let written_ones: BTreeSet<_> =
        matchers.map(|m| (m.name.clone(), m.op.to_string(), m.value.clone())).collect();
    let wanted_ones: BTreeSet<_> =
        wanted.matchers.iter().map(|m| (m.label.clone(), m.op.to_string(), m.value.clone())).collect();
    name(written).is_some_and(|name| name == wanted.metric) && written_ones == wanted_ones
}

/// The text as each query of a definition.
fn as_definition(text: &str) {
    // A JSON string is one of YAML's.
    let Ok(query) = serde_json::to_string(text) else { return };
    let mut file = String::new();
    let slis = [
        format!("events: {{bad: {query}, total: {query}}}"),
        format!("events: {{good: {query}, total: {query}, counter: aggregated}}"),
        format!("ratio: {{query: {query}}}"),
        format!("timeslice: {{query: {query}, good: '< 0.5', slice: 1m}}"),
        format!("latency: {{histogram: {query}, objectives: [{{percent: 99, within: 300ms}}]}}"),
    ];
    for (i, sli) in slis.iter().enumerate() {
        let _ = writeln!(
            file,
            "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: n{i}}}\nspec:\n  service: s\n  objective: 99\n  sli:\n    {sli}\n---"
        );
    }
    let slos: Vec<Arc<Slo>> = loaded(&file).slos().cloned().map(Arc::new).collect();
    is_asked_as_written(&plan(&slos, SourceKind::Prometheus));
}
