//! Which moments a tick has to judge, and how much time each of them speaks for.

use crate::engine::ledger::FIVE_REACH;
use crate::slo::time::{Span, Step, Ts};

const FIVE: Span = Span::from_mins(5);
/// Older slices are judged by five minutes: soon they are known by those only.
const FINE: Span = Span::from_hours(10);

/// A moment to judge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Moment {
    /// The end of a slice.
    pub at: Ts,
    /// How much of the time before it it speaks for: all since the moment before.
    pub step: Span,
}

/// The slice ends after `since`, of a week at most, up to `at`; at most `most` of them, evenly spread
/// from `since` on and always with `at`. An SLO that was never judged is judged for the present only.
pub(super) fn missed(since: Option<Ts>, at: Ts, step: Step, most: usize) -> Vec<Moment> {
    let Some(since) = since else { return vec![Moment { at, step: step.span() }] };
    let since = since.max(at.minus(FIVE_REACH));
    if at.since(since).secs() < step.secs() {
        return Vec::new();
    }
    let begin = step.floor(since);
    let slices = at.since(begin).secs() / step.secs();
    let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
    let stride = Span::from_secs_saturating((slices + most - 1) / most * step.secs());
    let mut moments = Vec::new();
    let (mut next, mut before) = (begin, since);
    while before < at {
        next = next.plus(stride).min(at);
        let is_old = at.since(next) >= FINE;
        let moment = if is_old { next.floor_to(FIVE) } else { next };
        if moment > before {
            moments.push(Moment { at: moment, step: moment.since(before) });
            before = moment;
        }
    }
    moments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ledger::FINE_REACH;

    fn ends(since: Option<i64>, at: i64) -> Vec<i64> {
        missed(since.map(Ts), Ts(at), Step::DEFAULT, 240).iter().map(|moment| moment.at.0).collect()
    }

    /// In order, without a second that none of them speaks for or two do.
    fn are_seamless(moments: &[Moment]) -> bool {
        moments.windows(2).all(|w| w[1].step.secs() > 0 && w[0].at.plus(w[1].step) == w[1].at)
    }

    #[test]
    fn every_missed_slice_in_order_and_the_present_last() {
        assert_eq!(ends(None, 900), [900]);
        assert_eq!(ends(Some(870), 900), [900]);
        assert_eq!(ends(Some(810), 900), [840, 870, 900]);
        assert_eq!(ends(Some(900), 900), [] as [i64; 0]);
        assert_eq!(ends(Some(990), 900), [] as [i64; 0], "a clock that went back judges nothing");
    }

    #[test]
    fn a_long_absence_is_bounded_and_no_second_of_it_is_left_out() {
        let moments = missed(Some(Ts(0)), Ts(86_400), Step::DEFAULT, 240);
        assert!(moments.len() <= 240 && moments.len() > 200, "{}", moments.len());
        assert!(are_seamless(&moments));
        assert_eq!(moments[0].at, Ts(0).plus(moments[0].step));
        assert_eq!(moments.last().map(|moment| moment.at), Some(Ts(86_400)));
    }

    #[test]
    fn a_slice_later_the_same_moments_are_judged() {
        let since = Ts(1_800_000_000);
        let at = |slices: u32| since.plus(Span::from_secs(slices * 30));
        let first = missed(Some(since), at(601), Step::DEFAULT, 240);
        let second = missed(Some(since), at(602), Step::DEFAULT, 240);
        assert_eq!(first[..200], second[..200]);
    }

    #[test]
    fn what_is_known_by_five_minutes_only_is_judged_on_them() {
        let at = Ts(1_800_000_030);
        let moments = missed(Some(at.minus(Span::from_days(3))), at, Step::DEFAULT, 240);
        let (old, new): (Vec<Ts>, Vec<Ts>) =
            moments.iter().map(|moment| moment.at).partition(|moment| at.since(*moment) >= FINE_REACH);
        assert!(old.len() > 100 && new.len() > 30);
        assert!(old.iter().all(|moment| moment.0 % 300 == 0));
        assert!(are_seamless(&moments));
        let year = missed(Some(at.minus(Span::from_days(365))), at, Step::DEFAULT, 240);
        assert!(year.first().is_some_and(|first| at.since(first.at) <= FIVE_REACH));
    }
}
