//! Forty days of sparse data: every window, from five minutes to thirty days, is what an ideal
//! observer counts between the window's own edges.

use damper::slo::model::Labels;
use damper::slo::time::Span;

use super::observer::{Observer, events};
use super::truth::{Dice, Truth};
use crate::support::now_ms;
use crate::support::prometheus::{Prometheus, Version};
use crate::support::tsdb::Series;

pub const DAY: i64 = 86_400;
const DAYS: i64 = 40;

/// Scraped each minute; events come in spells and rest for an hour around each restart. One series is
/// born on a late day, one ends on an early one.
pub fn sparse(begin: i64, end: i64) -> Vec<Series> {
    let mut dice = Dice(11);
    let mut series = |metric: &str, i: i64, most: i64, lives: (i64, i64)| {
        let phase = dice.roll(60_000);
        let (mut count, mut samples) = (dice.roll(5000), Vec::new());
        if lives.0 > 0 {
            count = 0;
        }
        for minute in lives.0 * 1440..(lives.1 * 1440).min((end - begin) / 60) {
            // A restart every nine days, in the middle of the rest.
            let hour = minute.rem_euclid(1440) / 60;
            if (minute + 30) % (9 * 1440) == i * 1440 {
                count = 0;
            }
            let rests = hour == 23 || hour == 0;
            count += if rests || dice.roll(3) > 0 { 0 } else { dice.roll(most) };
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            samples.push((begin * 1000 + minute * 60_000 + phase, count as f64));
        }
        let pod = format!("pod-{i}");
        Series::new(metric, &[("job", "shop"), ("instance", &pod)]).with(samples)
    };
    vec![
        series("req", 1, 200, (0, DAYS + 1)),
        series("req", 2, 200, (18, DAYS + 1)),
        series("req", 3, 100, (0, 31)),
        series("err", 1, 9, (0, DAYS + 1)),
        series("err", 2, 9, (18, DAYS + 1)),
    ]
}

#[tokio::test]
async fn every_window_is_the_truth_between_its_own_edges() {
    let end = now_ms() / 30_000 * 30 - 600;
    let begin = (end - DAYS * DAY) / 3600 * 3600;
    let series = sparse(begin, end);
    let of = |name: &str| Truth::of(series.iter().filter(|s| s.labels["__name__"] == name), begin + 300);
    let (errors, requests) = (of("err"), of("req"));
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).data(&series).start().await;
        let yaml = events("sparse", "err", "req").replace("28d", "30d");
        let mut observer = Observer::new(&prometheus, 30, &yaml).await;
        observer.measure(end).await;
        observer.backfill(end - 32 * DAY, end).await;
        for window in ["5m", "30m", "1h", "2h", "6h", "1d", "3d", "28d", "30d"] {
            let span: Span = window.parse().unwrap();
            let counts = observer.window("sparse", &Labels::new(), span, end);
            let (from, to) = (counts.from.0, counts.to.0);
            assert!(from <= end - span.secs() && from > end - span.secs() - 3600 && to == end, "{counts:?}");
            assert_eq!(counts.total.as_f64(), requests.between(from, to), "{version:?} {window} {counts:?}");
            assert_eq!(counts.bad.as_f64(), errors.between(from, to), "{version:?} {window} {counts:?}");
            assert_eq!(counts.covered, to - from, "{version:?} {window} {counts:?}");
        }
    }
}
