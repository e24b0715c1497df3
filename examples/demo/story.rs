//! What happens, in order: a sale that the shop is too small for, then a fault that no replica helps
//! against.

use std::time::Duration;

use tokio::time::Instant;

use super::cast::Cast;
use super::watch::Watch;
use super::{CAPACITY, QUIET, REPLICAS, Result, SALE};

/// Half of all checkouts fail: at an objective of 99 % the budget burns fifty times too fast.
const ERROR_RATIO: f64 = 0.5;
/// The policy's long window: until it is full, burn rates tell of less than they say.
const WINDOW: Duration = Duration::from_secs(20);
/// Longest waits, on a busy computer; each takes half of it at most on one that is not.
const SHORT: Duration = Duration::from_secs(90);
const LONG: Duration = Duration::from_secs(240);

/// Plays all of it; an error where something does not happen in time.
pub(crate) async fn play(cast: &mut Cast, watch: &mut Watch) -> Result<()> {
    println!(
        "\nThe shop has {REPLICAS} replicas, each good for {CAPACITY} checkouts a second; {QUIET} customers come a second.\n\
         99 of 100 checkouts are to succeed. A burn rate of 1 is just what that allows, 10 is ten times as much.\n"
    );
    let begun = Instant::now();
    let rest = |watch: &Watch, _: &Cast| {
        watch.code() == "atRest" && watch.burn().is_some() && begun.elapsed() > WINDOW
    };
    watch.until("Damper to know the shop", SHORT, cast, rest).await?;
    if cast.platform.has_versions() {
        println!(
            "\n── This version is new, and burn within 15m of a rollout is taken for the version's fault: nothing\n\
             would be added. We know that it is good, and say so: damper scale resume shop"
        );
        cast.ask("resume").await?;
    }
    sale(cast, watch).await?;
    fault(cast, watch).await
}

async fn sale(cast: &mut Cast, watch: &mut Watch) -> Result<()> {
    println!("\n── A sale begins: {SALE} customers a second, and the shop can do {}.\n", REPLICAS * CAPACITY);
    let (begun, before) = (Instant::now(), cast.customers.seen());
    cast.customers.set(SALE);
    let more = |watch: &Watch, _: &Cast| watch.wanted() > REPLICAS;
    watch.until("replicas to be added", SHORT, cast, more).await?;
    let added = begun.elapsed().as_secs();
    let all = watch.wanted();
    let quiet = |watch: &Watch, _: &Cast| watch.is_ready() && watch.burn().is_some_and(|burn| burn < 0.8);
    watch.until("the burn rate to fall", SHORT, cast, quiet).await?;
    let failed = cast.customers.seen().failed - before.failed;

    println!("\n── {all} replicas are enough: burn fell. The sale is over, {QUIET} customers a second.\n");
    cast.customers.set(QUIET);
    let ended = Instant::now();
    let back = |watch: &Watch, cast: &Cast| {
        watch.wanted() == REPLICAS && watch.code() == "atRest" && !cast.webhook.is_open()
    };
    watch.until("the replicas to be given back", LONG, cast, back).await?;
    let paged = if cast.webhook.pages() == 0 { "nobody was paged" } else { "somebody was paged" };
    println!(
        "\n── In short: {all} replicas {added}s after the sale began, {failed} checkouts failed, {paged};\n\
         {REPLICAS} replicas again {}s after it ended, one by one.",
        ended.elapsed().as_secs(),
    );
    Ok(())
}

async fn fault(cast: &mut Cast, watch: &mut Watch) -> Result<()> {
    println!("\n── Now a fault, not load: every second checkout fails, on half-empty replicas.\n");
    let (begun, pages) = (Instant::now(), cast.webhook.pages());
    cast.replicas.errors(ERROR_RATIO).await?;
    let told = |watch: &Watch, cast: &Cast| cast.webhook.pages() > pages && watch.code() == "notLoad";
    watch.until("the page", SHORT, cast, told).await?;
    let paged = begun.elapsed().as_secs();

    println!("\n── Paged after {paged}s, and no replica added: none would help. The shop is repaired.\n");
    cast.replicas.errors(0.0).await?;
    let rest = |watch: &Watch, cast: &Cast| !cast.webhook.is_open() && watch.code() == "atRest";
    watch.until("the resolve", LONG, cast, rest).await?;
    if watch.wanted() == REPLICAS {
        return Ok(());
    }
    Err(format!("there are {} replicas at the end, and there were {REPLICAS}", watch.wanted()).into())
}
