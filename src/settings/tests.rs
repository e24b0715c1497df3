//! The settings as a whole: layers, mistakes, secrets.

use super::*;

const GOOD: &str = "prometheus: {url: 'http://127.0.0.1:9090'}\ndefinitions: [slos]\n";

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Settings::parse("damper.yaml", text, variables, &[])
}

fn good(text: &str, variables: &[(&str, &str)]) -> Settings {
    parse(text, variables).unwrap_or_else(|error| panic!("{error}"))
}

fn wrong(text: &str, variables: &[(&str, &str)]) -> String {
    parse(text, variables).expect_err("there are mistakes").to_string()
}

#[test]
fn two_lines_are_enough() {
    let settings = good(GOOD, &[]);
    assert_eq!(settings.sources[0].name(), "prometheus");
    assert_eq!(settings.definitions, [PathBuf::from("slos")]);
    assert_eq!(settings.store.expose(), "sqlite:damper.db");
    assert_eq!(settings.listen.to_string(), "127.0.0.1:9095");
    assert_eq!(settings.step, Step::DEFAULT);
    assert_eq!((settings.route, settings.heartbeat.is_none()), (None, true));
    assert_eq!(settings.log, LogSettings::default());
}

#[test]
fn the_documented_file_is_read_and_shows_its_defaults() {
    let page = include_str!("../../docs/settings.md");
    let yaml = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap();
    let settings = good(yaml, &[]);
    assert_eq!((settings.sources.len(), settings.receivers.len()), (1, 3));
    assert_eq!(settings.external_url, "https://damper.example.org");
    assert_eq!(settings.external_labels["cluster"], "prod-eu1");
    let fallback_after = Route::FALLBACK_AFTER;
    let route = Route { receiver: "oncall".into(), fallback: Some("alertmanager".into()), fallback_after };
    assert_eq!(settings.route, Some(route));
    let plain = good(GOOD, &[]);
    assert_eq!(settings.alerting.mode, plain.alerting.mode);
    assert_eq!(settings.alerting.shadow_receiver.as_deref(), Some("people"));
    let [written, default] = [&settings, &plain].map(|settings| &settings.scaling);
    assert_eq!((written.mode, written.limits), (default.mode, default.limits));
    assert_eq!(written.release_on_shutdown, default.release_on_shutdown);
    assert_eq!(written.stop_file, Some(PathBuf::from("/etc/damper/stop")));
    assert_eq!(written.kubernetes.context.as_deref(), Some("prod-eu1"));
    assert_eq!(settings.context().actuators, Some(vec!["processes".to_owned()]));
    assert_eq!(
        (&settings.store, settings.listen, settings.step, &settings.log),
        (&plain.store, plain.listen, plain.step, &plain.log)
    );
}

#[test]
fn many_mistakes_are_all_told_with_their_lines() {
    let text = "\
sources:
  - name: local
    url: localhost:9090
    tiemout: 3s
  - {name: local, url: 'http://a', maxConcurrent: soon, kind: promethus}
  - {url: 'http://b'}
  - {name: c, url: 'http://c', timeout: 1h, tls: {cert: /c}}
definitions: slos
externalLabels: {cluster: eu, slo: x}
store: mysql://root:hunter2@db
listen: ':9095'
step: 7s
heartbeat: {url: https://u:hunter2@x, methode: POST}
receivers:
  - name: oncall
    webhook: {url: 'http://x', retries: 3}
  - name: oncall
    webhook: {url: 'ftp://x'}
    email: {to: [a@b.c]}
route: {receiver: oncal, fallback: oncal}
scaling: {mode: on, maxPolicyUp: 10%}
log: {format: xml, level: loud}
log.level: debug
step: 30s
";
    let told = wrong(text, &[("DAMPER_LITSEN", "x"), ("DAMPER_LOG__FORMAT", "yml")]);
    insta::assert_snapshot!(told, @r"
    the settings in damper.yaml cannot be used
      damper.yaml:3:5: sources[0].url: must begin with http:// or https:// and name a host
      damper.yaml:4:5: sources[0]: unknown key `tiemout`; did you mean `timeout`?
      damper.yaml:5:6: sources[1].name: `local` is taken by another source
      damper.yaml:5:36: sources[1].maxConcurrent: must be a whole number
      damper.yaml:5:57: sources[1].kind: `promethus` is not known; did you mean `prometheus`?
      damper.yaml:6:5: sources[2]: `name` is missing
      damper.yaml:7:32: sources[3].timeout: must be between 1s and 10m
      damper.yaml:7:45: sources[3].tls: is set, but `url` is not https; no certificate would be used
      damper.yaml:7:45: sources[3].tls.key: is missing: `cert` needs its key
      damper.yaml:8:1: definitions: must be a list (`[a, b]`), not a single value
      damper.yaml:9:31: externalLabels.slo: is a label that every alert has by itself; use another name
      damper.yaml:10:1: store: must be sqlite:PATH or postgres://USER@HOST/DATABASE
      damper.yaml:11:1: listen: must be ADDRESS:PORT, such as 127.0.0.1:9095, 0.0.0.0:9095 or [::]:9095
      damper.yaml:13:13: heartbeat.url: a login does not belong into the URL; use basicAuth
      damper.yaml:13:39: heartbeat: unknown key `methode`; did you mean `method`?
      damper.yaml:16:32: receivers[0].webhook: unknown key `retries`; known here: url, headers, hmacSecret, hmacSecretFile, bearerToken, bearerTokenFile, basicAuth, timeout, tls
      damper.yaml:17:5: receivers[1].name: `oncall` is taken by another receiver
      damper.yaml:18:15: receivers[1].webhook.url: the URL must begin with http:// or https://
      damper.yaml:19:5: receivers[1].email: `from` is missing
      damper.yaml:20:9: route.receiver: `oncal` is no receiver; did you mean `oncall`?
      damper.yaml:20:26: route.fallback: is the receiver itself; name another one or remove it
      damper.yaml:21:11: scaling.mode: `on` is not known; known here: auto, dryRun
      damper.yaml:21:21: scaling: unknown key `maxPolicyUp`; known here: mode, maxPoliciesUp, maxReplicasAddedPerHour, stopFile, releaseOnShutdown, kubernetes, actuators
      damper.yaml:22:20: log.level: must be off, error, warn, info, debug or trace; or for parts too, as info,damper::service=debug
      damper.yaml:23:1: unknown key `log.level`; write nested keys as a mapping
      damper.yaml:24:1: step: is written twice; keep one of them
      environment variable DAMPER_LITSEN: no setting has this name; did you mean DAMPER_LISTEN?
      environment variable DAMPER_LOG__FORMAT: log.format: must be text or json
    ");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn the_environment_overrides_the_file_and_flags_override_both() {
    let text = format!("{GOOD}listen: 127.0.0.1:1\nstep: 15s\nlog: {{format: json, level: warn}}\n");
    let variables = [
        ("DAMPER_LISTEN", "127.0.0.1:2"),
        ("DAMPER_LOG__LEVEL", "debug"),
        ("DAMPER_DEFINITIONS", "slos, more/slos"),
        ("DAMPER_EXTERNAL_LABELS__CLUSTER", "007"),
        ("DAMPER_PROMETHEUS__TIMEOUT", "20s"),
        ("PATH", "/bin"),
    ];
    let settings = good(&text, &variables);
    assert_eq!(settings.listen.port(), 2);
    assert_eq!(settings.step.secs(), 15);
    assert_eq!(settings.log.level.to_string(), "debug");
    assert_eq!(settings.log.format, crate::telemetry::LogFormat::Json);
    assert_eq!(settings.definitions, ["slos", "more/slos"].map(PathBuf::from));
    assert_eq!(settings.external_labels["cluster"], "007");
    let flag = |text: &str| Flag { key: "listen", name: "--listen", text: text.into() };
    let variables = || variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let settings = Settings::parse("f", &text, variables(), &[flag("[::1]:3")]).unwrap();
    assert_eq!(settings.listen.port(), 3);
    let error = Settings::parse("f", &text, variables(), &[flag("3")]).unwrap_err().to_string();
    assert!(error.contains("flag --listen: listen: must be ADDRESS:PORT"), "{error}");
}

#[test]
fn text_stays_as_it_was_written() {
    let text = "prometheus: {url: 'http://a', headers: {X-Scope-OrgID: 007, X-Yes: yes}, basicAuth: {username: 1e3, password: 0x1F}}
definitions: [2026.10]\nexternalLabels: {zone: 007, on: no}\n";
    let settings = good(text, &[]);
    assert_eq!(settings.external_labels["zone"], "007");
    assert_eq!(settings.external_labels["on"], "no");
    assert_eq!(settings.definitions, [PathBuf::from("2026.10")]);
}

#[test]
fn secrets_are_not_shown() {
    let text = "\
prometheus:
  url: https://a
  headers: {X-Key: hunter2}
  basicAuth: {username: u, password: hunter2}
definitions: [slos]
store: postgres://damper:hunter2@db/damper
heartbeat: {url: 'https://hc/hunter2', bearerToken: hunter2}
receivers:
  - {name: a, webhook: {url: 'https://hooks/hunter2', hmacSecret: hunter2, headers: {X: hunter2}}}
";
    let shown = format!("{:?}", good(text, &[]));
    assert!(!shown.contains("hunter2"), "{shown}");
    let by_variable = good(GOOD, &[("DAMPER_PROMETHEUS__BEARER_TOKEN", "hunter2")]);
    assert!(!format!("{by_variable:?}").contains("hunter2"));
}

#[test]
fn mistakes_in_secrets_do_not_repeat_them() {
    for line in [
        "{url: 'https://u:hunter2@a'}",
        "{url: 'https://a', basicAuth: hunter2}",
        "{url: 'https://a', basicAuth: {username: u, password: [hunter2]}}",
        "{url: 'https://a', bearerToken: {fil: hunter2}}",
        "{url: 'https://a', bearerToken: {file: [hunter2]}}",
        "{url: 'https://a', bearerToken: \"hunter2\\n\", headers: {X: \"hunter2\\n\"}, tls: hunter2}",
    ] {
        let told = wrong(&format!("definitions: [a]\nprometheus: {line}\n"), &[]);
        assert!(!told.contains("hunter2") && told.contains("damper.yaml:2:"), "{told}");
    }
}

#[test]
fn a_single_receiver_needs_no_route_and_several_do() {
    let one = format!("{GOOD}receivers: [{{name: a, webhook: {{url: 'http://x'}}}}]\n");
    let route = Route { receiver: "a".into(), fallback: None, fallback_after: Route::FALLBACK_AFTER };
    assert_eq!(good(&one, &[]).route, Some(route));
    let two = format!(
        "{GOOD}receivers: [{{name: a, webhook: {{url: 'http://x'}}}}, {{name: b, webhook: {{url: 'http://x'}}}}]\n"
    );
    assert!(wrong(&two, &[]).contains("several receivers and no route"));
    assert_eq!(good(&two, &[("DAMPER_ROUTE__RECEIVER", "b")]).route.unwrap().receiver, "b");
    let route = |more: &str| format!("{two}route: {{receiver: a, fallback: b, fallbackAfter: {more}}}\n");
    assert_eq!(good(&route("5s"), &[]).route.unwrap().fallback_after, Span::from_secs(5));
    assert!(wrong(&route("1s"), &[]).contains("route.fallbackAfter: must be between 5s and 1h"));
    let alone = format!("{two}route: {{receiver: a, fallbackAfter: 1m}}\n");
    assert!(wrong(&alone, &[]).contains("route.fallbackAfter: has no effect without `fallback`"));
}

#[test]
fn a_broken_receiver_is_no_reason_to_call_the_route_wrong() {
    let told =
        wrong(&format!("{GOOD}receivers: [{{name: a, webhook: {{}}}}]\nroute: {{receiver: a}}\n"), &[]);
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(told.contains("receivers[0].webhook: `url` is missing"), "{told}");
}

#[test]
fn what_is_not_yaml_or_not_there_is_told_alone() {
    for text in ["a: [1\n", "- a\n", "a: 1\n---\nb: 2\n", "a: !x 1\n"] {
        let told = wrong(text, &[]);
        assert!(told.contains("damper.yaml:"), "{told}");
    }
    assert!(wrong("a: [1\n", &[]).lines().count() == 2);
    let empty = wrong("", &[]);
    assert!(empty.contains("no source") && empty.contains("no definitions"), "{empty}");
    let gone = Settings::load(std::path::Path::new("/nowhere/damper.yaml"), &[]).unwrap_err().to_string();
    assert!(gone.contains("/nowhere/damper.yaml") && gone.contains("--config"), "{gone}");
    assert!(Settings::load(std::path::Path::new("/dev/zero"), &[]).is_err());
}

#[test]
fn nothing_written_means_the_default_and_both_forms_of_a_source_exclude_each_other() {
    good(&format!("{GOOD}receivers:\nheartbeat:\nlog:\nstore:\n"), &[]);
    let both = wrong(&format!("{GOOD}sources: [{{name: a, url: 'http://a'}}]\n"), &[]);
    assert!(both.contains("keep one"), "{both}");
    assert!(wrong("sources: []\ndefinitions: [a]\n", &[]).contains("needs 1 to 64"));
}

#[test]
fn a_file_of_mistakes_ends() {
    let many: String = (0..2000).map(|i| format!("unknown{i}: 1\n")).collect();
    let told = wrong(&many, &[]);
    assert!(told.lines().count() < 110, "{told}");
}

#[test]
fn what_is_wrong_with_scaling_is_told_in_one_run() {
    let text = format!(
        "{GOOD}scaling:
  mode: dryrun
  maxPoliciesUp: 10
  maxReplicasAddedPerHour: 0
  stopFile: ''
  releaseOnShutdown: soon
  kubernetes: {{kubeconfg: /k}}
  actuators:
    - {{name: a, webhook: {{url: 'ftp://hunter2', hmacSecret: hunter2, tls: {{cert: /c}}}}}}
    - {{name: a, webhook: {{url: 'http://x', secret: hunter2}}}}
    - {{name: a, webhook: {{url: 'http://x', timeout: 1h}}}}
    - {{name: ' ', webhook: {{url: 'http://x'}}}}
    - {{webhook: {{url: 'http://x'}}}}
"
    );
    let told = wrong(&text, &[("DAMPER_SCALING__MODUS", "x"), ("DAMPER_SCALING__ACTUATORS__0__NAME", "x")]);
    assert!(!told.contains("hunter2"), "{told}");
    insta::assert_snapshot!(told, @r#"
    the settings in damper.yaml cannot be used
      damper.yaml:4:3: scaling.mode: `dryrun` is not known; did you mean `dryRun`?
      damper.yaml:5:3: scaling.maxPoliciesUp: must be a share of all policies from "1%" to "100%"
      damper.yaml:6:3: scaling.maxReplicasAddedPerHour: must be between 1 and 100000; to add nothing write scaling.mode: dryRun
      damper.yaml:7:3: scaling.stopFile: is empty; write a path, or leave the key out
      damper.yaml:8:3: scaling.releaseOnShutdown: must be true or false
      damper.yaml:9:16: scaling.kubernetes: unknown key `kubeconfg`; did you mean `kubeconfig`?
      damper.yaml:11:27: scaling.actuators[0].webhook.url: the URL must begin with http:// or https://
      damper.yaml:11:70: scaling.actuators[0].webhook.tls: cert and key belong together; give both or neither
      damper.yaml:12:8: scaling.actuators[1].name: `a` is taken by another actuator
      damper.yaml:12:44: scaling.actuators[1].webhook: unknown key `secret`; known here: url, headers, hmacSecret, hmacSecretFile, bearerToken, bearerTokenFile, basicAuth, timeout, tls
      damper.yaml:13:8: scaling.actuators[2].name: `a` is taken by another actuator
      damper.yaml:13:44: scaling.actuators[2].webhook.timeout: 1h is out of bounds; write 1s to 5m
      damper.yaml:14:8: scaling.actuators[3].name: an actuator needs a name of visible characters
      damper.yaml:15:7: scaling.actuators[4]: `name` is missing
      environment variable DAMPER_SCALING__ACTUATORS__0__NAME: no setting has this name; sources, receivers and actuators are written in the file, where a secret can be {env: NAME}
      environment variable DAMPER_SCALING__MODUS: no setting has this name; did you mean DAMPER_SCALING__MODE?
    "#);
}

#[test]
fn scaling_can_be_stopped_and_bounded_by_the_environment() {
    let variables = [
        ("DAMPER_SCALING__MODE", "dryRun"),
        ("DAMPER_SCALING__MAX_POLICIES_UP", "25 %"),
        ("DAMPER_SCALING__MAX_REPLICAS_ADDED_PER_HOUR", "7"),
        ("DAMPER_SCALING__STOP_FILE", "/run/stop"),
        ("DAMPER_SCALING__RELEASE_ON_SHUTDOWN", "true"),
        ("DAMPER_SCALING__KUBERNETES__KUBECONFIG", "/k"),
        ("DAMPER_SCALING__KUBERNETES__CONTEXT", "c"),
    ];
    let text = format!("{GOOD}scaling: {{mode: auto, maxPoliciesUp: '50%'}}\n");
    let scaling = good(&text, &variables).scaling;
    assert_eq!(scaling.mode, crate::slo::policy::ScaleMode::DryRun);
    assert_eq!((scaling.limits.policies_up, scaling.limits.added_per_hour), (25, 7));
    assert_eq!((scaling.stop_file, scaling.release_on_shutdown), (Some(PathBuf::from("/run/stop")), true));
    let kubernetes = KubernetesSettings { kubeconfig: Some(PathBuf::from("/k")), context: Some("c".into()) };
    assert_eq!(scaling.kubernetes, kubernetes);
}

#[test]
fn an_actuator_is_spoken_to_as_a_webhook_is_and_shows_no_secret() {
    let text = format!(
        "{GOOD}scaling: {{actuators: [{{name: local, webhook: {{url: 'https://x/hunter2', timeout: 3s, hmacSecretFile: /s, headers: {{X: hunter2}}, tls: {{ca: /ca}}}}}}]}}\n"
    );
    let settings = good(&text, &[]);
    let shown = format!("{settings:?}");
    assert!(!shown.contains("hunter2") && shown.contains("local"), "{shown}");
    let webhook = &settings.scaling.actuators[0].webhook;
    assert_eq!((webhook.http.timeout.as_secs(), webhook.http.tls.ca.is_some()), (3, true));
    assert!(matches!(webhook.hmac, Some(crate::secret::Secret::File(_))));
}
