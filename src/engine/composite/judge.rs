//! Whether a rule holds for a composite.

use super::Whole;
use super::ratio::{Ratio, reaches};
use super::read::{Knows, Read};
use crate::engine::condition::{Judged, Verdict, as_it_is, missing_as_good, more_bad_than_total};
use crate::engine::window::Counts;
use crate::slo::model::{AbsentMeans, Rule};
use crate::slo::unit::{Events, Objective};

/// What one part says about the windows of a rule: the long one, and the short one where there is one.
#[derive(Default)]
struct Says {
    /// With what is missing read as good; nothing where the part is too young or has too few bad events.
    begins: [Ratio; 2],
    /// As it is; nothing where there are too few bad events.
    firm: [Ratio; 2],
    /// As it is, also where there may be too few bad events only because a part of them is not known.
    most: [Ratio; 2],
}

impl Whole<'_> {
    /// Judges a rule: may it begin, and does it go on? Of one part alone this is what
    /// [`judge`](crate::engine::condition::judge) says of it.
    pub fn judge(&self, rule: &Rule, objective: Objective) -> Judged {
        let newest = rule.short.unwrap_or(rule.long);
        let known: Vec<bool> = self.parts.iter().map(|part| is_known(part, newest)).collect();
        let is_whole = |part: &Read<'_>| part.knows == Knows::All && !part.newest(newest).1;
        let all_known = self.parts.iter().zip(&known).all(|(part, known)| *known && is_whole(part));
        let otherwise = if all_known { Verdict::Clear } else { Verdict::Unknown };

        // As for any SLO, nearly all is settled by the short window, and the long one is not summed.
        let shown = self.parts.iter().zip(&known).map(|(part, known)| {
            let (counts, _) = part.newest(newest);
            if *known { ratio(as_it_is, &counts, part) } else { Ratio::default() }
        });
        if !reaches(self.of, shown, rule.burn_rate, objective) {
            return Judged { begins: otherwise, goes_on: otherwise };
        }
        let says = self.parts.iter().zip(known);
        let says: Vec<Says> =
            says.map(|(part, known)| if known { says_of(part, rule) } else { Says::default() }).collect();
        let both_reach = |pick: fn(&Says) -> [Ratio; 2]| {
            let longs = says.iter().map(|says| pick(says)[0]);
            let shorts = says.iter().map(|says| pick(says)[1]);
            reaches(self.of, longs, rule.burn_rate, objective)
                && reaches(self.of, shorts, rule.burn_rate, objective)
        };
        let begins = if both_reach(|says| says.begins) { Verdict::Holds } else { otherwise };
        let goes_on = match () {
            () if both_reach(|says| says.firm) => Verdict::Holds,
            () if both_reach(|says| says.most) => Verdict::Unknown,
            () => otherwise,
        };
        Judged { begins, goes_on }
    }

    /// Which parts have bad events enough to make a rule hold. Where none has, all are looked at.
    pub fn counting(&self, rule: &Rule) -> Vec<bool> {
        let enough = |part: &Read<'_>| as_it_is(&part.window(rule.long), part.absent).0 >= least(part, rule);
        let counting: Vec<bool> = self.parts.iter().map(enough).collect();
        if counting.contains(&true) { counting } else { vec![true; counting.len()] }
    }
}

/// Whether enough of the newest window of a part is known to say anything.
fn is_known(part: &Read<'_>, newest: crate::slo::time::Span) -> bool {
    if part.knows == Knows::Nothing {
        return false;
    }
    let (counts, _) = part.newest(newest);
    let absent = if part.absent == AbsentMeans::Unknown { 0 } else { counts.absent };
    (counts.covered + absent) * 2 >= counts.span() && !more_bad_than_total(&counts)
}

/// The bad events that a part needs.
fn least(part: &Read<'_>, rule: &Rule) -> Events {
    if part.is_timeslice() { rule.min_bad_events.min(Events::whole(1)) } else { rule.min_bad_events }
}

fn says_of(part: &Read<'_>, rule: &Rule) -> Says {
    let (short, _) = part.newest(rule.short.unwrap_or(rule.long));
    let long = if rule.short.is_some() { part.window(rule.long) } else { short };
    let read = |read: Reading| [ratio(read, &long, part), ratio(read, &short, part)];
    let enough = as_it_is(&long, part.absent).0 >= least(part, rule);
    let filled = long.from >= part.begun;
    let whole = long.uncovered() == 0 && (part.absent != AbsentMeans::Unknown || long.absent == 0);
    let mut says = Says::default();
    if enough && filled {
        says.begins = read(missing_as_good);
    }
    if enough {
        says.firm = read(as_it_is);
    }
    if enough || !whole {
        says.most = read(as_it_is);
    }
    says
}

/// How a window is read: its bad and total events.
type Reading = fn(&Counts, AbsentMeans) -> (Events, Events);

fn ratio(read: Reading, counts: &Counts, part: &Read<'_>) -> Ratio {
    let (bad, total) = read(counts, part.absent);
    Ratio::of(bad, total)
}
