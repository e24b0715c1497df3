//! Which moments a tick has to judge.

use crate::engine::ledger::{FINE_REACH, FIVE_REACH};
use crate::slo::time::{Span, Step, Ts};

const FIVE: Span = Span::from_mins(5);

/// The slice ends after `since`, of a week at most, up to `at`; at most `most` of them evenly spread
/// and always with `at`. An SLO that was never judged is judged for the present only.
pub(super) fn missed(since: Option<Ts>, at: Ts, step: Step, most: usize) -> Vec<Ts> {
    let Some(since) = since else { return vec![at] };
    let since = since.max(at.minus(FIVE_REACH));
    let slices = at.since(since).secs() / step.secs();
    if slices <= 0 {
        return Vec::new();
    }
    let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
    let stride = (slices + most - 1) / most;
    let mut moments: Vec<Ts> = (0..slices / stride)
        .map(|back| at.minus(Span::from_secs_saturating(back * stride * step.secs())))
        // Older slices are known by five minutes only.
        .map(|moment| if at.since(moment) < FINE_REACH { moment } else { moment.floor_to(FIVE) })
        .filter(|moment| *moment > since)
        .collect();
    moments.reverse();
    moments.dedup();
    moments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missed_slice_in_order_and_the_present_last() {
        let step = Step::DEFAULT;
        assert_eq!(missed(None, Ts(900), step, 240), [Ts(900)]);
        assert_eq!(missed(Some(Ts(870)), Ts(900), step, 240), [Ts(900)]);
        assert_eq!(missed(Some(Ts(810)), Ts(900), step, 240), [Ts(840), Ts(870), Ts(900)]);
        assert_eq!(missed(Some(Ts(900)), Ts(900), step, 240), []);
        assert_eq!(missed(Some(Ts(990)), Ts(900), step, 240), [], "a clock that went back judges nothing");
    }

    #[test]
    fn a_long_absence_is_bounded_and_still_ends_at_the_present() {
        let moments = missed(Some(Ts(0)), Ts(86_400), Step::DEFAULT, 240);
        assert!(moments.len() <= 240 && moments.len() > 200, "{}", moments.len());
        assert_eq!(moments.last(), Some(&Ts(86_400)));
        assert!(moments.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn what_is_known_by_five_minutes_only_is_judged_on_them() {
        let at = Ts(1_800_000_030);
        let moments = missed(Some(at.minus(Span::from_days(3))), at, Step::DEFAULT, 240);
        let (old, new): (Vec<Ts>, Vec<Ts>) =
            moments.iter().copied().partition(|m| at.since(*m) >= FINE_REACH);
        assert!(old.len() > 100 && new.len() > 30);
        assert!(old.iter().all(|moment| moment.0 % 300 == 0));
        assert!(moments.windows(2).all(|w| w[0] < w[1]));
        let year = missed(Some(at.minus(Span::from_days(365))), at, Step::DEFAULT, 240);
        assert!(year.first().is_some_and(|first| at.since(*first) <= FIVE_REACH));
    }
}
