//! Times for people: on their clock, with how far away that is.

use chrono::{FixedOffset, Local, Offset as _, TimeZone as _};

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
            let time = chrono::DateTime::parse_from_rfc3339(bare).ok().filter(|_| bare.ends_with('Z'));
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
    fn times_within_a_sentence_are_told_the_same_way() {
        let told =
            AT.sentence("It burns since 2026-11-22T18:10:00Z, shortly after v2 (2026-11-22T18:05:00Z): bad.");
        let expected = "It burns since 18:10:00 UTC, 10m ago, shortly after v2 (18:05:00 UTC, 15m ago): bad.";
        assert_eq!(told, expected);
        assert_eq!(AT.sentence("2026-11-22T18:22:10Z"), "18:22:10 UTC, in 2m10s");
        assert_eq!(AT.sentence("no time, and 3.1× in it."), "no time, and 3.1× in it.");
    }
}
