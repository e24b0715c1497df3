//! Whether workloads are up: the `alive` selectors, asked together.

use super::form::{PART, aggregate};
use super::merge::{Merged, alternatives, merge};
use crate::engine::sample::{Answer, Query, Reading};
use crate::slo::query::Selector;
use crate::slo::time::{Span, Ts};

/// Position of an alive selector in the plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AliveIx(pub u32);

/// One alive selector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alive {
    /// The source asked.
    pub source: String,
    /// Series that are 1 while something is up.
    pub selector: Selector,
}

/// What an alive selector said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AliveReading {
    /// Series that are 1.
    pub up: u64,
    /// All series.
    pub known: u64,
}

/// Alive selectors asked in one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AliveGroup {
    /// The source asked.
    pub source: String,
    merged: Merged,
    members: Vec<AliveIx>,
}

impl AliveGroup {
    /// Merges all alive selectors of a plan.
    pub(super) fn merge(alive: &[Alive]) -> Vec<Self> {
        let mut sources: Vec<&str> = alive.iter().map(|a| a.source.as_str()).collect();
        sources.sort_unstable();
        sources.dedup();
        sources.into_iter().flat_map(|source| Self::of_source(source, alive)).collect()
    }

    fn of_source(source: &str, alive: &[Alive]) -> Vec<Self> {
        let own: Vec<(AliveIx, &Selector)> = (0u32..)
            .zip(alive)
            .filter(|(_, a)| a.source == source)
            .map(|(i, a)| (AliveIx(i), &a.selector))
            .collect();
        let selectors: Vec<&Selector> = own.iter().map(|(_, s)| *s).collect();
        let group = |merged: Merged| {
            let members = merged.members.iter().filter_map(|(i, _)| Some(own.get(*i)?.0)).collect();
            Self { source: source.to_owned(), merged, members }
        };
        merge(&selectors, &[]).into_iter().map(group).collect()
    }

    /// The selectors this group answers.
    pub fn members(&self) -> &[AliveIx] {
        &self.members
    }

    /// The instant query at `at`: how many series are 1, and how many are not.
    pub fn query(&self, at: Ts) -> Query {
        let mut x = self.merged.base.clone();
        if let Some(label) = &self.merged.label {
            let values = self.merged.members.iter().filter_map(|(_, value)| value.as_deref()).collect();
            x.matchers.extend(alternatives(label, values));
        }
        let labels: Vec<&str> = self.merged.label.iter().map(String::as_str).collect();
        // One selection instead of one for each count; at most two values however many series.
        let promql = aggregate("count_values", &labels, &format!("\"{PART}\", {x} == bool 1"));
        Query { source: self.source.clone(), promql, start: at, end: at, every: Span::from_secs(1) }
    }

    /// What each selector said; `None` when the query failed. Without series: nothing is known.
    pub fn read(&self, answer: &Answer) -> Vec<(AliveIx, Option<AliveReading>)> {
        let Answer::Frames { frames, .. } = answer else {
            return self.members.iter().map(|ix| (*ix, None)).collect();
        };
        let read = |(ix, (_, value)): (&AliveIx, &(usize, Option<String>))| {
            let mut reading = AliveReading::default();
            for frame in frames {
                let own =
                    self.merged.label.as_ref().is_none_or(|label| frame.labels.get(label) == value.as_ref());
                let Some((_, Reading::Value(count))) = frame.points.last().filter(|_| own) else { continue };
                let count = whole(count.get());
                reading.known = reading.known.saturating_add(count);
                if frame.labels.get(PART).is_some_and(|value| value == "1") {
                    reading.up = reading.up.saturating_add(count);
                }
            }
            (*ix, Some(reading))
        };
        self.members.iter().zip(&self.merged.members).map(read).collect()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a saturating cast of a count")]
fn whole(count: f64) -> u64 {
    count as u64
}
