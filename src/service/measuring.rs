//! Asks sources for their versions, and how often what a plan counts is scraped: of each only what
//! is not known yet, until all is to be measured again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;

use super::clock;
use super::planner::Measured;
use super::shared::Shared;
use crate::engine::plan::{Plan, QueryGroup};
use crate::engine::sample::{Answer, Query};
use crate::prometheus::{Priority, Prometheus, Source};
use crate::slo::query::Selector;
use crate::slo::time::{Span, Ts};

/// How long a source may take to answer.
const LIMIT: Duration = Duration::from_secs(5);
/// A measured scrape interval counts as changed beyond this share, in percent.
const CHANGED: i64 = 20;
/// One that became shorter counts when it was measured so often running, ten minutes apart: the first
/// and the last of the ranges measured, of half an hour each, have nothing in common then.
const SHORTER: u32 = 4;

/// What is known, and what is to be asked.
#[derive(Default)]
pub(super) struct Measuring {
    measured: Measured,
    /// Sources that have said their version, of late.
    said: BTreeSet<String>,
    /// Sources and questions about intervals that were answered of late.
    answered: BTreeSet<(String, String)>,
    /// How often running an interval was measured shorter than it is known.
    shorter: BTreeMap<(String, Selector), u32>,
}

impl Measuring {
    /// What is known.
    pub(super) fn measured(&self) -> &Measured {
        &self.measured
    }

    /// Has everything measured again.
    pub(super) fn again(&mut self) {
        self.said.clear();
        self.answered.clear();
    }

    /// Whether all that a plan needs was answered.
    pub(super) fn is_complete(&self, shared: &Shared, plan: &Plan) -> bool {
        let mut groups = plan.groups.iter().filter_map(|group| group.interval_query(Ts(0)));
        shared.sources.keys().all(|name| self.said.contains(name))
            && groups.all(|query| self.answered.contains(&(query.source, query.promql)))
    }

    /// Asks what is not known of late. Gives back whether a plan built now would differ.
    pub(super) async fn refresh(&mut self, shared: &Shared, plan: &Plan) -> bool {
        let mut changed = false;
        let silent = shared.sources.iter().filter(|(name, _)| !self.said.contains(*name));
        let asked = silent.map(|(name, source)| async { (name.clone(), source.version(LIMIT).await) });
        for (name, version) in join_all(asked).await {
            let Some(version) = version else { continue };
            self.said.insert(name.clone());
            changed |= self.measured.versions.insert(name, version.clone()).as_ref() != Some(&version);
        }
        let sources = shared.sources.iter().map(|(name, source)| self.intervals(shared, plan, name, source));
        for (group, query, answer) in join_all(sources).await.into_iter().flatten() {
            if matches!(answer, Answer::Frames { .. }) {
                self.answered.insert((query.source, query.promql));
            }
            for (key, interval) in group.read_interval(&answer) {
                changed |= self.note(key, interval);
            }
        }
        changed
    }

    /// Asks one source, one question after the other. None waits for another: one that hangs would keep
    /// all from being known.
    async fn intervals<'p>(
        &self,
        shared: &Shared,
        plan: &'p Plan,
        name: &str,
        source: &Prometheus,
    ) -> Vec<(&'p QueryGroup, Query, Answer)> {
        let mut answers = Vec::new();
        let mut asked = BTreeSet::new();
        for group in plan.groups.iter().filter(|group| group.source == name) {
            let at = clock::now().floor_to(shared.settings.step.span());
            let Some(query) = group.interval_query(at) else { continue };
            let key = (query.source.clone(), query.promql.clone());
            if self.answered.contains(&key) || !asked.insert(key) {
                continue;
            }
            let answer = source.ask(&query, Priority::Background, LIMIT).await;
            answers.push((&**group, query, answer));
        }
        answers
    }

    /// An interval that is longer than it was known counts at once, because a lookback that is too
    /// short loses events; a shorter one later, or one that varies would change the plan each time.
    fn note(&mut self, key: (String, Selector), interval: Span) -> bool {
        let old = self.measured.intervals.get(&key).copied().unwrap_or_default();
        if (interval.secs() - old.secs()).abs() * 100 <= old.secs() * CHANGED {
            self.shorter.remove(&key);
            return false;
        }
        if interval < old {
            let times = self.shorter.entry(key.clone()).or_default();
            *times += 1;
            if *times < SHORTER {
                return false;
            }
        }
        self.shorter.remove(&key);
        self.measured.intervals.insert(key, interval);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing::{Service, Source, plan, slo};

    fn changes(measuring: &mut Measuring, intervals: &[u32]) -> Vec<bool> {
        let selector = Selector { metric: "r_total".into(), matchers: vec![] };
        let key = ("local".to_owned(), selector);
        intervals.iter().map(|secs| measuring.note(key.clone(), Span::from_secs(*secs))).collect()
    }

    #[test]
    fn an_interval_that_varies_changes_no_plan_each_time() {
        let mut measuring = Measuring::default();
        assert_eq!(
            changes(&mut measuring, &[15, 30, 15, 30, 15, 15, 30]),
            [true, true, false, false, false, false, false]
        );
        assert_eq!(changes(&mut measuring, &[15, 15, 15, 15, 60]), [false, false, false, true, true]);
    }

    #[tokio::test]
    async fn while_a_source_does_not_say_its_version_nothing_else_is_asked_again() {
        let source = Source::start(|_, _, _| Some(120)).await;
        let address = source.url.trim_start_matches("http://").parse().unwrap();
        let service = Service::asking(address).await;
        let mut measuring = Measuring::default();
        let of = |source: &Source, what: &str| {
            source.asked().iter().filter(|question| question.query.contains(what)).count()
        };
        let one = plan(&slo("cart"));
        measuring.refresh(&service.shared, &one).await;
        assert!(of(&source, "[30m]") > 0);
        measuring.refresh(&service.shared, &one).await;
        assert_eq!(of(&source, "[30m]"), 0);
        assert!(!measuring.is_complete(&service.shared, &one), "it never says its version");
        // What is new is measured at once.
        measuring.refresh(&service.shared, &plan(&slo("pay"))).await;
        assert!(of(&source, "pay") > 0);
        measuring.again();
        measuring.refresh(&service.shared, &one).await;
        assert!(of(&source, "[30m]") > 0);
    }
}
