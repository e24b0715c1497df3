//! From definitions to windows in the product's own way: YAML, plan, real queries over HTTP, ledger,
//! window. Only the clock is the test's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use damper::engine::collect::{Ask, Collect, Doubt};
use damper::engine::fact::{Facts, SeriesIx, Tier};
use damper::engine::ledger::{FINE_REACH, Intervals, Keep, Ledger, Series};
use damper::engine::plan::{self, Plan, PlanContext, QueryGroup, SourceTraits};
use damper::engine::sample::Answer;
use damper::engine::window::{Book, Counts};
use damper::prometheus::{Priority, Prometheus, Source as _, SourceConfig, SourceKind, SourceSettings};
use damper::slo::model::{Labels, Overflow, Slo};
use damper::slo::time::{Span, Step, Ts};
use damper::slo::unit::Events;
use damper::slo::{Context, SourceFile, load};

use crate::support::now_ms;
use crate::support::prometheus::Prometheus as Server;

/// A way to begin to ask.
type Begin = fn(&Arc<QueryGroup>, Tier, Ts, Ts) -> (Collect, Vec<Ask>);

const SOURCE: &str = "local";
const LIMIT: Duration = Duration::from_secs(60);
/// Points of one backfill query, as the service asks.
const POINTS: i64 = 500;

/// Damper without its service: what it knows about some SLOs of one Prometheus.
pub struct Observer {
    source: Prometheus,
    context: PlanContext,
    slos: Vec<Arc<Slo>>,
    plan: Plan,
    ledger: Ledger,
    /// What was asked for again, and not told, by the id of the series.
    vain: BTreeMap<u64, Intervals>,
}

impl Observer {
    /// Watches the SLOs of these documents, which must have no problems that are errors.
    pub async fn new(server: &Server, step: u32, yaml: &str) -> Self {
        Self::at(&server.url(), SourceKind::Prometheus, step, yaml).await
    }

    /// The same of whatever answers at an address.
    pub async fn at(url: &str, kind: SourceKind, step: u32, yaml: &str) -> Self {
        let step = Step::new(Span::from_secs(step)).unwrap();
        let file = SourceFile { path: "slos.yaml".to_owned(), text: yaml.to_owned() };
        let loaded =
            load(&[file], &Context { sources: vec![SOURCE.to_owned()], ..Context::without_settings(step) });
        for document in &loaded.documents {
            assert!(document.slos.is_some(), "{:?} of {}", document.problems, document.text);
        }
        let context = PlanContext {
            step,
            default_source: SOURCE.to_owned(),
            sources: BTreeMap::new(),
            intervals: BTreeMap::new(),
        };
        let mut new = Self {
            source: connect(url, kind),
            context,
            slos: loaded.slos().cloned().map(Arc::new).collect(),
            plan: Plan::default(),
            ledger: Ledger::default(),
            vain: BTreeMap::new(),
        };
        new.look().await;
        new
    }

    /// Goes on with another server behind the same source.
    pub async fn meet(&mut self, server: &Server) {
        self.source = connect(&server.url(), SourceKind::Prometheus);
        self.look().await;
    }

    async fn look(&mut self) {
        let version = self.source.version(LIMIT).await;
        let left_open = self.source.kind().has_left_open_ranges(version.as_deref());
        let kind = match self.source.kind() {
            SourceKind::VictoriaMetrics => plan::SourceKind::VictoriaMetrics,
            _ => plan::SourceKind::Prometheus,
        };
        let traits = SourceTraits { left_open, kind, ..SourceTraits::default() };
        self.context.sources.insert(SOURCE.to_owned(), traits);
        self.replan();
    }

    /// Measures scrape intervals, as the service does now and then.
    pub async fn measure(&mut self, at: i64) {
        for group in self.plan.groups.clone() {
            let Some(query) = group.interval_query(Ts(at)) else { continue };
            let answer = self.source.ask(&query, Priority::Tick, LIMIT).await;
            self.context.intervals.extend(group.read_interval(&answer));
        }
        self.replan();
    }

    fn replan(&mut self) {
        self.plan = Plan::build(&self.slos, &self.context);
        let reach = |ix: SeriesIx| {
            let group = self.plan.groups.iter().find(|group| group.series().any(|own| own == ix));
            group.map_or(Span::ZERO, |group| group.lookback(self.context.step.span()))
        };
        let beside = |ix: SeriesIx| {
            let read = self.plan.slos.iter().filter(|slo| slo.total.iter().any(|(_, own)| *own == ix));
            let all = read.flat_map(|slo| slo.bad.iter().chain(&slo.total).map(|(_, other)| *other));
            all.filter(|other| *other != ix).collect()
        };
        let keep = (0..).map(SeriesIx).zip(&self.plan.series).map(|(ix, s)| Keep {
            key: s.key.clone(),
            span: s.keep,
            reach: reach(ix),
            limit: 500,
            overflow: Overflow::Other,
            follows: Vec::new(),
            beside: beside(ix),
            cuts: Vec::new(),
        });
        self.ledger.adopt(keep.collect());
    }

    /// Fills `(from, to]` as the service does for a new SLO: newest first, in pieces, by slices for
    /// what is younger than 12 hours at `to` and by five minutes for the rest.
    pub async fn backfill(&mut self, from: i64, to: i64) {
        let coarse = (to - FINE_REACH.secs()).div_euclid(300) * 300 + 300;
        let step = self.context.step.secs();
        self.pieces(Tier::Fine, from.max(coarse), to, POINTS * step).await;
        self.pieces(Tier::FiveMinutes, from, coarse.min(to), POINTS * 300).await;
    }

    async fn pieces(&mut self, tier: Tier, from: i64, mut to: i64, length: i64) {
        while to > from {
            let begin = from.max(to - length);
            self.fill(tier, begin, to).await;
            to = begin;
        }
    }

    /// One tick: the last slices are asked again.
    pub async fn tick(&mut self, at: i64) {
        let again = (3 * self.context.step.secs()).max(60);
        for facts in self.facts(Collect::begin, Tier::Fine, (at - again, at)).await {
            self.ledger.apply(&facts);
        }
    }

    /// One tick after the other, over `(from, to]`, and what lacks in between by backfill.
    pub async fn ticks(&mut self, from: i64, to: i64) {
        let step = self.context.step.secs();
        for tick in from / step + 1..=to / step {
            self.tick(tick * step).await;
            self.mend(tick * step).await;
        }
    }

    /// Asks once for what is not known before the newest slices.
    async fn mend(&mut self, at: i64) {
        let newest = Ts(at - (3 * self.context.step.secs()).max(60));
        let gaps = self.gaps(newest);
        let edges = |gaps: &Intervals| Some((gaps.first()?, gaps.last()?));
        let edges: Vec<(Ts, Ts)> = gaps.values().filter_map(edges).collect();
        let (Some(from), Some(to)) = (edges.iter().map(|e| e.0).min(), edges.iter().map(|e| e.1).max())
        else {
            return;
        };
        self.fill(Tier::Fine, from.0, to.0).await;
        // What is never told is not asked for ever.
        for (id, gaps) in self.gaps(newest) {
            let vain = self.vain.entry(id).or_default();
            for (a, b) in gaps.within(from, to) {
                vain.insert(Ts(a), Ts(b));
            }
        }
    }

    /// What each series lacks since its beginning.
    fn gaps(&self, newest: Ts) -> BTreeMap<u64, Intervals> {
        let lacks = |series: &Series| {
            let known = series.answered();
            let mut gaps = known.outside(known.first()?.max(newest.minus(FINE_REACH)), newest);
            let vain = self.vain.get(&series.id()).into_iter().flat_map(|vain| vain.within(Ts(0), newest));
            vain.for_each(|(a, b)| gaps.remove(Ts(a), Ts(b)));
            Some((series.id(), gaps))
        };
        self.ledger.all().iter().filter_map(lacks).filter(|(_, gaps)| !gaps.is_empty()).collect()
    }

    /// Asks all that is to know about `(from, to]`, and books what was not known.
    pub async fn fill(&mut self, tier: Tier, from: i64, to: i64) {
        for facts in self.facts(Collect::fill, tier, (from, to)).await {
            self.ledger.fill(&facts);
        }
    }

    async fn facts(&self, begin: Begin, tier: Tier, (from, to): (i64, i64)) -> Vec<Facts> {
        let mut facts = Vec::new();
        for group in &self.plan.groups {
            facts.extend(self.collect(begin(group, tier, Ts(from), Ts(to)), tier).await);
        }
        self.settle_buckets(&mut facts).await;
        facts
    }

    async fn collect(&self, (mut collect, mut asks): (Collect, Vec<Ask>), tier: Tier) -> Vec<Facts> {
        let past = |ix: SeriesIx, labels: &Labels, end: Ts| self.ledger.past(ix, labels, tier, end);
        while let Some(ask) = asks.pop() {
            let answer = self.ask(&ask).await;
            asks.extend(collect.answer(ask.id, answer, &past));
        }
        assert!(collect.is_done());
        collect.finish()
    }

    async fn ask(&self, ask: &Ask) -> Answer {
        let answer = self.source.ask(&ask.query, Priority::Tick, LIMIT).await;
        let Answer::Frames { .. } = &answer else { panic!("{answer:?} to {:?}", ask.query) };
        answer
    }

    async fn settle_buckets(&self, facts: &mut [Facts]) {
        for pair in &self.plan.buckets {
            let of = |ix: SeriesIx| facts.iter().position(|f| f.series == ix);
            let (Some(count), Some(bucket)) = (of(pair.count), of(pair.bucket)) else { continue };
            let unknown = |_: &Labels, _: Ts| Events::ZERO;
            let Some(doubt) = Doubt::raise(&facts[count], &facts[bucket], &unknown) else { continue };
            let query = doubt.query(pair).unwrap();
            let answer = self.source.ask(&query, Priority::Tick, LIMIT).await;
            doubt.settle(pair, &answer, &mut facts[bucket]);
        }
    }

    /// The window of an SLO (by name) and group.
    pub fn window(&self, slo: &str, group: &Labels, window: Span, to: i64) -> Counts {
        self.book(slo, group).window(window, Ts(to))
    }

    /// Everything in `(from, to]` of an SLO without groups.
    pub fn between(&self, slo: &str, from: i64, to: i64) -> Counts {
        self.book(slo, &Labels::new()).between(Ts(from), Ts(to))
    }

    fn book(&self, slo: &str, group: &Labels) -> Book<'_> {
        let planned = self.plan.slos.iter().find(|p| p.slo.id.name == slo).expect("an SLO of this name");
        Book::open(&self.ledger, &planned.bad, &planned.total, group).unwrap()
    }
}

/// The definition of a ratio of events.
pub fn events(name: &str, bad: &str, total: &str) -> String {
    slo(name, &format!("  objective: 99.9\n  sli: {{events: {{bad: '{bad}', total: '{total}'}}}}\n"))
}

/// The definition of answers within 300ms.
pub fn latency(name: &str, histogram: &str, native: bool) -> String {
    let objective = "[{percent: 99, within: 300ms}]";
    slo(
        name,
        &format!(
            "  sli: {{latency: {{histogram: {histogram}, native: {native}, objectives: {objective}}}}}\n"
        ),
    )
}

/// A definition with these further lines in its spec.
pub fn slo(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: {name}}}\nspec:\n  \
         service: shop\n  window: 28d\n{spec}---\n"
    )
}

fn connect(url: &str, kind: SourceKind) -> Prometheus {
    // Somebody else may have been first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut settings = SourceSettings::new(SOURCE, url);
    settings.kind = kind;
    settings.timeout = Span::from_mins(1);
    Prometheus::new(SourceConfig::check(settings).unwrap(), || Ts(now_ms() / 1000)).unwrap()
}
