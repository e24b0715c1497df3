//! The time in which nothing is missing: found once, it spares most windows a closer look.

use super::common::Source;
use crate::slo::time::Ts;

/// A time in which all series of an SLO were answered, with whole samples, and those of total existed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    since: Ts,
    until: Ts,
}

impl Whole {
    /// The newest such time; nothing is said of any before it.
    pub(super) fn newest<'a>(
        total: impl Iterator<Item = Source<'a>> + Clone,
        bad: impl Iterator<Item = Source<'a>>,
    ) -> Option<Self> {
        let absent = total.clone().filter_map(|(series, ..)| series.absent().last()).max();
        let mut whole = Self { since: absent.unwrap_or(Ts(i64::MIN)), until: Ts(i64::MAX) };
        for (series, group, _) in total.chain(bad) {
            let (since, until) = series.answered().newest()?;
            let unsure = group.and_then(|group| group.unsure_until());
            whole.since = whole.since.max(since).max(unsure.unwrap_or(since));
            whole.until = whole.until.min(until);
        }
        Some(whole)
    }

    /// Whether it holds all of `(from, to]`.
    pub(super) fn holds(&self, from: Ts, to: Ts) -> bool {
        self.since <= from && from < to && to <= self.until
    }
}
