//! What each SLO waits for in a tick, so that it is judged as soon as its own answers are there.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::fact::SeriesIx;
use crate::engine::plan::{Plan, Planned};
use crate::engine::step::{Control, Observed};

/// What each SLO still waits for.
pub(super) struct Waits {
    slos: Vec<Wait>,
    /// By question: the SLOs that wait for it.
    by_question: BTreeMap<Question, BTreeSet<usize>>,
}

struct Wait {
    /// How much is not answered yet.
    left: usize,
    /// Whether all so far was known.
    all_known: bool,
    /// How much of it is targets.
    targets: usize,
}

/// What an SLO that was waited for is ready for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ready {
    /// All is answered and known.
    Known,
    /// All is answered, and something that counts is not known.
    Unknown,
    /// All that counts is known; only its targets are not answered, which hold what ends.
    ToBegin,
}

/// One thing that is asked in a tick.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Question {
    /// A series of slices.
    Series(SeriesIx),
    /// An alive group, by position.
    Alive(usize),
    /// A direct window, by position.
    Direct(usize),
}

impl Waits {
    /// Everything a plan asks in a tick. Targets only hold resolves: an SLO with nothing to resolve
    /// does not wait for them, except where they were never read, because they tell idle from absent.
    /// What begins waits for them in no case ([`Ready::ToBegin`]): it learns them when they are read.
    pub(super) fn of(plan: &Plan, control: &Control, observed: &Observed) -> Self {
        let holds = |slo: &Planned, ix| control.is_firing(&slo.id) || !observed.alive.contains_key(&ix);
        let mut by_question: BTreeMap<Question, BTreeSet<usize>> = BTreeMap::new();
        let asked: BTreeSet<SeriesIx> = plan.groups.iter().flat_map(|group| group.series()).collect();
        let alive_of: BTreeMap<_, _> = plan
            .alive_groups
            .iter()
            .enumerate()
            .flat_map(|(place, group)| group.members().iter().map(move |ix| (*ix, place)))
            .collect();
        let mut slos = Vec::with_capacity(plan.slos.len());
        for (slo, planned) in plan.slos.iter().enumerate() {
            let series = planned.bad.iter().chain(&planned.total).map(|(_, ix)| *ix);
            let series = series.filter(|ix| asked.contains(ix)).map(Question::Series);
            let alive = planned.targets().into_iter().filter(|ix| holds(planned, *ix));
            let alive: BTreeSet<Question> =
                alive.filter_map(|ix| alive_of.get(&ix)).map(|place| Question::Alive(*place)).collect();
            let targets = alive.len();
            let direct =
                planned.direct.iter().map(|(_, ix)| Question::Direct(usize::try_from(ix.0).unwrap_or(0)));
            let needs: BTreeSet<Question> = series.chain(alive).chain(direct).collect();
            for question in &needs {
                by_question.entry(*question).or_default().insert(slo);
            }
            slos.push(Wait { left: needs.len(), all_known: true, targets });
        }
        Self { slos, by_question }
    }

    /// SLOs that wait for nothing from the start: composites of which no part is in force.
    pub(super) fn for_nothing(&self) -> Vec<(usize, Ready)> {
        let none = self.slos.iter().enumerate().filter(|(_, wait)| wait.left == 0);
        none.map(|(slo, _)| (slo, Ready::Known)).collect()
    }

    /// Strikes questions off; gives back the SLOs that wait for nothing more, or for targets only.
    pub(super) fn settle(&mut self, questions: &[(Question, bool)]) -> Vec<(usize, Ready)> {
        let mut ready = Vec::new();
        for (question, known) in questions {
            // Not knowing the targets holds resolves by itself; it keeps no SLO from being judged.
            let counts = matches!(question, Question::Series(_));
            let targets = matches!(question, Question::Alive(_));
            for slo in self.by_question.remove(question).unwrap_or_default() {
                let Some(wait) = self.slos.get_mut(slo) else { continue };
                wait.left = wait.left.saturating_sub(1);
                wait.all_known &= *known || !counts;
                wait.targets = wait.targets.saturating_sub(usize::from(targets));
                match (wait.left, wait.all_known) {
                    (0, true) => ready.push((slo, Ready::Known)),
                    (0, false) => ready.push((slo, Ready::Unknown)),
                    (left, true) if left == wait.targets && !targets => ready.push((slo, Ready::ToBegin)),
                    _ => {}
                }
            }
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::alert::{AlertKey, AlertState, Firing, Subject};
    use crate::service::testing::{plan, slo};
    use crate::slo::model::{Labels, Severity};
    use crate::slo::time::Ts;

    fn firing(slo: &str) -> (AlertKey, AlertState) {
        let subject = Subject::Burn { slo: slo.into(), group: Labels::new() };
        let firing = Firing {
            incident: "i".into(),
            at: Ts(0),
            labels: Labels::new(),
            annotations: Labels::new(),
            told: vec![],
            targets: Some(2),
            rules: vec![],
        };
        let state = AlertState { firing: Some(firing), ..AlertState::default() };
        (AlertKey { subject, severity: Severity::Page }, state)
    }

    #[test]
    fn only_what_may_resolve_waits_for_targets() {
        let plan = plan(&(slo("cart") + "---\n" + &slo("pay")));
        let mut control = Control::default();
        let (key, state) = firing("shop/pay");
        control.put(key, state);
        let series = plan.slos.iter().flat_map(|slo| slo.bad.iter().chain(&slo.total));
        let series: Vec<_> = series.map(|(_, ix)| (Question::Series(*ix), true)).collect();
        let targets: Vec<_> = (0..plan.alive_groups.len()).map(|at| (Question::Alive(at), false)).collect();
        assert!(!targets.is_empty());

        let mut read = Observed::default();
        plan.slos.iter().for_each(|slo| read.saw(slo.alive.unwrap(), Ts(0), None));
        let mut waits = Waits::of(&plan, &control, &read);
        assert_eq!(waits.settle(&series), [(0, Ready::Known), (1, Ready::ToBegin)]);
        assert_eq!(
            waits.settle(&targets),
            [(1, Ready::Known)],
            "not knowing them keeps nobody from being judged"
        );

        let mut waits = Waits::of(&plan, &control, &Observed::default());
        assert_eq!(waits.settle(&series), [(0, Ready::ToBegin), (1, Ready::ToBegin)]);
        assert_eq!(waits.settle(&targets), [(0, Ready::Known), (1, Ready::Known)]);

        let mut waits = Waits::of(&plan, &control, &Observed::default());
        assert_eq!(waits.settle(&targets), []);
        let unknown: Vec<_> = series.iter().map(|(question, _)| (*question, false)).collect();
        assert_eq!(waits.settle(&unknown), [(0, Ready::Unknown), (1, Ready::Unknown)]);
    }

    #[test]
    fn a_composite_waits_for_all_of_its_parts_and_fires_without_their_targets() {
        let whole = crate::service::testing::document(
            "whole",
            "  objective: 99\n  sli:\n    composite: {of: [shop/cart, shop/pay], as: worst}\n",
        );
        let plan = plan(&[slo("cart"), slo("pay"), whole].join("---\n"));
        let series: BTreeSet<SeriesIx> =
            plan.slos.iter().flat_map(|slo| slo.bad.iter().chain(&slo.total)).map(|(_, ix)| *ix).collect();
        let known = |ix: &SeriesIx| (Question::Series(*ix), true);
        let (last, first) =
            series.iter().collect::<Vec<_>>().split_last().map(|(l, f)| (**l, f.to_vec())).unwrap();
        let first: Vec<_> = first.into_iter().map(known).collect();
        let of_whole = |ready: Vec<(usize, Ready)>| -> Vec<Ready> {
            ready.into_iter().filter(|(slo, _)| *slo == 2).map(|(_, ready)| ready).collect()
        };
        // One that fires and one that was never read: both of its parts' targets are waited for.
        let mut waits = Waits::of(&plan, &Control::default(), &Observed::default());
        assert_eq!(of_whole(waits.settle(&first)), []);
        assert_eq!(of_whole(waits.settle(&[known(&last)])), [Ready::ToBegin]);
        let targets = (0..plan.alive_groups.len()).map(|at| (Question::Alive(at), true));
        assert_eq!(of_whole(waits.settle(&targets.collect::<Vec<_>>())), [Ready::Known]);
        // With one part that is not known it is ready all the same; whoever judges it knows what to do.
        let mut read = Observed::default();
        plan.slos.iter().filter_map(|slo| slo.alive).for_each(|ix| read.saw(ix, Ts(0), None));
        let mut waits = Waits::of(&plan, &Control::default(), &read);
        assert_eq!(of_whole(waits.settle(&first)), []);
        assert_eq!(of_whole(waits.settle(&[(Question::Series(last), false)])), [Ready::Unknown]);
    }

    #[test]
    fn a_composite_without_any_part_waits_for_nothing() {
        let whole = crate::service::testing::document(
            "whole",
            "  objective: 99\n  sli:\n    composite: {of: [shop/cart], as: worst}\n",
        );
        let mut plan = plan(&[slo("cart"), whole].join("---\n"));
        let waits = |plan: &Plan| Waits::of(plan, &Control::default(), &Observed::default()).for_nothing();
        assert_eq!(waits(&plan), []);
        let whole = &mut plan.slos[1];
        (whole.bad, whole.total, whole.parts) = (Vec::new(), Vec::new(), None);
        whole.alive = None;
        assert_eq!(waits(&plan), [(1, Ready::Known)]);
    }
}
