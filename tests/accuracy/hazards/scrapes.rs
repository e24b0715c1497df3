//! Scrapes that are rare or stop, and what is never there.

use super::job::after;
use super::{BEFORE, END, Hazard, Job, TROUBLE, grows};

pub fn all(begin: i64) -> Vec<Hazard> {
    let of = |name| Job { name, begin };
    vec![
        minute(&of("minute")),
        six_minutes(&of("six-minutes")),
        stops(&of("stops")),
        no_such_label(&of("no-such-label")),
    ]
}

fn minute(job: &Job<'_>) -> Hazard {
    let about = ("scraped every minute", "every other slice has no sample");
    let mut series = job.target(|_| true, 60);
    series.push(job.series("req", &[], grows(0, END).filter(|(t, _)| t % 60 == 0)));
    Hazard::new(job.name, about, series, ((END / 60 - 1) * 80, 0))
}

fn six_minutes(job: &Job<'_>) -> Hazard {
    let about = ("scraped every 6 minutes", "rarer than Prometheus looks back for a sample");
    let mut series = job.target(|_| true, 360);
    series.push(job.series("req", &[], (0..END / 360).map(|n| (n * 360, BEFORE + n * 480))));
    Hazard::new(job.name, about, series, ((END / 360 - 1) * 480, 0))
}

fn stops(job: &Job<'_>) -> Hazard {
    let about = ("samples stop", "without a marker, as when an agent is cut off");
    let mut series = job.target(|t| t < TROUBLE, 15);
    series.push(job.series("req", &[], grows(0, TROUBLE)));
    Hazard::new(job.name, about, series, (after(0, TROUBLE), 0)).remark("it does not read as idle")
}

fn no_such_label(job: &Job<'_>) -> Hazard {
    let about = ("no such label", "`bad` names a label that no series has; one request in ten fails");
    let errors = grows(0, END).map(|(t, _)| (t, 5000 + t / 15 * 2));
    let series = job.always(vec![
        job.series("req", &[("code", "200")], grows(0, END)),
        job.series("req", &[("code", "500")], errors),
    ]);
    let name = job.name;
    let (bad, total) = (format!(r#"req{{job="{name}",kode="500"}}"#), format!(r#"req{{job="{name}"}}"#));
    let slo = super::events(name, &bad, &total);
    let hazard = Hazard::new(name, about, series, ((END / 15 - 2) * 22, (END / 15 - 2) * 2));
    Hazard { slo, ..hazard }.remark("nothing is bad; it is shown as `unproven` until a bad event was seen")
}
