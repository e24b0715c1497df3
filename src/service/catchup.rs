//! What burned while nothing was known. After an outage a tick knows the newest slices first, and the
//! present is judged on them at once; what lies between comes later, piece by piece. When it is
//! there, the moments that were passed over are judged in order, each with its own time, and what
//! opened and closed meanwhile is told once. What was told already, or fires now, is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::missed::missed;
use super::state::World;
use crate::engine::alert::{AlertKey, Subject};
use crate::engine::ledger::Ledger;
use crate::engine::notice::Event;
use crate::engine::plan::{Plan, Planned};
use crate::engine::step::{Control, Delta, Inputs, net, step};
use crate::slo::time::{Span, Step, Ts};

/// Moments judged at most in one go; beyond it some are passed over.
const MOST_MISSED: usize = 240;
/// What is not known so long after it was missed is summed up without.
const PATIENCE: Span = Span::from_hours(1);
/// How long a tick may sum up; the rest is for the next one.
const SUMMING: Duration = Duration::from_millis(250);

/// The gap of one SLO.
pub(super) struct Owed {
    /// Until when it was judged before.
    since: Ts,
    /// When the gap was found.
    found: Ts,
    /// Its alerts as they were then.
    before: Control,
    /// Alerts that were told to fire since.
    told: BTreeSet<AlertKey>,
}

/// The gaps that are still to be summed up, by SLO.
pub(super) type Gaps = BTreeMap<String, Owed>;

/// Gaps that were summed up.
pub(super) struct Summed {
    /// What people do not know yet.
    pub delta: Delta,
    /// SLOs by id that nothing is owed for any more, once that is committed.
    pub slos: BTreeSet<String>,
}

impl Owed {
    /// Remembers what people are told while the gap is not summed up.
    pub(super) fn note(&mut self, delta: &Delta) {
        let firing = delta.transitions.iter().filter(|t| t.event == Event::Firing);
        self.told.extend(firing.map(|transition| transition.key.clone()));
    }

    /// What the gap held: every alert as it would be had all been known in time, apart from those
    /// that people know of.
    fn sum_up<'a>(
        &self,
        world: &World,
        planned: &Planned,
        moments: Vec<Ts>,
        inputs: &impl Fn(Ts) -> Inputs<'a>,
    ) -> Delta {
        let mut replayed = self.before.clone();
        let mut deltas = Vec::new();
        for moment in moments {
            let delta = step([planned], &world.ledger, &replayed, &inputs(moment));
            replayed.apply(&delta);
            deltas.push(delta);
        }
        let mut delta = net(&self.before, deltas);
        let fires = |control: &Control, key: &AlertKey| control.get(key).is_some_and(|s| s.firing.is_some());
        let is_news = |key: &AlertKey| {
            let burn = matches!(key.subject, Subject::Burn { .. });
            burn && !fires(&self.before, key) && !fires(&world.control, key) && !self.told.contains(key)
        };
        delta.changes.retain(|key, _| is_news(key));
        delta.transitions.retain(|transition| is_news(&transition.key));
        delta
    }
}

/// Remembers an SLO that is judged at `at` with a gap behind it. One that is owed already stays as
/// it is: nothing of it was summed up.
pub(super) fn note_gap(gaps: &mut Gaps, world: &World, planned: &Planned, at: Ts, step: Step) {
    let Some(since) = world.judged.get(&planned.id).copied() else { return };
    if !has_gap(&world.ledger, planned, since, at, step) || gaps.contains_key(&planned.id) {
        return;
    }
    let mut before = Control::default();
    for (key, state) in world.control.of_slo(&planned.id).into_iter().flatten() {
        before.put(key.clone(), state.clone());
    }
    let owed = Owed { since, found: at, before, told: BTreeSet::new() };
    gaps.insert(planned.id.clone(), owed);
}

/// Sums up the gaps in which all is known by now, or will not be.
pub(super) fn sum_up<'a>(
    gaps: &Gaps,
    world: &World,
    plan: &Plan,
    step: Step,
    inputs: impl Fn(Ts) -> Inputs<'a>,
) -> Summed {
    let began = Instant::now();
    let mut summed = Summed { delta: Delta::default(), slos: BTreeSet::new() };
    if gaps.is_empty() {
        return summed;
    }
    let defined: BTreeMap<&str, &Planned> = plan.slos.iter().map(|p| (p.id.as_str(), p)).collect();
    for (id, owed) in gaps {
        let (Some(planned), Some(at)) = (defined.get(id.as_str()), world.judged.get(id)) else {
            summed.slos.insert(id.clone());
            continue;
        };
        let over = is_whole(&world.ledger, planned, owed.since, *at) || at.since(owed.found) >= PATIENCE;
        if over && began.elapsed() < SUMMING {
            let moments = missed(Some(owed.since), *at, step, MOST_MISSED);
            summed.delta.extend(owed.sum_up(world, planned, moments, &inputs));
            summed.slos.insert(id.clone());
        }
    }
    summed
}

/// The moments to judge now: all that were missed if their slices are known, else the present alone.
pub(super) fn moments(ledger: &Ledger, planned: &Planned, since: Option<Ts>, at: Ts, step: Step) -> Vec<Ts> {
    match since {
        Some(since) if has_gap(ledger, planned, since, at, step) => vec![at],
        since => missed(since, at, step, MOST_MISSED),
    }
}

/// Whether slices between `since` and the newest are not known.
fn has_gap(ledger: &Ledger, planned: &Planned, since: Ts, at: Ts, step: Step) -> bool {
    at.since(since) > step.span() && !is_whole(ledger, planned, since, at)
}

/// Whether everything that an SLO counts is known from `since` to `at`.
fn is_whole(ledger: &Ledger, planned: &Planned, since: Ts, at: Ts) -> bool {
    let mut series = planned.bad.iter().chain(&planned.total).filter_map(|(_, ix)| ledger.series(*ix));
    series.all(|series| {
        let grid = series.keep().key.grid();
        let (from, to) = (since.floor_to(grid), at.floor_to(grid));
        series.answered().overlap(from, to) >= to.since(from).secs()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::step::Observed;
    use crate::engine::view::testing::{Example, S};
    use crate::slo::model::{Labels, Severity};

    /// A service of which nothing was known for a while: what happened then is told later.
    struct Shop {
        example: Example,
        world: World,
        owed: Gaps,
        told: Vec<(Event, Severity)>,
    }

    impl Shop {
        /// Well for an hour and more, and judged.
        fn well() -> Self {
            let mut shop = Self {
                example: Example::well(130),
                world: World::default(),
                owed: Gaps::new(),
                told: vec![],
            };
            shop.judge();
            shop
        }

        fn inputs<'a>(at: Ts, observed: &'a Observed, none: &'a Labels, told: &'a [String]) -> Inputs<'a> {
            Inputs { at, step: Step::DEFAULT.span(), observed, external: none, receivers: told }
        }

        /// Slices as they are known now, each with this many bad events of a hundred.
        fn slices(&mut self, bad: &[i64]) {
            for bad in bad {
                self.example.now += S;
                self.example.tell(0, &[("", 100, *bad)]);
            }
        }

        /// As a tick does: judges, then sums up.
        fn judge(&mut self) {
            let (at, planned) = (Ts(self.example.now), &self.example.slos[0]);
            let (none, told) = (Labels::new(), ["oncall".to_owned()]);
            let world = &mut self.world;
            world.ledger = self.example.ledger.clone();
            let inputs = |at| Self::inputs(at, &self.example.observed, &none, &told);
            note_gap(&mut self.owed, world, planned, at, Step::DEFAULT);
            let since = world.judged.get(&planned.id).copied();
            let mut deltas = Vec::new();
            let before = world.control.clone();
            for moment in moments(&world.ledger, planned, since, at, Step::DEFAULT) {
                let delta = step([planned], &world.ledger, &world.control, &inputs(moment));
                world.control.apply(&delta);
                deltas.push(delta);
            }
            let delta = net(&before, deltas);
            self.owed.values_mut().for_each(|owed| owed.note(&delta));
            world.judged.insert(planned.id.clone(), at);
            let plan = Plan { slos: vec![planned.clone()], ..Plan::default() };
            let summed = sum_up(&self.owed, world, &plan, Step::DEFAULT, inputs);
            world.control.apply(&summed.delta);
            self.owed.retain(|id, _| !summed.slos.contains(id));
            let all = delta.transitions.iter().chain(&summed.delta.transitions);
            self.told.extend(all.map(|t| (t.event, t.key.severity)));
        }

        /// Nothing is known for `bad.len()` slices; `bad` is what happened, to be known by `fill`.
        fn outage(&mut self, bad: &[i64]) -> Vec<(i64, i64)> {
            bad.iter()
                .map(|bad| {
                    self.example.now += S;
                    (self.example.now, *bad)
                })
                .collect()
        }

        fn fill(&mut self, gap: &[(i64, i64)]) {
            let now = self.example.now;
            for (at, bad) in gap {
                self.example.now = *at;
                self.example.tell(0, &[("", 100, *bad)]);
            }
            self.example.now = now;
        }

        fn pages(&self) -> Vec<Event> {
            self.told.iter().filter(|(_, severity)| *severity == Severity::Page).map(|(e, _)| *e).collect()
        }
    }

    /// 14 minutes of half of all requests failing, and enough good ones for the short window to clear.
    fn burned_and_over() -> Vec<i64> {
        [vec![50; 28], vec![0; 20]].concat()
    }

    #[test]
    fn what_opened_and_closed_in_a_gap_is_told_once_when_the_gap_is_filled() {
        let mut shop = Shop::well();
        let gap = shop.outage(&burned_and_over());
        shop.slices(&[0, 0, 0]);
        shop.judge();
        assert_eq!(shop.pages(), [], "nobody knows yet");
        let (first, rest) = gap.split_at(20);
        shop.fill(rest);
        shop.slices(&[0]);
        shop.judge();
        assert_eq!(shop.pages(), [], "not all is known");
        shop.fill(first);
        for _ in 0..5 {
            shop.slices(&[0]);
            shop.judge();
        }
        assert_eq!(shop.pages(), [Event::Missed]);
        assert!(shop.owed.is_empty());
    }

    #[test]
    fn what_fires_now_is_told_at_once_and_not_again_when_the_gap_is_filled() {
        let mut shop = Shop::well();
        let gap = shop.outage(&[50; 40]);
        // Ten minutes of the present are enough to page, whatever the gap held.
        shop.slices(&[50; 20]);
        shop.judge();
        assert_eq!(shop.pages(), [Event::Firing]);
        // It is over before the gap is filled, and was told from beginning to end.
        shop.slices(&[0; 20]);
        shop.judge();
        assert_eq!(shop.pages(), [Event::Firing, Event::Resolved]);
        shop.fill(&gap);
        shop.slices(&[0]);
        shop.judge();
        assert_eq!(shop.pages(), [Event::Firing, Event::Resolved]);
        assert!(shop.owed.is_empty());
    }

    #[test]
    fn what_was_known_to_fire_before_the_gap_is_not_told_again() {
        let mut shop = Shop::well();
        shop.slices(&[50; 20]);
        shop.judge();
        assert_eq!(shop.pages(), [Event::Firing]);
        let gap = shop.outage(&[vec![50; 5], vec![0; 30], vec![50; 20]].concat());
        shop.slices(&[50; 3]);
        shop.judge();
        shop.fill(&gap);
        shop.slices(&[50]);
        shop.judge();
        assert_eq!(shop.pages(), [Event::Firing]);
    }

    #[test]
    fn a_gap_that_is_never_filled_is_summed_up_without() {
        let mut shop = Shop::well();
        let gap = shop.outage(&burned_and_over());
        shop.slices(&[0]);
        shop.judge();
        shop.fill(&gap[1..]);
        for _ in 0..=PATIENCE.secs() / S {
            shop.slices(&[0]);
            shop.judge();
        }
        assert_eq!(shop.pages(), [Event::Missed], "one slot that is lost hides nothing");
        assert!(shop.owed.is_empty());
    }
}
