//! Where the lever is, against where it was left: a write that arrived, one that never came, or
//! somebody else's.

use super::look::Look;
use super::observed::{Writer, WriterKind};
use super::state::{Intent, Overridden, REVERTS_WITHIN, State};
use crate::slo::time::Ts;

/// Takes in where the lever is.
pub(super) fn take_in(look: &Look<'_>, state: &mut State) {
    compare(look, state);
    // The object knows better than a store that may have been lost, unless somebody else moved it since.
    let is_foreign = look.workload.writer.as_ref().is_some_and(|writer| writer.kind != WriterKind::Damper);
    state.base = look.workload.original().filter(|_| !is_foreign).or(state.base);
}

fn compare(look: &Look<'_>, state: &mut State) {
    let (now, workload) = (look.now, look.workload);
    let at = workload.position();
    let writer = workload.writer.as_ref();
    let Some(seen) = state.seen.filter(|_| state.owner.as_deref() == workload.owner()) else {
        return begin(look, state);
    };
    let Some(intent) = state.intent else {
        if at != seen {
            moved(look, writer, state);
        }
        return;
    };
    let other = writer.filter(|w| w.kind != WriterKind::Damper && w.at >= intent.at);
    match at {
        // It came, and somebody answered it within one look.
        _ if other.is_some() => {
            state.arrived(intent);
            foreign(look, other, state);
        }
        _ if at == intent.to => state.arrived(intent),
        _ if at == intent.from && now <= intent.until => {}
        _ if at == intent.from => state.never_came(),
        _ => {
            state.arrived(intent);
            moved(look, writer.filter(|w| w.kind == WriterKind::Damper), state);
        }
    }
}

/// First sight, another lever than before, or one that was let go. A floor that Damper raised before
/// is still raised.
fn begin(look: &Look<'_>, state: &mut State) {
    let (workload, at) = (look.workload, look.workload.position());
    if state.base.is_none() || state.owner.as_deref() != workload.owner() {
        state.owner = workload.owner().map(str::to_owned);
        state.base = Some(at);
        (state.useless, state.overridden) = (None, None);
    }
    state.seen = Some(at);
    (state.intent, state.trial) = (None, None);
    let raised = workload.original().filter(|original| *original < at);
    state.last = raised.map(|from| write_at(look.now, from, at));
}

/// The lever is not where it was left.
fn moved(look: &Look<'_>, writer: Option<&Writer>, state: &mut State) {
    let is_own = match writer {
        Some(writer) => writer.kind == WriterKind::Damper,
        None => look.workload.original().is_some(),
    };
    if is_own { own(look, state) } else { foreign(look, writer, state) }
}

/// Damper itself: a floor that was let go, or a write that was taken for lost.
fn own(look: &Look<'_>, state: &mut State) {
    let at = look.workload.position();
    let from = state.seen.replace(at).unwrap_or(at);
    state.trial = None;
    let is_above = state.base.is_some_and(|base| at > base);
    state.last = is_above.then(|| write_at(look.now, from, at));
}

fn write_at(at: Ts, from: u32, to: u32) -> Intent {
    Intent { at, from, to, until: at }
}

/// Somebody else set the lever: their count holds for a while, and is what replicas are given back
/// to. A controller that puts it back to where it was is no person: it will do so again.
fn foreign(look: &Look<'_>, writer: Option<&Writer>, state: &mut State) {
    let (now, at) = (look.now, look.workload.position());
    // A release says before who brings it there.
    let said = state.overridden.as_ref().filter(|other| other.to == at && now < other.until);
    let by = writer.map(|writer| writer.name.clone()).or_else(|| said.and_then(|other| other.by.clone()));
    // Where the last write began, or where the first one did.
    let is_back = |last: Intent| last.from == at || state.base == Some(at);
    let puts_back = state.last.is_some_and(|last| is_back(last) && now.since(last.at) < REVERTS_WITHIN);
    let until = now.plus(look.policy.respect_override);
    state.seen = Some(at);
    (state.calm_since, state.trial, state.useless, state.last) = (None, None, None, None);
    if puts_back && writer.is_some_and(|writer| writer.kind == WriterKind::Controller) {
        state.reverts.push(now);
        if state.reverts.len() >= 2 {
            state.fight = Some(Overridden { by, to: at, until });
        }
        return;
    }
    state.base = Some(at);
    state.overridden = Some(Overridden { by, to: at, until });
}

impl State {
    /// The write was made.
    pub fn arrived(&mut self, intent: Intent) {
        self.seen = Some(intent.to);
        self.last = Some(intent);
        (self.intent, self.refused, self.ready_since) = (None, None, None);
    }

    /// The write was not made, and will not be.
    pub fn never_came(&mut self) {
        self.intent = None;
        self.trial = self.trial.take().filter(|trial| trial.steps > 1);
        if let Some(trial) = &mut self.trial {
            trial.steps -= 1;
        }
    }

    /// The write was refused, and will be until somebody changes something.
    pub fn was_refused(&mut self, why: String) {
        self.never_came();
        self.refused = Some(why);
    }

    /// The write was not made because its API asked for patience until then. It costs no cooldown:
    /// nothing moved.
    pub fn was_put_off(&mut self, until: Ts, why: String) {
        self.was_refused(why);
        self.writes.pop();
        self.cooldown_until = Some(until);
    }
}
