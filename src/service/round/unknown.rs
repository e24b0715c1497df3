//! What a tick says of that which it could not find out: SLOs that were not answered, and sources that
//! do not answer.

use std::collections::BTreeMap;

use super::Round;
use crate::engine::step::{Delta, Unanswered, step_sources, step_unanswered};
use crate::service::blind::Tally;

impl Round<'_> {
    /// `SourceBlind`: a source is blind while it leaves most of what counts events unanswered.
    pub(super) async fn judge_sources(&mut self) {
        if !self.commits.is_sure().await {
            return;
        }
        let delta = {
            let mut world = self.shared.world.write();
            for name in self.shared.sources.keys() {
                let was = world.observed.is_blind(name);
                let tally = self.tally.get(name);
                let blind = tally.map_or(was, |tally| tally.is_blind(was));
                world.observed.blind.insert(name.clone(), blind);
                match (was, blind) {
                    (false, true) => {
                        let why = tally.and_then(Tally::why);
                        tracing::warn!(source = name, why, "the source does not answer");
                    }
                    (true, false) => tracing::info!(source = name, "the source answers again"),
                    _ => {}
                }
            }
            let observed = world.observed.clone();
            step_sources(&world.control, &self.inputs(self.newest(self.at), &observed))
        };
        self.commits.commit(&delta, Vec::new()).await;
    }

    /// Moves the alerts about not knowing of SLOs that could not be judged.
    pub(super) async fn judge_unanswered(&mut self) {
        let slos = std::mem::take(&mut self.unanswered);
        self.note_unanswered(&slos);
        if !self.commits.is_sure().await {
            return;
        }
        let delta = {
            let world = self.shared.world.read();
            let mut delta = Delta::default();
            for planned in slos.iter().filter_map(|ix| self.plan.slos.get(*ix)) {
                let inputs = self.inputs(self.newest(self.moment_of(planned)), &world.observed);
                delta.extend(step_unanswered(planned, &world.control, &inputs));
            }
            delta
        };
        self.commits.commit(&delta, Vec::new()).await;
    }

    /// Keeps since when and why SLOs cannot be judged, for people.
    fn note_unanswered(&self, slos: &[usize]) {
        let mut world = self.shared.world.write();
        let mut unanswered = BTreeMap::new();
        for planned in slos.iter().filter_map(|ix| self.plan.slos.get(*ix)) {
            let before = world.observed.unanswered.get(&planned.id);
            let mut series = planned.bad.iter().chain(&planned.total);
            let why = series
                .find_map(|(_, ix)| self.failures.get(ix).cloned())
                // A query at fault rests between two attempts.
                .or_else(|| before.map(|before| before.why.clone()))
                .unwrap_or_else(|| "its newest slices hold no number that can be counted".to_owned());
            let judged = world.judged.get(&planned.id).copied();
            let since = judged.or(before.map(|before| before.since)).unwrap_or(self.at);
            unanswered.insert(planned.id.clone(), Unanswered { since, why });
        }
        world.observed.unanswered = unanswered;
    }
}
