//! Numbers as people read them: three significant digits, percent, days and hours.

use crate::slo::time::Span;

/// Three significant digits, without trailing zeros and without an exponent: `14.4`, `0.0123`, `1,440`.
///
/// From 100 on whole numbers with separators. What is not finite is `unknown`.
pub fn significant(value: f64) -> String {
    if !value.is_finite() {
        return "unknown".into();
    }
    let size = value.abs();
    if size >= 99.95 {
        return separated(&format!("{value:.0}"));
    }
    let decimals = match size {
        s if s >= 9.995 => 1,
        s if s >= 0.9995 => 2,
        s if s >= 0.099_95 => 3,
        s if s >= 0.009_995 => 4,
        s if s >= 0.000_999_5 => 5,
        s if s >= 0.000_099_95 => 6,
        _ => 7,
    };
    trimmed(&format!("{value:.decimals$}"))
}

/// A ratio in percent: `0.0275` is `2.75%`.
///
/// Never rounded to `100%` or `0%` when it is not that: the last bit of budget or goodness matters.
pub fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if percent < 100.0 && significant(percent) == "100" {
        return "over 99.9%".into();
    }
    match significant(percent) {
        zero if zero == "0" && percent > 0.0 => "under 0.0000001%".into(),
        text => format!("{text}%"),
    }
}

/// The two largest units: `1d 4h`, `1h 30m`, `45s`.
pub fn duration(span: Span) -> String {
    let mut rest = span.secs();
    let mut parts = Vec::new();
    for (unit, name) in [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")] {
        let count = rest / unit;
        rest %= unit;
        if count > 0 {
            parts.push(format!("{count}{name}"));
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() { "0s".into() } else { parts.join(" ") }
}

fn trimmed(decimal: &str) -> String {
    let text =
        if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.') } else { decimal };
    if text == "-0" { "0".into() } else { text.into() }
}

fn separated(whole: &str) -> String {
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", whole),
    };
    let mut out = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits_and_no_noise() {
        for (value, text) in [
            (14.4, "14.4"),
            (1.0, "1"),
            (0.0, "0"),
            (-0.0, "0"),
            (9.999, "10"),
            (99.96, "100"),
            (27.489, "27.5"),
            (0.012_345, "0.0123"),
            (1440.0, "1,440"),
            (1_234_567.8, "1,234,568"),
            (-1500.0, "-1,500"),
            (f64::NAN, "unknown"),
            (f64::INFINITY, "unknown"),
        ] {
            assert_eq!(significant(value), text, "{value}");
        }
    }

    #[test]
    fn percents_do_not_round_away_the_last_bit() {
        for (ratio, text) in [
            (0.0275, "2.75%"),
            (1.0, "100%"),
            (0.999_99, "over 99.9%"),
            (0.0, "0%"),
            (1e-12, "under 0.0000001%"),
            (-0.234, "-23.4%"),
            (5.5, "550%"),
        ] {
            assert_eq!(percent(ratio), text, "{ratio}");
        }
    }

    #[test]
    fn durations_show_two_neighbouring_units() {
        for (secs, text) in
            [(0, "0s"), (45, "45s"), (5400, "1h 30m"), (100_800, "1d 4h"), (86_405, "1d"), (3600, "1h")]
        {
            assert_eq!(duration(Span::from_secs(secs)), text);
        }
    }
}
