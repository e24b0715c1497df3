//! One spelling per query, so that equal queries are asked once.

use promql_parser::label::Matchers;
use promql_parser::parser::Expr;
use promql_parser::util::visitor::{ExprVisitorMut, walk_expr_mut};
use std::convert::Infallible;

use super::{bounds, placeholders};

/// The parser's spelling of a query, where it surely means the same; else the text as written.
/// (The parser prints a timestamp before 1970 as 1970, for one, and a placeholder out of what was escaped.)
pub(super) fn text(mut expr: Expr, written: &str) -> String {
    let printed = expr.to_string();
    sort_matchers(&mut expr);
    match bounds::parse(&printed) {
        Ok(mut again) => {
            sort_matchers(&mut again);
            if again == expr && !placeholders::holds(&printed) { printed } else { written.to_owned() }
        }
        Err(_) => written.to_owned(),
    }
}

/// Matchers are printed sorted, so trees are compared sorted.
fn sort_matchers(expr: &mut Expr) {
    let Ok(_) = walk_expr_mut(&mut Sort, expr);
}

struct Sort;

impl Sort {
    fn sort(matchers: &mut Matchers) {
        matchers.matchers.sort_by_cached_key(ToString::to_string);
    }
}

impl ExprVisitorMut for Sort {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &mut Expr) -> Result<bool, Infallible> {
        match expr {
            Expr::VectorSelector(selector) => Self::sort(&mut selector.matchers),
            Expr::MatrixSelector(selector) => Self::sort(&mut selector.vs.matchers),
            _ => {}
        }
        Ok(true)
    }
}
