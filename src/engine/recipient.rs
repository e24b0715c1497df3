//! Who is told: people, or in shadow mode somebody who is shown what people would have been told.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::notice::{Alert, Event, Notice};

/// One receiver and in what way it is told. To be told for real and to be shown a shadow are two
/// things, also where a receiver first had the one and then has the other: the end of shadow mode
/// tells what fires.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Recipient {
    /// A receiver by its name: people are told.
    Live(String),
    /// A receiver that is shown, marked, what nobody is told.
    Shadow {
        /// Its name.
        shadow: String,
    },
}

/// What settings say of shadow mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shadow<'a> {
    /// Nobody is told of any alert, whatever its definition says.
    pub all: bool,
    /// Who is shown alerts in shadow mode.
    pub receiver: Option<&'a str>,
}

/// The label that marks what is only shown.
pub const MARK: &str = "shadow";
/// The severity people would have been told.
const SEVERITY: &str = "shadow_severity";

impl Recipient {
    /// The notice of a transition, under an id that any repetition of the decision gives again. One
    /// that is only shown is about an incident of its own, so that nothing done to it touches the other.
    pub(super) fn notice(
        &self,
        incident: &str,
        event: Event,
        at: crate::slo::time::Ts,
        alert: &Alert,
    ) -> Notice {
        let (receiver, incident, alert, shadow) = match self {
            Self::Live(name) => (name, incident.to_owned(), alert.clone(), false),
            Self::Shadow { shadow } => (shadow, format!("{incident}:shadow"), marked(alert.clone()), true),
        };
        let id = Notice::id_of(&incident, event, receiver);
        Notice { id, incident, receiver: receiver.clone(), event, at, alert, shadow }
    }

    /// Whether it is people who are told.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }
}

/// `oncall`, or `chat (shadow)`.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live(name) => f.write_str(name),
            Self::Shadow { shadow } => write!(f, "{shadow} (shadow)"),
        }
    }
}

impl From<&str> for Recipient {
    fn from(name: &str) -> Self {
        Self::Live(name.to_owned())
    }
}

impl From<String> for Recipient {
    fn from(name: String) -> Self {
        Self::Live(name)
    }
}

impl PartialEq<&str> for Recipient {
    fn eq(&self, name: &&str) -> bool {
        matches!(self, Self::Live(own) if own == name)
    }
}

/// So that nobody takes it for a page, and no route for pages matches it.
fn marked(mut alert: Alert) -> Alert {
    let severity = alert.labels.insert("severity".into(), MARK.into());
    alert.labels.insert(SEVERITY.into(), severity.unwrap_or_else(|| alert.severity.as_str().into()));
    alert.labels.insert(MARK.into(), "true".into());
    if let Some(summary) = alert.annotations.get_mut("summary") {
        summary.insert_str(0, "[SHADOW] ");
    }
    alert
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_told_is_read_as_it_was_written_before_there_were_shadows() {
        let told: Vec<Recipient> = serde_json::from_str(r#"["oncall", {"shadow": "chat"}]"#).unwrap();
        assert_eq!(told, [Recipient::from("oncall"), Recipient::Shadow { shadow: "chat".into() }]);
        assert_eq!(serde_json::to_string(&told).unwrap(), r#"["oncall",{"shadow":"chat"}]"#);
        assert!(told[0].is_live() && !told[1].is_live());
        assert_ne!(told[1], "chat");
        assert_eq!((told[0].to_string(), told[1].to_string()), ("oncall".into(), "chat (shadow)".into()));
    }
}
