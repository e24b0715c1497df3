//! What is known of an SLO pooled over its groups, or of one of them, at one moment.
//!
//! Composites that share a part share this, so that a tick reads each group of each part once, however
//! many composites it is a part of.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::read::Knows;
use crate::engine::burn::held;
use crate::engine::condition::more_bad_than_total;
use crate::engine::ledger::Ledger;
use crate::engine::plan::{AliveReading, Planned};
use crate::engine::status::Standing;
use crate::engine::step::groups;
use crate::engine::window::{Book, Counts, Slice, Windows};
use crate::slo::model::{AbsentMeans, Labels};
use crate::slo::period::Period;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// What was read of parts so far, for all composites that are judged together.
#[derive(Default)]
pub struct Pools<'a>(RefCell<HashMap<Key<'a>, Rc<Pool<'a>>>>);

/// The SLO, the one group of it where one is named, targets that are up and known, and the moment.
type Key<'a> = (&'a str, Option<&'a Labels>, Option<(u64, u64)>, Ts);

impl<'a> Pools<'a> {
    pub(super) fn of(
        &self,
        member: &'a Planned,
        group: Option<&'a Labels>,
        ledger: &'a Ledger,
        (targets, means): (Option<AliveReading>, AbsentMeans),
        at: Ts,
    ) -> Rc<Pool<'a>> {
        let key = (member.id.as_str(), group, targets.map(|targets| (targets.up, targets.known)), at);
        if let Some(pool) = self.0.borrow().get(&key) {
            return Rc::clone(pool);
        }
        let pool = Rc::new(Pool::read(member, group, ledger, (targets, means), at));
        self.0.borrow_mut().insert(key, Rc::clone(&pool));
        pool
    }
}

/// Groups read together.
pub(super) struct Pool<'a> {
    pub(super) standing: Standing,
    pub(super) knows: Knows,
    /// Why nothing is known; empty where something is.
    pub(super) why: String,
    /// How absence in its windows is read.
    pub(super) absent: AbsentMeans,
    /// Where the source's answers begin.
    pub(super) begun: Ts,
    /// One for each group, and whether nothing can be said of it because its bad events are not a part of
    /// its events: then it has none, while others are known.
    books: Vec<(Book<'a>, bool)>,
    /// What absence means by its definition.
    means: AbsentMeans,
    at: Ts,
    seen: RefCell<Vec<(Span, Sum)>>,
    never_was: OnceCell<bool>,
}

/// A window of all groups.
#[derive(Clone, Copy)]
struct Sum {
    /// Without bad events of groups that count more of them than events now.
    counts: Counts,
    /// The same without those of groups that do in this very window, for which it is the newest of a rule.
    newest: Counts,
    /// Whether there are such groups.
    unsure: bool,
}

static NO_LABELS: Labels = Labels::new();

impl<'a> Pool<'a> {
    fn read(
        member: &'a Planned,
        group: Option<&'a Labels>,
        ledger: &'a Ledger,
        (targets, means): (Option<AliveReading>, AbsentMeans),
        at: Ts,
    ) -> Self {
        let mut pooled = match group {
            Some(group) if has_group(member, ledger, group) => vec![group],
            // A name that was mistyped has no events either.
            Some(_) if matches!(means, AbsentMeans::Unknown | AbsentMeans::Bad) => {
                return Self::without("it has no such group", at);
            }
            Some(group) => vec![group],
            None => groups(member, ledger),
        };
        if pooled.is_empty() {
            pooled.push(&NO_LABELS);
        }
        let open = |group: &Labels| Book::of(ledger, member, group);
        let Some(books) = pooled.into_iter().map(open).collect::<Option<Vec<_>>>() else {
            return Self::without("its series are new", at);
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
        let is_wrong = |standing| knows != Knows::Nothing && standing == Standing::BadNotPartOfTotal;
        Self {
            standing,
            knows,
            why: why.to_owned(),
            absent: standing.reads_absence_as(means),
            begun: begun.unwrap_or(Ts(i64::MAX)),
            books: books.into_iter().zip(standings.into_iter().map(is_wrong)).collect(),
            means: member.slo.absent.means,
            at,
            seen: RefCell::default(),
            never_was: OnceCell::new(),
        }
    }

    /// One that has no numbers.
    pub(super) fn without(why: &str, at: Ts) -> Self {
        Self {
            standing: Standing::Unknown,
            knows: Knows::Nothing,
            why: why.to_owned(),
            absent: AbsentMeans::Unknown,
            begun: Ts(i64::MAX),
            books: Vec::new(),
            means: AbsentMeans::Unknown,
            at,
            seen: RefCell::default(),
            never_was: OnceCell::new(),
        }
    }

    /// The window of this nominal length that ends now; empty where there are no numbers.
    pub(super) fn window(&self, window: Span) -> Counts {
        self.sum(window).counts
    }

    /// The same for the newest window of a rule, by which a group's own alert says nothing where it counts
    /// more bad events than events: without them, and whether there is such a group.
    pub(super) fn newest(&self, window: Span) -> (Counts, bool) {
        let Sum { newest, unsure, .. } = self.sum(window);
        (newest, unsure)
    }

    /// The window `(from, to]`, whose old edge is one that the ledger has.
    pub(super) fn between(&self, from: Ts, to: Ts) -> Counts {
        self.all(from, to, |book| book.between(from, to))
    }

    /// What a period held up to `to`.
    pub(super) fn held(&self, period: &Period, to: Ts) -> Counts {
        self.all(period.bounds(to).0, to, |book| held(book, period, to))
    }

    pub(super) fn known_until(&self) -> Option<Ts> {
        self.books().map(Book::known_until).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Where the data begin, of all of which there are any.
    pub(super) fn has_begun(&self) -> Option<Ts> {
        (!self.books.is_empty() && self.begun < Ts(i64::MAX)).then_some(self.begun)
    }

    pub(super) fn never_was(&self) -> bool {
        let never = |book: &Book<'_>| book.slice(self.at) == Slice::Absent { born: false };
        *self.never_was.get_or_init(|| self.means == AbsentMeans::Unknown && self.books().any(never))
    }

    pub(super) fn is_partial(&self) -> bool {
        self.books().any(|book| book.is_partial(self.at))
    }

    pub(super) fn any_partial(&self, window: Span) -> bool {
        self.books().any(|book| book.any_partial(window, self.at))
    }

    fn books(&self) -> impl Iterator<Item = &Book<'a>> {
        self.books.iter().map(|(book, _)| book)
    }

    fn sum(&self, window: Span) -> Sum {
        if let Some((_, sum)) = self.seen.borrow().iter().find(|(w, _)| *w == window) {
            return *sum;
        }
        let sums = self.books.iter().map(|(book, is_wrong)| {
            let without =
                |is: bool, counts: Counts| if is { Counts { bad: Events::ZERO, ..counts } } else { counts };
            let counts = without(*is_wrong, book.window(window, self.at));
            let is_wrong = more_bad_than_total(&counts);
            Sum { counts, newest: without(is_wrong, counts), unsure: is_wrong }
        });
        let sum = sums.reduce(|sum, one| Sum {
            counts: plus(sum.counts, one.counts),
            newest: plus(sum.newest, one.newest),
            unsure: sum.unsure || one.unsure,
        });
        let none = Counts { from: self.at.minus(window), to: self.at, ..Counts::default() };
        let sum = sum.unwrap_or(Sum { counts: none, newest: none, unsure: false });
        self.seen.borrow_mut().push((window, sum));
        sum
    }

    fn all(&self, from: Ts, to: Ts, of: impl Fn(&Book<'_>) -> Counts) -> Counts {
        self.books().map(of).reduce(plus).unwrap_or(Counts { from, to, ..Counts::default() })
    }
}

/// Two groups together; what one of them does not know is not known of the sum.
fn plus(sum: Counts, one: Counts) -> Counts {
    Counts {
        bad: sum.bad.plus(one.bad),
        total: sum.total.plus(one.total),
        covered: sum.covered.min(one.covered),
        summed: sum.summed.min(one.summed),
        absent: sum.absent.max(one.absent),
        ..sum
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
