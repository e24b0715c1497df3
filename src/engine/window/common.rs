//! What the series of one SLO know in common of a window.

use crate::engine::ledger::{FINE_REACH, Group, Intervals, Series, grid};
use crate::slo::time::Ts;

/// What the series of one SLO know in common of a window.
#[derive(Default, Debug)]
pub(super) struct Common {
    /// Seconds that all of them know.
    pub known: i64,
    /// Seconds more in which a part of bad alone was withheld, and which the sums hold all the same.
    pub withheld: i64,
    /// Seconds of `known` in which no series of total existed.
    pub absent: i64,
    /// Where some know and others do not: none of it counts.
    pub torn: Intervals,
}

/// One series, the group that is read of it, and whether it is taken away, as good is from total.
pub(super) type Source<'a> = (&'a Series, Option<&'a Group>, bool);

/// Looks at `(from, to]`, of which `length` says how many seconds count between two moments. Nearly always all series were answered alike, which costs no allocation.
pub(super) fn common<'a>(
    total: impl Iterator<Item = Source<'a>> + Clone,
    bad: impl Iterator<Item = Source<'a>> + Clone,
    (from, to): (Ts, Ts),
    length: &dyn Fn(i64, i64) -> i64,
) -> Common {
    let all = total.clone().chain(bad.clone());
    let Some((first, ..)) = all.clone().next() else { return Common::default() };
    let alike = |(series, group, _): Source<'_>| {
        let unsure = group.is_some_and(|group| group.unsure(from, to) > 0);
        !unsure && series.answered().within(from, to).eq(first.answered().within(from, to))
    };
    if all.clone().all(alike) {
        let known = inside(first.answered(), (from, to), length);
        let absent = inside(&absent(total, from, to), (from, to), length);
        return Common { known, absent, ..Common::default() };
    }
    let newest = all.clone().filter_map(|(series, ..)| series.answered().last()).max().unwrap_or(to);
    let cut = sweep(total.clone(), bad, newest, (from, to));
    let torn = widened(&cut.torn, newest, (from, to));
    let gone = absent(total, from, to);
    let seconds = |pieces: Pieces| {
        pieces.into_iter().map(|(a, b)| (Ts(a), Ts(b))).fold((0, 0), |(known, absent), (a, b)| {
            let left = length(a.0, b.0) - inside(&torn, (a, b), length);
            let both = inside(&gone.intersection(&torn, a, b), (a, b), length);
            (known + left, absent + inside(&gone, (a, b), length) - both)
        })
    };
    let ((known, absent), (withheld, without)) = (seconds(cut.whole), seconds(cut.withheld));
    Common { known, absent, withheld: withheld - without, torn }
}

/// Seconds of a window in a set, as `length` tells them.
fn inside(set: &Intervals, (from, to): (Ts, Ts), length: &dyn Fn(i64, i64) -> i64) -> i64 {
    set.within(from, to).map(|(a, b)| length(a, b)).sum()
}

/// Pieces of a window, oldest first and apart from each other.
type Pieces = Vec<(i64, i64)>;

/// A window, cut up.
#[derive(Default)]
struct Cut {
    /// All know it whole.
    whole: Pieces,
    /// It stays in the sums although a part of bad was withheld.
    withheld: Pieces,
    /// Some know it and others do not.
    torn: Pieces,
}

/// Cuts a window into what all know, and what some know and others do not, by going over every
/// beginning and end of what each series was answered and is unsure about.
///
/// Where all were answered, and a part of what was born was withheld from some, the slot leaves the
/// sums only while slices are kept: later five minutes or an hour of well-known events would leave
/// with it, typically those of a bad deploy. It is in no case covered. Where one series is taken from
/// another it leaves at any age: good events withheld would be bad ones, and of a total they would
/// hide bad ones of other slots.
fn sweep<'a>(
    total: impl Iterator<Item = Source<'a>> + Clone,
    bad: impl Iterator<Item = Source<'a>> + Clone,
    newest: Ts,
    (from, to): (Ts, Ts),
) -> Cut {
    let fine = newest.minus(FINE_REACH).0;
    let subtracts = total.clone().chain(bad.clone()).any(|(.., taken)| taken);
    // How many begin or cease there to be answered, unsure, stale, and unsure of total.
    let mut edges: Vec<(i64, [i32; 4])> = vec![(to.0, [0; 4])];
    let mut note = |pieces: &Intervals, what: [i32; 4]| {
        let ends = |(a, b)| [(a, what), (b, what.map(|n| -n))];
        edges.extend(pieces.within(from, to).flat_map(ends));
    };
    let mut count = 0;
    for ((series, group, _), of_total) in total.map(|s| (s, 1)).chain(bad.map(|s| (s, 0))) {
        count += 1;
        note(series.answered(), [1, 0, 0, 0]);
        if let Some(group) = group {
            note(&group.unsure_pieces(from, to), [0, 1, 0, of_total]);
            note(group.stale(), [0, 0, 1, 0]);
        }
    }
    edges.sort_unstable();
    let (mut cut, mut at, mut open) = (Cut::default(), from.0, [0; 4]);
    for (moment, change) in edges {
        if moment > at {
            let [answered, unsure, stale, of_total] = open;
            match (Share::of(answered, count), Share::of(unsure, count)) {
                (Share::All, Share::Some) if !subtracts && stale == 0 => {
                    if moment > fine {
                        join(&mut cut.torn, (at.max(fine), moment));
                    }
                    if at < fine && of_total == 0 {
                        join(&mut cut.withheld, (at, moment.min(fine)));
                    }
                }
                (Share::Some, _) | (_, Share::Some) => join(&mut cut.torn, (at, moment)),
                (Share::All, Share::None) => join(&mut cut.whole, (at, moment)),
                // Nobody knows it, or nobody knows it well.
                (Share::None, _) | (_, Share::All) => {}
            }
            at = moment;
        }
        for (open, change) in open.iter_mut().zip(change) {
            *open += change;
        }
    }
    cut
}

enum Share {
    None,
    Some,
    All,
}

impl Share {
    fn of(part: i32, all: i32) -> Self {
        match part {
            0 => Self::None,
            _ if part == all => Self::All,
            _ => Self::Some,
        }
    }
}

/// Rounded outward to the grid of the finest tier that still holds it: the events of a coarser slot
/// cannot be taken apart any more.
fn widened(torn: &[(i64, i64)], newest: Ts, (from, to): (Ts, Ts)) -> Intervals {
    let mut wide = Pieces::with_capacity(torn.len());
    for (a, b) in torn {
        let begin = Ts(*a).floor_to(grid(Ts(*a), newest));
        let unit = grid(Ts(*b), newest);
        let floor = Ts(*b).floor_to(unit);
        let end = if floor.0 == *b { floor } else { floor.plus(unit) };
        join(&mut wide, (begin.max(from).0, end.min(to).0));
    }
    Intervals::of_sorted(wide)
}

fn join(pieces: &mut Pieces, (from, to): (i64, i64)) {
    match pieces.last_mut() {
        Some(last) if last.1 >= from => last.1 = last.1.max(to),
        _ => pieces.push((from, to)),
    }
}

/// Where no series of total existed.
fn absent<'a>(mut total: impl Iterator<Item = Source<'a>>, from: Ts, to: Ts) -> Intervals {
    let Some((first, ..)) = total.next() else { return Intervals::default() };
    if first.absent().overlap(from, to) == 0 {
        return Intervals::default();
    }
    let own = first.absent().intersection(first.absent(), from, to);
    total.fold(own, |common, (series, ..)| common.intersection(series.absent(), from, to))
}
