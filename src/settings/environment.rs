//! Environment variables `DAMPER_SECTION__KEY` as a layer over the file.

use config::{ConfigError, Map, Source, Value, ValueKind};

use super::place::Place;
use super::problem::SettingsProblem;
use crate::slo::nearest::nearest;

/// Settings that a variable can give. Lists of mappings, `sources`, `receivers` and `scaling.actuators`,
/// are written in the file; a secret inside of them can name a variable itself: `{env: NAME}`.
const KEYS: [&str; 43] = [
    "alerting.mode",
    "alerting.shadowReceiver",
    "backups.every",
    "backups.folder",
    "backups.keep",
    "definitions",
    "externalUrl",
    "heartbeat.bearerToken",
    "heartbeat.method",
    "heartbeat.timeout",
    "heartbeat.url",
    "listen",
    "log.format",
    "log.level",
    "prometheus.basicAuth.password",
    "prometheus.basicAuth.passwordFile",
    "prometheus.basicAuth.username",
    "prometheus.bearerToken",
    "prometheus.bearerTokenFile",
    "prometheus.delay",
    "prometheus.kind",
    "prometheus.maxConcurrent",
    "prometheus.maxResponseBytes",
    "prometheus.name",
    "prometheus.timeout",
    "prometheus.tls.ca",
    "prometheus.tls.cert",
    "prometheus.tls.insecureSkipVerify",
    "prometheus.tls.key",
    "prometheus.tls.serverName",
    "prometheus.url",
    "route.fallback",
    "route.fallbackAfter",
    "route.receiver",
    "scaling.kubernetes.context",
    "scaling.kubernetes.kubeconfig",
    "scaling.maxPoliciesUp",
    "scaling.maxReplicasAddedPerHour",
    "scaling.mode",
    "scaling.releaseOnShutdown",
    "scaling.stopFile",
    "step",
    "store",
];
/// What variables of lists would begin with.
const LISTS: [&str; 3] = ["DAMPER_SOURCES", "DAMPER_RECEIVERS", "DAMPER_SCALING__ACTUATORS"];
/// Variables of a label: `DAMPER_EXTERNAL_LABELS__CLUSTER`.
const LABELS: &str = "DAMPER_EXTERNAL_LABELS__";
/// Read by the command line.
const CONFIG: &str = "DAMPER_CONFIG";
/// Short for `DAMPER_LOG__LEVEL`.
const LOG: &str = "DAMPER_LOG";

/// The variables that are settings.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    settings: Map<String, Value>,
}

impl Environment {
    /// Picks the variables that are Damper's; unknown ones are noted.
    pub(super) fn read(
        variables: impl IntoIterator<Item = (String, String)>,
        problems: &mut Vec<SettingsProblem>,
    ) -> Self {
        let known: Vec<(String, &str)> = KEYS.iter().map(|key| (variable(key), *key)).collect();
        let mut given: Vec<(String, String)> = variables.into_iter().collect();
        // The long form of the log level comes after the short one and wins.
        given.sort();
        let mut settings = Map::new();
        for (name, text) in given {
            if !name.starts_with("DAMPER_") || name == CONFIG || is_service_link(&name) {
                continue;
            }
            let key = match known.iter().find(|(variable, _)| *variable == name) {
                _ if name == LOG => Some("log.level".to_owned()),
                Some((_, key)) => Some((*key).to_owned()),
                None => label(&name).map(|label| format!("externalLabels.{label}")),
            };
            if let Some(key) = key {
                let value = value(&key, &name, &text);
                settings.insert(key, value);
            } else {
                let what = unknown(&name, &known);
                let place = Place::Outside(format!("environment variable {name}"));
                problems.push(SettingsProblem { key: String::new(), what, place });
            }
        }
        Self { settings }
    }
}

impl Source for Environment {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.settings.clone())
    }
}

/// `DAMPER_EXTERNAL_URL` of `externalUrl`.
fn variable(key: &str) -> String {
    let mut name = "DAMPER_".to_owned();
    for c in key.chars() {
        match c {
            '.' => name.push_str("__"),
            c if c.is_ascii_uppercase() => name.extend(['_', c]),
            c => name.push(c.to_ascii_uppercase()),
        }
    }
    name
}

fn label(variable: &str) -> Option<String> {
    let name = variable.strip_prefix(LABELS)?.to_ascii_lowercase();
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    plain.then_some(name)
}

/// `definitions` is a list, separated by commas; all else is text.
fn value(key: &str, variable: &str, text: &str) -> Value {
    let origin = Place::Outside(format!("environment variable {variable}")).origin();
    let one = |text: &str| Value::new(Some(&origin), ValueKind::String(text.to_owned()));
    if key != "definitions" {
        return one(text);
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    Value::new(Some(&origin), ValueKind::Array(parts.map(one).collect()))
}

fn unknown(name: &str, known: &[(String, &str)]) -> String {
    let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
    let hint = match nearest(name, &names) {
        Some(known) => format!("did you mean {known}?"),
        None if LISTS.iter().any(|list| name.starts_with(list)) => {
            "sources, receivers and actuators are written in the file, where a secret can be {env: NAME}"
                .into()
        }
        None => "docs/settings.md lists them all; unset it or give it another name".into(),
    };
    format!("no setting has this name; {hint}")
}

/// Kubernetes gives every container such variables for each Service named `damper…` beside it:
/// `DAMPER_SERVICE_HOST`, `DAMPER_SERVICE_PORT_HTTP`, `DAMPER_PORT`, `DAMPER_PORT_9095_TCP_ADDR`.
fn is_service_link(name: &str) -> bool {
    let numbered = |rest: &str| {
        let protocol = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        ["_TCP", "_UDP", "_SCTP"].iter().any(|known| protocol.starts_with(known))
    };
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.split("_PORT_").skip(1).any(numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let mut problems = Vec::new();
        let given = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let layer = Environment::read(given, &mut problems);
        let mut settings: Vec<String> =
            layer.settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        settings.sort();
        (settings, problems.into_iter().map(|problem| problem.what).collect())
    }

    #[test]
    fn variables_are_the_keys_in_capitals() {
        let (settings, problems) = read(&[
            ("DAMPER_STORE", "007"),
            ("DAMPER_EXTERNAL_URL", "https://d"),
            ("DAMPER_PROMETHEUS__BASIC_AUTH__PASSWORD_FILE", "/p"),
            ("DAMPER_EXTERNAL_LABELS__CLUSTER_NAME", "eu"),
            ("DAMPER_LOG__LEVEL", "warn"),
            ("DAMPER_LOG", "debug"),
            ("DAMPER_CONFIG", "x"),
            ("HOME", "/"),
        ]);
        assert_eq!(
            settings,
            [
                "externalLabels.cluster_name=eu",
                "externalUrl=https://d",
                "log.level=warn",
                "prometheus.basicAuth.passwordFile=/p",
                "store=007"
            ]
        );
        assert_eq!(problems, Vec::<String>::new());
    }

    #[test]
    fn an_unknown_variable_names_the_nearest_known_one() {
        let (_, problems) = read(&[
            ("DAMPER_LITSEN", ":1"),
            ("DAMPER_SOURCES__0__URL", "x"),
            ("DAMPER_EXTERNAL_LABELS", "x"),
            ("DAMPER_BANANA", "x"),
        ]);
        insta::assert_snapshot!(problems.join("\n"), @r"
        no setting has this name; docs/settings.md lists them all; unset it or give it another name
        no setting has this name; docs/settings.md lists them all; unset it or give it another name
        no setting has this name; did you mean DAMPER_LISTEN?
        no setting has this name; sources, receivers and actuators are written in the file, where a secret can be {env: NAME}
        ");
    }

    #[test]
    fn what_kubernetes_injects_for_a_service_named_damper_is_no_mistake() {
        let injected = [
            "DAMPER_SERVICE_HOST",
            "DAMPER_SERVICE_PORT",
            "DAMPER_SERVICE_PORT_HTTP",
            "DAMPER_PORT",
            "DAMPER_PORT_9095_TCP",
            "DAMPER_PORT_9095_TCP_PROTO",
            "DAMPER_HEADLESS_PORT_53_UDP_ADDR",
        ];
        assert_eq!(read(&injected.map(|name| (name, "tcp://10.0.0.1:9095"))), (vec![], vec![]));
        assert!(!is_service_link("DAMPER_PORT_OF_CALL"));
        assert!(KEYS.iter().all(|key| !is_service_link(&variable(key))));
    }
}
