//! Which stretches of history are asked next: pure, out of what is known of each series.
//!
//! A tick asks the newest slices alone. Every older slot that is not known, be it one, is a gap: of
//! the last twelve hours on the grid of slices, before that by five minutes. What alerting looks at
//! comes before old history. Within that the oldest comes first: what is born in the first slot of
//! a series cannot be told from what lived before.

use crate::engine::fact::Tier;
use crate::engine::ledger::{FINE_REACH, FIVE_REACH, Intervals};
use crate::slo::time::{Span, Ts};

const FIVE: Span = Span::from_mins(5);
const HOUR: Span = Span::from_hours(1);

/// What the asking of one series depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// The distance between its facts.
    pub grid: Span,
    /// How far back it is kept.
    pub keep: Span,
    /// Whether it is only ever asked by five minutes.
    pub coarse: bool,
}

/// How far back alerting looks, from the longest window of a page and of any alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Horizon {
    pub page: Span,
    pub alert: Span,
}

/// How much one query may ask: the distance of its points on each grid, and how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub fine: Span,
    pub five: Span,
    pub points: i64,
}

/// One stretch to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    /// 0 is what pages look at, 1 what other alerts look at, 2 older history.
    pub class: usize,
    pub tier: Tier,
    pub from: Ts,
    pub to: Ts,
}

/// What is not known of series that are asked together.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Gaps {
    fine: Intervals,
    five: Intervals,
}

impl Gaps {
    /// Adds what one series lacks up to `now`, the newest slot that is not the tick's to ask.
    /// Whether it lacks anything.
    pub(super) fn add(&mut self, shape: Shape, answered: &Intervals, now: Ts) -> bool {
        let now = now.floor_to(shape.grid);
        let begin = now.minus(shape.keep).floor_to(HOUR);
        let fine_from = if shape.coarse { now } else { fine_from(now).max(begin) };
        let mut lacks = false;
        for (from, to) in answered.outside(fine_from, now).within(fine_from, now) {
            let (from, to) = (Ts(from).ceil_to(shape.grid), Ts(to).floor_to(shape.grid));
            self.fine.insert(from, to);
            lacks |= from < to;
        }
        for (from, to) in answered.outside(begin, fine_from).within(begin, fine_from) {
            let (from, to) = whole_slots(Ts(from), Ts(to), shape.grid.max(FIVE), now);
            self.five.insert(from, to.min(fine_from));
            lacks |= from < to.min(fine_from);
        }
        lacks
    }

    /// Leaves out what need not be asked.
    pub(super) fn leave_out(&mut self, set: &Intervals) {
        for (from, to) in set.within(Ts(i64::MIN), Ts(i64::MAX)) {
            self.fine.remove(Ts(from), Ts(to));
            self.five.remove(Ts(from), Ts(to));
        }
    }

    /// What lies inside a piece.
    pub(super) fn inside(&self, piece: &Piece) -> Intervals {
        let set = self.of(piece.tier);
        set.intersection(set, piece.from, piece.to)
    }

    /// Seconds in all.
    pub(super) fn seconds(&self) -> i64 {
        let all = |set: &Intervals| set.overlap(Ts(i64::MIN), Ts(i64::MAX));
        all(&self.fine) + all(&self.five)
    }

    /// The piece to ask first: of the most urgent class that lacks something, the oldest.
    pub(super) fn first(&self, reach: Horizon, size: Size, now: Ts) -> Option<Piece> {
        let since = |span: Span| now.minus(span).floor_to(FIVE);
        let classes = [since(reach.page), since(reach.alert.max(reach.page)), Ts(i64::MIN)];
        classes.into_iter().enumerate().find_map(|(class, since)| {
            let of = |tier| self.oldest(class, tier, since, size);
            of(Tier::FiveMinutes).or_else(|| of(Tier::Fine))
        })
    }

    fn oldest(&self, class: usize, tier: Tier, since: Ts, size: Size) -> Option<Piece> {
        let set = self.of(tier);
        let (from, _) = set.within(since, Ts(i64::MAX)).next()?;
        let (slot, spacing) = if tier == Tier::Fine { (size.fine, size.fine) } else { (FIVE, size.five) };
        let from = Ts(from).floor_to(slot);
        let length = Span::from_secs_saturating(size.points.saturating_mul(spacing.secs()));
        let most = from.plus(length.max(slot)).floor_to(slot);
        let (_, to) = set.within(from, most).last()?;
        Some(Piece { class, tier, from, to: Ts(to).ceil_to(slot) })
    }

    fn of(&self, tier: Tier) -> &Intervals {
        if tier == Tier::Fine { &self.fine } else { &self.five }
    }
}

/// Where slices begin to be asked one by one: a little later than the ledger would take them, so that
/// they are not too old for it when the answer comes.
fn fine_from(now: Ts) -> Ts {
    now.minus(FINE_REACH).plus(Span::from_mins(10)).floor_to(FIVE)
}

/// A gap in whole slots. A slot known in part is asked again whole where the ledger can put its
/// whole in the place of the part: not while slices are in charge of it, nor once only hours are.
fn whole_slots(from: Ts, to: Ts, slot: Span, now: Ts) -> (Ts, Ts) {
    let replaces = |begin: Ts| begin < now.minus(FINE_REACH) && begin > now.minus(FIVE_REACH);
    let (first, last) = (from.floor_to(slot), to.floor_to(slot));
    let from = if first == from || replaces(first) { first } else { first.plus(slot) };
    let to = if last != to && replaces(last) { last.plus(slot) } else { last };
    (from, to)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: i64 = 30;
    const NOW: i64 = 1_800_000_000;
    const SIZE: Size = Size { fine: Span::from_secs(30), five: FIVE, points: 500 };
    const REACH: Horizon = Horizon { page: Span::from_hours(6), alert: Span::from_days(3) };

    fn shape() -> Shape {
        Shape { grid: Span::from_secs(30), keep: Span::from_days(28), coarse: false }
    }

    fn known(stretches: &[(i64, i64)]) -> Intervals {
        let mut known = Intervals::default();
        for (from, to) in stretches {
            known.insert(Ts(*from), Ts(*to));
        }
        known
    }

    fn gaps(answered: &Intervals) -> Gaps {
        let mut gaps = Gaps::default();
        gaps.add(shape(), answered, Ts(NOW));
        gaps
    }

    /// Asks piece after piece of a source that knows everything.
    fn ask_all(answered: &mut Intervals) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while let Some(piece) = gaps(answered).first(REACH, SIZE, Ts(NOW)) {
            answered.insert(piece.from, piece.to);
            pieces.push(piece);
            assert!(pieces.len() < 1000, "it ends");
        }
        pieces
    }

    #[test]
    fn a_single_slot_is_a_gap_and_is_asked_alone() {
        let answered = known(&[(NOW - 30 * 86_400, NOW - 7200), (NOW - 7200 + S, NOW)]);
        let piece = gaps(&answered).first(REACH, SIZE, Ts(NOW)).unwrap();
        assert_eq!(piece, Piece { class: 0, tier: Tier::Fine, from: Ts(NOW - 7200), to: Ts(NOW - 7200 + S) });
        assert_eq!(gaps(&answered).seconds(), S);
    }

    #[test]
    fn many_small_gaps_are_one_query() {
        let mut answered = known(&[(NOW - 30 * 86_400, NOW)]);
        for slot in [9, 5, 70, 30] {
            answered.remove(Ts(NOW - slot * S), Ts(NOW - slot * S + S));
        }
        let piece = gaps(&answered).first(REACH, SIZE, Ts(NOW)).unwrap();
        assert_eq!((piece.from, piece.to), (Ts(NOW - 70 * S), Ts(NOW - 4 * S)));
    }

    #[test]
    fn what_pages_look_at_comes_first_and_within_that_the_oldest() {
        let pieces = ask_all(&mut Intervals::default());
        let classes: Vec<usize> = pieces.iter().map(|piece| piece.class).collect();
        assert!(classes.is_sorted(), "{classes:?}");
        for class in 0..=2 {
            let own: Vec<_> = pieces.iter().filter(|piece| piece.class == class).collect();
            assert!(own.windows(2).all(|w| w[0].to == w[1].from), "one after the other: {own:?}");
        }
        assert_eq!(pieces[0].from, Ts(NOW).minus(REACH.page).floor_to(FIVE));
        assert_eq!(pieces.iter().find(|p| p.class == 1).unwrap().tier, Tier::FiveMinutes);
        // 12 hours of slices and 27.5 days of five minutes, 500 at a time.
        assert!(pieces.len() <= 3 + 16 + 4, "{}", pieces.len());
    }

    #[test]
    fn an_old_slot_known_in_part_is_asked_again_only_where_it_can_be_replaced() {
        let whole = [(NOW - 30 * 86_400, NOW)];
        let hole = |age: i64| {
            let mut answered = known(&whole);
            let from = (NOW - age) / 300 * 300 + 60;
            answered.remove(Ts(from), Ts(from + S));
            (from - 60, gaps(&answered))
        };
        let (slot, two_days) = hole(2 * 86_400);
        let piece = two_days.first(REACH, SIZE, Ts(NOW)).unwrap();
        assert_eq!((piece.tier, piece.from, piece.to), (Tier::FiveMinutes, Ts(slot), Ts(slot + 300)));
        let (_, nine_days) = hole(9 * 86_400);
        assert_eq!(nine_days, Gaps::default(), "only its hour is held: it would be added twice");
        // Two whole slots that old, and parts of their neighbours.
        let mut answered = known(&whole);
        let from = (NOW - 9 * 86_400) / 300 * 300;
        answered.remove(Ts(from - 60), Ts(from + 690));
        let piece = gaps(&answered).first(REACH, SIZE, Ts(NOW)).unwrap();
        assert_eq!((piece.from, piece.to), (Ts(from), Ts(from + 600)));
    }

    #[test]
    fn what_was_asked_in_vain_is_left_out() {
        let mut answered = known(&[(NOW - 30 * 86_400, NOW)]);
        answered.remove(Ts(NOW - 600), Ts(NOW - 540));
        answered.remove(Ts(NOW - 300), Ts(NOW - 270));
        let mut gaps = gaps(&answered);
        gaps.leave_out(&known(&[(NOW - 600, NOW - 540)]));
        let piece = gaps.first(REACH, SIZE, Ts(NOW)).unwrap();
        assert_eq!((piece.from, piece.to), (Ts(NOW - 300), Ts(NOW - 270)));
    }

    #[test]
    fn time_slices_and_direct_ratios_are_asked_on_their_own_grid() {
        let minutes = Shape { grid: Span::from_mins(10), ..shape() };
        let mut gaps = Gaps::default();
        let answered = known(&[(NOW - 30 * 86_400, NOW / 600 * 600)]);
        assert!(!gaps.add(minutes, &answered, Ts(NOW + 599 - NOW % 600)), "the last has not ended");
        let direct = Shape { grid: FIVE, coarse: true, ..shape() };
        let mut gaps = Gaps::default();
        assert!(gaps.add(direct, &Intervals::default(), Ts(NOW)));
        let piece = gaps.first(REACH, SIZE, Ts(NOW)).unwrap();
        assert_eq!(piece.tier, Tier::FiveMinutes);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever is known, asking ends with everything known that can be, never more than the
        /// bound at once, never the future, and nothing that is known whole already.
        #[test]
        fn asking_ends_with_everything_known(
            holes in prop::collection::vec((0i64..90_000, 1i64..2000), 0..30),
            late in 0i64..300,
        ) {
            let now = NOW + late * S;
            let mut answered = known(&[(now - 30 * 86_400, now)]);
            for (back, length) in &holes {
                let to = now - back * S;
                answered.remove(Ts(to - length * S), Ts(to));
            }
            let mut asked = 0;
            loop {
                let mut gaps = Gaps::default();
                gaps.add(shape(), &answered, Ts(now));
                let Some(piece) = gaps.first(REACH, SIZE, Ts(now)) else { break };
                let slot = if piece.tier == Tier::Fine { S } else { 300 };
                prop_assert!(piece.from < piece.to && piece.to <= Ts(now));
                prop_assert!(piece.to.since(piece.from).secs() <= 500 * slot);
                prop_assert_eq!((piece.from.0 % slot, piece.to.0 % slot), (0, 0));
                prop_assert!(answered.overlap(piece.from, piece.to) < piece.to.since(piece.from).secs());
                prop_assert!(gaps.inside(&piece).overlap(piece.from, piece.to) > 0);
                answered.insert(piece.from, piece.to);
                asked += 1;
                prop_assert!(asked < 200);
            }
            // What is left are parts of slots that are in nobody's charge: slices no more, and too
            // young or too old to be replaced.
            let left = answered.outside(Ts(now - 28 * 86_400), Ts(now));
            for (from, to) in left.within(Ts(0), Ts(now)) {
                prop_assert!(to - from < 600, "{} seconds, {} ago", to - from, now - to);
                let age = now - from;
                prop_assert!(age > FIVE_REACH.secs() - 300 || (age - FINE_REACH.secs()).abs() <= 900);
            }
        }
    }
}
