//! What is counted of a run.

use super::TICK;
use super::books::DAYS;
use super::scenario::Scenario;
use super::workload::{Served, Workload};

/// What the SLO lets fail: 99.9 %.
const BUDGET: f64 = 0.001;
/// Seconds without burning after which a breach is over.
const QUIET: i64 = 240;

/// What is counted of one workload.
pub struct Tally {
    index: u32,
    /// When counting begins.
    begins: i64,
    /// Requests that may fail in the period.
    may_fail: f64,
    failed: f64,
    replica_seconds: i64,
    peak: u32,
    actions: u32,
    reversals: u32,
    was_up: Option<bool>,
    wrong: u32,
    removed_blind: u32,
    added: u32,
    own_wrong: u32,
    own_added: u32,
    writes: Vec<i64>,
    /// When it began to fail more than the budget allows, and when it did last.
    breach: Option<(i64, i64)>,
    longest: i64,
}

impl Tally {
    /// Nothing was counted yet.
    pub fn new(scenario: &Scenario, index: u32) -> Self {
        let period = f64::from(DAYS * 86_400);
        Self {
            index,
            may_fail: BUDGET * period * scenario.load_at(index, 0),
            begins: scenario.delay,
            failed: 0.0,
            replica_seconds: 0,
            peak: scenario.count,
            actions: 0,
            reversals: 0,
            was_up: None,
            wrong: 0,
            removed_blind: 0,
            added: 0,
            own_wrong: 0,
            own_added: 0,
            writes: Vec::new(),
            breach: None,
            longest: 0,
        }
    }

    /// A tick's work.
    pub fn served(&mut self, t: i64, served: &Served, workload: &Workload) {
        if t < self.begins {
            return;
        }
        self.failed += served.rate * served.failed * f64::from(i32::try_from(TICK).unwrap());
        self.replica_seconds += i64::from(workload.existing()) * TICK;
        self.peak = self.peak.max(workload.wanted);
        if self.breach.is_some_and(|(_, last)| t - last >= QUIET) {
            self.close();
        }
        if served.failed >= BUDGET {
            let since = self.breach.map_or(t, |(since, _)| since);
            self.breach = Some((since, t + TICK));
        }
    }

    fn close(&mut self) {
        if let Some((since, last)) = self.breach.take() {
            self.longest = self.longest.max(last - since);
        }
    }

    /// The count was changed.
    pub fn acted(&mut self, t: i64, from: u32, to: u32) {
        if t < self.begins {
            return;
        }
        let is_up = to > from;
        self.actions += 1;
        self.reversals += u32::from(self.was_up.is_some_and(|was_up| was_up != is_up));
        self.was_up = Some(is_up);
    }

    /// Damper writes its lever; `how` tells the rest of it.
    pub fn write(&mut self, t: i64, how: impl FnOnce(&mut Self)) {
        let (wrong, added) = (self.wrong, self.added);
        how(self);
        self.own_wrong += self.wrong - wrong;
        self.own_added += self.added - added;
        self.writes.push(t);
    }

    /// Whether a change of the count or of the floor did harm: more replicas where they cannot help
    /// or be had, or anything on data that is missing.
    pub fn judge(
        &mut self,
        t: i64,
        scenario: &Scenario,
        workload: &Workload,
        (from, to): (u32, u32),
        reads_prometheus: bool,
    ) {
        if t < self.begins {
            return;
        }
        let is_blind = reads_prometheus && scenario.is_blind(t);
        let is_useless = to > from && (scenario.broken(self.index, t) > 0.0 || workload.is_blocked());
        self.wrong += u32::from(is_blind || is_useless);
        self.added += if is_useless { to - from } else { 0 };
        self.removed_blind += if is_blind { from.saturating_sub(to) } else { 0 };
    }
}

/// How long it took until the SLO was kept again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Recovered {
    /// It was never broken.
    Unbroken,
    /// So many seconds, the longest time of several.
    After(i64),
    /// Not before the end.
    Never,
}

/// What is shown of runs; of many workloads, sums, and the worst of times and peaks.
#[derive(Clone, Debug)]
pub struct Score {
    /// How long the SLO was broken.
    pub recovered: Recovered,
    /// Budget of 30 days that was spent, in percent; the mean of many workloads.
    pub budget: f64,
    /// Replicas that existed, times minutes.
    pub replica_minutes: f64,
    /// Changes of the count.
    pub actions: f64,
    /// Those that went the other way than the one before.
    pub reversals: f64,
    /// Changes that did harm.
    pub wrong: f64,
    /// Replicas added where they cannot help or be had.
    pub added: u32,
    /// Replicas removed on data that was missing.
    pub removed_blind: f64,
    /// The most replicas wanted of one workload.
    pub peak: u32,
    /// Damper's own changes that did harm.
    pub own_wrong: u32,
    /// Replicas that Damper itself added where they cannot help or be had.
    pub own_added: u32,
    /// Writes of Damper.
    pub writes: u32,
    /// The shortest time between two of them of one workload, in seconds.
    pub shortest_gap: Option<i64>,
}

impl Score {
    /// Of all workloads at the end of a run.
    pub fn of(tallies: impl Iterator<Item = Tally>, end: i64) -> Self {
        let mut score = Self {
            recovered: Recovered::Unbroken,
            budget: 0.0,
            replica_minutes: 0.0,
            actions: 0.0,
            reversals: 0.0,
            wrong: 0.0,
            added: 0,
            removed_blind: 0.0,
            peak: 0,
            own_wrong: 0,
            own_added: 0,
            writes: 0,
            shortest_gap: None,
        };
        let mut count = 0.0;
        for tally in tallies {
            count += 1.0;
            score.add(tally, end);
        }
        score.budget /= count;
        score
    }

    /// The mean of several runs; of times, peaks and what Damper promises, the worst.
    pub fn mean(runs: Vec<Self>) -> Self {
        let count = f64::from(u32::try_from(runs.len()).unwrap());
        let mut mean = runs.into_iter().reduce(Self::and).unwrap();
        for sum in [
            &mut mean.budget,
            &mut mean.replica_minutes,
            &mut mean.actions,
            &mut mean.reversals,
            &mut mean.wrong,
            &mut mean.removed_blind,
        ] {
            *sum /= count;
        }
        mean
    }

    fn and(self, other: Self) -> Self {
        Self {
            recovered: self.recovered.max(other.recovered),
            budget: self.budget + other.budget,
            replica_minutes: self.replica_minutes + other.replica_minutes,
            actions: self.actions + other.actions,
            reversals: self.reversals + other.reversals,
            wrong: self.wrong + other.wrong,
            removed_blind: self.removed_blind + other.removed_blind,
            added: self.added.max(other.added),
            own_wrong: self.own_wrong.max(other.own_wrong),
            own_added: self.own_added.max(other.own_added),
            peak: self.peak.max(other.peak),
            writes: self.writes.max(other.writes),
            shortest_gap: self.shortest_gap.into_iter().chain(other.shortest_gap).min(),
        }
    }

    fn add(&mut self, mut tally: Tally, end: i64) {
        let is_open = tally.breach.is_some_and(|(_, last)| last == end);
        tally.close();
        let recovered = match tally.longest {
            _ if is_open => Recovered::Never,
            0 => Recovered::Unbroken,
            seconds => Recovered::After(seconds),
        };
        self.recovered = self.recovered.max(recovered);
        self.budget += 100.0 * tally.failed / tally.may_fail;
        self.replica_minutes += f64::from(u32::try_from(tally.replica_seconds).unwrap()) / 60.0;
        self.actions += f64::from(tally.actions);
        self.reversals += f64::from(tally.reversals);
        self.wrong += f64::from(tally.wrong);
        self.added += tally.added;
        self.removed_blind += f64::from(tally.removed_blind);
        self.peak = self.peak.max(tally.peak);
        self.own_wrong += tally.own_wrong;
        self.own_added += tally.own_added;
        self.writes += u32::try_from(tally.writes.len()).unwrap();
        let gap = tally.writes.windows(2).map(|pair| pair[1] - pair[0]).min();
        self.shortest_gap = self.shortest_gap.into_iter().chain(gap).min();
    }
}
