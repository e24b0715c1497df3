//! One part of a composite at one moment.

use crate::engine::burn::held;
use crate::engine::condition::as_it_is;
use crate::engine::ledger::Ledger;
use crate::engine::plan::{AliveReading, Planned, PlannedPart};
use crate::engine::status::Standing;
use crate::engine::step::{Observed, groups, targets_of_member};
use crate::engine::window::{Book, Counts, Slice, Windows};
use crate::slo::model::{AbsentMeans, Labels, Sli};
use crate::slo::period::Period;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// How much is known of a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Knows {
    /// Nothing at the moment.
    Nothing,
    /// Some of its groups.
    Some,
    /// All.
    All,
}

/// A window of a part, for people.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value {
    /// Nothing is known of it.
    Unknown,
    /// It is known, and nothing happened.
    Idle,
    /// The share of bad events.
    Ratio(f64),
}

/// One part: an SLO pooled over its groups, or one group of it.
pub(super) struct Read<'a> {
    pub(super) part: &'a PlannedPart,
    pub(super) standing: Standing,
    pub(super) knows: Knows,
    /// Why nothing is known; empty where something is.
    pub(super) why: String,
    /// How absence in its windows is read.
    pub(super) absent: AbsentMeans,
    /// Where the source's answers begin.
    pub(super) begun: Ts,
    /// One for each group.
    books: Vec<Book<'a>>,
    at: Ts,
    seen: Vec<(Span, Counts)>,
}

static NO_LABELS: Labels = Labels::new();

impl<'a> Read<'a> {
    pub(super) fn part(
        whole: &Planned,
        part: &'a PlannedPart,
        ledger: &'a Ledger,
        observed: &Observed,
        at: Ts,
    ) -> Self {
        match &part.member {
            Ok(member) => {
                let targets = targets_of_member(whole, member, observed, at);
                Self::member(part, member, ledger, (targets, observed.absence_of(member, at)), at)
            }
            Err(why) => Self::without(part, why, at),
        }
    }

    fn member(
        part: &'a PlannedPart,
        member: &'a Planned,
        ledger: &'a Ledger,
        (targets, means): (Option<AliveReading>, AbsentMeans),
        at: Ts,
    ) -> Self {
        let mut pooled = match &part.named.group {
            Some(group) if has_group(member, ledger, group) => vec![group],
            // A name that was mistyped has no events either.
            Some(_) if matches!(means, AbsentMeans::Unknown | AbsentMeans::Bad) => {
                return Self::without(part, "it has no such group", at);
            }
            Some(group) => vec![group],
            None => groups(member, ledger),
        };
        if pooled.is_empty() {
            pooled.push(&NO_LABELS);
        }
        let open = |group: &Labels| Book::of(ledger, member, group);
        let Some(books) = pooled.into_iter().map(open).collect::<Option<Vec<_>>>() else {
            return Self::without(part, "its series are new", at);
        };
        let of = |book: &Book<'_>| Standing::of(&mut Windows::new(book, at), targets, means);
        let standings: Vec<Standing> = books.iter().map(of).collect();
        let known = standings.iter().filter(|standing| standing.is_known(means)).count();
        let knows = match known {
            0 => Knows::Nothing,
            all if all == standings.len() => Knows::All,
            _ => Knows::Some,
        };
        let standing = pooled_standing(&standings, means);
        let why = if knows == Knows::Nothing { why(standing) } else { "" };
        let begun = books.iter().map(Book::begun).max().flatten();
        Self {
            part,
            standing,
            knows,
            why: why.to_owned(),
            absent: standing.reads_absence_as(means),
            begun: begun.unwrap_or(Ts(i64::MAX)),
            books,
            at,
            seen: Vec::new(),
        }
    }

    /// A part that has no numbers.
    fn without(part: &'a PlannedPart, why: &str, at: Ts) -> Self {
        Self {
            part,
            standing: Standing::Unknown,
            knows: Knows::Nothing,
            why: why.to_owned(),
            absent: AbsentMeans::Unknown,
            begun: Ts(i64::MAX),
            books: Vec::new(),
            at,
            seen: Vec::new(),
        }
    }

    /// The window of this nominal length that ends now; empty where the part has no numbers.
    pub(super) fn window(&mut self, window: Span) -> Counts {
        if let Some((_, counts)) = self.seen.iter().find(|(w, _)| *w == window) {
            return *counts;
        }
        let counts = self.sum(self.at.minus(window), self.at, |book| book.window(window, self.at));
        self.seen.push((window, counts));
        counts
    }

    /// The window `(from, to]`, whose old edge is one that the ledger has.
    pub(super) fn between(&self, from: Ts, to: Ts) -> Counts {
        self.sum(from, to, |book| book.between(from, to))
    }

    /// What a period held up to `to`.
    pub(super) fn held(&self, period: &Period, to: Ts) -> Counts {
        self.sum(period.bounds(to).0, to, |book| held(book, period, to))
    }

    /// What a window says to people.
    pub(super) fn value(&self, counts: &Counts) -> Value {
        let (bad, total) = as_it_is(counts, self.absent);
        let is_idle = self.knows != Knows::Nothing && self.absent != AbsentMeans::Unknown;
        if total > Events::ZERO && counts.covered + counts.absent > 0 {
            Value::Ratio(bad.as_f64() / total.as_f64())
        } else if counts.covered > 0 || is_idle && counts.absent > 0 {
            Value::Idle
        } else {
            Value::Unknown
        }
    }

    /// Whether a bad event is a whole time slice, of which one is not too few.
    pub(super) fn is_timeslice(&self) -> bool {
        self.part.member.as_ref().is_ok_and(|member| matches!(member.slo.sli, Sli::Timeslice(_)))
    }

    pub(super) fn known_until(&self) -> Option<Ts> {
        self.books.iter().map(Book::known_until).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Where the data begin, of all of which there are any.
    pub(super) fn has_begun(&self) -> Option<Ts> {
        (!self.books.is_empty() && self.begun < Ts(i64::MAX)).then_some(self.begun)
    }

    pub(super) fn never_was(&self, at: Ts) -> bool {
        let means = self.part.member.as_ref().map(|member| member.slo.absent.means);
        means == Ok(AbsentMeans::Unknown)
            && self.books.iter().any(|book| book.slice(at) == Slice::Absent { born: false })
    }

    pub(super) fn is_partial(&self, at: Ts) -> bool {
        self.books.iter().any(|book| book.is_partial(at))
    }

    pub(super) fn any_partial(&self, window: Span, at: Ts) -> bool {
        self.books.iter().any(|book| book.any_partial(window, at))
    }

    /// All groups together; what one of them does not know is not known of the sum.
    fn sum(&self, from: Ts, to: Ts, of: impl Fn(&Book<'_>) -> Counts) -> Counts {
        let all = self.books.iter().map(of).reduce(|sum, one| Counts {
            bad: sum.bad.plus(one.bad),
            total: sum.total.plus(one.total),
            covered: sum.covered.min(one.covered),
            summed: sum.summed.min(one.summed),
            absent: sum.absent.max(one.absent),
            ..sum
        });
        all.unwrap_or(Counts { from, to, ..Counts::default() })
    }
}

fn has_group(member: &Planned, ledger: &Ledger, group: &Labels) -> bool {
    let mut series = member.total.iter().filter_map(|(_, ix)| ledger.series(*ix));
    series.any(|series| series.group(group).is_some())
}

/// Of several groups what is known best; where nothing is known of any, what needs looking at first.
fn pooled_standing(standings: &[Standing], means: AbsentMeans) -> Standing {
    let known = |standing: &&Standing| standing.is_known(means);
    let rank = |standing: &&Standing| match standing {
        Standing::Ok => 0,
        Standing::NoErrors => 1,
        Standing::Unproven => 2,
        Standing::Idle => 3,
        Standing::Absent => 4,
        Standing::BadNotPartOfTotal => 5,
        Standing::Unknown => 6,
    };
    let best = standings.iter().filter(known).min_by_key(rank);
    best.or_else(|| standings.iter().min_by_key(rank)).copied().unwrap_or(Standing::Unknown)
}

fn why(standing: Standing) -> &'static str {
    match standing {
        Standing::Absent => "it has no series",
        Standing::BadNotPartOfTotal => "it counts more bad events than events",
        _ => "its query fails or its samples have stopped",
    }
}
