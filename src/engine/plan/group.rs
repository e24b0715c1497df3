//! One query group: series asked together, and which of them an answer's labels belong to.

use std::collections::BTreeSet;
use std::ops::Range;

use super::merge::alternatives;
use crate::engine::fact::SeriesIx;
use crate::slo::model::{Comparison, Labels, Reduce};
use crate::slo::query::{MatchOp, Matcher, Selector};
use crate::slo::time::{Span, Step};

/// Series asked in one request.
#[derive(Clone, PartialEq, Debug)]
pub struct QueryGroup {
    /// The source asked.
    pub source: String,
    /// How it is asked.
    pub form: Form,
    /// The slice length.
    pub step: Step,
    /// The metric and the matchers all members share; empty for forms with a query of their own.
    pub base: Selector,
    /// The label members differ in; `None` for a single member.
    pub merge: Option<String>,
    /// Group labels, sorted.
    pub by: Vec<String>,
    /// What is asked for; one or more, at most 100.
    pub members: Vec<Member>,
    /// The source's ranges leave their old edge out.
    pub left_open: bool,
    /// How far back a previous sample is looked for at least.
    pub lookback: Span,
    /// The measured scrape interval.
    pub interval: Option<Span>,
}

/// How a group is asked.
#[derive(Clone, PartialEq, Debug)]
pub enum Form {
    /// Differences of counters, births and resets whole.
    Counter,
    /// Differences of recorded sums, nothing else.
    Aggregated,
    /// `sum_over_time`.
    GaugeSum,
    /// `count_over_time`.
    GaugeCount,
    /// `increase`, where only that is compensated for replicas.
    Increase,
    /// Guarded differences of native histograms, counted whole and above each bound.
    Native {
        /// Bounds, as decimals.
        above: Vec<String>,
    },
    /// Any query, one verdict per time slice.
    Timeslice {
        /// PromQL.
        query: String,
        /// When the reduced value is good.
        good: Comparison,
        /// Length of a time slice.
        slice: Span,
        /// How points become one value.
        reduce: Reduce,
    },
    /// A ratio over five minutes.
    Direct {
        /// PromQL with `{{.window}}`.
        template: String,
    },
}

/// One selector of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The value of the label members differ in; `None` for a single member.
    pub value: Option<String>,
    /// The series read off its answer.
    pub wanted: Vec<Wanted>,
}

/// One series of a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Which series.
    pub series: SeriesIx,
    /// Which number is its.
    pub take: Take,
    /// What it is used for.
    pub role: Role,
}

/// Which number of an answer is a series'.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Take {
    /// All events, observations or time slices.
    Whole,
    /// Observations above the bound at this position.
    Above(usize),
    /// Bad time slices, or the bad share of a ratio.
    Bad,
}

/// What SLOs use a series for. More than one may be true.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Role {
    /// Part of some total.
    pub total: bool,
    /// Bad events of an SLO whose total it is not part of.
    pub bad: bool,
    /// Good events: taken off this total to give bad ones.
    pub good_of: Option<SeriesIx>,
}

/// The part of a group that a follow-up is about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Narrow {
    /// Members, by position.
    pub members: BTreeSet<usize>,
    /// Groups; empty means all.
    pub groups: BTreeSet<Labels>,
}

/// Groups a follow-up names one by one; with more it asks for all.
const NAMED_GROUPS: usize = 50;

impl QueryGroup {
    /// The labels of an answer: the one members differ in, then the group's.
    pub fn labels(&self) -> Vec<&str> {
        self.merge.iter().chain(&self.by).map(String::as_str).collect()
    }

    /// The selector of all members.
    pub fn selector(&self) -> Selector {
        self.select(&(0..self.members.len()).collect())
    }

    /// The selector of a part: its members, and a superset of its groups.
    pub fn narrowed(&self, to: &Narrow) -> Selector {
        let mut selector = self.select(&to.members);
        if to.groups.is_empty() || to.groups.len() > NAMED_GROUPS {
            return selector;
        }
        for label in &self.by {
            let values: BTreeSet<&str> =
                to.groups.iter().map(|group| group.get(label).map_or("", String::as_str)).collect();
            if let Some(matcher) = alternatives(label, values) {
                selector.matchers.push(matcher);
            }
        }
        selector.matchers.sort();
        selector.matchers.dedup();
        selector
    }

    fn select(&self, members: &BTreeSet<usize>) -> Selector {
        let mut selector = self.base.clone();
        if let Some(label) = &self.merge {
            let values = members.iter().filter_map(|i| self.members.get(*i)?.value.as_deref()).collect();
            selector.matchers.extend(alternatives(label, values));
            selector.matchers.sort();
        }
        selector
    }

    /// Which member and group a frame's labels belong to; `None` for what was not asked.
    pub fn place(&self, labels: &Labels) -> Option<(usize, Labels)> {
        let member = match &self.merge {
            None => 0,
            Some(label) => {
                let value = labels.get(label)?;
                self.members.iter().position(|m| m.value.as_ref() == Some(value))?
            }
        };
        let group = self.by.iter().filter_map(|l| Some((l.clone(), labels.get(l)?.clone()))).collect();
        Some((member, group))
    }

    /// What is read off the answer: the series of all members.
    pub fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.members.iter().flat_map(|member| &member.wanted)
    }

    /// Which series that are.
    pub fn series(&self) -> impl Iterator<Item = SeriesIx> {
        self.wanted().map(|wanted| wanted.series)
    }

    /// One group per member, for when the merged query fails. A single member gives itself.
    pub fn split(&self) -> Vec<Self> {
        (0..self.members.len()).map(|place| self.part(place..place + 1)).collect()
    }

    /// The members at these places, asked without the others.
    #[must_use]
    pub fn part(&self, places: Range<usize>) -> Self {
        match self.members.get(places.clone()).unwrap_or_default() {
            [only] => Self {
                base: self.select(&places.collect()),
                merge: None,
                members: vec![Member { value: None, wanted: only.wanted.clone() }],
                ..self.clone()
            },
            several => Self { members: several.to_vec(), ..self.clone() },
        }
    }

    /// How far before a slot the previous sample is looked for: `L ≥ 2 × interval + slot`.
    pub fn lookback(&self, slot: Span) -> Span {
        let needed = self.interval.map_or(0, |i| 2 * i.secs()) + slot.secs();
        self.lookback.max(Span::from_secs_saturating(needed))
    }

    /// How old the newest sample of a slot may be: `max(2 × interval, slot)`. An unmeasured
    /// interval is taken as Prometheus' default, a minute.
    pub fn young(&self, slot: Span) -> Span {
        let interval = self.interval.unwrap_or(Span::from_mins(1));
        Span::from_secs_saturating(2 * interval.secs()).max(slot)
    }

    /// Distance between the points of the main query, to bound a range by points.
    pub fn spacing(&self, slot: Span) -> Span {
        match self.form {
            Form::Timeslice { .. } => self.step.span(),
            _ => slot,
        }
    }
}

/// `label="value"`.
pub(super) fn equals(label: &str, value: &str) -> Matcher {
    Matcher { label: label.to_owned(), op: MatchOp::Equal, value: value.to_owned() }
}
