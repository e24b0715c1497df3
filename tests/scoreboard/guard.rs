//! Damper's own part of scaling: the real decisions under the policy that ships as the default, and
//! the limits that all policies share. State is remembered as the store keeps it.

use damper::engine::scale::{
    Decision, Fleet, Lever, Observed, State, Verdict, Version, Workload as Seen, Writer, decide,
};
use damper::settings::ScalingConfig;
use damper::slo::policy::ScalePolicy;
use damper::slo::time::Ts;
use damper::slo::{Context, SourceFile, load};

use super::books::{DEFINITION, STEP};
use super::workload::Workload;
use super::{Bounds, moment};

/// One policy.
pub struct Guard {
    /// What it says.
    pub policy: ScalePolicy,
    state: State,
}

impl Guard {
    /// The policy that ships as the default, with or without a saturation query.
    pub fn new(name: &str, saturation: bool, bounds: Bounds) -> Self {
        Self { policy: policy(name, saturation, bounds), state: State::default() }
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
    let wishes: Vec<_> =
        all.iter().zip(&alone).map(|((guard, _), decision)| (&guard.policy, decision)).collect();
    let brake = fleet.brake(now, &wishes, ScalingConfig::LIMITS);
    let mut short = fleet.short(&wishes, ScalingConfig::LIMITS);
    let one = |(ix, (guard, observed)): (usize, &mut (&mut Guard, Observed))| {
        observed.brake.clone_from(&brake);
        observed.room = short.remove(&ix);
        let (state, decision) = guard.decide(now, observed);
        guard.state = state;
        fleet.note(&guard.policy, &decision);
        match decision.verdict {
            Verdict::Scale { to, .. } => Some(to),
            Verdict::Hold => None,
        }
    };
    all.iter_mut().enumerate().map(one).collect()
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

/// The policy as somebody gets it who writes no more than is required: all else is the default.
fn policy(name: &str, saturation: bool, Bounds { min, max }: Bounds) -> ScalePolicy {
    let saturation = if saturation { "{query: max(full)}" } else { "none" };
    let text = format!(
        "apiVersion: damper.dev/v1\n\
         kind: ScalePolicy\n\
         metadata: {{name: {name}}}\n\
         spec:\n\
         \x20 slos: [shop/availability]\n\
         \x20 target: {{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: {name}}}\n\
         \x20 mode: auto\n\
         \x20 replicas: {{min: {min}, max: {max}}}\n\
         \x20 saturation: {saturation}\n"
    );
    let files = [("shop.yaml", DEFINITION), ("policy.yaml", &text)]
        .map(|(path, text)| SourceFile { path: path.to_owned(), text: text.to_owned() });
    let loaded = load(&files, &Context::without_settings(STEP));
    let problems: Vec<_> = loaded.problems().collect();
    assert!(problems.is_empty(), "{problems:#?}");
    loaded.policies().next().expect("it is there").clone()
}
