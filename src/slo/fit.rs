//! Whether a policy fits the SLOs it names. It is asked of files, where every answer has a line, and
//! of what is in force, where either side may be an older version than its file.

use super::model::{Labels, Sli, Slo};
use super::policy::{ScaleMode, ScalePolicy, Watched, Windows};
use super::time::Span;
use super::unit::{BurnRate, Events, Objective};

/// What of a policy must fit its SLOs.
#[derive(Clone, PartialEq, Debug)]
pub struct Asks {
    /// The SLOs.
    pub slos: Vec<Watched>,
    /// Whether it acts.
    pub mode: ScaleMode,
    /// Burn rates of its steps up.
    pub rates: Vec<BurnRate>,
    /// The bad events that the long window needs, and the windows; `None` where they could not be read.
    pub evidence: Option<(Events, Windows)>,
}

/// Why a policy can not do what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misfit {
    /// What does not fit.
    pub about: About,
    /// Why.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// A part of a policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    /// The SLO at this place among the policy's.
    Slo(usize),
    /// The step up at this place.
    Rate(usize),
    /// The bad events that it needs.
    Evidence,
}

impl From<&ScalePolicy> for Asks {
    fn from(policy: &ScalePolicy) -> Self {
        Self {
            slos: policy.slos.clone(),
            mode: policy.mode,
            rates: policy.up.iter().map(|step| step.burn_rate).collect(),
            evidence: Some((policy.min_bad_events, policy.windows)),
        }
    }
}

/// Everything that does not fit. `found` has an entry for each SLO of the policy, `None` where it is
/// not known; what hangs on all of them is then not told.
pub fn misfits(asks: &Asks, found: &[Option<&Slo>]) -> Vec<Misfit> {
    let known = asks.slos.iter().zip(found).enumerate();
    let mut misfits: Vec<Misfit> = known
        .filter_map(|(i, (watched, slo))| Some((i, watched, (*slo)?)))
        .flat_map(|(i, watched, slo)| {
            misnamed_group(i, watched, slo).into_iter().chain(counts_nothing(i, asks, slo))
        })
        .collect();
    let whole = found.iter().copied().collect::<Option<Vec<&Slo>>>();
    let all = whole.filter(|all| !all.is_empty() && all.len() == asks.slos.len());
    let Some(all) = all.filter(|_| misfits.is_empty()) else { return misfits };
    let watched: Vec<(&Watched, &Slo)> = asks.slos.iter().zip(all).collect();
    misfits.extend(unreachable(asks, &watched));
    misfits.extend(too_few(asks, &watched));
    misfits
}

fn misnamed_group(i: usize, watched: &Watched, slo: &Slo) -> Option<Misfit> {
    let (what, hint) = wrong_group(watched.group.as_ref()?, slo)?;
    Some(Misfit { about: About::Slo(i), what, hint })
}

/// Why an SLO has no such group, and what to do.
pub(super) fn wrong_group(group: &Labels, slo: &Slo) -> Option<(String, String)> {
    match &slo.group_by {
        None => Some((format!("`{}` has no groups", slo.id), "remove `group`".to_owned())),
        Some(by) if by.labels.iter().eq(group.keys()) => None,
        Some(by) => {
            let labels = by.labels.join(", ");
            let what = format!("the groups of `{}` are by: {labels}", slo.id);
            Some((what, format!("name a value for each of: {labels}")))
        }
    }
}

/// A ratio is weighted by time, and a composite by its weights: how many failed is not known, and no
/// replica moves on that.
fn counts_nothing(i: usize, asks: &Asks, slo: &Slo) -> Option<Misfit> {
    let (what, hint) = match &slo.sli {
        Sli::Direct { .. } => (
            format!("`{}` is a ratio without event counts, which drives no replicas", slo.id),
            "keep mode: dryRun, or write the SLO with events, latency or timeslice",
        ),
        Sli::Composite(_) => (
            format!("`{}` is a composite without event counts, which drives no replicas", slo.id),
            "name the SLOs it is made of that this workload serves, or keep mode: dryRun",
        ),
        Sli::Counted { .. } | Sli::Timeslice(_) => return None,
    };
    let what = (asks.mode == ScaleMode::Auto).then_some(what)?;
    Some(Misfit { about: About::Slo(i), what, hint: hint.to_owned() })
}

/// Rates that the budget of no SLO can burn at: `rate · budget ≥ 1`.
fn unreachable(asks: &Asks, watched: &[(&Watched, &Slo)]) -> Vec<Misfit> {
    let objectives = || watched.iter().flat_map(|(watched, slo)| objectives(watched, slo));
    let highest = objectives().map(|objective| 1.0 / objective.budget()).fold(0.0, f64::max);
    let never = |rate: &BurnRate| !objectives().any(|objective| rate.reachable(objective));
    let rates = asks.rates.iter().enumerate().filter(|(_, rate)| never(rate));
    rates
        .map(|(i, rate)| Misfit {
            about: About::Rate(i),
            what: format!("no SLO of this policy can burn {rate} times as fast, not even when all is bad"),
            hint: format!("burnRate must be below {highest:.3} for the objectives of its SLOs"),
        })
        .collect()
}

/// The objectives that a burn rate may be held against: one group's, or those of all that are pooled.
fn objectives<'s>(watched: &'s Watched, slo: &'s Slo) -> impl Iterator<Item = Objective> + 's {
    let of_groups = slo.group_by.iter().flat_map(|by| &by.objectives);
    let holds =
        |matches: &Labels, group: &Labels| matches.iter().all(|(name, value)| group.get(name) == Some(value));
    let own = watched.group.as_ref().map(|group| {
        let mut of_groups = of_groups.clone();
        of_groups.find(|of| holds(&of.matches, group)).map_or(slo.objective, |of| of.objective)
    });
    let pooled = watched.group.is_none().then(|| of_groups.map(|of| of.objective).chain([slo.objective]));
    own.into_iter().chain(pooled.into_iter().flatten())
}

/// Where a bad event is a whole time slice, a window holds only few of them.
fn too_few(asks: &Asks, watched: &[(&Watched, &Slo)]) -> Option<Misfit> {
    let (needed, windows) = asks.evidence?;
    let mut slices: Vec<Span> = Vec::new();
    for (watched, slo) in watched {
        match &slo.sli {
            // Groups that are pooled give one each.
            Sli::Timeslice(timeslice) if slo.group_by.is_none() || watched.group.is_some() => {
                slices.push(timeslice.slice);
            }
            _ => return None,
        }
    }
    let shortest = slices.into_iter().min()?;
    let holds = windows.long.secs() / shortest.secs().max(1);
    let hint = "lengthen spec.windows, or lower spec.minBadEvents".to_owned();
    if windows.short < shortest {
        let what =
            format!("spec.windows.short is {}, shorter than a time slice of {shortest}", windows.short);
        return Some(Misfit { about: About::Evidence, what, hint });
    }
    (needed > Events::whole(holds)).then(|| {
        let needed = needed.as_f64();
        let what = format!(
            "nothing is ever added: {needed} bad events are needed, and {} holds only {holds} time slices of {shortest}",
            windows.long
        );
        Misfit { about: About::Evidence, what, hint }
    })
}
