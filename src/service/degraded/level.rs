//! Tells an Alertmanager from memory what fires, again and again: what it is not told it soon takes to
//! be over. Everything that people know counts as firing until its end is stored; on a server only what
//! still fires, since another replica may lead and have told the end of the rest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::deliver::{failed, late, taken};
use super::enter::stand_in;
use super::whenever::whenever;
use super::{Inner, Shared};
use crate::engine::alert::{AlertKey, Firing};
use crate::engine::notice::{Alert, Event, Notice};
use crate::engine::step::{Control, Transition};
use crate::notify::alertmanager::{Alertmanager, AmAlert};
use crate::service::clock;

/// Alerts told in one go.
const MOST: usize = 256;
/// The pause after a post that no instance took, and while something was never told.
const PAUSE: Duration = Duration::from_secs(2);
/// How long is rested while the store is well.
const REST: Duration = Duration::from_secs(60);

/// Runs until shutdown.
pub(in crate::service) async fn run(shared: Shared, name: String, alertmanager: Arc<Alertmanager>) {
    let (shared, name, alertmanager) = (&shared, &*name, &*alertmanager);
    whenever(shared, || look(shared, name, alertmanager)).await;
}

async fn look(shared: &Shared, name: &str, alertmanager: &Alertmanager) -> Duration {
    if !shared.degraded.is_on() {
        return REST;
    }
    let firing = {
        let (inner, world) = (shared.degraded.inner.read(), shared.world.read());
        let now = shared.store.is_shared().then_some(&world.control);
        firing(&inner, now, name, &shared.settings.external_url)
    };
    let mut all_took = true;
    for some in firing.chunks(MOST) {
        all_took &= tell(shared, name, alertmanager, some).await;
    }
    late(shared, name).await;
    let waits = shared.degraded.inner.read().messages.waiting(name).next().is_some();
    if waits || !all_took { PAUSE } else { Duration::from_secs(alertmanager.resend().secs().unsigned_abs()) }
}

/// What an Alertmanager is to be told, with the message that this is, where it is one from memory.
struct Level {
    alert: AmAlert,
    message: Option<Notice>,
}

/// `now` is given where an alert that does not fire in it is not told on.
fn firing(inner: &Inner, now: Option<&Control>, name: &str, external: &str) -> Vec<Level> {
    let goes_on =
        |key: &AlertKey| now.is_none_or(|now| now.get(key).is_some_and(|state| state.firing.is_some()));
    let messages: BTreeMap<&str, &Notice> =
        inner.messages.waiting(name).map(|message| (&*message.notice.incident, &message.notice)).collect();
    let known = inner.memory.known().iter().filter_map(|(key, state)| Some((key, state.firing.as_ref()?)));
    let told = known.filter(|(key, _)| goes_on(key)).flat_map(|(key, firing)| notices(key, firing));
    let told = told.filter(|notice| notice.receiver == name && !messages.contains_key(&*notice.incident));
    let known = told.map(|notice| Level { alert: AmAlert::new(&notice.alert, external), message: None });
    let new = messages.values().map(|notice| Level {
        alert: AmAlert::new(&notice.alert, external),
        message: Some((*notice).clone()),
    });
    new.chain(known).collect()
}

/// What everybody was told of it, or shown, when it began.
pub(super) fn notices(key: &AlertKey, firing: &Firing) -> Vec<Notice> {
    let begun = Transition {
        key: key.clone(),
        event: Event::Firing,
        at: firing.at,
        incident: firing.incident.clone(),
        told: firing.told.clone(),
        alert: alert(key, firing),
    };
    begun.notices().collect()
}

/// The alert as it was told, without the numbers.
fn alert(key: &AlertKey, firing: &Firing) -> Alert {
    Alert {
        labels: firing.labels.clone(),
        annotations: firing.annotations.clone(),
        severity: key.severity,
        starts_at: firing.at,
        ends_at: None,
        evidence: None,
    }
}

/// One request; whether it was taken.
async fn tell(shared: &Shared, name: &str, alertmanager: &Alertmanager, levels: &[Level]) -> bool {
    let alerts: Vec<AmAlert> = levels.iter().map(|level| level.alert.clone()).collect();
    let began = tokio::time::Instant::now();
    let report = alertmanager.post_alerts(&alerts, clock::now()).await;
    let outcome = report.outcome();
    shared.metrics.delivery(name, &outcome, began.elapsed());
    let why = outcome.failure().map(|(_, error)| error.to_owned());
    let is_refused = |level: &Level| report.refused().any(|refused| refused.labels == level.alert.labels);
    let (mut got, mut refused) = (Vec::new(), Vec::new());
    for (level, notice) in levels.iter().filter_map(|level| Some((level, level.message.as_ref()?))) {
        if is_refused(level) {
            refused.push(notice.clone());
        } else if let Some(error) = &why {
            failed(shared, name, &notice.id, None, error);
        } else {
            got.push(notice.id.clone());
        }
    }
    taken(shared, &got).await;
    stand_in(shared, &refused).await;
    why.is_none()
}

#[cfg(test)]
mod tests {
    use super::super::Degraded;
    use super::super::memory::Memory;
    use super::super::testing::{ends, fires};
    use super::*;
    use crate::engine::recipient::Recipient;
    use crate::slo::model::Severity::Page;

    #[test]
    fn what_is_over_is_told_on_only_where_nobody_else_can_have_told_its_end() {
        let mut stored = Control::default();
        stored.apply(&fires(Page, "p", 30));
        let inner = Inner { memory: Memory::of(stored.clone()), ..Inner::default() };
        let mut over = stored.clone();
        over.apply(&ends(Page, "p", 60));
        let told = |now: Option<&Control>| firing(&inner, now, "main", "").len();
        assert_eq!((told(None), told(Some(&stored)), told(Some(&over))), (1, 1, 0));
    }

    /// Else it would end there by itself after a quarter of an hour.
    #[test]
    fn what_is_only_shown_is_shown_on_as_it_was_and_not_ended_by_the_end_before() {
        let mut shown = fires(Page, "p", 30);
        for state in shown.changes.values_mut().flatten() {
            state.firing.as_mut().unwrap().told = vec![Recipient::Shadow { shadow: "main".into() }];
        }
        let mut stored = Control::default();
        stored.apply(&shown);
        let degraded = Degraded::default();
        degraded.inner.write().memory = Memory::of(stored);
        let told = firing(&degraded.inner.read(), None, "main", "");
        let labels: Vec<_> = told.iter().map(|level| level.alert.labels.clone()).collect();
        let [labels] = labels.as_slice() else { panic!("{labels:?}") };
        assert_eq!((&*labels["shadow"], &*labels["severity"]), ("true", "shadow"));
        assert!(firing(&degraded.inner.read(), None, "other", "").is_empty());
        degraded.begin();
        assert!(degraded.fires(labels), "an end that the store repeats");
    }
}
