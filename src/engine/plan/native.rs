//! The PromQL of native histograms. The plain form of a counter would book whole histograms,
//! because `h >= 0` is not defined, so falls are told by the counts:
//!
//! ```text
//! D = sum by (g) (((hu − hp) and (cu − cp) >= 0) or (hu and cu < ⅞ cp) or (hu unless hp))
//! events = histogram_count(D)       above T = histogram_count(D) · histogram_fraction(T, +Inf, D)
//! ```
//!
//! with `c` the count of `h`. Count and fraction are parts of one request; the product is taken
//! on our side, because the fraction of an empty histogram is not a number.

use super::form::{Around, RESET_BELOW, aggregate, parts};

pub(super) fn main(at: &Around, labels: &[&str], above: &[String]) -> String {
    let (u, p) = (at.now(), at.before());
    let (cu, cp) = (count(&u), count(&p));
    let each = format!(
        "(({u} - {p}) and (({cu} - {cp}) >= 0)) or ({u} and ({cu} < {RESET_BELOW} * {cp})) or ({u} unless {p})"
    );
    let difference = aggregate("sum", labels, &each);
    let fraction = |(i, bound): (usize, &String)| {
        (format!("f{i}"), format!("histogram_fraction({bound}, +Inf, {difference})"))
    };
    let mut all =
        vec![("d".to_owned(), count(&difference)), ("n".to_owned(), aggregate("count", labels, &at.held()))];
    all.extend(above.iter().enumerate().map(fraction));
    let all: Vec<(&str, String)> = all.iter().map(|(name, of)| (name.as_str(), of.clone())).collect();
    parts(&all)
}

/// Observations in a histogram.
pub(super) fn count(histogram: &str) -> String {
    format!("histogram_count({histogram})")
}
