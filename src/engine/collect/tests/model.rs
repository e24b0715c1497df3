//! A Prometheus small enough to be seen to be right: streams of samples, ranges, sums.

use std::collections::BTreeMap;

use super::super::Ask;
use crate::engine::plan::QueryGroup;
use crate::engine::plan::form::PART;
use crate::engine::sample::{Answer, Frame, Reading};
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Finite;

/// One series: samples by time.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    pub labels: Labels,
    pub samples: Vec<(i64, f64)>,
    /// Where its staleness marker is.
    pub ended: Option<i64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub streams: Vec<Stream>,
    /// `up` and `process_start_time_seconds`, by name.
    pub targets: BTreeMap<&'static str, Vec<Stream>>,
    /// Ranges count their old edge in, as Prometheus 2 does.
    pub closed: bool,
    /// The streams are recorded sums.
    pub recorded: bool,
}

type Vector = Vec<(Labels, f64)>;

impl Stream {
    fn range(&self, closed: bool, from: i64, to: i64) -> Option<&[(i64, f64)]> {
        let old = if closed { from - 1 } else { from };
        let first = self.samples.partition_point(|(at, _)| *at <= old);
        let end = self.samples.partition_point(|(at, _)| *at <= to);
        self.samples.get(first..end).filter(|inside| !inside.is_empty())
    }

    pub(super) fn last(&self, closed: bool, from: i64, to: i64) -> Option<f64> {
        self.range(closed, from, to)?.last().map(|(_, value)| *value)
    }

    /// What the series has counted since it began again in the slot, if it did.
    fn fell(&self, closed: bool, (t, s, l): (i64, i64, i64)) -> Option<f64> {
        let (u, p) = (self.last(closed, t - s, t)?, self.last(closed, t - s - l, t - s)?);
        let most = self.largest(closed, t - s, t)?;
        let twice = u < 0.875 * most && most < 0.875 * p;
        (u < 0.875 * p.max(most)).then_some(if twice { u + most } else { u })
    }

    /// What the series returned by that had fallen in the lookback.
    fn rose(&self, closed: bool, (t, s, l): (i64, i64, i64)) -> Option<f64> {
        let (p, before) = (self.last(closed, t - s - l, t - s)?, self.largest(closed, t - s - l, t - s)?);
        (before > p && self.largest(closed, t - s, t)? >= before).then_some(before - p)
    }

    pub(super) fn largest(&self, closed: bool, from: i64, to: i64) -> Option<f64> {
        self.range(closed, from, to)?.iter().map(|(_, value)| *value).reduce(f64::max)
    }
}

impl Model {
    fn each(&self, f: impl Fn(&Stream) -> Option<f64>) -> Vector {
        self.streams.iter().filter_map(|s| Some((s.labels.clone(), f(s)?))).collect()
    }

    pub(super) fn answer(&self, group: &QueryGroup, ask: &Ask) -> Answer {
        let mut frames: BTreeMap<Labels, Vec<(Ts, Reading)>> = BTreeMap::new();
        let mut at = ask.query.start;
        while at <= ask.query.end {
            for (labels, value) in self.at(group, &ask.query.promql, ask.query.every, at.0) {
                let reading = Finite::new(value).map_or(Reading::NotANumber, Reading::Value);
                frames.entry(labels).or_default().push((at, reading));
            }
            at = at.plus(ask.query.every);
        }
        let frames = frames.into_iter().map(|(labels, points)| Frame { labels, points }).collect();
        Answer::Frames { frames, notes: vec![] }
    }

    /// Told by their texts, the questions are answered whole: more than was asked does no harm.
    fn at(&self, group: &QueryGroup, promql: &str, slot: Span, t: i64) -> Vector {
        let (s, l) = (slot.secs(), group.lookback(slot).secs());
        let c = self.closed;
        let u = |x: &Stream| x.last(c, t - s, t);
        let p = |x: &Stream| x.last(c, t - s - l, t - s);
        let held = |x: &Stream| x.last(c, t - s - l, t);
        let by = group.labels();
        if promql.contains(r#""known""#) || promql.contains(r#""back""#) {
            let evidence = self.evidence(group, slot, t);
            let asked = |(labels, _): &(Labels, f64)| promql.contains(&format!("{:?}", labels[PART]));
            return evidence.into_iter().filter(asked).collect();
        }
        if self.recorded && promql.contains(r#""r", "", "")"#) {
            let regained = |x: &Stream| {
                let (u, p, before) = (u(x)?, p(x)?, x.largest(c, t - s - 86_400, t - s)?);
                (p < before && before <= u && u <= 2.0 * before).then_some(u - p)
            };
            return part("r", total(&by, self.each(regained)));
        }
        if self.recorded && promql.contains("(0 * ") {
            let rises = |x: &Stream| Some(u(x)? - p(x)?).filter(|d| *d >= 0.0).or(held(x).map(|_| 0.0));
            return part("d", total(&by, self.each(rises)));
        }
        if promql.contains(r#""m", "", "")"#) {
            let recent = |x: &Stream| x.last(c, t - l, t);
            let largest = |x: &Stream| x.largest(c, t - s - l, t);
            return [part("a", total(&by, self.each(recent))), part("m", total(&by, self.each(largest)))]
                .concat();
        }
        if promql.contains("(0 * ") {
            let joined = |x: &Stream| match (u(x), p(x)) {
                (Some(_), Some(p)) if x.fell(c, (t, s, l)).is_some() => {
                    Some(x.fell(c, (t, s, l))? + x.largest(c, t - s, t).unwrap_or(p).max(p) - p)
                }
                (Some(u), Some(p)) if u >= p => Some(u - p),
                (Some(u), None) => Some(u),
                _ => held(x).map(|_| 0.0),
            };
            return part("d", total(&by, self.each(joined)));
        }
        if promql.contains("unless") {
            let newborn = |x: &Stream| match p(x) {
                None => u(x),
                Some(_) => x.fell(c, (t, s, l)),
            };
            let rose = |x: &Stream| x.rose(c, (t, s, l));
            return [part("d", total(&by, self.each(newborn))), part("r", total(&by, self.each(rose)))]
                .concat();
        }
        assert!(promql.contains("(count by") || promql.contains("(count("), "{promql}");
        let young = |x: &Stream| x.last(c, t - group.young(slot).secs(), t).map(|_| 1.0);
        let exists = |x: &Stream| {
            let (at, _) = x.range(c, t - 300, t)?.last()?;
            (x.ended.is_none_or(|ended| ended > t || ended < *at)).then_some(1.0)
        };
        [part("n", total(&by, self.each(young))), part("x", total(&by, self.each(exists)))].concat()
    }

    fn evidence(&self, group: &QueryGroup, slot: Span, t: i64) -> Vector {
        let (s, l, c) = (slot.secs(), group.lookback(slot).secs(), self.closed);
        let day = 86_400;
        let u = |x: &Stream| x.last(c, t - s, t);
        let new = |x: &Stream| if x.last(c, t - s - l, t - s).is_none() { u(x) } else { None };
        let q = |x: &Stream| x.last(c, t - s - day, t - s);
        let back = |x: &Stream| {
            let (u, q) = (new(x)?, q(x)?);
            Some(if u >= q {
                u - q
            } else if u < 0.875 * q {
                u
            } else {
                0.0
            })
        };
        let fell = |x: &Stream| x.fell(c, (t, s, l));
        let seen = |x: &Stream| {
            new(x)?;
            x.range(c, t - s - day, t - s)?.last().map(|(at, _)| *at as f64)
        };
        let stamp = |x: &Stream| x.range(c, t - 300, t).and_then(|r| r.last()).map(|(at, _)| *at);
        let lately = s + group.young(slot).secs();
        let same = |x: &Stream, of: &Stream| {
            ["job", "instance"].iter().all(|l| x.labels.get(*l) == of.labels.get(*l))
        };
        let newest = |of: &Stream| self.streams.iter().filter(|x| same(x, of)).filter_map(stamp).max();
        let stamp_before =
            |x: &Stream| x.range(c, t - s - 300, t - s).and_then(|r| r.last()).map(|(at, _)| *at);
        let there = |of: &Stream| {
            let newest = self.streams.iter().filter(|x| same(x, of)).filter_map(stamp_before).max();
            stamp_before(of).is_some() && stamp_before(of) >= newest
        };
        let scraped = |x: &Stream| {
            let own =
                |up: &&Stream| up.labels.iter().all(|(label, value)| x.labels.get(label) == Some(value));
            let up = self.targets.get("up").into_iter().flatten().find(own);
            up.and_then(|up| up.last(c, t - lately, t - s)).is_some_and(|up| up > 0.0)
        };
        let held = |x: &Stream| match scraped(x) {
            true => x.last(c, t - lately, t).filter(|_| there(x)),
            false => x.last(c, t - s - l, t),
        };
        let gone = |x: &Stream| held(x).filter(|_| stamp(x) < newest(x));
        let mut fine = group.labels();
        fine.extend(["job", "instance"]);
        let mut coarse: Vec<&str> = group.merge.iter().map(String::as_str).collect();
        coarse.extend(["job", "instance"]);
        let target = |name: &str, from: i64, to: i64| -> Vector {
            let streams = self.targets.get(name).into_iter().flatten();
            streams.filter_map(|x| Some((x.labels.clone(), x.last(c, from, to)?))).collect()
        };
        [
            part("new", total(&fine, self.each(new))),
            part("fell", total(&fine, self.each(fell))),
            part("rose", total(&fine, self.each(|x| x.rose(c, (t, s, l))))),
            part("known", total(&fine, self.each(|x| q(x).and(new(x))))),
            part("back", total(&fine, self.each(back))),
            part("seen", total(&fine, self.each(seen))),
            part("gone", total(&coarse, self.each(gone))),
            part("up", target("up", t - s - l, t - s)),
            part("start", target("start", t - s - l, t)),
        ]
        .concat()
    }
}

fn total(by: &[&str], vector: Vector) -> Vector {
    let mut sums: BTreeMap<Labels, f64> = BTreeMap::new();
    for (labels, value) in vector {
        let group = by.iter().filter_map(|l| Some(((*l).to_owned(), labels.get(*l)?.clone()))).collect();
        *sums.entry(group).or_default() += value;
    }
    sums.into_iter().collect()
}

fn part(name: &str, vector: Vector) -> Vector {
    let tag = |(mut labels, value): (Labels, f64)| {
        labels.insert(PART.into(), name.into());
        (labels, value)
    };
    vector.into_iter().map(tag).collect()
}
