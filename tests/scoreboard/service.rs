//! One workload with whatever scales it.

use damper::engine::scale::{Burn, Lever, Observed, Writer, WriterKind};
use damper::slo::unit::Finite;

use super::basic::Basic;
use super::books::{Books, Slice};
use super::guard::{Guard, seen};
use super::hpa::{Hpa, SYNC, Target};
use super::metrics::Metrics;
use super::scenario::{Fault, Scenario, Sees};
use super::score::Tally;
use super::workload::Workload;
use super::{BOUNDS, Controller, TICK, moment};

/// Seconds between polls of KEDA.
const POLL: i64 = 30;
/// `rate(…[2m])`, and how long it still has two samples of a series that ended.
const RATE: i64 = 120;
const RATE_LASTS: i64 = 105;
/// CPU as a saturation query reads it: `rate(…[1m])`.
const CPU_RATE: i64 = 60;

/// One workload with whatever scales it.
pub struct Service {
    index: u32,
    pub workload: Workload,
    metrics: Metrics,
    /// What Damper, or the basic rule, knows of it.
    pub books: Option<Books>,
    autoscaler: Option<Hpa>,
    is_keda: bool,
    /// What KEDA says of its query.
    polled: Option<f64>,
    basic: Option<Basic>,
    pub guard: Option<Guard>,
    /// `minReplicas` of the autoscaler.
    floor: u32,
    /// Who set Damper's lever last.
    writer: Option<Writer>,
    pub tally: Tally,
}

impl Service {
    /// Everything is well.
    pub fn new(index: u32, scenario: &Scenario, controller: Controller, books: Option<Books>) -> Self {
        let target = match controller {
            Controller::Hpa | Controller::HpaFloor => Some(Target::Cpu(0.6)),
            Controller::Keda | Controller::KedaFloor => Some(Target::Average(60.0)),
            Controller::Nothing | Controller::Basic | Controller::Direct => None,
        };
        let is_bare = controller == Controller::Basic;
        let guarded = controller.without().is_some();
        let guard = || Guard::new(&format!("shop-{index}"), scenario.sees != Sees::Nothing);
        let mut workload = Workload::new(scenario.replicas, scenario.count);
        workload.quota = scenario.faults().find_map(|fault| match fault {
            Fault::Quota(most) => Some(most),
            _ => None,
        });
        Self {
            index,
            workload,
            metrics: Metrics::default(),
            books,
            autoscaler: target.map(|target| Hpa::new(target, BOUNDS)),
            is_keda: matches!(target, Some(Target::Average(_))),
            polled: None,
            basic: is_bare.then(|| Basic::new(BOUNDS)),
            guard: guarded.then(guard),
            floor: BOUNDS.min,
            writer: None,
            tally: Tally::new(scenario, index),
        }
    }

    /// Faults that begin or end now, and Git.
    pub fn happens(&mut self, t: i64, scenario: &Scenario) {
        for fault in scenario.faults() {
            match fault {
                Fault::Rollout(from, to) if t == from => {
                    (self.workload.version_since, self.workload.rolling_until) = (from, to);
                }
                Fault::Failover(_, to) if t == to => self.restart(true),
                Fault::Manager(_, to) if t == to => self.restart(false),
                Fault::Reverts(every) if t > 0 && t % every == 0 => self.put_back(t, scenario),
                _ => {}
            }
        }
    }

    fn restart(&mut self, everybody: bool) {
        self.autoscaler.iter_mut().for_each(Hpa::restart);
        if everybody {
            self.basic.iter_mut().for_each(Basic::restart);
            self.guard.iter_mut().for_each(Guard::restart);
        }
    }

    /// Git has the count, and the floor of the autoscaler.
    fn put_back(&mut self, t: i64, scenario: &Scenario) {
        let name = "argocd-controller".to_owned();
        let writer = Writer { name, kind: WriterKind::Controller, at: moment(t) };
        let has_floor = self.autoscaler.is_some();
        let is_moved =
            if has_floor { self.floor != BOUNDS.min } else { self.workload.wanted != scenario.count };
        if is_moved {
            self.writer = Some(writer);
        }
        (self.floor, self.workload.wanted) = (BOUNDS.min, scenario.count);
    }

    /// The autoscaler, or KEDA.
    pub fn autoscale(&mut self, t: i64, scenario: &Scenario) {
        let Some(hpa) = &mut self.autoscaler else { return };
        if t % POLL == 0 {
            let is_gone = scenario.is_blind(t) && scenario.is_blind(t - RATE_LASTS);
            self.polled = match is_gone {
                _ if scenario.is_down(t) => None,
                // `ignoreNullValues`: no answer reads as zero.
                true => Some(0.0),
                false => Some(self.metrics.mean(RATE, |served| served.rate)),
            };
        }
        if t % SYNC == 0 && self.metrics.at > 0 {
            let wanted = hpa.sync(t, &self.workload, &self.metrics, self.polled, self.floor);
            let reads_prometheus = self.is_keda;
            self.bring(t, scenario, wanted, reads_prometheus);
        }
    }

    /// Books the slice that ended a tick ago, and lets the basic rule act on it.
    pub fn slice(&mut self, t: i64, scenario: &Scenario, is_away: bool) {
        let (bad, total) = self.metrics.slice();
        let Some(books) = &mut self.books else { return };
        let at = moment(t - TICK);
        let slice = match scenario.is_blind(t) {
            true if scenario.is_down(t) => Slice::Unanswered,
            true => Slice::Absent,
            false => Slice::Counted(bad, total),
        };
        books.book(at, &slice);
        if is_away {
            return;
        }
        if self.guard.is_some() {
            books.step(at);
        }
        if let Some(basic) = &mut self.basic {
            let wanted = basic.decide(t, at, &books.ledger, books.planned(), self.workload.wanted);
            self.bring(t, scenario, wanted, true);
        }
    }

    /// What Damper looks at; `None` where it does not scale.
    pub fn look(&self, t: i64, scenario: &Scenario) -> Option<Observed> {
        let (books, guard) = (self.books.as_ref()?, self.guard.as_ref()?);
        let policy = &guard.policy;
        let burn = Burn::read(
            &policy.slos[0],
            policy.windows,
            books.planned(),
            &books.ledger,
            &books.control,
            &books.observed,
            moment(t - TICK),
        );
        let lever = match &self.autoscaler {
            None => Lever::Count,
            Some(_) => {
                let owner = "HorizontalPodAutoscaler shop".to_owned();
                Lever::Floor { at: self.floor, most: BOUNDS.max, owner, original: None }
            }
        };
        Some(Observed {
            burns: vec![burn],
            workload: Some(seen(t, &self.workload, lever, self.writer.clone())),
            saturation: self.saturation(t, scenario),
            ..Observed::default()
        })
    }

    fn saturation(&self, t: i64, scenario: &Scenario) -> Option<Finite> {
        let cpu = self.metrics.mean(CPU_RATE, |served| served.cpu);
        let in_flight = self.metrics.mean(TICK, |served| served.in_flight);
        match scenario.sees {
            Sees::Nothing => None,
            _ if scenario.is_down(t) => None,
            // The workload tells what is in flight; its CPU is told by others.
            Sees::Both if !scenario.is_blind(t) => Finite::new(cpu.max(in_flight)),
            Sees::Both | Sees::Cpu => Finite::new(cpu),
        }
    }

    /// Damper's write: of the count, or of the floor of the autoscaler that owns it.
    pub fn write(&mut self, t: i64, scenario: &Scenario, to: u32) {
        self.writer = Some(Writer { name: "damper".to_owned(), kind: WriterKind::Damper, at: moment(t) });
        let is_floor = self.autoscaler.is_some();
        let from = if is_floor { self.floor } else { self.workload.wanted };
        self.tally.write(t, |tally| {
            tally.judge(t, scenario, &self.workload, (from, to), true);
            if !is_floor {
                tally.acted(t, from, to);
            }
        });
        *(if is_floor { &mut self.floor } else { &mut self.workload.wanted }) = to;
    }

    /// What another controller wants.
    fn bring(&mut self, t: i64, scenario: &Scenario, to: u32, reads_prometheus: bool) {
        let from = self.workload.wanted;
        if to != from {
            self.tally.acted(t, from, to);
            self.tally.judge(t, scenario, &self.workload, (from, to), reads_prometheus);
            self.workload.wanted = to;
        }
    }

    /// Lets the workload do a tick's work.
    pub fn works(&mut self, t: i64, scenario: &Scenario, is_managed: bool) {
        if is_managed {
            self.workload.reconcile(t);
        }
        let rate = scenario.load_at(self.index, t) * noise(t, self.index);
        let served = self.workload.serve(t, rate, scenario.broken(self.index, t));
        self.metrics.record(t + TICK, served);
        self.tally.served(t, &served, &self.workload);
    }
}

/// Load is never quite even: up to 5 % more or less, the same in every run (SplitMix64).
fn noise(t: i64, index: u32) -> f64 {
    let seed = u64::try_from(t / TICK).unwrap() + (u64::from(index) << 32);
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let thousandth = u32::try_from((z ^ (z >> 31)) % 101).unwrap();
    0.95 + f64::from(thousandth) / 1000.0
}
