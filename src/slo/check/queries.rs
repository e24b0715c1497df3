//! The one place where definitions hand PromQL to its reader.

use super::field::Field;
use crate::slo::problem::Report;
use crate::slo::promql::{self, EventsQuery, Form, QueryError};
use crate::slo::query::Selector;

/// The query of `bad`, `good` or `total`.
pub(super) fn events(field: &Field<'_>, aggregated: bool, report: &mut Report) -> Option<EventsQuery> {
    read(field, report, |text| promql::read_events(text, aggregated))
}

/// Whether an events query is written per second or per window; `None` where that cannot be told.
/// Without a function there is nothing to tell, and parsing is the slow part of loading.
pub(super) fn form(field: &Field<'_>) -> Option<Form> {
    promql::form(field.node.as_text().filter(|text| text.contains('('))?)
}

/// A selector of one metric.
pub(super) fn selector(field: &Field<'_>, report: &mut Report) -> Option<Selector> {
    read(field, report, promql::read_selector)
}

/// A query that holds `{{.window}}`.
pub(super) fn template(field: &Field<'_>, report: &mut Report) -> Option<String> {
    read(field, report, promql::read_template)
}

/// Any instant query.
pub(super) fn any(field: &Field<'_>, report: &mut Report) -> Option<String> {
    read(field, report, promql::read_any)
}

/// Label matchers alone, `code=~"5.."` or `{code=~"5.."}`, as a selector of `metric`.
pub(super) fn matchers(metric: &str, field: &Field<'_>, report: &mut Report) -> Option<Selector> {
    read(field, report, |text| {
        let text = text.trim();
        let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
        let selector = promql::read_selector(&format!("{metric}{{{inner}}}"))?;
        if selector.metric != metric {
            let hint = Some("write label matchers alone, such as job=\"checkout\",code=~\"5..\"".to_owned());
            return Err(QueryError { message: "names a metric".into(), hint });
        }
        Ok(selector)
    })
}

fn read<T>(
    field: &Field<'_>,
    report: &mut Report,
    reader: impl Fn(&str) -> Result<T, QueryError>,
) -> Option<T> {
    let text = field.text(report)?;
    match reader(text) {
        Ok(value) => Some(value),
        Err(error) => {
            report.error(field.at(), format!("`{}`: {}", field.path, error.message), error.hint);
            None
        }
    }
}
