//! From the frames of an answer to cells.

use std::collections::BTreeMap;

use super::table::{Cell, Key};
use crate::engine::plan::form::PART;
use crate::engine::plan::{Form, Member, QueryGroup, Take, Wanted};
use crate::engine::sample::{Frame, Reading};
use crate::slo::time::Ts;
use crate::slo::unit::Events;

/// Sums of counters are exact below this: half the integers a float holds, so that no rounding
/// can hide that a series fell.
const EXACT: f64 = 4_503_599_627_370_496.0;

/// The parts of one point.
pub(super) type Point<'a> = BTreeMap<&'a str, Reading>;

/// The points of an answer by group and time. Frames that were not asked for are left out.
pub(super) fn points<'a>(group: &QueryGroup, frames: &'a [Frame]) -> BTreeMap<Key, BTreeMap<Ts, Point<'a>>> {
    let mut out: BTreeMap<Key, BTreeMap<Ts, Point<'a>>> = BTreeMap::new();
    for frame in frames {
        let Some(key) = group.place(&frame.labels) else { continue };
        let part = frame.labels.get(PART).map_or("", String::as_str);
        let row = out.entry(key).or_default();
        for (at, reading) in &frame.points {
            row.entry(*at).or_default().insert(part, *reading);
        }
    }
    out
}

/// What a point of the main query says.
pub(super) enum Said {
    /// The group does not exist.
    Nothing,
    /// The count and the values.
    Cell(Cell),
    /// The same, less what some series had counted before they restarted.
    Restarted(Cell),
    /// Some series fell, or the sums are too large: the joined form must be asked.
    Doubtful {
        /// No series of the group existed before the slot.
        all_new: bool,
    },
}

/// Reads one point of the main query, with the one a slot before it where there is one.
pub(super) fn main(form: &Form, member: &Member, point: &Point<'_>, before: Option<&Point<'_>>) -> Said {
    let wanted = member.wanted.len();
    if let Form::Counter = form {
        return cheap(point, before, wanted);
    }
    if point.is_empty() {
        return Said::Nothing;
    }
    let Some((count, before)) = value(point, "d").zip(value(point, "e")) else {
        return Said::Cell(Cell::unreadable(wanted));
    };
    let (count, before) = (count.unwrap_or_default(), before.unwrap_or_default());
    let take = |w: &Wanted| match w.take {
        Take::Above(bound) => above(point, bound, (count, before)),
        _ => Events::from_f64(count - before),
    };
    match (Events::from_f64(count - before), member.wanted.iter().map(take).collect()) {
        (Some(count), Some(values)) => {
            let cell = Cell::counted(count, values, false);
            if point.contains_key("r") { Said::Restarted(cell) } else { Said::Cell(cell) }
        }
        _ => Said::Cell(Cell::unreadable(wanted)),
    }
}

/// `A(t) − A(t−S)`, where `A(t) = M(t)` proves that no series fell (see [`crate::engine::plan::form`]).
fn cheap(point: &Point<'_>, before: Option<&Point<'_>>, wanted: usize) -> Said {
    let b = before.map_or(Some(None), |before| value(before, "a"));
    let (Some(a), Some(b), Some(m)) = (value(point, "a"), b, value(point, "m")) else {
        return Said::Cell(Cell::unreadable(wanted));
    };
    let Some(m) = m else { return Said::Nothing };
    let (a, all_new) = (a.unwrap_or(0.0), b.is_none());
    if a.abs() >= EXACT || a < m {
        return Said::Doubtful { all_new };
    }
    match Events::from_f64(a - b.unwrap_or(0.0)) {
        Some(count) => Said::Cell(Cell::counted(count, vec![count; wanted], all_new)),
        None => Said::Cell(Cell::unreadable(wanted)),
    }
}

/// Adds what histograms had counted before they restarted.
pub(super) fn add_before_resets(cell: &mut Cell, member: &Member, point: &Point<'_>) {
    let part = |name: &str| events(point, name).unwrap_or_default();
    cell.count = cell.count.plus(part("d"));
    for (value, wanted) in cell.values.iter_mut().zip(&member.wanted) {
        *value = value.plus(match wanted.take {
            Take::Above(bound) => part(&format!("f{bound}")),
            _ => part("d"),
        });
    }
}

/// The share above a bound of what is there now, less that of what was there before.
fn above(point: &Point<'_>, bound: usize, (count, before): (f64, f64)) -> Option<Events> {
    let now = count * fraction(point, &format!("f{bound}"), count)?;
    let then = before * fraction(point, &format!("g{bound}"), before)?;
    Events::from_f64((now - then).clamp(0.0, (count - before).max(0.0)))
}

/// The fraction of an empty histogram is not a number; there is nothing above any bound in it.
fn fraction(point: &Point<'_>, part: &str, count: f64) -> Option<f64> {
    if count <= 0.0 { Some(0.0) } else { value(point, part)? }
}

/// A part's number: `None` when it is not a number, `Some(None)` when it is not there.
#[expect(clippy::option_option, reason = "not there and not a number are different things")]
pub(super) fn value(point: &Point<'_>, part: &str) -> Option<Option<f64>> {
    match point.get(part) {
        None => Some(None),
        Some(Reading::Value(value)) => Some(Some(value.get())),
        Some(Reading::NotANumber) => None,
    }
}

/// A part as events; `None` unless it is there and a number.
pub(super) fn events(point: &Point<'_>, part: &str) -> Option<Events> {
    value(point, part).flatten().and_then(Events::from_f64)
}
