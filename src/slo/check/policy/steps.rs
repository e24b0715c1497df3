//! `spec.replicas`, `spec.up` and `spec.down`: the bounds, what is added, what is given back.

use std::ops::RangeInclusive;

use crate::slo::check::field::{Field, Section};
use crate::slo::policy::{Bounds, DownStep, UpStep};
use crate::slo::problem::{At, Report};
use crate::slo::time::Span;
use crate::slo::unit::BurnRate;

const MAX_STEPS: usize = 10;
const MOST_ADDED: u32 = 1000;
const COOLDOWNS: RangeInclusive<Span> = Span::from_secs(1)..=Span::from_days(1);
const CALMS: RangeInclusive<Span> = Span::ZERO..=Span::from_days(1);
const DECIMAL: &str = "a plain number above zero, at most six decimals, such as 1.5";

/// The basic rule: rate in millionths, replicas, cooldown. The faster it burns the more is added,
/// and the longer it takes to see what that did.
const UP: [(u64, u32, Span); 2] = [(2_000_000, 2, Span::from_mins(3)), (1_500_000, 1, Span::from_mins(2))];
/// Clearly below the pace that spends exactly the budget.
const DOWN: u64 = 800_000;
const CALM: Span = Span::from_mins(5);
const DOWN_COOLDOWN: Span = Span::from_mins(5);

/// `spec.replicas`.
pub(super) fn replicas(spec: &Section<'_>, report: &mut Report) -> Option<Bounds> {
    let field = spec.require("replicas", "where it may move, such as replicas: {min: 3, max: 20}", report)?;
    let section = field.section(&["min", "max"], report)?;
    let mut one = |key: &str, hint: &str| {
        let field = section.require(key, hint, report)?;
        Some((field.whole(1..=Bounds::MOST, report)?, field.at()))
    };
    let min = one("min", "the fewest replicas, at least 1: nothing is ever scaled to zero");
    let max = one("max", "the most replicas");
    let ((min, _), (max, at)) = (min?, max?);
    let bounds = Bounds::new(min, max);
    if bounds.is_none() {
        report.error(at, format!("`{}.max: {max}` is below min: {min}", field.path), None);
    }
    bounds
}

/// `spec.up`: the steps that can be read, each with its place.
pub(super) fn up(spec: &Section<'_>, report: &mut Report) -> Vec<(UpStep, At)> {
    let Some(field) = spec.field("up") else {
        let step = |(millionths, add, cooldown)| UpStep { burn_rate: rate(millionths), add, cooldown };
        return UP.map(|default| (step(default), spec.at())).to_vec();
    };
    let Some(items) = field.items(report) else { return Vec::new() };
    if items.is_empty() || items.len() > MAX_STEPS {
        let hint = "remove it for the basic rule; with mode: dryRun nothing is written".to_owned();
        report.error(field.at(), format!("`{}` needs 1 to {MAX_STEPS} steps", field.path), Some(hint));
        return Vec::new();
    }
    let mut read: Vec<(UpStep, At)> = Vec::new();
    for item in items {
        let Some(step) = up_step(&item, report) else { continue };
        if let Some(lowest) = lowest(&read).filter(|lowest| step.burn_rate >= *lowest) {
            let what = format!(
                "`{}` can never match: burnRate {lowest} is asked first, and {} is not below it",
                item.path, step.burn_rate
            );
            let hint = "order the steps from the highest burnRate to the lowest".to_owned();
            report.error(item.at(), what, Some(hint));
        }
        read.push((step, item.at()));
    }
    read
}

fn up_step(item: &Field<'_>, report: &mut Report) -> Option<UpStep> {
    let section = item.section(&["burnRate", "add", "cooldown"], report)?;
    let rate = section.require("burnRate", "the burn rate both windows must reach, such as 2.0", report);
    let burn_rate = rate.and_then(|f| f.parse(DECIMAL, report));
    let add = section.require("add", "replicas added, such as 2", report);
    let add = add.and_then(|f| f.whole(1..=MOST_ADDED, report));
    let cooldown = section.require("cooldown", "time until the next write, such as 3m", report);
    let cooldown = cooldown.and_then(|f| f.span(COOLDOWNS, report));
    Some(UpStep { burn_rate: burn_rate?, add: add?, cooldown: cooldown? })
}

/// `spec.down`. Its rate must lie below those of all steps up, or what was added would be given
/// back while it still burns.
pub(super) fn down(spec: &Section<'_>, up: &[(UpStep, At)], report: &mut Report) -> DownStep {
    let mut step = DownStep { burn_rate: rate(DOWN), calm: CALM, cooldown: DOWN_COOLDOWN };
    let mut at = up.last().map_or(spec.at(), |(_, at)| *at);
    let field = spec.field("down");
    let fields = ["burnRate", "remove", "calm", "cooldown"];
    if let Some(section) = field.as_ref().and_then(|field| field.section(&fields, report)) {
        if let Some(field) = section.field("burnRate") {
            at = field.at();
            step.burn_rate = field.parse(DECIMAL, report).unwrap_or(step.burn_rate);
        }
        if let Some(field) = section.field("remove") {
            remove(&field, report);
        }
        let mut span = |key: &str, range, default| {
            section.field(key).and_then(|f| f.span(range, report)).unwrap_or(default)
        };
        step.calm = span("calm", CALMS, CALM);
        step.cooldown = span("cooldown", COOLDOWNS, DOWN_COOLDOWN);
    }
    if let Some(lowest) = lowest(up).filter(|lowest| step.burn_rate >= *lowest) {
        let what =
            format!("down.burnRate {} is not below {lowest}, at which replicas are added", step.burn_rate);
        let hint = format!("write down: {{burnRate: …}} below {lowest}, with room between the two");
        report.error(at, what, Some(hint));
    }
    step
}

/// Replicas are given back one at a time, so that a mistake costs one.
fn remove(field: &Field<'_>, report: &mut Report) {
    let Some(text) = field.text(report) else { return };
    if text != "1" {
        let hint = "remove the field; a shorter `cooldown` gives back faster".to_owned();
        report.error(field.at(), format!("`{}` can only be 1", field.path), Some(hint));
    }
}

fn lowest(up: &[(UpStep, At)]) -> Option<BurnRate> {
    up.iter().map(|(step, _)| step.burn_rate).min()
}

/// A rate of the basic rule, all of which are within a burn rate's bounds.
fn rate(millionths: u64) -> BurnRate {
    BurnRate::from_millionths(millionths).unwrap_or(BurnRate::ONE)
}
