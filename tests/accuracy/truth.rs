//! What an ideal observer of every single series counts, and how far others are from it.

use crate::support::tsdb::Series;

/// Events by the time they were first seen in a sample.
pub struct Truth(Vec<(i64, f64)>);

impl Truth {
    /// Of these series: growth is counted, so is the value after a reset, and a birth counts whole.
    /// Of a series that was there by `begin` (seconds) nobody knows what came before.
    pub fn of<'a>(series: impl IntoIterator<Item = &'a Series>, begin: i64) -> Self {
        let mut events: Vec<(i64, f64)> = series.into_iter().flat_map(|s| events(s, begin)).collect();
        events.sort_by_key(|(at, _)| *at);
        let mut sum = 0.0;
        for (_, count) in &mut events {
            sum += *count;
            *count = sum;
        }
        Self(events)
    }

    /// Events in `(from, to]`, in seconds.
    pub fn between(&self, from: i64, to: i64) -> f64 {
        self.until(to) - self.until(from)
    }

    fn until(&self, secs: i64) -> f64 {
        let seen = self.0.partition_point(|(at, _)| *at <= secs * 1000);
        seen.checked_sub(1).map_or(0.0, |last| self.0[last].1)
    }
}

fn events(series: &Series, begin: i64) -> Vec<(i64, f64)> {
    let mut before = None;
    let event = |&(at, value): &(i64, f64)| {
        let count = match before.replace(value) {
            None if at <= begin * 1000 => 0.0,
            Some(before) if value >= before => value - before,
            _ => value,
        };
        (at, count)
    };
    series.samples.iter().map(event).collect()
}

/// How far an estimate is from the truth, over many windows, in parts of their mean true count.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// Root of the mean square of the error.
    pub rmse: f64,
    /// Mean error.
    pub bias: f64,
}

impl Score {
    /// From (estimate, truth) of each window.
    pub fn of(windows: &[(f64, f64)]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand windows")]
        let n = windows.len() as f64;
        let mean = windows.iter().map(|(_, truth)| truth).sum::<f64>() / n;
        let error = |(got, truth): &(f64, f64)| got - truth;
        let square = windows.iter().map(|w| error(w).powi(2)).sum::<f64>() / n;
        Self { rmse: square.sqrt() / mean, bias: windows.iter().map(error).sum::<f64>() / n / mean }
    }
}

/// Numbers that look random and are the same every time.
pub struct Dice(pub u64);

impl Dice {
    /// 0 to `sides` − 1.
    pub fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % sides
    }
}
