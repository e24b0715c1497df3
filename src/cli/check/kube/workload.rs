//! A workload as it was found.

use std::fmt;

use serde::Serialize;

use crate::engine::scale;

/// A workload as it was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Replicas it is asked to have.
    pub wanted: u32,
    /// Replicas that serve.
    pub ready: u32,
    /// Where the lever stands: the count, or the floor of its owner.
    pub position: u32,
    /// The autoscaler whose floor Damper moves; null where it is the count itself.
    pub owner: Option<String>,
    /// The autoscaler's own maximum.
    pub most: Option<u32>,
    /// Who set the lever last, where the API tells.
    pub writer: Option<String>,
}

impl From<&scale::Workload> for Workload {
    fn from(seen: &scale::Workload) -> Self {
        Self {
            wanted: seen.wanted,
            ready: seen.ready,
            position: seen.position(),
            owner: seen.owner().map(str::to_owned),
            most: seen.owner().map(|_| seen.most()),
            writer: seen.writer.as_ref().map(|writer| writer.name.clone()),
        }
    }
}

/// `5 of 5 replicas ready; Damper moves the replica count, at 5, last set by kubectl`
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} replicas ready; Damper moves ", self.ready, self.wanted)?;
        match &self.owner {
            None => write!(f, "the replica count, at {}", self.position)?,
            Some(owner) => {
                write!(f, "the floor of {owner}, at {}", self.position)?;
                self.most.map_or(Ok(()), |most| write!(f, " of at most {most}"))?;
            }
        }
        self.writer.as_ref().map_or(Ok(()), |writer| write!(f, ", last set by {writer}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_damper_would_move_is_told_with_where_it_stands() {
        let count = Workload {
            wanted: 5,
            ready: 4,
            position: 5,
            owner: None,
            most: None,
            writer: Some("kubectl".into()),
        };
        let expected = "4 of 5 replicas ready; Damper moves the replica count, at 5, last set by kubectl";
        assert_eq!(count.to_string(), expected);
        let owner = Some("HorizontalPodAutoscaler web".to_owned());
        let floor = Workload { owner, most: Some(10), position: 2, writer: None, ..count };
        let expected = "4 of 5 replicas ready; Damper moves the floor of HorizontalPodAutoscaler web, at 2 of at most 10";
        assert_eq!(floor.to_string(), expected);
    }
}
