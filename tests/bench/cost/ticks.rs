//! Damper's own ticks: its plan, its client, its follow-ups and its ledger, without the pause between ticks.

use std::collections::BTreeMap;
use std::sync::Arc;

use damper::engine::collect::{Ask, AskId, Collect};
use damper::engine::fact::{Facts, Tier};
use damper::engine::ledger::Ledger;
use damper::engine::plan::{Plan, PlanContext, QueryGroup, SourceTraits};
use damper::engine::sample::{Answer, Query};
use damper::prometheus::{Client, SourceConfig, SourceKind, SourceSettings};
use damper::slo::model::Slo;
use damper::slo::time::{Span, Ts};
use futures_util::StreamExt;
use futures_util::stream::iter;

use crate::core::keeps;
use crate::definitions::STEP;

/// How much of the past each tick asks again: `max(3 S, 60s)`.
const SETTLING: Span = Span::from_secs(90);
/// How much is asked before the first tick, so that what is usual is known.
const BEFORE: Span = Span::from_hours(1);
const DEADLINE: Span = Span::from_secs(60);

/// One set of SLOs, ready to tick from a moment on.
pub struct Ticks {
    client: Client,
    plan: Plan,
    /// As it was at `start`.
    ledger: Ledger,
    start: Ts,
}

impl Ticks {
    /// Plans, measures scrape intervals, and fills the hour before `start`.
    pub async fn prepare(url: &str, slos: &[Arc<Slo>], start: Ts) -> Self {
        let mut settings = SourceSettings::new("local", url);
        settings.timeout = DEADLINE;
        let client = Client::new(SourceConfig::check(settings).unwrap()).unwrap();
        let version = client.version(DEADLINE.to_duration()).await;
        let left_open = SourceKind::Prometheus.has_left_open_ranges(version.as_deref());
        let mut context = PlanContext {
            step: STEP,
            default_source: "local".to_owned(),
            sources: BTreeMap::from([(
                "local".to_owned(),
                SourceTraits { left_open, ..SourceTraits::default() },
            )]),
            intervals: BTreeMap::new(),
        };
        for group in Plan::build(slos, &context).groups {
            let Some(query) = group.interval_query(start) else { continue };
            context.intervals.extend(group.read_interval(&client.ask(&query, DEADLINE.to_duration()).await));
        }
        let plan = Plan::build(slos, &context);
        let mut ledger = Ledger::default();
        ledger.adopt(keeps(&plan));
        let mut new = Self { client, plan, ledger, start };
        new.ledger = new.fill(new.ledger.clone(), start.minus(BEFORE), start).await;
        new
    }

    /// Query groups asked in each tick, those for what is alive included.
    pub fn queries(&self) -> usize {
        self.plan.groups.len() + self.plan.alive_groups.len()
    }

    /// Runs so many ticks, each a step after the other.
    pub async fn run(&self, ticks: u32) {
        let mut ledger = self.ledger.clone();
        let mut at = self.start;
        for _ in 0..ticks {
            at = at.plus(STEP.span());
            ledger = self.fill(ledger, at.minus(SETTLING), at).await;
            for group in &self.plan.alive_groups {
                let answer = self.ask(&group.query(at)).await;
                assert!(group.read(&answer).iter().all(|(_, reading)| reading.is_some_and(|r| r.up > 0)));
            }
        }
    }

    /// Asks for all slices of a range and books them.
    async fn fill(&self, mut ledger: Ledger, from: Ts, to: Ts) -> Ledger {
        let collected = iter(&self.plan.groups).map(|group| self.collect(group, &ledger, from, to));
        let facts: Vec<Vec<Facts>> = collected.buffer_unordered(4).collect().await;
        for facts in facts.iter().flatten() {
            assert!(!facts.slots.is_empty());
            ledger.apply(facts);
        }
        ledger
    }

    async fn collect(&self, group: &Arc<QueryGroup>, ledger: &Ledger, from: Ts, to: Ts) -> Vec<Facts> {
        let (mut collect, mut asks) = Collect::begin(group, Tier::Fine, from, to);
        while !asks.is_empty() {
            let mut next = Vec::new();
            for (id, answer) in self.answers(asks).await {
                next.extend(
                    collect.answer(id, answer, &|ix, labels, end| ledger.past(ix, labels, Tier::Fine, end)),
                );
            }
            asks = next;
        }
        assert!(collect.is_done());
        collect.finish()
    }

    async fn answers(&self, asks: Vec<Ask>) -> Vec<(AskId, Answer)> {
        let mut answers = Vec::new();
        for ask in asks {
            answers.push((ask.id, self.ask(&ask.query).await));
        }
        answers
    }

    async fn ask(&self, query: &Query) -> Answer {
        let answer = self.client.ask(query, DEADLINE.to_duration()).await;
        assert!(matches!(answer, Answer::Frames { .. }), "{query:?}: {answer:?}");
        answer
    }
}
