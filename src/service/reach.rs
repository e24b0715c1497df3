//! From where a tick asks: the newest slots only. A slot is asked again for a while, so that a late
//! scrape heals it, and after a short absence what was missed is asked with them; all that is older,
//! and whatever single series lack, is filled by backfill, which holds up no tick.

use crate::engine::ledger::Ledger;
use crate::engine::plan::{Form, QueryGroup};
use crate::slo::time::{Span, Step, Ts};

/// Gaps up to so many slots, or so long, are asked for in a tick.
const GAP_SLOTS: i64 = 12;
const GAP: Span = Span::from_mins(3);

/// Where a tick's question begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reach {
    /// Slots that end after this are asked for.
    pub from: Ts,
    /// It is asked for a gap as well, at more than twice the cost.
    pub wide: bool,
}

impl Reach {
    /// For the slots up to `at`; without gaps if `newest_only`.
    pub(super) fn of(ledger: &Ledger, group: &QueryGroup, at: Ts, step: Step, newest_only: bool) -> Self {
        let usual = begin(group, at, step);
        let earliest = at.minus(GAP.max(Span::from_secs_saturating(GAP_SLOTS * step.secs())));
        let known = group.series().filter_map(|series| ledger.series(series)?.answered().last());
        // One that was never asked, or not for longer, is no reason to ask more of all the others.
        let gap = known.filter(|known| *known >= earliest && !newest_only).min();
        // The newest slots of before a gap have not been asked again yet either.
        let from = gap.map_or(usual, |known| begin(group, known.plus(step.span()).min(at), step));
        Self { from, wide: at.since(from).secs() > 2 * at.since(usual).secs() }
    }

    /// The same with one older slot.
    pub(super) fn with(self, end: Ts, step: Step) -> Self {
        let from = end.minus(step.span());
        if from < self.from { Self { from, wide: true } } else { self }
    }
}

/// The newest slots that each tick asks again, so that a late scrape heals them.
pub(super) fn settling(step: Step) -> Span {
    Span::from_secs_saturating((3 * step.secs()).max(60))
}

/// Where to begin if this is the newest slot that was not asked yet.
fn begin(group: &QueryGroup, newest: Ts, step: Step) -> Ts {
    let from = if matches!(group.form, Form::Direct { .. }) {
        newest.floor_to(Span::from_mins(5)).minus(Span::from_mins(5))
    } else {
        newest.minus(settling(step))
    };
    from.floor_to(step.span())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fact::{Facts, SeriesIx, SlotFact, SlotState, Tier};
    use crate::service::testing::{document, plan};

    const NOW: Ts = Ts(1_800_000_000);
    const STEP: Step = Step::DEFAULT;

    fn before(slots: i64) -> Ts {
        NOW.minus(Span::from_secs(u32::try_from(slots).unwrap() * 30))
    }

    /// The reach of a group of two, each known up to so many slots before now.
    fn reach(known: [Option<i64>; 2], newest_only: bool) -> (i64, bool) {
        let slo = |job: &str| {
            let events = format!("bad: 'bad_total{{job=\"{job}\"}}', total: 'all_total{{job=\"{job}\"}}'");
            document(job, &format!("  objective: 99\n  sli:\n    events: {{{events}}}\n"))
        };
        let plan = plan(&[slo("cart"), slo("pay")].join("---\n"));
        let group = plan.groups.iter().find(|group| group.members.len() == 2).unwrap();
        let mut ledger = Ledger::default();
        ledger.adopt(super::super::planner::keeps(&plan, NOW));
        for (member, slots) in group.members.iter().zip(known) {
            let Some(slots) = slots else { continue };
            let slot = SlotFact { end: before(slots), state: SlotState::Absent };
            let series: SeriesIx = member.wanted[0].series;
            ledger.apply(&Facts { series, tier: Tier::Fine, slots: vec![slot] });
        }
        let reach = Reach::of(&ledger, group, NOW, STEP, newest_only);
        (NOW.since(reach.from).secs() / 30, reach.wide)
    }

    #[test]
    fn the_newest_slots_are_asked_and_a_short_gap_with_them() {
        for (known, slots, wide) in [
            ([Some(1), Some(1)], 3, false),
            ([Some(3), Some(3)], 5, false),
            ([Some(12), Some(12)], 14, true),
            ([Some(13), Some(13)], 3, false),
            ([Some(1000), Some(1000)], 3, false),
        ] {
            assert_eq!(reach(known, false), (slots, wide), "{known:?}");
        }
    }

    #[test]
    fn one_member_that_is_behind_does_not_make_all_ask_for_more() {
        for other in [None, Some(13), Some(1000)] {
            assert_eq!(reach([Some(1), other], false), (3, false), "{other:?}");
            assert_eq!(reach([other, Some(6)], false), (8, true), "the other's gap is not hidden: {other:?}");
        }
        assert_eq!(reach([Some(6), Some(6)], true), (3, false), "a range that was too much is not repeated");
    }
}
