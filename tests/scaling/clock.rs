//! A clock that is set an hour ahead or back moves no replica, shortens no cooldown and freezes none.

use std::time::Duration;

use futures_util::future::join_all;

use super::{COOLDOWN, SOON, policy};
use crate::e2e::shop::{PAGE, Shop, until_whole};
use crate::support::damper::Damper;
use crate::support::prometheus::Version;
use crate::support::wait::pass;
use crate::support::wait_until;
use crate::support::workload::Workload;

const HOUR: i64 = 3600;
/// How long the clock is wrong, before and after a restart: longer than the one cooldown.
const WRONG: Duration = Duration::from_secs(20);
/// A cooldown that is still on when the clock is right again.
const LONG: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_clock_that_is_set_by_an_hour_moves_nothing_and_shortens_no_cooldown() {
    let shop = Shop::open(Version::New, &["web"]).await;
    let mut all = Vec::new();
    for (ahead, cooldown) in [(HOUR, COOLDOWN), (-HOUR, COOLDOWN), (HOUR, LONG), (-HOUR, LONG)] {
        let workload = Workload::start(3);
        let settings = shop.settings(&shop.prometheus.url());
        let url = workload.url();
        let scaling = format!("scaling:\n  actuators: [{{name: local, webhook: {{url: \"{url}\"}}}}]\n");
        let mut damper = Damper::new(&(settings + &scaling));
        damper.definition("web.yaml", &Shop::slo("web", &[PAGE]));
        let policy = policy("auto", "").replace("max: 6", "max: 20");
        let seconds = |cooldown: Duration| format!("cooldown: {}s", cooldown.as_secs());
        damper.definition("policy.yaml", &policy.replace(&seconds(COOLDOWN), &seconds(cooldown)));
        damper.with_clock();
        all.push(One { ahead, cooldown, damper, workload });
    }
    join_all(all.iter_mut().map(|one| one.damper.start())).await;
    for one in &all {
        until_whole(&one.damper, "web").await;
    }
    shop.traffic.fail("web", 5);
    for one in &all {
        one.moved(1).await;
        one.damper.set_clock(one.ahead);
    }
    pass(WRONG).await;
    for one in &mut all {
        one.has_not_moved();
        one.damper.kill();
    }
    join_all(all.iter_mut().map(|one| one.damper.start())).await;
    pass(WRONG).await;
    for one in &all {
        one.has_not_moved();
        one.damper.set_clock(0);
        let since = one.workload.moves()[0].at.elapsed();
        assert_eq!(since < one.cooldown, one.cooldown == LONG, "too slow to see a cooldown: {since:?}");
    }
    for one in &all {
        one.moved(2).await;
        let moves = one.workload.moves();
        let apart = moves.windows(2).all(|pair| pair[1].at - pair[0].at >= one.cooldown);
        assert!(apart, "{} s ahead, a cooldown of {:?}: {moves:?}", one.ahead, one.cooldown);
    }
}

/// A Damper whose clock is set, and what it scales.
struct One {
    ahead: i64,
    cooldown: Duration,
    damper: Damper,
    workload: Workload,
}

impl One {
    fn has_not_moved(&self) {
        assert_eq!(self.workload.moves().len(), 1, "{} s ahead", self.ahead);
    }

    async fn moved(&self, moves: usize) {
        let what = format!("{moves} moves, {} s ahead and a cooldown of {:?}", self.ahead, self.cooldown);
        wait_until(SOON, &what, async || (self.workload.moves().len() >= moves).then_some(())).await;
    }
}
