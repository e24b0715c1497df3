//! What only looks newborn, reset or idle: whatever the data does, no life that was not lived in a
//! slice is booked into it. Each hazard is a job of its own; all are asked together, of one server of
//! each version, tick by tick and afterwards. What comes of them is the table of `docs/reliability.md`.

mod job;
mod latency;
mod lives;
mod moved;
mod native;
pub mod page;
mod refused;
mod scrapes;
mod values;
mod victoria;

use self::page::Row;
use super::observer::{Observer, events};
use crate::support::now_ms;
use crate::support::prometheus::{Prometheus, Version};
use crate::support::tsdb::Series;
pub use job::{Job, grows};

/// When the trouble comes, after the data's begin, and when the data ends, in seconds.
const TROUBLE: i64 = 3 * 3600;
pub const END: i64 = TROUBLE + 2400;
/// What counters stand at when the data begins.
const BEFORE: i64 = 1_000_000;
/// How long before that the oldest data is.
const OLDEST: i64 = 27 * 3600;
/// When another server answers under the same address, for those to whom that happens.
const MOVE: i64 = TROUBLE + 600;

/// One hazard: a job of its own, and what is true.
pub struct Hazard {
    /// Of the job and of the SLO.
    job: String,
    row: Row,
    series: Vec<Series>,
    /// What the server holds that answers later; the same unless told otherwise.
    later: Option<Vec<Series>>,
    /// The definition.
    slo: String,
    /// Events, all and bad, seen after the first slice of each process that had run before.
    truth: (i64, i64),
    /// From when they are counted, after the data's begin.
    from: i64,
    /// More than the truth is booked, as the remark says.
    over: bool,
    /// What did not hold.
    problems: Vec<String>,
}

impl Hazard {
    /// Of `req` and `err` of the job.
    fn new(job: &str, about: (&'static str, &'static str), series: Vec<Series>, truth: (i64, i64)) -> Self {
        Self {
            row: Row { hazard: about.0, happens: about.1, remark: "", ..Row::default() },
            slo: events(job, &format!(r#"err{{job="{job}"}}"#), &format!(r#"req{{job="{job}"}}"#)),
            job: job.to_owned(),
            series,
            later: None,
            truth,
            from: 0,
            over: false,
            problems: Vec::new(),
        }
    }

    fn remark(mut self, remark: &'static str) -> Self {
        self.row.remark = remark;
        self
    }

    /// Takes down what an observer counted.
    fn note(&mut self, observer: &Observer, begin: i64, live: bool) {
        let counts = observer.between(&self.job, begin + self.from, begin + END);
        let cell = if live { &mut self.row.live } else { &mut self.row.later };
        *cell = page::counted(&counts);
        self.row.truth = page::events(self.truth);
        let about = format!("{} live {live}: {counts:?}, not {:?}", self.job, self.truth);
        let (total, bad) = (counts.total.as_f64(), counts.bad.as_f64());
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let truth = (self.truth.0 as f64, self.truth.1 as f64);
        if !self.over && (total > truth.0 || bad > truth.1) {
            self.problems.push(format!("more than there was: {about}"));
        }
    }

    /// It must have come out as in another variant.
    fn expect(&mut self, other: Row) {
        if self.row != other {
            self.problems.push(format!("{:?} and {other:?}", self.row));
        }
    }
}

/// When all data begins: the same moment of a slice on every day.
fn begin() -> i64 {
    now_ms() / 1000 / 300 * 300 - END - 600
}

fn yaml(hazards: &[Hazard]) -> String {
    hazards.iter().map(|hazard| hazard.slo.as_str()).collect()
}

#[tokio::test]
async fn nothing_that_was_not_done_is_booked() {
    let begin = begin();
    let mut hazards: Vec<Hazard> =
        [lives::all(begin), values::all(begin), scrapes::all(begin), latency::all(begin)]
            .into_iter()
            .flatten()
            .collect();
    let mut moved = moved::all(begin);
    let mut servers = Vec::new();
    for version in Version::ALL {
        let own = hazards.iter().flat_map(|h| h.series.iter().cloned());
        let data: Vec<Series> = own.chain(moved::data(&moved, version)).collect();
        servers.push(Prometheus::of(version).data(&data).start().await);
    }
    let yaml = yaml(&hazards);
    for (i, server) in servers.iter().enumerate() {
        let mut live = Observer::new(server, 30, &yaml).await;
        live.measure(begin + TROUBLE - 60).await;
        live.backfill(begin - OLDEST, begin + TROUBLE - 60).await;
        live.ticks(begin + TROUBLE - 60, begin + END).await;
        let mut later = Observer::new(server, 30, &yaml).await;
        later.measure(begin + TROUBLE - 60).await;
        later.backfill(begin - OLDEST, begin + END).await;
        for hazard in &mut hazards {
            let before = hazard.row.clone();
            hazard.note(&live, begin, true);
            hazard.note(&later, begin, false);
            if i > 0 {
                hazard.expect(before);
            }
        }
    }
    moved::run(&mut moved, &servers, begin).await;
    hazards.extend(moved);
    let refused = refused::row(&servers, begin).await;
    let rows: Vec<Row> = hazards.iter().map(|hazard| hazard.row.clone()).chain([refused]).collect();
    let problems: Vec<&String> = hazards.iter().flat_map(|hazard| &hazard.problems).collect();
    // Whoever writes the page sees there what did not hold.
    page::check(&rows);
    assert!(problems.is_empty(), "{problems:#?}");
}
