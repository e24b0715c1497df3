//! Ratios that are not additive, asked per window.

use std::collections::BTreeMap;

use crate::engine::sample::{Answer, Frame, Query, Reading};
use crate::slo::model::Labels;
use crate::slo::time::{Span, Step, Ts};
use crate::slo::unit::Finite;

/// Position of a direct window in the plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DirectIx(pub u32);

/// An error ratio over one window, shared by all SLOs that ask for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Direct {
    /// The source asked.
    pub source: String,
    /// PromQL with `{{.window}}`.
    pub template: String,
    /// The window.
    pub window: Span,
    /// How often it is asked: long windows move slowly.
    pub every: Span,
    /// Group labels, sorted.
    pub by: Vec<String>,
}

/// What a direct query said.
#[derive(Clone, PartialEq, Debug)]
pub enum DirectReading {
    /// The error ratio, 0 to 1, of every group that has one.
    Known(BTreeMap<Labels, Finite>),
    /// The source answered in whole and there was nothing.
    Absent,
    /// Nothing can be concluded.
    Unknown,
}

impl Direct {
    /// `max(S, window / 60)`, rounded up to whole steps.
    pub(super) fn cadence(window: Span, step: Step) -> Span {
        let unit = 60 * step.secs();
        let steps = ((window.secs() + unit - 1) / unit).max(1);
        Span::from_secs_saturating(steps * step.secs())
    }

    /// The instant query at `at`.
    pub fn query(&self, at: Ts) -> Query {
        let promql = fill(&self.template, self.window);
        Query { source: self.source.clone(), promql, start: at, end: at, every: self.every }
    }

    /// Reads its answer.
    pub fn read(&self, answer: &Answer) -> DirectReading {
        let Answer::Frames { frames, .. } = answer else { return DirectReading::Unknown };
        let mut known = BTreeMap::new();
        for frame in frames {
            let Some((_, Reading::Value(ratio))) = frame.points.last() else { continue };
            keep_worst(&mut known, group_of(frame, &self.by), *ratio);
        }
        if known.is_empty() { DirectReading::Absent } else { DirectReading::Known(known) }
    }
}

/// The template with its window.
pub(super) fn fill(template: &str, window: Span) -> String {
    template.replace("{{.window}}", &window.to_string())
}

/// The group's own labels of a frame; others are of no concern.
pub(in crate::engine) fn group_of(frame: &Frame, by: &[String]) -> Labels {
    by.iter().filter_map(|label| Some((label.clone(), frame.labels.get(label)?.clone()))).collect()
}

/// Several frames in one group: the worst ratio counts. Ratios are clamped to 0 … 1.
pub(in crate::engine) fn keep_worst(known: &mut BTreeMap<Labels, Finite>, group: Labels, ratio: Finite) {
    let Some(clamped) = Finite::new(ratio.get().clamp(0.0, 1.0)) else { return };
    let worst = known.entry(group).or_insert(clamped);
    if clamped > *worst {
        *worst = clamped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_windows_are_asked_less_often() {
        for (window, every) in [(300, 30), (3600, 60), (21_600, 360), (86_400, 1440), (86_500, 1470)] {
            let cadence = Direct::cadence(Span::from_secs(window), Step::DEFAULT);
            assert_eq!(cadence, Span::from_secs(every), "{window}");
        }
    }
}
