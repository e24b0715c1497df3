//! The PromQL that counts the events of one slot `(t − S, t]`, evaluated at `t`.
//!
//! For a counter `x` with lookback `L`, per series:
//!
//! ```text
//! u = last_over_time(x[S])      p = last_over_time(x[L] offset S)
//! m = max_over_time(x[S])
//! D = u + max(m − p, 0)         reset, where u < ⅞ p or u < ⅞ m: it grew to m and began again at zero
//!     or u + m                  two resets, where u < ⅞ m and m < ⅞ p: m was reached in between
//!     or (u − p) >= 0           difference of a living series
//!     or u where no p           newborn
//!     or 0 where any sample     a dip, or no scrape in the slot
//! ```
//!
//! Joins of vectors cost about five times a plain sum, and every sum more than any number of
//! points, so at first only two plain sums are asked, from one slot before the first:
//!
//! ```text
//! A(t) = sum(last_over_time(x[L]))      M(t) = sum(max_over_time(x[L+S]))
//! ```
//!
//! *Why `A(t) − A(t−S)` is `D` where `A(t) = M(t)`.* `A(t−S)` sums `p`, and its range has the old
//! edge of `M`. A counter is never negative, so series by series what it adds to `A(t)`, nothing
//! where its samples are all older, is at most what it adds to `M(t)`; equal sums mean that every
//! series stands at its maximum, or is zero, and none fell or left the range. Then every series falls
//! into one of three: a sample in the slot and before (`u − p`), only before (the same sample
//! twice: 0), only in the slot (`u`). That is `D`. With closed ranges (Prometheus 2) a sample
//! exactly on `t − S` belongs to both `x[S]` and `p`: where it is the newest, both sums see the
//! same sample, else the later one ends before it; the difference is the same. Where
//! `A(t) < M(t)`, which a series that ended does once, or where sums are too large for exact
//! arithmetic, the joined form is asked for the groups concerned.

use super::group::{Form, Narrow, QueryGroup};
use super::native;
use crate::slo::query::{Name, Selector};
use crate::slo::time::Span;

/// The label that tells the parts of one request apart.
pub const PART: &str = "damper_part";

/// A fall below this share of the previous value is a reset, a smaller one a dip.
pub const RESET_BELOW: &str = "0.875";

/// Between moments at which a histogram is looked up: no scrape may hide between two.
const MOMENTS: Span = Span::from_secs(5);

/// Ranges around one slot of one selector.
pub(super) struct Around {
    /// The selector.
    pub x: Selector,
    /// Slot length, `S`.
    pub slot: Span,
    /// Lookback, `L`.
    pub lookback: Span,
}

impl Around {
    pub(super) fn of(group: &QueryGroup, selector: Selector, slot: Span) -> Self {
        Self { x: selector, slot, lookback: group.lookback(slot) }
    }

    /// The newest sample in the slot.
    pub(super) fn now(&self) -> String {
        format!("last_over_time({}[{}])", self.x, self.slot)
    }

    /// The newest sample before the slot.
    pub(super) fn before(&self) -> String {
        format!("last_over_time({}[{}] offset {})", self.x, self.lookback, self.slot)
    }

    /// The largest sample in the slot.
    pub(super) fn most(&self) -> String {
        format!("max_over_time({}[{}])", self.x, self.slot)
    }

    /// What counters that began again in the slot have counted since: the newest sample in it, and the
    /// largest as well where they began again after that, too. Of more than two lives the others are lost.
    pub(super) fn fell(&self) -> String {
        let (u, p, m) = (self.now(), self.before(), self.most());
        let (again, once) = (format!("({u} < {RESET_BELOW} * {m})"), format!("({u} < {RESET_BELOW} * {p})"));
        format!("({again} + ({m} < {RESET_BELOW} * {p})) or {once} or ({again} and {p})")
    }

    /// Of series that had fallen in the lookback and stand no lower now than before: what they rose by up
    /// to there. It is a return, as of one of two processes behind one address, unless the series began
    /// again and has grown that fast.
    pub(super) fn rose(&self) -> String {
        let (p, m, most) = (self.before(), self.most(), self.most_before(self.lookback));
        format!("(({most} - {p}) > 0) and ({m} >= {most})")
    }

    /// Of recorded sums that had fallen within `memory` and are about where they were before: what they
    /// rose by. A member came back; how much of it is new nobody can tell. What is more than twice of
    /// before is a burst after a restart.
    pub(super) fn regained(&self, memory: Span) -> String {
        let (p, m, most) = (self.before(), self.most(), self.most_before(memory));
        format!("({m} - {p}) and ({p} < {most}) and ({m} >= {most}) and ({m} <= 2 * {most})")
    }

    /// The largest sample before the slot.
    fn most_before(&self, memory: Span) -> String {
        format!("max_over_time({}[{memory}] offset {})", self.x, self.slot)
    }

    /// The newest sample in the lookback from the slot's end; a slot earlier it is [`Self::before`].
    pub(super) fn recent(&self) -> String {
        format!("last_over_time({}[{}])", self.x, self.lookback)
    }

    /// Lookback and slot together.
    pub(super) fn whole(&self) -> Span {
        Span::from_secs_saturating(self.lookback.secs() + self.slot.secs())
    }

    /// The newest sample in the slot or before it.
    pub(super) fn held(&self) -> String {
        format!("last_over_time({}[{}])", self.x, self.whole())
    }
}

/// The query of every tick, catch-up and backfill. Its parts are told apart by [`PART`]:
/// `a` and `m` for counters; else `d` with the events and `n` with how many series exist; more
/// in [`native`]. Time slices and direct ratios have no parts.
pub fn main(group: &QueryGroup, selector: Selector, slot: Span) -> String {
    let labels = group.labels();
    let at = Around::of(group, selector, slot);
    let count = |of: &str| aggregate("count", &labels, of);
    match &group.form {
        Form::Counter => parts(&[
            ("a", aggregate("sum", &labels, &at.recent())),
            ("m", aggregate("sum", &labels, &format!("max_over_time({}[{}])", at.x, at.whole()))),
        ]),
        Form::Aggregated => parts(&[("d", rises(&at, &labels))]),
        Form::GaugeSum => parts(&[("d", over_slot("sum_over_time", group, &at)), ("n", count(&at.held()))]),
        Form::GaugeCount => {
            parts(&[("d", over_slot("count_over_time", group, &at)), ("n", count(&at.held()))])
        }
        Form::Increase => parts(&[("d", increase(group, &at)), ("n", count(&at.held()))]),
        Form::Native { above } => native::main(&at, &labels, above, group.left_open),
        Form::Timeslice { query, .. } => query.clone(),
        Form::Direct { template } => super::direct::fill(template, slot),
    }
}

/// The joined form of a counter, for what the cheap one could not prove: one part, `d`. Of a native
/// histogram, what came before resets.
pub fn joined(group: &QueryGroup, narrow: &Narrow, slot: Span) -> String {
    let at = Around::of(group, group.narrowed(narrow), slot);
    if let Form::Native { above } = &group.form {
        let every = group.interval.unwrap_or(MOMENTS).min(MOMENTS);
        return native::before_resets(&at, &group.labels(), above, group.left_open, every);
    }
    let (u, p, held) = (at.now(), at.before(), at.held());
    let reset = format!("({}) + clamp_min({} - {p}, 0)", at.fell(), at.most());
    let each = format!("({reset}) or (({u} - {p}) >= 0) or ({u} unless {p}) or (0 * {held})");
    parts(&[("d", aggregate("sum", &group.labels(), &each))])
}

/// Which groups have a sample young enough (part `n`), and which exist at the slot's end (`x`): a
/// series that ended, as one does whose target went or whose scrape failed, is there no more at
/// once, while one whose samples merely stopped is there for Prometheus's lookback, five minutes.
pub fn young(group: &QueryGroup, narrow: &Narrow, slot: Span) -> String {
    let x = group.narrowed(narrow);
    let last = format!("last_over_time({x}[{}])", group.young(slot));
    let count = |of: &str| aggregate("count", &group.labels(), of);
    parts(&[("n", count(&last)), ("x", count(&x.to_string()))])
}

/// Differences only: births are not counted and falls book nothing.
fn rises(at: &Around, labels: &[&str]) -> String {
    let each = format!("(({} - {}) >= 0) or (0 * {})", at.now(), at.before(), at.held());
    aggregate("sum", labels, &each)
}

/// Every sample of the slot once: closed ranges would count one on the edge twice.
fn over_slot(function: &str, group: &QueryGroup, at: &Around) -> String {
    let range = match group.left_open {
        true => at.slot.to_string(),
        false => format!("{}ms", at.slot.secs() * 1000 - 1),
    };
    aggregate("sum", &group.labels(), &format!("{function}({}[{range}])", at.x))
}

/// `increase` needs two samples: the range is widened for rare scrapes and the result scaled back.
fn increase(group: &QueryGroup, at: &Around) -> String {
    let needed = group.interval.map_or(Span::ZERO, |i| Span::from_secs_saturating(2 * i.secs()));
    let range = needed.max(at.slot);
    let sum = aggregate("sum", &group.labels(), &format!("increase({}[{range}])", at.x));
    if range == at.slot { sum } else { format!("{sum} * {} / {}", at.slot.secs(), range.secs()) }
}

/// `sum by (a, b) (of)`, or `sum(of)`.
pub fn aggregate(operator: &str, labels: &[&str], of: &str) -> String {
    if labels.is_empty() {
        return format!("{operator}({of})");
    }
    let names: Vec<String> = labels.iter().map(|label| Name(label).to_string()).collect();
    format!("{operator} by ({}) ({of})", names.join(", "))
}

/// Several vectors in one request.
pub(super) fn parts(parts: &[(&str, String)]) -> String {
    let part = |(name, of): &(&str, String)| format!(r#"label_replace({of}, "{PART}", "{name}", "", "")"#);
    parts.iter().map(part).collect::<Vec<_>>().join(" or ")
}
