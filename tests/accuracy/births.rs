//! Many births at once: each is looked into, however many services are asked together.

use damper::slo::unit::Events;

use super::hazards::{END, Job, grows};
use super::observer::{Observer, events};
use crate::support::now_ms;
use crate::support::prometheus::{Prometheus, Version};

/// Errors that come for the first time look like everything above; where they come in many places at
/// once, backfill must still look into each.
#[tokio::test]
async fn the_first_errors_of_forty_services_are_all_counted_afterwards() {
    let begin = now_ms() / 1000 / 300 * 300 - END - 600;
    let names: Vec<String> = (0..40).map(|i| format!("service-{i}")).collect();
    let mut data = Vec::new();
    for (i, name) in (0..).zip(&names) {
        let job = Job { name, begin };
        data.extend(job.target(|_| true, 15));
        data.push(job.series("req", &[], grows(0, END)));
        let burst = 1800 + i * 105;
        data.push(job.series("err", &[("code", "500")], grows(burst, END).map(|(t, _)| (t, 40))));
    }
    let define =
        |name: &String| events(name, &format!(r#"err{{job="{name}"}}"#), &format!(r#"req{{job="{name}"}}"#));
    let yaml: String = names.iter().map(define).collect();
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).data(&data).start().await;
        let mut observer = Observer::new(&prometheus, 30, &yaml).await;
        observer.measure(begin + END).await;
        observer.backfill(begin, begin + END).await;
        for name in &names {
            let counts = observer.between(name, begin, begin + END);
            assert_eq!((counts.bad, counts.covered), (Events::whole(40), END), "{version:?} {name}");
        }
    }
}
