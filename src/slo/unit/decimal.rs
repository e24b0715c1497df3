//! Decimals as people write them, exact in integers.

use std::fmt;

/// `text` as an integer of `10^-decimals` units; `None` for signs, exponents, blanks or more decimals.
pub(super) fn parse(text: &str, decimals: u32) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || (text.contains('.') && fraction.is_empty())
    {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let missing = decimals.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let unit = 10u64.checked_pow(decimals)?;
    let fraction = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()? };
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(unit)?
        .checked_add(fraction.checked_mul(10u64.checked_pow(missing)?)?)
}

/// `value` units of `10^-decimals`, without zeros at the end.
pub(super) fn write(f: &mut fmt::Formatter<'_>, value: u64, decimals: u32) -> fmt::Result {
    let unit = 10u64.pow(decimals);
    write!(f, "{}", value / unit)?;
    let rest = value % unit;
    if rest == 0 {
        return Ok(());
    }
    let padded = format!("{rest:0width$}", width = decimals as usize);
    write!(f, ".{}", padded.trim_end_matches('0'))
}
