//! `kind: ScalePolicy`: from the tree of one document to a checked [`ScalePolicy`].
//!
//! | file      | rules about                                              |
//! |-----------|----------------------------------------------------------|
//! | `watched` | the SLOs and their groups                                |
//! | `target`  | what is scaled                                           |
//! | `steps`   | bounds, steps up, giving back                            |
//! | `windows` | the windows that must agree                              |
//! | `signals` | saturation and vetoes                                    |
//! | `set`     | what only all documents together can tell                |
//!
//! What is not written has the default of the basic rule, and so has what cannot be read, so that
//! the rest is still checked; the report refuses the document.

mod set;
mod signals;
mod steps;
mod target;
mod watched;
mod windows;

use super::alerting;
use super::document::{self, Metadata};
use super::field::{Field, Section};
use crate::slo::fit::Asks;
use crate::slo::load::Context;
use crate::slo::model::Place;
use crate::slo::policy::{ScaleMode, ScalePolicy};
use crate::slo::problem::{At, Report};
use crate::slo::time::Span;
use crate::slo::unit::Events;
use crate::slo::yaml::Node;

pub(super) use set::misfits_of;

const FIELDS: [&str; 13] = [
    "slos",
    "target",
    "mode",
    "replicas",
    "up",
    "down",
    "windows",
    "minBadEvents",
    "settle",
    "maxActionsPerHour",
    "respectOverride",
    "saturation",
    "unless",
];
/// Labels that notices about a policy have by themselves.
const RESERVED: [&str; 5] = ["alertname", "service", "slo", "severity", "policy"];

const MIN_BAD_EVENTS: u32 = 20;
const SETTLE: Span = Span::from_secs(60);
const LONGEST_SETTLE: Span = Span::from_hours(1);
const MAX_ACTIONS_PER_HOUR: u32 = 12;
const MOST_ACTIONS_PER_HOUR: u32 = 120;
const RESPECT_OVERRIDE: Span = Span::from_hours(1);
const OVERRIDES: std::ops::RangeInclusive<Span> = Span::from_mins(1)..=Span::from_days(30);

/// A policy as it was read, and what only the whole set can judge.
#[derive(Debug)]
pub(in crate::slo) struct Draft {
    /// `None` where it is not even whole. It counts only when the report holds no error.
    pub(in crate::slo) policy: Option<ScalePolicy>,
    asks: Asks,
    marks: Marks,
}

/// Where things stand.
#[derive(Debug)]
struct Marks {
    target: At,
    /// One for each SLO of the asks.
    slos: Vec<At>,
    /// One for each rate of the asks.
    rates: Vec<At>,
    evidence: At,
}

/// Checks one document by itself.
pub(super) fn read(root: &Node, context: &Context, place: &Place, report: &mut Report) -> Option<Draft> {
    let document = Field::root(root).section(&["apiVersion", "kind", "metadata", "spec"], report)?;
    let naming = "the policy's name, such as checkout";
    let metadata = document.require("metadata", "metadata: {name: …}", report);
    let metadata = metadata.and_then(|f| document::metadata(&f, naming, &RESERVED, report));
    let hint = "slos, target, replicas and what else is known belong below spec";
    let spec = document.require("spec", hint, report)?.section(&FIELDS, report)?;

    let slos = watched::read(&spec, report);
    let target = target::read(&spec, context, report);
    let mode = mode(&spec, report);
    let replicas = steps::replicas(&spec, report);
    let up = steps::up(&spec, report);
    let down = steps::down(&spec, &up, report);
    let windows = windows::read(&spec, context.step, report);
    let min_bad_events = alerting::min_bad_events(&spec, report).unwrap_or(MIN_BAD_EVENTS);
    let min_bad_events = Events::whole(i64::from(min_bad_events));
    let settle = spec.field("settle").and_then(|f| f.span(Span::ZERO..=LONGEST_SETTLE, report));
    let actions = spec.field("maxActionsPerHour").and_then(|f| f.whole(1..=MOST_ACTIONS_PER_HOUR, report));
    let respect_override = spec.field("respectOverride").and_then(|f| f.span(OVERRIDES, report));
    let saturation = signals::saturation(&spec, mode, report);
    let unless = signals::unless(&spec, report);

    let marks = Marks {
        target: target.as_ref().map_or(spec.at(), |(_, at)| *at),
        slos: slos.iter().map(|(_, at)| *at).collect(),
        rates: up.iter().map(|(_, at)| *at).collect(),
        evidence: spec.field("minBadEvents").map_or(spec.at(), |field| field.at()),
    };
    let slos: Vec<_> = slos.into_iter().map(|(watched, _)| watched).collect();
    let up: Vec<_> = up.into_iter().map(|(step, _)| step).collect();
    let asks = Asks {
        slos: slos.clone(),
        mode,
        rates: up.iter().map(|step| step.burn_rate).collect(),
        evidence: windows.map(|windows| (min_bad_events, windows)),
    };
    let whole = match (metadata, target, replicas, windows) {
        (Some(Metadata { name: Some(name), labels, annotations }), Some((target, _)), Some(r), Some(w)) => {
            Some((name, labels, annotations, target, r, w))
        }
        _ => None,
    };
    let policy = whole.map(|(name, labels, annotations, target, replicas, windows)| ScalePolicy {
        name,
        labels,
        annotations,
        slos,
        target,
        mode,
        replicas,
        up,
        down,
        windows,
        min_bad_events,
        settle: settle.unwrap_or(SETTLE),
        max_actions_per_hour: actions.unwrap_or(MAX_ACTIONS_PER_HOUR),
        saturation,
        unless,
        respect_override: respect_override.unwrap_or(RESPECT_OVERRIDE),
        place: place.clone(),
    });
    Some(Draft { policy, asks, marks })
}

fn mode(spec: &Section<'_>, report: &mut Report) -> ScaleMode {
    let words = [("dryRun", ScaleMode::DryRun), ("auto", ScaleMode::Auto)];
    spec.field("mode").and_then(|f| f.choice(&words, report)).unwrap_or_default()
}
