//! Several SLOs as one: what a composite is made of, and whether a part of it can be one. That is asked
//! of files, where every answer has a line, and of what is in force, where either side may be an older
//! version than its file.

use std::fmt;

use super::fit::wrong_group;
use super::model::{Labels, Sli, Slo, SloId};
use super::time::Span;
use super::unit::Weight;

/// Several SLOs as one, counted from what is kept of them: nothing is asked for it.
#[derive(Clone, PartialEq, Debug)]
pub struct Composite {
    /// How their error ratios become one.
    pub how: Combine,
    /// At least one; none twice.
    pub of: Vec<Part>,
}

/// How error ratios `Eᵢ(w)` over the same window become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Combine {
    /// `max Eᵢ(w)`
    Worst,
    /// `Σ wᵢ·Eᵢ(w) / Σ wᵢ`
    Weighted,
}

impl Combine {
    /// `worst` or `weighted`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Worst => "worst",
            Self::Weighted => "weighted",
        }
    }
}

/// An SLO that a composite is made of, pooled over its groups unless one is named.
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    /// The SLO.
    pub slo: SloId,
    /// The one group that counts.
    pub group: Option<Labels>,
    /// What it counts for; 1 where all count alike.
    pub weight: Weight,
}

/// `shop/pay`, or `shop/pay (route=/list)`.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.slo.fmt(f)?;
        let Some(group) = &self.group else { return Ok(()) };
        let pairs: Vec<String> = group.iter().map(|(name, value)| format!("{name}={value}")).collect();
        write!(f, " ({})", pairs.join(", "))
    }
}

/// Why an SLO cannot be this part of a composite, and what to do. `shortest` is the shortest window of
/// the composite's rules, where it has any.
pub fn misfit(part: &Part, slo: &Slo, shortest: Option<Span>) -> Option<(String, String)> {
    if let Some(wrong) = part.group.as_ref().and_then(|group| wrong_group(group, slo)) {
        return Some(wrong);
    }
    match &slo.sli {
        Sli::Counted { .. } => None,
        Sli::Timeslice(timeslice) => {
            let shortest = shortest.filter(|window| *window < timeslice.slice)?;
            let what = format!(
                "a time slice of `{}` is {}, longer than the window of {shortest}",
                slo.id, timeslice.slice
            );
            let hint = format!("write alerting.rules with windows of at least {}", timeslice.slice);
            Some((what, hint))
        }
        Sli::Direct { .. } => {
            let what = format!("`{}` is a ratio asked per window, of which no window can be summed", slo.id);
            Some((what, "write it with events, latency or timeslice, or leave it out".to_owned()))
        }
        Sli::Composite(_) => {
            let what = format!("`{}` is a composite itself", slo.id);
            Some((what, "name here what it is made of".to_owned()))
        }
    }
}

/// The shortest window that the rules of an SLO look over.
pub fn shortest_window(slo: &Slo) -> Option<Span> {
    slo.alerting.rules.iter().map(|rule| rule.short.unwrap_or(rule.long)).min()
}
