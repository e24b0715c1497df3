//! VictoriaMetrics gives flat copies for the newest half minute unless it is asked not to, which would
//! read as an idle service and count nothing, for ever.

use std::time::Duration;

use damper::prometheus::SourceKind;

use super::page::{self, Row};
use super::{BEFORE, Job};
use crate::accuracy::observer::{Observer, events};
use crate::support::victoria::VictoriaMetrics;
use crate::support::{now_ms, wait_until};

const STEP: i64 = 6;
const LENGTH: i64 = 600;

#[tokio::test]
async fn the_newest_slices_of_victoria_metrics_are_no_flat_copies() {
    let server = VictoriaMetrics::start().await;
    let end = now_ms() / 1000 / STEP * STEP;
    let job = Job { name: "flat", begin: end - LENGTH };
    // Each second, half a second after it; three requests and an error.
    let mut series = vec![
        job.series("req", &[], (0..LENGTH).map(|t| (t, BEFORE + t * 3))),
        job.series("err", &[], (0..LENGTH).map(|t| (t, 600 + t))),
        job.series("up", &[], (0..LENGTH).map(|t| (t, 1))),
    ];
    series.iter_mut().flat_map(|s| &mut s.samples).for_each(|(at, _)| *at -= 3200);
    server.import(&series).await;

    let yaml = events("flat", r#"err{job="flat"}"#, r#"req{job="flat"}"#);
    let mut observer = Observer::at(&server.url(), SourceKind::VictoriaMetrics, 6, &yaml).await;
    observer.measure(end).await;
    observer.backfill(end - LENGTH, end - 60).await;
    observer.tick(end).await;
    // That it is a hazard: as it answers by itself, the newest do not differ.
    let flat = async || {
        let theirs = server.range(r#"last_over_time(req{job="flat"}[6s])"#, end - 60, end, STEP).await;
        theirs.windows(2).filter(|pair| pair[0] == pair[1]).count()
    };
    assert!(flat().await >= 4);
    // It knows no `latency_offset` yet, so that a source without `delay` is idle at first.
    let mut delayed = Observer::at(&server.url(), SourceKind::VictoriaMetrics, 6, &yaml).await;
    delayed.measure(end).await;
    delayed.tick(end - 30).await;
    let counts = delayed.between("flat", end - 84, end - 30);
    assert_eq!((counts.total.as_f64(), counts.bad.as_f64()), (9.0 * 18.0, 9.0 * 6.0), "{counts:?}");

    // The ticks that ask for the same slices again.
    let over = async || (flat().await == 0).then_some(());
    wait_until(Duration::from_secs(60), "the latency offset to pass", over).await;
    observer.ticks(end, end + 36).await;
    let counts = observer.between("flat", end - 60, end);
    let mut later = Observer::at(&server.url(), SourceKind::VictoriaMetrics, 6, &yaml).await;
    later.measure(end).await;
    later.backfill(end - LENGTH, end).await;
    let row = Row {
        hazard: "flat copies",
        happens: "VictoriaMetrics, slices of 6s within its latency offset of 30s",
        truth: page::events((180, 60)),
        live: page::counted(&counts),
        later: page::counted(&later.between("flat", end - 60, end)),
        remark: "asked with `latency_offset=1ms`, which 1.79 does not know yet: there the newest 30s read as idle \
                 and are healed when they are asked again; with `delay: 30s` they never do",
    };
    page::check(&[row]);
}
