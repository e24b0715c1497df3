//! What follows from definitions: a plan, its questions, a ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use damper::engine::collect::{Ask, Collect};
use damper::engine::fact::Tier;
use damper::engine::plan::{Plan, PlanContext, QueryGroup, SourceKind, SourceTraits};
use damper::slo::model::Slo;
use damper::slo::time::{Span, Step, Ts};
use damper::slo::{Context, Loaded, SourceFile, load};
use promql_parser::parser::{Expr, VectorSelector};

/// The moment at which everything happens.
pub const NOW: Ts = Ts(1_800_000_000);

pub fn loaded(text: &str) -> Loaded {
    let file = SourceFile { path: "slos/a.yaml".to_owned(), text: text.to_owned() };
    load(&[file], &Context::without_settings(Step::DEFAULT))
}

/// A plan for one kind of source.
pub fn plan(slos: &[Arc<Slo>], kind: SourceKind) -> Plan {
    let traits = SourceTraits { kind, left_open: true, lookback: Span::from_mins(10) };
    let context = PlanContext {
        step: Step::DEFAULT,
        default_source: "local".to_owned(),
        sources: BTreeMap::from([("local".to_owned(), traits)]),
        intervals: BTreeMap::new(),
    };
    Plan::build(slos, &context)
}

/// What is asked first about the last four slices of a group.
pub fn asks(group: &Arc<QueryGroup>, tier: Tier) -> (Collect, Vec<Ask>) {
    let span = Span::from_secs_saturating(4 * tier.span(group.step).secs());
    Collect::begin(group, tier, NOW.minus(span), NOW)
}

/// Every question of a plan is PromQL, and asks for what the definition does.
pub fn is_asked_as_written(plan: &Plan) {
    for group in &plan.groups {
        for tier in [Tier::Fine, Tier::FiveMinutes] {
            for ask in asks(group, tier).1 {
                keeps_matchers(&ask.query.promql, group);
            }
        }
        if let Some(query) = group.interval_query(NOW) {
            parsed(&query.promql);
        }
    }
    for direct in &plan.direct {
        parsed(&direct.query(NOW).promql);
    }
    for alive in &plan.alive_groups {
        parsed(&alive.query(NOW).promql);
    }
    for pair in &plan.buckets {
        parsed(&pair.query(Tier::Fine, (NOW, NOW)).promql);
    }
}

/// The text as the parser that definitions went through reads it.
pub fn parsed(promql: &str) -> Expr {
    promql_parser::parser::parse(promql).unwrap_or_else(|why| panic!("{why}: {promql}"))
}

/// No selector of the metric asks for more than the group does.
fn keeps_matchers(promql: &str, group: &QueryGroup) {
    let wanted = &group.base;
    let mut found = Vec::new();
    selectors(&parsed(promql), &mut found);
    for selector in found.iter().filter(|s| name(s).is_some_and(|name| name == wanted.metric)) {
        for matcher in &wanted.matchers {
            let is_kept = selector.matchers.matchers.iter().any(|found| {
                found.name == matcher.label
                    && found.value == matcher.value
                    && found.op.to_string() == matcher.op.to_string()
            });
            assert!(is_kept, "{matcher} is lost: {promql}");
        }
        if let Some(label) = group.merge.as_ref() {
            assert!(
                selector.matchers.matchers.iter().any(|found| found.name == *label),
                "{label} is lost: {promql}"
            );
        }
    }
}

/// The metric's name, wherever it stands.
pub fn name(selector: &VectorSelector) -> Option<String> {
    let within = || selector.matchers.matchers.iter().find(|matcher| matcher.name == "__name__");
    selector.name.clone().or_else(|| Some(within()?.value.clone()))
}

/// All selectors of a query.
pub fn selectors(expr: &Expr, found: &mut Vec<VectorSelector>) {
    match expr {
        Expr::Aggregate(of) => {
            selectors(&of.expr, found);
            of.param.iter().for_each(|param| selectors(param, found));
        }
        Expr::Unary(of) => selectors(&of.expr, found),
        Expr::Binary(of) => {
            selectors(&of.lhs, found);
            selectors(&of.rhs, found);
        }
        Expr::Paren(of) => selectors(&of.expr, found),
        Expr::Subquery(of) => selectors(&of.expr, found),
        Expr::VectorSelector(of) => found.push(of.clone()),
        Expr::MatrixSelector(of) => found.push(of.vs.clone()),
        Expr::Call(of) => of.args.args.iter().for_each(|arg| selectors(arg, found)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}
