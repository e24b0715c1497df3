//! What people are told of a scale policy: whether it is so, for how long it must be, and the reason
//! that says it.

use super::scaling::Scaled;
use crate::engine::alert::{Matter, RuleInput};
use crate::engine::condition::Verdict;
use crate::engine::scale::Reason;
use crate::slo::model::Severity;
use crate::slo::policy::ScaleMode;
use crate::slo::time::Span;

/// How long a policy may be unable to act before somebody is told.
const BLOCKED_AFTER: Span = Span::from_mins(5);
/// How long nothing may be known of an SLO: whoever looks after the SLO is told before.
const UNKNOWN_AFTER: Span = Span::from_mins(15);
/// Reasons come and go with each pod that starts; what they are the reason of does not.
const KEEP: Span = Span::from_mins(5);

/// The rules of a notice; it fires while any of them does.
pub(super) fn rules(
    scaled: &Scaled<'_>,
    matter: Matter,
    severity: Severity,
    is_blind: bool,
) -> Vec<RuleInput<'static>> {
    let is_auto = scaled.policy.mode == ScaleMode::Auto;
    let rule = |name, hold_for, keep_firing_for, holds: bool| {
        let verdict = if is_auto && holds { Verdict::Holds } else { Verdict::Clear };
        let keep_firing_for = if is_auto { keep_firing_for } else { Span::ZERO };
        RuleInput { name, hold_for, keep_firing_for, begins: verdict, goes_on: verdict }
    };
    let (state, now) = (scaled.state, scaled.decision.at);
    let one = |keep, holds| vec![rule("scaling", Span::ZERO, keep, holds)];
    match matter {
        Matter::Added => one(Span::ZERO, state.is_raised(scaled.policy.replicas)),
        Matter::Overridden => {
            one(Span::ZERO, state.overridden.as_ref().is_some_and(|other| now < other.until))
        }
        Matter::Ineffective => one(KEEP, state.is_useless(now) && state.calm_since.is_none()),
        Matter::SuspectVersion => {
            let is_suspect = of(scaled, Matter::SuspectVersion).is_some();
            // Burn that pages nobody does not wake anybody for its cause either.
            let is_own = (severity == Severity::Page) == scaled.pages;
            one(if is_suspect { Span::ZERO } else { KEEP }, is_suspect && is_own)
        }
        Matter::Blocked => {
            let is_blocked = scaled.decision.reasons().any(|reason| blocks(scaled, reason));
            let is_blocked = is_blocked || state.refused.is_some();
            let is_unknown = scaled.decision.reasons().any(is_unknown);
            vec![
                rule("scaling", BLOCKED_AFTER, KEEP, is_blocked),
                // A source that does not answer has a page of its own.
                rule("unknown", UNKNOWN_AFTER, KEEP, is_unknown && !is_blind),
            ]
        }
        Matter::CommonCause => one(Span::ZERO, false),
    }
}

/// What the alert tells: of the decision's reasons the one that it is about.
pub(super) fn reason(scaled: &Scaled<'_>, matter: Matter) -> Reason {
    let state = scaled.state;
    let own = match matter {
        Matter::Ineffective => state.useless.and_then(|useless| {
            let until = useless.hold_until?;
            Some(Reason::Useless { before: useless.before, after: useless.after, until })
        }),
        Matter::Overridden => state.overridden.clone().map(|other| Reason::Overridden {
            by: other.by,
            to: other.to,
            until: other.until,
        }),
        Matter::Blocked => refused(scaled).or_else(|| of(scaled, matter)),
        Matter::SuspectVersion => of(scaled, matter),
        Matter::Added => state.added_for.clone(),
        Matter::CommonCause => None,
    };
    own.unwrap_or_else(|| scaled.decision.reason.clone())
}

fn refused(scaled: &Scaled<'_>) -> Option<Reason> {
    let until = scaled.state.cooldown_until.unwrap_or(scaled.decision.at);
    Some(Reason::Refused { why: scaled.state.refused.clone()?, until })
}

fn of(scaled: &Scaled<'_>, matter: Matter) -> Option<Reason> {
    let is_own = |reason: &&Reason| match matter {
        Matter::Blocked => blocks(scaled, reason) || is_unknown(reason),
        Matter::SuspectVersion => matches!(reason, Reason::SuspectVersion { .. }),
        _ => false,
    };
    scaled.decision.reasons().find(is_own).cloned()
}

/// Whether a reason keeps a policy from what it would do. Some are nobody's concern at rest.
fn blocks(scaled: &Scaled<'_>, reason: &Reason) -> bool {
    let burns = || scaled.decision.reasons().any(|reason| matches!(reason, Reason::Burning { .. }));
    match reason {
        Reason::Blocked { .. }
        | Reason::AtMax { .. }
        | Reason::Fight { .. }
        | Reason::Misfit { .. }
        | Reason::WorkloadUnknown
        | Reason::RateLimit { .. }
        | Reason::FleetLimit { .. } => true,
        Reason::Starting { .. } | Reason::SaturationUnknown | Reason::VetoUnknown { .. } => burns(),
        _ => false,
    }
}

fn is_unknown(reason: &Reason) -> bool {
    matches!(reason, Reason::BurnUnknown { .. })
}
