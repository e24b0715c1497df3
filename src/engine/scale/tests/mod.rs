//! Decisions about a workload of which the tests set every number.

mod alerts;
mod back;
mod dry;
mod fleet;
mod holds;
mod invariants;
mod judged;
mod seen;
mod starting;
mod steps;

use super::{Burn, Burning, Decision, Lever, Observed, Part, Reason, State, Verdict, Workload, decide};
use crate::engine::window::Counts;
use crate::slo::model::{Labels, Place, SloId};
use crate::slo::policy::{
    Bounds, DownStep, Saturation, ScaleMode, ScalePolicy, Target, UpStep, Watched, Windows,
};
use crate::slo::time::{Span, Ts};
use crate::slo::unit::{Events, Finite};

pub(super) const STEP: Span = Span::from_secs(30);

/// The basic rule with its defaults, 3 to 20 replicas.
pub(super) fn policy() -> ScalePolicy {
    let up = |rate: &str, add, mins| UpStep {
        burn_rate: rate.parse().unwrap(),
        add,
        cooldown: Span::from_mins(mins),
    };
    ScalePolicy {
        name: "checkout".to_owned(),
        labels: Labels::new(),
        annotations: Labels::new(),
        slos: vec![Watched {
            slo: SloId { service: "checkout".to_owned(), name: "availability".to_owned() },
            group: None,
        }],
        target: Target::Webhook { actuator: "local".to_owned(), name: "checkout".to_owned() },
        mode: ScaleMode::Auto,
        replicas: Bounds::new(3, 20).unwrap(),
        up: vec![up("2", 2, 3), up("1.5", 1, 2)],
        down: DownStep {
            burn_rate: "0.8".parse().unwrap(),
            calm: Span::from_mins(5),
            cooldown: Span::from_mins(5),
        },
        windows: Windows { short: Span::from_mins(2), long: Span::from_mins(5) },
        min_bad_events: Events::whole(20),
        settle: Span::from_secs(60),
        max_actions_per_hour: 12,
        saturation: Some(Saturation {
            query: "cpu".to_owned(),
            scale_above: Finite::new(0.7).unwrap(),
            shrink_below: Finite::new(0.65).unwrap(),
        }),
        unless: Vec::new(),
        respect_override: Span::from_hours(1),
        place: Place::default(),
    }
}

/// A window in which so many in a million fail, of an SLO of 99.9 %; every second is known.
pub(super) fn window(span: Span, burn: f64) -> Counts {
    let total = 1_000_000;
    let bad = Events::from_f64(burn * 1000.0).unwrap();
    Counts {
        from: Ts(-span.secs()),
        to: Ts(0),
        bad,
        total: Events::whole(total),
        covered: span.secs(),
        summed: span.secs(),
        ..Counts::default()
    }
}

pub(super) fn burn(short: f64, long: f64) -> Burn {
    let part = Part {
        objective: "99.9".parse().unwrap(),
        short: window(Span::from_mins(2), short),
        long: window(Span::from_mins(5), long),
    };
    let known = Some(Burning { parts: vec![part], budget_left: Finite::new(0.8), uncalm: None });
    Burn { slo: "checkout/availability".to_owned(), known, why: String::new(), pages: false }
}

const OWNER: &str = "HorizontalPodAutoscaler x";

/// The floor of an autoscaler, as nobody raised it.
fn floor(at: u32, most: u32) -> Lever {
    Lever::Floor { at, most, owner: OWNER.to_owned(), original: None }
}

/// One policy over time: what it observes, and what became of it.
pub(super) struct Case {
    pub now: Ts,
    pub policy: ScalePolicy,
    pub observed: Observed,
    pub state: State,
}

impl Case {
    /// Five ready replicas, burning `rate`, full at `saturation`.
    pub(super) fn of(rate: f64, saturation: f64) -> Self {
        let workload = Workload {
            wanted: 5,
            ready: 5,
            lever: Lever::Count,
            blocked: None,
            rolling: false,
            version: None,
            paused: None,
            writer: None,
            must_stay: 0,
        };
        let observed = Observed {
            burns: vec![burn(rate, rate)],
            workload: Some(workload),
            saturation: Finite::new(saturation),
            ..Observed::default()
        };
        // Ready for longer than it takes to settle.
        let state = State { ready_since: Some(Ts(0)), ..State::default() };
        Self { now: Ts(10_000), policy: policy(), observed, state }
    }

    pub(super) fn workload(&mut self) -> &mut Workload {
        self.observed.workload.as_mut().unwrap()
    }

    pub(super) fn burns(&mut self, rate: f64) {
        self.observed.burns = vec![burn(rate, rate)];
    }

    /// Decides, and makes the write at once: it is seen by the next decision.
    pub(super) fn decide(&mut self) -> Decision {
        let (state, decision) = decide(self.now, STEP, &self.observed, &self.state, &self.policy);
        self.state = state;
        if let Verdict::Scale { to, .. } = decision.verdict
            && self.policy.mode == ScaleMode::Auto
        {
            let workload = self.workload();
            match &mut workload.lever {
                Lever::Count => (workload.wanted, workload.ready) = (to, to),
                Lever::Floor { at, .. } => {
                    *at = to;
                    workload.wanted = workload.wanted.max(to);
                    workload.ready = workload.wanted;
                }
            }
        }
        decision
    }

    /// Decides every 30 seconds for so long; gives the verdicts that were not "hold", with their times.
    pub(super) fn run(&mut self, span: Span) -> Vec<(i64, u32, u32)> {
        let begin = self.now;
        let mut moves = Vec::new();
        while self.now < begin.plus(span) {
            if let Verdict::Scale { from, to } = self.decide().verdict {
                moves.push((self.now.since(begin).secs(), from, to));
            }
            self.now = self.now.plus(STEP);
        }
        moves
    }

    /// Why it holds.
    pub(super) fn held(&mut self) -> Reason {
        let decision = self.decide();
        assert_eq!(decision.verdict, Verdict::Hold, "{decision:?}");
        decision.reason
    }
}
