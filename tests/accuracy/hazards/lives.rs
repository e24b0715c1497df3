//! Old lives that look new: series, targets and data that begin late.

use super::job::after;
use super::{BEFORE, END, Hazard, Job, TROUBLE, grows};
use crate::support::tsdb::Series;

pub fn all(begin: i64) -> Vec<Hazard> {
    let of = |name| Job { name, begin };
    vec![
        relabelled(&of("relabelled")),
        relabelled_while_down(&of("relabelled-while-down")),
        first_scrape(&of("first-scrape")),
        joins(&of("joins")),
        new_job(&of("new-job")),
        back(&of("back")),
        back_in_turn(&of("back-in-turn")),
        back_after_a_day(&of("back-after-a-day")),
        retention(&of("retention")),
        undropped(&of("undropped")),
    ]
}

/// When the target that is away for a day is first seen.
const LONG_AGO: i64 = -24 * 3600;

const ALL: i64 = END / 15 * 20 - 40;

fn always(_: i64) -> bool {
    true
}

fn routes(job: &Job<'_>, extra: &[(&str, &str)], from: i64, to: i64) -> impl Iterator<Item = Series> {
    let errors = move |t: i64| 5000 + if t >= TROUBLE + 300 { 30 } else { 0 };
    let of = |route| {
        let labels = [extra, &[("route", route)]].concat();
        let errors = grows(from, to).map(move |(t, _)| (t, errors(t)));
        [job.series("req", &labels, grows(from, to)), job.series("err", &labels, errors)]
    };
    ["/a", "/b", "/c"].map(of).into_iter().flatten()
}

fn relabelled(job: &Job<'_>) -> Hazard {
    let about = ("relabel", "one rule adds a label to every series of a service at once");
    let (old, new) = (routes(job, &[], 0, TROUBLE), routes(job, &[("env", "prod")], TROUBLE, END));
    let series = job.always(old.chain(new).collect());
    Hazard::new(job.name, about, series, (3 * ALL, 90))
}

fn relabelled_while_down(job: &Job<'_>) -> Hazard {
    let about = ("relabel at a restart", "the same, while Prometheus is down for three minutes");
    let there = |t: i64| !(TROUBLE - 180..TROUBLE).contains(&t);
    let (old, new) = (routes(job, &[], 0, TROUBLE - 180), routes(job, &[("env", "prod")], TROUBLE, END));
    let series = job.target(there, 15).into_iter().chain(old).chain(new).collect();
    Hazard::new(job.name, about, series, (3 * ALL, 90))
}

fn first_scrape(job: &Job<'_>) -> Hazard {
    let about = ("first scrape", "a service that has long been running is scraped for the first time");
    let mut series = job.target(|t| t >= TROUBLE, 15);
    series.push(job.series("req", &[], grows(TROUBLE, END)));
    series.push(job.series("err", &[], grows(TROUBLE, END).map(|(t, _)| (t, 8))));
    Hazard::new(job.name, about, series, (after(TROUBLE, END), 0))
}

/// A second instance that has long been running, and was never scraped before.
fn joins(job: &Job<'_>) -> Hazard {
    let about = ("old instance joins", "an instance that has long been running is scraped from now on");
    let late = (TROUBLE..END).step_by(15);
    let mut series = job.always(vec![job.series("req", &[], grows(0, END))]);
    series.extend(job.instance("pod-2", -400_000, late));
    series.push(job.series("req", &[("instance", "pod-2")], grows(TROUBLE, END)));
    Hazard::new(job.name, about, series, (ALL + after(TROUBLE, END), 0))
        .remark("the slice in which it comes counts for nobody")
}

fn new_job(job: &Job<'_>) -> Hazard {
    let about = ("new job of an old service", "a second scrape job finds a long-running part of the service");
    let labels = [("service", "new-job")];
    let other = Job { name: "new-job-too", begin: job.begin };
    let late = (TROUBLE..END).step_by(15);
    let mut series = job.always(vec![job.series("req", &labels, grows(0, END))]);
    series.extend(other.instance("pod-1", -400_000, late));
    series.push(other.series("req", &labels, grows(TROUBLE, END)));
    series.push(other.series("err", &labels, grows(TROUBLE, END).map(|(t, _)| (t, 700))));
    let slo = super::events(job.name, r#"err{service="new-job"}"#, r#"req{service="new-job"}"#);
    let hazard = Hazard::new(job.name, about, series, (ALL + after(TROUBLE, END), 0));
    Hazard { slo, ..hazard }.remark("the slice in which it comes counts for nobody")
}

fn back(job: &Job<'_>) -> Hazard {
    let about = ("back after 20 minutes", "a target is not scraped for twenty minutes, twice the lookback");
    let there = |t: i64| !(TROUBLE..TROUBLE + 1200).contains(&t);
    let mut series = job.target(there, 15);
    series.push(job.series("req", &[], grows(0, END).filter(|(t, _)| there(*t))));
    Hazard::new(job.name, about, series, (ALL, 0)).remark("spread over the time it was away")
}

/// As of a zone that is cut off from Prometheus alone.
fn back_in_turn(job: &Job<'_>) -> Hazard {
    let about = (
        "back one after the other",
        "of three targets two are not scraped for an hour, and return a slice apart",
    );
    let mut series = job.always(vec![job.series("req", &[], grows(0, END))]);
    for (pod, until) in [("pod-2", TROUBLE + 1200), ("pod-3", TROUBLE + 1230)] {
        let there = move |t: i64| !(TROUBLE - 2400..until).contains(&t);
        let seen = move || grows(0, END).filter(move |(t, _)| there(*t));
        series.extend(job.instance(pod, -500_000, seen().map(|(t, _)| t)));
        series.push(job.series("req", &[("instance", pod)], seen()));
    }
    Hazard::new(job.name, about, series, (3 * ALL, 0)).remark("spread over the time they were away")
}

fn back_after_a_day(job: &Job<'_>) -> Hazard {
    let about = ("back after a day", "a target is not scraped for 25 hours");
    let times = || grows(LONG_AGO, END).filter(|(t, _)| !(-22 * 3600..TROUBLE).contains(t));
    let mut series = job.instance("pod-1", -500_000, times().map(|(t, _)| t));
    series.push(job.series("req", &[], times()));
    let hazard = Hazard::new(job.name, about, series, (after(LONG_AGO, END), 0));
    Hazard { from: LONG_AGO, ..hazard }.remark("absent while it was away, and what it did then is not booked")
}

/// The data begin where older blocks were deleted; each target is first seen at its own moment.
fn retention(job: &Job<'_>) -> Hazard {
    let about =
        ("edge of retention", "data begin in the middle of old lives, of each target at its own moment");
    let minutes = || (0..(END - 50) / 60).map(|n| (50 + n * 60, BEFORE + n * 80));
    let mut series = job.always(vec![
        job.series("req", &[], grows(0, END)),
        job.series("err", &[], grows(0, END).map(|(t, _)| (t, 8))),
        job.series("req", &[("instance", "pod-2")], minutes()),
    ]);
    series.extend(job.instance("pod-2", -500_000, minutes().map(|(t, _)| t)));
    let second = ((END - 50) / 60 - 1) * 80;
    Hazard::new(job.name, about, series, (ALL + second, 0)).remark("the first slices count differences only")
}

/// What is kept now was counted all along.
fn undropped(job: &Job<'_>) -> Hazard {
    let about =
        ("rule stops dropping", "series of a target that were dropped when scraped are kept from now on");
    let kept = job.series("req", &[("route", "/a")], grows(0, END));
    let late = job.series("req", &[("route", "/b")], grows(TROUBLE, END));
    let hazard =
        Hazard::new(job.name, about, job.always(vec![kept, late]), (ALL + after(TROUBLE, END) + 20, 0));
    Hazard { over: true, ..hazard }.remark(
        "**does not hold**: nothing tells it from the first events of a target that was up, which must count",
    )
}
