//! SLOs as other documents name them: `service/name`, and one group of it.

use super::field::{Field, short};
use super::names;
use crate::slo::model::{Labels, SloId};
use crate::slo::problem::Report;

/// `service/name`.
pub(super) fn id(field: &Field<'_>, report: &mut Report) -> Option<SloId> {
    let text = field.text(report)?;
    let parts =
        text.split_once('/').filter(|(service, name)| names::is_name(service) && names::is_name(name));
    if parts.is_none() {
        let hint = "write service/name, such as checkout/availability".to_owned();
        report.error(field.at(), format!("`{}: {}` is not an SLO", field.path, short(text)), Some(hint));
    }
    let (service, name) = parts?;
    Some(SloId { service: service.to_owned(), name: name.to_owned() })
}

/// A value for each label of an SLO's groups.
pub(super) fn group(field: Field<'_>, report: &mut Report) -> Option<Labels> {
    let (at, path, before) = (field.at(), field.path.clone(), report.errors());
    let labels = names::labels(Some(field), &[], report);
    if report.errors() > before {
        return None;
    }
    if labels.is_empty() {
        let hint = "name a value for each label of the SLO's groupBy; without `group` all groups count";
        report.error(at, format!("`{path}` names no label"), Some(hint.to_owned()));
        return None;
    }
    Some(labels)
}
