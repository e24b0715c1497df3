//! Times in which an alert fired: ours out of history, theirs out of points on a grid.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::matchers::Silence;
use crate::api::AlertEventView;
use crate::slo::model::{Labels, Severity};
use crate::slo::time::{Span, Ts};

/// One time in which an alert fired.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Episode {
    /// When it began. Of theirs the earliest that it may have been.
    pub(super) from: Ts,
    /// When it ended; none while it lasts.
    pub(super) to: Option<Ts>,
    /// It fired when the time that is compared began: nobody knows since when.
    pub(super) cut: bool,
    /// What it did to people.
    pub(super) weight: Weight,
    /// Its labels.
    pub(super) labels: Labels,
    /// Ours in one line.
    pub(super) summary: Option<String>,
}

/// What an alert does to people.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Weight {
    /// It wakes them.
    Page,
    /// It waits for them.
    Ticket,
    /// A page that a silence kept from them.
    Silenced,
    /// A page that began and ended while Damper could not look.
    Missed,
}

impl Episode {
    /// Whether it and a span come within a tolerance of each other.
    pub(super) fn meets(&self, from: Ts, to: Option<Ts>, tolerance: Span) -> bool {
        let before = |end: Option<Ts>, begin: Ts| end.is_some_and(|end| end.plus(tolerance) < begin);
        !before(self.to, from) && !before(to, self.from)
    }

    /// What of it is after a moment; nobody compares since when it fired before.
    pub(super) fn since(mut self, from: Ts) -> Option<Self> {
        if self.to.is_some_and(|to| to < from) {
            return None;
        }
        if self.from < from {
            (self.from, self.cut) = (from, true);
        }
        Some(self)
    }

    /// How long it lasted within what is compared.
    pub(super) fn lasted(&self, until: Ts) -> Span {
        self.to.unwrap_or(until).since(self.from)
    }

    /// The page that people got in spite of silences: from the end of the silence that it began in.
    /// One that is silenced to its end, or to the moment until which is looked, is only noted.
    pub(super) fn silenced(mut self, silences: &[Silence], until: Ts) -> Self {
        if self.weight != Weight::Page {
            return self;
        }
        let own: Vec<&Silence> = silences.iter().filter(|silence| silence.is_about(&self.labels)).collect();
        let mut from = self.from;
        while let Some(over) = own.iter().find(|silence| silence.from <= from && from < silence.to) {
            from = over.to;
        }
        if from == self.from {
            return self;
        }
        if from < self.to.unwrap_or(until) {
            (self.from, self.cut) = (from, false);
        } else {
            self.weight = Weight::Silenced;
        }
        self
    }
}

/// Stretches of points on a grid, by label set.
#[derive(Debug)]
pub(super) struct Stretches {
    every: Span,
    all: BTreeMap<Labels, Vec<(Ts, Ts)>>,
}

impl Stretches {
    /// Of points so far apart.
    pub(super) fn new(every: Span) -> Self {
        Self { every, all: BTreeMap::new() }
    }

    /// Adds points, which come in order.
    pub(super) fn add(&mut self, mut labels: Labels, points: impl IntoIterator<Item = Ts>) {
        labels.retain(|name, _| name != "__name__" && name != "alertstate");
        let own = self.all.entry(labels).or_default();
        for at in points {
            match own.last_mut() {
                Some((_, last)) if *last >= at => {}
                Some((_, last)) if last.plus(self.every) >= at => *last = at,
                _ => own.push((at, at)),
            }
        }
    }

    /// How many label sets there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// What fires at the last points before a moment.
    pub(super) fn firing(&self, at: Ts) -> impl Iterator<Item = &Labels> {
        let since = at.minus(self.every).minus(self.every);
        let fires = move |all: &Vec<(Ts, Ts)>| all.last().is_some_and(|(_, last)| *last >= since);
        self.all.iter().filter(move |(_, all)| fires(all)).map(|(labels, _)| labels)
    }

    /// As episodes, asked from the first to the last of these moments. An alert began between the
    /// point that first shows it and the one before: the earlier counts, so that no lead of ours is
    /// one of the grid.
    pub(super) fn episodes(
        &self,
        (first, last): (Ts, Ts),
        weigh: impl Fn(&Labels) -> Weight,
    ) -> Vec<Episode> {
        let mut all = Vec::new();
        for (labels, stretches) in &self.all {
            for (from, to) in stretches {
                let cut = *from <= first;
                all.push(Episode {
                    from: if cut { *from } else { from.minus(self.every) },
                    to: (to.plus(self.every) <= last).then_some(*to),
                    cut,
                    weight: weigh(labels),
                    labels: labels.clone(),
                    summary: None,
                });
            }
        }
        all
    }
}

/// Our episodes by SLO, out of what happened, in any order. Of an incident that does not fire now and
/// whose end is not remembered only the begin counts: it must not stand for pages of a later time.
pub(super) fn ours(events: Vec<AlertEventView>, firing: &BTreeSet<String>) -> BTreeMap<String, Vec<Episode>> {
    let mut incidents: BTreeMap<(String, String), Episode> = BTreeMap::new();
    for event in events {
        let Some(slo) = event.slo else { continue };
        let weight = match (event.event.as_str(), event.severity) {
            (_, Severity::Ticket) => Weight::Ticket,
            ("missed", _) => Weight::Missed,
            _ => Weight::Page,
        };
        let to = event.ended_at.map(Ts);
        let known = incidents.entry((slo, event.incident)).or_insert_with(|| Episode {
            from: Ts(event.fired_at),
            to: None,
            cut: false,
            weight,
            labels: event.labels,
            summary: None,
        });
        known.to = known.to.or(to);
        if event.event == "firing" || known.summary.is_none() {
            known.summary = event.summary;
        }
    }
    let mut all: BTreeMap<String, Vec<Episode>> = BTreeMap::new();
    for ((slo, incident), mut episode) in incidents {
        if episode.to.is_none() && !firing.contains(&incident) {
            episode.to = Some(episode.from);
        }
        all.entry(slo).or_default().push(episode);
    }
    all
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::compare::matchers::Matchers;

    pub(in crate::cli::compare) fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn page(_: &Labels) -> Weight {
        Weight::Page
    }

    fn stretches(points: &[i64]) -> Stretches {
        let mut stretches = Stretches::new(Span::from_secs(15));
        let told = labels(&[("__name__", "ALERTS"), ("alertstate", "firing"), ("alertname", "A")]);
        // As two answers that overlap at their edge.
        let (before, after) = points.split_at(points.len() / 2);
        stretches.add(told.clone(), before.iter().map(|at| Ts(*at)));
        stretches.add(told, before.last().into_iter().chain(after).map(|at| Ts(*at)));
        stretches
    }

    #[test]
    fn points_become_episodes_that_may_have_begun_a_point_earlier() {
        let all = stretches(&[0, 15, 30, 60, 75, 120]).episodes((Ts(0), Ts(120)), page);
        let times: Vec<_> = all.iter().map(|e| (e.from.0, e.to.map(|to| to.0), e.cut)).collect();
        assert_eq!(times, [(0, Some(30), true), (45, Some(75), false), (105, None, false)]);
        assert_eq!(all[0].labels, labels(&[("alertname", "A")]));
        assert_eq!(stretches(&[0, 15]).firing(Ts(60)).count(), 0);
        assert_eq!(stretches(&[0, 15]).firing(Ts(40)).count(), 1);
    }

    fn silence(matchers: &str, from: i64, to: i64) -> Silence {
        Silence { matchers: Matchers::parse(matchers).unwrap(), from: Ts(from), to: Ts(to) }
    }

    #[test]
    fn a_page_begins_for_people_when_its_silences_end() {
        let all = stretches(&[300, 315, 330, 345, 360]).episodes((Ts(0), Ts(900)), page);
        let [episode] = &all[..] else { panic!("{all:?}") };
        let under = |silences: &[Silence]| episode.clone().silenced(silences, Ts(1000));
        let name = r#"alertname="A""#;
        assert_eq!(under(&[silence(name, 0, 280), silence("alertname=\"B\"", 0, 900)]), *episode);
        assert_eq!(under(&[silence(name, 320, 900)]), *episode, "told before it was silenced");
        let late = under(&[silence(name, 0, 300), silence(name, 290, 350)]);
        assert_eq!((late.from, late.weight), (Ts(350), Weight::Page));
        assert_eq!(under(&[silence(name, 0, 900)]).weight, Weight::Silenced);
        let lasts = Episode { to: None, ..episode.clone() };
        let under = |until| lasts.clone().silenced(&[silence(name, 0, 900)], Ts(until));
        assert_eq!((under(1000).from, under(1000).weight), (Ts(900), Weight::Page));
        assert_eq!(under(800).weight, Weight::Silenced, "it is not over yet");
    }

    pub(in crate::cli::compare) fn event(
        event: &str,
        incident: &str,
        from: i64,
        to: Option<i64>,
    ) -> AlertEventView {
        AlertEventView {
            at: to.unwrap_or(from),
            event: event.into(),
            slo: Some("shop/pay".into()),
            severity: Severity::Page,
            incident: incident.into(),
            labels: labels(&[("alertname", "ErrorBudgetBurn")]),
            summary: Some(event.into()),
            fired_at: from,
            ended_at: to,
            told: vec![],
            shown: vec![],
        }
    }

    #[test]
    fn an_incident_is_one_episode_whatever_of_it_is_remembered() {
        let firing = BTreeSet::from(["lasts".to_owned()]);
        let events = vec![
            event("resolved", "a", 100, Some(200)),
            event("firing", "a", 100, None),
            event("resolved", "before", 0, Some(50)),
            event("firing", "lasts", 300, None),
            event("firing", "lost", 350, None),
            event("missed", "unseen", 400, Some(410)),
            AlertEventView { slo: None, ..event("firing", "SourceBlind", 1, None) },
        ];
        let all = ours(events, &firing);
        let pay: Vec<_> = all["shop/pay"].iter().map(|e| (e.from.0, e.to.map(|to| to.0), e.weight)).collect();
        assert_eq!(
            pay,
            [
                (100, Some(200), Weight::Page),
                (0, Some(50), Weight::Page),
                (300, None, Weight::Page),
                (350, Some(350), Weight::Page),
                (400, Some(410), Weight::Missed)
            ]
        );
        assert_eq!(all.len(), 1);
        assert_eq!(all["shop/pay"][0].summary.as_deref(), Some("firing"));
    }
}
