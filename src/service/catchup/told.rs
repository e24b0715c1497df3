//! What people know of the alerts of an SLO with a gap: incident by incident, for another one of the
//! same alert may have come and gone in the gap, and nobody knows of that one.
//!
//! The same incident begins and ends a little sooner or later when it is judged on slices that were not
//! known before, under another id then; so incidents are told apart by when they fired.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::engine::alert::{AlertKey, Subject};
use crate::engine::notice::Event;
use crate::engine::step::{Control, Delta, Transition, net};
use crate::slo::time::Ts;

/// Times in which people knew that an alert fires, or learned that it did.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
#[serde(transparent)]
pub(super) struct Told(Vec<Fired>);

/// From when until when an alert fired; without an end while it does.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
struct Fired {
    key: AlertKey,
    from: Ts,
    until: Option<Ts>,
}

impl Fired {
    fn overlaps(&self, other: &Self) -> bool {
        let begins_before = |one: &Self, end: Option<Ts>| end.is_none_or(|end| one.from <= end);
        self.key == other.key && begins_before(self, other.until) && begins_before(other, self.until)
    }
}

impl Told {
    /// What fires of an SLO, which people know.
    pub(super) fn of_firing(slo: &str, control: &Control) -> Self {
        let mut told = Self::default();
        for (key, state) in control.of_slo(slo).into_iter().flatten() {
            if let Some(firing) = &state.firing {
                told.begins(key, firing.at);
            }
        }
        told
    }

    /// Notes what people are told.
    pub(super) fn note(&mut self, transition: &Transition) {
        let (key, alert) = (&transition.key, &transition.alert);
        match transition.event {
            Event::Firing => self.begins(key, alert.starts_at),
            Event::Resolved => self.ends(key, alert.starts_at, transition.at),
            Event::Missed => {
                let until = Some(alert.ends_at.unwrap_or(transition.at));
                self.0.push(Fired { key: key.clone(), from: alert.starts_at, until });
            }
        }
    }

    /// One that fires already goes on, be it as another incident, until people are told its end.
    fn begins(&mut self, key: &AlertKey, from: Ts) {
        match self.open(key) {
            Some(open) => open.from = open.from.min(from),
            None => self.0.push(Fired { key: key.clone(), from, until: None }),
        }
    }

    fn ends(&mut self, key: &AlertKey, from: Ts, at: Ts) {
        match self.open(key) {
            Some(open) => open.until = Some(at),
            None => self.0.push(Fired { key: key.clone(), from, until: Some(at) }),
        }
    }

    fn open(&mut self, key: &AlertKey) -> Option<&mut Fired> {
        self.0.iter_mut().find(|fired| fired.key == *key && fired.until.is_none())
    }

    /// Whether people know of something that fired then, or fires `now`.
    fn knows(&self, fired: &Fired, now: &Self) -> bool {
        self.0.iter().chain(&now.0).any(|known| known.overlaps(fired))
    }

    /// What consecutive steps hold that people do not know, as one: burns of which nothing was told,
    /// and which fires `now` not either. What does not fire is better known by the present.
    pub(super) fn news(&self, now: &Self, steps: Vec<Delta>) -> Delta {
        let mut all = Delta::default();
        steps.into_iter().for_each(|step| all.extend(step));
        let incidents = incidents(&all);
        let unknown: BTreeSet<&str> = incidents
            .iter()
            .filter(|(_, fired)| !self.knows(fired, now))
            .map(|(id, _)| id.as_str())
            .collect();
        let is_news = |key: &AlertKey, incident: &str| {
            matches!(key.subject, Subject::Burn { .. }) && unknown.contains(incident)
        };
        all.transitions.retain(|transition| is_news(&transition.key, &transition.incident));
        all.changes.retain(|key, state| {
            let firing = state.as_ref().and_then(|state| state.firing.as_ref());
            firing.is_some_and(|firing| is_news(key, &firing.incident))
        });
        net(&Control::default(), vec![all])
    }
}

/// When each incident fired that began or ended.
fn incidents(delta: &Delta) -> BTreeMap<String, Fired> {
    let mut incidents = BTreeMap::new();
    for transition in &delta.transitions {
        let (key, from) = (transition.key.clone(), transition.alert.starts_at);
        let begun = || Fired { key, from, until: None };
        let fired = incidents.entry(transition.incident.clone()).or_insert_with(begun);
        if transition.event == Event::Resolved {
            fired.until = Some(transition.at);
        }
    }
    incidents
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::alert::{AlertState, Firing};
    use crate::engine::notice::Alert;
    use crate::slo::model::{Labels, Severity};

    fn key(severity: Severity) -> AlertKey {
        AlertKey { subject: Subject::Burn { slo: "shop/cart".into(), group: Labels::new() }, severity }
    }

    /// A page that began at `from`; what happens to it happens at `at`.
    fn page(event: Event, from: i64, at: i64) -> Transition {
        let alert = Alert {
            labels: Labels::new(),
            annotations: Labels::new(),
            severity: Severity::Page,
            starts_at: Ts(from),
            ends_at: (event != Event::Firing).then_some(Ts(at)),
            evidence: None,
        };
        let told = vec!["oncall".into()];
        Transition { key: key(Severity::Page), event, at: Ts(at), incident: from.to_string(), told, alert }
    }

    fn firing(from: i64) -> AlertState {
        let firing = Firing {
            incident: from.to_string(),
            at: Ts(from),
            labels: Labels::new(),
            annotations: Labels::new(),
            told: vec!["oncall".into()],
            targets: None,
            rules: vec![],
        };
        AlertState { firing: Some(firing), ..AlertState::default() }
    }

    /// Steps in which a page fired in these times; in the last one perhaps still.
    fn steps(times: &[(i64, Option<i64>)]) -> Vec<Delta> {
        let step = |state, transition| Delta {
            changes: [(key(Severity::Page), state)].into(),
            transitions: vec![transition],
        };
        let of = |(from, until): &(i64, Option<i64>)| {
            let begins = step(Some(firing(*from)), page(Event::Firing, *from, *from));
            let ends = until.map(|until| step(None, page(Event::Resolved, *from, until)));
            [Some(begins), ends].into_iter().flatten().collect::<Vec<_>>()
        };
        times.iter().flat_map(of).collect()
    }

    fn told(transitions: &[Transition]) -> Told {
        let mut told = Told::default();
        transitions.iter().for_each(|transition| told.note(transition));
        told
    }

    /// What is news of such steps: events with incidents, and whether it fires.
    fn news(told: &Told, times: &[(i64, Option<i64>)]) -> (Vec<(Event, String)>, bool) {
        let delta = told.news(&Told::default(), steps(times));
        let fires = !delta.changes.is_empty();
        (delta.transitions.into_iter().map(|t| (t.event, t.incident)).collect(), fires)
    }

    fn missed(incident: &str) -> (Vec<(Event, String)>, bool) {
        (vec![(Event::Missed, incident.to_owned())], false)
    }

    const NONE: (Vec<(Event, String)>, bool) = (Vec::new(), false);

    #[test]
    fn an_incident_is_known_if_what_was_told_overlaps_it_however_its_ends_moved() {
        let told = told(&[page(Event::Firing, 100, 100), page(Event::Resolved, 100, 200)]);
        for same in [(100, 200), (40, 100), (150, 160), (200, 900), (40, 900)] {
            assert_eq!(news(&told, &[(same.0, Some(same.1))]), NONE, "{same:?}");
        }
        assert_eq!(news(&told, &[(40, Some(99))]), missed("40"));
        assert_eq!(news(&told, &[(201, Some(300))]), missed("201"));
        assert_eq!(news(&told, &[(10, Some(20)), (150, Some(160))]), missed("10"), "before a known one");
        assert_eq!(news(&told, &[(150, Some(160)), (400, Some(410))]), missed("400"), "after it");
    }

    #[test]
    fn what_came_and_went_is_no_page_although_a_known_one_fires_and_its_state_is_left_alone() {
        let told = told(&[page(Event::Firing, 100, 100)]);
        assert_eq!(news(&told, &[(10, Some(20)), (90, None)]), missed("10"));
        assert_eq!(news(&told, &[(90, None)]), NONE);
        // As the alert itself says it, if nothing of it was noted.
        let mut control = Control::default();
        control.put(key(Severity::Page), firing(100));
        let now = Told::of_firing("shop/cart", &control);
        let delta = Told::default().news(&now, steps(&[(10, Some(20)), (90, None)]));
        let events: Vec<_> = delta.transitions.iter().map(|t| (t.event, t.incident.as_str())).collect();
        assert_eq!((events.as_slice(), delta.changes.len()), (&[(Event::Missed, "10")][..], 0));
    }

    #[test]
    fn what_nobody_knows_and_still_fires_pages() {
        let told =
            told(&[page(Event::Missed, 10, 20), page(Event::Firing, 30, 30), page(Event::Resolved, 30, 40)]);
        let page = vec![(Event::Firing, "90".to_owned())];
        assert_eq!(news(&told, &[(12, Some(18)), (35, Some(36)), (90, None)]), (page, true));
    }

    #[test]
    fn one_that_fired_before_and_was_told_its_end_hides_no_later_one() {
        let mut control = Control::default();
        control.put(key(Severity::Page), firing(5));
        let mut told = Told::of_firing("shop/cart", &control);
        // It ended sooner than was known.
        let first = Delta {
            changes: [(key(Severity::Page), None)].into(),
            transitions: vec![page(Event::Resolved, 5, 50)],
        };
        let all = || [vec![first.clone()], steps(&[(60, Some(70)), (200, Some(210))])].concat();
        assert_eq!(told.news(&Told::default(), all()), Delta::default(), "people think that it fires");
        told.note(&page(Event::Resolved, 5, 100));
        let delta = told.news(&Told::default(), all());
        let incidents: Vec<_> = delta.transitions.iter().map(|t| (t.event, t.incident.as_str())).collect();
        assert_eq!(incidents, [(Event::Missed, "200")]);
    }

    #[test]
    fn tickets_are_another_alert_and_not_knowing_is_not_summed_up() {
        let mut ticket = page(Event::Firing, 100, 100);
        ticket.key = key(Severity::Ticket);
        assert_eq!(news(&told(&[ticket]), &[(100, Some(200))]), missed("100"));
        let mut unknown = page(Event::Firing, 100, 100);
        unknown.key.subject = Subject::Unknown { slo: "shop/cart".into() };
        let delta = Delta { changes: [].into(), transitions: vec![unknown] };
        assert_eq!(Told::default().news(&Told::default(), vec![delta]), Delta::default());
    }

    #[test]
    fn it_is_the_same_once_it_was_stored() {
        let told = told(&[page(Event::Missed, 10, 20), page(Event::Firing, 30, 30)]);
        let body = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<Told>(&body).unwrap(), told);
    }
}
