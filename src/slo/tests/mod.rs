//! Whole files in, SLOs or problems out.

mod accepted;
mod composite;
mod documents;
mod expand;
mod policies;
mod properties;
mod refused;

use super::model::{Rule, Sli, Slo};
use super::problem::{Problem, render};
use super::time::Step;
use super::{Context, Loaded, SourceFile, load};

fn context() -> Context {
    Context::without_settings(Step::DEFAULT)
}

fn loaded(text: &str) -> Loaded {
    load(&[SourceFile { path: "slos/checkout.yaml".into(), text: text.into() }], &context())
}

/// All problems as a terminal shows them.
fn rendered(text: &str) -> String {
    loaded(text).problems().map(|p| render(p, text)).collect::<Vec<_>>().join("\n")
}

/// `line:column what`, one a line.
fn listed(text: &str) -> Vec<String> {
    let show = |p: &Problem| format!("{}:{} {}", p.line, p.column, p.what);
    loaded(text).problems().map(show).collect()
}

/// The SLOs of a text without errors.
fn good(text: &str) -> Vec<Slo> {
    let loaded = loaded(text);
    let slos: Vec<Slo> = loaded.slos().cloned().collect();
    assert!(loaded.documents.iter().all(|d| d.slos.is_some()), "{}", rendered(text));
    slos
}

/// An SLO document whose `spec` ends with these lines, each indented by two.
fn with_spec(lines: &str) -> String {
    let mut text =
        "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {name: a}\nspec:\n  service: s\n"
            .to_owned();
    for line in lines.lines() {
        text.push_str("  ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// A counted SLO at 99.9 with these further lines.
fn counted(lines: &str) -> String {
    with_spec(&format!(
        "objective: 99.9\nsli: {{events: {{bad: 'r{{job=\"j\",code=~\"5..\"}}', total: 'r{{job=\"j\"}}'}}}}\n{lines}"
    ))
}

/// A timeslice, latency or other SLI in flow style, with objective where it has none.
fn sli(objective: &str, flow: &str) -> String {
    with_spec(&format!("{objective}\nsli: {flow}"))
}

fn counted_text(slo: &Slo) -> (String, String) {
    let Sli::Counted { bad, total } = &slo.sli else { panic!("{:?}", slo.sli) };
    let show = |linear: &super::query::Linear| {
        let term = |t: &super::query::Term| {
            format!("{:+} {} {:?}", t.weight / 1_000_000, t.atom.selector, t.atom.counting)
        };
        linear.terms.iter().map(term).collect::<Vec<_>>().join("\n")
    };
    (show(bad), show(total))
}

fn names(rules: &[Rule]) -> Vec<String> {
    rules.iter().map(Rule::name).collect()
}
