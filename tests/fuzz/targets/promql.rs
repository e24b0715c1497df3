//! Queries as people write them: read in every way, and what is made of them reads back as the same.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use damper::engine::plan::SourceKind;
use damper::slo::model::Slo;
use damper::slo::promql::{
    EventsQuery, form, parse, read_any, read_events, read_selector, read_template, with_window,
};
use damper::slo::query::Linear;
use damper::slo::time::Span;

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
            let is_written = found.iter().filter(|s| name(s).as_deref() == Some(&*wanted.metric)).any(|s| {
                let all = s.matchers.matchers.iter().filter(|m| m.name != "__name__");
                all.clone().all(|m| wanted.matchers.iter().any(|w| w.label == m.name && w.value == m.value))
            });
            assert!(is_written, "{wanted} lost a matcher of {text}");
            assert_ne!(term.weight, 0, "{text}");
        }
    }
    let again = read_events(&linear.to_string(), aggregated);
    assert_eq!(again, Ok(EventsQuery::Additive(linear)), "{text}");
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
