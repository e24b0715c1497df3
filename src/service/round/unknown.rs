//! What a tick says of that which it could not find out: SLOs that were not answered, and sources that
//! do not answer.

use super::Round;
use crate::engine::step::{Delta, step_sources, step_unanswered};
use crate::service::asking::Asking;
use crate::service::blind::Tally;
use crate::service::catchup::{self, Arrears, Debts};
use crate::service::unknown::Unknown;

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
                // One that nothing was asked of is none that any SLO needs.
                let blind = tally.is_some_and(|tally| tally.is_blind(was));
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

    /// Moves the alerts about not knowing of SLOs that could not be judged, and notes what is owed of
    /// slices that were learned of them all the same: they are journaled with this tick.
    pub(super) async fn judge_unanswered(&mut self, asking: &Asking) {
        let slos = std::mem::take(&mut self.unanswered);
        let unanswered = {
            let world = self.shared.world.read();
            let unknown = Unknown { plan: &self.plan, world: &world, at: &|planned| self.moment_of(planned) };
            unknown.all(&slos, &self.failures, &asking.faults)
        };
        self.shared.world.write().observed.unanswered = unanswered;
        if !self.commits.is_sure().await {
            return;
        }
        let (delta, ahead) = {
            let (world, owed) = (self.shared.world.read(), self.shared.owed.read());
            let (mut delta, mut ahead) = (Delta::default(), Arrears::new());
            for planned in slos.iter().filter_map(|ix| self.plan.slos.get(*ix)) {
                let inputs = self.inputs(self.newest(self.moment_of(planned)), &world.observed);
                delta.extend(step_unanswered(planned, &world.control, &inputs));
                ahead.extend(catchup::ahead(&owed, &world, planned).map(|owed| (planned.id.clone(), owed)));
            }
            (delta, ahead)
        };
        self.commits.commit_owing(&delta, Vec::new(), Debts::of(ahead)).await;
    }
}
