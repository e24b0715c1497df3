//! What happens to a workload while it is watched.

mod list;

use super::Bounds;
use super::workload::Replicas;
pub use list::all;

/// What a scenario asks of a controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// More load than there are replicas for: replicas help.
    Load,
    /// The same, and nothing tells that it is load.
    Untold,
    /// Replicas do not help, or cannot be had.
    NoHelp,
    /// Data is missing while there is load.
    Blind,
    /// Somebody else writes the count.
    Fight,
    /// Nothing is promised: what somebody tuned to exactly this is better.
    Open,
}

/// What a saturation query looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sees {
    /// The most of CPU and requests in flight, as it should.
    Both,
    /// CPU alone.
    Cpu,
    /// There is none: `saturation: none`.
    Nothing,
}

/// What goes wrong; times in seconds from the beginning.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fault {
    /// A share of all requests fails, whatever the replicas do.
    Broken(i64, i64, f64),
    /// A version is rolled out.
    Rollout(i64, i64),
    /// Replicas at most.
    Quota(u32),
    /// The workload's own series are gone.
    Vanish(i64, i64),
    /// Prometheus is down.
    Down(i64, i64),
    /// Git's count is put back every so often.
    Reverts(i64),
    /// Whoever scales stops at a moment, loses its memory, and is back so much later.
    Failover(i64, i64),
    /// The controller manager does, and with it whoever creates replicas.
    Manager(i64, i64),
}

impl Fault {
    fn delayed(self, delay: i64) -> Self {
        match self {
            Self::Broken(from, to, share) => Self::Broken(from + delay, to + delay, share),
            Self::Rollout(from, to) => Self::Rollout(from + delay, to + delay),
            Self::Vanish(from, to) => Self::Vanish(from + delay, to + delay),
            Self::Down(from, to) => Self::Down(from + delay, to + delay),
            Self::Failover(from, to) => Self::Failover(from + delay, to + delay),
            Self::Manager(from, to) => Self::Manager(from + delay, to + delay),
            Self::Quota(_) | Self::Reverts(_) => self,
        }
    }
}

/// What happens to one workload, or to many that are alike.
#[derive(Clone)]
pub struct Scenario {
    /// Its heading.
    pub name: &'static str,
    /// What happens.
    pub about: &'static str,
    /// What it asks.
    pub kind: Kind,
    /// How long it takes.
    pub minutes: i64,
    /// So many seconds of the controllers' time pass before it begins.
    pub delay: i64,
    /// How many workloads.
    pub services: u32,
    /// Requests per second of a workload at a moment.
    load: fn(u32, i64) -> f64,
    /// Replicas of each at the beginning; Git's count.
    pub count: u32,
    /// Where the controllers may move.
    pub bounds: Bounds,
    /// What replicas are like.
    pub replicas: Replicas,
    /// What goes wrong.
    faults: Vec<Fault>,
    /// What the saturation query looks at.
    pub sees: Sees,
}

impl Scenario {
    /// The same, so many seconds later.
    pub fn delayed(&self, delay: i64) -> Self {
        let later = self.replicas.later.map(|(from, limit)| (from + delay, limit));
        Self { delay, replicas: Replicas { later, ..self.replicas }, ..self.clone() }
    }

    /// Requests per second of a workload at a moment; at its own beginning, what they are before it.
    pub fn load_at(&self, service: u32, t: i64) -> f64 {
        (self.load)(service, (t - self.delay).max(0))
    }

    /// What goes wrong, in the controllers' time.
    pub fn faults(&self) -> impl Iterator<Item = Fault> {
        let delay = self.delay;
        self.faults.iter().map(move |fault| fault.delayed(delay))
    }

    /// Whether data is missing for who reads the workload's own series from Prometheus.
    pub fn is_blind(&self, t: i64) -> bool {
        self.during(t, |fault| match fault {
            Fault::Vanish(from, to) | Fault::Down(from, to) => Some((from, to)),
            _ => None,
        })
    }

    /// Whether Prometheus is down.
    pub fn is_down(&self, t: i64) -> bool {
        self.during(t, |fault| if let Fault::Down(from, to) = fault { Some((from, to)) } else { None })
    }

    /// Whether a fault of some kind lasts.
    pub fn during(&self, t: i64, span: impl Fn(Fault) -> Option<(i64, i64)>) -> bool {
        self.faults().filter_map(span).any(|(from, to)| (from..to).contains(&t))
    }

    /// The share of a service's requests that fails whatever the replicas do.
    pub fn broken(&self, service: u32, t: i64) -> f64 {
        let late = if self.services > 1 { late(service) } else { 0 };
        let share = |fault: Fault| match fault {
            Fault::Broken(from, to, share) if (from + late..to + late).contains(&t) => Some(share),
            _ => None,
        };
        self.faults().find_map(share).unwrap_or(0.0)
    }
}

/// How much later a service of the fleet fails than the first: at most two minutes.
fn late(service: u32) -> i64 {
    i64::from(service % 24) * 5
}
