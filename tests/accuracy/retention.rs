//! A budget outlives Prometheus's retention: a server that never holds more than two days, and four
//! weeks in the ledger.

use damper::slo::model::Labels;
use damper::slo::time::Span;

use super::edges::{DAY, sparse};
use super::observer::{Observer, events};
use super::truth::Truth;
use crate::support::now_ms;
use crate::support::prometheus::{Prometheus, Version};
use crate::support::tsdb::Series;

const HOUR: i64 = 3600;
/// What is new in each round; the hour before is what slices need to tell differences by.
const ROUND: i64 = 47 * HOUR;

#[tokio::test]
async fn a_budget_over_four_weeks_is_right_with_a_prometheus_that_keeps_two_days() {
    let end = now_ms() / 1000 / HOUR * HOUR - HOUR;
    let begin = end - 16 * ROUND;
    let series = sparse(begin, end);
    let of = |name: &str| Truth::of(series.iter().filter(|s| s.labels["__name__"] == name), begin + 300);
    let (errors, requests) = (of("err"), of("req"));
    for version in Version::ALL {
        let mut observer: Option<Observer> = None;
        for from in (begin..end).step_by(usize::try_from(ROUND).unwrap()) {
            let held = cut(&series, from - HOUR, from + ROUND);
            let prometheus = Prometheus::of(version).data(&held).start().await;
            match &mut observer {
                Some(observer) => observer.meet(&prometheus).await,
                none => *none = Some(Observer::new(&prometheus, 30, &events("kept", "err", "req")).await),
            }
            let observer = observer.as_mut().unwrap();
            observer.backfill(from, from + ROUND).await;
        }
        let counts = observer.unwrap().window("kept", &Labels::new(), Span::from_days(28), end);
        let (from, to) = (counts.from.0, counts.to.0);
        assert_eq!((to, counts.covered), (end, 28 * DAY), "{version:?} {counts:?}");
        assert_eq!(counts.total.as_f64(), requests.between(from, to), "{version:?} {counts:?}");
        assert_eq!(counts.bad.as_f64(), errors.between(from, to), "{version:?} {counts:?}");
    }
}

/// The samples of `(from, to]`.
fn cut(series: &[Series], from: i64, to: i64) -> Vec<Series> {
    let held = |(at, _): &(i64, f64)| *at > from * 1000 && *at <= to * 1000;
    let keep = |s: &Series| Series { samples: s.samples.iter().copied().filter(held).collect(), ..s.clone() };
    series.iter().map(keep).collect()
}
