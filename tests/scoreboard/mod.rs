//! The scoreboard: what different ways of scaling make of the same workload, in virtual time.
//!
//! Damper's part is the real one: slices are booked in its ledger, [`step`] judges the alerts,
//! [`decide`] and [`Fleet`] move the replicas. The workload, Prometheus, and what Damper is compared
//! with are simulated. Nothing here has a clock or chance: every run gives the same numbers, and
//! `docs/scaling-scoreboard.md` shows them.
//!
//! [`step`]: damper::engine::step::step
//! [`decide`]: damper::engine::scale::decide
//! [`Fleet`]: damper::engine::scale::Fleet

mod basic;
mod books;
mod checks;
mod guard;
mod hpa;
mod metrics;
mod run;
pub mod scenario;
mod score;
mod service;
pub mod table;
#[cfg(test)]
mod tests;
mod workload;

use damper::slo::time::Ts;

pub use checks::problems;
use run::{Healthy, run};
use scenario::Scenario;
pub use score::Score;

/// Seconds between two looks of the simulation at its world.
const TICK: i64 = 5;
/// Where its time begins: on an hour.
const EPOCH: i64 = 1_800_000_000;

/// What scales.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Controller {
    /// Nothing does.
    Nothing,
    /// The HPA on CPU, 60 %.
    Hpa,
    /// KEDA on requests per second, 60 per replica.
    Keda,
    /// The bare basic rule.
    Basic,
    /// Damper sets the count.
    Direct,
    /// Damper raises the floor of the HPA.
    HpaFloor,
    /// Damper raises the floor of KEDA's.
    KedaFloor,
}

impl Controller {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 7] =
        [Self::Nothing, Self::Hpa, Self::Keda, Self::Basic, Self::Direct, Self::HpaFloor, Self::KedaFloor];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "no scaling",
            Self::Hpa => "HPA, CPU 60 %",
            Self::Keda => "KEDA, 60 requests/s",
            Self::Basic => "basic rule alone",
            Self::Direct => "**Damper**",
            Self::HpaFloor => "**HPA + Damper's floor**",
            Self::KedaFloor => "**KEDA + Damper's floor**",
        }
    }

    /// What scales the same without Damper, where this is Damper.
    pub fn without(self) -> Option<Self> {
        match self {
            Self::Direct => Some(Self::Nothing),
            Self::HpaFloor => Some(Self::Hpa),
            Self::KedaFloor => Some(Self::Keda),
            _ => None,
        }
    }
}

/// A scenario begins at several moments of the controllers' own rhythms, in seconds, so that luck
/// does not decide; many workloads are rhythms enough.
const DELAYS: [i64; 3] = [0, 205, 410];

/// What all of them made of a scenario.
pub struct Compared {
    /// What happened.
    pub scenario: Scenario,
    /// In the order of [`Controller::ALL`].
    pub scores: Vec<(Controller, Score)>,
}

impl Compared {
    /// Runs every controller.
    pub fn of(scenario: &Scenario) -> Self {
        let mut healthy = Healthy::default();
        let delays = if scenario.services > 1 { &DELAYS[..1] } else { &DELAYS };
        let mut score = |controller| {
            let run = |delay: &i64| run(&scenario.delayed(*delay), controller, &mut healthy);
            (controller, Score::mean(delays.iter().map(run).collect()))
        };
        let scores = Controller::ALL.iter().map(|controller| score(*controller)).collect();
        Self { scenario: scenario.clone(), scores }
    }

    /// What one of them made of it.
    pub fn score(&self, controller: Controller) -> &Score {
        &self.scores.iter().find(|(c, _)| *c == controller).unwrap().1
    }
}

/// Where the controllers may move.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// The lowest count.
    pub min: u32,
    /// The highest count.
    pub max: u32,
}

const BOUNDS: Bounds = Bounds { min: 3, max: 20 };

/// A second of the simulation as a moment.
fn moment(t: i64) -> Ts {
    Ts(EPOCH + t)
}

/// The next whole number of replicas, of a number that may be one by rounding.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some replicas")]
fn whole_up(replicas: f64) -> u32 {
    (replicas - 1e-9).ceil().clamp(0.0, 1e6) as u32
}
