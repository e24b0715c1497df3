//! Times for people: on their clock, with how far away that is.

use chrono::{DateTime, FixedOffset, Local, NaiveDateTime, NaiveTime, Offset as _, TimeZone as _};

use crate::service::clock;
use crate::slo::time::{Span, Ts};

/// Now, and by how much this machine's clock is off UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Ts,
    pub(super) zone: FixedOffset,
}

impl Moment {
    /// This moment, in this machine's time zone.
    pub(super) fn now() -> Self {
        let now = clock::now();
        let utc = now.to_datetime().unwrap_or_default().naive_utc();
        Self { now, zone: Local.offset_from_utc_datetime(&utc).fix() }
    }

    /// `18:20:05 UTC, in 2m10s`; the day too where it is not today.
    pub(super) fn tell(&self, at: Ts) -> String {
        format!("{}, {}", self.time(at), self.away(at))
    }

    /// `18:20:05 UTC`; the day too where it is not today.
    pub(super) fn time(&self, at: Ts) -> String {
        let (Some(time), Some(now)) = (at.to_datetime(), self.now.to_datetime()) else {
            return at.to_string();
        };
        let (time, now) = (time.with_timezone(&self.zone), now.with_timezone(&self.zone));
        let zone = match self.zone.local_minus_utc() {
            0 => "UTC".to_owned(),
            _ => time.format("%:z").to_string(),
        };
        let day = if time.date_naive() == now.date_naive() { "" } else { "%Y-%m-%d " };
        format!("{} {zone}", time.format(&format!("{day}%H:%M:%S")))
    }

    /// A moment that somebody wrote: RFC 3339, a date and time or a time of today on this machine's
    /// clock, how long ago (`90m`), `now`, or seconds since the epoch.
    pub(super) fn read(&self, flag: &str, text: &str) -> Result<Ts, String> {
        let text = text.trim();
        let now = || (text == "now").then_some(self.now);
        let seconds = || text.parse::<i64>().ok().map(Ts);
        let ago = || text.trim_start_matches('-').parse::<Span>().ok().map(|ago| self.now.minus(ago));
        let exact = || DateTime::parse_from_rfc3339(text).ok().map(|time| Ts(time.timestamp()));
        let local = || {
            let forms = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
            let day = self.now.to_datetime()?.with_timezone(&self.zone).date_naive();
            let dated = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
            let time =
                || NaiveTime::parse_from_str(text, "%H:%M:%S").or(NaiveTime::parse_from_str(text, "%H:%M"));
            let time = dated.or_else(|| Some(day.and_time(time().ok()?)))?;
            self.zone.from_local_datetime(&time).single().map(|time| Ts(time.timestamp()))
        };
        now().or_else(seconds).or_else(ago).or_else(exact).or_else(local).ok_or_else(|| {
            format!(
                "{flag} {text:?} is no time: write 2026-11-22T09:00:00Z, '2026-11-22 10:00' or 10:00 on this \
                 machine's clock, 90m for so long ago, now, or seconds since the epoch"
            )
        })
    }

    /// `in 2m10s`, `12s ago`, `now`.
    pub(super) fn away(&self, at: Ts) -> String {
        match (at.since(self.now), self.now.since(at)) {
            (ahead, _) if !ahead.is_zero() => format!("in {}", rough(ahead)),
            (_, past) if !past.is_zero() => format!("{} ago", rough(past)),
            _ => "now".to_owned(),
        }
    }

    /// A sentence in which times stand as the API writes them, with those told as [`Self::tell`] does.
    pub(super) fn sentence(&self, text: &str) -> String {
        let word = |word: &str| {
            let bare = word.trim_matches(['(', ')', ',', '.', ';', ':']);
            let time = DateTime::parse_from_rfc3339(bare).ok().filter(|_| bare.ends_with('Z'));
            time.map_or_else(
                || word.to_owned(),
                |time| word.replacen(bare, &self.tell(Ts(time.timestamp())), 1),
            )
        };
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    }
}

/// The two largest units: seconds of days help nobody.
fn rough(span: Span) -> Span {
    let grain = match span.secs() {
        secs if secs >= 86_400 => 3600,
        secs if secs >= 3600 => 60,
        _ => 1,
    };
    Span::from_secs_saturating(span.secs() / grain * grain)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// 2026-11-22T18:20:00Z, on a clock of UTC.
    pub(in crate::cli) const AT: Moment =
        Moment { now: Ts(1_795_371_600), zone: FixedOffset::east_opt(0).unwrap() };

    #[test]
    fn times_are_told_on_the_readers_clock_with_how_far_they_are() {
        assert_eq!(AT.tell(Ts(1_795_371_730)), "18:22:10 UTC, in 2m10s");
        assert_eq!(AT.tell(Ts(1_795_371_588)), "18:19:48 UTC, 12s ago");
        assert_eq!(AT.tell(AT.now), "18:20:00 UTC, now");
        assert_eq!(AT.tell(Ts(1_795_371_600 - 90_061)), "2026-11-21 17:18:59 UTC, 1d1h ago");
        let east = Moment { zone: FixedOffset::east_opt(8 * 3600).unwrap(), ..AT };
        assert_eq!(
            east.tell(Ts(1_795_371_730)),
            "2026-11-23 02:22:10 +08:00, in 2m10s".replace("2026-11-23 ", "")
        );
    }

    #[test]
    fn a_moment_is_read_in_the_forms_that_people_write() {
        let east = Moment { zone: FixedOffset::east_opt(8 * 3600).unwrap(), ..AT };
        let read = |text: &str| east.read("--from", text).map(|at| at.0 - AT.now.0);
        // It is 2026-11-23 02:20:00 there.
        for (text, expected) in [
            ("now", 0),
            ("90m", -5400),
            ("-1h30m", -5400),
            ("1795371500", -100),
            ("2026-11-22T18:20:00Z", 0),
            ("2026-11-22T18:20:00+01:00", -3600),
            ("2026-11-23 02:00", -1200),
            ("2026-11-23T02:00:30", -1170),
            ("02:19", -60),
            ("01:00:05", -4795),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        assert!(read("yesterday").unwrap_err().contains("--from \"yesterday\" is no time"));
    }

    #[test]
    fn times_within_a_sentence_are_told_the_same_way() {
        let told =
            AT.sentence("It burns since 2026-11-22T18:10:00Z, shortly after v2 (2026-11-22T18:05:00Z): bad.");
        let expected = "It burns since 18:10:00 UTC, 10m ago, shortly after v2 (18:05:00 UTC, 15m ago): bad.";
        assert_eq!(told, expected);
        assert_eq!(AT.sentence("2026-11-22T18:22:10Z"), "18:22:10 UTC, in 2m10s");
        assert_eq!(AT.sentence("no time, and 3.1× in it."), "no time, and 3.1× in it.");
    }
}
