//! What was told against the truth that Damper does not know: how often each service really failed.

use std::collections::{BTreeMap, BTreeSet};

use super::told::Told;
use crate::support::shop::Phase;

/// One alert as people know it.
#[derive(Debug)]
struct Incident {
    /// Milliseconds since the epoch.
    began: i64,
    /// Without one while it is not told.
    ended: Option<i64>,
    /// Of what came and went while nobody looked the last is told, with how many there were since the
    /// first began.
    times: usize,
}

impl Incident {
    fn of<'a>(told: impl Iterator<Item = &'a Told>) -> BTreeMap<&'a str, Self> {
        let mut incidents = BTreeMap::new();
        for one in told {
            let begun = || Self { began: one.began(), ended: None, times: one.times() };
            let incident = incidents.entry(one.incident.as_str()).or_insert_with(begun);
            incident.ended = incident.ended.max(one.ended());
        }
        incidents
    }

    /// Whether it began in that phase.
    fn is_of(&self, phase: &Phase) -> bool {
        self.times == 1 && phase.holds(self.began)
    }

    /// Whether that phase may be one of those that are told together.
    fn is_about(&self, phase: &Phase) -> bool {
        let is_over = |end| self.began < end + Phase::FIRES_ON;
        self.times > 1 && phase.to.is_none_or(is_over) && self.ended.is_none_or(|end| phase.from <= end)
    }
}

/// Fails the test unless each time a service failed is one incident, or one of those that are told as
/// missed together, and there is no other.
pub fn one_incident_per_phase(told: &[Told], phases: &[Phase]) {
    let services: BTreeSet<&str> = phases.iter().map(|phase| phase.service.as_str()).collect();
    for service in services {
        let failed: Vec<&Phase> = phases.iter().filter(|phase| phase.service == service).collect();
        let incidents = Incident::of(told.iter().filter(|one| one.labels["service"] == service));
        let is_told = |phase: &Phase| match incidents.values().filter(|one| one.is_of(phase)).count() {
            0 => incidents.values().any(|one| one.is_about(phase)),
            own => own == 1,
        };
        let wrong: Vec<_> = failed.iter().filter(|phase| !is_told(phase)).collect();
        let times: usize = incidents.values().map(|one| one.times).sum();
        assert!(
            wrong.is_empty() && times == failed.len(),
            "{service} failed {} times, and was told to have failed {times} times; not told, or twice: \
             {wrong:#?}\nits incidents: {incidents:#?}",
            failed.len()
        );
    }
}
