//! Bucket bounds compared as numbers: `le="1"` and `le="1.0"` are one bound, spelled by different clients
//! and by different versions of Prometheus.

use super::super::query::{MatchOp, Matcher};
use super::QueryError;

/// A matcher for `le` that takes every spelling in use of one bound.
///
/// It is a list of literals, `1|1\.0|1\.00|…`, which Prometheus looks up in its index without running a
/// regex: the plain decimal with up to three padding zeros and, for large and small bounds, the
/// scientific spellings of Go and Python (`1e-05`) and Java (`1.0E-5`).
/// `+Inf` is spelled one way everywhere. Errors when `le` is not a number.
pub fn bucket_bound_regex(le: &str) -> Result<Matcher, QueryError> {
    let written = le.trim();
    let not_a_bound =
        || QueryError::new(format!("{le:?} is not a bucket's bound"), "write a number, such as 0.3");
    let bound: f64 = written.parse().map_err(|_| not_a_bound())?;
    if bound.is_nan() || bound == f64::NEG_INFINITY {
        return Err(not_a_bound());
    }
    let label = "le".to_owned();
    if bound == f64::INFINITY {
        return Ok(Matcher { label, op: MatchOp::Equal, value: "+Inf".into() });
    }
    let mut spellings = decimal(bound + 0.0);
    spellings.extend(scientific(bound));
    if !spellings.iter().any(|spelling| spelling == written) {
        spellings.push(written.to_owned());
    }
    let literals: Vec<String> = spellings.iter().map(|s| s.replace('.', "\\.").replace('+', "\\+")).collect();
    Ok(Matcher { label, op: MatchOp::Regex, value: literals.join("|") })
}

/// `0.3`, `0.30`, `0.300`; `1`, `1.0`, `1.00`, `1.000`.
fn decimal(bound: f64) -> Vec<String> {
    let shortest = bound.to_string();
    let (whole, fraction) = shortest.split_once('.').unwrap_or((&shortest, ""));
    let padded = (fraction.len() + 1..=3).map(|decimals| format!("{whole}.{fraction:0<decimals$}"));
    std::iter::once(shortest.clone()).chain(padded).collect()
}

/// Spellings with an exponent, for bounds that some client writes so.
fn scientific(bound: f64) -> Vec<String> {
    let text = format!("{bound:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return Vec::new() };
    let Ok(exponent) = exponent.parse::<i32>() else { return Vec::new() };
    if (-2..=5).contains(&exponent) {
        return Vec::new();
    }
    let whole = !mantissa.contains('.');
    let mantissas =
        if whole { vec![mantissa.to_owned(), format!("{mantissa}.0")] } else { vec![mantissa.to_owned()] };
    let size = exponent.abs();
    let exponents = if exponent < 0 {
        vec![format!("e-{size}"), format!("e-{size:02}"), format!("E-{size}")]
    } else {
        vec![format!("e{size}"), format!("e+{size}"), format!("e+{size:02}"), format!("E{size}")]
    };
    mantissas.iter().flat_map(|m| exponents.iter().map(move |e| format!("{m}{e}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the literals of the matcher take this spelling.
    fn takes(le: &str, spelling: &str) -> bool {
        let matcher = bucket_bound_regex(le).unwrap();
        assert_eq!(matcher.op, MatchOp::Regex);
        matcher.value.split('|').any(|literal| literal.replace('\\', "") == spelling)
    }

    #[test]
    fn one_bound_takes_the_spellings_of_all_clients() {
        for (bound, spellings) in [
            ("1", &["1", "1.0", "1.00"][..]),
            ("1.0", &["1", "1.0"]),
            ("0.30", &["0.3", "0.30", "0.300"]),
            ("1e-3", &["0.001", "1e-3", "1e-03", "1.0E-3"]),
            ("0.001", &["0.001", "1e-3", "1e-03"]),
            ("0.00025", &["0.00025", "2.5e-04", "2.5E-4", "0.00025"]),
            ("1000000", &["1000000", "1000000.0", "1e6", "1e+06", "1.0E6"]),
            ("0.0010000", &["0.0010000", "0.001"]),
            ("0", &["0", "0.0"]),
            ("-0.5", &["-0.5", "-0.50"]),
        ] {
            for spelling in spellings {
                assert!(takes(bound, spelling), "{bound} must take {spelling}");
            }
        }
    }

    #[test]
    fn another_bound_is_not_taken() {
        for (bound, other) in [("1", "10"), ("1", "1.05"), ("0.3", "0.03"), ("1", "101"), ("0.1", "0x1")] {
            assert!(!takes(bound, other), "{bound} must not take {other}");
        }
        let matcher = bucket_bound_regex("1").unwrap();
        assert_eq!(matcher.to_string(), r#"le=~"1|1\\.0|1\\.00|1\\.000""#);
        let selector = super::super::read_selector(&format!("x_bucket{{{matcher}}}")).unwrap();
        assert_eq!(selector.matchers, [matcher]);
    }

    #[test]
    fn every_literal_is_the_same_number() {
        for bound in ["0.3", "2.5", "1", "1e-9", "123456789.125", "1e22", "-4", "5e-324", "1.2345678e-7"] {
            let value = bucket_bound_regex(bound).unwrap().value;
            for literal in value.split('|') {
                let number: f64 = literal.replace('\\', "").parse().unwrap();
                assert_eq!(number.to_bits(), bound.parse::<f64>().unwrap().to_bits(), "{literal}");
            }
        }
    }

    #[test]
    fn infinity_is_one_value_and_nonsense_none() {
        let infinite = bucket_bound_regex("+Inf").unwrap();
        assert_eq!((infinite.op, infinite.value.as_str()), (MatchOp::Equal, "+Inf"));
        for bad in ["", "fast", "NaN", "-Inf", "1|2", "300ms"] {
            assert!(bucket_bound_regex(bad).is_err(), "{bad}");
        }
    }
}
