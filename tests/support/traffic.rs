//! Requests that services answer, some of them with an error, ten times a second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::exporter::{Metrics, Target};

/// Counts requests: `http_requests_total{service, code}`.
pub const REQUESTS: &str = "http_requests_total";

/// Each service answers 100 requests a second, ten at a time; its first error gives birth to `code="500"`.
pub struct Traffic {
    /// By service: how many of ten requests fail.
    services: Arc<Mutex<BTreeMap<String, u32>>>,
    task: JoinHandle<()>,
}

impl Traffic {
    /// Begins; all is well until [`Self::fail`].
    pub fn start(target: &Target, services: &[&str]) -> Self {
        let services: BTreeMap<String, u32> = services.iter().map(|name| ((*name).to_owned(), 0)).collect();
        let services = Arc::new(Mutex::new(services));
        let (counted, target) = (Arc::clone(&services), target.clone());
        let task = tokio::spawn(async move {
            let mut tenth = tokio::time::interval(Duration::from_millis(100));
            loop {
                tenth.tick().await;
                let services = counted.lock().unwrap().clone();
                target.change(|metrics| services.iter().for_each(|(name, bad)| count(metrics, name, *bad)));
            }
        });
        Self { services, task }
    }

    /// From now on so many of ten requests to this service fail.
    pub fn fail(&self, service: &str, of_ten: u32) {
        *self.services.lock().unwrap().get_mut(service).expect("a service of this traffic") = of_ten;
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn count(metrics: &mut Metrics, service: &str, bad: u32) {
    for (code, by) in [("200", 10 - bad), ("500", bad)] {
        if by > 0 {
            metrics.add(REQUESTS, &[("service", service), ("code", code)], f64::from(by));
        }
    }
}
