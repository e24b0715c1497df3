//! Damper's own part of scaling: the real decisions under the policy that ships as the default, and
//! the limits that all policies share. State is remembered as the store keeps it.

use damper::engine::scale::{
    Decision, Fleet, Lever, Limits, Observed, State, Verdict, Version, Workload as Seen, Writer, decide,
};
use damper::slo::model::{Labels, Place, SloId};
use damper::slo::policy::{
    Bounds, DownStep, Saturation, ScaleMode, ScalePolicy, Target, UpStep, Watched, Windows,
};
use damper::slo::time::{Span, Ts};
use damper::slo::unit::{Events, Finite};

use super::books::STEP;
use super::workload::Workload;
use super::{BOUNDS, moment};

/// `maxPoliciesUp` and `maxReplicasAddedPerHour` of the settings, as they ship.
const LIMITS: Limits = Limits { policies_up: 10, added_per_hour: 50 };

/// One policy.
pub struct Guard {
    /// What it says.
    pub policy: ScalePolicy,
    state: State,
}

impl Guard {
    /// The policy that ships as the default, with or without a saturation query.
    pub fn new(name: String, saturation: bool) -> Self {
        Self { policy: policy(name, saturation), state: State::default() }
    }

    /// Another process takes over: it has what the store kept.
    pub fn restart(&mut self) {
        let kept = serde_json::to_string(&self.state).unwrap();
        self.state = serde_json::from_str(&kept).unwrap();
    }

    fn decide(&self, now: Ts, observed: &Observed) -> (State, Decision) {
        decide(now, STEP.span(), observed, &self.state, &self.policy)
    }
}

/// Decides for all policies at once; where each brings its lever, if anywhere.
pub fn decide_all(now: Ts, fleet: &mut Fleet, all: &mut [(&mut Guard, Observed)]) -> Vec<Option<u32>> {
    let alone: Vec<Decision> = all.iter().map(|(guard, observed)| guard.decide(now, observed).1).collect();
    let wishes: Vec<(&str, &Decision)> =
        all.iter().zip(&alone).map(|((guard, _), decision)| (&*guard.policy.name, decision)).collect();
    let brake = fleet.brake(now, &wishes, u32::try_from(all.len()).unwrap(), LIMITS);
    let one = |(guard, observed): &mut (&mut Guard, Observed)| {
        observed.brake.clone_from(&brake);
        let (state, decision) = guard.decide(now, observed);
        guard.state = state;
        fleet.note(&guard.policy.name, &decision);
        match decision.verdict {
            Verdict::Scale { to, .. } => Some(to),
            Verdict::Hold => None,
        }
    };
    all.iter_mut().map(one).collect()
}

/// The workload as its API tells it.
pub fn seen(t: i64, workload: &Workload, lever: Lever, writer: Option<Writer>) -> Seen {
    let version = Version { since: moment(workload.version_since), name: "revision 2".to_owned() };
    let blocked = workload.is_blocked().then(|| "exceeded quota".to_owned());
    Seen {
        wanted: workload.wanted,
        ready: workload.ready(t),
        lever,
        blocked,
        rolling: t < workload.rolling_until,
        version: Some(version),
        paused: None,
        writer,
        must_stay: 0,
    }
}

fn policy(name: String, saturation: bool) -> ScalePolicy {
    let up = |rate: &str, add, mins| UpStep {
        burn_rate: rate.parse().unwrap(),
        add,
        cooldown: Span::from_mins(mins),
    };
    let full = Saturation {
        query: "max(…)".to_owned(),
        scale_above: Finite::new(0.7).unwrap(),
        shrink_below: Finite::new(0.65).unwrap(),
    };
    ScalePolicy {
        name: name.clone(),
        labels: Labels::new(),
        annotations: Labels::new(),
        slos: vec![Watched {
            slo: SloId { service: "shop".to_owned(), name: "availability".to_owned() },
            group: None,
        }],
        target: Target::Kubernetes {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: "shop".to_owned(),
            name,
        },
        mode: ScaleMode::Auto,
        replicas: Bounds::new(BOUNDS.min, BOUNDS.max).unwrap(),
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
        saturation: saturation.then_some(full),
        unless: Vec::new(),
        respect_override: Span::from_hours(1),
        place: Place::default(),
    }
}
