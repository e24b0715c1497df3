//! How an SLO stands now: absence is typed, because resolving or scaling on a false zero is the
//! worst thing this system could do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::condition::more_bad_than_total;
use super::plan::AliveReading;
use super::window::{Slice, Windows};
use crate::slo::model::AbsentMeans;
use crate::slo::time::Span;
use crate::slo::unit::Events;

/// How an SLO and group stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// Events counted, with a young sample.
    Ok,
    /// Fresh series without events, or a workload that is up and was never asked for anything.
    Idle,
    /// Bad has no series while total lives: no errors.
    NoErrors,
    /// As [`Self::NoErrors`], and no bad event was ever seen: it may be a wrong query.
    Unproven,
    /// No series of total exists.
    Absent,
    /// Nothing can be said.
    Unknown,
    /// Nothing can be said because bad exceeds total: bad is not a part of total.
    BadNotPartOfTotal,
}

impl Standing {
    /// How it stands at the slice with which the windows end.
    pub fn of(windows: &mut Windows<'_, '_>, targets: Option<AliveReading>, means: AbsentMeans) -> Self {
        match windows.book().slice(windows.at()) {
            Slice::Unknown => Self::Unknown,
            Slice::Absent { born: false } if targets.is_some_and(|t| t.up > 0) => Self::Idle,
            Slice::Absent { .. } if means == AbsentMeans::Idle => Self::Idle,
            Slice::Absent { .. } => Self::Absent,
            Slice::Counted { bad_absent, bad_born } => {
                let recent = windows.get(Span::from_mins(5));
                if more_bad_than_total(&recent) {
                    Self::BadNotPartOfTotal
                } else if recent.total == Events::ZERO {
                    Self::Idle
                } else if bad_absent {
                    if bad_born { Self::NoErrors } else { Self::Unproven }
                } else {
                    Self::Ok
                }
            }
        }
    }

    /// Whether rules may be judged: otherwise every state holds.
    pub fn is_known(self, means: AbsentMeans) -> bool {
        match self {
            Self::Ok | Self::Idle | Self::NoErrors | Self::Unproven => true,
            Self::Absent => means != AbsentMeans::Unknown,
            Self::Unknown | Self::BadNotPartOfTotal => false,
        }
    }

    /// How absence in its windows is read.
    pub fn reads_absence_as(self, means: AbsentMeans) -> AbsentMeans {
        if self == Self::Idle && means == AbsentMeans::Unknown { AbsentMeans::Idle } else { means }
    }
}
