//! Everything Damper keeps for many SLOs, with a month of plausible traffic and nothing behind it.

use std::collections::BTreeMap;

use damper::engine::fact::{Facts, GroupFact, SeriesIx, SlotFact, SlotState, Tier, Trust};
use damper::engine::ledger::{Keep, Ledger, SeriesImage};
use damper::engine::plan::{Plan, PlanContext};
use damper::engine::step::{Control, Delta, Inputs, Observed, step};
use damper::slo::model::{Labels, Overflow};
use damper::slo::time::{Span, Ts};
use damper::slo::unit::Events;

use crate::definitions::{STEP, many};
use crate::measure::Noise;

/// Histories that all series share, each with traffic of its own.
const HISTORIES: usize = 32;
/// One SLO in so many fires when some are to.
const FIRING: usize = 100;

/// What a running Damper holds in memory.
pub struct World {
    plan: Plan,
    pub ledger: Ledger,
    control: Control,
    observed: Observed,
    receivers: Vec<String>,
    now: Ts,
    noise: Noise,
}

impl World {
    /// Healthy SLOs whose four weeks are full.
    pub fn of(count: usize) -> Self {
        let context = PlanContext {
            step: STEP,
            default_source: "local".to_owned(),
            sources: BTreeMap::new(),
            intervals: BTreeMap::new(),
        };
        let plan = Plan::build(&many(count), &context);
        let mut ledger = Ledger::default();
        ledger.adopt(keeps(&plan));
        let mut world = Self {
            plan,
            ledger,
            control: Control::default(),
            observed: Observed {
                blind: BTreeMap::from([("local".to_owned(), false)]),
                ..Observed::default()
            },
            receivers: vec!["oncall".to_owned()],
            now: Ts(1_790_000_010),
            noise: Noise::new(7),
        };
        world.fill();
        world
    }

    /// One tick later: what the sources would have answered, to be booked.
    pub fn next(&mut self, failing: bool) -> Vec<Facts> {
        self.now = self.now.plus(STEP.span());
        let end = self.now;
        let series: Vec<(SeriesIx, bool, usize)> = self.roles().collect();
        let tell = |(ix, bad, slo)| {
            let fails = failing && slo % FIRING == 0;
            let events = traffic(&mut self.noise, slo, bad, fails, 1);
            facts(ix, Tier::Fine, vec![slot(end, events)])
        };
        series.into_iter().map(tell).collect()
    }

    /// Books a tick.
    pub fn book(&mut self, facts: &[Facts]) {
        for facts in facts {
            self.ledger.apply(facts);
        }
    }

    /// Judges all SLOs.
    pub fn step(&self) -> Delta {
        let inputs = Inputs {
            at: self.now,
            step: STEP.span(),
            observed: &self.observed,
            external: &Labels::new(),
            receivers: &self.receivers,
            shadow: damper::engine::recipient::Shadow::default(),
        };
        step(&self.plan.slos, &self.ledger, &self.control, &inputs)
    }

    /// Takes over what a step decided.
    pub fn commit(&mut self, delta: &Delta) {
        self.control.apply(delta);
    }

    /// How many SLOs have an alert that fires.
    pub fn firing(&self) -> usize {
        self.plan.slos.iter().filter(|planned| self.control.is_firing(&planned.id)).count()
    }

    /// Fills some series slice by slice and gives all others the history of one of these.
    fn fill(&mut self) {
        let templates: Vec<_> = self.roles().take(2 * HISTORIES).collect();
        for (ix, bad, slo) in &templates {
            let now = self.now;
            let mut tell = |tier: Tier, from: Ts, to: Ts| {
                let slices = tier.span(STEP).secs() / STEP.secs();
                let mut slots = Vec::new();
                let mut end = from.plus(tier.span(STEP));
                while end <= to {
                    slots.push(slot(end, traffic(&mut self.noise, *slo, *bad, false, slices)));
                    end = end.plus(tier.span(STEP));
                }
                self.ledger.apply(&facts(*ix, tier, slots));
            };
            let young = now.minus(Span::from_hours(12)).floor_to(Span::from_mins(5));
            let old = now.minus(Span::from_days(29)).floor_to(Span::from_mins(5));
            tell(Tier::FiveMinutes, old, young);
            tell(Tier::Fine, young, now);
        }
        let images: Vec<Vec<u8>> = self.ledger.all().iter().take(templates.len()).map(image).collect();
        let others: Vec<u64> = self.ledger.all().iter().skip(templates.len()).map(|s| s.id()).collect();
        for (i, id) in others.into_iter().enumerate() {
            let image = SeriesImage::from_bytes(&named(id, &images[i % images.len()])).unwrap();
            assert_eq!(self.ledger.restore(image), Ok(true));
        }
    }

    /// Every series, whether it counts bad events, and the SLO that it is of.
    fn roles(&self) -> impl Iterator<Item = (SeriesIx, bool, usize)> + use<> {
        let of = |(i, planned): (usize, &damper::engine::plan::Planned)| {
            let bad = planned.bad.iter().map(move |(_, ix)| (*ix, true, i));
            let total = planned.total.iter().map(move |(_, ix)| (*ix, false, i));
            bad.chain(total).collect::<Vec<_>>()
        };
        self.plan.slos.iter().enumerate().flat_map(of).collect::<Vec<_>>().into_iter()
    }
}

/// What is kept of a plan's series.
pub fn keeps(plan: &Plan) -> Vec<Keep> {
    let keep = |series: &damper::engine::plan::Series| Keep {
        key: series.key.clone(),
        span: series.keep,
        reach: Span::from_mins(10),
        limit: 100,
        overflow: Overflow::Other,
        follows: Vec::new(),
        beside: Vec::new(),
        cuts: Vec::new(),
    };
    plan.series.iter().map(keep).collect()
}

/// A series as the store keeps it.
pub fn image(series: &damper::engine::ledger::Series) -> Vec<u8> {
    SeriesImage::of(series).to_bytes()
}

/// The same history under another id, which stands after the version.
fn named(id: u64, image: &[u8]) -> Vec<u8> {
    let ((version, _), rest): ((u8, u64), _) = postcard::take_from_bytes(image).unwrap();
    let mut bytes = postcard::to_stdvec(&(version, id)).unwrap();
    bytes.extend_from_slice(rest);
    bytes
}

/// 20 to 400 requests a slice, one in 5,000 bad; half of them where it fails.
fn traffic(noise: &mut Noise, slo: usize, bad: bool, fails: bool, slices: i64) -> i64 {
    let mean = (20 + i64::try_from(slo % HISTORIES * 12).unwrap()) * slices;
    match (bad, fails) {
        (true, true) => mean / 2,
        (true, false) if slices > 10 => noise.below(2 * mean / 5000 + 2),
        (true, false) => i64::from(noise.below(5000) < mean),
        (false, _) => mean * 4 / 5 + noise.below(mean * 2 / 5 + 1),
    }
}

fn slot(end: Ts, events: i64) -> SlotFact {
    let fact = GroupFact {
        group: Labels::new(),
        raw: Events::whole(events),
        withheld: Events::ZERO,
        trust: Trust::Counted,
    };
    SlotFact { end, state: SlotState::Known(vec![fact]) }
}

fn facts(series: SeriesIx, tier: Tier, slots: Vec<SlotFact>) -> Facts {
    Facts { series, tier, slots }
}
