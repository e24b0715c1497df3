//! Values that only look reset, and resets that hide.

use super::job::after;
use super::{BEFORE, END, Hazard, Job, TROUBLE, grows};
use crate::accuracy::truth::{Dice, Truth};
use crate::support::tsdb::Series;

const ALL: i64 = END / 15 * 20 - 40;

pub fn all(begin: i64) -> Vec<Hazard> {
    let of = |name| Job { name, begin };
    vec![
        dip(&of("dip")),
        recorded(&of("recorded")),
        balanced(&of("balanced")),
        two_resets(&of("two-resets")),
        ends(&of("ends")),
        dying(&of("dying")),
        crash_loop(&of("crash-loop")),
        beyond_exact(&of("beyond-exact")),
        duplicate(&of("duplicate")),
    ]
}

fn dip(job: &Job<'_>) -> Hazard {
    let about = ("dip by one", "a counter stands still and falls by one, as after a switch of replicas");
    let most = BEFORE + TROUBLE / 15 * 20;
    let dips = grows(0, END).map(|(t, v)| (t, v.min(most) - i64::from(t >= TROUBLE + 600)));
    Hazard::new(job.name, about, job.always(vec![job.series("req", &[], dips)]), (after(0, TROUBLE) + 20, 0))
}

/// Three pods of 20 a scrape; the third leaves for ten minutes and stands still meanwhile.
fn recorded(job: &Job<'_>) -> Hazard {
    let about =
        ("recorded sum", "`job:req:sum` loses one of three members for ten minutes, and has it again");
    let away = |t: i64| (TROUBLE..TROUBLE + 600).contains(&t);
    let third = |t: i64| BEFORE + (t.min(TROUBLE) + (t - TROUBLE - 600).max(0)) / 15 * 20;
    let sum = |(t, v): (i64, i64)| (t, 2 * v + if away(t) { 0 } else { third(t) });
    let series = vec![job.series("job:req:sum", &[], grows(0, END).map(sum))];
    let (bad, total) = (r#"job:err:sum{job="recorded"}"#, r#"job:req:sum{job="recorded"}"#);
    let events = format!("{{bad: '{bad}', total: '{total}', counter: aggregated}}");
    let slo = crate::accuracy::observer::slo(
        job.name,
        &format!("  objective: 99.9\n  sli: {{events: {events}}}\n"),
    );
    let hazard = Hazard::new(job.name, about, job.always(series), (3 * ALL - 600 / 15 * 20, 0));
    Hazard { slo, ..hazard }.remark("the slices in which it leaves and comes back count nothing")
}

/// A balancer hides two processes behind one address; each is scraped for twelve minutes in turn.
fn balanced(job: &Job<'_>) -> Hazard {
    let about = ("two processes, one address", "scrapes of one target reach one of two processes in turn");
    let second = |t: i64| t >= TROUBLE && (t - TROUBLE) / 90 % 2 == 1;
    let requests = grows(0, END).map(|(t, v)| (t, if second(t) { v / 4 } else { v }));
    let start = grows(0, END).map(|(t, _)| (t, job.begin - if second(t) { 400_000 } else { 500_000 }));
    let mut series =
        vec![job.series("req", &[], requests), job.series("up", &[], grows(0, END).map(|(t, _)| (t, 1)))];
    series.push(job.series("process_start_time_seconds", &[], start));
    Hazard::new(job.name, about, series, (ALL, 0)).remark("slices in which it changes are not known")
}

/// A process that starts twice between two scrapes of a slice, and lives on.
fn two_resets(job: &Job<'_>) -> Hazard {
    let about = ("two resets in a slice", "a process restarts at each of two scrapes of one slice");
    let start = |t: i64| match t - TROUBLE {
        ..0 => -500_000,
        0..15 => TROUBLE - 5,
        _ => TROUBLE + 10,
    };
    let count = |t: i64| if t < TROUBLE { BEFORE + t / 15 * 20 } else { (t - start(t)) * 10 };
    let times = || grows(0, END).map(|(t, _)| t);
    let requests = job.series("req", &[], times().map(|t| (t, count(t))));
    let truth = seen(&requests, job.begin);
    let series = vec![
        requests,
        job.series("up", &[], times().map(|t| (t, 1))),
        job.series("process_start_time_seconds", &[], times().map(|t| (t, job.begin + start(t)))),
    ];
    Hazard::new(job.name, about, series, (truth, 0)).remark("of three in one slice the middle life is lost")
}

/// What an ideal observer of the series counts.
fn seen(series: &Series, begin: i64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
    let seen = Truth::of([series], begin + 30).between(begin + 30, begin + END) as i64;
    seen
}

fn ends(job: &Job<'_>) -> Hazard {
    let about = ("ends inside a slice", "a series is scraped for the last time in the middle of a slice");
    let last = TROUBLE + 15;
    let mut series = job.always(vec![job.series("req", &[], grows(0, END))]);
    series.push(job.series("req", &[("instance", "pod-2")], grows(0, last)));
    series.extend(job.instance("pod-2", -400_000, (0..last).step_by(15)));
    Hazard::new(job.name, about, series, (ALL + after(0, last), 0))
}

/// Processes that start and die at any moment, with their last scrape inside a slice.
fn dying(job: &Job<'_>) -> Hazard {
    let about =
        ("short lives", "thirty processes start and die at any moment, each under a label of its own");
    let mut dice = Dice(5);
    let (mut series, mut truth) = (job.always(vec![job.series("req", &[], grows(0, END))]), ALL);
    for i in 0..30 {
        let born = TROUBLE - 1800 + dice.roll(3600);
        let life = 20 + dice.roll(300);
        let pod = format!("pod-{}", i + 10);
        let times = || (0..=life / 15).map(|n| born + n * 15);
        series.push(job.series(
            "req",
            &[("instance", &pod)],
            times().map(|t| (t, 30 + (t - born) / 15 * 20)),
        ));
        series.extend(job.instance(&pod, born - 3, times()));
        truth += 30 + life / 15 * 20;
    }
    Hazard::new(job.name, about, series, (truth, 0))
}

/// A process that starts again and again after less than two minutes, under the same labels.
fn crash_loop(job: &Job<'_>) -> Hazard {
    let about = ("crash loop", "a process restarts every minute or two, under the same labels");
    let mut dice = Dice(8);
    let mut starts = vec![-600];
    while starts.last().is_some_and(|start| *start < END) {
        let after = if starts.len() == 1 { TROUBLE + 600 } else { 50 + dice.roll(60) };
        starts.push(starts[starts.len() - 1] + after);
    }
    let start = |t: i64| *starts.iter().rfind(|start| **start <= t + 3).unwrap();
    let times = || grows(0, END).map(|(t, _)| t);
    let requests = job.series("req", &[], times().map(|t| (t, (t + 3 - start(t)) * 10)));
    let truth = seen(&requests, job.begin);
    let series = vec![
        requests,
        job.series("up", &[], times().map(|t| (t, 1))),
        job.series("process_start_time_seconds", &[], times().map(|t| (t, job.begin + start(t)))),
    ];
    Hazard::new(job.name, about, series, (truth, 0))
}

fn beyond_exact(job: &Job<'_>) -> Hazard {
    let about = ("beyond 2⁵³", "two counters, at 9.1 and at 20 quadrillion");
    let from = |base: i64| grows(0, END).map(move |(t, v)| (t, base + v));
    let series = job.always(vec![
        job.series("req", &[("route", "/a")], from(9_100_000_000_000_000)),
        job.series("req", &[("route", "/b")], from(20_000_000_000_000_000)),
    ]);
    Hazard::new(job.name, about, series, (2 * ALL, 0))
}

fn duplicate(job: &Job<'_>) -> Hazard {
    let about = ("duplicate target", "the same process is scraped under two sets of labels from now on");
    let errors = |from| grows(from, END).map(|(t, _)| (t, 600 + (t - TROUBLE - 300).max(0) / 15));
    let twin = [("instance", "pod-1"), ("endpoint", "twin")];
    let mut series =
        job.always(vec![job.series("req", &[], grows(0, END)), job.series("err", &[], errors(0))]);
    let mut second = job.instance("pod-1", -500_000, (TROUBLE..END).step_by(15));
    second.push(job.series("req", &twin, grows(TROUBLE, END)));
    second.push(job.series("err", &twin, errors(TROUBLE)));
    for one in &mut second {
        one.labels.insert("endpoint".to_owned(), "twin".to_owned());
        // No two targets are scraped at one moment.
        one.samples.iter_mut().for_each(|(at, _)| *at += 4000);
    }
    series.extend(second);
    let errors = (END - 15 - TROUBLE - 300) / 15;
    let hazard = Hazard::new(job.name, about, series, (ALL, errors));
    Hazard { over: true, ..hazard }
        .remark("its life is withheld; from then on events count twice, and the error rate is right")
}
