//! The PromQL of native histograms. The plain form of a counter would book whole histograms,
//! because `h >= 0` is not defined, so falls are told by the counts `c` of the histograms `h`:
//!
//! ```text
//! D = sum by (g) (((hu − hp) and (cu − cp) >= 0) or (hu and cu < ⅞ cp) or (hu unless hp))
//! events = histogram_count(D)       above T = histogram_count(D) · histogram_fraction(T, +Inf, D)
//! ```
//!
//! Prometheus 2 cannot subtract histograms, and its `last_over_time` drops them without a word
//! (seen on 2.42). There, what came in and what was there before are summed apart, and both are
//! taken as they are at a moment; what a series counts after its last scrape before it ends
//! inside a slot is lost, and a series that changes its resolution shifts between buckets:
//!
//! ```text
//! hp = h offset S or h offset (S + 5m)
//! D = sum by (g) (h unless dip)   E = sum by (g) (hp and (cu − cp) >= 0)   events = count(D) − count(E)
//! ```
//!
//! What a series counted between `hp` and a reset in the same slot is in neither; where series fell it
//! is asked for, see `before_resets`.
//!
//! Counts and fractions are parts of one request; products are taken on our side, because the
//! fraction of an empty histogram is not a number.

use super::form::{Around, RESET_BELOW, aggregate, parts};
use crate::slo::time::Span;

/// How far back a moment sees a series, unless Prometheus is told otherwise.
const MOMENT: Span = Span::from_mins(5);

/// Parts: `d` and `e` with counts, `f0`, `f1`, … and `g0`, `g1`, … with their shares above each
/// bound, `n` with how many series exist, `r` with how many fell.
pub(super) fn main(at: &Around, labels: &[&str], above: &[String], subtracts: bool) -> String {
    let mut all = vec![("n".to_owned(), aggregate("count", labels, &at.held()))];
    let mut add = |count_part: &str, share_part: &str, histogram: &str| {
        let histogram = aggregate("sum", labels, histogram);
        all.push((count_part.to_owned(), count(&histogram)));
        for (i, bound) in above.iter().enumerate() {
            all.push((format!("{share_part}{i}"), format!("histogram_fraction({bound}, +Inf, {histogram})")));
        }
    };
    if subtracts {
        add("d", "f", &difference(at));
    } else {
        let x = &at.x;
        let p = before(at, subtracts);
        let (cu, cp) = (count(&x.to_string()), count(&p));
        add("d", "f", &format!("{x} unless (({cu} < {cp}) >= {RESET_BELOW} * {cp})"));
        add("e", "g", &format!("{p} and (({cu} - {cp}) >= 0)"));
    }
    all.push(("r".to_owned(), aggregate("count", labels, &fell(at, subtracts))));
    let all: Vec<(&str, String)> = all.iter().map(|(name, of)| (name.as_str(), of.clone())).collect();
    parts(&all)
}

fn difference(at: &Around) -> String {
    let (u, p) = (at.now(), at.before());
    let (cu, cp) = (count(&u), count(&p));
    format!(
        "(({u} - {p}) and (({cu} - {cp}) >= 0)) or ({u} and ({cu} < {RESET_BELOW} * {cp})) or ({u} unless {p})"
    )
}

/// What the series that fell had counted in the slot before they did: part `d`, and above each bound
/// `f0`, `f1`, …. Floats are looked up at moments: no function gives the histogram before a reset.
pub(super) fn before_resets(
    at: &Around,
    labels: &[&str],
    above: &[String],
    subtracts: bool,
    every: Span,
) -> String {
    let (fell, p) = (fell(at, subtracts), before(at, subtracts));
    let grown = |of: &dyn Fn(&str) -> String| {
        let most = format!("max_over_time(({})[{}:{every}])", of(&at.x.to_string()), at.slot);
        aggregate("sum", labels, &format!("clamp_min({most} - {}, 0) and {fell}", of(&p)))
    };
    let mut all = vec![("d".to_owned(), grown(&count))];
    for (i, bound) in above.iter().enumerate() {
        // Of an empty histogram the share is not a number.
        let above =
            |of: &str| format!("({} * (histogram_fraction({bound}, +Inf, {of}) >= 0) or 0 * {0})", count(of));
        all.push((format!("f{i}"), grown(&above)));
    }
    let all: Vec<(&str, String)> = all.iter().map(|(name, of)| (name.as_str(), of.clone())).collect();
    parts(&all)
}

/// The counts of series that restarted.
pub(super) fn fell(at: &Around, subtracts: bool) -> String {
    let now = if subtracts { at.now() } else { at.x.to_string() };
    format!("({} < {RESET_BELOW} * {})", count(&now), count(&before(at, subtracts)))
}

/// The histogram before the slot. On Prometheus 2 a moment sees five minutes back, two see ten.
pub(super) fn before(at: &Around, subtracts: bool) -> String {
    if subtracts {
        return at.before();
    }
    let (x, slot) = (&at.x, at.slot);
    let earlier = Span::from_secs_saturating(slot.secs() + MOMENT.secs());
    format!("({x} offset {slot} or {x} offset {earlier})")
}

/// Observations in a histogram.
pub(super) fn count(histogram: &str) -> String {
    format!("histogram_count({histogram})")
}
