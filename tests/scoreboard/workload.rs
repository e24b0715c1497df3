//! A simulated workload as Kubernetes runs it: replicas that take time to start, a quota, rollouts,
//! and how much of what is asked of them fails.
//!
//! Requests are a fluid, spread evenly over the ready replicas. A replica fails what exceeds its
//! capacity, and begins to fail a little before that, as one does whose requests queue.

/// How full a replica is when its requests begin to queue.
const QUEUES_FROM: f64 = 0.85;
/// The share of a full replica's requests that fail for having queued too long.
const QUEUED_FAIL: f64 = 0.02;
/// The share that fails whatever is done: a tenth of the budget of 99.9 %.
const ALWAYS_FAIL: f64 = 0.0001;
/// What is left of the capacity of a replica that leaks, however old it is.
const LEAKS_DOWN_TO: f64 = 0.3;

/// What is true of every replica of a workload.
#[derive(Clone, Copy)]
pub struct Replicas {
    /// Requests per second that take all of its CPU.
    pub capacity: f64,
    /// Requests per second that something else admits, such as a pool of connections.
    pub limit: f64,
    /// The same from a moment on, for which every request holds a connection longer.
    pub later: Option<(i64, f64)>,
    /// Seconds until it is ready.
    pub start: i64,
    /// The share of its capacity that it loses per hour of age.
    pub leak: f64,
}

struct Replica {
    born: i64,
    ready: i64,
}

/// A Deployment and its replicas.
pub struct Workload {
    of: Replicas,
    /// Oldest first.
    replicas: Vec<Replica>,
    /// What `spec.replicas` says.
    pub wanted: u32,
    /// Replicas at most, whatever is wanted.
    pub quota: Option<u32>,
    /// A new version is being rolled out until then.
    pub rolling_until: i64,
    /// When the newest version began to be rolled out.
    pub version_since: i64,
}

/// What a workload did with its requests.
#[derive(Clone, Copy, Default)]
pub struct Served {
    /// Requests per second.
    pub rate: f64,
    /// The share that failed.
    pub failed: f64,
    /// CPU in use, of what the ready replicas have, 0 to 1.
    pub cpu: f64,
    /// Requests in flight, of what the ready replicas admit, 0 to 1.
    pub in_flight: f64,
}

impl Workload {
    /// So many replicas that are ready.
    pub fn new(of: Replicas, count: u32) -> Self {
        let replicas = (0..count).map(|_| Replica { born: 0, ready: 0 }).collect();
        Self { of, replicas, wanted: count, quota: None, rolling_until: 0, version_since: -86_400 }
    }

    /// Replicas that exist.
    pub fn existing(&self) -> u32 {
        u32::try_from(self.replicas.len()).unwrap()
    }

    /// Replicas that were ready at a moment and still are there.
    pub fn ready(&self, at: i64) -> u32 {
        u32::try_from(self.replicas.iter().filter(|replica| replica.ready <= at).count()).unwrap()
    }

    /// Whether replicas are wanted that the quota does not admit.
    pub fn is_blocked(&self) -> bool {
        self.quota.is_some_and(|quota| self.wanted > quota)
    }

    /// Creates what is missing and deletes what is too much: what is not ready first, then the youngest.
    pub fn reconcile(&mut self, now: i64) {
        let most = self.wanted.min(self.quota.unwrap_or(u32::MAX));
        while self.existing() < most {
            self.replicas.push(Replica { born: now, ready: now + self.of.start });
        }
        while self.existing() > most {
            self.replicas.pop();
        }
    }

    /// Serves so many requests per second, a share of which fails whatever the replicas do.
    pub fn serve(&self, now: i64, rate: f64, broken: f64) -> Served {
        let ready: Vec<&Replica> = self.replicas.iter().filter(|replica| replica.ready <= now).collect();
        let count = f64::from(u32::try_from(ready.len()).unwrap()).max(1.0);
        let each = rate / count;
        let limit = self.of.later.filter(|(from, _)| now >= *from).map_or(self.of.limit, |(_, limit)| limit);
        let mut served = Served { rate, ..Served::default() };
        for replica in ready {
            let hours = f64::from(u32::try_from(now - replica.born).unwrap()) / 3600.0;
            let capacity = self.of.capacity * (1.0 - self.of.leak * hours).max(LEAKS_DOWN_TO);
            let most = capacity.min(limit);
            let good = (1.0 - overload(each / most)) * (1.0 - broken) * (1.0 - ALWAYS_FAIL);
            served.failed += (1.0 - good) / count;
            served.cpu += (each.min(most) / capacity) / count;
            served.in_flight += (each / limit).min(1.0) / count;
        }
        served
    }
}

/// The share that fails of what is asked of a replica, by how full that makes it.
fn overload(full: f64) -> f64 {
    let queue = ((full - QUEUES_FROM) / (1.0 - QUEUES_FROM)).clamp(0.0, 1.0);
    let taken = full.max(1.0).recip();
    1.0 - taken * (1.0 - QUEUED_FAIL * queue * queue)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLICAS: Replicas =
        Replicas { capacity: 100.0, limit: f64::INFINITY, later: None, start: 60, leak: 0.0 };

    #[test]
    fn a_replica_serves_once_it_is_ready_and_no_more_than_its_capacity() {
        let mut workload = Workload::new(REPLICAS, 4);
        workload.wanted = 8;
        workload.reconcile(100);
        assert_eq!((workload.existing(), workload.ready(159), workload.ready(160)), (8, 4, 8));
        let before = workload.serve(100, 800.0, 0.0);
        assert!((0.5..0.52).contains(&before.failed) && before.cpu == 1.0, "{}", before.failed);
        assert!((0.02..0.021).contains(&workload.serve(160, 800.0, 0.0).failed));
        assert!(workload.serve(160, 640.0, 0.0).failed < 0.00011);
    }

    #[test]
    fn another_limit_than_cpu_does_not_show_in_cpu() {
        let workload = Workload::new(Replicas { limit: 70.0, ..REPLICAS }, 4);
        let served = workload.serve(0, 600.0, 0.0);
        assert!(served.failed > 0.5 && served.cpu == 0.7 && served.in_flight == 1.0);
    }

    #[test]
    fn what_the_quota_does_not_admit_is_not_there() {
        let mut workload = Workload::new(REPLICAS, 4);
        workload.quota = Some(6);
        workload.wanted = 8;
        workload.reconcile(0);
        assert!(workload.is_blocked() && workload.existing() == 6);
    }
}
