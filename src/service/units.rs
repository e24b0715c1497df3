//! What of a plan is asked for history together: query groups, linked ones as one, until a query that
//! fails is taken apart so that one bad part does not stop the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::gaps::{Gaps, Horizon, Piece, Shape, Size};
use super::linked::link;
use super::tries::Tries;
use crate::engine::fact::SeriesIx;
use crate::engine::ledger::{Ledger, Series};
use crate::engine::plan::{Form, Plan, QueryGroup};
use crate::slo::model::Severity;
use crate::slo::time::{Span, Ts};

/// Points asked in one query.
const POINTS: i64 = 500;
const FIVE: Span = Span::from_mins(5);
/// Failures after which a unit is taken apart, and a piece is booked without what was left open.
const MOST_FAILURES: u32 = 3;

/// Query groups that are asked together.
struct Unit {
    parts: Vec<Arc<QueryGroup>>,
    horizon: Horizon,
    tries: Tries,
}

/// One piece to ask.
pub(super) struct Job {
    /// Its unit, to be given back with what became of it.
    unit: usize,
    pub parts: Vec<Arc<QueryGroup>>,
    pub piece: Piece,
    /// It counts as answered only with all its follow-up questions.
    pub whole: bool,
    /// The newest slot that history reaches to.
    now: Ts,
}

/// What history lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Lacking {
    pub series: usize,
    pub seconds: i64,
}

/// Everything asked of one source under one plan.
pub(super) struct Units {
    pub plan: Arc<Plan>,
    horizons: BTreeMap<SeriesIx, Horizon>,
    units: Vec<Unit>,
}

impl Units {
    pub(super) fn of(plan: &Arc<Plan>, source: &str) -> Self {
        let groups: Vec<_> = plan.groups.iter().filter(|group| group.source == source).cloned().collect();
        let mut units = Self { plan: Arc::clone(plan), horizons: horizons(plan), units: Vec::new() };
        units.add(&groups);
        units
    }

    fn add(&mut self, groups: &[Arc<QueryGroup>]) {
        for places in link(groups, &self.plan) {
            let parts: Vec<_> = places.into_iter().filter_map(|place| groups.get(place).cloned()).collect();
            let horizon =
                series_of(&parts).filter_map(|ix| self.horizons.get(&ix)).fold(Horizon::default(), max);
            self.units.push(Unit { parts, horizon, tries: Tries::default() });
        }
    }

    /// What is asked next, and what is lacking in all: the most urgent piece, and of those the one
    /// whose query was asked longest ago.
    pub(super) fn next(&self, ledger: &Ledger, now: Ts, at: Instant) -> (Option<Job>, Lacking) {
        let mut lacking = Lacking::default();
        let mut best: Option<((usize, Option<Instant>), Job)> = None;
        for (place, unit) in self.units.iter().enumerate() {
            let (mut gaps, series) = gaps(ledger, &unit.parts, now);
            gaps.leave_out(unit.tries.lost());
            let seconds = gaps.seconds();
            if seconds == 0 {
                continue;
            }
            lacking.seconds += seconds;
            lacking.series += series;
            gaps.leave_out(unit.tries.resting(at));
            let size = size(&unit.parts, unit.tries.points(POINTS));
            let Some(piece) = gaps.first(unit.horizon, size, now).filter(|_| unit.tries.may(at)) else {
                continue;
            };
            let whole = unit.tries.failures() < MOST_FAILURES;
            let rank = (piece.class, unit.tries.asked());
            if best.as_ref().is_none_or(|(other, _)| rank < *other) {
                best = Some((rank, Job { unit: place, parts: unit.parts.clone(), piece, whole, now }));
            }
        }
        (best.map(|(_, job)| job), lacking)
    }

    /// A job was answered and booked; gives back the seconds that nobody asks for any more.
    pub(super) fn answered(&mut self, job: &Job, ledger: &Ledger, at: Instant) -> i64 {
        let left = gaps(ledger, &job.parts, job.now).0.inside(&job.piece);
        self.units.get_mut(job.unit).map_or(0, |unit| unit.tries.answered(at, &left))
    }

    /// A job had no answer, for a reason that may lie in the question: it waits, or is taken apart.
    pub(super) fn failed(&mut self, job: &Job, at: Instant, apart: bool) {
        let Some(unit) = self.units.get_mut(job.unit) else { return };
        unit.tries.failed(at);
        if apart || unit.tries.failures() >= MOST_FAILURES {
            self.take_apart(job.unit);
        }
    }

    /// A job had no answer because the source has none for anybody.
    pub(super) fn passed(&mut self, job: &Job, at: Instant) {
        if let Some(unit) = self.units.get_mut(job.unit) {
            unit.tries.passed(at);
        }
    }

    fn take_apart(&mut self, place: usize) {
        let Some(unit) = self.units.get(place) else { return };
        let singles: Vec<_> = unit.parts.iter().flat_map(|part| part.split()).map(Arc::new).collect();
        if link(&singles, &self.plan).len() > 1 {
            self.units.swap_remove(place);
            self.add(&singles);
        }
    }
}

/// How far back alerting looks into each series.
fn horizons(plan: &Plan) -> BTreeMap<SeriesIx, Horizon> {
    let mut horizons: BTreeMap<SeriesIx, Horizon> = BTreeMap::new();
    for planned in &plan.slos {
        let rules = &planned.slo.alerting.rules;
        let longest = |page: bool| {
            let own = rules.iter().filter(|rule| !page || rule.severity == Severity::Page);
            own.map(|rule| rule.long).max().unwrap_or_default()
        };
        let horizon = Horizon { page: longest(true), alert: longest(false) };
        for (_, ix) in planned.bad.iter().chain(&planned.total) {
            let known = horizons.entry(*ix).or_default();
            *known = max(*known, &horizon);
        }
    }
    horizons
}

fn max(a: Horizon, b: &Horizon) -> Horizon {
    Horizon { page: a.page.max(b.page), alert: a.alert.max(b.alert) }
}

fn series_of(parts: &[Arc<QueryGroup>]) -> impl Iterator<Item = SeriesIx> {
    parts.iter().flat_map(|part| part.series())
}

/// What the series of these query groups lack, and how many of them lack something.
fn gaps(ledger: &Ledger, parts: &[Arc<QueryGroup>], now: Ts) -> (Gaps, usize) {
    let coarse = parts.iter().any(|part| matches!(part.form, Form::Direct { .. }));
    let mut gaps = Gaps::default();
    let lacks = |series: &&Series| {
        let keep = series.keep();
        gaps.add(Shape { grid: keep.key.grid(), keep: keep.span, coarse }, &series.settled(), now)
    };
    let count = series_of(parts).filter_map(|ix| ledger.series(ix)).filter(lacks).count();
    (gaps, count)
}

fn size(parts: &[Arc<QueryGroup>], points: i64) -> Size {
    let fine = parts.first().map_or(Span::from_secs(30), |part| part.step.span());
    let five = parts.iter().map(|part| part.spacing(FIVE)).min().unwrap_or(FIVE);
    Size { fine, five, points }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::fact::{Facts, SlotFact, SlotState};
    use crate::service::planner::keeps;
    use crate::service::testing::{document, plan};
    use crate::slo::time::Step;

    const NOW: Ts = Ts(1_800_000_000);

    fn slo(name: &str, metric: &str) -> String {
        let spec = format!(
            "  objective: 99\n  sli:\n    events:\n      bad: {metric}{{service=\"{name}\",code=\"500\"}}\n      total: {metric}{{service=\"{name}\"}}\n"
        );
        document(name, &spec)
    }

    struct Shop {
        units: Units,
        ledger: Ledger,
        at: Instant,
    }

    impl Shop {
        fn of(slos: &[String]) -> Self {
            let plan = Arc::new(plan(&slos.join("---\n")));
            let mut ledger = Ledger::default();
            ledger.adopt(keeps(&plan, NOW));
            assert!(!plan.groups.is_empty());
            Self { units: Units::of(&plan, "local"), ledger, at: Instant::now() }
        }

        fn next(&self, now: Ts) -> Option<Job> {
            self.units.next(&self.ledger, now, self.at).0
        }

        /// Everything is answered, and no series exists.
        fn answer(&mut self, job: &Job) {
            let slot = job.piece.tier.span(Step::DEFAULT);
            for series in series_of(&job.parts) {
                let count = job.piece.to.since(job.piece.from).secs() / slot.secs();
                let end = |n: i64| Ts(job.piece.from.0 + n * slot.secs());
                let slots = (1..=count).map(|n| SlotFact { end: end(n), state: SlotState::Absent }).collect();
                self.ledger.apply(&Facts { series, tier: job.piece.tier, slots });
            }
            assert_eq!(self.units.answered(job, &self.ledger, self.at), 0);
        }
    }

    /// The services a job asks for, as its queries name them.
    fn asks(job: &Job) -> String {
        job.parts.iter().map(|part| part.selector().to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn one_bad_member_of_a_merged_query_stops_no_other() {
        let names = ["good", "fine", "evil", "well"];
        let mut shop = Shop::of(&names.map(|name| slo(name, "requests_total")));
        let mut asked_evil = 0;
        for _ in 0..2000 {
            let Some(job) = shop.next(NOW) else { break };
            shop.at += Duration::from_secs(1);
            if asks(&job).contains("evil") {
                asked_evil += 1;
                shop.units.failed(&job, shop.at, true);
            } else {
                shop.answer(&job);
            }
        }
        assert!(asked_evil > 1 && asked_evil < 20, "{asked_evil}: apart, and waiting ever longer");
        shop.at += Duration::from_secs(3600);
        let job = shop.next(NOW).expect("the bad one is not given up");
        assert!(asks(&job).contains("evil") && !asks(&job).contains("good"), "{}", asks(&job));
        let (_, lacking) = shop.units.next(&shop.ledger, NOW, shop.at);
        assert!(lacking.series <= 2, "all others are whole: {lacking:?}");
    }

    #[test]
    fn a_query_that_fails_waits_however_time_goes_on() {
        let mut shop = Shop::of(&[slo("one", "a_total"), slo("two", "b_total")]);
        let first = shop.next(NOW).unwrap();
        let failing = asks(&first);
        shop.units.failed(&first, shop.at, false);
        let mut now = NOW;
        for _ in 0..4 {
            now = now.plus(Span::from_secs(30));
            shop.at += Duration::from_secs(1);
            let job = shop.next(now).unwrap();
            assert_ne!(asks(&job), failing, "its end has moved on, and it waits all the same");
            shop.units.passed(&job, shop.at);
        }
    }

    #[test]
    fn queries_of_one_urgency_take_turns() {
        let mut shop = Shop::of(&[slo("one", "a_total"), slo("two", "b_total"), slo("three", "c_total")]);
        let mut turns = Vec::new();
        for _ in 0..12 {
            shop.at += Duration::from_secs(1);
            let job = shop.next(NOW).unwrap();
            turns.push(asks(&job));
            shop.units.passed(&job, shop.at);
        }
        let count = shop.units.units.len();
        assert!(count >= 3);
        for window in turns.windows(count) {
            let all: std::collections::BTreeSet<_> = window.iter().collect();
            assert_eq!(all.len(), count, "{turns:?}");
        }
    }

    #[test]
    fn what_is_answered_and_never_told_is_given_up_and_the_rest_is_asked() {
        let mut shop = Shop::of(&[slo("one", "a_total")]);
        let mut asked = 0;
        while let Some(job) = shop.next(NOW) {
            // Answered, and no slot of it can be known.
            shop.units.answered(&job, &shop.ledger, shop.at);
            shop.at += Duration::from_secs(3600);
            asked += 1;
            assert!(asked < 1000, "it ends");
        }
        assert!(asked >= 5 * 2, "{asked}: every piece had its tries");
        // What burns now is another matter.
        let later = shop.next(NOW.plus(Span::from_mins(30))).unwrap();
        assert!(later.piece.from >= NOW && later.piece.to.since(later.piece.from) <= Span::from_mins(30));
    }
}
