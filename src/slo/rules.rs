//! The default alert set: the SRE Workbook's multiwindow, multi-burn-rate rules, for every period.
//!
//! A rule pages when a share of the budget was spent over its long window:
//! `factor = share · P / long` (SRE Workbook, chapter 5, "Alerting on SLOs").

use super::model::Severity;
use super::time::{Span, Step};
use super::unit::BurnRate;

/// One rule of the default set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DefaultRule {
    /// How urgent.
    pub severity: Severity,
    /// The threshold, never below 1.
    pub burn_rate: BurnRate,
    /// The long window; a multiple of the step.
    pub long: Span,
    /// The short window, where it is shorter than the long one.
    pub short: Option<Span>,
}

/// Severity, percent of the budget, long and short window for a period of four weeks.
const SET: [(Severity, i64, Span, Span); 4] = [
    (Severity::Page, 2, Span::from_hours(1), Span::from_mins(5)),
    (Severity::Page, 5, Span::from_hours(6), Span::from_mins(30)),
    (Severity::Ticket, 10, Span::from_days(1), Span::from_hours(2)),
    (Severity::Ticket, 10, Span::from_days(3), Span::from_hours(6)),
];

/// The period the windows of [`SET`] are for.
const REFERENCE: Span = Span::from_days(28);
/// Shorter periods scale the windows instead of the factors.
const SCALES_BELOW: Span = Span::from_days(21);

/// The default set for a period of nominal length `period`, fastest first.
pub fn default_rules(period: Span, step: Step) -> [DefaultRule; 4] {
    SET.map(|(severity, percent, long, short)| {
        let scaled = period < SCALES_BELOW;
        let basis = if scaled { REFERENCE } else { period };
        let window = |w| if scaled { scale(w, period, step) } else { fit(w, step) };
        let (long_window, short_window) = (window(long), window(short));
        DefaultRule {
            severity,
            burn_rate: factor(percent, basis, long),
            long: long_window,
            short: (short_window < long_window).then_some(short_window),
        }
    })
}

/// `percent · period / long` in millionths, to the nearest, at least 1.
fn factor(percent: i64, period: Span, long: Span) -> BurnRate {
    let millionths = (percent * 10_000 * period.secs() + long.secs() / 2) / long.secs().max(1);
    u64::try_from(millionths)
        .ok()
        .and_then(|m| BurnRate::from_millionths(m).ok())
        .unwrap_or(BurnRate::ONE)
        .max(BurnRate::ONE)
}

/// A window of the four-week set, shortened for a shorter period: rounded to whole five minutes or
/// minutes where that moves it by a twelfth at most, else to steps; at least four steps.
fn scale(window: Span, period: Span, step: Step) -> Span {
    let exact = window.secs() * period.secs();
    let unit = [300, 60]
        .into_iter()
        .find(|unit| unit % step.secs() == 0 && exact >= 6 * unit * REFERENCE.secs())
        .unwrap_or(step.secs());
    let parts = (exact + unit * REFERENCE.secs() / 2) / (unit * REFERENCE.secs());
    Span::from_secs_saturating((parts * unit).max(4 * step.secs()))
}

/// Unscaled windows are whole five minutes, which every step divides.
fn fit(window: Span, step: Step) -> Span {
    window.max(Span::from_secs_saturating(4 * step.secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(days: u32, step: u32) -> Vec<String> {
        let step = Step::new(Span::from_secs(step)).unwrap();
        let show = |r: DefaultRule| {
            let short = r.short.map_or("-".to_owned(), |s| s.to_string());
            format!("{} {} {}/{short}", r.severity, r.burn_rate, r.long)
        };
        default_rules(Span::from_days(days), step).into_iter().map(show).collect()
    }

    #[test]
    fn thirty_days_are_the_workbooks_own() {
        assert_eq!(table(30, 30), ["page 14.4 1h/5m", "page 6 6h/30m", "ticket 3 1d/2h", "ticket 1 3d/6h"]);
    }

    #[test]
    fn twenty_eight_days_never_go_below_one() {
        assert_eq!(
            table(28, 30),
            ["page 13.44 1h/5m", "page 5.6 6h/30m", "ticket 2.8 1d/2h", "ticket 1 3d/6h"]
        );
    }

    #[test]
    fn longer_periods_raise_the_factors() {
        assert_eq!(
            table(91, 30),
            ["page 43.68 1h/5m", "page 18.2 6h/30m", "ticket 9.1 1d/2h", "ticket 3.033333 3d/6h"]
        );
        assert_eq!(
            table(21, 60),
            ["page 10.08 1h/5m", "page 4.2 6h/30m", "ticket 2.1 1d/2h", "ticket 1 3d/6h"]
        );
    }

    #[test]
    fn shorter_periods_shorten_the_windows_and_keep_the_factors() {
        assert_eq!(
            table(7, 15),
            ["page 13.44 15m/1m15s", "page 5.6 1h30m/8m", "ticket 2.8 6h/30m", "ticket 1 18h/1h30m"]
        );
        assert_eq!(
            table(7, 30),
            ["page 13.44 15m/2m", "page 5.6 1h30m/8m", "ticket 2.8 6h/30m", "ticket 1 18h/1h30m"]
        );
        assert_eq!(
            table(14, 30),
            ["page 13.44 30m/2m30s", "page 5.6 3h/15m", "ticket 2.8 12h/1h", "ticket 1 1d12h/3h"]
        );
        assert_eq!(
            table(1, 30),
            ["page 13.44 2m/-", "page 5.6 13m/2m", "ticket 2.8 50m/4m30s", "ticket 1 2h35m/13m"]
        );
    }

    #[test]
    fn every_window_is_whole_steps_and_short_is_shorter_for_every_period_and_step() {
        for step in Step::ALLOWED {
            let step = Step::new(Span::from_secs(step)).unwrap();
            for hours in 1..=400 * 24 {
                let period = Span::from_hours(hours);
                for rule in default_rules(period, step) {
                    assert!(rule.burn_rate >= BurnRate::ONE);
                    assert!(rule.long <= period, "{step:?} {period}: {rule:?}");
                    for window in [Some(rule.long), rule.short].into_iter().flatten() {
                        assert_eq!(window.secs() % step.secs(), 0, "{step:?} {period}: {rule:?}");
                        assert!(window.secs() >= 4 * step.secs());
                    }
                    assert!(rule.short.is_none_or(|short| short < rule.long));
                }
            }
        }
    }
}
