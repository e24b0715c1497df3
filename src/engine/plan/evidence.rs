//! What is asked to tell real births from series that only look newborn.

use super::form::{Around, RESET_BELOW, aggregate, parts};
use super::group::{Form, Narrow, QueryGroup};
use super::native;
use crate::slo::query::{Matcher, Selector};
use crate::slo::time::Span;

/// How far back a series is looked for before it counts as new.
pub const MEMORY: Span = Span::from_hours(24);

/// What of a slot's events is no plain difference: newborn series and resets (part `d`), and what
/// returned (`r`); of a recorded sum only the latter, within [`MEMORY`].
pub fn newborn(group: &QueryGroup, narrow: &Narrow, slot: Span) -> String {
    let at = Around::of(group, group.narrowed(narrow), slot);
    let sum = |each: &str| aggregate("sum", &group.labels(), each);
    if group.form == Form::Aggregated {
        return parts(&[("r", sum(&at.regained(memory(&at))))]);
    }
    let Values { u, p, fell, rose, .. } = Values::of(group, &at);
    let born = ("d", sum(&format!("({u} unless {p}) or {fell}")));
    let back = rose.map(|rose| ("r", sum(&rose)));
    parts(&[born].into_iter().chain(back).collect::<Vec<_>>())
}

/// What a ruling on one slot needs, per target (`job`, `instance`):
///
/// | part | what | labels |
/// | --- | --- | --- |
/// | `new` | value of series not seen in the lookback | group, target |
/// | `known` | of those, the value of series seen in [`MEMORY`] | group, target |
/// | `fell` | value of series that fell | group, target |
/// | `rose` | what series returned by that had fallen in the lookback | group, target |
/// | `gone` | last value of series that left the target | member, target |
/// | `up`, `start` | `up` before the slot; when the process began | target |
///
/// A series has left when it was sampled lately but not by its target's newest scrape: all
/// series of one scrape have one timestamp. That needs no staleness marker. Of a target that was not
/// scraped right before the slot, as while Prometheus restarts, the whole lookback is lately.
pub fn evidence(group: &QueryGroup, narrow: &Narrow, slot: Span) -> String {
    let at = Around::of(group, members_only(group, narrow), slot);
    let targets: Vec<Matcher> =
        at.x.matchers.iter().filter(|m| m.label == "job" || m.label == "instance").cloned().collect();
    let Values { u, p, q, held, held_long, fell, rose } = Values::of(group, &at);
    let x = &at.x;
    let up = Selector { metric: "up".to_owned(), matchers: targets.clone() };
    let start = Selector { metric: "process_start_time_seconds".to_owned(), matchers: targets };

    let new = format!("({u} unless {p})");
    let rose = rose.map(|rose| format!("({rose})"));
    let looked_at: Vec<&str> = [&new, &fell].into_iter().chain(&rose).map(String::as_str).collect();
    let of_target = format!("and on (job, instance) ({})", looked_at.join(" or "));
    let scraped = format!("(last_over_time({up}[{}] offset {slot}) > 0)", group.young(slot));
    // Of the target's newest scrape, now and before the slot: what had left by then lent its life already.
    let newest = |x: String| {
        format!(
            "(timestamp({x}) >= on (job, instance) group_left () max by (job, instance) (timestamp({x})))"
        )
    };
    let (alive, there) = (newest(x.to_string()), newest(format!("{x} offset {slot}")));
    let held = format!("(({held} and {there}) or ({held_long} unless on (job, instance) {scraped}))");
    let fine = with_target(&group.labels());
    let coarse = with_target(&group.merge.iter().map(String::as_str).collect::<Vec<_>>());
    let sum = |of: &str| aggregate("sum", &fine, of);
    let by_target = |of: String| format!("{} {of_target}", aggregate("max", &["job", "instance"], &of));
    let rose = rose.map(|rose| ("rose", sum(&rose)));
    let all = [
        ("new", sum(&new)),
        ("known", sum(&format!("{new} and {q}"))),
        ("fell", sum(&fell)),
        ("gone", aggregate("sum", &coarse, &format!("{held} unless {alive}"))),
        ("up", by_target(format!("last_over_time({up}[{}] offset {slot})", at.lookback))),
        ("start", by_target(format!("last_over_time({start}[{}])", at.whole()))),
    ];
    parts(&all.into_iter().chain(rose).collect::<Vec<_>>())
}

/// About series that came back: their growth while away (part `back`; all of it where they began again,
/// none where they only fell a little), and when they were last seen, to five minutes (`seen`). Asked only
/// where there are any, because a day is much to read.
pub fn returning(group: &QueryGroup, narrow: &Narrow, slot: Span) -> String {
    let at = Around::of(group, members_only(group, narrow), slot);
    let Values { u, p, q, .. } = Values::of(group, &at);
    let new = format!("({u} unless {p})");
    let stamps = format!("max_over_time(timestamp({})[{}:5m] offset {slot})", at.x, memory(&at));
    let back =
        format!("(({new} - {q}) >= 0) or ({new} and ({new} < {RESET_BELOW} * {q})) or (0 * ({new} and {q}))");
    let fine = with_target(&group.labels());
    parts(&[
        ("back", aggregate("sum", &fine, &back)),
        ("seen", aggregate("min", &fine, &format!("{stamps} and {new}"))),
    ])
}

/// A relabel may move a life between groups: all of a member's groups are looked at.
fn members_only(group: &QueryGroup, narrow: &Narrow) -> Selector {
    group.narrowed(&Narrow { members: narrow.members.clone(), ..Narrow::default() })
}

fn memory(at: &Around) -> Span {
    MEMORY.max(at.lookback)
}

/// The numbers that stand for a series: its values, or its histograms' counts.
struct Values {
    /// In the slot.
    u: String,
    /// Before it, within the lookback.
    p: String,
    /// Before it, within [`MEMORY`].
    q: String,
    /// In the slot or shortly before.
    held: String,
    /// In the slot or within the lookback.
    held_long: String,
    /// In the slot, of those that began again in it.
    fell: String,
    /// What those returned by that had fallen before; not told of histograms.
    rose: Option<String>,
}

impl Values {
    fn of(group: &QueryGroup, at: &Around) -> Self {
        let Around { x, slot, .. } = at;
        let memory = memory(at);
        let lately = Span::from_secs_saturating(slot.secs() + group.young(*slot).secs());
        let (u, p) = (at.now(), at.before());
        let q = format!("last_over_time({x}[{memory}] offset {slot})");
        let held = format!("last_over_time({x}[{lately}])");
        let held_long = at.held();
        let count = |of: &str| native::count(of);
        match group.form {
            Form::Native { .. } if group.left_open => Self {
                fell: native::fell(at, true),
                u: count(&u),
                p: count(&p),
                q: count(&q),
                held: count(&held),
                held_long: count(&held_long),
                rose: None,
            },
            // Where `last_over_time` drops histograms, their counts are looked up at moments.
            Form::Native { .. } => {
                let c = count(&x.to_string());
                Self {
                    p: count(&native::before(at, false)),
                    q: format!("last_over_time({c}[{memory}:1m] offset {slot})"),
                    held: format!("last_over_time({c}[{lately}:5s])"),
                    held_long: format!("last_over_time({c}[{}:15s])", at.whole()),
                    rose: None,
                    fell: native::fell(at, false),
                    u: c,
                }
            }
            _ => {
                let (fell, rose) = (format!("({})", at.fell()), Some(at.rose()));
                Self { u, p, q, held, held_long, fell, rose }
            }
        }
    }
}

fn with_target<'a>(labels: &[&'a str]) -> Vec<&'a str> {
    let mut all = labels.to_vec();
    for label in ["job", "instance"] {
        if !all.contains(&label) {
            all.push(label);
        }
    }
    all
}

/// How often the most-scraped series was sampled in half an hour. No parts; once per measurement.
pub(super) fn samples(group: &QueryGroup) -> String {
    let of = format!("count_over_time({}[30m])", group.selector());
    let labels: Vec<&str> = group.merge.iter().map(String::as_str).collect();
    aggregate("max", &labels, &of)
}
