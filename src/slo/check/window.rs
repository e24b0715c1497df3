//! `spec.window` and `spec.objective`; windows that are whole steps.

use super::field::{Field, short};
use crate::slo::period::{CalendarUnit, Period, Zone};
use crate::slo::problem::Report;
use crate::slo::time::{Span, Step};
use crate::slo::unit::Objective;

const SHORTEST: Span = Span::from_hours(1);
const LONGEST: Span = Span::from_days(400);
/// Up to here a window is a sum of five-minute slots, beyond of hours.
const FIVE_MINUTE_SLOTS: Span = Span::from_days(7);

/// What a definition without a window gets.
pub(super) const DEFAULT: Period = Period::Rolling(Span::from_days(28));

/// `28d`, or `{calendar: month, timeZone: Europe/Berlin}`.
pub(super) fn period(field: &Field<'_>, report: &mut Report) -> Option<Period> {
    if field.node.as_text().is_some() {
        return rolling(field, report);
    }
    let section = field.section(&["calendar", "timeZone"], report)?;
    let units =
        [("month", CalendarUnit::Month), ("quarter", CalendarUnit::Quarter), ("week", CalendarUnit::Week)];
    let unit = section
        .require(
            "calendar",
            "month, quarter or week; or write a rolling window, such as `window: 28d`",
            report,
        )
        .and_then(|f| f.choice(&units, report));
    let zone = match section.field("timeZone") {
        Some(field) => zone(&field, report),
        None => Zone::named("UTC"),
    };
    Some(Period::Calendar { unit: unit?, zone: zone? })
}

fn rolling(field: &Field<'_>, report: &mut Report) -> Option<Period> {
    let span = field.span(SHORTEST..=LONGEST, report)?;
    let slot = if span <= FIVE_MINUTE_SLOTS { Span::from_mins(5) } else { Span::from_hours(1) };
    if span.secs() % slot.secs() != 0 {
        let hint = "up to 7d multiples of 5m, beyond multiples of 1h".to_owned();
        report.error(field.at(), format!("`{}: {span}` is not a multiple of {slot}", field.path), Some(hint));
        return None;
    }
    Some(Period::Rolling(span))
}

fn zone(field: &Field<'_>, report: &mut Report) -> Option<Zone> {
    let text = field.text(report)?;
    let zone = Zone::named(text);
    if zone.is_none() {
        let hint = "use an IANA name, such as Europe/Berlin, Asia/Shanghai or UTC".to_owned();
        report.error(
            field.at(),
            format!("`{}: {}` is not a known time zone", field.path, short(text)),
            Some(hint),
        );
    }
    zone
}

/// Percent, exactly as written.
pub(super) fn objective(field: &Field<'_>, report: &mut Report) -> Option<Objective> {
    let objective: Objective = field
        .parse("percent of good events as a plain number, such as 99.9, at most seven decimals", report)?;
    if objective.ppb() < 10_000_000 {
        let hint = "objectives are in percent: write 99.9, not 0.999".to_owned();
        report.notice(
            field.at(),
            format!("`{}` promises only {objective} of good events", field.path),
            Some(hint),
        );
    }
    Some(objective)
}

/// A window that slices fill: whole steps, at least two of them.
pub(super) fn of_steps(field: &Field<'_>, longest: Span, step: Step, report: &mut Report) -> Option<Span> {
    let shortest = Span::from_secs_saturating(2 * step.secs());
    let span = field.span(shortest..=longest, report)?;
    if span.secs() % step.secs() != 0 {
        let hint = format!("the nearest is {}", nearest_multiple(span, step));
        let what = format!("`{}: {span}` is not a multiple of the step {}", field.path, step.span());
        report.error(field.at(), what, Some(hint));
        return None;
    }
    Some(span)
}

fn nearest_multiple(span: Span, step: Step) -> Span {
    Span::from_secs_saturating((span.secs() + step.secs() / 2) / step.secs() * step.secs())
}
