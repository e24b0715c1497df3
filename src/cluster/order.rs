//! What is asked of an actuator, and what it brings back.

use crate::engine::scale::Lever;
use crate::slo::time::Ts;

/// One move of a lever, decided and stored before it is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// The same each time this move is made; a repeated one changes nothing.
    pub id: String,
    /// Who decided it, for whoever finds it on the object.
    pub policy: String,
    /// What is moved, as it was seen when it was decided.
    pub lever: Lever,
    /// Where it stood. Nothing is written where it stands elsewhere.
    pub from: u32,
    /// Where it goes. With `from` it only says anew until when the floor is raised.
    pub to: u32,
    /// Until when a raised floor is meant to stay, should nobody be left to lower it.
    pub until: Ts,
}

/// What became of a release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Released {
    /// Nothing was raised.
    Nothing,
    /// The floor is where it was before Damper; `None` where it had none written.
    Back(Option<u32>),
    /// Somebody else moved the floor since; it stays, and only Damper's marks are gone.
    LeftAlone {
        /// Where it stands.
        at: u32,
    },
}

/// A floor that Damper raised, as the object itself says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Raised {
    /// `HorizontalPodAutoscaler shop/checkout`
    pub object: String,
    /// The namespace.
    pub namespace: String,
    /// The policy that raised it.
    pub by: String,
    /// Until when it is meant to stay; `None` where what is written is no time.
    pub until: Option<Ts>,
    /// Where it stands.
    pub at: u32,
    /// Where it was; `None` where it had none written.
    pub original: Option<u32>,
    /// Whether somebody else moved it since: then it stays.
    pub is_moved: bool,
}

/// What is told on the workload itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remark {
    /// One word that tools filter by: `SLOScaledUp`.
    pub reason: String,
    /// What was done: `Scale`, `Hold`.
    pub action: String,
    /// For people, cut at what the API takes.
    pub note: String,
    /// Whether somebody should look.
    pub is_warning: bool,
    /// When.
    pub at: Ts,
}
