//! Decisions in words: why, and what would change it.

use super::peace;
use super::verdict::Reason;

impl Reason {
    /// Why, in one sentence.
    pub fn say(&self) -> String {
        match self {
            Self::Stopped { by } => format!("All scaling is stopped by {by}."),
            Self::CommonCause { adding, most } => format!(
                "{adding} policies want more replicas within 5m and {most} may: the cause is common, so all hold."
            ),
            Self::FleetLimit { added, most } => {
                format!("All policies together added {added} replicas within 1h, and {most} are allowed.")
            }
            Self::Paused { by } => format!("Paused by {by}."),
            Self::Misfit { why } => format!("The policy does not fit as things are now: {why}."),
            Self::WorkloadUnknown => "The workload's API does not answer.".to_owned(),
            Self::AtZero => {
                "The workload is at zero replicas, which Damper neither ends nor begins.".to_owned()
            }
            Self::InFlight { to, .. } => format!("The write to {to} was decided and is not seen yet."),
            Self::Overridden { by, to, .. } => {
                format!("{} set it to {to}, which is respected for a while.", who(by.as_deref()))
            }
            Self::Fight { by, to, .. } => format!(
                "{} put it back to {to} twice within 10m: two controllers write the same field, so Damper stops.",
                who(by.as_deref())
            ),
            Self::BurnUnknown { slo, why } => format!("Nothing can be said about {slo}: {why}."),
            Self::Blocked { why } => format!("Replicas that were asked for cannot be had: {why}."),
            Self::Starting { ready, wanted } => format!("{ready} of {wanted} replicas are ready."),
            Self::Refused { why, .. } => format!("The last write was refused: {why}."),
            Self::Cooldown { .. } => "The last write is too young.".to_owned(),
            Self::Settling { .. } => {
                "All replicas are ready, for too short a time to see the effect.".to_owned()
            }
            Self::RateLimit { writes, .. } => format!("{writes} writes within 1h are as many as allowed."),
            Self::AboveMax { at, max } => {
                format!("It stands at {at}, above the policy's max of {max}: nothing is added.")
            }
            Self::Rolling => "A new version is being rolled out.".to_owned(),
            Self::Burning { slo, short, long, rate, add } => format!(
                "{slo} burns {short:.1}× (short window) and {long:.1}× (long window), at least {rate}×: add {add}."
            ),
            Self::TooFew { slo, bad, needed } => {
                format!("{slo} has {bad:.0} bad events in the long window, and {needed:.0} are needed.")
            }
            Self::Useless { before, after, .. } => {
                format!("Adding replicas did not help: {before:.1}× before and {after:.1}× after.")
            }
            Self::SaturationUnknown => "The saturation query has no answer.".to_owned(),
            Self::NotLoad { saturation, above, version } => {
                let version = version.as_ref().map_or_else(String::new, |v| format!(" It runs {v}."));
                format!(
                    "The saturation is {saturation:.2}, below {above}: it burns, and not for want of replicas.{version}"
                )
            }
            Self::Vetoed { query, value, above } => {
                format!("`{query}` is {value:.2}, above {above}: more replicas would do harm.")
            }
            Self::VetoUnknown { query } => format!("`{query}`, which may forbid adding, has no answer."),
            Self::SuspectVersion { version, since, burning } => {
                format!(
                    "It burns since {burning}, shortly after {version} ({since}): the version is suspect."
                )
            }
            Self::AtMax { at, max, owner } => match owner {
                Some(owner) => format!("It stands at {at}, and {owner} allows {max} at most."),
                None => format!("It stands at {at}, and the policy allows {max} at most."),
            },
            Self::GiveBackUseless { at, base } => {
                format!("What was added did not help and is given back, from {at} to {base}.")
            }
            Self::Calm { since, base } => format!("Calm since {since}: one is given back, down to {base}."),
            Self::Calming { .. } => "It is calm, for too short a time.".to_owned(),
            Self::PageFires { slo } => format!("It is calm, and a page of {slo} fires."),
            Self::WouldFill { saturation, would_be, below } => format!(
                "The saturation of {saturation:.2} would be {would_be:.2} with one less, and must stay below {below}."
            ),
            Self::MustStay { at, least } => {
                format!("It stands at {at}, and its disruption budget needs {least}.")
            }
            Self::AtRest { at, base } if at > base => {
                format!("It stands at {at}, with {base} to go back to.")
            }
            Self::AtRest { at, .. } => format!("It stands at {at}; there is nothing to add or give back."),
            Self::Between { slo, short, long } => format!(
                "{slo} burns {short:.1}× (short window) and {long:.1}× (long window): too little to add, too much to give back."
            ),
        }
    }

    /// One word for programs: the name of the variant.
    pub fn code(&self) -> String {
        let fields = serde_json::to_value(self).unwrap_or_default();
        fields.get("code").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    }

    /// One word that tools filter Events by.
    pub const fn event(&self) -> &'static str {
        match self {
            Self::Overridden { .. } => "SLOManualOverride",
            Self::Fight { .. } => "SLOReplicaFight",
            Self::Useless { .. } => "SLOIneffective",
            _ => "SLOHold",
        }
    }

    /// Whether somebody should look.
    pub const fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::Fight { .. }
                | Self::Useless { .. }
                | Self::SuspectVersion { .. }
                | Self::Blocked { .. }
                | Self::Refused { .. }
                | Self::CommonCause { .. }
                | Self::AtMax { .. }
                | Self::Misfit { .. }
        )
    }

    /// What would change it.
    pub fn changes(&self) -> String {
        match self {
            Self::Stopped { .. } => "`damper scale start`, or the stop file removed".to_owned(),
            Self::CommonCause { .. } => {
                "fewer policies that burn at once; look for what they share".to_owned()
            }
            Self::FleetLimit { .. } => "time, or a higher scaling.maxReplicasAddedPerHour".to_owned(),
            Self::Paused { .. } => "`damper scale resume`, or the annotation removed".to_owned(),
            Self::Misfit { .. } => "a policy and SLOs that fit; `damper check` tells more".to_owned(),
            Self::WorkloadUnknown => "an answer of the workload's API".to_owned(),
            Self::AtZero => "one replica or more, set by whoever set it to zero".to_owned(),
            Self::InFlight { until, .. } => format!("the write seen, or void at {until}"),
            Self::Overridden { until, .. } => format!("{until}, or `damper scale resume`"),
            Self::Fight { by, until, owner, .. } => {
                let setting = peace::setting(by.as_deref(), owner.as_deref());
                format!("{setting}; then `damper scale resume`, or {until}")
            }
            Self::BurnUnknown { .. } => "data".to_owned(),
            Self::Blocked { .. } => "room in the cluster or the quota".to_owned(),
            Self::Starting { .. } => "all replicas ready".to_owned(),
            Self::Cooldown { until }
            | Self::Settling { until }
            | Self::RateLimit { until, .. }
            | Self::Calming { until } => until.to_string(),
            Self::AboveMax { max, .. } => format!("a count of {max} or less, or a higher replicas.max"),
            Self::Refused { until, .. } => format!("what was refused allowed; it is tried again at {until}"),
            Self::Rolling => "the rollout at its end".to_owned(),
            Self::Burning { rate, .. } => format!("a burn rate below {rate}× in either window"),
            Self::TooFew { .. } => "more bad events, or a lower minBadEvents".to_owned(),
            Self::Useless { until, .. } => format!("{until}, or `damper scale resume`"),
            Self::SaturationUnknown | Self::VetoUnknown { .. } => "an answer to the query".to_owned(),
            Self::NotLoad { above, .. } => format!("a saturation of {above} or more"),
            Self::Vetoed { above, .. } => format!("{above} or less"),
            Self::SuspectVersion { .. } => {
                "calm, or `damper scale resume` where the version is not the cause".to_owned()
            }
            Self::AtMax { owner: Some(owner), .. } => format!("a higher maximum of {owner}"),
            Self::AtMax { owner: None, .. } => "a higher replicas.max".to_owned(),
            Self::GiveBackUseless { base, .. } => format!("{base} reached"),
            Self::Calm { .. } => "burn above the rate for giving back".to_owned(),
            Self::PageFires { .. } => "the page resolved".to_owned(),
            Self::WouldFill { .. } => "less load".to_owned(),
            Self::MustStay { .. } => "a smaller disruption budget".to_owned(),
            Self::AtRest { .. } => "burn at or above the first step".to_owned(),
            Self::Between { .. } => {
                "burn that rises to the first step, or falls below the rate for giving back".to_owned()
            }
        }
    }
}

fn who(by: Option<&str>) -> &str {
    by.unwrap_or("Somebody else")
}
