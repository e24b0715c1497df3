//! One SLO and group at one moment: how it stands, and what its rules say.

use super::observed::Observed;
use crate::engine::condition::{Judged, Terms, Verdict, judge, reaches};
use crate::engine::plan::{AliveReading, DirectReading, Planned};
use crate::engine::reason::WindowEvidence;
use crate::engine::status::Standing;
use crate::engine::window::{Book, Counts, Slice, Windows};
use crate::slo::model::{AbsentMeans, Labels, Rule, Slo};
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
    /// The SLO, or parts of a composite, whose series never were. They end no alert though the workload is
    /// up: there were some when it began, so the definition was edited since, and what it asks for now may
    /// not exist at all. Of a part that had none then either, see `AlertState::unborn`.
    pub never_were: Vec<String>,
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
    let means = observed.absence_of(planned, at);
    let mut windows = Windows::new(book, at);
    let standing = Standing::of(&mut windows, targets_of(planned, observed, at), means);
    let terms = Terms {
        objective: objective_of(slo, group),
        absent: standing.reads_absence_as(means),
        begun: book.begun().unwrap_or(Ts(i64::MAX)),
    };
    let known = standing.is_known(means);
    let rules = slo
        .alerting
        .rules
        .iter()
        .map(|rule| {
            if !planned.direct.is_empty() {
                return judge_direct(planned, group, rule, observed, terms.objective, at);
            }
            if !known {
                return JudgedRule::Counted(Judged::UNKNOWN);
            }
            judge_counted(rule, &terms, |window| windows.get(window))
        })
        .collect();
    let means_nothing = slo.absent.means == AbsentMeans::Unknown;
    let never_was = means_nothing && book.slice(at) == Slice::Absent { born: false };
    let never_were = if never_was { vec![planned.id.clone()] } else { Vec::new() };
    JudgedGroup { standing, rules, never_were }
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

/// The same for a member of an SLO: of a composite over several sources the moment judged is that of the
/// source that is latest behind, and targets of the others were read after it.
pub(in crate::engine) fn targets_of_member(
    planned: &Planned,
    member: &Planned,
    observed: &Observed,
    at: Ts,
) -> Option<AliveReading> {
    targets_of(member, observed, moment_of(planned, member, observed, at))
}

/// The moment for which targets of a member speak.
pub(super) fn moment_of(planned: &Planned, member: &Planned, observed: &Observed, at: Ts) -> Ts {
    if planned.sources().len() < 2 {
        return at;
    }
    let targets = member.alive.and_then(|ix| observed.alive.get(&ix));
    targets.map_or(at, |targets| targets.read_by(at))
}

/// A short window that does not reach the rate settles a rule alone, and nearly all are settled so:
/// the long ones, which reach far back in memory, are summed only when they matter.
fn judge_counted(rule: &Rule, terms: &Terms, mut window: impl FnMut(Span) -> Counts) -> JudgedRule {
    let short = rule.short.map(&mut window);
    let long = match short {
        Some(short) if !reaches(rule, &short, terms) => short,
        _ => window(rule.long),
    };
    JudgedRule::Counted(judge(rule, long, short, terms))
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

    /// Burn rates that were asked directly: of the long and of the short window.
    pub(super) fn ratios(&self) -> (Option<f64>, Option<f64>) {
        match self {
            Self::Counted(_) => (None, None),
            Self::Direct { long, short, .. } => (*long, *short),
        }
    }
}

/// What a ratio says that was asked directly.
pub(super) fn ratio_evidence(window: Span, burn: Option<f64>, at: Ts) -> WindowEvidence {
    let coverage = if burn.is_some() { 1.0 } else { 0.0 };
    WindowEvidence {
        window,
        from: at.minus(window),
        to: at,
        bad: 0.0,
        total: 0.0,
        burn,
        coverage,
        excluded: 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::testing;
    use crate::slo::model::{AbsentMeans, Severity};
    use crate::slo::unit::Events;

    fn counts(span: i64) -> impl Strategy<Value = Counts> {
        let tenths = (0i64..=10, 0i64..=10, 0i64..=10);
        (0i64..40, 0i64..2000, tenths).prop_map(move |(bad, total, (covered, withheld, absent))| {
            let covered = covered * span / 10;
            let summed = covered + withheld * (span - covered) / 10;
            let absent = absent * (span - summed) / 10;
            let (bad, total) = (Events::whole(bad), Events::whole(total));
            Counts {
                from: Ts(100_000 - span),
                to: Ts(100_000),
                bad,
                total,
                covered,
                summed,
                absent,
                excluded: 0,
            }
        })
    }

    fn means() -> impl Strategy<Value = AbsentMeans> {
        use AbsentMeans::{Bad, Good, Idle, Unknown};
        prop_oneof![Just(Unknown), Just(Good), Just(Bad), Just(Idle)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn a_rule_is_judged_as_if_all_its_windows_were_summed(
            long in counts(3600),
            short in counts(300),
            absent in means(),
            (rate, min_bad, begun) in (1u64..20, 0i64..30, 96_000i64..97_000),
        ) {
            let (long_window, short_window) = (Span::from_hours(1), Some(Span::from_mins(5)));
            let rule = testing::rule(Severity::Page, &rate.to_string(), long_window, short_window);
            let rule = Rule { min_bad_events: Events::whole(min_bad), ..rule };
            let terms = Terms { objective: "99.9".parse().unwrap(), absent, begun: Ts(begun) };
            let window = |window| if window == rule.long { long } else { short };
            let judged = judge_counted(&rule, &terms, window);
            let expected = judge(&rule, long, Some(short), &terms);
            prop_assert_eq!((judged.begins(), judged.goes_on()), (expected.begins, expected.goes_on));
        }
    }
}
