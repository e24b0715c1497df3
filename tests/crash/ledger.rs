//! What a Damper that was killed again and again has counted, beside one that never was.

use serde_json::Value;

use super::LIMIT;
use crate::support::damper::Damper;
use crate::support::shop::Shop;
use crate::support::{now_ms, wait_until};

/// Most slices that one answer tells.
const MOST: i64 = 900;
const STEP: i64 = 5;
/// Ticks ask each slice again for a minute, and the last of those may have waited for its turn.
const SETTLES: i64 = 70;

/// Fails the test unless both come to know the same of every slice between these seconds, once no tick
/// asks any of them again. Gives back how many that are.
pub async fn same(killed: &Damper, whole: &Damper, services: &[&str], (from, to): (i64, i64)) -> usize {
    let (from, to) = (from / STEP * STEP, to / STEP * STEP);
    assert!(from < to, "no slice to compare");
    let settled = async || (now_ms() / 1000 >= to + SETTLES).then_some(());
    wait_until(LIMIT, "the last slices to settle", settled).await;
    let mut slices = 0;
    for service in services {
        for from in (from..to).step_by(usize::try_from(MOST * STEP).unwrap()) {
            let to = to.min(from + MOST * STEP);
            let path = format!("/api/v1/slos/{service}/availability/series?from={from}&to={to}&step={STEP}s");
            let count = usize::try_from((to - from) / STEP).unwrap();
            let what = format!("{service} from {from} on to be counted as if nobody had been killed");
            let mut last = String::new();
            let alike = wait_until(LIMIT, &what, async || {
                let (one, other) = (points(killed, &path).await?, points(whole, &path).await?);
                let now = difference(&one, &other);
                if now != last {
                    eprintln!("{service}: {now}");
                    last = now;
                }
                (last.is_empty() && one.len() == count).then_some(count)
            });
            slices += alike.await;
        }
    }
    is_told(killed).await;
    slices
}

/// What fills a gap is judged, and what came and went in it owed, by the next tick: waits for two, and
/// until it is told.
async fn is_told(damper: &Damper) {
    damper.ticks_on(LIMIT, 2).await;
    damper.all_told(LIMIT).await;
}

/// When, bad, total, coverage.
async fn points(damper: &Damper, path: &str) -> Option<Vec<[Value; 4]>> {
    let (status, text) = damper.try_get(path).await?;
    let view: Value = serde_json::from_str(&text).ok().filter(|_| status.is_success())?;
    let of = |point: &Value| ["t", "bad", "total", "coverage"].map(|name| point[name].clone());
    Some(view["points"].as_array()?.iter().map(of).collect())
}

fn difference(one: &[[Value; 4]], other: &[[Value; 4]]) -> String {
    let differ = one.iter().zip(other).find(|(one, other)| one != other || one[3] != 1.0);
    match differ {
        Some((one, other)) => format!("killed {one:?}, never killed {other:?}"),
        None if one.len() != other.len() => format!("{} and {} slices", one.len(), other.len()),
        None => String::new(),
    }
}

/// One that is never killed, and tells nobody.
pub fn whole(shop: &Shop, services: &[&str]) -> Damper {
    let damper = Damper::new(&shop.settings());
    for service in services {
        damper.definition(&format!("{service}.yaml"), &Shop::slo(service));
    }
    damper
}
