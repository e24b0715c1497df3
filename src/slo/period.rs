//! The period an error budget is for: rolling, or a calendar unit in a time zone.

use std::fmt;

use super::time::{Span, Ts};

/// The period an error budget is for.
#[derive(Clone, PartialEq, Debug)]
pub enum Period {
    /// The last so-and-so long.
    Rolling(Span),
    /// The calendar unit that now lies in.
    Calendar {
        /// Month, quarter or week.
        unit: CalendarUnit,
        /// Where midnight is.
        zone: Zone,
    },
}

/// A calendar unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CalendarUnit {
    /// From Monday.
    Week,
    /// From the first.
    Month,
    /// From the first of January, April, July, October.
    Quarter,
}

/// An IANA time zone that was found in the bundled database.
#[derive(Clone, PartialEq, Debug)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// `None` when the database has no such name.
    pub fn named(name: &str) -> Option<Self> {
        jiff::tz::TimeZone::get(name).ok().map(Self)
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl CalendarUnit {
    /// The length rules are derived from: 7, 30 and 91 days.
    pub const fn nominal(self) -> Span {
        match self {
            Self::Week => Span::from_days(7),
            Self::Month => Span::from_days(30),
            Self::Quarter => Span::from_days(91),
        }
    }
}

impl Period {
    /// The length rules are derived from; a rolling period's own.
    pub fn nominal(&self) -> Span {
        match self {
            Self::Rolling(span) => *span,
            Self::Calendar { unit, .. } => unit.nominal(),
        }
    }

    /// When the period that contains `now` began and when it ends. A rolling one ends at `now`.
    pub fn bounds(&self, now: Ts) -> (Ts, Ts) {
        match self {
            Self::Rolling(span) => (now.minus(*span), now),
            Self::Calendar { unit, zone } => {
                calendar_bounds(*unit, zone, now).unwrap_or_else(|| (now.minus(unit.nominal()), now))
            }
        }
    }
}

fn calendar_bounds(unit: CalendarUnit, zone: &Zone, now: Ts) -> Option<(Ts, Ts)> {
    use jiff::{Timestamp, ToSpan};
    let today = Timestamp::from_second(now.0).ok()?.to_zoned(zone.0.clone()).date();
    let (first, next) = match unit {
        CalendarUnit::Week => {
            let monday = today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).ok()?;
            (monday, monday.checked_add(7.days()).ok()?)
        }
        CalendarUnit::Month => {
            let first = today.first_of_month();
            (first, first.checked_add(1.month()).ok()?)
        }
        CalendarUnit::Quarter => {
            let into = i64::from((today.month() - 1) % 3);
            let first = today.first_of_month().checked_sub(into.months()).ok()?;
            (first, first.checked_add(3.months()).ok()?)
        }
    };
    let midnight =
        |day: jiff::civil::Date| Some(Ts(day.to_zoned(zone.0.clone()).ok()?.timestamp().as_second()));
    Some((midnight(first)?, midnight(next)?))
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rolling(span) => span.fmt(f),
            Self::Calendar { unit, zone } => {
                let unit = match unit {
                    CalendarUnit::Week => "week",
                    CalendarUnit::Month => "month",
                    CalendarUnit::Quarter => "quarter",
                };
                write!(f, "calendar {unit}, {}", zone.name())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Ts {
        Ts(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp())
    }

    fn bounds(unit: CalendarUnit, zone: &str, now: &str) -> (Ts, Ts) {
        Period::Calendar { unit, zone: Zone::named(zone).unwrap() }.bounds(at(now))
    }

    #[test]
    fn months_begin_at_local_midnight() {
        let (from, to) = bounds(CalendarUnit::Month, "Asia/Shanghai", "2026-02-28T20:00:00Z");
        assert_eq!(from, at("2026-03-01T00:00:00+08:00"));
        assert_eq!(to, at("2026-04-01T00:00:00+08:00"));
    }

    #[test]
    fn a_month_with_a_clock_change_is_an_hour_shorter() {
        let (from, to) = bounds(CalendarUnit::Month, "Europe/Berlin", "2026-03-15T12:00:00Z");
        assert_eq!(to.since(from).secs(), 31 * 86_400 - 3600);
    }

    #[test]
    fn weeks_begin_on_monday_and_quarters_in_january_april_july_october() {
        let (from, to) = bounds(CalendarUnit::Week, "UTC", "2026-11-22T08:00:00Z");
        assert_eq!((from, to), (at("2026-11-16T00:00:00Z"), at("2026-11-23T00:00:00Z")));
        let (from, to) = bounds(CalendarUnit::Quarter, "UTC", "2026-11-22T08:00:00Z");
        assert_eq!((from, to), (at("2026-10-01T00:00:00Z"), at("2027-01-01T00:00:00Z")));
    }

    #[test]
    fn unknown_zones_are_refused() {
        assert!(Zone::named("Mars/Olympus").is_none());
    }
}
