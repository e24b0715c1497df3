//! What only looks newborn, reset or idle: whatever the data does, no life that was not lived in a
//! slice is booked into it.

use damper::slo::unit::Events;

use super::observer::{Observer, events};
use super::truth::{Dice, Truth};
use crate::support::now_ms;
use crate::support::prometheus::{Prometheus, Version};
use crate::support::tsdb::Series;

/// When the trouble comes, after the data's begin, and when the data ends, in seconds.
const TROUBLE: i64 = 3 * 3600;
pub const END: i64 = TROUBLE + 2400;
const BEFORE: i64 = 1_000_000;

/// One hazard: a job of its own, and what is true.
struct Hazard {
    job: String,
    series: Vec<Series>,
    /// Events seen after the first slice of each process that had run before.
    truth: i64,
    /// Seconds in which all is known.
    known: i64,
}

/// A job whose one process has run since long before the data, scraped every 15 s.
pub struct Job<'a> {
    pub name: &'a str,
    pub begin: i64,
}

impl Job<'_> {
    pub fn series(
        &self,
        metric: &str,
        extra: &[(&str, &str)],
        samples: impl Iterator<Item = (i64, i64)>,
    ) -> Series {
        let labels = [&[("job", self.name), ("instance", "pod-1")], extra].concat();
        #[expect(clippy::cast_precision_loss, reason = "exact below 2⁵³")]
        let samples = samples.map(|(t, value)| (self.begin * 1000 + t * 1000 + 3700, value as f64));
        Series::new(metric, &labels).with(samples)
    }

    /// The target's own series while it is scraped.
    pub fn target(&self, scraped: impl Fn(i64) -> bool, every: i64) -> Vec<Series> {
        let scrapes = || (0..END / every).map(|n| n * every).filter(|t| scraped(*t));
        let start = self.begin - 500_000;
        vec![
            self.series("up", &[], scrapes().map(|t| (t, 1))),
            self.series("process_start_time_seconds", &[], scrapes().map(|t| (t, start))),
        ]
    }

    fn hazard(&self, of: Vec<Series>, scraped: impl Fn(i64) -> bool, truth: i64) -> Hazard {
        let series = of.into_iter().chain(self.target(scraped, 15)).collect();
        Hazard { job: self.name.to_owned(), series, truth, known: END }
    }
}

/// Scrapes every 15 s in `[from, to)`, of a counter that grows by 20 at each.
pub fn grows(from: i64, to: i64) -> impl Iterator<Item = (i64, i64)> {
    (from / 15..to / 15).map(|n| (n * 15, BEFORE + n * 20))
}

fn hazards(begin: i64) -> Vec<Hazard> {
    let job = |name| Job { name, begin };
    // The first slice holds two scrapes.
    let after = |from: i64, to: i64| (to - from) / 15 * 20 - 40;
    let all = after(0, END);
    let always = |_: i64| true;
    let relabelled = || {
        let job = job("relabelled");
        let routes = ["/a", "/b", "/c"];
        let old = routes.map(|r| job.series("req", &[("route", r)], grows(0, TROUBLE)));
        let new = routes.map(|r| job.series("req", &[("route", r), ("env", "prod")], grows(TROUBLE, END)));
        job.hazard(old.into_iter().chain(new).collect(), always, 3 * all)
    };
    let dip = || {
        let job = job("dip");
        let most = BEFORE + TROUBLE / 15 * 20;
        let dips = grows(0, END).map(|(t, v)| (t, v.min(most) - i64::from(t >= TROUBLE + 600)));
        job.hazard(vec![job.series("req", &[], dips)], always, after(0, TROUBLE) + 20)
    };
    let first_scrape = || {
        let job = job("first-scrape");
        let late = job.series("req", &[], grows(TROUBLE, END));
        let hazard = job.hazard(vec![late], |t| t >= TROUBLE, after(TROUBLE, END));
        Hazard { known: END - TROUBLE, ..hazard }
    };
    let joins = || {
        let job = job("joins");
        let old = job.series("req", &[], grows(0, END));
        // A second instance that has long been running, and was never scraped before.
        let mut other = job.series("req", &[], grows(TROUBLE, END));
        other.labels.insert("instance".to_owned(), "pod-2".to_owned());
        let hazard = job.hazard(vec![old, other], always, all + after(TROUBLE, END));
        // The slot in which it came counts for neither of them.
        Hazard { known: END - 30, truth: hazard.truth - 40, ..hazard }
    };
    let back = || {
        let job = job("back");
        let there = |t: i64| !(TROUBLE..TROUBLE + 1200).contains(&t);
        let series = job.series("req", &[], grows(0, END).filter(|(t, _)| there(*t)));
        job.hazard(vec![series], there, all)
    };
    let stops = || {
        let job = job("stops");
        let series = job.series("req", &[], grows(0, TROUBLE));
        let hazard = job.hazard(vec![series], |t| t < TROUBLE, after(0, TROUBLE));
        Hazard { known: TROUBLE, ..hazard }
    };
    let minute = || {
        let job = job("minute");
        let series = job.series("req", &[], grows(0, END).filter(|(t, _)| t % 60 == 0));
        let series = std::iter::once(series).chain(job.target(always, 60)).collect();
        Hazard { job: "minute".to_owned(), series, truth: (END / 60 - 1) * 80, known: END }
    };
    vec![
        relabelled(),
        dip(),
        first_scrape(),
        joins(),
        back(),
        stops(),
        minute(),
        dying(begin),
        crash_loop(begin),
    ]
}

/// Processes that start and die at any moment, with their last scrape inside a slice.
fn dying(begin: i64) -> Hazard {
    let mut dice = Dice(5);
    let job = Job { name: "dying", begin };
    let (mut series, mut truth) = (Vec::new(), 0);
    let steady = job.series("req", &[], grows(0, END));
    series.extend(job.target(|_| true, 15));
    truth += END / 15 * 20 - 40;
    for i in 0..30 {
        let born = TROUBLE - 1800 + dice.roll(3600);
        let life = 20 + dice.roll(300);
        let pod = format!("pod-{}", i + 10);
        let times = || (0..=life / 15).map(|n| born + n * 15);
        let mut all = [
            job.series("req", &[], times().map(|t| (t, 30 + (t - born) / 15 * 20))),
            job.series("up", &[], times().map(|t| (t, 1))),
            job.series("process_start_time_seconds", &[], times().map(|t| (t, begin + born - 3))),
        ];
        for one in &mut all {
            one.labels.insert("instance".to_owned(), pod.clone());
        }
        truth += 30 + life / 15 * 20;
        series.extend(all);
    }
    series.push(steady);
    Hazard { job: "dying".to_owned(), series, truth, known: END }
}

/// A process that starts again and again after less than two minutes, under the same labels.
fn crash_loop(begin: i64) -> Hazard {
    let mut dice = Dice(8);
    let job = Job { name: "crash-loop", begin };
    let mut starts = vec![-600];
    while starts.last().is_some_and(|start| *start < END) {
        let after = if starts.len() == 1 { TROUBLE + 600 } else { 50 + dice.roll(60) };
        starts.push(starts[starts.len() - 1] + after);
    }
    let start = |t: i64| *starts.iter().rfind(|start| **start <= t + 3).unwrap();
    let times = || (0..END / 15).map(|n| n * 15);
    let requests = job.series("req", &[], times().map(|t| (t, (t + 3 - start(t)) * 10)));
    let truth = Truth::of([&requests], begin).between(begin + 30, begin + END);
    #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
    let truth = truth as i64;
    let series = vec![
        requests,
        job.series("up", &[], times().map(|t| (t, 1))),
        job.series("process_start_time_seconds", &[], times().map(|t| (t, begin + start(t)))),
    ];
    Hazard { job: "crash-loop".to_owned(), series, truth, known: END }
}

#[tokio::test]
async fn nothing_that_was_not_done_is_booked() {
    let begin = now_ms() / 1000 / 300 * 300 - END - 600;
    let hazards = hazards(begin);
    let data: Vec<Series> = hazards.iter().flat_map(|h| h.series.clone()).collect();
    let yaml: String = hazards
        .iter()
        .map(|h| events(&h.job, &format!(r#"err{{job="{}"}}"#, h.job), &format!(r#"req{{job="{}"}}"#, h.job)))
        .collect();
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).data(&data).start().await;
        let mut live = Observer::new(&prometheus, 30, &yaml).await;
        live.measure(begin + TROUBLE - 60).await;
        live.backfill(begin, begin + TROUBLE - 60).await;
        live.ticks(begin + TROUBLE - 60, begin + END).await;
        let mut later = Observer::new(&prometheus, 30, &yaml).await;
        later.measure(begin + TROUBLE - 60).await;
        later.backfill(begin, begin + END).await;
        for hazard in &hazards {
            for (how, observer) in [("live", &live), ("later", &later)] {
                let counts = observer.between(&hazard.job, begin, begin + END);
                let about = format!("{version:?} {how} {}: {counts:?}", hazard.job);
                assert_eq!(counts.total, Events::whole(hazard.truth), "{about}");
                assert_eq!((counts.bad, counts.covered), (Events::ZERO, hazard.known), "{about}");
            }
        }
    }
}
