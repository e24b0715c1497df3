//! Classic histograms whose buckets change.

use super::{END, Hazard, Job, TROUBLE, grows};
use crate::accuracy::observer;
use crate::support::tsdb::Series;

const ALL: i64 = END / 15 * 20 - 40;

pub fn all(begin: i64) -> Vec<Hazard> {
    let of = |name| Job { name, begin };
    vec![renamed(&of("renamed")), rollout(&of("rollout"))]
}

fn slo(job: &Job<'_>, within: &str) -> String {
    let objective = format!("[{{percent: 99, within: {within}}}]");
    let selector = format!("'job=\"{}\"'", job.name);
    let latency = format!("{{histogram: latency_seconds, selector: {selector}, objectives: {objective}}}");
    observer::slo(job.name, &format!("  sli: {{latency: {latency}}}\n"))
}

fn count(job: &Job<'_>, pod: &str, samples: impl Iterator<Item = (i64, i64)> + Clone) -> Vec<Series> {
    vec![
        job.series("latency_seconds_count", &[("instance", pod)], samples.clone()),
        job.series("latency_seconds_bucket", &[("instance", pod), ("le", "+Inf")], samples),
    ]
}

/// Half of the requests are slower than a second, before as after.
fn renamed(job: &Job<'_>) -> Hazard {
    let about =
        ("`le` renamed", "an upgrade writes `1.0` for `1`; half of the requests are slower than that");
    let within = |from, to| grows(from, to).map(|(t, v)| (t, v / 2));
    let mut series = job.always(count(job, "pod-1", grows(0, END)));
    series.push(job.series("latency_seconds_bucket", &[("le", "1")], within(0, TROUBLE)));
    series.push(job.series("latency_seconds_bucket", &[("le", "1.0")], within(TROUBLE, END)));
    let hazard = Hazard::new(job.name, about, series, (ALL, ALL / 2));
    Hazard { slo: slo(job, "1s"), ..hazard }
}

/// The second of two pods restarts with other bounds. All requests are fast.
fn rollout(job: &Job<'_>) -> Hazard {
    let about =
        ("buckets change in a rollout", "half of the pods lack the bound from now on; all requests are fast");
    let bucket =
        |pod, samples| job.series("latency_seconds_bucket", &[("instance", pod), ("le", "0.3")], samples);
    let anew = || (TROUBLE / 15..END / 15).map(|n| (n * 15, (n - TROUBLE / 15) * 20 + 7));
    let all = || grows(0, TROUBLE).chain(anew());
    let mut series = job.always(count(job, "pod-1", grows(0, END)));
    series.push(bucket("pod-1", grows(0, END).collect::<Vec<_>>().into_iter()));
    series.extend(count(job, "pod-2", all()));
    series.push(bucket("pod-2", grows(0, TROUBLE).collect::<Vec<_>>().into_iter()));
    let start = |t: i64| job.begin + if t < TROUBLE { -400_000 } else { TROUBLE - 5 };
    series.push(job.series("up", &[("instance", "pod-2")], all().map(|(t, _)| (t, 1))));
    series.push(job.series(
        "process_start_time_seconds",
        &[("instance", "pod-2")],
        all().map(|(t, _)| (t, start(t))),
    ));
    let restarted = 7 + (END - TROUBLE) / 15 * 20 - 20;
    let before = TROUBLE / 15 * 20 - 40;
    let hazard = Hazard::new(job.name, about, series, (ALL + before + restarted, 0));
    Hazard { slo: slo(job, "300ms"), ..hazard }.remark("from then on nothing is known, and it is said; up to ten slow requests in a slice are believed unseen")
}
