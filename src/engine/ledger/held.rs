//! What was told and holds when it is asked again for the sake of others: another series of the same query
//! that lacks the slot, or one that comes back and spreads over the slots it missed. Not every ruling is
//! kept, and other answers may be booked between a question and its answer: what holds is therefore read
//! at the moment of booking.

use std::borrow::Cow;

use super::group::Group;
use super::other::fold;
use super::series::Series;
use crate::engine::fact::{GroupFact, SlotFact, SlotState, Tier, Trust};
use crate::slo::time::Ts;
use crate::slo::unit::Events;

impl Series {
    /// A slot as facts that stand for themselves, with `gaps_only` without what is known of it already.
    /// `None` where what should hold is not known any more: that is asked again.
    pub(super) fn resolve<'f>(
        &self,
        tier: Tier,
        slot: &'f SlotFact,
        gaps_only: bool,
    ) -> Option<Cow<'f, SlotFact>> {
        let SlotState::Known(facts) = &slot.state else { return Some(Cow::Borrowed(slot)) };
        let holds = facts.iter().any(|fact| fact.trust == Trust::Held);
        if !holds && !gaps_only {
            return Some(Cow::Borrowed(slot));
        }
        let place = (self.begin(tier, slot.end), slot.end);
        if !self.is_told(place.0, place.1) {
            return (!holds).then_some(Cow::Borrowed(slot));
        }
        let (mut left, mut others) = (Vec::new(), None);
        for fact in facts {
            let group = self.group(&fact.group).or_else(|| self.other());
            let known = group.filter(|group| !group.is_stale(slot.end));
            match (fact.trust, known) {
                (Trust::Held, None) if group.is_some() => return None,
                (Trust::Held, None) => {}
                (Trust::Held, Some(own)) if own.labels == fact.group => {
                    left.extend(added(own, tier, place, fact));
                }
                (Trust::Held, Some(_)) => others = Some(fold(others, fact)),
                (_, Some(_)) if gaps_only => {}
                _ => left.push(fact.clone()),
            }
        }
        if let (Some(others), Some(group)) = (others, self.other()) {
            // They are one group: where some of them cannot be read, all of it holds.
            let all = left.len();
            left.retain(|fact| self.group(&fact.group).is_some());
            let anew = !gaps_only && left.len() == all;
            left.extend(again(group, tier, place, &others, anew));
        }
        Some(Cow::Owned(SlotFact { end: slot.end, state: SlotState::Known(left) }))
    }
}

/// The groups beyond the limit, told anew: what was withheld of them stays so. Where that is not kept any
/// more, or does not fit by more than what is usual or as there are fewer events than that, what is booked
/// holds.
fn again(group: &Group, tier: Tier, place: (Ts, Ts), told: &GroupFact, anew: bool) -> Option<GroupFact> {
    let (from, end) = place;
    let ruled = group.ruling(tier, end).filter(|_| anew);
    let Some(ruling) = ruled else { return added(group, tier, place, told) };
    let more = told.raw.minus(ruling.withheld).minus(group.sum(from, end));
    let usual = group.largest(end).scaled(3, 1).max(Events::whole(100));
    let fits = more <= usual && Events::ZERO.minus(more) <= usual && told.raw >= ruling.withheld;
    if !fits {
        return added(group, tier, place, told);
    }
    let withheld = ruling.withheld.plus(told.withheld);
    Some(GroupFact { withheld, trust: ruling.trust, ..told.clone() })
}

/// What is booked of a group, with a share on top; nothing where none is.
fn added(group: &Group, tier: Tier, (from, end): (Ts, Ts), share: &GroupFact) -> Option<GroupFact> {
    if share.withheld == Events::ZERO {
        return None;
    }
    let ruled = group.ruling(tier, end).map(|ruling| ruling.withheld).unwrap_or_default();
    let withheld = ruled.plus(share.withheld);
    let raw = group.sum(from, end).minus(share.withheld).plus(withheld);
    let trust = if group.is_partial(end) { Trust::Partial } else { Trust::Estimated };
    Some(GroupFact { group: group.labels.clone(), raw, withheld, trust })
}
