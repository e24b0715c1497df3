//! What was written becomes what is right, or every reason why not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use super::merged::Merged;
use super::problem::SettingsProblem;
use super::written::{Written, WrittenLog, WrittenRoute};
use super::{Route, Settings};
use crate::notify::{self, ReceiverConfig, ReceiverSettings, check_receivers};
use crate::prometheus::{SourceConfig, SourceSettings};
use crate::slo::time::{Span, Step};
use crate::telemetry::LogSettings;

/// Labels that alerts carry by themselves.
const OWN_LABELS: [&str; 4] = ["alertname", "service", "slo", "severity"];
const MAX_SOURCES: usize = 64;
/// Sooner, one slow answer would page twice; later, nobody is told in time.
const FALLBACK_AFTER: RangeInclusive<Span> = Span::from_secs(5)..=Span::from_hours(1);

/// Collects problems under their place.
pub(super) struct Check<'m> {
    pub(super) merged: &'m Merged,
    pub(super) problems: Vec<SettingsProblem>,
}

impl Check<'_> {
    /// All of the settings; `None` when one is wrong.
    pub(super) fn settings(&mut self, written: Written) -> Option<Settings> {
        let heartbeat = written.heartbeat.map(|heartbeat| {
            let mut found = notify::Problems::default();
            let checked = heartbeat.check("heartbeat", &mut found);
            self.notify_problems(found.0);
            checked
        });
        let names = self.merged.names("receivers");
        let alerting = self.alerting(written.alerting);
        let store = self.parse("store", written.store).unwrap_or_default();
        let settings = Settings {
            sources: self.sources(written.sources, written.prometheus),
            external_labels: self.external_labels(written.external_labels),
            external_url: self.external_url(written.external_url),
            definitions: self.definitions(written.definitions),
            backups: self.backups(written.backups, &store),
            store,
            listen: self.listen(written.listen),
            step: self.step(written.step),
            heartbeat: heartbeat.flatten(),
            receivers: self.receivers(written.receivers),
            route: self.route(written.route, alerting.shadow_receiver.as_deref()),
            alerting,
            scaling: self.scaling(written.scaling),
            log: self.log(written.log),
        };
        self.shadow_receiver(&settings.alerting, settings.route.as_ref(), &names);
        self.problems.is_empty().then_some(settings)
    }

    pub(super) fn add(&mut self, key: impl Into<String>, what: impl Display) {
        let key = key.into();
        let place = self.merged.place_of(&key);
        self.problems.push(SettingsProblem { place, key, what: what.to_string() });
    }

    /// Whether something at or below a key is wrong already: what follows from it is not told.
    fn told(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| {
            problem.key.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    pub(super) fn parse<T: FromStr<Err: Display>>(&mut self, key: &str, text: Option<String>) -> Option<T> {
        match text?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(key, error);
                None
            }
        }
    }

    fn sources(
        &mut self,
        list: Option<Vec<Option<SourceSettings>>>,
        one: Option<SourceSettings>,
    ) -> Vec<SourceConfig> {
        let written: Vec<(String, SourceSettings)> = match (list, one) {
            (Some(_), Some(_)) => {
                self.add(
                    "prometheus",
                    "is for a single source, and `sources` is written too; keep one of them",
                );
                return Vec::new();
            }
            (Some(list), None) => {
                if list.is_empty() || list.len() > MAX_SOURCES {
                    self.add("sources", format!("needs 1 to {MAX_SOURCES} sources"));
                }
                let item = |(i, source): (usize, Option<_>)| Some((format!("sources[{i}]"), source?));
                list.into_iter().enumerate().filter_map(item).collect()
            }
            (None, Some(one)) => vec![("prometheus".into(), one)],
            (None, None) => {
                if !self.told("sources") && !self.told("prometheus") {
                    self.add(
                        "",
                        "no source: write `prometheus: {url: http://prometheus:9090}`, or `sources`",
                    );
                }
                return Vec::new();
            }
        };
        let mut names = BTreeSet::new();
        let mut checked = Vec::new();
        for (at, source) in written {
            if !names.insert(source.name.clone()) {
                self.add(format!("{at}.name"), format!("`{}` is taken by another source", source.name));
            }
            match SourceConfig::check(source) {
                Ok(source) => checked.push(source),
                Err(problems) => {
                    for problem in problems {
                        self.add(format!("{at}.{}", problem.field), problem.message);
                    }
                }
            }
        }
        checked
    }

    fn external_labels(&mut self, labels: BTreeMap<String, String>) -> BTreeMap<String, String> {
        for (name, value) in &labels {
            let key = format!("externalLabels.{name}");
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let first = name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
            if !plain || !first || name.starts_with("__") {
                self.add(
                    key,
                    "is not a label name: letters, digits and `_`, not beginning with a digit or `__`",
                );
            } else if OWN_LABELS.contains(&name.as_str()) {
                self.add(key, "is a label that every alert has by itself; use another name");
            } else if value.is_empty() || value.len() > 256 || value.chars().any(char::is_control) {
                self.add(key, "needs a value of 1 to 256 visible characters");
            }
        }
        labels
    }

    /// Without a slash at its end; empty when it is not known.
    fn external_url(&mut self, text: Option<String>) -> String {
        let mut found = notify::Problems::default();
        let url = text.and_then(|text| crate::http::url(&text, "externalUrl", &mut found));
        self.notify_problems(found.0);
        url.map(|url| url.as_str().trim_end_matches('/').to_owned()).unwrap_or_default()
    }

    fn definitions(&mut self, written: Vec<Option<String>>) -> Vec<PathBuf> {
        if written.is_empty() && !self.told("definitions") {
            self.add("definitions", "no definitions: write files and folders of SLOs, `definitions: [slos]`");
        }
        for (i, text) in written.iter().enumerate() {
            let Some(text) = text else { continue };
            if text.trim().is_empty() {
                self.add(format!("definitions[{i}]"), "is empty; write a file or a folder");
            } else if text.contains("://") {
                let what = "is a URL, and this version of Damper reads files and folders only";
                self.add(format!("definitions[{i}]"), what);
            }
        }
        written.into_iter().flatten().map(PathBuf::from).collect()
    }

    fn listen(&mut self, text: Option<String>) -> std::net::SocketAddr {
        let default = std::net::SocketAddr::from(([127, 0, 0, 1], 9095));
        let Some(text) = text else { return default };
        text.trim().parse().unwrap_or_else(|_| {
            self.add("listen", "must be ADDRESS:PORT, such as 127.0.0.1:9095, 0.0.0.0:9095 or [::]:9095");
            default
        })
    }

    fn step(&mut self, text: Option<String>) -> Step {
        let Some(span) = self.parse::<Span>("step", text) else { return Step::DEFAULT };
        Step::new(span).unwrap_or_else(|| {
            let allowed: Vec<String> = Step::ALLOWED.iter().map(|secs| format!("{secs}s")).collect();
            self.add("step", format!("must divide five minutes: one of {}", allowed.join(", ")));
            Step::DEFAULT
        })
    }

    fn receivers(&mut self, written: Vec<Option<ReceiverSettings>>) -> Vec<ReceiverConfig> {
        let mut names = BTreeSet::new();
        let mut checked = Vec::new();
        for (i, receiver) in written.into_iter().enumerate() {
            let Some(receiver) = receiver else { continue };
            let (at, name) = (format!("receivers[{i}]"), receiver.name.clone());
            if !names.insert(name.clone()) {
                self.add(format!("{at}.name"), format!("`{name}` is taken by another receiver"));
            }
            // One by one: problems are told under the name, which may be there twice.
            match check_receivers(vec![receiver]) {
                Ok(receiver) => checked.extend(receiver),
                Err(mut problems) => {
                    let by_name = format!("receivers.{name}");
                    // A kind that could not be read is not missing.
                    let torn = self.told(&at);
                    problems.retain(|problem| !(torn && problem.at == by_name));
                    for problem in &mut problems {
                        let rest = problem.at.strip_prefix(&by_name);
                        let rest = rest.or_else(|| problem.at.strip_prefix("receivers[0]"));
                        problem.at = format!("{at}{}", rest.unwrap_or_default());
                    }
                    self.notify_problems(problems);
                }
            }
        }
        checked
    }

    pub(super) fn notify_problems(&mut self, problems: Vec<notify::Problem>) {
        for problem in problems {
            self.add(problem.at, problem.message);
        }
    }

    /// Without a route the only receiver gets all, apart from the one that is for shadows.
    fn route(&mut self, written: Option<WrittenRoute>, shadow: Option<&str>) -> Option<Route> {
        let names = self.merged.names("receivers");
        let Some(route) = written else {
            let mut all = names.into_iter().filter(|name| Some(name.as_str()) != shadow);
            return match (all.next(), all.next()) {
                (Some(receiver), None) => {
                    Some(Route { receiver, fallback: None, fallback_after: Route::FALLBACK_AFTER })
                }
                (Some(_), Some(_)) if !self.told("route") => {
                    self.add(
                        "",
                        "several receivers and no route: write `route: {receiver: NAME, fallback: NAME}`",
                    );
                    None
                }
                _ => None,
            };
        };
        self.named("route.receiver", &route.receiver, &names);
        if let Some(fallback) = &route.fallback {
            if *fallback == route.receiver {
                self.add("route.fallback", "is the receiver itself; name another one or remove it");
            } else {
                self.named("route.fallback", fallback, &names);
            }
        }
        let fallback_after = self.fallback_after(route.fallback_after, route.fallback.is_some());
        Some(Route { receiver: route.receiver, fallback: route.fallback, fallback_after })
    }

    fn fallback_after(&mut self, written: Option<String>, has_fallback: bool) -> Span {
        let Some(text) = written else { return Route::FALLBACK_AFTER };
        let key = "route.fallbackAfter";
        if !has_fallback {
            self.add(key, "has no effect without `fallback`");
        }
        let span = self.parse(key, Some(text)).unwrap_or(Route::FALLBACK_AFTER);
        if !FALLBACK_AFTER.contains(&span) {
            self.add(key, format!("must be between {} and {}", FALLBACK_AFTER.start(), FALLBACK_AFTER.end()));
        }
        span
    }

    pub(super) fn named(&mut self, key: &str, name: &str, names: &BTreeSet<String>) {
        if !names.contains(name) {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            let hint = match known.as_slice() {
                [] => "there are none under `receivers`".to_owned(),
                known => crate::slo::nearest::hint(name, known),
            };
            self.add(key, format!("`{name}` is no receiver; {hint}"));
        }
    }

    fn log(&mut self, written: WrittenLog) -> LogSettings {
        LogSettings {
            format: self.parse("log.format", written.format).unwrap_or_default(),
            level: self.parse("log.level", written.level).unwrap_or_default(),
        }
    }
}
