//! Whether a burn-rate rule holds: the answer is yes, no, or that nothing can be said.

use super::window::Counts;
use crate::slo::model::{AbsentMeans, Rule};
use crate::slo::time::Ts;
use crate::slo::unit::{Events, Objective};

/// Whether a condition holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not.
    Clear,
    /// Nothing can be said; every state stays as it is.
    Unknown,
}

/// One rule, judged for beginning to fire and for going on.
///
/// With missing slices a window is judged for firing as if they were good at its mean traffic,
/// so that a gap never makes a page; and for going on as it is, so that a gap never ends one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Judged {
    /// May it begin?
    pub begins: Verdict,
    /// Does it go on?
    pub goes_on: Verdict,
}

impl Judged {
    /// Nothing can be said.
    pub const UNKNOWN: Self = Self { begins: Verdict::Unknown, goes_on: Verdict::Unknown };
}

/// What an SLO says about its windows.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The objective of this group.
    pub objective: Objective,
    /// How absence is read.
    pub absent: AbsentMeans,
    /// Where the source's answers begin: an older window is not filled yet.
    pub begun: Ts,
}

/// Judges a rule by its windows.
pub fn judge(rule: &Rule, long: Counts, short: Option<Counts>, terms: &Terms) -> Judged {
    let newest = short.unwrap_or(long);
    let known = newest.covered + if terms.absent == AbsentMeans::Unknown { 0 } else { newest.absent };
    if known * 2 < newest.span() || more_bad_than_total(&newest) {
        return Judged::UNKNOWN;
    }
    let holds = |read: Read, too_few: Verdict| {
        let reaches = |counts: &Counts| reaches_as(read, rule, counts, terms);
        let enough = read(&long, terms.absent).0 >= rule.min_bad_events;
        match reaches(&long) && short.as_ref().is_none_or(reaches) {
            true if enough => Verdict::Holds,
            true => too_few,
            false => Verdict::Clear,
        }
    };
    let filled = long.from >= terms.begun;
    let begins = if filled { holds(missing_as_good, Verdict::Clear) } else { Verdict::Clear };
    // The events that are too few may lie in what is missing or was withheld.
    let whole = long.uncovered() == 0 && (terms.absent != AbsentMeans::Unknown || long.absent == 0);
    let too_few = if whole { Verdict::Clear } else { Verdict::Unknown };
    Judged { begins, goes_on: holds(as_it_is, too_few) }
}

/// Bad cannot exceed total by more than rounding; if it does, bad is not a part of total.
pub fn more_bad_than_total(counts: &Counts) -> bool {
    counts.bad > counts.total.plus(Events::whole(1))
}

/// Whether a window reaches the rate of a rule as it is. A rule does not hold while one of its
/// windows does not, however the missing slices are read: read as good they only add to total.
pub fn reaches(rule: &Rule, counts: &Counts, terms: &Terms) -> bool {
    reaches_as(as_it_is, rule, counts, terms)
}

/// How a window is read: its bad and total events.
type Read = fn(&Counts, AbsentMeans) -> (Events, Events);

fn reaches_as(read: Read, rule: &Rule, counts: &Counts, terms: &Terms) -> bool {
    let (bad, total) = read(counts, terms.absent);
    rule.burn_rate.reached_by(bad, total, terms.objective)
}

/// What a window holds, with time of absence that means bad at the mean traffic.
pub(super) fn as_it_is(counts: &Counts, absent: AbsentMeans) -> (Events, Events) {
    if absent != AbsentMeans::Bad || counts.absent == 0 {
        return (counts.bad, counts.total);
    }
    if counts.summed == 0 {
        return (Events::whole(i64::from(u32::MAX)), Events::whole(i64::from(u32::MAX)));
    }
    let lost = counts.mean_traffic(counts.absent);
    (counts.bad.plus(lost), counts.total.plus(lost))
}

/// The same with all that is missing as if it were good, at the mean traffic. What somebody took out
/// was not good, but what is left beside it must not weigh more than it did: correcting the ledger
/// pages nobody.
pub(super) fn missing_as_good(counts: &Counts, absent: AbsentMeans) -> (Events, Events) {
    let (bad, total) = as_it_is(counts, absent);
    let unknown = match absent {
        AbsentMeans::Unknown => counts.missing() + counts.absent,
        AbsentMeans::Good | AbsentMeans::Bad | AbsentMeans::Idle => counts.missing(),
    };
    (bad, total.plus(counts.mean_traffic(unknown + counts.excluded)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing;
    use crate::slo::model::Severity;
    use crate::slo::time::Span;

    fn rule(rate: &str, min_bad: i64) -> Rule {
        let (long, short) = (Span::from_hours(1), Some(Span::from_mins(5)));
        Rule { min_bad_events: Events::whole(min_bad), ..testing::rule(Severity::Page, rate, long, short) }
    }

    fn window(span: i64, bad: i64, total: i64, covered: i64, absent: i64) -> Counts {
        let to = Ts(1_000_000);
        Counts {
            from: Ts(to.0 - span),
            to,
            bad: Events::whole(bad),
            total: Events::whole(total),
            covered,
            summed: covered,
            absent,
            excluded: 0,
        }
    }

    fn terms(absent: AbsentMeans) -> Terms {
        Terms { objective: "99.9".parse().unwrap(), absent, begun: Ts(0) }
    }

    fn verdicts(rule: &Rule, long: Counts, short: Counts, terms: &Terms) -> (Verdict, Verdict) {
        let judged = judge(rule, long, Some(short), terms);
        (judged.begins, judged.goes_on)
    }

    use AbsentMeans as Means;
    use Verdict::{Clear, Holds, Unknown};

    #[test]
    fn both_windows_must_reach_the_rate() {
        let rule = rule("14.4", 3);
        let (hot, cold) = (window(3600, 144, 10_000, 3600, 0), window(3600, 143, 10_000, 3600, 0));
        let (hot5, cold5) = (window(300, 12, 833, 300, 0), window(300, 11, 833, 300, 0));
        assert_eq!(verdicts(&rule, hot, hot5, &terms(Means::Unknown)), (Holds, Holds));
        assert_eq!(verdicts(&rule, hot, cold5, &terms(Means::Unknown)), (Clear, Clear));
        assert_eq!(verdicts(&rule, cold, hot5, &terms(Means::Unknown)), (Clear, Clear));
    }

    #[test]
    fn a_gap_never_makes_a_page_and_never_ends_one() {
        let rule = rule("14.4", 3);
        // 40 % of the long window are missing: as it is it burns 20×, with the rest good 12×.
        let long = window(3600, 120, 6000, 2160, 0);
        let short = window(300, 20, 1000, 300, 0);
        assert_eq!(verdicts(&rule, long, short, &terms(Means::Unknown)), (Clear, Holds));
    }

    #[test]
    fn what_is_left_beside_time_taken_out_pages_nobody_and_goes_on_burning() {
        let rule = rule("14.4", 3);
        // 55 of the hour's minutes are out, and what is left burns 15 times: beside good traffic it
        // would not have paged, and what fires does not end by it.
        let long = Counts { excluded: 3300, ..window(3600, 15, 1000, 300, 0) };
        let short = window(300, 15, 1000, 300, 0);
        assert_eq!(verdicts(&rule, long, short, &terms(Means::Unknown)), (Clear, Holds));
        let outage = Counts { bad: Events::whole(400), ..long };
        assert_eq!(verdicts(&rule, outage, short, &terms(Means::Unknown)), (Holds, Holds));
        // Nothing is left to judge by: that is no end.
        let [long, short] = [3600, 300].map(|span| Counts { excluded: span, ..window(span, 0, 0, 0, 0) });
        assert_eq!(verdicts(&rule, long, short, &terms(Means::Unknown)), (Unknown, Unknown));
    }

    #[test]
    fn under_half_of_the_short_window_nothing_can_be_said() {
        let rule = rule("14.4", 3);
        let long = window(3600, 3600, 3600, 3400, 0);
        assert_eq!(
            verdicts(&rule, long, window(300, 50, 50, 120, 0), &terms(Means::Unknown)),
            (Unknown, Unknown)
        );
        assert_eq!(
            verdicts(&rule, long, window(300, 0, 0, 0, 300), &terms(Means::Unknown)),
            (Unknown, Unknown)
        );
        assert_eq!(verdicts(&rule, long, window(300, 0, 0, 0, 300), &terms(Means::Idle)), (Clear, Clear));
    }

    #[test]
    fn time_taken_out_ends_nothing_and_half_of_the_short_window_must_be_left() {
        let rule = rule("14.4", 3);
        let taken = |span: i64, bad, total, excluded: i64| Counts {
            excluded,
            ..window(span, bad, total, span - excluded, 0)
        };
        // 50 minutes of the hour are out; were they good, it would burn 15 times.
        let long = taken(3600, 90, 1000, 3000);
        assert_eq!(long.uncovered() + long.missing(), 0);
        let whole = window(300, 15, 500, 300, 0);
        assert_eq!(verdicts(&rule, long, whole, &terms(Means::Unknown)), (Holds, Holds));
        let quiet = window(300, 0, 500, 300, 0);
        assert_eq!(verdicts(&rule, long, quiet, &terms(Means::Unknown)), (Clear, Clear));
        for (out, verdict) in [(150, Holds), (151, Unknown), (300, Unknown)] {
            let short = taken(300, 15, 500, out);
            assert_eq!(verdicts(&rule, long, short, &terms(Means::Unknown)), (verdict, verdict), "{out}");
        }
        // Few events are few, and none can lie in what is out.
        let few = taken(3600, 2, 100, 3000);
        let short = window(300, 2, 10, 300, 0);
        assert_eq!(verdicts(&rule, few, short, &terms(Means::Unknown)), (Clear, Clear));
    }

    #[test]
    fn absence_that_means_bad_burns_the_mean_traffic() {
        let rule = rule("14.4", 3);
        let long = window(3600, 0, 3300, 3300, 300);
        let short = window(300, 0, 0, 0, 300);
        assert_eq!(verdicts(&rule, long, short, &terms(Means::Bad)), (Holds, Holds));
    }

    #[test]
    fn too_few_bad_events_page_nobody() {
        let long = window(3600, 2, 100, 3600, 0);
        let short = window(300, 2, 10, 300, 0);
        assert_eq!(verdicts(&rule("14.4", 3), long, short, &terms(Means::Unknown)).0, Clear);
        assert_eq!(verdicts(&rule("14.4", 2), long, short, &terms(Means::Unknown)).0, Holds);
    }

    #[test]
    fn too_few_known_bad_events_end_nothing_while_a_part_is_missing() {
        let rule = rule("14.4", 3);
        let short = window(300, 2, 10, 300, 0);
        let gap = window(3600, 2, 60, 2160, 0);
        assert_eq!(verdicts(&rule, gap, short, &terms(Means::Unknown)), (Clear, Unknown));
        let absent = window(3600, 2, 60, 2160, 1440);
        assert_eq!(verdicts(&rule, absent, short, &terms(Means::Unknown)), (Clear, Unknown));
        assert_eq!(verdicts(&rule, absent, short, &terms(Means::Idle)), (Clear, Clear));
        let quiet = window(300, 0, 10, 300, 0);
        assert_eq!(verdicts(&rule, gap, quiet, &terms(Means::Unknown)), (Clear, Clear));
    }

    #[test]
    fn time_whose_errors_alone_were_withheld_is_not_counted_twice_and_ends_nothing() {
        let day = Rule { long: Span::from_hours(24), short: None, ..rule("2.7", 3) };
        let judged = |bad| {
            let long = Counts { summed: 86_400, ..window(86_400, bad, 288_000, 64_800, 0) };
            let judged = judge(&day, long, None, &terms(Means::Unknown));
            (judged.begins, judged.goes_on)
        };
        // It burns 2.8 times; with what is withheld as further good traffic it were 2.1.
        assert_eq!(judged(806), (Holds, Holds));
        let few = Counts { summed: 86_400, ..window(86_400, 2, 300, 64_800, 0) };
        let judged = judge(&day, few, None, &terms(Means::Unknown));
        assert_eq!((judged.begins, judged.goes_on), (Clear, Unknown));
    }

    #[test]
    fn a_window_older_than_the_first_data_begins_nothing() {
        let long = window(3600, 3600, 3600, 3000, 0);
        let short = window(300, 300, 300, 300, 0);
        let young = Terms { begun: Ts(1_000_000 - 3000), ..terms(Means::Unknown) };
        assert_eq!(verdicts(&rule("14.4", 3), long, short, &young), (Clear, Holds));
    }

    #[test]
    fn bad_that_exceeds_total_says_nothing() {
        let long = window(3600, 144, 10_000, 3600, 0);
        let short = window(300, 900, 833, 300, 0);
        assert_eq!(verdicts(&rule("14.4", 3), long, short, &terms(Means::Unknown)), (Unknown, Unknown));
    }
}
