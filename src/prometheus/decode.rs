//! An answer's bytes into an [`Answer`]: whole and on the asked grid, or a failure that says why.
//!
//! What cannot be trusted in part is not taken in part: a slice that is silently too small would
//! look healthy.

use std::collections::HashSet;

use super::refusal::{excerpt, foreign, refused};
use super::wire::{Data, Envelope, MAX_SERIES, Point, Rows, Series};
use crate::engine::sample::{Answer, Failure, FailureKind, Frame, Query, Reading};
use crate::slo::model::Labels;
use crate::slo::time::Ts;

/// Most notes kept of one answer.
const MAX_NOTES: usize = 10;
/// How far a timestamp may be off the grid, in seconds; Prometheus works in milliseconds.
const GRID_TOLERANCE: f64 = 0.0015;

/// Reads the answer to `query` that came with this HTTP code.
pub(crate) fn decode(code: u16, body: &[u8], query: &Query) -> Answer {
    read(code, body, query).unwrap_or_else(Answer::Failed)
}

fn read(code: u16, body: &[u8], query: &Query) -> Result<Answer, Failure> {
    let envelope: Envelope<'_> =
        serde_json::from_slice(body).map_err(|why| foreign(code, body, &excerpt(&why.to_string())))?;
    if envelope.status != "success" || !(200..300).contains(&code) {
        let error_type = envelope.error_type.unwrap_or_default();
        return Err(refused(code, &error_type, &envelope.error.unwrap_or_default(), &query.promql));
    }
    let notes = notes(envelope.warnings.unwrap_or_default(), envelope.is_partial.unwrap_or_default())?;
    let frames = frames(envelope.data, query)?;
    Ok(Answer::Frames { frames, notes })
}

/// Warnings about the expression are harmless notes; any other says that data are missing.
fn notes(warnings: Vec<String>, is_partial: bool) -> Result<Vec<String>, Failure> {
    let harmless = |w: &String| w.starts_with("PromQL warning:") || w.starts_with("PromQL info:");
    let missing: Vec<String> = warnings.iter().filter(|w| !harmless(w)).take(3).map(|w| excerpt(w)).collect();
    if is_partial || !missing.is_empty() {
        let why = if missing.is_empty() { "isPartial".to_owned() } else { missing.join("; ") };
        let message = format!("answered only in part, so nothing can be concluded: {why}");
        return Err(Failure { kind: FailureKind::Partial, message });
    }
    Ok(warnings.iter().take(MAX_NOTES).map(|w| excerpt(w)).collect())
}

fn frames(data: Option<Data>, query: &Query) -> Result<Vec<Frame>, Failure> {
    let Some(Data { result_type: Some(kind), result: Some(rows) }) = data else {
        return Err(garbage("`data.resultType` or `data.result` is missing"));
    };
    if rows.overflow {
        let message = format!(
            "answered more than {MAX_SERIES} series, or more labels and points than are kept; aggregate the query with `sum by (…)`"
        );
        return Err(Failure { kind: FailureKind::TooLarge, message });
    }
    let instant = query.start == query.end;
    let series = match (kind.as_str(), instant, rows) {
        ("vector", true, Rows { series, scalar: None, .. })
        | ("matrix", false, Rows { series, scalar: None, .. }) => series,
        ("scalar", true, Rows { scalar: Some(point), .. }) => {
            vec![Series { labels: Labels::new(), points: vec![point] }]
        }
        (kind, ..) => {
            let wanted = if instant { "vector" } else { "matrix" };
            return Err(garbage(&format!("the result of the query is a {}, not a {wanted}", excerpt(kind))));
        }
    };
    let frames = series.into_iter().map(|series| frame(series, query)).collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashSet::with_capacity(frames.len());
    match frames.iter().find(|frame| !seen.insert(&frame.labels)) {
        Some(twice) => Err(garbage(&format!("the series {} comes twice", labels(&twice.labels)))),
        None => Ok(frames),
    }
}

fn frame(series: Series, query: &Query) -> Result<Frame, Failure> {
    let mut points: Vec<(Ts, Reading)> = Vec::with_capacity(series.points.len());
    for Point(seconds, reading) in series.points {
        let time = on_grid(seconds, query).filter(|time| points.last().is_none_or(|(last, _)| last < time));
        let Some(time) = time else {
            return Err(garbage(&format!(
                "the series {} has a point at {seconds}, which is not the next of those asked",
                labels(&series.labels)
            )));
        };
        points.push((time, reading));
    }
    Ok(Frame { labels: series.labels, points })
}

/// The evaluation time that `seconds` is, if it is one of those asked.
fn on_grid(seconds: f64, query: &Query) -> Option<Ts> {
    let whole = seconds.round();
    if !seconds.is_finite() || (seconds - whole).abs() > GRID_TOLERANCE || whole.abs() > 1e15 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 10^15")]
    let time = Ts(whole as i64);
    let offset = time.0.checked_sub(query.start.0)?;
    let asked = time >= query.start && time <= query.end && offset % query.every.secs().max(1) == 0;
    asked.then_some(time)
}

fn labels(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().take(8).map(|(name, value)| format!("{name}={value:?}")).collect();
    excerpt(&format!("{{{}}}", pairs.join(",")))
}

fn garbage(what: &str) -> Failure {
    let message =
        format!("answered what Prometheus would not: {what}; check the query, and what stands behind `url`");
    Failure { kind: FailureKind::Garbage, message }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
