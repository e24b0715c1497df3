//! A clock that is set an hour ahead or back moves no replica, shortens no cooldown and freezes none.

use std::time::Duration;

use super::{COOLDOWN, SOON, policy};
use crate::e2e::shop::{PAGE, Shop, until_whole};
use crate::support::damper::Damper;
use crate::support::prometheus::Version;
use crate::support::wait::pass;
use crate::support::wait_until;
use crate::support::workload::Workload;

const HOUR: i64 = 3600;
/// Longer than the cooldown.
const WRONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_clock_that_is_set_by_an_hour_moves_nothing_and_shortens_no_cooldown() {
    let shop = Shop::open(Version::New, &["web"]).await;
    let mut all = Vec::new();
    for ahead in [HOUR, -HOUR] {
        let workload = Workload::start(3);
        let settings = shop.settings(&shop.prometheus.url());
        let url = workload.url();
        let scaling = format!("scaling:\n  actuators: [{{name: local, webhook: {{url: \"{url}\"}}}}]\n");
        let mut damper = Damper::new(&(settings + &scaling));
        damper.definition("web.yaml", &Shop::slo("web", &[PAGE]));
        damper.definition("policy.yaml", &policy("auto", "").replace("max: 6", "max: 20"));
        damper.with_clock();
        damper.start().await;
        all.push((ahead, damper, workload));
    }
    for (_, damper, _) in &all {
        until_whole(damper, "web").await;
    }
    shop.traffic.fail("web", 5);
    for (ahead, damper, workload) in &all {
        moved(workload, 1).await;
        damper.set_clock(*ahead);
    }
    pass(WRONG).await;
    for (ahead, damper, workload) in &mut all {
        assert_eq!(workload.moves().len(), 1, "{ahead} s ahead");
        damper.kill();
        damper.start().await;
    }
    pass(WRONG).await;
    for (ahead, damper, workload) in &all {
        assert_eq!(workload.moves().len(), 1, "{ahead} s ahead");
        damper.set_clock(0);
    }
    for (ahead, _, workload) in &all {
        moved(workload, 2).await;
        let moves = workload.moves();
        assert!(moves.windows(2).all(|pair| pair[1].at - pair[0].at >= COOLDOWN), "{ahead}: {moves:?}");
    }
}

async fn moved(workload: &Workload, moves: usize) {
    let what = format!("{moves} moves");
    wait_until(SOON, &what, async || (workload.moves().len() >= moves).then_some(())).await;
}
