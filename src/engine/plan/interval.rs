//! How often a group's series are scraped, measured now and then instead of assumed.

use super::evidence::samples;
use super::group::{Form, QueryGroup};
use crate::engine::sample::{Answer, Query, Reading};
use crate::slo::query::Selector;
use crate::slo::time::{Span, Ts};

impl QueryGroup {
    /// Asks how often the members were sampled in the last half hour; `None` for forms that
    /// have no selector.
    pub fn interval_query(&self, at: Ts) -> Option<Query> {
        if matches!(self.form, Form::Timeslice { .. } | Form::Direct { .. }) {
            return None;
        }
        let promql = samples(self);
        Some(Query { source: self.source.clone(), promql, start: at, end: at, every: self.step.span() })
    }

    /// The answer as scrape intervals for [`super::PlanContext::intervals`], rounded up to whole
    /// seconds. Fewer than three samples say nothing.
    pub fn read_interval(&self, answer: &Answer) -> Vec<((String, Selector), Span)> {
        let Answer::Frames { frames, .. } = answer else { return Vec::new() };
        let singles = self.split();
        let mut out = Vec::new();
        for frame in frames {
            let Some((member, _)) = self.place(&frame.labels) else { continue };
            let Some((_, Reading::Value(count))) = frame.points.last() else { continue };
            let (Some(single), Some(interval)) = (singles.get(member), interval(count.get())) else {
                continue;
            };
            out.push(((self.source.clone(), single.base.clone()), interval));
        }
        out
    }
}

#[expect(clippy::cast_possible_truncation, reason = "between 1 and 600")]
fn interval(samples: f64) -> Option<Span> {
    // One sample more or less on the edges of the range must not make 15s into 16s.
    (samples >= 3.0).then(|| Span::from_secs_saturating((1800.0 / samples - 0.25).ceil().max(1.0) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_measured_to_the_second() {
        for (samples, secs) in [(120.0, 15), (121.0, 15), (119.0, 15), (30.0, 60), (5.0, 360), (1800.0, 1)] {
            assert_eq!(interval(samples), Some(Span::from_secs(secs)), "{samples}");
        }
        assert_eq!(interval(2.0), None);
    }
}
