//! Whether SLOs burn fast enough to add, or little enough to give back.

use super::observed::{Burn, Burning, Part};
use crate::engine::window::Counts;
use crate::slo::unit::{BurnRate, Events, PPB};

type Pick = fn(&Part) -> &Counts;

fn short(part: &Part) -> &Counts {
    &part.short
}

fn long(part: &Part) -> &Counts {
    &part.long
}

impl Burning {
    /// Whether both windows reach the rate, with what is missing read as good: a gap adds nothing.
    pub(in crate::engine) fn reaches(&self, rate: BurnRate) -> bool {
        let reaches = |pick: Pick| {
            let read = |part: &Part| {
                let counts = pick(part);
                (counts.bad, counts.total.plus(counts.mean_traffic(counts.missing())))
            };
            self.compare(read, rate)
        };
        reaches(short) && reaches(long)
    }

    /// Whether both windows are known in whole and below the rate. Series that were not there are no
    /// sign of calm, and neither are a few targets that are left.
    pub(in crate::engine) fn is_below(&self, rate: BurnRate) -> bool {
        self.uncalm.is_none() && self.is_quiet(rate)
    }

    /// The same whoever is left.
    pub(super) fn is_quiet(&self, rate: BurnRate) -> bool {
        let below = |pick: Pick| {
            let whole = self.parts.iter().all(|part| pick(part).covered >= pick(part).span());
            whole && !self.compare(|part| (pick(part).bad, pick(part).total), rate)
        };
        below(short) && below(long)
    }

    /// Bad events of the long window.
    pub fn bad(&self) -> Events {
        self.parts.iter().fold(Events::ZERO, |sum, part| sum.plus(part.long.bad))
    }

    /// Good events per second in the short window.
    pub(super) fn good(&self) -> f64 {
        let rate = |counts: &Counts| {
            let secs = f64::from(u32::try_from(counts.summed).unwrap_or(0));
            let good = counts.total.minus(counts.bad).clamped();
            if secs > 0.0 { good.as_f64() / secs } else { 0.0 }
        };
        self.parts.iter().map(|part| rate(&part.short)).sum()
    }

    /// Burn rates of the short and the long window, for people and for comparing before and after.
    pub fn rates(&self) -> (f64, f64) {
        let rate = |pick: Pick| {
            let (mut bad, mut may) = (0.0, 0.0);
            for part in &self.parts {
                bad += pick(part).bad.as_f64();
                may += part.objective.budget() * pick(part).total.as_f64();
            }
            if may > 0.0 { bad / may } else { 0.0 }
        };
        (rate(short), rate(long))
    }

    /// `Σbad ≥ rate · Σ(b · total)` in integers; no events never reach a rate.
    fn compare(&self, read: impl Fn(&Part) -> (Events, Events), rate: BurnRate) -> bool {
        let (mut left, mut right) = (0_i128, 0_i128);
        for part in &self.parts {
            let (bad, total) = read(part);
            let may = i128::from(total.thousandths()) * i128::from(part.objective.budget_ppb());
            left = left.saturating_add(i128::from(bad.thousandths()) * 1_000_000 * i128::from(PPB));
            right = right.saturating_add(may.saturating_mul(i128::from(rate.millionths())));
        }
        left > 0 && right > 0 && left >= right
    }
}

/// The SLO that burns most by its slower window, which is the one that decides.
pub(super) fn worst(burns: &[Burn]) -> Option<(&Burn, &Burning)> {
    let known = burns.iter().filter_map(|burn| Some((burn, burn.known.as_ref()?)));
    let slower = |burning: &Burning| {
        let (short, long) = burning.rates();
        short.min(long)
    };
    known.max_by(|(_, a), (_, b)| slower(a).total_cmp(&slower(b)))
}
