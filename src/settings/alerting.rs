//! `alerting:`: shadow mode for all alerts, and who is shown what is in it.

use std::collections::BTreeSet;

use super::check::Check;
use super::written::WrittenAlerting;
use super::{Route, Settings};
use crate::engine::recipient::Shadow;
use crate::slo::model::AlertMode;
use crate::slo::nearest;

/// Shadow mode for all alerts, and who is shown what is in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AlertingConfig {
    /// The most that a definition's own mode can do: in shadow mode nobody is told of any alert.
    pub mode: AlertMode,
    /// Who is shown, marked, what nobody is told; one of the receivers, and no other's stand-in.
    pub shadow_receiver: Option<String>,
}

impl AlertingConfig {
    /// As the engine reads it.
    pub fn shadow(&self) -> Shadow<'_> {
        Shadow { all: self.mode == AlertMode::Shadow, receiver: self.shadow_receiver.as_deref() }
    }
}

impl Settings {
    /// Why nobody is told of any alert although no shadow mode says so; `None` where somebody is.
    pub fn unheard(&self) -> Option<&'static str> {
        let is_unheard = self.alerting.mode == AlertMode::Live && self.route.is_none();
        is_unheard.then_some(
            "nobody is told of any alert, not even of a page: the settings name no receiver; write `receivers`, or `alerting: {mode: shadow}` where that is meant",
        )
    }
}

impl Check<'_> {
    /// All of `alerting:`.
    pub(super) fn alerting(&mut self, written: WrittenAlerting) -> AlertingConfig {
        let mode = match written.mode.as_deref() {
            None | Some("live") => AlertMode::Live,
            Some("shadow") => AlertMode::Shadow,
            Some(word) => {
                let hint = nearest::hint(word, &["live", "shadow"]);
                self.add("alerting.mode", format!("`{word}` is not known; {hint}"));
                AlertMode::Live
            }
        };
        AlertingConfig { mode, shadow_receiver: written.shadow_receiver }
    }

    /// Its receiver beside the others: who may be paged must see from whom a message comes.
    pub(super) fn shadow_receiver(
        &mut self,
        alerting: &AlertingConfig,
        route: Option<&Route>,
        names: &BTreeSet<String>,
    ) {
        let Some(name) = &alerting.shadow_receiver else { return };
        let key = "alerting.shadowReceiver";
        self.named(key, name, names);
        if route.is_none() && alerting.mode == AlertMode::Live && names.iter().eq([name]) {
            let what = format!(
                "`{name}` is the only receiver, and one that is shown what shadow mode tells nobody is told no page: in live mode nobody would be; remove this key, add another receiver, or write `mode: shadow`"
            );
            self.add(key, what);
        }
        let pages =
            route.is_some_and(|route| route.receiver == *name || route.fallback.as_ref() == Some(name));
        if pages {
            let what = format!(
                "`{name}` is told pages by `route`; make another receiver of it, so that nobody takes one for the other"
            );
            self.add(key, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Settings, SettingsError};

    const BASE: &str = "prometheus: {url: 'http://127.0.0.1:9090'}
definitions: [slos]
receivers:
  - {name: oncall, webhook: {url: 'http://127.0.0.1:1/'}}
  - {name: chat, webhook: {url: 'http://127.0.0.1:2/'}}
";

    fn parse(alerting: &str) -> Result<Settings, SettingsError> {
        Settings::parse("damper.yaml", &format!("{BASE}{alerting}\n"), [], &[])
    }

    #[test]
    fn of_two_receivers_the_one_that_is_no_shadow_is_told() {
        let settings = parse("alerting: {mode: shadow, shadowReceiver: chat}").unwrap();
        assert_eq!(settings.alerting.shadow(), Shadow { all: true, receiver: Some("chat") });
        assert_eq!(settings.route.unwrap().receiver, "oncall");
        let variable = ("DAMPER_ALERTING__MODE".to_owned(), "shadow".to_owned());
        let text = format!("{BASE}route: {{receiver: oncall}}");
        let by_variable = Settings::parse("damper.yaml", &text, [variable], &[]).unwrap();
        assert_eq!(by_variable.alerting.shadow(), Shadow { all: true, receiver: None });
        let settings = parse("route: {receiver: oncall}").unwrap();
        assert_eq!((settings.alerting.shadow(), settings.unheard()), (Shadow::default(), None));
    }

    #[test]
    fn that_nobody_is_told_is_said_unless_shadow_mode_means_it() {
        let alone = BASE.lines().filter(|line| !line.contains("chat")).collect::<Vec<_>>().join("\n");
        let sources = alone.split("receivers:").next().unwrap().to_owned();
        let read = |text: String| Settings::parse("damper.yaml", &text, [], &[]);
        for receivers in ["", "receivers: []\n", "alerting: {mode: live}\n"] {
            let unheard = read(format!("{sources}{receivers}")).unwrap().unheard();
            assert!(unheard.unwrap().contains("nobody is told"), "{receivers}");
        }
        let shadow = "alerting: {mode: shadow, shadowReceiver: oncall}";
        assert_eq!(read(format!("{sources}alerting: {{mode: shadow}}")).unwrap().unheard(), None);
        assert_eq!(read(format!("{alone}\n{shadow}")).unwrap().unheard(), None);
        let live =
            read(format!("{alone}\n{}", shadow.replace("mode: shadow, ", ""))).unwrap_err().to_string();
        assert!(live.contains("damper.yaml:5") && live.contains("told no page"), "{live}");
    }

    #[test]
    fn nobody_is_both_told_pages_and_shown_shadows() {
        for (route, wrong) in [
            ("route: {receiver: chat}", "is told pages"),
            ("route: {receiver: oncall, fallback: chat}", "is told pages"),
        ] {
            let error =
                parse(&format!("{route}\nalerting: {{shadowReceiver: chat}}")).unwrap_err().to_string();
            assert!(error.contains("damper.yaml:7") && error.contains(wrong), "{error}");
        }
        let error = parse("alerting: {mode: shadwo, shadowReceiver: caht}").unwrap_err().to_string();
        assert!(
            error.contains("`shadwo` is not known") && error.contains("`caht` is no receiver"),
            "{error}"
        );
    }
}
