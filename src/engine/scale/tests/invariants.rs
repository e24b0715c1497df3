//! Whatever happens to the workload, the data, the clocks and the leaders, these hold.
//!
//! Two leaders with clocks apart decide over one store with compare-and-swap. They die between the
//! intent and the write, and see the workload one look late. Others set any count at any time, edit
//! the bounds, and let the policy act or not. The workload is small or large, with its own count or
//! under an autoscaler.

use proptest::prelude::*;

use super::*;
use crate::engine::scale::{Intent, Writer, WriterKind};

/// What happens before a decision.
#[derive(Clone, Debug)]
struct Event {
    leader: bool,
    burn: Option<f64>,
    saturation: Option<f64>,
    away: u32,
    foreign: Option<u32>,
    pages: bool,
    paused: bool,
    stale: bool,
    dies: bool,
    passes: i64,
    bounds: Option<(u32, u32)>,
    dry: bool,
    demand: u32,
}

fn event() -> impl Strategy<Value = Event> {
    let burn = prop_oneof![
        6 => prop_oneof![Just(0.1), Just(1.0), Just(1.6), Just(3.0)].prop_map(Some),
        1 => Just(None)
    ];
    let saturation = prop_oneof![
        6 => prop_oneof![Just(0.2), Just(0.6), Just(0.72), Just(0.95)].prop_map(Some),
        1 => Just(None)
    ];
    let foreign = prop_oneof![30 => Just(None), 1 => (0u32..40).prop_map(Some)];
    let rare = || prop::bool::weighted(0.05);
    let bounds = prop_oneof![Just((3, 20)), Just((6, 20)), Just((3, 8)), Just((1, 100))];
    let edits = prop_oneof![30 => Just(None), 1 => bounds.prop_map(Some)];
    let times = prop_oneof![Just(0i64), Just(1), Just(15), Just(30), Just(31), Just(90), Just(240)];
    (
        any::<bool>(),
        burn,
        saturation,
        prop_oneof![19 => Just(0u32), 1 => 1..4u32],
        foreign,
        rare(),
        rare(),
        rare(),
        rare(),
        (times, edits, prop::bool::weighted(0.1), 0u32..90),
    )
        .prop_map(|(leader, burn, saturation, away, foreign, pages, paused, stale, dies, more)| {
            let (passes, bounds, dry, demand) = more;
            Event {
                leader,
                burn,
                saturation,
                away,
                foreign,
                pages,
                paused,
                stale,
                dies,
                passes,
                bounds,
                dry,
                demand,
            }
        })
}

/// One write of Damper, at the true time.
struct Write {
    at: i64,
    from: u32,
    to: u32,
    cooldown: i64,
}

struct World {
    time: i64,
    case: Case,
    version: u64,
    stale: Option<(u64, State, Workload)>,
    foreign: Option<(i64, u32)>,
    /// The same when it was last looked at.
    foreign_seen: Option<(i64, u32)>,
    writes: Vec<Write>,
}

/// What is scaled.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Small,
    Large,
    Autoscaled,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Small), Just(Kind::Large), Just(Kind::Autoscaled)]
}

impl World {
    fn new(kind: Kind) -> Self {
        let mut case = Case::of(0.1, 0.2);
        case.policy.replicas = match kind {
            Kind::Small => Bounds::new(3, 20).unwrap(),
            Kind::Large | Kind::Autoscaled => Bounds::new(3, 100).unwrap(),
        };
        let count = if matches!(kind, Kind::Small) { 5 } else { 60 };
        (case.workload().wanted, case.workload().ready) = (count, count);
        if matches!(kind, Kind::Autoscaled) {
            case.workload().lever = floor(2, 90);
        }
        Self {
            time: 100_000,
            case,
            version: 0,
            stale: None,
            foreign: None,
            foreign_seen: None,
            writes: Vec::new(),
        }
    }

    fn happens(&mut self, event: &Event) {
        self.time += event.passes;
        if let Some(count) = event.foreign {
            let at = Ts(self.time);
            // What is where it was already, or was brought back before anybody looked, nobody can see;
            // before the first look it is where it began.
            let stands = self.case.workload().position();
            match self.case.state.seen {
                Some(seen) if seen == count => {
                    self.foreign = self.foreign_seen.filter(|(_, count)| *count == seen);
                }
                Some(_) if stands != count => {
                    self.foreign = Some((self.time, count));
                }
                _ => {}
            }
            self.moves(count);
            let workload = self.case.workload();
            workload.writer = Some(Writer { name: "kubectl".to_owned(), kind: WriterKind::Person, at });
        }
        if let Some((min, max)) = event.bounds {
            self.case.policy.replicas = Bounds::new(min, max).unwrap();
        }
        self.case.policy.mode = if event.dry { ScaleMode::DryRun } else { ScaleMode::Auto };
        let workload = self.case.workload();
        if let Lever::Floor { at, .. } = workload.lever {
            workload.wanted = at.max(event.demand);
        }
        workload.ready = workload.wanted.saturating_sub(event.away);
        workload.paused = event.paused.then(|| "somebody".to_owned());
        self.case.observed.burns = vec![burn(event.burn.unwrap_or(0.0), event.burn.unwrap_or(0.0))];
        self.case.observed.burns[0].pages = event.pages;
        if event.burn.is_none() {
            self.case.observed.burns[0].known = None;
        }
        self.case.observed.saturation = event.saturation.and_then(Finite::new);
    }

    /// The lever is brought somewhere; an autoscaler follows its floor.
    fn moves(&mut self, to: u32) {
        let workload = self.case.workload();
        match &mut workload.lever {
            Lever::Count => workload.wanted = to,
            Lever::Floor { at, .. } => (*at, workload.wanted) = (to, workload.wanted.max(to)),
        }
        workload.ready = workload.wanted;
    }

    /// One leader decides, by its own clock, perhaps on what it read a look ago.
    fn decides(&mut self, event: &Event) -> Result<(), TestCaseError> {
        let now = Ts(self.time + if event.leader { 4 } else { -4 });
        let fresh = (self.version, self.case.state.clone(), self.case.workload().clone());
        let (version, state, workload) =
            if event.stale { self.stale.clone().unwrap_or(fresh.clone()) } else { fresh.clone() };
        self.stale = Some(fresh);
        let observed = Observed { workload: Some(workload.clone()), ..self.case.observed.clone() };
        let (next, decision) = decide(now, STEP, &observed, &state, &self.case.policy);
        let again = decide(now, STEP, &observed, &state, &self.case.policy);
        prop_assert_eq!((&next, &decision), (&again.0, &again.1), "I9");
        if version != self.version {
            return Ok(());
        }
        (self.version, self.case.state) = (version + 1, next.clone());
        self.foreign_seen = self.foreign;
        let Verdict::Scale { from, to } = decision.verdict else { return Ok(()) };
        if event.dry {
            prop_assert_eq!(next.intent, None, "I10");
            return Ok(());
        }
        self.check(event, &decision, &state, &next, &workload, (from, to))?;
        let intent = next.intent.unwrap();
        if event.dies || self.case.workload().position() != from {
            return Ok(());
        }
        self.write(intent, next.cooldown_until.unwrap().since(now).secs());
        Ok(())
    }

    fn check(
        &self,
        event: &Event,
        decision: &Decision,
        before: &State,
        after: &State,
        workload: &Workload,
        (from, to): (u32, u32),
    ) -> Result<(), TestCaseError> {
        let policy = &self.case.policy;
        // What was added under other bounds, or to a floor below them, is given back through them.
        let base = after.goes_back_to(policy.replicas).unwrap();
        let is_within = (policy.replicas.min()..=policy.replicas.max()).contains(&to);
        prop_assert!(is_within || (to < from && to >= base), "I1: {:?}", decision);
        let unready = after.unready_since.is_some_and(|since| decision.at.since(since).secs() >= 600);
        prop_assert!(workload.is_ready() || (to < from && unready), "I5: {:?}", workload);
        prop_assert!(event.burn.is_some() && workload.paused.is_none() && event.saturation.is_some(), "I5");
        prop_assert!(workload.wanted != 0, "zero");
        prop_assert_eq!(decision.adds, to.saturating_sub(from.max(workload.wanted)));
        prop_assert!(decision.adds <= 4 || workload.wanted < policy.replicas.min(), "{:?}", decision);
        prop_assert!(!before.is_useless(decision.at) || to < from, "I7");
        if to < from {
            prop_assert_eq!(to, from - 1, "I4");
            prop_assert!(to >= base, "I4");
            let useless = matches!(decision.reason, Reason::GiveBackUseless { .. });
            prop_assert!(useless || (event.burn.unwrap() < 0.8 && !event.pages), "I3");
        }
        let lately = self.writes.iter().filter(|write| self.time - write.at < 3590).count();
        prop_assert!(lately < usize::try_from(policy.max_actions_per_hour).unwrap(), "I6");
        if let Some((at, count)) = self.foreign {
            let live = self.case.observed.workload.as_ref().unwrap().position() == count && from == count;
            prop_assert!(!live || self.time - at >= policy.respect_override.secs() - 8, "I8: {:?}", decision);
        }
        if let Some(last) = self.writes.last() {
            prop_assert!(self.time - last.at >= last.cooldown, "I2: {} s", self.time - last.at);
        }
        Ok(())
    }

    fn write(&mut self, intent: Intent, cooldown: i64) {
        self.moves(intent.to);
        self.case.workload().writer = None;
        self.foreign = None;
        self.writes.push(Write { at: self.time, from: intent.from, to: intent.to, cooldown });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn the_invariants_hold(kind in kind(), events in prop::collection::vec(event(), 1..300)) {
        let mut world = World::new(kind);
        for event in &events {
            world.happens(event);
            world.decides(event)?;
        }
        prop_assert!(world.writes.iter().all(|write| write.from != write.to));
    }

    #[test]
    fn a_dry_run_never_intends(events in prop::collection::vec(event(), 1..100)) {
        let mut world = World::new(Kind::Small);
        for event in &events {
            world.happens(&Event { dry: true, ..event.clone() });
            let now = Ts(world.time);
            let (state, _) = decide(now, STEP, &world.case.observed, &world.case.state, &world.case.policy);
            prop_assert_eq!(state.intent, None, "I10");
            world.case.state = state;
        }
    }
}

#[test]
fn the_generator_does_act() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut downs = 0;
    for kind in [Kind::Small, Kind::Large, Kind::Autoscaled] {
        let mut ups = 0;
        for _ in 0..50 {
            let events = prop::collection::vec(event(), 300).new_tree(&mut runner).unwrap().current();
            let mut world = World::new(kind);
            for event in &events {
                world.happens(event);
                world.decides(event).unwrap();
            }
            ups += world.writes.iter().filter(|write| write.to > write.from).count();
            downs += world.writes.iter().filter(|write| write.to < write.from).count();
        }
        assert!(ups > 50, "{kind:?}: {ups} up");
    }
    assert!(downs > 5, "{downs} down");
}
