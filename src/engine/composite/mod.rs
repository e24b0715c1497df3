//! Several SLOs as one, out of what the ledger holds of them: nothing is asked for it.
//!
//! With `Eᵢ(w) = Σbad / Σtotal` of part `i` over the window `w`, as for the part's own alerts:
//!
//! - `worst`: `E(w) = max Eᵢ(w)`
//! - `weighted`: `E(w) = Σ wᵢ·Eᵢ(w) / Σ wᵢ`, the weighted mean that composite SLOs have elsewhere
//!   (Elastic Observability, Nobl9). It is not the ratio of summed counts, where a part weighs what
//!   traffic it has.
//!
//! What follows is as for any SLO, with the objective and the period of the composite:
//! `burn(w) = E(w) / (1 − objective)`.
//!
//! **What is not known** of a part is never zero. A rule begins to hold by what is known: parts of which
//! nothing is known are read as without errors, and keep their weight, so that a gap makes no page, and
//! what burns whatever the others do is told. It ends only once all parts are known. A part without
//! events has no errors, and keeps its weight: that one sleeps makes the others no worse. A group of a part
//! that counts more bad events than events is one of which nothing is known, as by its own alert.
//!
//! | file      | what it is                                            |
//! |-----------|-------------------------------------------------------|
//! | `ratio`   | error ratios, exact, and how they become one          |
//! | `read`    | one part at one moment                                |
//! | `pool`    | its groups together, read once for all composites     |
//! | `judge`   | whether a rule holds                                  |
//! | `numbers` | ratios, coverage and budget as people see them        |

mod judge;
mod numbers;
mod pool;
mod ratio;
mod read;
#[cfg(test)]
mod tests;

pub use numbers::{Left, Seen};
pub use pool::Pools;
pub use read::Value;

use read::{Knows, Read};

use super::ledger::Ledger;
use super::plan::{Parts, Planned};
use super::status::Standing;
use super::step::Observed;
use crate::slo::time::{Span, Ts};

/// A composite at one moment.
pub struct Whole<'a> {
    planned: &'a Planned,
    of: &'a Parts,
    parts: Vec<Read<'a>>,
    at: Ts,
}

impl<'a> Whole<'a> {
    /// `None` where the SLO is no composite.
    pub fn read(planned: &'a Planned, ledger: &'a Ledger, observed: &Observed, at: Ts) -> Option<Self> {
        Self::read_beside(planned, ledger, observed, at, &Pools::default())
    }

    /// The same, beside others that are read of the same ledger: parts that they share are read once.
    pub fn read_beside(
        planned: &'a Planned,
        ledger: &'a Ledger,
        observed: &Observed,
        at: Ts,
        pools: &Pools<'a>,
    ) -> Option<Self> {
        let of = planned.parts.as_ref()?;
        let read = |part| Read::part(planned, part, ledger, observed, at, pools);
        Some(Self { planned, of, parts: of.parts.iter().map(read).collect(), at })
    }

    /// The moment.
    pub fn at(&self) -> Ts {
        self.at
    }

    /// How it stands: unknown while a part is; else as its parts do where all do alike.
    pub fn standing(&self) -> Standing {
        if self.parts.iter().any(|part| part.knows == Knows::Nothing) {
            return Standing::Unknown;
        }
        let all = |is: &[Standing]| self.parts.iter().all(|part| is.contains(&part.standing));
        match () {
            () if all(&[Standing::Idle]) => Standing::Idle,
            () if all(&[Standing::Idle, Standing::NoErrors, Standing::Unproven]) => Standing::NoErrors,
            () => Standing::Ok,
        }
    }

    /// Why not all is known of it, in words.
    pub fn why(&self) -> Option<String> {
        let unknown = self.parts.iter().filter(|part| part.knows == Knows::Nothing);
        let words: Vec<String> = unknown.map(|part| format!("{}: {}", part.part.named, part.why)).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// Whether all of which nothing is known is so because its source does not answer.
    pub fn is_blind(&self, observed: &Observed) -> bool {
        let mut unknown = self.parts.iter().filter(|part| part.knows == Knows::Nothing).peekable();
        unknown.peek().is_some()
            && unknown.all(|part| match &part.part.member {
                Ok(member) => observed.is_blind(&member.source),
                Err(_) => false,
            })
    }

    /// Until when all of it was known; `None` while that was never so.
    pub fn known_until(&self) -> Option<Ts> {
        self.parts.iter().map(|part| part.known_until()).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// The parts whose series never were, see [`JudgedGroup`](super::step::JudgedGroup).
    pub fn never_were(&self) -> Vec<String> {
        let never = self.parts.iter().filter(|part| part.never_was());
        never.map(|part| part.part.named.slo.to_string()).collect()
    }

    /// Whether a part of the newest slice was withheld without proof.
    pub fn is_partial(&self) -> bool {
        self.parts.iter().any(|part| part.is_partial())
    }

    /// The same of any slice of a window.
    pub fn any_partial(&self, window: Span) -> bool {
        self.parts.iter().any(|part| part.any_partial(window))
    }
}
