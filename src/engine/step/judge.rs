//! One SLO and group at one moment: how it stands, and what its rules say.

use super::evidence::window_evidence;
use super::observed::Observed;
use crate::engine::condition::{Judged, Terms, Verdict, judge};
use crate::engine::plan::{AliveReading, DirectReading, Planned};
use crate::engine::reason::WindowEvidence;
use crate::engine::status::Standing;
use crate::engine::window::{Book, Counts};
use crate::slo::model::{Labels, Rule, Slo};
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Objective;

/// One rule as judged, by event counts or by a ratio asked directly.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum JudgedRule {
    /// From the ledger.
    Counted(Judged),
    /// From direct answers: burn rates of the long and the short window.
    Direct {
        /// Whether it holds.
        verdict: Verdict,
        /// Burn rate of the long window.
        long: Option<f64>,
        /// Burn rate of the short window.
        short: Option<f64>,
        /// When.
        at: Ts,
    },
}

/// One SLO and group as judged.
pub struct JudgedGroup {
    /// How it stands.
    pub standing: Standing,
    /// One entry per rule of the SLO.
    pub rules: Vec<JudgedRule>,
}

/// Judges every rule of one SLO and group.
pub fn judge_group(
    planned: &Planned,
    group: &Labels,
    book: &Book<'_>,
    observed: &Observed,
    at: Ts,
) -> JudgedGroup {
    let slo = &*planned.slo;
    let means = slo.absent.means;
    let standing = Standing::of(book, targets_of(planned, observed, at), means, at);
    let terms = Terms {
        objective: objective_of(slo, group),
        absent: standing.reads_absence_as(means),
        begun: book.begun().unwrap_or(Ts(i64::MAX)),
    };
    let known = standing.is_known(means);
    let mut windows = Windows { book, at, seen: Vec::with_capacity(8) };
    let rules = slo
        .alerting
        .rules
        .iter()
        .map(|rule| {
            if !planned.direct.is_empty() {
                return judge_direct(planned, group, rule, observed, terms.objective, at);
            }
            let short = rule.short.map(|short| windows.get(short));
            let mut judged = judge(rule, windows.get(rule.long), short, &terms);
            if !known {
                judged.begins = Verdict::Unknown;
                judged.goes_on = Verdict::Unknown;
            }
            JudgedRule::Counted(judged)
        })
        .collect();
    JudgedGroup { standing, rules }
}

/// The objective of a group: the first match of `groupBy.objectives`, or the SLO's own.
pub fn objective_of(slo: &Slo, group: &Labels) -> Objective {
    slo.group_by
        .iter()
        .flat_map(|by| &by.objectives)
        .find(|own| own.matches.iter().all(|(name, value)| group.get(name) == Some(value)))
        .map_or(slo.objective, |own| own.objective)
}

/// How many targets are up at a moment, where known.
pub(super) fn targets_of(planned: &Planned, observed: &Observed, at: Ts) -> Option<AliveReading> {
    observed.alive.get(&planned.alive?)?.at(at)
}

fn judge_direct(
    planned: &Planned,
    group: &Labels,
    rule: &Rule,
    observed: &Observed,
    objective: Objective,
    at: Ts,
) -> JudgedRule {
    let burn_of = |window: Span| {
        let (_, ix) = planned.direct.iter().find(|(w, _)| *w == window)?;
        let DirectReading::Known(ratios) = observed.direct.get(ix)?.reading_at(at)? else { return None };
        Some(ratios.get(group)?.get() / objective.budget())
    };
    let (long, short) = (burn_of(rule.long), rule.short.and_then(burn_of));
    let reaches = |burn: Option<f64>| burn.map(|burn| burn >= rule.burn_rate.value());
    let needed =
        if rule.short.is_some() { [reaches(long), reaches(short)] } else { [reaches(long), Some(true)] };
    let verdict = match needed {
        [Some(true), Some(true)] => Verdict::Holds,
        [None, _] | [_, None] => Verdict::Unknown,
        _ => Verdict::Clear,
    };
    JudgedRule::Direct { verdict, long, short, at }
}

impl JudgedRule {
    /// May it begin?
    pub fn begins(&self) -> Verdict {
        match self {
            Self::Counted(judged) => judged.begins,
            Self::Direct { verdict, .. } => *verdict,
        }
    }

    /// Does it go on?
    pub fn goes_on(&self) -> Verdict {
        match self {
            Self::Counted(judged) => judged.goes_on,
            Self::Direct { verdict, .. } => *verdict,
        }
    }

    /// Whether it holds, for people.
    pub fn holds(&self) -> bool {
        self.goes_on() == Verdict::Holds
    }

    pub(super) fn long(&self, window: Span, objective: Objective) -> WindowEvidence {
        match self {
            Self::Counted(judged) => window_evidence(window, &judged.long, objective),
            Self::Direct { long, at, .. } => ratio_evidence(window, *long, *at),
        }
    }

    pub(super) fn short(&self, window: Span, objective: Objective) -> WindowEvidence {
        match self {
            Self::Counted(judged) => window_evidence(window, &judged.short.unwrap_or(judged.long), objective),
            Self::Direct { short, at, .. } => ratio_evidence(window, *short, *at),
        }
    }
}

fn ratio_evidence(window: Span, burn: Option<f64>, at: Ts) -> WindowEvidence {
    let coverage = if burn.is_some() { 1.0 } else { 0.0 };
    WindowEvidence { window, from: at.minus(window), to: at, bad: 0.0, total: 0.0, burn, coverage }
}

/// Windows summed once per group and moment, however many rules share them.
struct Windows<'a, 'b> {
    book: &'a Book<'b>,
    at: Ts,
    seen: Vec<(Span, Counts)>,
}

impl Windows<'_, '_> {
    fn get(&mut self, window: Span) -> Counts {
        if let Some((_, counts)) = self.seen.iter().find(|(w, _)| *w == window) {
            return *counts;
        }
        let counts = self.book.window(window, self.at);
        self.seen.push((window, counts));
        counts
    }
}
