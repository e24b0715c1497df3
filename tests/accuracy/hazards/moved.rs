//! One address, and not always the same server behind it, or not yet the same samples: each version
//! answers first in one variant and later in the other.

use super::{BEFORE, END, Hazard, Job, MOVE, OLDEST, TROUBLE, grows, yaml};
use crate::accuracy::observer::Observer;
use crate::support::prometheus::{Prometheus, Version};
use crate::support::tsdb::Series;

const ALL: i64 = END / 15 * 20 - 40;
/// When the first server is gone.
const LOST: i64 = MOVE - 300;

/// What is the same of both variants.
pub struct Moved {
    lost: [Hazard; 2],
    late: [Hazard; 2],
    replicas: [Hazard; 2],
}

pub fn all(begin: i64) -> Moved {
    let of = |names: [&'static str; 2]| names.map(|name| Job { name, begin });
    Moved {
        lost: of(["lost-disk-old", "lost-disk-new"]).map(|job| lost(&job)),
        late: of(["late-old", "late-new"]).map(|job| late(&job)),
        replicas: of(["replicas-old", "replicas-new"]).map(|job| replicas(&job)),
    }
}

impl IntoIterator for Moved {
    type Item = Hazard;
    type IntoIter = std::vec::IntoIter<Hazard>;

    /// One of each two variants, which are alike.
    fn into_iter(self) -> Self::IntoIter {
        let ([lost, _], [late, _], [replicas, _]) = (self.lost, self.late, self.replicas);
        vec![lost, late, replicas].into_iter()
    }
}

/// What a server of this version holds.
pub fn data(moved: &Moved, version: Version) -> Vec<Series> {
    let pairs = [&moved.lost, &moved.late, &moved.replicas].into_iter();
    let all = pairs.flat_map(|pair| pair.iter().zip([Version::Old, Version::New]));
    let held = |(hazard, first): (&Hazard, Version)| match &hazard.later {
        Some(later) if first != version => later.clone(),
        _ => hazard.series.clone(),
    };
    all.flat_map(held).collect()
}

/// The disk is lost, and five minutes later an empty server goes on.
fn lost(job: &Job<'_>) -> Hazard {
    let about = ("Prometheus loses its disk", "it is down for five minutes, and empty when it is back");
    let errors = |from, to| grows(from, to).map(|(t, _)| (t, 5000 + (t - TROUBLE).max(0) / 15));
    let held = |from: i64, to: i64| {
        let mut series = job.target(|t| (from..to).contains(&t), 15);
        series.push(job.series("req", &[], grows(from, to)));
        series.push(job.series("err", &[], errors(from, to)));
        series
    };
    let bad = (END - 15 - TROUBLE) / 15;
    let hazard = Hazard::new(job.name, about, held(0, LOST), (ALL, bad));
    Hazard { later: Some(held(MOVE, END)), ..hazard }
        .remark("what was known stays; backfill can only know what is there")
}

/// Samples of ten minutes come at once when the agent reaches the server again.
fn late(job: &Job<'_>) -> Hazard {
    let about =
        ("samples late by 10 minutes", "an agent cannot write for ten minutes, and then writes all of it");
    let errors = |to| grows(0, to).map(|(t, _)| (t, 600 + 3 * ((t - TROUBLE).clamp(0, 450)) / 15));
    let held = |to: i64| {
        let mut series = job.target(|t| t < to, 15);
        series.push(job.series("req", &[], grows(0, to)));
        series.push(job.series("err", &[], errors(to)));
        series
    };
    let hazard = Hazard::new(job.name, about, held(TROUBLE), (ALL, 90));
    Hazard { later: Some(held(END)), ..hazard }.remark("asked again once samples go on")
}

/// Two replicas scrape the same process, seven seconds apart, and a balancer is before them.
fn replicas(job: &Job<'_>) -> Hazard {
    let about =
        ("two replicas, one address", "every other question reaches a replica that scrapes 7 seconds later");
    let errors = |t: i64| 600 + t.max(0) / 437 * 30;
    let held = |phase: i64| {
        let mut series = job.target(|_| true, 15);
        let times = || grows(0, END).map(|(t, _)| t);
        series.push(job.series("req", &[], times().map(|t| (t, BEFORE + (t + phase) * 2))));
        series.push(job.series("err", &[], times().map(|t| (t, errors(t + phase)))));
        series.iter_mut().flat_map(|s| &mut s.samples).for_each(|(at, _)| *at += phase * 1000);
        series
    };
    let bad = errors(END - 15) - errors(15);
    let hazard = Hazard::new(job.name, about, held(0), ((END - 30) * 2, bad));
    Hazard { later: Some(held(7)), over: true, ..hazard }
        .remark("no life; a burst between the two scrapes may count twice or not at all: give one replica as `url`, or pin clients to one")
}

pub async fn run(moved: &mut Moved, servers: &[Prometheus], begin: i64) {
    for (of, stops) in [(&mut moved.lost, LOST), (&mut moved.late, MOVE)] {
        for (i, hazard) in of.iter_mut().enumerate() {
            let (first, then) = (&servers[i], &servers[1 - i]);
            let mut live = started(first, std::slice::from_ref(hazard), begin).await;
            live.ticks(begin + TROUBLE - 60, begin + stops).await;
            live.meet(then).await;
            live.ticks(begin + MOVE, begin + END).await;
            hazard.note(&live, begin, true);
            // Asked again as a whole, by somebody who knows it all.
            live.backfill(begin - OLDEST, begin + END).await;
            let before = hazard.row.clone();
            hazard.note(&live, begin, true);
            hazard.expect(before);
            let mut later = Observer::new(then, 30, &yaml(std::slice::from_ref(hazard))).await;
            later.measure(begin + END).await;
            later.backfill(begin - OLDEST, begin + END).await;
            hazard.note(&later, begin, false);
        }
        let other = of[1].row.clone();
        of[0].expect(other);
    }
    for (i, hazard) in moved.replicas.iter_mut().enumerate() {
        let mut live = started(&servers[i], std::slice::from_ref(hazard), begin).await;
        for (n, at) in (begin + TROUBLE - 60..=begin + END).step_by(30).enumerate() {
            live.meet(&servers[(i + n) % 2]).await;
            live.tick(at).await;
        }
        hazard.note(&live, begin, true);
        let mut later = started(&servers[i], std::slice::from_ref(hazard), begin).await;
        later.backfill(begin - OLDEST, begin + END).await;
        hazard.note(&later, begin, false);
    }
    let other = moved.replicas[1].row.clone();
    moved.replicas[0].expect(other);
}

/// One that knows all until shortly before the trouble.
async fn started(server: &Prometheus, hazard: &[Hazard], begin: i64) -> Observer {
    let mut live = Observer::new(server, 30, &yaml(hazard)).await;
    live.measure(begin + TROUBLE - 60).await;
    live.backfill(begin - OLDEST, begin + TROUBLE - 60).await;
    live
}
