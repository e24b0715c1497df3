//! What is told, what waits, and what is written afterwards.

use super::*;
use crate::service::degraded::testing::{ends, fires, key, pending};

fn events(delta: &Delta) -> Vec<(&str, &str)> {
    delta.transitions.iter().map(|t| (t.incident.as_str(), t.event.as_str())).collect()
}

fn incidents(told: &[Told]) -> Vec<&str> {
    told.iter().map(|told| told.transition.incident.as_str()).collect()
}

/// The alerts in memory, moved by decisions in order; who was told of what.
struct Run {
    memory: Memory,
    control: Control,
    told: Vec<String>,
}

impl Run {
    fn from(stored: Control) -> Self {
        Self { memory: Memory::of(stored.clone()), control: stored, told: Vec::new() }
    }

    fn decide(&mut self, delta: Delta) -> &mut Self {
        let (delta, told) = self.memory.decide(delta, 0);
        self.control.apply(&delta);
        self.told.extend(incidents(&told).into_iter().map(str::to_owned));
        self
    }

    fn owed(&self) -> Vec<(String, String)> {
        let owed = self.memory.owed(&self.control);
        events(&owed).into_iter().map(|(i, e)| (i.to_owned(), e.to_owned())).collect()
    }

    fn firing(&self, severity: Severity) -> Option<String> {
        Some(self.control.get(&key(severity))?.firing.as_ref()?.incident.clone())
    }
}

fn pair(incident: &str, event: &str) -> (String, String) {
    (incident.to_owned(), event.to_owned())
}

use Severity::{Page, Ticket};

#[test]
fn pages_that_begin_are_told_at_once_and_all_else_waits() {
    let mut run = Run::from(Control::default());
    run.decide(fires(Page, "p", 30)).decide(fires(Ticket, "t", 30)).decide(ends(Page, "p", 60));
    assert_eq!(run.told, ["p"]);
    assert_eq!(run.owed(), [pair("t", "firing"), pair("p", "resolved")]);
    assert_eq!(run.firing(Page), None);
}

#[test]
fn a_page_that_ends_and_fires_again_goes_on_as_the_incident_people_know() {
    let mut run = Run::from(Control::default());
    run.decide(fires(Page, "a", 30)).decide(ends(Page, "a", 60)).decide(fires(Page, "b", 90));
    assert_eq!(run.told, ["a"], "nobody is told twice");
    assert_eq!(run.firing(Page).as_deref(), Some("a"));
    assert_eq!(run.owed(), [], "nothing has ended");
    run.decide(ends(Page, "a", 120));
    assert_eq!(run.owed(), [pair("a", "resolved")], "its end, once");
}

#[test]
fn what_the_store_has_as_firing_ends_once_the_store_is_back() {
    let mut stored = Control::default();
    stored.apply(&fires(Page, "s", 0));
    let mut run = Run::from(stored);
    run.decide(ends(Page, "s", 30)).decide(fires(Page, "n", 60)).decide(ends(Page, "s", 90));
    assert_eq!(run.told, [""; 0]);
    assert_eq!(run.owed(), [pair("s", "resolved")]);
}

#[test]
fn a_ticket_that_came_and_went_was_missed_and_one_that_fires_is_told_later() {
    let mut run = Run::from(Control::default());
    run.decide(fires(Ticket, "t", 30)).decide(ends(Ticket, "t", 60));
    assert_eq!(run.owed(), [pair("t", "missed")]);
    run.decide(fires(Ticket, "u", 90));
    assert_eq!(run.told, [""; 0]);
    assert_eq!(run.owed(), [pair("t", "missed"), pair("u", "firing")]);
}

#[test]
fn an_alert_that_was_pending_in_the_store_is_written_as_firing() {
    let mut stored = Control::default();
    stored.apply(&pending(Page, 0));
    let mut run = Run::from(stored);
    run.decide(fires(Page, "p", 30));
    assert_eq!(run.told, ["p"]);
    let owed = run.memory.owed(&run.control);
    assert!(owed.changes[&key(Page)].as_ref().is_some_and(|state| state.firing.is_some()));
}

/// It may be in the store, and then people are told: what fires after that is news.
#[test]
fn an_end_in_doubt_is_an_end_for_whoever_may_have_been_told() {
    let mut stored = Control::default();
    stored.apply(&fires(Page, "a", 0));
    let mut run = Run::from(stored);
    let doubt = ends(Page, "a", 30);
    assert_eq!(run.memory.doubt(&doubt, 0), []);
    run.control.apply(&doubt);
    run.decide(fires(Page, "b", 60));
    assert_eq!(run.told, ["b"]);
    assert_eq!(run.owed(), [pair("a", "resolved")]);
}

#[test]
fn a_beginning_in_doubt_is_told_under_the_id_it_had() {
    let mut run = Run::from(Control::default());
    let (page, ticket) = (fires(Page, "p", 30), fires(Ticket, "t", 30));
    assert_eq!(incidents(&run.memory.doubt(&page, 0)), ["p"]);
    run.control.apply(&page);
    assert_eq!(run.memory.doubt(&ticket, 0), []);
    run.control.apply(&ticket);
    // It may have been told by the store: its end is one.
    run.decide(ends(Ticket, "t", 60));
    assert_eq!(run.owed(), [pair("t", "firing"), pair("t", "resolved")]);
}

#[test]
fn an_incident_that_another_replica_told_under_its_own_id_is_over() {
    let told = |incident: &str| {
        let delta = fires(Page, incident, 30);
        let state = delta.changes[&key(Page)].clone().unwrap();
        Told { transition: delta.transitions[0].clone(), state, at: 0 }
    };
    let theirs = told("theirs").state;
    let mut memory = Memory::of(Control::default());
    memory.resume(told("ours"), Some(&theirs), Ts(90));
    assert_eq!(events(&memory.owed(&Control::default())), [("ours", "resolved")]);
    assert_eq!(memory.moved(&key(Page)), None, "theirs goes on");
    // Nobody else did: it goes on.
    let mut memory = Memory::of(Control::default());
    memory.resume(told("ours"), None, Ts(90));
    assert_eq!(events(&memory.owed(&Control::default())), []);
    assert!(memory.moved(&key(Page)).is_some());
}

#[test]
fn of_two_incidents_that_one_process_told_of_an_alert_the_last_one_goes_on() {
    let mut memory = Memory::of(Control::default());
    for (incident, at) in [("a", 30), ("b", 90)] {
        let delta = fires(Page, incident, at);
        let state = delta.changes[&key(Page)].clone().unwrap();
        memory.resume(Told { transition: delta.transitions[0].clone(), state, at: 0 }, None, Ts(120));
    }
    assert_eq!(events(&memory.owed(&Control::default())), [("a", "resolved")]);
    let goes_on = memory.moved(&key(Page)).and_then(|state| state.firing).map(|firing| firing.incident);
    assert_eq!(goes_on.as_deref(), Some("b"));
}
