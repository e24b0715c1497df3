//! What Damper knows of one workload: slices in the real ledger, alerts judged by the real step.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use damper::engine::fact::{Facts, GroupFact, SeriesIx, SlotFact, SlotState, Tier, Trust};
use damper::engine::ledger::{Keep, Ledger};
use damper::engine::plan::{Plan, PlanContext, Planned};
use damper::engine::step::{Control, Inputs, Observed, step};
use damper::slo::model::{Labels, Overflow};
use damper::slo::time::{Span, Step, Ts};
use damper::slo::unit::Events;
use damper::slo::{Context, SourceFile, load};

use super::moment;

/// Slices of the default length.
pub const STEP: Step = Step::DEFAULT;
/// The period of the budget, in days.
pub const DAYS: u32 = 30;

/// The SLO that the policies name.
pub const DEFINITION: &str = "
apiVersion: damper.dev/v1
kind: ServiceLevelObjective
metadata: {name: availability}
spec:
  service: shop
  objective: 99.9
  window: 30d
  sli: {events: {bad: 'http_errors_total{service=\"shop\"}', total: 'http_requests_total{service=\"shop\"}'}}
";

/// What is known of one workload.
#[derive(Clone)]
pub struct Books {
    plan: Rc<Plan>,
    /// Its slices.
    pub ledger: Ledger,
    /// Its alerts.
    pub control: Control,
    /// What else was seen.
    pub observed: Observed,
}

/// What the source says of a slice.
pub enum Slice {
    /// So many bad events of so many.
    Counted(i64, i64),
    /// No series exists.
    Absent,
    /// No answer.
    Unanswered,
}

impl Books {
    /// A workload with a healthy month behind it, at so many requests per second.
    pub fn healthy(rate: f64) -> Self {
        let files = [SourceFile { path: "shop.yaml".to_owned(), text: DEFINITION.to_owned() }];
        let loaded = load(&files, &Context::without_settings(STEP));
        let slo = loaded.slos().next().expect("the definition is right").clone();
        let context = PlanContext {
            step: STEP,
            default_source: "local".to_owned(),
            sources: BTreeMap::new(),
            intervals: BTreeMap::new(),
        };
        let plan = Plan::build(&[Arc::new(slo)], &context);
        let mut ledger = Ledger::default();
        ledger.adopt(keeps(&plan));
        let mut books = Self {
            plan: Rc::new(plan),
            ledger,
            control: Control::default(),
            observed: Observed {
                blind: BTreeMap::from([("local".to_owned(), false)]),
                ..Observed::default()
            },
        };
        books.fill(rate);
        books
    }

    /// The one SLO.
    pub fn planned(&self) -> &Planned {
        &self.plan.slos[0]
    }

    /// Books the slice that ends at `at`.
    pub fn book(&mut self, at: Ts, slice: &Slice) {
        let (bad, total) = self.series();
        let of = |events: i64| match slice {
            Slice::Counted(..) => counted(events),
            Slice::Absent => SlotState::Absent,
            Slice::Unanswered => SlotState::Unknown,
        };
        let (bad_events, events) =
            if let Slice::Counted(bad, total) = slice { (*bad, *total) } else { (0, 0) };
        for (series, events) in [(bad, bad_events), (total, events)] {
            let slots = vec![SlotFact { end: at, state: of(events) }];
            self.ledger.apply(&Facts { series, tier: Tier::Fine, slots });
        }
    }

    /// Judges the alerts at `at`.
    pub fn step(&mut self, at: Ts) {
        let inputs = Inputs {
            at,
            step: STEP.span(),
            observed: &self.observed,
            external: &Labels::new(),
            receivers: &["oncall".to_owned()],
            shadow: damper::engine::recipient::Shadow::default(),
        };
        let delta = step(&self.plan.slos, &self.ledger, &self.control, &inputs);
        self.control.apply(&delta);
    }

    /// The series of bad and of all events.
    fn series(&self) -> (SeriesIx, SeriesIx) {
        (self.planned().bad[0].1, self.planned().total[0].1)
    }

    /// A month of traffic, of which one in ten thousand fails.
    fn fill(&mut self, rate: f64) {
        let (bad, total) = self.series();
        let now = moment(0);
        let young = now.minus(Span::from_hours(12));
        let old = now.minus(Span::from_days(DAYS));
        for (tier, from, to) in [(Tier::FiveMinutes, old, young), (Tier::Fine, young, now)] {
            let span = tier.span(STEP);
            let events = rate * f64::from(i32::try_from(span.secs()).unwrap());
            for (series, events) in [(bad, events / 10_000.0), (total, events)] {
                let state = known(Events::from_f64(events).unwrap());
                let mut slots = Vec::new();
                let mut end = from.plus(span);
                while end <= to {
                    slots.push(SlotFact { end, state: state.clone() });
                    end = end.plus(span);
                }
                self.ledger.apply(&Facts { series, tier, slots });
            }
        }
    }
}

fn counted(events: i64) -> SlotState {
    known(Events::whole(events))
}

fn known(raw: Events) -> SlotState {
    let fact = GroupFact { group: Labels::new(), raw, withheld: Events::ZERO, trust: Trust::Counted };
    SlotState::Known(vec![fact])
}

fn keeps(plan: &Plan) -> Vec<Keep> {
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
