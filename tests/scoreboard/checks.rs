//! What Damper promises of its defaults, held against a comparison.

use damper::settings::ScalingConfig;

use super::scenario::Kind;
use super::{Compared, Controller, Score};

/// Replicas above what would be there without Damper, where replicas do not help: two steps, of four
/// at most, for then it is said that they do not.
const EFFECT_LIMIT: u32 = 8;
/// `maxReplicasAddedPerHour`, which all policies share.
const FLEET_LIMIT: u32 = ScalingConfig::LIMITS.added_per_hour;
/// The shortest cooldown of the default policy, in seconds.
const COOLDOWN: i64 = 120;
/// Writes until a fight is recognised: each of two is put back, and nothing follows for an hour.
const FIGHT_LIMIT: u32 = 4;

/// What is broken, in words; nothing where all promises hold.
pub fn problems(compared: &Compared) -> Vec<String> {
    let mut problems = Vec::new();
    for controller in Controller::ALL {
        let Some(without) = controller.without() else { continue };
        let score = compared.score(controller);
        let mut say = |is_broken: bool, what: String| {
            if is_broken {
                problems.push(format!("{}: {} {what}", compared.scenario.name, controller.name()));
            }
        };
        if let Some(gap) = score.shortest_gap {
            say(
                gap < COOLDOWN,
                format!("wrote twice within {gap}s, and its shortest cooldown is {COOLDOWN}s"),
            );
        }
        match compared.scenario.kind {
            Kind::Load => {
                let mut others = compared.scores.iter().filter(|(other, _)| rivals(controller, *other));
                let better = others.find(|(_, other)| dominates(other, score));
                let name = better.map_or("", |(other, _)| other.name());
                say(better.is_some(), format!("spends no less budget and no fewer replicas than {name}"));
            }
            Kind::NoHelp => {
                let most = compared.score(without).peak + EFFECT_LIMIT;
                say(score.peak > most, format!("goes to {} replicas, and {most} is the limit", score.peak));
                let added = score.own_added;
                say(added > FLEET_LIMIT, format!("adds {added} replicas, and {FLEET_LIMIT} is the limit"));
            }
            Kind::Blind => {
                let wrong = score.own_wrong;
                say(wrong > 0, format!("acts {wrong} times on data that is missing"));
            }
            Kind::Open => {}
            Kind::Fight => {
                say(score.writes > FIGHT_LIMIT, format!("writes {} times against Git", score.writes));
            }
        }
    }
    problems
}

/// Whether one is to be no worse than the other: Damper alone than any; on the floor of an autoscaler
/// than that.
fn rivals(damper: Controller, other: Controller) -> bool {
    match damper {
        Controller::Direct => other.without().is_none(),
        _ => Some(other) == damper.without(),
    }
}

/// Whether another spends no more of either, and less of one.
fn dominates(other: &Score, score: &Score) -> bool {
    let no_more = other.budget <= score.budget && other.replica_minutes <= score.replica_minutes;
    no_more && (other.budget < score.budget || other.replica_minutes < score.replica_minutes)
}
