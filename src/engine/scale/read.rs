//! From the ledger to what a decision looks at. Where anything is missing at the moment itself,
//! nothing is known: a policy never acts on a false zero.

use super::observed::{Burn, Burning, Part};
use crate::engine::alert::Subject;
use crate::engine::condition::more_bad_than_total;
use crate::engine::ledger::Ledger;
use crate::engine::plan::Planned;
use crate::engine::status::Standing;
use crate::engine::step::{Control, Observed, budget_of, groups, objective_of};
use crate::engine::window::{Book, Counts, Slice, Windows};
use crate::slo::model::{AbsentMeans, Labels, Severity};
use crate::slo::policy::{Watched, Windows as Lengths};
use crate::slo::time::{Span, Ts};
use crate::slo::unit::{Events, Finite};

/// Where bad events are compared with all events, as for alerts.
const RECENT: Span = Span::from_mins(5);

impl Burn {
    /// How an SLO that a policy watches burns at the end of the newest slice, pooled over its groups
    /// unless the policy names one.
    pub fn read(
        watched: &Watched,
        lengths: Lengths,
        planned: &Planned,
        ledger: &Ledger,
        control: &Control,
        observed: &Observed,
        at: Ts,
    ) -> Self {
        let groups = match &watched.group {
            Some(group) => vec![group],
            None => groups(planned, ledger),
        };
        // A ratio that is asked directly has no events, nor has a composite, and they move nothing.
        let counts_none = !planned.direct.is_empty() || planned.parts.is_some();
        let known = if groups.is_empty() || counts_none {
            Err("it counts no events")
        } else {
            let read = |group: &&Labels| read(planned, group, lengths, ledger, observed, at);
            groups.iter().map(read).collect::<Result<Vec<_>, _>>().and_then(pooled)
        };
        let why = known.as_ref().err().copied().unwrap_or_default().to_owned();
        let is_page = |subject: &Subject| match subject {
            Subject::Burn { group, .. } => watched.group.as_ref().is_none_or(|own| own == group),
            _ => false,
        };
        let mut alerts = control.of_slo(&planned.id).into_iter().flatten();
        let pages = alerts.any(|(key, state)| {
            key.severity == Severity::Page && state.firing.is_some() && is_page(&key.subject)
        });
        Self { slo: planned.id.clone(), known: known.ok(), why, pages }
    }
}

const MISSING: &str = "its data is missing";
const FEW: &str = "fewer than half of its targets are up";
const NEVER: &str = "it never had a series";
const MORE_BAD: &str = "it has more bad events than events";

/// One group.
struct Read {
    part: Part,
    /// What it may spend in the period, and what is left of that.
    weighed: Option<(f64, f64)>,
    /// Why nothing can be said of it alone.
    wrong: Option<&'static str>,
    /// Events of the last minutes, of which bad ones are a part.
    recent: Counts,
    /// Why little burn is no sign of calm, if so.
    uncalm: Option<&'static str>,
}

/// All groups together. Of a pool one group may be unsure, as where two counters race: what is missing
/// is missing in its windows. Of one with more bad events than events nothing is known, as by its own
/// alert: none of its bad events adds replicas, and while it is so nothing is calm.
fn pooled(all: Vec<Read>) -> Result<Burning, &'static str> {
    let sum = |sum: Counts, read: &Read| Counts {
        bad: sum.bad.plus(read.recent.bad),
        total: sum.total.plus(read.recent.total),
        ..sum
    };
    if let Some(why) = all.iter().map(|read| read.wrong).min().flatten() {
        return Err(why);
    }
    if more_bad_than_total(&all.iter().fold(Counts::default(), sum)) {
        return Err(MORE_BAD);
    }
    let uncalm = all.iter().find_map(|read| read.uncalm);
    let budget_left = budget_left(&all);
    Ok(Burning { budget_left, uncalm, parts: all.into_iter().map(|read| read.part).collect() })
}

/// Reads one group; or says why nothing can be said of any.
fn read(
    planned: &Planned,
    group: &Labels,
    lengths: Lengths,
    ledger: &Ledger,
    observed: &Observed,
    at: Ts,
) -> Result<Read, &'static str> {
    let book = Book::of(ledger, planned, group).ok_or(MISSING)?;
    let mut windows = Windows::new(&book, at);
    let targets = planned.alive.map(|ix| observed.alive.get(&ix).copied().unwrap_or_default());
    // Also of a workload that was made much smaller: that it burns is as true as ever.
    let few = targets.is_some_and(|targets| targets.half_missing(at));
    // Absence may mean much for alerts; replicas are left alone.
    let standing =
        Standing::of(&mut windows, targets.and_then(|targets| targets.at(at)), AbsentMeans::Unknown);
    let wrong = match standing {
        Standing::Absent => return Err("it has no series"),
        Standing::BadNotPartOfTotal => Some(MORE_BAD),
        _ if !standing.is_known(AbsentMeans::Unknown) => Some(MISSING),
        _ => None,
    };
    let was_never_asked = matches!(book.slice(at), Slice::Absent { born: false });
    let mut window = |length| {
        let counts = windows.get(length);
        if was_never_asked { without_events(counts) } else { counts }
    };
    let objective = objective_of(&planned.slo, group);
    let mut part = Part { objective, short: window(lengths.short), long: window(lengths.long) };
    if wrong == Some(MORE_BAD) {
        (part.short.bad, part.long.bad) = (Events::ZERO, Events::ZERO);
    }
    let recent = windows.get(RECENT);
    let budget = budget_of(planned, &book, objective, at).filter(|b| b.counts.total > Events::ZERO);
    let weighed = budget.map(|budget| {
        let may = objective.budget() * budget.counts.total.as_f64();
        (may, may * budget.remaining)
    });
    let uncalm = match () {
        () if few => Some(FEW),
        () if was_never_asked => Some(NEVER),
        () => wrong.filter(|why| *why == MORE_BAD),
    };
    Ok(Read { part, weighed, wrong, recent, uncalm })
}

/// A workload that is up and was never asked for anything: its windows are known, and empty.
fn without_events(counts: Counts) -> Counts {
    let Counts { covered, summed, absent, .. } = counts;
    Counts { covered: covered + absent, summed: summed + absent, absent: 0, ..counts }
}

/// What is left of the budget of all groups together.
fn budget_left(all: &[Read]) -> Option<Finite> {
    let known = all.iter().filter_map(|read| read.weighed);
    let (may, left) = known.fold((0.0, 0.0), |(m, l), (may, left)| (m + may, l + left));
    if may > 0.0 { Finite::new(left / may) } else { None }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;
    use crate::engine::fact::{Facts, SeriesIx, SlotFact, SlotState, Tier};
    use crate::engine::plan::{AliveIx, AliveReading};
    use crate::engine::view::testing::{Example, group};
    use crate::slo::model::SloId;
    use crate::slo::unit::BurnRate;

    const LENGTHS: Lengths = Lengths { short: Span::from_mins(2), long: Span::from_mins(5) };

    fn read(example: &Example, own: Option<&str>) -> Burn {
        let slo = SloId { service: "shop".to_owned(), name: "availability".to_owned() };
        let watched = Watched { slo, group: own.map(group) };
        let Example { slos, ledger, control, observed, now, .. } = example;
        Burn::read(&watched, LENGTHS, &slos[0], ledger, control, observed, Ts(*now))
    }

    fn rates(burn: &Burn) -> (f64, f64) {
        burn.known.as_ref().unwrap().rates()
    }

    #[test]
    fn the_windows_of_the_policy_are_summed_and_a_page_is_seen() {
        let mut example = Example::well(130);
        assert!(!read(&example, None).pages);
        (0..4).for_each(|_| example.tick(100, 50));
        let burn = read(&example, None);
        assert_eq!((burn.pages, burn.slo.as_str()), (true, "shop/availability"));
        let (short, long) = rates(&burn);
        assert!((short - 500.0).abs() < 1e-6 && (long - 200.0).abs() < 1e-6, "{short} {long}");
        assert!(burn.known.unwrap().budget_left.unwrap().get() < 0.0);
    }

    #[test]
    fn a_slice_that_is_missing_makes_all_unknown() {
        let mut example = Example::well(20);
        example.now += 30;
        assert_eq!(read(&example, None).known, None);
        example.tick(100, 0);
        assert!(read(&example, None).known.is_some());
    }

    #[test]
    fn groups_are_pooled_unless_one_is_named() {
        let mut example = Example::new(&["availability"], &["availability"]);
        for _ in 0..20 {
            example.now += 30;
            example.tell(0, &[("/pay", 100, 10), ("/list", 300, 0)]);
            example.decide();
        }
        assert!((rates(&read(&example, None)).0 - 25.0).abs() < 1e-6);
        assert!((rates(&read(&example, Some("/pay"))).0 - 100.0).abs() < 1e-6);
        assert!((rates(&read(&example, Some("/list"))).0).abs() < 1e-6);
    }

    #[test]
    fn half_of_the_targets_gone_is_no_calm_and_burn_is_burn_all_the_same() {
        for bad in [0, 50] {
            let mut example = Example::well(60);
            example.slos[0].alive = Some(AliveIx(0));
            let mut tick = |up: Option<u64>, known| {
                example.tick(100, bad);
                let reading = up.map(|up| AliveReading { up, known });
                example.observed.saw(AliveIx(0), Ts(example.now), reading);
                read(&example, None)
            };
            let few = |burn: Burn| {
                let burning = burn.known.unwrap();
                assert!(!(burning.uncalm.is_some() && burning.is_below(BurnRate::from_str("0.8").unwrap())));
                assert_eq!(burning.reaches(BurnRate::from_str("2").unwrap()), bad > 0);
                burning.uncalm == Some(FEW)
            };
            assert!(!few(tick(Some(10), 10)));
            assert!(!few(tick(Some(5), 10)), "half are left");
            assert!(few(tick(Some(4), 10)));
            assert!(few(tick(Some(4), 4)), "those that went are missed for a while");
            assert!(few(tick(None, 0)), "not known");
        }
    }

    #[test]
    fn what_is_not_known_says_why() {
        let mut example = Example::well(20);
        example.now += 30;
        assert_eq!(read(&example, None).why, "its data is missing");
        example.tick(100, 0);
        assert_eq!(read(&example, None).why, "");
        example.tick(100, 9_000);
        assert_eq!(read(&example, None).why, "it has more bad events than events");
    }

    #[test]
    fn series_that_vanished_say_nothing_whatever_absence_means_for_alerts() {
        let mut example = Example::well(20);
        let mut slo = (*example.slos[0].slo).clone();
        slo.absent.means = AbsentMeans::Idle;
        example.slos[0].slo = std::sync::Arc::new(slo);
        for _ in 0..20 {
            example.now += 30;
            for ix in [0, 1] {
                let slots = vec![SlotFact { end: Ts(example.now), state: SlotState::Absent }];
                example.ledger.apply(&Facts { series: SeriesIx(ix), tier: Tier::Fine, slots });
            }
        }
        let gone = read(&example, None);
        assert_eq!((gone.known, gone.why.as_str()), (None, "it has no series"));
        // They are back: while they were away it may have burned.
        example.tick(100, 0);
        let known = read(&example, None).known.unwrap();
        assert!(!known.is_below("0.8".parse().unwrap()));
        (0..10).for_each(|_| example.tick(100, 0));
        assert!(read(&example, None).known.unwrap().is_below("0.8".parse().unwrap()));
    }

    #[test]
    fn one_group_of_which_nothing_can_be_said_hides_no_other() {
        let mut example = Example::new(&["availability"], &["availability"]);
        let mut tick = |race, pay| {
            for _ in 0..20 {
                example.now += 30;
                example.tell(0, &[("/pay", 100, pay), ("/list", 300, 0), ("/race", 10, race)]);
                example.decide();
            }
            (read(&example, None), read(&example, Some("/race")))
        };
        let (pool, race) = tick(13, 10);
        assert_eq!(race.why, "it has more bad events than events");
        let known = pool.known.unwrap();
        assert!((known.rates().0 - 10.0 / 410.0 / 0.001).abs() < 1e-6, "its bad events are none: {known:?}");
        assert!(!known.is_below("1000".parse().unwrap()), "nor is it calm");
        assert_eq!(tick(1_000, 10).0.why, "it has more bad events than events", "nor is the pool");
    }
}
