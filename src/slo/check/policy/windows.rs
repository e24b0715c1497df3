//! `spec.windows`: a short and a long one that must agree.

use crate::slo::check::field::Section;
use crate::slo::check::window;
use crate::slo::policy::Windows;
use crate::slo::problem::Report;
use crate::slo::time::{Span, Step};

/// A longer window acts too late to help; up to here a window is a sum of slices.
const LONGEST: Span = Span::from_hours(6);
const SHORT: Span = Span::from_mins(2);
/// Every step divides it.
const LONG: Span = Span::from_mins(5);

/// The windows; `None` where they are written and cannot be read.
pub(super) fn read(spec: &Section<'_>, step: Step, report: &mut Report) -> Option<Windows> {
    let default = Windows { short: whole_steps(SHORT, step), long: LONG };
    let Some(field) = spec.field("windows") else { return Some(default) };
    let section = field.section(&["short", "long"], report)?;
    let mut one = |key: &str, default| match section.field(key) {
        Some(field) => Some((window::of_steps(&field, LONGEST, step, report)?, field.at())),
        None => Some((default, field.at())),
    };
    let (short, long) = (one("short", default.short), one("long", default.long));
    let ((short, at), (long, _)) = (short?, long?);
    if short >= long {
        let what = format!("`{}.short: {short}` is not shorter than long: {long}", field.path);
        let hint = "the long window tells burning from a blip, the short one when it ends".to_owned();
        report.error(at, what, Some(hint));
        return None;
    }
    Some(Windows { short, long })
}

/// The default in whole steps, rounded up: 2m30s where the step is 50s.
fn whole_steps(span: Span, step: Step) -> Span {
    Span::from_secs_saturating((span.secs() + step.secs() - 1) / step.secs() * step.secs())
}
